"""Reductions that are made of others: moments together, medians, counts, values without repetition, running products, NaN left out."""

import collections
import math

import numpy as np

from ..precision import listed
from ..tensor import Tensor, method
from .define import op
from .dims import dim_of, dims_of
from .elementwise import isnan, where
from .reduce import _extreme_at, _extreme_gradient, _floating, _refuse_bool, mean, std, sum, var

__all__ = ["var_mean", "std_mean", "cumprod", "median", "count_nonzero", "unique", "nansum", "nanmean"]


def var_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """(var, mean), each as its own function gives it."""
    return _with_mean(var, input, dim, unbiased, keepdim, correction)


def std_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """(std, mean), each as its own function gives it."""
    return _with_mean(std, input, dim, unbiased, keepdim, correction)


def _with_mean(spread, input, dim, unbiased, keepdim, correction):
    if isinstance(dim, bool):  # var_mean(x, unbiased)
        dim, unbiased = None, dim
    return spread(input, dim, unbiased, keepdim, correction=correction), mean(input, dim, keepdim)


def _cumprod_gradient(g, x, y, dim):
    """From the last element on, with h what arrives at yₜ: ∂xₜ = h yₜ₋₁, and h xₜ goes on to yₜ₋₁. No division, so zeros do no harm."""
    at = lambda z, t: z[(slice(None),) * dim + (t,)]
    if not x.shape[dim]:
        return np.zeros_like(x)
    slopes, h = [], 0
    for t in range(x.shape[dim] - 1, -1, -1):
        h = at(g, t) + h
        slopes.append(h * at(y, t - 1) if t else h)
        h = h * at(x, t)
    return np.stack(slopes[::-1], axis=dim)


_cumprod = op(
    "cumprod", lambda x, *, dim: x.cumprod(axis=dim) if x.dtype.kind == "f" else x.cumprod(axis=dim, dtype=np.int64),
    _cumprod_gradient,
)  # fmt: skip


@method()
def cumprod(input, dim, *, dtype=None):
    """The running product along dim; of integers and bools as int64."""
    input, dim = input if dtype is None else input.to(dtype), dim_of("cumprod", dim, input.array.ndim)
    return _cumprod(input, dim=dim) if input.array.ndim else _cumprod(input.reshape(1), dim=0).reshape(())


# --- the middle -------------------------------------------------------------------------------------------------------

median_with_indices = collections.namedtuple("median", ["values", "indices"])


def _middle(x, axis):
    """The index of the median along an axis: the lower of the two middle ones, or the first NaN."""
    index = np.argsort(x, axis=axis, kind="stable").take((x.shape[axis] - 1) // 2, axis=axis)
    if x.dtype.kind == "f":
        nan = np.isnan(x)
        index = np.where(nan.any(axis=axis), nan.argmax(axis=axis), index)
    return index


_median = op(
    "median", lambda x, *, dim, keepdim: x.reshape(-1)[_middle(x.reshape(-1), 0)].reshape(()),
    lambda g, x, y, dim, keepdim: _extreme_gradient(g, x, y, dim, keepdim),
)  # fmt: skip


@method()
def median(input, dim=None, keepdim=False):
    """median(x): the middle value, of an even number the lower one. median(x, dim): (values, indices) along dim. NaN where there is one."""
    _refuse_bool("median", input)
    if dim is None:
        return (
            _median(input, dim=None, keepdim=False)
            if input.array.size
            else Tensor(np.full_like(input.array, math.nan, shape=()))
        )
    return _extreme_at("median", _middle, median_with_indices, input, dim, keepdim)


# --- counting, NaN left out -------------------------------------------------------------------------------------------


@method()
def count_nonzero(input, dim=None):
    """How many elements are not 0, over dim (an int or a tuple) or all; int64."""
    dims = None if dim is None else dims_of("count_nonzero", dim, input.array.ndim)
    return Tensor((input.array != 0).sum(axis=dims if input.array.ndim else None, dtype=np.int64))


@method()
@listed
def nansum(input, dim=None, keepdim=False, *, dtype=None):
    """The sum, in which NaN counts as 0."""
    return sum(_without_nan(input), dim, keepdim, dtype=dtype)


@method()
def nanmean(input, dim=None, keepdim=False, *, dtype=None):
    """The mean of what is not NaN."""
    input = _floating("nanmean", input, dtype)
    counts = sum(~isnan(input), dim, keepdim)
    return sum(_without_nan(input), dim, keepdim) / counts


def _without_nan(input):
    return where(isnan(input), 0.0, input) if input.array.dtype.kind == "f" else input


@method()
def unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None):
    """The distinct elements, or with dim the distinct slices along it, sorted; and if asked for, which of them each element is, and how
    often each occurs. NaNs count as distinct."""
    if dim is not None:
        dim = dim_of("unique", dim, input.array.ndim)
    values, inverse, counts = np.unique(input.array, return_inverse=True, return_counts=True, axis=dim, equal_nan=False)
    found = [Tensor(values)]
    if return_inverse:
        found.append(Tensor(inverse.reshape(-1 if dim is not None else input.array.shape).astype(np.int64)))
    if return_counts:
        found.append(Tensor(counts.astype(np.int64)))
    return found[0] if len(found) == 1 else tuple(found)
