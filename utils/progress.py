"""How far a training run has come: a live bar in a terminal, plain lines elsewhere."""

import math

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

LINES = 10  # about so many epochs get a line of their own; the log has them all


class ProgressReporter:
    """Shows one level's run; a context manager."""

    def __init__(self, console: Console, title: str, epochs: int, examples: int):
        self.console, self.title, self.epochs, self.examples = console, title, epochs, examples
        self.every = math.ceil(epochs / LINES)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[loss]}"),
            TimeElapsedColumn(),
        )
        self.bar = Progress(
            *columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal
        )
        self.task = self.bar.add_task("", total=epochs * examples, loss="")

    def __enter__(self) -> "ProgressReporter":
        self.console.print(self.title, style="bold", highlight=False)
        self.bar.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.bar.stop()

    def step(self, epoch: int, examples: int, loss: float) -> None:
        self.bar.update(
            self.task,
            completed=(epoch - 1) * self.examples + examples,
            description=f"  epoch {epoch}/{self.epochs}",
            loss=f"loss {loss:.4f}",
        )

    def epoch(self, row: dict[str, float]) -> None:
        number = int(row["epoch"])
        if number % self.every == 0 or number == self.epochs:
            width = len(str(self.epochs))
            self.console.print(f"  epoch {number:>{width}}/{self.epochs}  {figures(row)}", highlight=False)


def figures(row: dict[str, float]) -> str:
    """A row of the log in words: train loss 0.1234  valid loss 0.1222, accuracy 97.10 %  2.1 s."""
    groups: dict[str, list[str]] = {}
    for key, value in row.items():
        if key not in ("epoch", "seconds"):
            split, _, quantity = key.partition("_")
            groups.setdefault(split, []).append(f"{quantity} {figure(key, value)}")
    words = [f"{split} {', '.join(shown)}" for split, shown in groups.items()]
    return "  ".join([*words, figure("seconds", row["seconds"])])


def figure(key: str, value: float) -> str:
    """One figure in its unit."""
    if key == "seconds":
        return f"{value:.1f} s"
    return f"{100 * value:.2f} %" if key.endswith("accuracy") else f"{value:.4f}"
