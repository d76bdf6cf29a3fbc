"""In which order samples are visited: PyTorch's samplers. Each yields indices, a batch sampler lists of them."""

import itertools
import math
import os

import numpy as np

from .. import backend
from .randomness import draw_seed, private_generator


def _positive_integer(name, value):
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ValueError(f"{name} should be a positive integer, got {value!r}")


def _boolean(name, value):
    if not isinstance(value, bool):
        raise TypeError(f"{name} should be a boolean, got {value!r}")


class Sampler:
    """Base class: `__iter__` yields indices (or lists of them), `__len__`, where there is one, says how many."""

    def __iter__(self):
        raise NotImplementedError(f"{type(self).__name__}: a sampler needs __iter__, which yields indices")


class SequentialSampler(Sampler):
    """0, 1, …, len(data_source) - 1."""

    def __init__(self, data_source):
        self.data_source = data_source

    def __iter__(self):
        return iter(range(len(self.data_source)))

    def __len__(self):
        return len(self.data_source)


class RandomSampler(Sampler):
    """A new permutation each time, cut or repeated to num_samples; with replacement, independent draws."""

    def __init__(self, data_source, replacement=False, num_samples=None, generator=None):
        _boolean("RandomSampler: replacement", replacement)
        self.data_source, self.replacement, self.generator = data_source, replacement, generator
        self._num_samples = num_samples
        _positive_integer("RandomSampler: num_samples", self.num_samples)

    @property
    def num_samples(self):
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self):
        n, left = len(self.data_source), self.num_samples
        rng = private_generator(draw_seed()) if self.generator is None else backend.random(self.generator)
        while left > 0:  # blocks, so that a huge num_samples takes no memory
            block = rng.integers(n, size=min(left, 4096)) if self.replacement else rng.permutation(n)[:left]
            yield from block.tolist()
            left -= len(block)

    def __len__(self):
        return self.num_samples


class SubsetRandomSampler(Sampler):
    """The given indices, in a new random order each time."""

    def __init__(self, indices, generator=None):
        self.indices, self.generator = indices, generator

    def __iter__(self):
        for i in backend.random(self.generator).permutation(len(self.indices)).tolist():
            yield self.indices[i]

    def __len__(self):
        return len(self.indices)


class WeightedRandomSampler(Sampler):
    """num_samples draws in which index i comes with probability weights[i] / sum(weights), as torch.multinomial."""

    def __init__(self, weights, num_samples, replacement=True, generator=None):
        _positive_integer("WeightedRandomSampler: num_samples", num_samples)
        _boolean("WeightedRandomSampler: replacement", replacement)
        self.weights = np.asarray(weights, np.float64)
        if self.weights.ndim != 1:
            raise ValueError(
                f"WeightedRandomSampler: weights should have one dimension, got shape {self.weights.shape}"
            )
        if not np.isfinite(self.weights).all() or (self.weights < 0).any() or not self.weights.any():
            raise ValueError("WeightedRandomSampler: weights should be finite, not negative, and not all zero")
        if not replacement and num_samples > np.count_nonzero(self.weights):
            raise ValueError(
                f"WeightedRandomSampler: cannot draw {num_samples} samples without replacement from "
                f"{np.count_nonzero(self.weights)} non-zero weights"
            )
        self.num_samples, self.replacement, self.generator = num_samples, replacement, generator

    def __iter__(self):
        rng = backend.random(self.generator)
        if self.replacement:
            cumulative = np.cumsum(self.weights)
            drawn = cumulative.searchsorted(rng.random(self.num_samples) * cumulative[-1], side="right")
            drawn = np.minimum(drawn, self.weights.nonzero()[0][-1])
        else:  # exponential clocks with these rates ring in the order of successive draws
            with np.errstate(divide="ignore"):
                times = rng.exponential(size=len(self.weights)) / self.weights
            drawn = times.argsort()[: self.num_samples]
        yield from drawn.tolist()

    def __len__(self):
        return self.num_samples


class BatchSampler(Sampler):
    """Lists of batch_size successive indices of a sampler; the last may be shorter, or is dropped."""

    def __init__(self, sampler, batch_size, drop_last):
        _positive_integer("BatchSampler: batch_size", batch_size)
        _boolean("BatchSampler: drop_last", drop_last)
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __iter__(self):
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, self.batch_size)):
            if self.drop_last and len(batch) < self.batch_size:
                return
            yield batch

    def __len__(self):
        whole, rest = divmod(len(self.sampler), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)


class DistributedSampler(Sampler):
    """This process's share of the indices: every num_replicas-th of an order that all ranks agree on by seed + epoch.

    Each rank gets equally many: the first indices are repeated, or with drop_last the last ones left out. Call
    `set_epoch(epoch)` before each epoch, else the order never changes. num_replicas and rank default to what torchrun
    puts into the environment (WORLD_SIZE, RANK).
    """

    def __init__(self, dataset, num_replicas=None, rank=None, shuffle=True, seed=0, drop_last=False):
        if num_replicas is None or rank is None:
            missing = [name for name in ("WORLD_SIZE", "RANK") if name not in os.environ]
            if missing:
                raise RuntimeError(
                    f"DistributedSampler: {' and '.join(missing)} not in the environment; start with torchrun, or pass num_replicas and rank"
                )
        num_replicas = int(os.environ["WORLD_SIZE"]) if num_replicas is None else num_replicas
        rank = int(os.environ["RANK"]) if rank is None else rank
        if not 0 <= rank < num_replicas:
            raise ValueError(f"DistributedSampler: rank {rank} should be in the interval [0, {num_replicas - 1}]")
        self.dataset, self.num_replicas, self.rank = dataset, num_replicas, rank
        self.shuffle, self.seed, self.drop_last, self.epoch = shuffle, seed, drop_last, 0
        n = len(dataset)
        self.num_samples = n // num_replicas if drop_last else math.ceil(n / num_replicas)
        self.total_size = self.num_samples * num_replicas

    def __iter__(self):
        n = len(self.dataset)
        order = private_generator(self.seed + self.epoch).permutation(n) if self.shuffle else np.arange(n)
        order = np.resize(order, self.total_size)  # cuts, or repeats from the front
        return iter(order[self.rank :: self.num_replicas].tolist())

    def __len__(self):
        return self.num_samples

    def set_epoch(self, epoch):
        self.epoch = epoch
