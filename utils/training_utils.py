"""One way to train every level: framework.trainer.Trainer, on batches and with figures that are the same for all.

What decides the numbers is a function of (seed, epoch, step) alone: the order of the examples, and whatever a batch draws.
So every level sees the same batches, and a run that was stopped goes on exactly as if it had not been.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from framework import checkpoint, distributed
from framework.callbacks import Callback
from framework.data.randomness import default_numpy_generator
from framework.trainer import CHECKPOINT, LOG, NonFiniteError, Trainer
from utils.data_loaders import Dataset, Split
from utils.errors import DLFSError
from utils.files import write_atomically
from utils.schedules import SCHEDULES, Schedule

__all__ = [
    "CHECKPOINT",
    "LOG",
    "Learner",
    "Plan",
    "Row",
    "TrainingBatches",
    "accuracy",
    "evaluate",
    "example_pairs",
    "outputs_of",
    "read_checkpoint",
    "read_log",
    "train",
]

Arrays = tuple[np.ndarray, ...]
State = dict[str, np.ndarray]
Row = dict[str, float]
Metric = Callable[..., float]  # (outputs, *targets) -> the mean over the batch
FinalMetric = Callable[["Learner", Dataset], float]


class Learner(Protocol):
    """What training asks of a level: PyTorch's names for a model, and an optimizer for it."""

    optimizer: Any
    scaler: Any  # of the loss, for mixed precision; or None

    def use_optimizer(self, name: str, lr: float, options: dict[str, Any]) -> None: ...
    def set_lr(self, lr: float) -> None: ...
    def manual_seed(self, seed: int) -> None: ...
    def loss(self, inputs: Arrays, targets: Arrays) -> Any: ...  # a scalar with item() and backward()
    def predict(self, inputs: Arrays, targets: Arrays) -> tuple[float, Arrays]: ...
    def train(self, mode: bool = True) -> None: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> None: ...  # into the tensors that the optimizer knows


def accuracy(outputs: Arrays, targets: np.ndarray) -> float:
    """The share of examples whose largest logit (B, …, K) is at the target (B, …)."""
    return float((outputs[0].argmax(axis=-1) == targets).mean())


def example_pairs(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> tuple[Arrays, Arrays]:
    """The batch of a model that takes its examples as the data set has them."""
    return (x,), (y,)


@dataclass(frozen=True)
class Plan:
    """How a model is trained; the same at every level."""

    epochs: int
    batch_size: int
    lr: float
    optimizer: str = "adam"
    optimizer_options: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    # (x, y, rng) -> the inputs of forward, and what loss takes besides
    make_batch: Callable[[np.ndarray, np.ndarray, np.random.Generator], tuple[Arrays, Arrays]] = example_pairs
    metrics: Mapping[str, Metric] = field(default_factory=lambda: {"accuracy": accuracy})
    # the inputs x of a training batch -> x distorted; draws from the engine's default generator, as its transforms do
    augment: Callable[[np.ndarray], np.ndarray] | None = None
    schedule: str | Schedule = (
        "constant"  # of the learning rate, set anew for every step: one of SCHEDULES, or a function
    )
    steps_per_epoch: int | None = (
        None  # an "epoch" is so many steps on a random part of the examples; None: all of them
    )
    # the examples' lengths (N,): batches are then of examples about equally long, so that little of them is padding
    lengths: Callable[[Split], np.ndarray] | None = None
    # what is too slow to watch, such as a search: computed once, of data.test, when the training is over
    final_metrics: Mapping[str, FinalMetric] = field(default_factory=dict)
    evaluation_batch_size: int = 1000
    # as the Trainer's arguments of these names
    accumulate: int = 1
    clip: float | None = None
    ema: float | None = None
    early_stopping: int | None = None
    checkpoint_every: int | str | None = None


def train(learner: Learner, data: Dataset, plan: Plan, folder: Path, callbacks: Sequence[Callback] = ()) -> list[Row]:
    """Train to plan.epochs, from the learner's weights or from the checkpoint in the folder; return the log's rows.

    Row 0 is the start, before any step; the last row holds the test set's figures, of the weights that the training came to
    (the best with early stopping, else the averaged with ema), which the learner then has. DLFSError where the loss is not
    finite, and for a checkpoint that is damaged or another run's.
    """
    learner.use_optimizer(plan.optimizer, plan.lr, plan.optimizer_options)
    trainer = Trainer(
        learner,
        learner.optimizer,
        TrainingBatches(data.train, plan),
        valid=lambda: evaluate(learner, data.valid, plan, "valid"),
        scaler=learner.scaler,
        accumulate=plan.accumulate,
        clip=plan.clip,
        ema=plan.ema,
        early_stopping=plan.early_stopping,
        callbacks=[_SeedAndRate(learner, plan), *callbacks],
        folder=folder,
        checkpoint_every=plan.checkpoint_every,
    )
    try:
        rows = list(trainer.fit(plan.epochs, resume=True))
    except NonFiniteError as error:
        raise DLFSError(f"{error}\nA smaller --lr than {plan.lr:g} may help") from None
    except checkpoint.UnreadableFile as error:
        raise DLFSError(f"{error}. Delete it to begin anew") from None
    learner.load_state_dict(trainer.result())
    figures = evaluate(learner, data.test, plan, "test") | final_figures(learner, data, plan)
    rows.append({"epoch": trainer.epoch, "step": trainer.step, **figures})
    if trainer.world.is_first:
        write_log(folder, rows)
    return rows


class _SeedAndRate(Callback):
    """What depends on the place in the run alone: every epoch's seed, every step's learning rate."""

    def __init__(self, learner: Learner, plan: Plan):
        self.learner, self.plan = learner, plan
        self.schedule = SCHEDULES[plan.schedule] if isinstance(plan.schedule, str) else plan.schedule

    def on_fit_start(self, trainer: Trainer) -> None:
        self.steps = self.plan.epochs * math.ceil(len(trainer.loader) / self.plan.accumulate)
        self.on_step(trainer)

    def on_epoch_start(self, trainer: Trainer) -> None:
        self.learner.manual_seed((trainer.world.rank << 48) + (self.plan.seed << 20) + trainer.epoch)

    def on_step(self, trainer: Trainer) -> None:
        if trainer.step < self.steps:
            self.learner.set_lr(self.plan.lr * self.schedule(trainer.step, self.steps))


class TrainingBatches:
    """The batches (inputs, targets) of one epoch after the other, in an order that depends on the seed and the epoch alone.

    Among several processes each gets its share of every batch. All make the whole batch first: so whatever is drawn for it is drawn
    alike in all, and the shares together are the batch that one process alone would have.
    """

    def __init__(self, split: Split, plan: Plan):
        self.split, self.plan, self.world = split, plan, distributed.world()
        self.axes = batch_axes(split, plan) if self.world.size > 1 else []
        self.epoch = self.given = 0  # the epoch, counted from 1, and how many of its batches were given
        self.rng: np.random.Generator | None = None  # what the epoch's batches draw from; None between epochs
        self.resuming = False

    @property
    def examples(self) -> int:
        """How many examples an epoch has."""
        plan, all_of_them = self.plan, len(self.split)
        if plan.steps_per_epoch is None:
            return all_of_them
        return min(plan.steps_per_epoch * plan.accumulate * plan.batch_size, all_of_them)

    def __len__(self) -> int:
        return math.ceil(self.examples / self.plan.batch_size)

    def __iter__(self) -> Iterator[tuple[Arrays, Arrays]]:
        if not self.resuming:
            self.epoch, self.given = self.epoch + 1, 0
        rng = np.random.default_rng((self.plan.seed, self.epoch))
        order = rng.permutation(len(self.split))[: self.examples]
        if self.plan.lengths:
            order = alike(order, self.plan.lengths(self.split)[order], self.plan.batch_size, rng)
        if not self.resuming or self.rng is None:
            self.rng = rng
        self.resuming = False
        return self._rest(order, self.rng)

    def _rest(self, order: np.ndarray, rng: np.random.Generator) -> Iterator[tuple[Arrays, Arrays]]:
        size = self.plan.batch_size
        for start in range(self.given * size, len(order), size):
            indices = order[start : start + size]
            x = self.split.x[indices]
            if self.plan.augment:
                with default_numpy_generator(rng):
                    x = self.plan.augment(x)
            batch = self.plan.make_batch(x, self.split.y[indices], rng)
            self.given += 1
            yield self._share(batch, len(indices)) if self.world.size > 1 else batch
        self.rng = None

    def _share(self, batch: tuple[Arrays, Arrays], n: int) -> tuple[Arrays, Arrays]:
        """This process's examples of a batch of n; all of them where there are fewer than processes, the average is then the same."""
        if n < self.world.size:
            return batch
        own = slice(n * self.world.rank // self.world.size, n * (self.world.rank + 1) // self.world.size)
        shares = [array[(slice(None),) * axis + (own,)] for array, axis in zip((*batch[0], *batch[1]), self.axes)]
        return tuple(shares[: len(batch[0])]), tuple(shares[len(batch[0]) :])

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "given": self.given, "rng": self.rng and self.rng.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.epoch, self.given, self.resuming = state["epoch"], state["given"], state["rng"] is not None
        self.rng = None
        if self.resuming:
            self.rng = np.random.default_rng()
            self.rng.bit_generator.state = state["rng"]


def batch_axes(split: Split, plan: Plan) -> list[int]:
    """Along which axis of each array of a batch the examples lie: the first in which batches of two and of three differ."""
    two, three = (plan.make_batch(split.x[:n], split.y[:n], np.random.default_rng(0)) for n in (2, 3))
    pairs = zip((*two[0], *two[1]), (*three[0], *three[1]))
    return [next(axis for axis, (a, b) in enumerate(zip(x.shape, y.shape)) if (a, b) == (2, 3)) for x, y in pairs]


def alike(order: np.ndarray, lengths: np.ndarray, size: int, rng: np.random.Generator, pool: int = 50) -> np.ndarray:
    """The order with examples about equally long in every batch of `size`: each `pool` batches are sorted, then shuffled whole."""
    pools = [np.arange(start, min(start + pool * size, len(order))) for start in range(0, len(order), pool * size)]
    places = np.concatenate([part[np.argsort(lengths[part], kind="stable")] for part in pools])
    full = len(order) // size * size  # a last batch that is smaller stays the last
    batches = rng.permutation(places[:full].reshape(-1, size))
    return order[np.concatenate([batches.ravel(), places[full:]])]


def final_figures(learner: Learner, data: Dataset, plan: Plan) -> Row:
    """The plan's final metrics, as test_bleu, …"""
    learner.train(False)
    return {f"test_{name}": function(learner, data) for name, function in plan.final_metrics.items()}


def evaluate(learner: Learner, split: Split, plan: Plan, name: str) -> Row:
    """The mean loss and metrics over a split, as valid_loss, valid_accuracy, …; of several processes each takes some of the batches."""
    batch_size = plan.evaluation_batch_size
    rng = np.random.default_rng(plan.seed)
    totals, world = dict.fromkeys(["loss", *plan.metrics], 0.0), distributed.world()
    for number, start in enumerate(range(0, len(split), batch_size)):
        x, y = split.x[start : start + batch_size], split.y[start : start + batch_size]
        inputs, targets = plan.make_batch(x, y, rng)
        if number % world.size != world.rank:  # another process's
            continue
        loss, outputs = learner.predict(inputs, targets)
        totals["loss"] += loss * len(x)
        for metric, function in plan.metrics.items():
            totals[metric] += function(outputs, *targets) * len(x)
    sums = world.sum(list(totals.values()))
    return {f"{name}_{key}": total / len(split) for key, total in zip(totals, sums)}


def outputs_of(
    learner: Learner, split: Split, make_batch: Callable[..., tuple[Arrays, Arrays]], size: int = 500
) -> np.ndarray:
    """The first output (N, …) for every example of a split, such as the logits, in evaluation mode and batches of `size`."""
    rng = np.random.default_rng(0)
    parts = [slice(start, start + size) for start in range(0, len(split), size)]
    return np.concatenate([learner.predict(*make_batch(split.x[part], split.y[part], rng))[1][0] for part in parts])


# ------------------------------------------------------------------------------------------- Checkpoints and logs


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint's "model", "rows", "step" and more; DLFSError for a file that is damaged or something else."""
    try:
        return checkpoint.read(path)
    except checkpoint.UnreadableFile as error:
        raise DLFSError(f"{error}. Delete it to begin anew") from None


def write_log(folder: Path, rows: list[Row]) -> None:
    write_atomically(folder / LOG, "".join(json.dumps(row) + "\n" for row in rows))


def read_log(folder: Path) -> list[Row]:
    return [json.loads(line) for line in (folder / LOG).read_text(encoding="utf-8").splitlines()]
