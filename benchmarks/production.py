"""A model's level 3 against its production twin: whole training steps from the same weights on the same batch; run by `python -m benchmarks production`."""

import json
import sys

import numpy as np

from dlfs.convert import named_configs
from dlfs.levels import build_level
from dlfs.studies import find_study

from .protocol import interleave, ratio_spread


def images(config, rng):
    """Sixteen images of 64 x 64, and their classes."""
    x = rng.standard_normal((16, config.in_channels, 64, 64), dtype="float32")
    return (x,), (rng.integers(0, config.num_classes, 16),)


def texts(config, rng):
    """Twelve texts as long as the config reads them, and the tokens that follow."""
    tokens = rng.integers(0, config.vocab_size, (12, config.block_size + 1))
    return (tokens[:, :-1],), (tokens[:, 1:],)


# name: the model, its config by the name that study.py gives it, and the batch
WORKLOADS = {"resnet18": ("05", "resnet18", images), "gpt": ("09", "shakespeare", texts)}


def sides(name):
    """{side: step} of a workload, with the first loss of each checked to agree."""
    number, variant, make_batch = WORKLOADS[name]
    study = find_study(number)
    config = named_configs(study)[variant]
    levels = {side: build_level(study, level, config) for side, level in (("ours", "paper"), ("twin", "twin"))}
    inputs, targets = make_batch(config, np.random.default_rng(0))
    state, losses = levels["ours"].state(), {}
    for side, level in levels.items():
        level.load_state(state)
        level.use_optimizer("sgd", 0.01, {"momentum": 0.9})
        losses[side] = level.step(inputs, targets)
    if not abs(losses["ours"] - losses["twin"]) <= 1e-4 * abs(losses["twin"]):
        raise RuntimeError(f"{name}: the first losses are {losses}: nothing is timed")
    return {side: lambda level=level: level.step(inputs, targets) for side, level in levels.items()}


def measure(name, threads, pairs):
    """The figures of one workload as a dict; run in a process that has the protocol's environment."""
    import torch

    torch.set_num_threads(threads)
    timings = interleave(sides(name), pairs)
    ratio, low, high = ratio_spread(timings["ours"], timings["twin"])
    milliseconds = {side: 1e3 * timing.median for side, timing in timings.items()}
    return {
        "workload": name,
        "threads": threads,
        "pairs": pairs,
        **milliseconds,
        "ratio": ratio,
        "low": low,
        "high": high,
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
