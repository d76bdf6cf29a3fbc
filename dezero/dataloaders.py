"""Batches of a data set's examples."""

import math

import numpy as np

from . import cuda


class DataLoader:
    """An iterator over batches (x, t), in a new random order each time round if `shuffle`; with gpu=True as CuPy arrays."""

    def __init__(self, dataset, batch_size, shuffle=True, gpu=False):
        self.dataset, self.batch_size, self.shuffle, self.gpu = dataset, batch_size, shuffle, gpu
        self.data_size = len(dataset)
        self.max_iter = math.ceil(self.data_size / batch_size)
        self.reset()

    def reset(self):
        self.iteration = 0
        self.index = np.random.permutation(self.data_size) if self.shuffle else np.arange(self.data_size)

    def __iter__(self):
        if self.iteration:  # a loop that was left early does not cut the next one short
            self.reset()
        return self

    def __next__(self):
        if self.iteration >= self.max_iter:
            self.reset()
            raise StopIteration
        batch = [self.dataset[i] for i in self._indices()]
        self.iteration += 1
        x, t = (np.array(part) for part in zip(*batch))
        return (cuda.as_cupy(x), cuda.as_cupy(t)) if self.gpu else (x, t)

    def _indices(self):
        start = self.iteration * self.batch_size
        return self.index[start : start + self.batch_size]

    next = __next__

    def to_cpu(self):
        self.gpu = False

    def to_gpu(self):
        self.gpu = True


class SeqDataLoader(DataLoader):
    """Batches for a series: row i of each batch goes on where row i of the one before stopped; the rows start evenly spread."""

    def __init__(self, dataset, batch_size, gpu=False):
        super().__init__(dataset, batch_size, shuffle=False, gpu=gpu)

    def _indices(self):
        jump = self.data_size // self.batch_size
        return [(i * jump + self.iteration) % self.data_size for i in range(self.batch_size)]
