"""What a Trainer calls as it goes: progress on the screen, curves as a picture, TensorBoard; and the base class for one's own."""

import importlib
import math

from .curves import plot_curves

__all__ = ["Callback", "Curves", "Progress", "TensorBoard", "figure", "figures"]


class Callback:
    """Define what you need of these. A callback with state_dict and load_state_dict is part of the checkpoint.

    every_process: whether, of several processes that train together, each calls it; what writes is called in the first alone.
    """

    every_process = True

    def on_fit_start(self, trainer):
        """`fit` begins, with what a resumed run has loaded."""

    def on_epoch_start(self, trainer):
        """A new epoch begins; not called where a resumed run goes on within one."""

    def on_step(self, trainer):
        """trainer.step steps are done."""

    def on_report(self, trainer, row):
        """A row was added to the log: after each epoch, or every evaluate_every steps."""

    def on_fit_end(self, trainer):
        """`fit` ends, also by an error."""


class Progress(Callback):
    """How far it has come, and how fast: a live bar in a terminal, plain lines elsewhere, about `lines` of them (the log has all).

    console: rich's; None: a new one on standard output.
    """

    every_process = False

    def __init__(self, title=None, console=None, lines=10):
        self.title, self.console, self.lines = title, console, lines

    def on_fit_start(self, trainer):
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self.console = self.console or Console()
        if self.title:
            self.console.print(self.title, style="bold", highlight=False)
        columns = [
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[loss]}"),
            TextColumn("{task.fields[speed]}"),
            TimeElapsedColumn(),
        ]
        hidden = not self.console.is_terminal
        self.bar = Bar(*columns, TimeRemainingColumn(), console=self.console, transient=True, disable=hidden)
        self.task = self.bar.add_task("", total=self._total(trainer), completed=trainer.step, loss="", speed="")
        self.printed = None  # the share of the run at which a line was printed last
        self.bar.start()

    def on_step(self, trainer):
        loss = f"loss {trainer.running_loss:.4f}"
        self.bar.update(
            self.task, completed=trainer.step, description=f"  {self._place(trainer)}", loss=loss, speed=trainer.speed
        )

    def on_report(self, trainer, row):
        done, goal = (trainer.epoch, trainer.epochs) if trainer.epochs else (trainer.step, trainer.steps)
        part = done // max(1, -(-goal // self.lines))
        if part != self.printed or done >= goal or trainer.should_stop:
            self.console.print(
                f"  {self._place(trainer)}  {figures(row)}, {trainer.speed}", highlight=False, soft_wrap=True
            )
        self.printed = part

    def on_fit_end(self, trainer):
        self.bar.stop()

    def _total(self, trainer):
        """How many steps there will be, or None."""
        totals = [trainer.steps] if trainer.steps else []
        if trainer.epochs and hasattr(trainer.loader, "__len__"):
            try:
                totals.append(trainer.epochs * math.ceil(len(trainer.loader) / trainer.accumulate))
            except TypeError:  # batches without a length
                pass
        return min(totals, default=None)

    def _place(self, trainer):
        if trainer.epochs:
            return f"epoch {trainer.epoch:>{len(str(trainer.epochs))}}/{trainer.epochs}"
        return f"step {trainer.step:>{len(str(trainer.steps))}}/{trainer.steps}"


def figures(row):
    """A row of the log in words: train loss 0.1234  valid loss 0.1222, accuracy 97.10 %  2.1 s."""
    groups = {}
    for key, value in row.items():
        if key not in ("epoch", "step", "seconds"):
            split, _, quantity = key.partition("_")
            groups.setdefault(split, []).append(f"{quantity.replace('_', ' ')} {figure(key, value)}")
    words = [f"{split} {', '.join(shown)}" for split, shown in groups.items()]
    return "  ".join([*words, figure("seconds", row["seconds"])])


def figure(key, value):
    """One figure in its unit."""
    if key == "seconds":
        return f"{value:.1f} s"
    if key.endswith("accuracy"):
        return f"{100 * value:.2f} %"
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}"


class Curves(Callback):
    """A PNG with a panel for each quantity, of training and validation, drawn when `fit` ends."""

    every_process = False

    def __init__(self, path, title=""):
        self.path, self.title = path, title

    def on_fit_end(self, trainer):
        panels = {}
        for row in trainer.rows:
            for key, value in row.items():
                if key not in ("epoch", "step", "seconds"):
                    split, _, quantity = key.partition("_")
                    x, y = panels.setdefault(quantity, {}).setdefault(split, ([], []))
                    x.append(row["step"])
                    y.append(value)
        if panels:
            plot_curves(self.path, self.title, panels, xlabel="step")


class TensorBoard(Callback):
    """The log's figures as event files in a folder, for `tensorboard --logdir folder`."""

    every_process = False

    def __init__(self, folder):
        try:
            self.make_writer = importlib.import_module("tensorboard.summary").Writer
        except ImportError:
            raise ImportError("TensorBoard: tensorboard is not installed: pip install tensorboard") from None
        self.folder = folder

    def on_fit_start(self, trainer):
        self.writer = self.make_writer(str(self.folder))

    def on_report(self, trainer, row):
        for key, value in row.items():
            if key not in ("step", "seconds"):
                self.writer.add_scalar(key, value, row["step"])
        self.writer.flush()

    def on_fit_end(self, trainer):
        self.writer.close()
