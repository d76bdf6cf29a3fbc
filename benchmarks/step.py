"""One whole training step, engine against PyTorch eager, from the same weights on the same batch; run by `python -m benchmarks step`."""

import importlib
import json
import sys

import numpy as np

import framework
from framework import drop_in

from . import workloads
from .protocol import interleave, ratio_spread


def by_hand(model, batch):
    """The same MLP step by hand in NumPy, from 02_MLP."""
    study = importlib.import_module("02_MLP.study")
    hand = importlib.import_module("02_MLP.numpy.mlp_numpy").MLP(
        study.MLPConfig(in_features=784, hidden_sizes=(256,), num_classes=10)
    )
    hand.load_state_dict({name: value.detach().numpy().copy() for name, value in model.state_dict().items()})
    return lambda: hand.train_step(*batch, lr=0.01)


def sides(name):
    """{side: step} of a workload, with the first loss of each checked to agree."""
    import torch

    torch.manual_seed(0)
    engine = drop_in.load(workloads.__file__)
    theirs = workloads.STEP[name]()
    ours = engine.STEP[name]()
    batch = theirs.batch(np.random.default_rng(0))
    ours.load_state_dict(
        {key: engine.torch.from_numpy(value.numpy().copy()) for key, value in theirs.state_dict().items()}
    )
    steps = {"engine": engine.make_step(ours, batch)}
    if name == "mlp":
        steps["by hand"] = by_hand(theirs, batch)
    steps["pytorch"] = workloads.make_step(theirs, batch)
    if name == "adam":
        fused = workloads.STEP[name]()
        optimizer = torch.optim.Adam(fused.parameters(), lr=1e-3, fused=True)
        for p in fused.parameters():
            p.grad = p.detach() * 0.1
        steps["pytorch fused"] = optimizer.step
        return steps
    losses = {side: float(step()) for side, step in steps.items()}
    for side, loss in losses.items():
        if not abs(loss - losses["pytorch"]) <= 1e-4 * max(1.0, abs(losses["pytorch"])):
            raise RuntimeError(
                f"{name}: the first loss of {side} is {loss}, PyTorch's {losses['pytorch']}: nothing is timed"
            )
    return steps


def measure(name, threads, pairs):
    """The figures of one workload as a dict; run in a process that has the protocol's environment."""
    import torch

    torch.set_num_threads(threads)
    framework.set_num_threads(threads)
    timings = interleave(sides(name), pairs)
    rows = []
    for side, timing in timings.items():
        ratio, low, high = ratio_spread(timing, timings["pytorch"])
        rows.append(
            {
                "side": side,
                "median_ms": 1e3 * timing.median,
                "minimum_ms": 1e3 * timing.minimum,
                "ratio": ratio,
                "low": low,
                "high": high,
            }
        )
    return {"workload": name, "threads": threads, "pairs": pairs, "rows": rows}


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
