"""Trainer: the loop that trains a model, and that a kill at any moment only delays.

    import framework
    from framework import nn, optim
    from framework.data import DataLoader, TensorDataset
    from framework.trainer import Trainer

    framework.manual_seed(0)
    x = framework.randn(200, 4)
    y = (x.sum(dim=1) > 0).long()
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
    trainer = Trainer(
        model,
        optim.Adam(model.parameters(), lr=0.01),
        DataLoader(TensorDataset(x, y), batch_size=20, shuffle=True),
        loss=lambda model, x, y: nn.functional.cross_entropy(model(x), y),
        folder="runs/first",
    )
    rows = trainer.fit(epochs=5, resume=True)

The folder then holds log.jsonl, curves.png and checkpoint.safetensors. Run the same program again after a kill: it goes on from the
last checkpoint, and ends with the weights, bit for bit, of the run that was not killed.

The trainer knows models by PyTorch's names alone (state_dict, load_state_dict, train), and so trains PyTorch's as well as the
engine's, and whatever else has these names, such as a model by hand.
"""

import contextlib
import json
import math
import sys
import time
from itertools import islice
from pathlib import Path

import framework

from . import checkpoint, distributed
from .callbacks import Curves, Progress
from .diagnosis import cause_of_nan, leaves
from .serialization import replacing
from .tensor import Tensor

__all__ = ["NonFiniteError", "Trainer", "checkpoint_interval"]

CHECKPOINT, LOG = "checkpoint.safetensors", "log.jsonl"


class NonFiniteError(ArithmeticError):
    """The loss or a gradient is NaN or infinite; the message names the step, the op and the last good checkpoint."""


class Trainer:
    """Train a model.

    model        has state_dict, load_state_dict (which copies into the tensors that the optimizer knows) and, where training and
                 evaluation differ, train(mode).
    optimizer    of framework.optim or torch.optim: it says whose tensors are trained.
    loader       gives batches: tuples, each the arguments of `loss`. Its position is saved by its own state_dict; where it has none,
                 it is iterated again from the epoch's start.
    loss         (model, *batch) -> a scalar tensor, the mean over the batch; by default model.loss(*batch).
    valid        batches to evaluate the loss and the metrics on, or a function () -> {"valid_loss": …, …}.
    metrics      {"accuracy": (model, *batch) -> a number, the mean over the batch}.
    scheduler    stepped after every epoch, or with scheduler_interval="step" after every step; ReduceLROnPlateau sees the watched loss.
    scaler       a gradient scaler for mixed precision, with PyTorch's face.
    accumulate   how many batches make a step; their gradients count by their number of examples, as if they were one batch.
    clip         the largest norm of the gradients.
    ema          the decay of an exponential moving average of the weights, which evaluation then uses; over the first steps it is
                 smaller, min(ema, (1 + step) / (10 + step)), so that the first weights are soon forgotten.
    early_stopping  stop when the validation loss (without `valid`: the training loss) has not fallen for so many reports.
    evaluate_every  report every so many steps, instead of at the end of each epoch.
    callbacks    of framework.callbacks; None: progress on the screen and, in a folder, curves.png.
    folder       where checkpoint.safetensors and log.jsonl are kept; None: nowhere.
    checkpoint_every  beside each report also every so many steps (100), or seconds ("30s").

    Started by torchrun in several processes, with a process group (distributed.launched), each is to be given its own share of the
    examples, as DistributedSampler makes it, and all else alike. Gradients, losses and figures are then those of all processes' batches
    together, as if they were one; the first process writes. A model that has no_sync, as DistributedDataParallel, averages its
    gradients itself.

    speed: in words, of the time since the last report: "1,234 images/s", of texts "tokens/s", else "examples/s".
    epoch, step: how many were begun, and how many done. rows: the reports so far, as log.jsonl holds them; the first is of the
    untrained model. should_stop: set it in a callback to end the training after this step.
    """

    def __init__(
        self,
        model,
        optimizer,
        loader,
        *,
        loss=None,
        valid=None,
        metrics=None,
        scheduler=None,
        scheduler_interval="epoch",
        scaler=None,
        accumulate=1,
        clip=None,
        ema=None,
        early_stopping=None,
        evaluate_every=None,
        callbacks=None,
        folder=None,
        checkpoint_every=None,
    ):
        for name, value in (
            ("accumulate", accumulate),
            ("early_stopping", early_stopping),
            ("evaluate_every", evaluate_every),
        ):
            if value is not None and not (isinstance(value, int) and value >= 1):
                raise ValueError(f"Trainer: {name} should be an integer of at least 1, got {value!r}")
        if clip is not None and not clip > 0:
            raise ValueError(f"Trainer: clip should be positive, got {clip!r}")
        if ema is not None and not 0 <= ema < 1:
            raise ValueError(f"Trainer: ema should be at least 0 and less than 1, such as 0.999, got {ema!r}")
        if scheduler_interval not in ("epoch", "step"):
            raise ValueError(f"Trainer: scheduler_interval should be 'epoch' or 'step', got {scheduler_interval!r}")
        self.world = distributed.world()
        self.parameters = [param for group in optimizer.param_groups for param in group["params"]]
        self.library = framework if isinstance(self.parameters[0], Tensor) else sys.modules["torch"]
        self.model, self.optimizer = model, optimizer
        self.loader = checkpoint.resumable(loader, self.library)
        self.loss = loss or (lambda model, *batch: model.loss(*batch))
        self.valid, self.metrics = valid, metrics or {}
        self.scheduler, self.scheduler_interval, self.scaler = scheduler, scheduler_interval, scaler
        self.accumulate, self.clip, self.decay, self.patience = accumulate, clip, ema, early_stopping
        self.evaluate_every = evaluate_every
        self.checkpoint_steps, self.checkpoint_seconds = checkpoint_interval(checkpoint_every)
        self.folder = None if folder is None else Path(folder)
        if callbacks is None:
            callbacks = [Progress()] + ([Curves(self.folder / "curves.png")] if folder else [])
        self.callbacks = list(callbacks)
        self.reducer = None
        if self.world.size > 1 and not hasattr(model, "no_sync"):
            self.reducer = distributed.Reducer(self.parameters)
        self.averages = None  # of the parameters, in their order
        if ema is not None:
            self.averages = [param.detach().clone() for param in self.parameters]
        self.epoch = self.step = 0
        self.epochs = self.steps = None  # how far `fit` goes
        self.rows = []
        self.best = None  # with early stopping: {"epoch", "step", "loss", "model"}
        self.should_stop = False
        self._within_epoch = self._is_exhausted = (
            False  # the latter: the loader's epoch is over already, the trainer's not yet
        )
        self._since_report = {"loss": 0.0, "examples": 0, "items": 0, "seconds": 0.0}
        self.speed = ""  # how much is learnt from in a second, on the mean since the last report: "1,234 images/s"
        self._saved_step, self._saved_at = None, 0.0  # when the last checkpoint was written

    # --- the loop ---

    def fit(self, epochs=None, steps=None, resume=False):
        """Train until so many epochs or steps are done in all, whichever comes first; return the rows.

        resume: go on from the folder's checkpoint, if there is one. Calling `fit` again goes on, too.
        FileExistsError for a folder that holds a checkpoint, without resume. UnreadableFile for a checkpoint that is damaged or does
        not fit, NonFiniteError for a loss that is NaN or infinite.
        """
        if epochs is None and steps is None:
            raise ValueError("Trainer.fit: say how far: epochs=… or steps=…")
        self.epochs, self.steps, self.should_stop = epochs, steps, False
        if self.folder and self._saved_step is None:
            self._open_folder(resume)
        self._call("on_fit_start")
        try:
            if not self.rows:
                self._report_start()
            if self._within_epoch and not self._is_exhausted:  # go on in the epoch that was left
                present = checkpoint.random_state(self.library)
                self.loader.load_state_dict(self.loader.state_dict())
                checkpoint.set_random_state(present)
            while self._has_more():
                self._run_epoch()
        finally:
            self._call("on_fit_end")
        return self.rows

    def _has_more(self):
        if self.should_stop or self._has_waited or (self.steps is not None and self.step >= self.steps):
            return False
        return self._within_epoch or self.epochs is None or self.epoch < self.epochs

    def _open_folder(self, resume):
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / CHECKPOINT
        if self.world.first(path.exists()):  # seen by one, before another writes it
            if not resume:
                raise FileExistsError(
                    f"Trainer.fit: {path} exists: go on from it with resume=True, or name another folder"
                )
            self.load(path)
            self._write_log()  # a killed run may have logged more, or less
        if not self.world.is_first:
            return
        for name in (CHECKPOINT, LOG, "curves.png"):
            for left in self.folder.glob(f".{name}.*.tmp"):  # what a killed run was writing
                left.unlink()

    def _run_epoch(self):
        """One epoch, or what is left of it; it may be left in the middle."""
        is_new, before = not self._within_epoch, self.step
        if is_new:
            self.epoch, self._within_epoch, self._is_exhausted = self.epoch + 1, True, False
            self._call("on_epoch_start")
        sampler = getattr(getattr(self.loader, "batches", self.loader), "sampler", None)
        if hasattr(sampler, "set_epoch"):  # DistributedSampler's order is a function of it
            sampler.set_epoch(self.epoch - 1)
        batches, started = iter(() if self._is_exhausted else self.loader), time.perf_counter()
        while group := list(islice(batches, self.accumulate)):
            self._is_exhausted = len(group) < self.accumulate
            self._step(group)
            self._measure_speed(group, time.perf_counter() - started)
            self._call("on_step")
            if self.evaluate_every and self.step % self.evaluate_every == 0:
                self._report()
            elif self._is_checkpoint_due():
                self.save()
            if not self._has_more():
                return self._report()
            started = time.perf_counter()
        if is_new and self.step == before:
            raise ValueError(f"Trainer.fit: the loader gave no batch in epoch {self.epoch}; can it be iterated again?")
        self._within_epoch = False
        if self.scheduler and self.scheduler_interval == "epoch" and not self._steps_on_loss:
            self.scheduler.step()
        if self.evaluate_every is None or not self._has_more():
            self._report()

    def _step(self, group):
        """One update from the batches of a group."""
        generators = checkpoint.generator_state(self.library)
        _set_mode(self.model, training=True)
        sizes = [_size(batch) for batch in group]
        (total,), mean = self.world.sum([sum(sizes)]), 0.0  # examples, of all processes
        self.optimizer.zero_grad()
        for number, (batch, size) in enumerate(zip(group, sizes), start=1):
            with self._unaveraged(number < len(group)):
                loss = self.loss(self.model, *batch)
                (value,) = self.world.sum([loss.item() * (size / total)])
                if not math.isfinite(value):
                    raise self._non_finite(f"the loss is {value}", group, generators)
                mean += value
                weight = size * self.world.size / total  # as the average divides by the number of processes
                if weight != 1:
                    loss = loss * weight
                (self.scaler.scale(loss) if self.scaler else loss).backward()
        if self.reducer:
            self.reducer.finish()
        if self.scaler:
            self.scaler.unscale_(self.optimizer)
        self._clip(group, generators)
        if self.scaler:
            self.scaler.step(self.optimizer)
            self.scaler.update()
        else:
            self.optimizer.step()
        self.step += 1
        if self.averages:
            self._average()
        if self.scheduler and self.scheduler_interval == "step":
            self.scheduler.step()
        self._since_report["loss"] += mean * total
        self._since_report["examples"] += total

    def _unaveraged(self, is_on):
        """Within it, gradients are not yet averaged over the processes: more batches of the step are to come."""
        if not is_on or self.world.size == 1:
            return contextlib.nullcontext()
        return (self.reducer or self.model).no_sync()

    def _measure_speed(self, group, seconds):
        since, counts = self._since_report, [_items(batch) for batch in group]
        since["seconds"] += seconds
        since["items"] += sum(count for count, _ in counts) * self.world.size
        self.speed = f"{since['items'] / since['seconds']:,.0f} {counts[0][1]}/s"

    def _clip(self, group, generators):
        """Limit the gradients' norm; and see that they are finite, which costs little, while one bad update spoils all weights."""
        utils = self.library.nn.utils
        if self.clip is not None:
            norm = utils.clip_grad_norm_(self.parameters, self.clip).item()
        elif self.scaler is None:
            norm = utils.get_total_norm([param.grad for param in self.parameters if param.grad is not None]).item()
        if self.scaler is None and not math.isfinite(norm):  # a scaler passes over such a step, with a smaller scale
            raise self._non_finite(f"the norm of the gradients is {norm}", group, generators)

    def _average(self):
        decay = min(self.decay, (1 + self.step) / (10 + self.step))
        with self.library.no_grad():
            for average, param in zip(self.averages, self.parameters):
                average.mul_(decay).add_(param, alpha=1 - decay)

    # --- reports ---

    @property
    def running_loss(self):
        """The mean loss over the examples since the last report; NaN before the first step."""
        return self._since_report["loss"] / (self._since_report["examples"] or math.nan)

    def _report_start(self):
        self.rows.append({"epoch": 0, "step": 0, **self._validate()})
        self._write_log()
        self.save()

    def _report(self):
        """A row for the log: the training loss since the last one, and the validation; then what depends on it."""
        if not self._since_report["examples"]:
            return
        row = {"epoch": self.epoch, "step": self.step, "train_loss": self.running_loss, **self._validate()}
        row["seconds"] = round(self._since_report["seconds"], 3)
        self.rows.append(row)
        self._since_report = dict.fromkeys(self._since_report, 0.0) | {"examples": 0, "items": 0}
        watched = row.get("valid_loss", row["train_loss"])
        if self.scheduler and self._steps_on_loss:
            self.scheduler.step(watched)
        if self.patience:
            self._watch(watched)
        self._call("on_report", row)
        self._write_log()
        self.save()

    def _watch(self, loss):
        if self.best is None or loss < self.best["loss"]:
            with self.averaged():
                weights = checkpoint.copied(self.model.state_dict())
            self.best = {
                "epoch": self.epoch,
                "step": self.step,
                "loss": loss,
                "model": weights,
                "reports": len(self.rows),
            }

    @property
    def _has_waited(self):
        """Whether the loss has not fallen for as many reports as early stopping waits."""
        return bool(self.patience and self.best) and len(self.rows) - self.best["reports"] >= self.patience

    @property
    def _steps_on_loss(self):
        return type(self.scheduler).__name__ == "ReduceLROnPlateau"

    def _validate(self):
        self.world.share(self.model.state_dict())  # running statistics are each process's own
        if self.valid is None:
            return {}
        present = checkpoint.random_state(self.library)
        with self.averaged():
            figures = self.valid() if callable(self.valid) else self.evaluate(self.valid, "valid_")
        checkpoint.set_random_state(present)  # what is drawn in training does not depend on how often one looks
        return figures

    def evaluate(self, batches, prefix=""):
        """The mean over the examples of the loss and of each metric, with the weights that the model has now, in evaluation mode."""
        functions = {"loss": lambda model, *batch: self.loss(model, *batch).item(), **self.metrics}
        totals, examples = dict.fromkeys(functions, 0.0), 0
        _set_mode(self.model, training=False)
        with self.library.no_grad():
            for batch in batches:
                size = _size(batch)
                examples += size
                for name, function in functions.items():
                    totals[name] += float(function(self.model, *batch)) * size
        _set_mode(self.model, training=True)
        examples, *sums = self.world.sum([examples, *totals.values()])
        return {prefix + name: total / examples for name, total in zip(totals, sums)}

    @contextlib.contextmanager
    def averaged(self):
        """Within it, the model's weights are their moving averages; where there are none, the weights themselves."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def _exchange(self):
        with self.library.no_grad():
            for average, param in zip(self.averages or (), self.parameters):
                kept = param.detach().clone()
                param.copy_(average)
                average.copy_(kept)

    def result(self):
        """The state dict that the training came to: with early stopping the best weights, else their averages, else the model's own."""
        if self.best:
            return self.best["model"]
        with self.averaged():
            return checkpoint.copied(self.model.state_dict())

    def _call(self, event, *args):
        for callback in self.callbacks:
            if self.world.is_first or callback.every_process:
                getattr(callback, event)(self, *args)

    # --- checkpoints ---

    def _is_checkpoint_due(self):
        if self.folder is None:
            return False
        if self.checkpoint_steps and self.step - self._saved_step >= self.checkpoint_steps:
            return True
        if not self.checkpoint_seconds:
            return False
        return self.world.first(time.monotonic() - self._saved_at >= self.checkpoint_seconds)

    def _write_log(self):
        if self.folder and self.world.is_first:
            with replacing(self.folder / LOG) as temporary:
                Path(temporary).write_text("".join(json.dumps(row) + "\n" for row in self.rows), encoding="utf-8")

    def _parts(self):
        """What has a state of its own, by name, and its class, which a checkpoint has to agree with."""
        parts = {"optimizer": self.optimizer, "scheduler": self.scheduler, "scaler": self.scaler, "loader": self.loader}
        parts |= {f"callback {i}": each for i, each in enumerate(self.callbacks) if hasattr(each, "state_dict")}
        return {name: part for name, part in parts.items() if part is not None}

    def save(self):
        """Write the checkpoint, whole or not at all."""
        if self.folder is None:
            return
        content = {"model": self.model.state_dict()}
        if self.averages:
            with self.averaged():
                content["ema"] = checkpoint.copied(self.model.state_dict())
        parts = self._parts()
        content |= {name: part.state_dict() for name, part in parts.items()}
        content["classes"] = {name: type(part).__name__ for name, part in parts.items()}
        own = {"random": checkpoint.random_state(self.library), "loader": self.loader.state_dict()}
        content |= own
        if self.world.size > 1:
            content["others"] = self.world.gather(own)[1:]
        content |= {"epoch": self.epoch, "step": self.step, "rows": self.rows, "best": self.best}
        content |= {
            "within_epoch": self._within_epoch,
            "is_exhausted": self._is_exhausted,
            "since_report": self._since_report,
        }
        if self.world.is_first:
            checkpoint.write(self.folder / CHECKPOINT, content)
        self._saved_step, self._saved_at = self.step, time.monotonic()

    def load(self, path):
        """Take over all that a checkpoint holds. UnreadableFile where it is damaged, or not of a run like this one."""
        content = checkpoint.read(path, self.library)
        classes = {name: type(part).__name__ for name, part in self._parts().items()}
        with checkpoint.loading(path):
            saved = content["classes"]
            for name in {**classes, **saved}:
                if classes.get(name) != saved.get(name):
                    raise ValueError(f"its {name} is {saved.get(name, 'none')}, this run's {classes.get(name, 'none')}")
            if ("ema" in content) != (self.averages is not None):
                raise ValueError("only one of it and this run has ema, averages of the weights")
            others = content.get("others", [])
            if len(others) + 1 != self.world.size:
                raise ValueError(f"it is of {len(others) + 1} processes, this run of {self.world.size}")
            if not self.world.is_first:
                content |= others[self.world.rank - 1]
            if self.averages:
                self.model.load_state_dict(content["ema"])
                self._exchange()
            self.model.load_state_dict(content["model"])
            for name, part in self._parts().items():
                part.load_state_dict(content[name])
            self.epoch, self.step, self.rows = content["epoch"], content["step"], content["rows"]
            self._within_epoch, self._is_exhausted = content["within_epoch"], content["is_exhausted"]
            self._since_report |= content["since_report"]
            self.best = content["best"]
            checkpoint.set_random_state(content["random"])
        self._saved_step, self._saved_at = self.step, time.monotonic()

    # --- when it fails ---

    def _non_finite(self, what, group, generators):
        checkpoint.set_random_state(generators)
        cause = cause_of_nan(self.library, self.model, self.loss, group)
        message = f"step {self.step + 1} (epoch {self.epoch}): {what}. {cause}."
        if self.folder and self._saved_step is not None:
            message += f" The last good checkpoint is of step {self._saved_step}: {self.folder / CHECKPOINT}"
        return NonFiniteError(message)


def checkpoint_interval(every):
    """(steps, seconds) of checkpoint_every: 100 or "100" is steps, "30s" seconds."""
    text = str(every or "")
    try:
        if text.endswith("s") and float(text[:-1]) > 0:
            return None, float(text[:-1])
        if not text or int(text) > 0:
            return int(text or 0) or None, None
    except ValueError:
        pass
    raise ValueError(
        f"checkpoint_every should be a number of steps, such as 100, or of seconds, such as '30s'; got {every!r}"
    )


def _size(batch):
    """How many examples a batch has: the length of the first array or tensor in it."""
    first = _first_array(batch)
    return 1 if first is None else len(first)


def _items(batch):
    """How much a batch holds, and of what: tokens where its first array is integers (B, T), else images or other examples."""
    first = _first_array(batch)
    if first is None:
        return 1, "examples"
    if "int" in str(first.dtype) and first.ndim > 1:
        return math.prod(first.shape), "tokens"
    return len(first), "images" if first.ndim == 4 else "examples"


def _first_array(batch):
    return next((leaf for leaf in leaves(batch) if getattr(leaf, "ndim", 0)), None)


def _set_mode(model, training):
    if hasattr(model, "train"):
        model.train(training)
