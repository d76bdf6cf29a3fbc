"""dlfs read"""

import difflib
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
from markdown_it import MarkdownIt
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.markdown import Markdown, TableElement
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from dlfs import calls
from dlfs.guides import (
    INLINE,
    Finding,
    Guide,
    check,
    failures,
    find_guides,
    guide_folders,
    guides_in,
    locked,
    referred,
    summary,
    unused,
    write_lock,
)
from dlfs.references import INSTALL, Environment, Excerpt, Missing, PackageMissing, Reference, code_of
from dlfs.terminal import table
from utils.errors import DLFSError, UsageError
from utils.files import write_atomically

WIDEST = 120  # columns of text: longer lines are hard to read
SIDE_BY_SIDE = 170  # columns from which sources that belong together stand beside each other
LONG_DOCSTRING = 3  # lines, above which a docstring is folded to its first


@click.command("read")
@click.argument("what", required=False)
@click.argument("page", required=False)
@click.option("--check", "checking", is_flag=True, help="Compare the references with what is installed here.")
@click.option(
    "--against",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="--check with the packages of another Python, environment or source folder; none is imported.",
)
@click.option("--diff", "differing", is_flag=True, help="With --against: show how what changed differs from here.")
@click.option("--lock", "locking", is_flag=True, help="Keep what is installed here as what the guides are about.")
@click.option("--calls", "tracing", is_flag=True, help="Trace the guide's models and write the trees of calls anew.")
def command(
    what: str | None,
    page: str | None,
    checking: bool,
    against: Path | None,
    differing: bool,
    locking: bool,
    tracing: bool,
) -> int:
    """Read a guide to production code, with the source as it is installed here.

    WHAT is a model (05, resnet), docs, a Markdown file, or a symbol such as timm.models.resnet:BasicBlock.forward. A model may
    have several PAGEs, which are listed under the first. Without WHAT: every guide there is.

    --check exits with 1 if a reference has changed or is missing; on the versions of constraints.txt also if one has moved.
    With --calls it says whether the trees of calls in the text are those of the installed package.
    """
    if locking and (checking or against or tracing):
        raise UsageError("--lock goes with no other option")
    if differing and not against:
        raise UsageError("--diff shows how another environment differs: name it with --against")
    if tracing:
        return renew_calls(what, checking)
    if locking:
        return renew_locks()
    if checking or against:
        return report(what, Environment.at(against) if against else Environment(), differing)
    if what is None:
        list_guides()
    elif ":" in what or is_module(what):
        reference = Reference.parse(f"{what} {page or ''}")
        Environment().find(reference)  # an error where there is nothing of that name
        show(lambda width: [excerpt_of(reference, Environment(), {}, whole=True)])
    else:
        guide, others = chosen(find_guides(what), what, page)
        show(lambda width: [*rendered(guide, Environment(), width), *further(others, what)])
    return 0


# ------------------------------------------------------------------------------------------------------------ Reading


def chosen(guides: list[Guide], what: str, page: str | None) -> tuple[Guide, list[Guide]]:
    """The page that is asked for, and the others."""
    wanted = (page or "").lower()
    exact = [guide for guide in guides if guide.path.stem.lower() == wanted]
    named = exact or [guide for guide in guides if wanted in guide.path.stem.lower()]
    if not named:
        raise UsageError(f"{what} has no page {page!r}. Valid: {', '.join(guide.path.stem for guide in guides)}")
    return named[0], [guide for guide in guides if guide != named[0]]


def is_module(what: str) -> bool:
    """Whether it is a dotted name or a path of a module's, such as framework.autograd or framework/autograd.py."""
    if "." not in what or what.endswith(".md"):
        return False
    try:
        Environment().module_file(Reference.parse(what).module)
    except DLFSError:
        return False
    return True


def show(contents: Callable[[int], list[RenderableType]]) -> None:
    """Print what contents(width) returns, through a pager where a reader sits before a terminal."""
    console = Console()
    console.width = width = min(console.width, WIDEST if console.width < SIDE_BY_SIDE else console.width)
    group = Group(*contents(width))
    if console.is_terminal and sys.stdin.isatty():
        os.environ.setdefault("LESS", "-RFX")  # colours; no pager for what fits on the screen
        with console.pager(styles=True, links=True):
            console.print(group)
    else:
        console.print(group)


def rendered(guide: Guide, environment: Environment, width: int) -> list[RenderableType]:
    """A guide with its source in place of the references that are paragraphs."""
    entries = locked(guide.folder)
    shown: list[RenderableType] = []
    for piece in guide.pieces():
        if isinstance(piece, str):
            text = markdown(with_links(piece, guide, environment))
            shown.append(Padding(text, (0, max(0, width - WIDEST), 1, 0)))
        else:
            shown += excerpts(piece, environment, entries, width)
    return shown


class WholeTable(TableElement):
    """A table that breaks a word that is too long, where rich's own cuts it off."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for drawn in super().__rich_console__(console, options):
            for column in drawn.columns:  # type: ignore[union-attr]
                column.overflow = "fold"
            yield drawn


class GuideMarkdown(Markdown):
    elements = {**Markdown.elements, "table_open": WholeTable}


def markdown(text: str) -> Markdown:
    """Markdown whose links may lead to files, which rich's own parser refuses."""
    shown = GuideMarkdown(text, justify="left")
    parser = MarkdownIt().enable("strikethrough").enable("table")
    parser.validateLink = lambda url: True  # type: ignore[method-assign]
    shown.parsed = parser.parse(text)
    return shown


def with_links(text: str, guide: Guide, environment: Environment) -> str:
    """The text with each reference as a link to the installed file, and each relative link as one to the file itself.

    In a table, where columns are narrow, a reference is shown without its module.
    """

    def linked(match: re.Match) -> str:
        reference = Reference.parse(" ".join(match[1].split()))
        in_table = match.string[match.string.rfind("\n", 0, match.start()) + 1 :].startswith("|")
        shown = reference.symbol if in_table and reference.symbol else str(reference)
        try:
            return f"[`{shown}`]({link(environment.find(reference))})"
        except DLFSError:
            return f"`{shown}`"

    def absolute(match: re.Match) -> str:
        return f"]({(guide.path.parent / match[1]).resolve().as_uri()}"

    return INLINE.sub(linked, re.sub(r"\]\((?!\w+:|#)([^)#\s]+)", absolute, text))  # in this order: ours are absolute


def excerpts(
    references: list[Reference], environment: Environment, entries: dict[str, dict], width: int
) -> list[RenderableType]:
    """The sources of one paragraph: beside each other where there is room, else one after another."""
    if len(references) > 1 and width >= SIDE_BY_SIDE:
        grid = Table.grid(padding=(0, 2), expand=True)
        for _ in references:
            grid.add_column(ratio=1)
        grid.add_row(*(excerpt_of(reference, environment, entries) for reference in references))
        return [grid]
    return [excerpt_of(reference, environment, entries) for reference in references]


def excerpt_of(
    reference: Reference, environment: Environment, entries: dict[str, dict], whole: bool = False
) -> RenderableType:
    """One reference's source under a line that says what it is; or in one line why it is not there. whole: no docstring is folded."""
    try:
        found = environment.find(reference)
    except DLFSError as error:
        return Text(f"▌ {error}\n", "yellow")
    then = entries.get(str(reference))
    version = "" if reference.is_ours else f"   {reference.package} {found.version}"
    head = Text.assemble(("▌ ", "cyan"), (str(reference), "bold cyan"), version)
    if then and then.get("hash") not in (None, found.hash):
        head.append(f"   changed: the guide was written about {then['version']}", "yellow")
    place = Text.assemble("  ", (place_of(found), f"dim link {link(found)}"))
    return Group(head, place, Padding(source(found, whole), (0, 0, 1, 2)))


def place_of(excerpt: Excerpt) -> str:
    """file:line as terminals recognise it, to click on."""
    file = excerpt.file
    shown = file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file
    return f"{shown}:{excerpt.span[0]}"


def link(excerpt: Excerpt) -> str:
    return f"{excerpt.file.as_uri()}#{excerpt.span[0]}"


def source(excerpt: Excerpt, whole: bool = False) -> RenderableType:
    """The lines with their numbers, highlighted; unless the whole is wanted, a long docstring is folded to its first line, with the gap to be seen."""
    first = excerpt.span[0]
    highlighted = Syntax("", "python", theme="ansi_dark").highlight(excerpt.source).split("\n")
    folded = {
        line: start
        for start, end in ([] if whole else excerpt.docstrings)
        if end - start >= LONG_DOCSTRING
        for line in range(start + 1, end + 1)
    }
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(justify="right", style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for number, line in enumerate(highlighted[: excerpt.span[1] - first + 1], first):
        if number not in folded:
            grid.add_row(str(number), line)
        elif folded[number] == number - 1:
            count = list(folded.values()).count(number - 1)
            indent = len(highlighted[number - 1 - first].plain) - len(highlighted[number - 1 - first].plain.lstrip())
            grid.add_row("⋮", Text(f"{' ' * indent}… {count} more lines of text", "dim italic"))
    return grid


def further(others: list[Guide], what: str) -> list[RenderableType]:
    """Where to read on."""
    rows = [f"dlfs read {what} {page_name(guide)}   {guide.title}" for guide in others]
    return [Text("Further pages:\n" + "\n".join(f"  {row}" for row in rows), "dim")] if rows else []


def page_name(guide: Guide) -> str:
    return guide.path.stem


def list_guides() -> None:
    """Every guide, and how many places in production code it refers to."""
    shown = table("read it with", "guide", "references", whole="read it with")
    for folder in guide_folders():
        is_docs = folder.name == "docs"
        for i, guide in enumerate(guides_in(folder)):
            if is_docs and not guide.references():
                continue
            what = "docs" if is_docs else folder.parent.name[:2]
            name = f"dlfs read {what}" if i == 0 and not is_docs else f"dlfs read {what} {page_name(guide)}"
            shown.add_row(name, guide.title, str(len(guide.references())))
    Console().print(shown)


# ----------------------------------------------------------------------------------------------------------- Checking


def report(what: str | None, environment: Environment, differing: bool) -> int:
    """Say what became of every reference; 1 if a guide may be wrong."""
    console = Console()
    folders = guide_folders() if what is None else sorted({guide.folder for guide in find_guides(what)})
    status = 0
    for folder in folders:
        references, entries = referred(folder), locked(folder)
        if not references and not entries:
            continue
        findings = check(references, entries, environment)
        name = folder.parent.name if folder.name == "analysis" else folder.name
        compared = ", ".join(versions(findings, environment))
        console.print(f"{name}: {summary(findings)} ({compared})", highlight=False, soft_wrap=True)
        for finding in findings:
            if finding.status != "same":
                console.print(Text(f"  {described(finding, environment)}", style_of(finding)), soft_wrap=True)
                if differing and finding.status == "changed":
                    console.print(Syntax(difference(finding), "diff", theme="ansi_dark"))
        stale = unused(folder)
        for name in stale:
            console.print(
                Text(f"  unused    {name}: no guide refers to it: dlfs read --lock", "yellow"), soft_wrap=True
            )
        if failures(findings, environment) or stale:
            status = 1
    return status


def described(finding: Finding, environment: Environment) -> str:
    note = finding.note
    if finding.then and finding.now and finding.reference.symbol:
        then, now = finding.then, finding.now
        there = now.span[0] if now.path == then["path"] else f"{now.path}:{now.span[0]}"
        note = f"{then['path']}:{then['lines'][0]} → {there}"
        here = source_here(finding)
        if finding.status == "changed" and here and not environment.is_this:
            if code_of(here.source) == code_of(now.source):
                note += ", only in comments, docstrings or annotations"
    return f"{finding.status:9} {finding.reference}  {note}".rstrip()


def source_here(finding: Finding) -> Excerpt | None:
    """What a reference means in this Python's packages, which another's may be compared with."""
    try:
        return Environment().find(finding.reference)
    except Missing:
        return None


def style_of(finding: Finding) -> str:
    return {"moved": "cyan", "unlocked": "yellow"}.get(finding.status, "red")


def difference(finding: Finding) -> str:
    """How the source of a reference there differs from what is installed here."""
    here, there = source_here(finding), finding.now
    if not here or not there:
        return "It is not installed here, to compare it with."
    old, new = here.source.splitlines(), there.source.splitlines()
    return "\n".join(difflib.unified_diff(old, new, f"here {here.version}", f"there {there.version}", lineterm=""))


def versions(findings: list[Finding], environment: Environment) -> Iterator[str]:
    """Which versions were compared: timm 1.0.31, or timm 1.0.20, written about 1.0.31."""
    about = dict(sorted({(f.then["package"], f.then["version"]) for f in findings if f.then}))
    for package, version in about.items():
        found = environment.version(package) or "of unknown version"
        yield f"{package} {found}" + (f", written about {version}" if found != version else "")


def renew_locks() -> int:
    for folder in guide_folders():
        changed = write_lock(folder, Environment())
        if changed or referred(folder):
            click.echo(f"{'wrote' if changed else 'up to date:'} {folder / 'references.json'}")
    return 0


def renew_calls(what: str | None, checking: bool) -> int:
    """Trace, and write the trees into the guides; with checking only compare."""
    if what is None:
        raise UsageError("--calls traces the models of one guide: name it")
    status = 0
    for guide in find_guides(what):
        if not calls.MARKED.search(guide.file_text):
            continue
        try:
            renewed = calls.renewed(guide.file_text, calls.traces(guide.folder))
        except ModuleNotFoundError as error:
            raise PackageMissing(f"{error.name} is not installed: {INSTALL}") from None
        if renewed == guide.file_text:
            click.echo(f"up to date: {guide.name}")
        elif checking:
            click.echo(f"{guide.name} does not show the calls of what is installed: dlfs read {what} --calls")
            status = 1
        else:
            write_atomically(guide.path, renewed)
            click.echo(f"wrote {guide.name}")
    return status
