"""Images per second of the DataLoader with crop, flip and normalise, beside torch's with torchvision's transforms: `python -m benchmarks data`."""

import json
import os
import sys
import time

import numpy as np

from . import protocol

BATCH_SIZE, EPOCH = 128, 12_800  # images
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


def pictures():
    """CIFAR-10's training images (N, 32, 32, 3) and labels, where DLFS_DATA has them; else noise of the same shape."""
    from torchvision.datasets import CIFAR10

    try:
        dataset = CIFAR10(os.environ["DLFS_DATA"], train=True)
        return dataset.data, np.array(dataset.targets), "CIFAR-10"
    except (KeyError, RuntimeError):
        rng = np.random.default_rng(0)
        return (
            rng.integers(0, 256, (50_000, 32, 32, 3), np.uint8),
            rng.integers(0, 10, 50_000),
            "noise of CIFAR-10's shape",
        )


def our_loader(images, labels, workers, batched):
    from framework import data
    from framework.data import transforms as T

    steps = [
        T.RandomCrop(32, padding=4),
        T.RandomHorizontalFlip(),
        T.ToDtype(np.float32, scale=True),
        T.Normalize(MEAN, STD),
    ]
    dataset = data.ImageDataset(np.ascontiguousarray(np.moveaxis(images, -1, 1)), labels, T.Compose(steps))
    if not batched:
        dataset.__getitems__ = None  # what a dataset is that knows single images only
    return data.DataLoader(dataset, BATCH_SIZE, shuffle=True, num_workers=workers, persistent_workers=workers > 0)


def torch_loader(images, labels, workers, steps, as_image):
    import torch.utils.data

    class Pictures(torch.utils.data.Dataset):
        def __init__(self):
            self.images = [as_image(image) for image in images]

        def __len__(self):
            return len(self.images)

        def __getitem__(self, index):
            image = self.images[index]
            for step in steps:
                image = step(image)
            return image, labels[index]

    return torch.utils.data.DataLoader(
        Pictures(), BATCH_SIZE, shuffle=True, num_workers=workers, persistent_workers=workers > 0
    )


def loaders(workers):
    """{side: loader} over the same images, and what these are."""
    import torch
    from PIL import Image
    from torchvision import transforms as v1
    from torchvision.transforms import v2

    torch.set_num_threads(1)
    images, labels, source = pictures()
    images, labels = images[:EPOCH], labels[:EPOCH]
    usual = [v1.RandomCrop(32, padding=4), v1.RandomHorizontalFlip(), v1.ToTensor(), v1.Normalize(MEAN, STD)]
    newer = [
        v2.RandomCrop(32, padding=4),
        v2.RandomHorizontalFlip(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(MEAN, STD),
    ]
    sides = {
        "engine": our_loader(images, labels, workers, batched=True),
        "engine, image by image": our_loader(images, labels, workers, batched=False),
        "torch, PIL images": torch_loader(images, labels, workers, usual, Image.fromarray),
        "torch, uint8 tensors, v2": torch_loader(
            images, labels, workers, newer, lambda image: torch.from_numpy(image).permute(2, 0, 1).contiguous()
        ),
    }
    return sides, source


def measure(workers, epochs=7):
    """Images per second of every side, the sides interleaved epoch by epoch."""
    sides, source = loaders(workers)
    seconds = {name: [] for name in sides}
    for loader in sides.values():
        sum(1 for _ in loader)  # starts the workers
    for _ in range(epochs):
        for name, loader in sides.items():
            time.sleep(0.05)
            start = time.perf_counter()
            batches = sum(1 for _ in loader)
            seconds[name].append(time.perf_counter() - start)
            assert batches == EPOCH // BATCH_SIZE
    return {
        "workers": workers,
        "images": source,
        "rates": {name: [EPOCH / s for s in times] for name, times in seconds.items()},
    }


def main(workers):
    from rich.console import Console
    from rich.table import Table

    console = Console()
    results = [
        json.loads(protocol.in_a_process("benchmarks.data_loading", count, threads=1)) for count in sorted({0, workers})
    ]
    table = Table(title=f"Crop, flip, normalise and collate {results[0]['images']}: images per second")
    for heading in ("workers", "side", "median", "best", "engine / side"):
        table.add_column(heading, justify="left" if heading == "side" else "right")
    for result in results:
        medians = {name: float(np.median(rates)) for name, rates in result["rates"].items()}
        for name, rates in result["rates"].items():
            figures = f"{medians[name]:,.0f}", f"{max(rates):,.0f}", f"{medians['engine'] / medians[name]:.1f}"
            table.add_row(str(result["workers"]), name, *figures, end_section=name == list(medians)[-1])
    console.print(table)
    console.print(protocol.machine(), style="dim")


if __name__ == "__main__":
    print(json.dumps(measure(*map(int, sys.argv[1:]))))
