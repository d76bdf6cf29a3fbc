"""The project's prose: links and anchors lead somewhere, named files exist, `dlfs` commands parse, code blocks run.

A ```python block runs in the order of its page, in one namespace with the blocks before it, as a reader would type it in.
What a `print(…)  # such a comment` promises is compared with what it prints. A block that cannot run here has the line
<!-- not run: the reason --> before it, which GitHub does not show.
"""

import ast
import contextlib
import io
import re
import shlex
import sys
from functools import cache

import click
import pytest

from dlfs.cli import dlfs
from dlfs.references import Environment, Reference
from dlfs.studies import ROOT, find_study
from utils.errors import DLFSError

SKIPPED_FOLDERS = {".venv", ".git", ".pytest_cache", "runs", "work", "node_modules"}
FENCE = re.compile(r"^( *)(```+|~~~+)\s*(\w*)")
NOT_RUN = re.compile(r"<!-- not run: (.+?) -->")
LINK = re.compile(r"(?<!\\)\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
FILE = re.compile(r"[\w.-]+(?:/[\w.-]+)+\.(?:py|md|json|toml)")
COMMAND = re.compile(r"(?:^|&& |; |\| |\$ )(?:\w+=\S+ )*(?:python3? -m )?dlfs( [^|;&]*)?$")
SHELLS = ("bash", "sh", "console", "bat", "shell")


def pages():
    found = ROOT.rglob("*.md")
    return sorted(page for page in found if not SKIPPED_FOLDERS & set(page.relative_to(ROOT).parts))


PAGES = pages()


def name_of(page):
    return page.relative_to(ROOT).as_posix()


def blocks(text):
    """The fenced blocks of a page: (the first line's number, language, source, why it is not run or "")."""
    found, opened, previous = [], None, ""
    for number, line in enumerate(text.splitlines(), start=1):
        fence = FENCE.match(line)
        if opened:
            indent, mark, language, first, reason, lines = opened
            if fence and fence[2].startswith(mark) and not fence[3]:
                found.append((first, language, "\n".join(lines), reason))
                opened = None
            else:
                lines.append(line.removeprefix(indent))
        elif fence:
            reason = NOT_RUN.search(previous)
            opened = fence[1], fence[2], fence[3], number + 1, reason[1] if reason else "", []
        elif line.strip():
            previous = line
            continue
        if fence:
            previous = ""
    return found


def prose(text):
    """The page without its fenced blocks."""
    kept, mark = [], ""
    for line in text.splitlines():
        fence = FENCE.match(line)
        if mark:
            mark = "" if fence and fence[2].startswith(mark) else mark
        elif fence:
            mark = fence[2]
        else:
            kept.append(line)
    return "\n".join(kept)


def inline_code(text):
    """What stands in backquotes; formulas between dollars, which may hold backquotes too, are left out."""
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", re.sub(r"\$`[^`]*`\$", "", prose(text)))


@cache
def anchors(page):
    """The anchors that GitHub gives a page's headings."""
    found = set(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", page.read_text(encoding="utf-8")))
    for heading in re.findall(r"^#{1,6} +(.+?)\s*$", prose(page.read_text(encoding="utf-8")), re.MULTILINE):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        repeated = sum(other == slug or re.fullmatch(re.escape(slug) + r"-\d+", other) is not None for other in found)
        found.add(f"{slug}-{repeated}" if slug in found else slug)
    return found


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    wrong = []
    text = re.sub(r"`[^`\n]*`", "", prose(page.read_text(encoding="utf-8")))
    for target in LINK.findall(text) + re.findall(r'<(?:img|a) [^>]*\b(?:src|href)="([^"]+)"', text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        if not file.exists():
            wrong.append(f"{target}: there is no {path}")
        elif anchor and file.suffix == ".md" and anchor not in anchors(file):
            wrong.append(f"{target}: {file.name} has no such heading")
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_formulas_reach_the_reader_whole(page):
    """Between plain dollars Markdown takes the backslash from \\, and \\{; between $` and `$ it takes nothing."""
    formulas = re.findall(
        r"\$(?!`)([^$`\n]+)\$", re.sub(r"\$`[^`]*`\$|`[^`\n]*`", "", prose(page.read_text(encoding="utf-8")))
    )
    assert [formula for formula in formulas if re.search(r"\\[!-/:-@\[-`{-~]", formula)] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_merge_was_left_undone(page):
    assert not re.search(r"^(<{7}|>{7}) ", page.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_named_files_exist(page):
    """A path in code marks whose first folder is ours must be there; timm/models/resnet.py is somebody else's."""
    text = page.read_text(encoding="utf-8")
    code = [*inline_code(text), *(source for _, language, source, _ in blocks(text) if language in SHELLS)]
    wrong = []
    for file in (file for piece in code if "{src}" not in piece for file in FILE.findall(piece)):
        bases = [page.parent, *page.parents[1 : page.parents.index(ROOT) + 1]] if page.parent != ROOT else [ROOT]
        first = file.partition("/")[0]
        ours = first not in SKIPPED_FOLDERS and any((base / first).is_dir() for base in bases)
        if ours and not any((base / file).exists() for base in bases):
            wrong.append(file)
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_named_symbols_exist(page):
    """framework/autograd.py:walk is the file, and a name that is defined in it."""
    here, wrong = Environment(), []
    for file, symbol in re.findall(r"`([\w/]+)\.py:([A-Za-z_][\w.]*)`", prose(page.read_text(encoding="utf-8"))):
        try:
            here.find(Reference(file.replace("/", "."), symbol))
        except DLFSError as error:
            wrong.append(str(error))
    assert wrong == []


def commands(text):
    """Every `dlfs …` on the page, as its arguments."""
    lines = inline_code(text)
    for _, language, source, _ in blocks(text):
        if language in SHELLS:
            lines += source.replace("\\\n", " ").splitlines()
    for line in lines:
        line = re.split(r"\s# ", line.strip())[0].rstrip()
        match = COMMAND.search(line)
        if match and not re.search(r"[…<>$]", match[1] or ""):
            yield shlex.split(match[1] or "")


def complaint(arguments):
    """What the command line would say of these arguments, without running them; "" if it would run."""
    command, called = dlfs, "dlfs"
    context = click.Context(dlfs, info_name="dlfs")
    try:
        while isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
            called = arguments[0]
            if called.isupper():
                return ""  # COMMAND stands for any
            command = command.get_command(context, called)
            if command is None:
                return f"there is no {called}"
            arguments = arguments[1:]
        parsed = command.make_context(called, list(arguments), resilient_parsing=not arguments)
        model = parsed.params.get("model")
        if isinstance(model, str) and not model.isupper() and model != "NN":
            find_study(model)
    except click.exceptions.Exit:
        return ""
    except (click.ClickException, DLFSError) as error:
        message = error.format_message() if isinstance(error, click.ClickException) else str(error)
        if "requires an argument" in message:
            return ""  # the option's name alone
        return "" if "does not exist" in message and "RUN" in " ".join(arguments) else message
    return ""


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_are_understood(page):
    wrong = {" ".join(arguments): complaint(arguments) for arguments in commands(page.read_text(encoding="utf-8"))}
    assert {command: said for command, said in wrong.items() if said} == {}


def run_page(page):
    """Run a page's Python blocks one after the other; AssertionError where a print shows something else than promised."""
    namespace = {"__name__": "__page__"}
    for first, language, source, reason in blocks(page.read_text(encoding="utf-8")):
        if language not in ("python", "py") or reason:
            continue
        lines = source.splitlines()
        for statement in ast.parse(source).body:
            start, end = statement.lineno, statement.end_lineno
            is_print = ast.unparse(statement).startswith("print(")
            code = ast.increment_lineno(ast.Module([statement], []), first - 1)
            shown = io.StringIO()
            with contextlib.redirect_stdout(shown):
                exec(compile(code, str(page), "exec"), namespace)
            promised = re.search(r"\)\s+# (.+)$", lines[end - 1])
            if is_print and promised and start == end:
                place = f"{name_of(page)}:{first + end - 1}"
                assert shown.getvalue().split() == promised[1].split(), f"{place} prints {shown.getvalue()!r}"


# The examples of an exercise call what its reader is to write: they are held by the exercise's own tests.
RUNNABLE = [
    page
    for page in PAGES
    if "```python" in page.read_text(encoding="utf-8") and page.parent.name not in ("tasks", "exercises")
]


@pytest.mark.parametrize("page", RUNNABLE, ids=name_of)
def test_code_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "sys.path", [str(ROOT), *sys.path, str(page.parent)]
    )  # as a reader would who is in the page's folder
    run_page(page)


# ---------------------------------------------------------------------------------------- The checks can fail


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["comparee", "02"], "comparee"),
        (["compare", "02", "--no-such-option"], "--no-such-option"),
        (["compare", "transfromer"], "transfromer"),
        (["data", "fetch", "mnist"], "fetch"),
    ],
)
def test_a_wrong_command_is_noticed(arguments, part):
    assert part in complaint(arguments)


@pytest.mark.parametrize("command", ["compare 02 --trace", "list --check", "results 02 --record RUN", "data get NAME"])
def test_a_right_command_is_accepted(command):
    assert complaint(command.split()) == ""


def test_a_wrong_promise_is_noticed(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text("```python\nx = 2\n```\n\n<!-- not run: it never ends -->\n```python\nwhile x: pass\n```\n\n")
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    run_page(page)
    page.write_text("```python\nx = 2\n```\n\n```python\nprint(x)  # 3\n```\n")
    with pytest.raises(AssertionError, match="prints '2"):
        run_page(page)


def test_github_anchors(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# One `two`\n\n## It's 1×1, done\n\n## Same\n\n## Same\n\n```bash\n# no heading\n```\n")
    assert anchors(page) == {"one-two", "its-11-done", "same", "same-1"}


def test_overview_is_what_the_folders_say():
    from dlfs.overview import renewed

    text, new = renewed()
    assert text == new, "dlfs list --write"
