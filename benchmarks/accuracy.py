"""Accuracy beside speed: the same training on the engine, PyTorch and TensorFlow; `python -m benchmarks accuracy`.

The data are scikit-learn's real digits, enlarged to 28×28: 1,297 to train on, 250 to test. Every side starts from the same weights and
sees the same batches in the same order, with plain SGD. The clock runs in training alone; what TensorFlow takes to trace its graph is in its
first epoch.
"""

import os
import random
import statistics
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from .peers import FOLDER
from .processes import Failed, Process, write_workload

SIDES = ("engine", "pytorch", "tensorflow")
# name: (the workload, what one image is to it, lr, epochs, the accuracy to reach)
TRAININGS = {
    "mlp": ("mlp", (784,), 0.1, 20, 0.95),
    "lenet": ("lenet", (1, 28, 28), 0.1, 20, 0.95),
    "lstm": ("lstm features=28", (28, 28), 0.5, 30, 0.95),
}
BATCH_SIZE = 32


def digits(shape):
    """x_train, y_train, x_test, y_test: every 8×8 digit three times as large, on a margin of two, and about zero."""
    from utils.data_loaders import load

    arrays = {}
    for split in ("train", "test"):
        part = getattr(load("digits"), split)
        x, y = part.x, part.y
        x = np.pad(x.repeat(3, axis=2).repeat(3, axis=3), ((0, 0), (0, 0), (2, 2), (2, 2))) - np.float32(0.3)
        arrays |= {f"x_{split}": x.reshape(len(x), *shape), f"y_{split}": y}
    return arrays


@contextmanager
def learning_rate(lr):
    """What the sides' processes read as their rate."""
    os.environ["BENCHMARK_LR"] = str(lr)
    try:
        yield
    finally:
        del os.environ["BENCHMARK_LR"]


def measure(name, sides, threads, seeds=3, epochs=None, folder=FOLDER):
    """{side: [what each seed's training gave, epoch by epoch]}."""
    workload, shape, lr, usual_epochs, _ = TRAININGS[name]
    runs = {side: [] for side in sides}
    with tempfile.TemporaryDirectory() as temporary, learning_rate(lr):
        data, weights = Path(temporary) / "data.npz", Path(temporary) / "weights.npz"
        np.savez(data, **digits(shape))
        for seed in range(seeds):
            write_workload(workload, weights, seed)
            for side in random.Random(seed).sample(list(sides), len(sides)):
                process = Process(side, weights, threads, folder)
                try:
                    process.answer(600)
                    order = {
                        "path": str(data),
                        "epochs": epochs or usual_epochs,
                        "batch_size": BATCH_SIZE,
                        "seed": seed,
                    }
                    runs[side].append(process.ask(600, train=order)["epochs"])
                except Failed as failure:
                    raise RuntimeError(f"{name} on {side}: {failure}") from None
                finally:
                    process.close()
    return runs


def summary(runs, goal):
    """{side: figures}: accuracy after the last epoch, seconds to the goal and seconds an epoch, as lists over the seeds."""
    found = {}
    for side, seeds in runs.items():
        found[side] = {
            "accuracy": [rows[-1]["accuracy"] for rows in seeds],
            "seconds_to_goal": [
                next((row["seconds"] for row in rows if row["accuracy"] >= goal), None) for rows in seeds
            ],
            "epoch_seconds": [statistics.median(np.diff([row["seconds"] for row in rows])) for rows in seeds],
        }
    return found
