"""`dlfs exercise watch`: check on every save, and listen for a key in between."""

import contextlib
import os
import select
import sys
import time
from collections.abc import Callable, Iterator

from rich.console import Console

from dlfs import attempts
from dlfs.attempts import Blank, path_of
from dlfs.checking import check
from dlfs.commands.exercise import next_task, show_hint, show_list
from dlfs.commands.exercise_report import report
from dlfs.exercises import Exercise
from utils.errors import DLFSError

PAUSE = 0.3  # seconds between two looks at the file
KEYS = "h hint   n next   l list   q quit"


def watch(task: Exercise | Blank) -> None:
    """Check the task's file now and on every save, until q or Ctrl-C."""
    console = Console()
    with keys() as pressed:
        footer = f"[dim]saved files are checked at once   {KEYS if pressed else 'Ctrl-C to quit'}[/dim]"
        while True:
            attempts.start(task)
            following = one(console, task, pressed, footer)
            if following is None:
                return
            task = following


def one(
    console: Console, task: Exercise | Blank, pressed: Callable[[], str] | None, footer: str
) -> Exercise | Blank | None:
    """Watch one task, until another one, or none, is asked for."""
    path, seen, tier = path_of(task), 0, 0
    while True:
        changed = path.stat().st_mtime_ns if path.exists() else seen
        if changed != seen:
            seen = changed
            console.rule(time.strftime("%H:%M:%S"))
            with console.status("checking"):
                result = check(task, path)
            report(console, result)
            console.print(footer, highlight=False)
        key = wait(pressed)
        if key == "q":
            return None
        if key == "n":
            return next_task(after=task) or task
        if key == "l":
            show_list(console)
        if key == "h":
            tier += 1
            try:
                show_hint(console, task, tier)
            except DLFSError:
                console.print("That was the last hint.")


def wait(pressed: Callable[[], str] | None) -> str:
    """The key that was pressed within a pause, or none."""
    if pressed:
        return pressed()
    time.sleep(PAUSE)
    return ""


@contextlib.contextmanager
def keys() -> Iterator[Callable[[], str] | None]:
    """A function that waits for a key for a pause, and returns it in lower case; None where there is no terminal to ask."""
    try:
        import termios
        import tty
    except ImportError:  # Windows
        try:
            import msvcrt
        except ImportError:
            yield None
            return

        def from_console() -> str:
            time.sleep(PAUSE)
            return msvcrt.getwch().lower() if msvcrt.kbhit() else ""  # type: ignore[attr-defined]

        yield from_console
        return
    if not sys.stdin.isatty():
        yield None
        return
    before = termios.tcgetattr(sys.stdin)

    def from_terminal() -> str:
        ready, _, _ = select.select([sys.stdin], [], [], PAUSE)
        return (
            os.read(sys.stdin.fileno(), 1).decode(errors="ignore").lower() if ready else ""
        )  # past sys.stdin's buffer

    try:
        tty.setcbreak(sys.stdin)
        yield from_terminal
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
