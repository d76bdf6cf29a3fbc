"""The models by hand against their own level 3 under PyTorch eager, as `dlfs train` steps them; run by `python -m benchmarks by-hand`.

The files measured are the models' own. A side's step is the recipe's: forward, backward and its optimizer.
"""

import dataclasses
import json
import sys

import numpy as np

from dlfs.commands.train import make_plan
from dlfs.levels import build_level, initial_level
from dlfs.studies import find_study

from .protocol import interleave, ratio_spread

# name: (the model, its recipe, the shape of the images or waves, how many examples an epoch has, or None)
WORKLOADS = {
    "vae": ("11", "mnist", (1, 28, 28), 55_000),
    "lstm": ("06", "sine", (50, 1), 1_000),
    "lenet": ("03", "mnist", (1, 28, 28), 55_000),
}


def sides(name):
    """{side: step} of a workload, with the first loss of each checked to agree; and the batches in an epoch."""
    number, recipe_name, shape, examples = WORKLOADS[name]
    study = find_study(number)
    _, recipe = study.recipe(recipe_name)
    run = {"seed": 0, "augment": False, **{key: recipe[key] for key in ("epochs", "batch_size", "lr", "optimizer")}}
    plan, rng = make_plan(study, run, recipe), np.random.default_rng(0)
    x = rng.random((plan.batch_size, *shape), dtype=np.float32)
    y = x if name == "lstm" else rng.integers(0, 10, plan.batch_size)
    batch = plan.make_batch(x, y, rng)
    start = initial_level(study, recipe["config"], 0).state()
    kinds = {"by hand": ("by-hand", recipe["config"]), "pytorch": ("paper", recipe["config"])}
    if name == "lstm":
        kinds["nn.LSTM"] = "paper", dataclasses.replace(recipe["config"], fused=True)
    steps = {}
    for side, (level_name, config) in kinds.items():
        level = build_level(study, level_name, config)
        level.load_state(start)
        level.use_optimizer(plan.optimizer, plan.lr, plan.optimizer_options)
        steps[side] = lambda level=level: level.step(*batch)
    losses = {side: step() for side, step in steps.items()}
    if not np.ptp(list(losses.values())) <= 1e-4 * max(1.0, abs(losses["pytorch"])):  # NaN is refused too
        raise RuntimeError(f"{name}: the first losses are {losses}: nothing is timed")
    return steps, examples / plan.batch_size


def measure(name, threads, pairs):
    """The figures of one workload as a dict; run in a process that has the protocol's environment."""
    import torch

    torch.set_num_threads(threads)
    steps, batches = sides(name)
    timings = interleave(steps, pairs)
    rows = []
    for side, timing in timings.items():
        ratio, low, high = ratio_spread(timing, timings["pytorch"])
        figures = {"median_ms": 1e3 * timing.median, "epoch_s": batches * timing.median}
        rows.append({"side": side, **figures, "ratio": ratio, "low": low, "high": high})
    return {"workload": name, "threads": threads, "pairs": pairs, "rows": rows}


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
