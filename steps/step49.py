"""Step 49 · Dataset, and preparing data.

New: `Dataset`, with an example by its index; transforms on the way out.
Why: a list of arrays in memory is one way to hold data, and not one for a million pictures. The training loop needs only `len` and an
index; behind them the example may be read from a file when asked for. A transform prepares it: flattened, scaled, mirrored.
In the engine: framework/data/dataset.py and framework/data/transforms.
"""

import numpy as np

import dezero
from dezero import transforms


class Dataset:
    def __init__(self, train=True, transform=None, target_transform=None):
        self.train = train
        self.transform = transform or (lambda x: x)
        self.target_transform = target_transform or (lambda t: t)
        self.prepare()

    def __getitem__(self, index):
        return self.transform(self.data[index]), self.target_transform(self.label[index])

    def __len__(self):
        return len(self.data)


class Spiral(Dataset):
    def prepare(self):
        self.data, self.label = dezero.datasets.get_spiral(self.train)


class Squares(Dataset):
    """Examples that are not in memory at all: computed when asked for."""

    def prepare(self):
        pass

    def __getitem__(self, index):
        return index, index**2

    def __len__(self):
        return 10**9


if __name__ == "__main__":
    ours, package = Spiral(), dezero.datasets.Spiral()
    assert len(ours) == len(package) == 300
    assert all(
        np.array_equal(a[0], b[0]) and a[1] == b[1]
        for a, b in zip(map(ours.__getitem__, range(300)), map(package.__getitem__, range(300)))
    )
    print("a spiral's example:", ours[0])
    print(f"one of {len(Squares()):,} squares:", Squares()[12345])

    halve = transforms.Compose([transforms.Normalize(mean=0.0, std=2.0), transforms.AsType(np.float64)])
    x, _ = Spiral(transform=halve)[0]
    print("halved by a transform:", x)
    assert np.allclose(x * 2, ours[0][0]) and x.dtype == np.float64
