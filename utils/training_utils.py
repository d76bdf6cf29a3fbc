"""One training loop for every level: the level takes a step, all else is the same.

What decides the numbers is a function of (seed, epoch, step) alone: the order of the examples, and whatever a batch draws.
So every level sees the same batches, and a run that was stopped goes on exactly as if it had not been.
"""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from framework import serialization
from framework.data.randomness import default_numpy_generator
from utils.data_loaders import Dataset, Split
from utils.errors import DLFSError
from utils.files import write_atomically

Arrays = tuple[np.ndarray, ...]
State = dict[str, np.ndarray]
Row = dict[str, float]
Metric = Callable[..., float]  # (outputs, *targets) -> the mean over the batch

CHECKPOINT, LOG = "checkpoint.safetensors", "log.jsonl"


class Learner(Protocol):
    """What the loop asks of a level."""

    def state(self) -> State: ...
    def load_state(self, state: State) -> None: ...
    def use_optimizer(self, name: str, lr: float, options: dict[str, Any]) -> None: ...
    def set_lr(self, lr: float) -> None: ...
    def optimizer_state(self) -> State: ...
    def load_optimizer_state(self, state: State) -> None: ...
    def manual_seed(self, seed: int) -> None: ...
    def step(self, inputs: Arrays, targets: Arrays) -> float: ...
    def predict(self, inputs: Arrays, targets: Arrays) -> tuple[float, Arrays]: ...


class Reporter(Protocol):
    """Who is told how far it has come."""

    def step(self, epoch: int, examples: int, loss: float) -> None: ...
    def epoch(self, row: Row) -> None: ...


def accuracy(outputs: Arrays, targets: np.ndarray) -> float:
    """The share of examples whose largest logit (B, …, K) is at the target (B, …)."""
    return float((outputs[0].argmax(axis=-1) == targets).mean())


def example_pairs(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> tuple[Arrays, Arrays]:
    """The batch of a model that takes its examples as the data set has them."""
    return (x,), (y,)


# What part of the learning rate is left, when this part of the epochs is over.
SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda done: 1.0,
    "linear": lambda done: 1 - done,
    "cosine": lambda done: 0.5 * (1 + math.cos(math.pi * done)),
}


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
    schedule: str = "constant"  # of the learning rate, over the epochs: one of SCHEDULES


def train(learner: Learner, data: Dataset, plan: Plan, folder: Path, reporter: Reporter) -> list[Row]:
    """Train to plan.epochs, from the learner's weights or from the checkpoint in the folder; return the log's rows.

    Row 0 is the start, before any step; the last row holds the test set's figures. After every epoch the log and the
    checkpoint are written anew, each whole or not at all. DLFSError where the loss is not finite.
    """
    rows = resume(learner, plan, folder)
    if not rows:
        rows = [{"epoch": 0, **evaluate(learner, data.valid, plan, "valid")}]
        save(learner, folder, rows)
    for epoch in range(len(rows), plan.epochs + 1):
        start = time.perf_counter()
        learner.manual_seed((plan.seed << 20) + epoch)
        learner.set_lr(plan.lr * SCHEDULES[plan.schedule]((epoch - 1) / plan.epochs))
        total, examples = 0.0, 0
        for inputs, targets, size in training_batches(data.train, plan, epoch):
            loss = learner.step(inputs, targets)
            if not math.isfinite(loss):
                raise DLFSError(
                    f"the loss became {loss} in epoch {epoch}; a smaller --lr than {plan.lr:g} may help. "
                    f"The checkpoint of epoch {epoch - 1} is whole: {folder / CHECKPOINT}"
                )
            total, examples = total + loss * size, examples + size
            reporter.step(epoch, examples, total / examples)
        seconds = round(time.perf_counter() - start, 3)
        validation = evaluate(learner, data.valid, plan, "valid")
        rows.append({"epoch": epoch, "train_loss": total / examples, **validation, "seconds": seconds})
        save(learner, folder, rows)
        reporter.epoch(rows[-1])
    rows.append({"epoch": len(rows) - 1, **evaluate(learner, data.test, plan, "test")})
    write_log(folder, rows)
    return rows


def training_batches(split: Split, plan: Plan, epoch: int) -> Iterator[tuple[Arrays, Arrays, int]]:
    """The batches of one epoch, in an order that depends on the seed and the epoch alone."""
    rng = np.random.default_rng((plan.seed, epoch))
    order = rng.permutation(len(split))
    for start in range(0, len(split), plan.batch_size):
        indices = order[start : start + plan.batch_size]
        x = split.x[indices]
        if plan.augment:
            with default_numpy_generator(rng):
                x = plan.augment(x)
        yield *plan.make_batch(x, split.y[indices], rng), len(indices)


def evaluate(learner: Learner, split: Split, plan: Plan, name: str, batch_size: int = 1000) -> Row:
    """The mean loss and metrics over a split, as valid_loss, valid_accuracy, …"""
    rng = np.random.default_rng(plan.seed)
    totals = dict.fromkeys(["loss", *plan.metrics], 0.0)
    for start in range(0, len(split), batch_size):
        x, y = split.x[start : start + batch_size], split.y[start : start + batch_size]
        inputs, targets = plan.make_batch(x, y, rng)
        loss, outputs = learner.predict(inputs, targets)
        totals["loss"] += loss * len(x)
        for metric, function in plan.metrics.items():
            totals[metric] += function(outputs, *targets) * len(x)
    return {f"{name}_{key}": total / len(split) for key, total in totals.items()}


# ------------------------------------------------------------------------------------------- Checkpoints and logs


def save(learner: Learner, folder: Path, rows: list[Row]) -> None:
    """Write the log, and the checkpoint: the weights, the optimizer's tensors, and the rows so far."""
    write_log(folder, rows)
    checkpoint = {"model": learner.state(), "optimizer": learner.optimizer_state(), "rows": rows}
    serialization.save(checkpoint, folder / CHECKPOINT)


def resume(learner: Learner, plan: Plan, folder: Path) -> list[Row]:
    """Give the learner its optimizer, and all that the folder's checkpoint holds, if there is one; return the rows so far."""
    path = folder / CHECKPOINT
    checkpoint = read_checkpoint(path) if path.exists() else None
    if checkpoint:
        learner.load_state(checkpoint["model"])
    learner.use_optimizer(plan.optimizer, plan.lr, plan.optimizer_options)  # of the parameters that load_state made
    if checkpoint is None:
        return []
    learner.load_optimizer_state(checkpoint["optimizer"])
    return checkpoint["rows"]


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint's "model", "optimizer" and "rows"; DLFSError for a file that is damaged or something else."""
    try:
        checkpoint = serialization.load(path)
    except serialization.UnreadableFile as error:
        raise DLFSError(f"{error}. Delete it to begin anew") from None
    if checkpoint.keys() != {"model", "optimizer", "rows"}:
        raise DLFSError(f"{path} is no checkpoint of `dlfs train`: it holds {', '.join(checkpoint) or 'nothing'}")
    return checkpoint


def write_log(folder: Path, rows: list[Row]) -> None:
    write_atomically(folder / LOG, "".join(json.dumps(row) + "\n" for row in rows))


def read_log(folder: Path) -> list[Row]:
    return [json.loads(line) for line in (folder / LOG).read_text(encoding="utf-8").splitlines()]
