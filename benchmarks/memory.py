"""The peak of live tensor bytes in one training step, engine against PyTorch; and what checkpoint() saves. Run by `python -m benchmarks memory`."""

import json
import sys
import tracemalloc

import numpy as np

from framework import drop_in
from framework.function import checkpoint

from . import workloads


def engine_peak(step):
    """Peak bytes of NumPy arrays alive during step(), above those alive before it. NumPy reports every array to tracemalloc."""
    step()
    tracemalloc.start()
    tracemalloc.reset_peak()
    baseline, _ = tracemalloc.get_traced_memory()
    step()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak - baseline


def torch_peak(step):
    """Peak bytes of PyTorch's CPU allocator during step(), above those alive before it, summed from its profiler's memory events."""
    import torch

    step()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        step()
    live = peak = 0
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    for event in sorted(events, key=lambda event: event.start_ns()):
        live += event.nbytes()
        peak = max(peak, live)
    return peak


def measure(name):
    """Peak bytes of the step's own tensors, and with the weights and the batch, which both sides hold alike."""
    import torch

    torch.manual_seed(0)
    engine = drop_in.load(workloads.__file__)
    theirs, ours = workloads.MEMORY[name](), engine.MEMORY[name]()
    batch = theirs.batch(np.random.default_rng(0))
    held = sum(p.numel() * 4 for p in theirs.parameters()) + sum(array.nbytes for array in batch)
    engine_bytes = engine_peak(zeroed(engine.make_step(ours, batch), ours))
    torch_bytes = torch_peak(zeroed(workloads.make_step(theirs, batch), theirs))
    return {"workload": name, "held": held, "engine": held + engine_bytes, "pytorch": held + torch_bytes}


def zeroed(step, model):
    """The step with gradients dropped before it, so that they count within it on both sides."""

    def run():
        for p in model.parameters():
            p.grad = None
        return float(step())

    return run


def checkpoint_saving():
    """The 20-layer MLP with and without checkpoint() around each group of five layers, on a batch whose activations outweigh the weights."""
    engine = drop_in.load(workloads.__file__)
    model = engine.DeepMLP()
    rng = np.random.default_rng(0)
    batch = engine.tensors((rng.standard_normal((4096, 256), dtype="float32"), rng.integers(0, 10, 4096)))
    layers = list(model.layers)
    groups = [engine.nn.Sequential(*layers[i : i + 10]) for i in range(0, len(layers), 10)]

    def step(through):
        x = batch[0]
        for group in groups:
            x = through(group, x)
        loss = engine.F.cross_entropy(model.head(x), batch[1])
        loss.backward()
        for p in model.parameters():
            p.grad = None

    return {
        "plain": engine_peak(lambda: step(lambda group, x: group(x))),
        "checkpointed": engine_peak(lambda: step(checkpoint)),
    }


if __name__ == "__main__":
    print(json.dumps(checkpoint_saving() if sys.argv[1] == "checkpoint" else measure(sys.argv[1])))
