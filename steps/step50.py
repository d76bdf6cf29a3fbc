"""Step 50 · DataLoader.

New: `DataLoader`, an iterator that yields batches in a new order each time round; and the accuracy.
Why: step 48's loop had six lines for batches, in each program again. Python's protocol for it is `__iter__` and `__next__`, so a loader
stands in a `for`. StopIteration ends the epoch, and shuffles for the next.
In the engine: framework/data/dataloader.py, which can also read with several processes at once.
"""

import math

import numpy as np

import dezero
import dezero.functions as F
from dezero import optimizers
from dezero.datasets import Spiral
from dezero.models import MLP


class DataLoader:
    def __init__(self, dataset, batch_size, shuffle=True):
        self.dataset, self.batch_size, self.shuffle = dataset, batch_size, shuffle
        self.max_iter = math.ceil(len(dataset) / batch_size)
        self.reset()

    def reset(self):
        self.iteration = 0
        n = len(self.dataset)
        self.index = np.random.permutation(n) if self.shuffle else np.arange(n)

    def __iter__(self):
        return self

    def __next__(self):
        if self.iteration >= self.max_iter:
            self.reset()
            raise StopIteration
        start = self.iteration * self.batch_size
        batch = [self.dataset[i] for i in self.index[start : start + self.batch_size]]
        self.iteration += 1
        return np.array([x for x, _ in batch]), np.array([t for _, t in batch])


def batches(loader_class):
    np.random.seed(0)
    loader = loader_class(Spiral(), 32)
    return [batch for _ in range(2) for batch in loader]


if __name__ == "__main__":
    ours, package = batches(DataLoader), batches(dezero.DataLoader)
    assert len(ours) == len(package) == 20
    assert all(np.array_equal(a, b) for one, other in zip(ours, package) for a, b in zip(one, other))

    np.random.seed(0)
    model = MLP((20, 3), activation=F.tanh)
    optimizer = optimizers.Adam(0.05).setup(model)
    train_loader, test_loader = DataLoader(Spiral(), 30), DataLoader(Spiral(train=False), 30, shuffle=False)
    for epoch in range(30):
        for x, t in train_loader:
            loss = F.softmax_cross_entropy(model(x), t)
            model.cleargrads()
            loss.backward()
            optimizer.update()
        if epoch % 10 == 9:
            with dezero.no_grad():
                accuracy = np.mean([float(F.accuracy(model(x), t).data) for x, t in test_loader])
            print(f"epoch {epoch + 1}: accuracy on the test set {accuracy:.1%}")
    assert accuracy > 0.8
