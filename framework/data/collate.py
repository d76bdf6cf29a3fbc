"""Samples into a batch: PyTorch's default_collate and default_convert."""

import copy
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence

import numpy as np

from .. import backend
from ..tensor import Tensor
from .dataset import StackedSamples


def _tensor(array):
    if array.dtype.kind not in "biuf":
        raise TypeError(f"default_collate: arrays of dtype {array.dtype} make no tensor; pass a collate_fn of your own")
    return Tensor(array)


def _stack(arrays):
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        raise RuntimeError(
            f"default_collate: samples of one batch should have equal shapes, got {', '.join(map(str, sorted(shapes)))}; "
            "pad or crop them, or pass a collate_fn of your own"
        )
    if all(isinstance(array, np.ndarray) for array in arrays):
        return np.stack(arrays)
    return backend.array_module(arrays[0]).stack(arrays)


def _rebuild(kind, values):
    """A container like the samples' own, holding the collated values."""
    try:
        if isinstance(kind, MutableMapping):
            clone = copy.copy(kind)
            clone.update(values)
        elif isinstance(kind, MutableSequence):
            clone = copy.copy(kind)
            for i, value in enumerate(values):
                clone[i] = value
        else:
            clone = type(kind)(values)
        return clone
    except TypeError:  # it cannot be copied or built that way (range, for one)
        return values


def default_collate(batch):
    """Put samples into a batch with a new first dimension.

    Tensors, arrays, NumPy scalars, int (→ int64), float (→ float64) and bool become one Tensor (N, …); strings and bytes stay a list;
    mappings, named tuples and sequences are collated element by element (a tuple gives a list).
    RuntimeError for samples of different shapes or lengths, TypeError for what cannot be a tensor.
    """
    if isinstance(batch, StackedSamples):
        return [column if isinstance(column, Tensor) else _tensor(np.asarray(column)) for column in batch.columns]
    first = batch[0]
    if isinstance(first, Tensor):
        return Tensor(_stack([sample.array for sample in batch]))
    if isinstance(first, np.ndarray):
        return _tensor(_stack(batch))
    if isinstance(first, np.bool_ | np.number):
        return _tensor(np.asarray(batch))
    if isinstance(first, float):
        return Tensor(np.array(batch, np.float64))
    if isinstance(first, int):
        array = np.array(batch)
        return _tensor(array.astype(backend.get_default_dtype()) if array.dtype.kind == "f" else array)
    if isinstance(first, str | bytes):
        return batch
    if isinstance(first, Mapping):
        return _rebuild(first, {key: default_collate([sample[key] for sample in batch]) for key in first})
    if isinstance(first, Sequence):
        if len({len(sample) for sample in batch}) > 1:
            raise RuntimeError("default_collate: each element in list of batch should be of equal size")
        columns = [default_collate(column) for column in zip(*batch)]
        if hasattr(first, "_fields"):  # a named tuple
            return type(first)(*columns)
        return columns if isinstance(first, tuple) else _rebuild(first, columns)
    raise TypeError(
        f"default_collate: batches hold tensors, arrays, numbers, strings, mappings or sequences, not {type(first).__name__}; "
        "pass a collate_fn of your own"
    )


def default_convert(data):
    """Arrays and NumPy scalars within the data become Tensors; everything else stays: what is done where batching is off."""
    if isinstance(data, np.ndarray | np.bool_ | np.number):
        array = np.asarray(data)
        return Tensor(array) if array.dtype.kind in "biuf" else data
    if isinstance(data, Mapping):
        return _rebuild(data, {key: default_convert(value) for key, value in data.items()})
    if hasattr(data, "_fields") and isinstance(data, tuple):
        return type(data)(*(default_convert(value) for value in data))
    if isinstance(data, tuple):
        return [default_convert(value) for value in data]
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        return _rebuild(data, [default_convert(value) for value in data])
    return data
