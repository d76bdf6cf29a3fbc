"""In which order samples are visited: PyTorch's samplers. Each yields indices, a batch sampler lists of them."""

import itertools
from types import GenericAlias

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

    __class_getitem__ = classmethod(GenericAlias)  # Sampler[int], in annotations

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
