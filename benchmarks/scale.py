"""How a step's time and memory grow with the batch, the width, the length and the depth, and loading with workers: `python -m benchmarks scale`."""

import json

import numpy as np

from . import everything, protocol

SIDES = ("engine", "pytorch")
# what grows: (what the picture says, the workload, the sizes)
SCALES = {
    "batch": ("CIFAR-10 CNN: images in a batch", "cifar-cnn batch_size={}", (8, 32, 128, 512)),
    "width": ("MLP, batch 128: units of the hidden layer", "mlp width={}", (64, 256, 1024, 4096)),
    "length": ("GPT, batch 12: length of the sequence", "gpt length={}", (16, 32, 64, 128, 256)),
    "depth": ("MLP of 256 units, batch 256: layers", "deep-mlp depth={}", (5, 10, 20, 40, 80)),
}
WORKERS = (0, 1, 2, 4)


def measure(what, threads, settings):
    """[{"size": …, side: {"step": …, "tensors": …}}] for every size of what grows."""
    _, workload, sizes = SCALES[what]
    kinds = ("step",)
    return [
        {"size": size, **everything.measure(workload.format(size), SIDES, threads, settings, kinds=kinds)}
        for size in sizes
    ]


def loading(quick=False):
    """[{"workers": …, side: images a second}] of the engine's DataLoader and of torch's, on CIFAR-10's images or such noise."""
    rows = []
    for count in WORKERS[::2] if quick else WORKERS:
        found = json.loads(protocol.in_a_process("benchmarks.data_loading", count, 1 if quick else 3, threads=1))
        rates = {side: float(np.median(rate)) for side, rate in found["rates"].items()}
        rows.append({"workers": count, "engine": rates["engine"], "pytorch": rates["torch, uint8 tensors, v2"]})
    return rows
