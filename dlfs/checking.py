"""Checking a learner's file: in a process of its own, which may hang or crash without taking anything with it.

`check` starts that process and reads what it leaves: a line of JSON for each test that begins or ends. A test that takes
longer than the limit ends the process, and Python's faulthandler leaves the stack, of which the learner's line is shown.

What stands in work/ is all there is to know about how far somebody has come: a file, and whether the tests pass on it. So that
they need not run again on a file that did not change, work/.checked holds the hash of each that was checked, and what came of
it. It is a cache: it can be deleted at any time.
"""

import contextlib
import faulthandler
import hashlib
import importlib.util
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from dlfs.attempts import Blank, find_task
from dlfs.exercises import Exercise
from dlfs.studies import ROOT
from utils.errors import DLFSError
from utils.files import write_atomically

LIMIT = 20.0  # seconds for one test
IMPORTS = 60.0  # seconds more for all that is no test: libraries may be cold
READING = "reading the file"  # what goes on while no test runs
OUTPUT = 2_000  # characters of what the learner's file printed that are shown


class Outcome(NamedTuple):
    """What one test said of the learner's file."""

    test: str
    outcome: str  # passed, failed, skipped, stuck or crashed
    raised: str  # the name of what was raised
    message: str
    file: str  # where it was raised: in the learner's file if it came through that, else in the test
    line: int


class Report(NamedTuple):
    """A whole check."""

    task: Exercise | Blank
    path: Path
    outcomes: list[Outcome]
    printed: str  # by the learner's file

    @property
    def passed(self) -> bool:
        return bool(self.outcomes) and all(outcome.outcome == "passed" for outcome in self.outcomes)


def check(task: Exercise | Blank, path: Path, limit: float | None = None) -> Report:
    """Run the tests of a task against a file; none of them may take longer than limit seconds, by default LIMIT."""
    limit = limit or LIMIT
    if not path.is_file():
        raise DLFSError(f"there is no {path}: dlfs exercise start {task.number}")
    needs = ["pytest", *(task.fact("needs") if isinstance(task, Exercise) else ())]  # pytest runs every check
    missing = [package for package in needs if not importlib.util.find_spec(package)]
    if missing:
        raise DLFSError(f"{task.number} needs {', '.join(missing)}: pip install -c constraints.txt {' '.join(missing)}")
    content = fingerprint(task, path)  # of what is checked, should it be saved again meanwhile
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        arguments = [sys.executable, "-m", "dlfs.checking", task.number, str(path), name, str(limit)]
        if isinstance(task, Exercise):
            arguments.append(str(task.task))
        with (folder / "printed").open("wb") as printed:
            status = subprocess.run(
                arguments, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=printed, stderr=printed
            ).returncode
        report = Report(task, path, *read(folder, path, status, limit))
    remember(path, content, report.passed)
    return report


def read(folder: Path, path: Path, status: int, limit: float) -> tuple[list[Outcome], str]:
    """What the process left: what each test said, and what was printed."""
    events = folder / "events"
    lines = [json.loads(line) for line in events.read_text().splitlines()] if events.exists() else []
    outcomes = [Outcome(*line) for line in lines if len(line) > 1]
    printed = (folder / "printed").read_text(encoding="utf-8", errors="replace").strip()
    if status:
        test = lines[-1][0] if lines and len(lines[-1]) == 1 else READING
        file, number = str(path), 0
        stack = (folder / "stuck").read_text() if (folder / "stuck").exists() else ""
        if stack:
            waited = limit if test != READING else IMPORTS + limit
            if found := re.search(rf'File "{re.escape(str(path))}", line (\d+)', stack):
                number = int(found[1])
            said = (
                f"It was still running after {waited:g} s and was cut off: an endless loop, or far too much work. "
                f"Where the machine is slow: --limit {3 * limit:g}"
            )
            outcomes.append(Outcome(test, "stuck", "", said, file, number))
        else:
            how = f"killed by signal {-status}" if status < 0 else f"it ended with status {status}"
            said = f"The process that ran it is gone ({how}): memory ran out, a library crashed, or it called exit."
            outcomes.append(Outcome(test, "crashed", "", said, file, number))
    return outcomes, printed if len(printed) <= OUTPUT else "…" + printed[-OUTPUT:]


# ------------------------------------------------------------------------------------------------------ What is known


def fingerprint(task: Exercise | Blank, path: Path) -> str:
    """Of the learner's file and of what grades it."""
    content = b"\0".join(file.read_bytes() for file in (path, task.graded_by))
    return hashlib.sha256(content).hexdigest()


def checked_before(path: Path) -> dict[str, str]:
    """The cache beside a file: {name of a file: "hash passed" or "hash failed"}."""
    kept = path.parent / ".checked"
    lines = kept.read_text(encoding="utf-8").splitlines() if kept.exists() else []
    return dict(line.split(" ", 1) for line in lines)


def remember(path: Path, fingerprint: str, passed: bool) -> None:
    known = checked_before(path) | {path.name: f"{fingerprint} {'passed' if passed else 'failed'}"}
    write_atomically(path.parent / ".checked", "".join(f"{name} {said}\n" for name, said in known.items()))


def state(task: Exercise | Blank, path: Path) -> str:
    """new, started or passed. A file that changed since it was checked is checked."""
    if not path.exists():
        return "new"
    known = checked_before(path).get(path.name, "").split()
    if known and known[0] == fingerprint(task, path):
        return "passed" if known[1] == "passed" else "started"
    if path.read_text(encoding="utf-8") == task.starter:
        return "started"
    return "passed" if check(task, path).passed else "started"


# ------------------------------------------------------------------------------------------------ In the other process


def main(number: str, path: str, folder: str, limit: str, task: str = "") -> None:
    from dlfs.grading import Recorder, Result, grade, grade_blank

    seconds = float(limit)
    stuck = (Path(folder) / "stuck").open("w")
    events = (Path(folder) / "events").open("w")

    def watch(seconds: float) -> None:
        faulthandler.dump_traceback_later(seconds, exit=True, file=stuck)

    def write(event: list[Any]) -> None:
        events.write(json.dumps(event) + "\n")
        events.flush()

    class Reporter(Recorder):
        """Hands each result on at once."""

        def begin(self, test: str) -> None:
            write([test])
            watch(seconds)

        def add(self, result: Result) -> None:
            super().add(result)
            raised = result.raised.__name__ if result.raised else ""
            write([result.test, result.outcome, raised, result.message, result.file, result.line])
            watch(IMPORTS + seconds)

    for package in Exercise(Path(task)).fact("needs") if task else ():
        with contextlib.suppress(ImportError):  # the test says so
            importlib.import_module(package)  # however long it takes: none of the learner's code runs yet
    watch(IMPORTS + seconds)
    reporter = Reporter(Path(path))
    if task:
        grade(Exercise(Path(task)), Path(path), reporter)
    else:
        blank = find_task(number)
        assert isinstance(blank, Blank)
        grade_blank(blank, Path(path), reporter)
    faulthandler.cancel_dump_traceback_later()


if __name__ == "__main__":
    main(*sys.argv[1:])
