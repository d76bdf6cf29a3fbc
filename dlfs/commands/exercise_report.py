"""What `dlfs exercise check` and `watch` show of a check."""

import re
from pathlib import Path

from rich.console import Console, Group
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from dlfs.attempts import Blank
from dlfs.checking import Outcome, Report
from dlfs.commands.exercise import link
from dlfs.exercises import Exercise

WORDS = ("called", "got", "expected", "differ by", "usually")  # with which the lines of `expect` begin
LISTED = 8  # tests of a blank that passed which are named: a model has hundreds
STYLES = {"passed": ("✓", "green"), "skipped": ("-", "yellow"), "failed": ("✗", "red")}


def report(console: Console, result: Report) -> None:
    """A line for each test, and of the first that is wrong all there is to say."""
    task = result.task
    title = f"{task.number} {task.fact('title')}" if isinstance(task, Exercise) else task.number
    console.print(Text.assemble((title, "bold"), "   ", Text.from_markup(link(result.path))), soft_wrap=True)
    told = first_to_tell(result.outcomes)
    own = [outcome for outcome in result.outcomes if isinstance(task, Blank) and outcome.outcome == "passed"]
    own = own[LISTED:]
    for outcome in result.outcomes:
        if outcome in own:
            continue
        mark, style = (
            ("·", "dim") if outcome.raised == "NotImplementedError" else STYLES.get(outcome.outcome, ("✗", "red"))
        )
        console.print(Text(f"  {mark} {in_words(outcome.test)}", style))
        if outcome is told:
            console.print(Padding(explained(outcome, result.path), (0, 0, 1, 4)))
    if own:
        console.print(Text(f"  ✓ {len(own)} more", "green"))
    if result.printed and not result.passed:
        console.print(Text("Your file printed:", "dim"))
        console.print(Padding(Text(result.printed), (0, 0, 0, 4)))
    if result.passed:
        console.print(Text("Passed. ", "bold green"), end="")
        console.print(f"To compare with ours: dlfs exercise solution {task.number}", highlight=False)
    elif isinstance(task, Exercise):
        console.print(
            f"[dim]A hint: dlfs exercise hint {task.number}   The task: {link(task.task)}   The tests: {link(task.tests)}[/dim]",
            soft_wrap=True,
            highlight=False,
        )


def first_to_tell(outcomes: list[Outcome]) -> Outcome | None:
    """What was written and is wrong, before what is not written yet."""
    wrong = [outcome for outcome in outcomes if outcome.outcome not in ("passed", "skipped")]
    return next((outcome for outcome in wrong if outcome.raised != "NotImplementedError"), next(iter(wrong), None))


def in_words(test: str) -> str:
    name, bracket, parameters = test.removeprefix("test_").partition("[")
    return re.sub("_s(?=_|$)", "'s", name).replace("_", " ") + bracket + parameters


def explained(outcome: Outcome, path: Path) -> Group:
    """What was raised and where: an assertion of the test says it all; of anything else the line is shown."""
    in_test = outcome.file != str(path)
    if outcome.raised == "AssertionError" and (in_test or not outcome.line):
        return Group(in_columns(outcome.message))
    if outcome.raised == "NotImplementedError":
        return Group(Text.assemble("not written yet: ", Text.from_markup(link(path, outcome.line))))
    said = f"{outcome.raised}: {outcome.message}" if outcome.raised else outcome.message
    parts: list = [Text(said)]
    if in_test and outcome.line:
        parts.append(
            Text("in the test, from what your code returned; is it of the type and shape that the task names?", "dim")
        )
    if outcome.file and outcome.line:
        parts += [Text.from_markup(link(Path(outcome.file), outcome.line)), excerpt(Path(outcome.file), outcome.line)]
    return Group(*parts)


def in_columns(message: str) -> Table:
    """called, got, expected and usually on the left, and what is long broken within its own column."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for line in message.splitlines():
        said = line.lstrip()  # pytest indents an assertion's lines from the second on
        word, rest = next(((w, said[len(w) :].strip()) for w in WORDS if said.startswith(w)), ("", line))
        grid.add_row(word, Text(rest))
    return grid


def excerpt(path: Path, line: int) -> Syntax:
    """The line with two above it."""
    code = path.read_text(encoding="utf-8")
    return Syntax(
        code,
        "python",
        theme="ansi_dark",
        background_color="default",
        line_numbers=True,
        word_wrap=True,
        line_range=(max(1, line - 2), line),
        highlight_lines={line},
    )
