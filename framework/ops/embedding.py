"""Rows of a table, looked up by their numbers: one each, or the sum, mean or maximum of a bag of them."""

import numpy as np

from .. import backend
from ..autograd import no_grad
from ..tensor import Tensor
from .creation import full, zeros
from .define import op
from .elementwise import where
from .gather import _check_integer, _check_range, index_add
from .index import read_slope
from .shape import cat

__all__ = []  # torch.nn.functional's names: embedding, embedding_bag


def _slope(g, indices, padding_idx, counts, weight_shape):
    if padding_idx is not None:
        g = g * (indices != padding_idx).reshape((*indices.shape, 1))
    if counts is not None:
        g = g / counts[..., None]
    return read_slope(g, (indices,), None, (True,) + (False,) * (len(weight_shape) - 1), weight_shape)


_embedding = op("embedding", lambda weight, indices, *, padding_idx, counts: weight[indices], backward=_slope)


def embedding(input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False):
    """The rows of weight (V, D) that input, integers of any shape (…), names: (…, D). The row padding_idx gets no gradient.

    max_norm: rows that are looked up and longer, in the norm of norm_type, are first shortened to it, in the weight itself.
    scale_grad_by_freq: a row's gradient is divided by the number of times it was looked up.
    """
    if sparse:
        raise NotImplementedError("embedding: sparse=True is not supported; gradients are dense")
    _check_integer("embedding", input)
    count = weight.shape[0]
    _check_range("embedding", input, count, IndexError)
    if padding_idx is not None:
        if not -count <= padding_idx < count:
            raise RuntimeError(f"embedding: padding_idx={padding_idx} is no row of the weight {tuple(weight.shape)}")
        padding_idx %= count
    if max_norm is not None:
        _shorten(weight, input.array, max_norm, norm_type)
    counts = None
    if scale_grad_by_freq:
        flat = input.array.reshape(-1)
        counts = backend.array_module(flat).bincount(flat, minlength=count)[input.array].astype(weight.dtype)
    return _embedding(weight, input, padding_idx=padding_idx, counts=counts)


def _shorten(weight, indices, max_norm, norm_type):
    """Scale, in place, the rows that are looked up down to max_norm."""
    rows = backend.array_module(indices).unique(indices)
    values = weight.array.copy()
    norms = (abs(values[rows]) ** norm_type).sum(axis=-1) ** (1 / norm_type)
    long = norms > max_norm
    values[rows[long]] *= (max_norm / (norms[long] + 1e-7))[:, None].astype(values.dtype)
    with no_grad():
        weight.write(Tensor(values))


def embedding_bag(
    input, weight, offsets=None, max_norm=None, norm_type=2, scale_grad_by_freq=False, mode="mean", sparse=False,
    per_sample_weights=None, include_last_offset=False, padding_idx=None,
):  # fmt: skip
    """The sum, mean or maximum of each bag of rows of weight (V, D): (B, D). An empty bag gives zeros.

    input: integers (B, N), a bag a row; or (n,), with offsets (B,), where each bag starts, and, if include_last_offset, where the last
    ends. per_sample_weights, of the input's shape, multiply the rows of a sum. Entries padding_idx count for nothing.
    """
    if mode not in ("sum", "mean", "max"):
        raise ValueError(f'embedding_bag: mode is "sum", "mean" or "max", not {mode!r}')
    if sparse:
        raise NotImplementedError("embedding_bag: sparse=True is not supported; gradients are dense")
    if per_sample_weights is not None and (mode != "sum" or per_sample_weights.shape != input.shape):
        raise NotImplementedError(
            f'embedding_bag: per_sample_weights {tuple(per_sample_weights.shape)} need mode="sum", not {mode!r}, and the input\'s shape {tuple(input.shape)}'
        )
    if scale_grad_by_freq and mode == "max":
        raise RuntimeError('embedding_bag: scale_grad_by_freq does not go with mode="max"')
    bag, count = _bags(input, offsets, include_last_offset)  # (n,): the number of each entry's bag
    input = input.reshape(-1)
    per_sample_weights = None if per_sample_weights is None else per_sample_weights.reshape(-1)
    if padding_idx is not None:
        kept = input.array != padding_idx % len(weight)
        if not kept.all():
            bag, input = bag[kept], Tensor(input.array[kept])
            per_sample_weights = None if per_sample_weights is None else per_sample_weights[Tensor(kept)]
    rows = embedding(input, weight, None, max_norm, norm_type, scale_grad_by_freq)  # (n, D)
    if mode == "max":
        return _maxima(rows, bag, count)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.unsqueeze(1)
    sums = index_add(zeros(count, weight.shape[1], dtype=weight.dtype, device=weight.device), 0, Tensor(bag), rows)
    if mode == "sum":
        return sums
    sizes = backend.array_module(bag).bincount(bag, minlength=count)
    return sums / Tensor(sizes.clip(1, None).astype(weight.dtype)[:, None])


def _bags(input, offsets, include_last_offset):
    """For each entry of the flattened input the number of its bag, and how many bags there are."""
    _check_integer("embedding_bag", input)
    module = backend.array_module(input.array)
    if input.ndim == 2:
        if offsets is not None:
            raise ValueError(f"embedding_bag: an input {tuple(input.shape)} has a bag in each row; leave offsets out")
        return module.arange(input.shape[0]).repeat(input.shape[1]), input.shape[0]
    if input.ndim != 1 or offsets is None:
        raise ValueError(f"embedding_bag: expected (B, N), or (n,) with offsets; got {tuple(input.shape)}")
    starts = offsets.array
    if starts.ndim != 1 or not len(starts) or starts[0] != 0 or starts[-1] > len(input):
        raise ValueError(f"embedding_bag: offsets are a vector from 0 on, at most {len(input)}; got {starts.tolist()}")
    ends = module.append(starts[1:], len(input)) if not include_last_offset else starts[1:]
    sizes = ends - starts[: len(ends)]
    if (sizes < 0).any():
        raise ValueError(f"embedding_bag: offsets must not fall; got {starts.tolist()}")
    return module.arange(len(sizes)).repeat(sizes), len(sizes)


def _maxima(rows, bag, count):
    """The maximum (B, D) over each bag's rows (n, D)."""
    module = backend.array_module(bag)
    sizes = module.bincount(bag, minlength=count)
    place = module.arange(len(bag)) - (module.cumsum(sizes) - sizes)[bag]  # of an entry within its bag
    longest = max(int(sizes.max()), 1) if count else 1
    table = module.full((count, longest), len(bag))  # (B, longest), filled up with a row of −∞
    table[bag, place] = module.arange(len(bag))
    lowest = full((1, rows.shape[1]), -np.inf, dtype=rows.dtype, device=rows.device)
    largest = cat([rows, lowest])[Tensor(table)].max(1).values
    return where(Tensor((sizes > 0)[:, None]), largest, zeros((), dtype=rows.dtype, device=rows.device))
