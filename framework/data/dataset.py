"""What holds the samples: PyTorch's datasets."""

import bisect
import itertools
import math
import warnings
from collections.abc import Sequence
from types import GenericAlias

import numpy as np

from .. import backend


class Dataset:
    """Base class of datasets with `__getitem__(index)`, and `__len__` for the samplers that need it.

    A dataset that fetches many samples faster than one by one adds `__getitems__(indices)`, which returns the list of samples, or
    `StackedSamples`.
    """

    __class_getitem__ = classmethod(GenericAlias)  # Dataset[…], in annotations

    def __getitem__(self, index):
        raise NotImplementedError(
            f"{type(self).__name__}: a dataset needs __getitem__(index), which returns one sample"
        )

    def __add__(self, other):
        return ConcatDataset([self, other])


class IterableDataset(Dataset):
    """Base class of streams: `__iter__` yields samples.

    With several workers each iterates a copy of its own: `get_worker_info()` tells it which share to yield.
    """

    def __iter__(self):
        raise NotImplementedError(f"{type(self).__name__}: an iterable dataset needs __iter__, which yields samples")


class StackedSamples(Sequence):
    """Samples held as columns, arrays or tensors of shape (N, …): to any collate_fn a list of N tuples, to `default_collate` already a batch."""

    def __init__(self, *columns):
        self.columns = columns

    def __len__(self):
        return len(self.columns[0])

    def __getitem__(self, index):
        if isinstance(index, slice):
            return StackedSamples(*(column[index] for column in self.columns))
        return tuple(column[index] for column in self.columns)


def _same_length(owner, columns):
    lengths = [len(column) for column in columns]
    if not lengths or len(set(lengths)) > 1:
        raise ValueError(f"{owner}: size mismatch between tensors: {', '.join(map(str, lengths)) or 'none given'}")


class TensorDataset(Dataset):
    """Sample i is (tensors[0][i], tensors[1][i], …)."""

    def __init__(self, *tensors):
        _same_length("TensorDataset", tensors)
        self.tensors = tensors

    def __getitem__(self, index):
        return tuple(tensor[index] for tensor in self.tensors)

    def __getitems__(self, indices):
        return StackedSamples(*(tensor[indices] for tensor in self.tensors))

    def __len__(self):
        return len(self.tensors[0])


class ImageDataset(Dataset):
    """Images in memory with their labels: sample i is (transform(images[i]), labels[i]).

    images: an array (N, C, H, W), uint8 as a rule; labels: an array (N, …). A batch is fetched at once, by the transform's `batch`.
    """

    def __init__(self, images, labels, transform=None):
        _same_length("ImageDataset", (images, labels))
        self.images, self.labels, self.transform = images, np.asarray(labels), transform

    def __getitem__(self, index):
        image = self.images[index]
        return (self.transform(image) if self.transform else image), self.labels[index]

    def __getitems__(self, indices):
        if self.transform and not hasattr(self.transform, "batch"):
            return [self[index] for index in indices]
        images = self.images[indices]
        return StackedSamples(self.transform.batch(images) if self.transform else images, self.labels[indices])

    def __len__(self):
        return len(self.images)


class ConcatDataset(Dataset):
    """Several datasets, one after the other."""

    def __init__(self, datasets):
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("ConcatDataset: datasets should not be empty")
        if any(isinstance(dataset, IterableDataset) for dataset in self.datasets):
            raise ValueError("ConcatDataset: does not support IterableDataset, which has no index")
        self.cumulative_sizes = list(itertools.accumulate(len(dataset) for dataset in self.datasets))

    def __len__(self):
        return self.cumulative_sizes[-1]

    def __getitem__(self, index):
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(f"ConcatDataset: index {index} is out of range for {len(self)} samples")
        which = bisect.bisect_right(self.cumulative_sizes, position)
        return self.datasets[which][position - (self.cumulative_sizes[which - 1] if which else 0)]


class Subset(Dataset):
    """The samples of a dataset at the given indices."""

    def __init__(self, dataset, indices):
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, index):
        return self.dataset[self.indices[index]]

    def __getitems__(self, indices):
        if type(self).__getitem__ is not Subset.__getitem__:  # a subclass that changes a sample changes all of them
            return [self[index] for index in indices]
        indices = [self.indices[index] for index in indices]
        if hasattr(self.dataset, "__getitems__"):
            return self.dataset.__getitems__(indices)
        return [self.dataset[index] for index in indices]

    def __len__(self):
        return len(self.indices)


def random_split(dataset, lengths, generator=None):
    """Split a dataset at random into Subsets of the given lengths, or of fractions of it that sum to 1.

    A fraction's length is rounded down; what is left goes one by one to the first parts. ValueError where the lengths do not sum to len(dataset).
    """
    n = len(dataset)
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        if any(not 0 <= fraction <= 1 for fraction in lengths):
            raise ValueError(f"random_split: fractions should be between 0 and 1, got {list(lengths)}")
        lengths = [math.floor(n * fraction) for fraction in lengths]
        for i in range(n - sum(lengths)):
            lengths[i % len(lengths)] += 1
        for i, length in enumerate(lengths):
            if length == 0:
                warnings.warn(f"random_split: split {i} has length 0, an empty dataset", stacklevel=2)
    if sum(lengths) != n:
        raise ValueError(
            f"random_split: the lengths {list(lengths)} sum to {sum(lengths)}, the dataset has {n} samples"
        )
    order = backend.random(generator).permutation(n).tolist()
    return [Subset(dataset, order[end - length : end]) for end, length in zip(itertools.accumulate(lengths), lengths)]
