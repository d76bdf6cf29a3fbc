"""The guides to production code: Markdown that refers to source by symbol, and a lock that says what it was written about.

In a guide's text, `{src}package.module:symbol` in backquotes is a reference. In a sentence it is a name. One or several that
are a paragraph of their own stand for the source itself, which `dlfs read` shows there, from the reader's own package. In a
table, where columns are narrow, `{src}:symbol` is in the module that the heading of its column refers to.

Beside the guides of a folder, references.json keeps for each reference where it was found, in which version, and a hash of
its dedented source. Against it, a reference is
    same       the same text at the same place
    moved      the same text elsewhere
    changed    another text: what the guide says about it may be wrong now
    missing    no longer there
    unlocked   in a guide, but not in the lock file
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dlfs.references import Environment, Excerpt, PackageMissing, Reference
from dlfs.studies import ROOT, find_study, study_folders
from utils.errors import DLFSError, UsageError
from utils.files import write_atomically

LOCK = "references.json"
INLINE = re.compile(r"`\{src\}([^`]+)`")
BLOCK = re.compile(r"\s*(`\{src\}[^`]+`\s*)+")
FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
FENCE = re.compile(r"\s*(```+|~~~+)")


@dataclass(frozen=True)
class Guide:
    """One Markdown file, and the folder whose lock file covers it."""

    path: Path
    folder: Path

    @property
    def file_text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def text(self) -> str:
        """The Markdown, without front matter, and with every reference in full."""
        return in_full(FRONT_MATTER.sub("", self.file_text))

    @property
    def title(self) -> str:
        return next((line.strip("# ") for line in self.text.splitlines() if line.startswith("# ")), self.path.stem)

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix() if self.path.is_relative_to(ROOT) else str(self.path)

    def pieces(self) -> Iterator[str | list[Reference]]:
        """The text in order, cut where a paragraph of references stands for source."""
        kept: list[str] = []
        for paragraph, is_code in paragraphs(self.text):
            if not is_code and BLOCK.fullmatch(paragraph):
                yield "".join(kept)
                yield self.parse(paragraph)
                kept = []
            else:
                kept.append(paragraph)
        yield "".join(kept)

    def references(self) -> list[Reference]:
        """Every reference in the text, once each, in order."""
        found = [self.parse(text) for text, is_code in paragraphs(self.text) if not is_code]
        return list(dict.fromkeys(reference for references in found for reference in references))

    def parse(self, text: str) -> list[Reference]:
        try:
            return [Reference.parse(" ".join(match.split())) for match in INLINE.findall(text)]
        except UsageError as error:
            raise DLFSError(f"{self.name}: {error}") from None


def in_full(text: str) -> str:
    """A Markdown text in whose tables `{src}:symbol` has got the module that its column's heading refers to."""
    lines: list[str] = []
    modules: list[str] = []  # of the columns of the table that is being read
    for line in text.splitlines(keepends=True):
        cells = line.split("|") if line.startswith("|") else []
        if len(modules) != len(cells):
            found = (INLINE.search(cell) for cell in cells)
            modules = [match[1] if match else "" for match in found]
        cells = [cell.replace("`{src}:", f"`{{src}}{module}:") for cell, module in zip(cells, modules)]
        lines.append("|".join(cells) or line)
    return "".join(lines)


def paragraphs(text: str) -> Iterator[tuple[str, bool]]:
    """A Markdown text in pieces, each with its blank lines, and whether it is a fenced block of code."""
    kept, fence = "", ""
    for line in text.splitlines(keepends=True):
        opened = FENCE.match(line)
        if fence:
            kept += line
            if opened and opened[1].startswith(fence):
                yield kept, True
                kept, fence = "", ""
        elif opened:
            yield kept, False
            kept, fence = line, opened[1]
        elif not line.strip():
            yield kept + line, False
            kept = ""
        else:
            kept += line
    yield kept, bool(fence)


def guides_in(folder: Path) -> list[Guide]:
    """The guides of one folder: README.md, then the others by name."""
    pages = sorted(folder.rglob("*.md"), key=lambda path: (path.name != "README.md", path.as_posix()))
    return [Guide(page, folder) for page in pages]


def guide_folders() -> list[Path]:
    """The folders that hold guides: each model's analysis/, and docs/."""
    folders = [folder / "analysis" for folder in study_folders()]
    return [folder for folder in [*folders, ROOT / "docs"] if folder.is_dir()]


def find_guides(name: str) -> list[Guide]:
    """The guides that are called so: of a model, of a folder, or the one of a file."""
    path = Path(name)
    if path.suffix == ".md":
        if not path.is_file():
            raise UsageError(f"there is no file {path}")
        path = path.resolve()
        return [Guide(path, next((folder for folder in guide_folders() if path.is_relative_to(folder)), path.parent))]
    if name.strip("/") == "docs":
        return guides_in(ROOT / "docs")
    study = find_study(name)
    folder = study.folder / "analysis"
    if not folder.is_dir():
        written = ", ".join(other.parent.name for other in guide_folders() if other.name == "analysis")
        raise DLFSError(f"{study.folder.name} has no guide to production code. There are some for {written}")
    return guides_in(folder)


# ------------------------------------------------------------------------------------------------------- The lock file


@dataclass(frozen=True)
class Finding:
    """What became of one reference."""

    reference: Reference
    status: str  # same, moved, changed, missing or unlocked
    then: dict | None  # the lock file's entry
    now: Excerpt | None
    note: str = ""


def locked(folder: Path) -> dict[str, dict]:
    """The entries of a folder's lock file."""
    path = folder / LOCK
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def referred(folder: Path) -> list[Reference]:
    """Every reference of a folder's guides, once, in alphabetical order."""
    return sorted({reference for guide in guides_in(folder) for reference in guide.references()})


def entry(reference: Reference, excerpt: Excerpt) -> dict:
    """What the lock file keeps of a reference; of a module only that it is there, for all else in it may change."""
    kept = dict(package=excerpt.path.partition("/")[0].removesuffix(".py"), version=excerpt.version, path=excerpt.path)
    return kept if not reference.symbol else kept | dict(lines=list(excerpt.span), hash=excerpt.hash)


def lock(folder: Path, environment: Environment) -> str:
    """The text of a folder's lock file, as the installed packages have it; DLFSError unless they are those of constraints.txt."""
    entries = {}
    for reference in referred(folder):
        excerpt = environment.find(reference)
        if not reference.is_ours:
            entries[str(reference)] = entry(reference, excerpt)
    for found in entries.values():
        if found["version"] != pinned(found["package"]):
            raise DLFSError(
                f"{found['package']} {found['version']} is installed, and constraints.txt has {pinned(found['package'])}, "
                "which the guides are about: pip install -c constraints.txt " + found["package"]
            )
    return json.dumps(entries, indent=1) + "\n" if entries else ""


def write_lock(folder: Path, environment: Environment) -> bool:
    """Renew a folder's lock file; whether it changed."""
    path, text = folder / LOCK, lock(folder, environment)
    if text == (path.read_text(encoding="utf-8") if path.exists() else ""):
        return False
    if text:
        write_atomically(path, text)
    else:
        path.unlink()
    return True


def pinned(package: str) -> str:
    """The version of a package in constraints.txt; "" for one that it does not name."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if "==" in line).get(package, "")


def check(references: Iterable[Reference], entries: dict[str, dict], environment: Environment) -> list[Finding]:
    """What became of each reference since it was locked. Our own files are only asked to have the symbol."""
    return [check_one(reference, entries.get(str(reference)), environment) for reference in references]


def check_one(reference: Reference, then: dict | None, environment: Environment) -> Finding:
    try:
        now = environment.find(reference)
    except PackageMissing:
        raise
    except DLFSError as error:
        return Finding(reference, "missing", then, None, str(error))
    if reference.is_ours:
        return Finding(reference, "same", then, now)
    if then is None:
        return Finding(reference, "unlocked", then, now, "dlfs read --lock")
    if not reference.symbol:
        return Finding(reference, "same" if then["path"] == now.path else "moved", then, now)
    if then["hash"] != now.hash:
        return Finding(reference, "changed", then, now)
    place = (now.path, list(now.span))
    return Finding(reference, "same" if place == (then["path"], then["lines"]) else "moved", then, now)


def unused(folder: Path) -> list[str]:
    """Entries of a lock file that no guide refers to any more."""
    used = {str(reference) for reference in referred(folder)}
    return [name for name in locked(folder) if name not in used]


def failures(findings: list[Finding], environment: Environment) -> list[Finding]:
    """The findings that say a guide may be wrong: on the versions it was written about, all that are not the same;
    on others, what changed or is missing."""
    return [
        finding
        for finding in findings
        if finding.status in ("changed", "missing", "unlocked")
        or (finding.status == "moved" and on_pinned(finding, environment))
    ]


def on_pinned(finding: Finding, environment: Environment) -> bool:
    assert finding.then
    return environment.version(finding.then["package"]) == finding.then["version"]


def summary(findings: list[Finding]) -> str:
    """How many of each: 31 same, 2 moved."""
    counts = Counter(finding.status for finding in findings)
    order = ("same", "moved", "changed", "missing", "unlocked")
    return ", ".join(f"{counts[status]} {status}" for status in order if counts[status])
