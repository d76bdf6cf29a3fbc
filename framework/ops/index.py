"""Indexing: x[i], gather and scatter, embedding. Reading at an index and adding at an index are each other's derivatives."""

import numpy as np

from .. import backend
from ..autograd import Scatter
from ..tensor import Tensor
from .define import op

__all__ = ["embedding"]


def _add_at(buffer, index, g):
    """Add g to buffer[index], in place; an index may name a place more than once."""
    backend.array_module(buffer).add.at(buffer, index, g)


def _spread(g, *, index, shape):
    """Zeros of this shape, with g added at the index."""
    y = np.zeros_like(g, shape=shape)
    _add_at(y, index, g)
    return y


def _read_slope(g, index, x_shape):
    """g at the index, zero elsewhere: on arrays added straight into the gradient that x has so far."""
    return spread(g, index=index, shape=x_shape) if isinstance(g, Tensor) else Scatter(g, index, x_shape, _add_at)


read = op("index", lambda x, *, index: x[index], _read_slope)
spread = op("index_spread", _spread, lambda g, index: read(g, index=index))


def _embedding_slope(g, index, padding_idx, weight_shape):
    if padding_idx is not None:
        g = g * (index != padding_idx)[..., None]
    return _read_slope(g, (index,), weight_shape)


_embedding = op("embedding", lambda weight, *, index, padding_idx: weight[index], _embedding_slope)


def embedding(input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False):
    """The rows of weight (V, D) that input, integers of any shape (…), names: (…, D). The row padding_idx gets no gradient."""
    for name, value in (("max_norm", max_norm), ("scale_grad_by_freq", scale_grad_by_freq), ("sparse", sparse)):
        if value:
            raise NotImplementedError(f"embedding: {name}={value!r} is not supported; leave it out")
    index = input.array
    if index.dtype.kind not in "iu":
        raise RuntimeError(f"embedding: the indices must be integers, got {index.dtype}")
    count = weight.array.shape[0]
    if index.size and (index.min() < 0 or index.max() >= count):
        raise IndexError(
            f"embedding: indices from {index.min()} to {index.max()}, but the weight {tuple(weight.shape)} has rows 0 to {count - 1}"
        )
    if padding_idx is not None:
        if not -count <= padding_idx < count:
            raise RuntimeError(f"embedding: padding_idx={padding_idx} is no row of the weight {tuple(weight.shape)}")
        padding_idx %= count
    return _embedding(weight, index=index, padding_idx=padding_idx)


def one_hot(tensor, num_classes=-1):
    """Integers (…) as 0/1 vectors (…, num_classes), int64; num_classes=-1: one more than the largest."""
    index = tensor.array
    if index.dtype != backend.int64:
        raise RuntimeError(f"one_hot: needs int64 class numbers, got {index.dtype}")
    if not index.size and num_classes < 1:
        raise RuntimeError("one_hot: an empty tensor does not tell the number of classes; give num_classes")
    top = int(index.max()) if index.size else -1
    classes = top + 1 if num_classes == -1 else num_classes
    if index.size and (index.min() < 0 or top >= classes):
        raise RuntimeError(f"one_hot: class numbers from {index.min()} to {top} do not fit into {classes} classes")
    return Tensor((index[..., None] == np.arange(classes, like=index)).astype(backend.int64))
