"""dlfs exercise"""

from pathlib import Path

import click
from rich.console import Console

from dlfs import attempts
from dlfs.attempts import Blank, find_task, path_of
from dlfs.checking import LIMIT, check, state
from dlfs.exercises import Exercise
from dlfs.terminal import Subcommands, table
from utils.errors import DLFSError, UsageError

MARKS = {"new": "·", "started": "…", "passed": "✓"}


class ExerciseCommands(Subcommands):
    """A number in a subcommand's place is an exercise's."""

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name[:1].isdigit():
            raise UsageError(f"say what to do with it: dlfs exercise start {name}")
        return super().get_command(ctx, name)


@click.group("exercise", cls=ExerciseCommands, invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Exercises that are graded at once.

    Without a subcommand: the list. An exercise is called by its number, 02.1, by its name, or by its file in work/; where
    none is named, the next that has not passed is meant. Your files lie in work/ and are never overwritten.
    """
    if ctx.invoked_subcommand is None:
        show_list(Console())


def named(name: str | None) -> Exercise | Blank:
    """The task of that name; the next one without a name."""
    if name is not None:
        return find_task(name)
    task = next_task()
    if task is None:
        raise DLFSError("every exercise has passed. To write any function of a model anew: dlfs exercise blank --help")
    return task


def next_task(after: Exercise | Blank | None = None) -> Exercise | Blank | None:
    """The first task that has not passed, of those behind one, or of all."""
    tasks = attempts.tasks()
    numbers = [task.number for task in tasks]
    begin = numbers.index(after.number) + 1 if after and after.number in numbers else 0
    return next((task for task in tasks[begin:] + tasks[:begin] if state(task, path_of(task)) != "passed"), None)


# ---------------------------------------------------------------------------------------------------- The subcommands


@command.command("list")
def list_() -> None:
    """Every exercise: how long it takes, and how far you are."""
    show_list(Console())


def show_list(console: Console) -> None:
    following = next_task()
    shown = table("", "", "exercise", "minutes", whole="exercise")
    model = ""
    for task in attempts.tasks():
        mark = MARKS[state(task, path_of(task))]
        pointer = "→" if following and task.number == following.number else ""
        if isinstance(task, Blank):
            shown.add_row(pointer, mark, f"[link={path_of(task).as_uri()}]{task.number}[/link]", "")
            continue
        if task.model_folder.name != model:
            model = task.model_folder.name
            shown.add_section()
        link = f"[link={task.task.as_uri()}]{task.number} {task.fact('title')}[/link]"
        shown.add_row(pointer, mark, link, str(task.fact("minutes")))
    console.print(shown)
    if following:
        console.print(f"→ dlfs exercise start {following.number}", highlight=False)


@command.command("start")
@click.argument("name", required=False)
def start(name: str | None) -> None:
    """Show the task, and put what you start from into work/."""
    begin(named(name))


def begin(task: Exercise | Blank) -> None:
    is_new = attempts.start(task)
    console = Console()
    if isinstance(task, Exercise):
        from dlfs.commands.read import rendered, show
        from dlfs.guides import Guide
        from dlfs.references import Environment

        show(lambda width: rendered(Guide(task.task, task.model_folder / "analysis"), Environment(), width))
        console.print(
            f"[bold]{task.number}[/bold]  about {task.fact('minutes')} minutes  {task.fact('teaches')}\n",
            highlight=False,
        )
    what = "You have begun already" if not is_new else "Yours to mend" if mends(task) else "Yours to write"
    console.print(f"{what}: {link(path_of(task), first_gap(path_of(task)))}", soft_wrap=True, highlight=False)
    console.print(
        f"Then: dlfs exercise check {task.number}   or, on every save: dlfs exercise watch {task.number}",
        soft_wrap=True,
        highlight=False,
    )


def mends(task: Exercise | Blank) -> bool:
    """Whether the task is to find a mistake, not to write something."""
    return isinstance(task, Exercise) and task.planted is not None


@command.command("check", short_help="Run the tests against your file, and say what is wrong.")
@click.argument("name", required=False)
@click.option("--limit", type=float, help=f"Seconds that one test may take: {LIMIT:g}, if not said otherwise.")
def check_(name: str | None, limit: float | None) -> int:
    """Run the tests against your file, and say what is wrong; exits with 1 if something is."""
    from dlfs.commands.exercise_report import report

    task = named(name)
    result = check(task, path_of(task), limit)
    report(Console(), result)
    return 0 if result.passed else 1


@command.command("watch", short_help="Check on every save.")
@click.argument("name", required=False)
def watch(name: str | None) -> None:
    """Check on every save; keys for a hint, the next one, the list, and to quit."""
    from dlfs.commands.exercise_watch import watch

    watch(named(name))


@command.command("hint")
@click.argument("name", required=False)
@click.argument("tier", type=int, default=1)
def hint(name: str | None, tier: int) -> None:
    """A hint; the TIER above says more: dlfs exercise hint 02.1 2."""
    task = named(name)
    show_hint(Console(), task, tier)


def show_hint(console: Console, task: Exercise | Blank, tier: int) -> None:
    from rich.markdown import Markdown

    if isinstance(task, Blank):
        raise DLFSError(f"{task.number} has no hints; the equations are in {task.folder / 'theory.md'}")
    hints = task.fact("hints")
    if not 1 <= tier <= len(hints):
        raise UsageError(f"{task.number} has hints 1 to {len(hints)}, not {tier}")
    console.print(f"[bold]Hint {tier} of {len(hints)}[/bold]")
    console.print(Markdown(hints[tier - 1]))
    if tier < len(hints):
        console.print(f"[dim]More: dlfs exercise hint {task.number} {tier + 1}[/dim]", highlight=False)


@command.command("solution")
@click.argument("name", required=False)
@click.option("--reveal", is_flag=True, help="Even if you have not passed yet.")
def solution(name: str | None, reveal: bool) -> None:
    """Show how we would write it, once yours passes."""
    from rich.syntax import Syntax

    task = named(name)
    if not reveal and state(task, path_of(task)) != "passed":
        raise DLFSError(
            f"yours does not pass yet. A hint: dlfs exercise hint {task.number}. To see it all the same: --reveal"
        )
    path = task.original if isinstance(task, Blank) else task.solution
    console = Console()
    console.print(link(path), soft_wrap=True, highlight=False)
    code = path.read_text(encoding="utf-8")
    if isinstance(task, Blank):
        code = attempts.source_of(code, task.function)
    if console.is_terminal:
        console.print(Syntax(code, "python", theme="ansi_dark", background_color="default", word_wrap=True))
    else:
        click.echo(code)


@command.command("reset")
@click.argument("name")
def reset(name: str) -> None:
    """Begin anew; what you have is kept beside it."""
    task = find_task(name)
    backup = attempts.reset(task)
    console = Console()
    console.print(f"What you had: {link(backup)}", soft_wrap=True, highlight=False)
    console.print(f"Anew: {link(path_of(task), first_gap(path_of(task)))}", soft_wrap=True, highlight=False)


@command.command("blank", short_help="Make an exercise of any function of a model.")
@click.argument("where")
@click.argument("function")
def blank(where: str, function: str) -> None:
    """Make an exercise of any function of a model: dlfs exercise blank 03/numpy LeNet5.backward.

    A copy of the file goes into work/ with that function blanked. Checking compares the level that it makes with the paper's
    file, on one batch and ten steps, and then runs the model's own tests with your file in place of theirs.
    """
    begin(attempts.blank(where, function))


# ------------------------------------------------------------------------------------------------------------- Places


def link(path: Path, line: int = 0) -> str:
    """A path as terminals recognise it, file:line, and as a link for those that know links."""
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    place = f"{shown}:{line}" if line else str(shown)
    return f"[cyan][link={path.resolve().as_uri()}{f'#{line}' if line else ''}]{place}[/link][/cyan]"


def first_gap(path: Path) -> int:
    """The line of the first function that is still to be written; 1 where there is none."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((i for i, line in enumerate(lines, 1) if "raise NotImplementedError(" in line), 1)
