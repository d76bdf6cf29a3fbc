"""Reductions: sums, extrema and what is made of them, along one dimension, several, or all; and sorting.

Every function takes PyTorch's `dim` (an int, a tuple, None for all) and `keepdim`, or under NumPy's names `axis` and `keepdims`, which
the derivatives use.
"""

import collections
import math

import numpy as np

from .. import backend
from ..tensor import Tensor, method
from .define import bools_refused, op
from .dims import dim_of, dims_of
from .elementwise import maximum, minimum
from .shape import cat

__all__ = [
    "sum", "mean", "prod", "max", "min", "amax", "amin", "argmax", "argmin", "var", "std", "norm", "logsumexp", "cumsum",
    "all", "any", "sort", "argsort", "topk",
]  # fmt: skip


def _dims(name, input, dim, keepdim, axis, keepdims):
    """The dimensions to reduce, as a tuple or None for all, and whether they stay with size 1."""
    keepdim = keepdim if keepdims is None else keepdims
    ndim = input.array.ndim
    if dim is None or dim.__class__ in (tuple, list) and not dim:
        if axis is None:
            return None, keepdim
        dim = axis
    dims = dims_of(name, dim, ndim)
    return (dims if ndim else None), keepdim


def _spread(g, shape, dim, keepdim):
    """A reduction's gradient given back to every element: its reduced dimensions put back with size 1, then repeated."""
    return np.broadcast_to(_kept(g, shape, dim, keepdim), shape)


def _kept(y, shape, dim, keepdim):
    """A reduction's result with the reduced dimensions of size 1."""
    if keepdim or y.ndim == len(shape):
        return y
    dims = range(len(shape)) if dim is None else dim
    return y.reshape(tuple([1 if i in dims else size for i, size in enumerate(shape)]))


def _count(shape, dim):
    return math.prod(shape if dim is None else [shape[i] for i in dim])


# --- sums -------------------------------------------------------------------------------------------------------------


def _reduced(name, ufunc, x, dim, keepdim):
    """x.sum or x.prod, of integers and bools as int64; on NumPy's arrays the ufunc itself, in half of the method's time on small ones."""
    dtype = None if x.dtype.kind == "f" else np.int64
    if x.__class__ is np.ndarray:
        return ufunc.reduce(x, axis=dim, dtype=dtype, keepdims=keepdim)
    return getattr(x, name)(axis=dim, dtype=dtype, keepdims=keepdim)


def _sum_forward(x, *, dim, keepdim):
    return _reduced("sum", np.add, x, dim, keepdim)


_sum = op("sum", _sum_forward, lambda g, x_shape, dim, keepdim: _spread(g, x_shape, dim, keepdim))


@method()
def sum(input, dim=None, keepdim=False, *, dtype=None, axis=None, keepdims=None):
    """The sum; of integers and bools as int64."""
    dim, keepdim = _dims("sum", input, dim, keepdim, axis, keepdims)
    return _sum(input if dtype is None else input.to(dtype), dim=dim, keepdim=keepdim)


def _floating(name, input, dtype):
    input = input if dtype is None else input.to(dtype)
    if input.array.dtype.kind != "f":
        raise NotImplementedError(
            f"{name}: needs floating-point numbers, got {input.array.dtype}; convert with float() first"
        )
    return input


def _mean_forward(x, *, dim, keepdim):
    count = _count(x.shape, dim)
    total = _sum_forward(x, dim=dim, keepdim=keepdim)
    return total / count if count else total * math.nan


_mean = op(
    "mean", _mean_forward,
    lambda g, x_shape, dim, keepdim: _spread(g / (_count(x_shape, dim) or 1), x_shape, dim, keepdim),
)  # fmt: skip


@method()
def mean(input, dim=None, keepdim=False, *, dtype=None, axis=None, keepdims=None):
    """The mean; only of floating-point numbers."""
    dim, keepdim = _dims("mean", input, dim, keepdim, axis, keepdims)
    return _mean(_floating("mean", input, dtype), dim=dim, keepdim=keepdim)


def _variance_forward(x, *, dim, keepdim, correction):
    deviations = x - _mean_forward(x, dim=dim, keepdim=True)
    total = np.square(deviations).sum(axis=dim, keepdims=keepdim)
    degrees = _count(x.shape, dim) - correction
    return total / degrees if degrees > 0 else total * math.inf  # 0 · ∞ is NaN: of one value nothing is known


def _variance_slope(x, dim, correction):
    """∂var/∂x = 2 (x − mean) / (n − correction)."""
    degrees = _count(x.shape, dim) - correction
    return (x - x.mean(axis=dim, keepdims=True)) * (2 / degrees if degrees > 0 else math.inf)


_var = op(
    "var", _variance_forward,
    lambda g, x, dim, keepdim, correction: _kept(g, x.shape, dim, keepdim) * _variance_slope(x, dim, correction),
)  # fmt: skip


def _std_gradient(g, x, y, dim, keepdim, correction):
    flat = y == 0  # all values equal: the gradient is 0 there, as in PyTorch
    return _kept(g * ~flat / (2 * y + flat), x.shape, dim, keepdim) * _variance_slope(x, dim, correction)


_std = op(
    "std", lambda x, *, dim, keepdim, correction: np.sqrt(_variance_forward(x, dim=dim, keepdim=keepdim, correction=correction)),
    _std_gradient,
)  # fmt: skip


def _spread_of(op, name, input, dim, unbiased, correction, keepdim, axis, keepdims):
    if isinstance(dim, bool):  # var(x, unbiased)
        dim, unbiased = None, dim
    if unbiased is not None:
        correction = int(unbiased)
    dim, keepdim = _dims(name, input, dim, keepdim, axis, keepdims)
    return op(
        _floating(name, input, None), dim=dim, keepdim=keepdim, correction=1 if correction is None else correction
    )


@method()
def var(input, dim=None, unbiased=None, keepdim=False, *, correction=None, axis=None, keepdims=None):
    """The variance, Σ(x − mean)² / (n − correction); correction is 1 unless given, unbiased=False means 0."""
    return _spread_of(_var, "var", input, dim, unbiased, correction, keepdim, axis, keepdims)


@method()
def std(input, dim=None, unbiased=None, keepdim=False, *, correction=None, axis=None, keepdims=None):
    """The standard deviation: the root of var."""
    return _spread_of(_std, "std", input, dim, unbiased, correction, keepdim, axis, keepdims)


# --- products ---------------------------------------------------------------------------------------------------------


def _prod_forward(x, *, dim, keepdim):
    return _reduced("prod", np.multiply, x, dim, keepdim)


def _prod_gradient(g, x, dim, keepdim):
    """g · the product of all the others, from running products from both ends, so that zeros need no division."""
    axis = 0 if dim is None else dim[0]
    row = x.reshape(-1) if dim is None else x
    others = np.ones_like(row)
    at = lambda part: (slice(None),) * axis + (part,)
    others[at(slice(1, None))] = row[at(slice(None, -1))].cumprod(axis=axis)
    others[at(slice(None, -1))] *= np.flip(np.flip(row[at(slice(1, None))], axis).cumprod(axis=axis), axis)
    return _kept(g, x.shape, dim, keepdim) * others.reshape(x.shape)


def _prod_as_tree(x, *, dim, keepdim):
    """The product by multiplying halves, whose derivatives of every order are right at zeros."""
    shape, axis = x.shape, 0 if dim is None else dim[0]
    row = x.reshape(-1) if dim is None else x
    if not row.shape[axis]:
        return row.sum(axis=axis, keepdims=keepdim) + 1
    while (size := row.shape[axis]) > 1:
        half = size // 2
        paired = row.narrow(axis, 0, half) * row.narrow(axis, half, half)
        row = cat([paired, row.narrow(axis, size - 1, 1)], axis) if size % 2 else paired
    kept = tuple([1 if dim is None or i in dim else size for i, size in enumerate(shape)])
    return row.reshape(
        kept if keepdim else tuple([size for i, size in enumerate(shape) if dim is not None and i not in dim])
    )


_prod = op("prod", _prod_forward, _prod_gradient, composite=_prod_as_tree)


@method()
def prod(input, dim=None, keepdim=False, *, dtype=None, axis=None, keepdims=None):
    """The product over one dimension or all; of integers and bools as int64."""
    dim, keepdim = _dims("prod", input, dim, keepdim, axis, keepdims)
    if dim is not None and len(dim) > 1:
        raise TypeError(f"prod: dim must be one int or None, not {dim}")
    return _prod(input if dtype is None else input.to(dtype), dim=dim, keepdim=keepdim)


_cumsum = op(
    "cumsum", lambda x, *, dim: x.cumsum(axis=dim) if x.dtype.kind == "f" else x.cumsum(axis=dim, dtype=np.int64),
    lambda g, dim: np.flip(_cumsum(np.flip(g, dim), dim=dim), dim),
)  # fmt: skip


@method()
def cumsum(input, dim, *, dtype=None):
    """The running sum along dim; of integers and bools as int64."""
    input, dim = input if dtype is None else input.to(dtype), dim_of("cumsum", dim, input.array.ndim)
    return _cumsum(input, dim=dim) if input.array.ndim else _sum(input, dim=None, keepdim=False)


# --- extrema ----------------------------------------------------------------------------------------------------------

max_with_indices = collections.namedtuple("max", ["values", "indices"])
min_with_indices = collections.namedtuple("min", ["values", "indices"])
sorted_with_indices = collections.namedtuple("sort", ["values", "indices"])
topk_with_indices = collections.namedtuple("topk", ["values", "indices"])


def _extreme_gradient(g, x, y, dim, keepdim):
    """Shared in equal parts by all elements that are the extremum."""
    best = (x == _kept(y, x.shape, dim, keepdim)).astype(g.dtype)
    return best * (_kept(g, x.shape, dim, keepdim) / best.sum(axis=dim, keepdims=True))


_amax = op("amax", lambda x, *, dim, keepdim: x.max(axis=dim, keepdims=keepdim), _extreme_gradient)
_amin = op("amin", lambda x, *, dim, keepdim: x.min(axis=dim, keepdims=keepdim), _extreme_gradient)


def _refuse_bool(name, input):
    if input.array.dtype.kind == "b":
        raise bools_refused(name)


def _refuse_empty(name, input, dim):
    """An extremum of nothing does not exist."""
    if not input.array.size and not _count(input.array.shape, dim):
        along = "" if dim is None else f" along dim {dim}"
        raise (IndexError if dim or "arg" in name else RuntimeError)(
            f"{name}: {tuple(input.array.shape)} has no elements{along}, so no extremum"
        )


def _extreme(op, name, input, dim, keepdim, axis, keepdims):
    dim, keepdim = _dims(name, input, dim, keepdim, axis, keepdims)
    _refuse_empty(name, input, dim)
    return op(input, dim=dim, keepdim=keepdim)


@method()
def amax(input, dim=(), keepdim=False, *, axis=None, keepdims=None):
    """The largest value; elements that share it share its gradient equally."""
    return _extreme(_amax, "amax", input, dim, keepdim, axis, keepdims)


@method()
def amin(input, dim=(), keepdim=False, *, axis=None, keepdims=None):
    """The smallest value; elements that share it share its gradient equally."""
    return _extreme(_amin, "amin", input, dim, keepdim, axis, keepdims)


def _index_of(name, array_method, input, dim, keepdim, axis, keepdims):
    dim, keepdim = _dims(name, input, dim, keepdim, axis, keepdims)
    _refuse_bool(name, input)
    _refuse_empty(name, input, dim)
    if dim is not None and len(dim) > 1:
        raise TypeError(f"{name}: dim must be one int or None, not {dim}")
    return Tensor(array_method(input.array, axis=None if dim is None else dim[0], keepdims=keepdim))


@method()
def argmax(input, dim=None, keepdim=False, *, axis=None, keepdims=None):
    """The index of the (first) largest value along dim, or in the flat tensor."""
    return _index_of("argmax", np.argmax, input, dim, keepdim, axis, keepdims)


@method()
def argmin(input, dim=None, keepdim=False, *, axis=None, keepdims=None):
    """The index of the (first) smallest value along dim, or in the flat tensor."""
    return _index_of("argmin", np.argmin, input, dim, keepdim, axis, keepdims)


def _first(input):
    """The index of a 0-d tensor's only element."""
    return Tensor(backend.scalar(0, np.int64, input.array))


def _put(g, *, index, dim, shape):
    x = backend.zeros(shape, g)
    np.put_along_axis(x, index, g, dim)
    return x


_take = op(
    "take_unique", lambda x, *, index, dim, shape: np.take_along_axis(x, index, dim),
    lambda g, index, dim, shape: _put_unique(g, index=index, dim=dim, shape=shape),
)  # fmt: skip
_put_unique = op("put_unique", _put, lambda g, index, dim, shape: _take(g, index=index, dim=dim, shape=shape))


def _taken(input, index, dim):
    """The values at the indices, no two of them alike, along dim."""
    return _take(input, index=index, dim=dim, shape=input.array.shape)


def _extreme_at(name, function, result, input, dim, keepdim):
    """The element along dim whose index function(array, axis) gives, with that index; the gradient goes to that element alone."""
    if not input.array.ndim:
        dim_of(name, dim, 0)
        return result(input.clone(), _first(input))
    dim = dim_of(name, dim, input.array.ndim)
    _refuse_empty(name, input, (dim,))
    index = np.expand_dims(function(input.array, axis=dim), dim)
    values = _taken(input, index, dim)
    if keepdim:
        return result(values, Tensor(index))
    return result(values.squeeze(dim), Tensor(index.reshape(values.array.shape[:dim] + values.array.shape[dim + 1 :])))


@method()
def max(input, dim=None, keepdim=False, *, other=None, axis=None, keepdims=None):
    """max(x): the largest value. max(x, dim): (values, indices) along dim. max(x, other): elementwise, as maximum."""
    return _extremum("max", np.argmax, _amax, maximum, max_with_indices, input, dim, keepdim, other, axis, keepdims)


@method()
def min(input, dim=None, keepdim=False, *, other=None, axis=None, keepdims=None):
    """min(x): the smallest value. min(x, dim): (values, indices) along dim. min(x, other): elementwise, as minimum."""
    return _extremum("min", np.argmin, _amin, minimum, min_with_indices, input, dim, keepdim, other, axis, keepdims)


def _extremum(name, function, whole, of_two, result, input, dim, keepdim, other, axis, keepdims):
    other = dim if isinstance(dim, Tensor) else other
    if other is not None:
        return of_two(input, other)
    dim, keepdim = axis if dim is None else dim, keepdim if keepdims is None else keepdims
    if dim is not None:
        return _extreme_at(name, function, result, input, dim, keepdim)
    _refuse_empty(name, input, None)
    return whole(input, dim=None, keepdim=False)


@method()
def logsumexp(input, dim, keepdim=False):
    """log Σ exp(x) along dim (an int or a tuple), without overflow."""
    input = input if input.array.dtype.kind == "f" else input.to(backend.get_default_dtype())
    dim, keepdim = _dims("logsumexp", input, dim, keepdim, None, None)
    return _logsumexp(input, dim=dim, keepdim=keepdim)


def _logsumexp_forward(x, *, dim, keepdim):
    if not _count(x.shape, dim):
        return x.sum(axis=dim, keepdims=keepdim) - math.inf
    largest = x.max(axis=dim, keepdims=True)
    largest = np.where(np.isfinite(largest), largest, np.zeros_like(largest))
    powers = x - largest
    total = np.exp(powers).sum(axis=dim, keepdims=keepdim)
    with np.errstate(divide="ignore"):
        return np.log(total) + largest.reshape(total.shape)


_logsumexp = op(
    "logsumexp", _logsumexp_forward,
    lambda g, x, y, dim, keepdim: _kept(g, x.shape, dim, keepdim) * np.exp(x - _kept(y, x.shape, dim, keepdim)),
)  # fmt: skip

# --- norms ------------------------------------------------------------------------------------------------------------


def _norm_forward(x, *, p, dim, keepdim):
    if p == 2:
        return np.sqrt(np.square(x).sum(axis=dim, keepdims=keepdim))
    return (np.abs(x) ** p).sum(axis=dim, keepdims=keepdim) ** (1 / p)


def _norm_gradient(g, x, y, p, dim, keepdim):
    """∂‖x‖/∂x = sign(x) |x|^(p−1) / ‖x‖^(p−1), and 0 where the norm is 0."""
    zero = y == 0
    if p == 2:
        return x * _kept(g * ~zero / (y + zero), x.shape, dim, keepdim)
    at_zero = x == 0
    slope = np.sign(x) * (np.abs(x) + at_zero) ** (p - 1)
    return slope * _kept(g * ~zero / (y + zero) ** (p - 1), x.shape, dim, keepdim)


_norm = op("norm", _norm_forward, _norm_gradient)


@method()
def norm(input, p="fro", dim=None, keepdim=False, dtype=None):
    """The p-norm of the elements, over dim (an int or a tuple) or all; "fro" is p = 2. The gradient is 0 where the norm is."""
    input = _floating("norm", input, dtype)
    if p in ("fro", None):
        p = 2
    if isinstance(p, str):
        raise NotImplementedError(f'norm: p={p!r} is not supported; give a number or "fro"')
    dim, keepdim = _dims("norm", input, dim, keepdim, None, None)
    if p == 0:
        return _sum(input.sign().abs(), dim=dim, keepdim=keepdim)
    if p == 1:
        return _sum(input.abs(), dim=dim, keepdim=keepdim)
    if math.isinf(p):
        _refuse_empty("norm", input, dim)
        return (_amax if p > 0 else _amin)(input.abs(), dim=dim, keepdim=keepdim)
    return _norm(input, p=p, dim=dim, keepdim=keepdim)


# --- truth ------------------------------------------------------------------------------------------------------------


def _truth(name, input, dim, keepdim, axis, keepdims):
    none = dim == () or axis == ()  # no dimensions here, where for a sum it means all of them
    dim, keepdim = _dims(name, input, dim, keepdim, axis, keepdims)
    holds = input.array != 0
    if not none:
        holds = getattr(holds, name)(axis=dim, keepdims=keepdim)
    return Tensor(holds.astype(np.uint8) if input.array.dtype == np.uint8 else holds)


@method()
def all(input, dim=None, keepdim=False, *, axis=None, keepdims=None):
    """Whether all elements are true (not zero)."""
    return _truth("all", input, dim, keepdim, axis, keepdims)


@method()
def any(input, dim=None, keepdim=False, *, axis=None, keepdims=None):
    """Whether any element is true (not zero)."""
    return _truth("any", input, dim, keepdim, axis, keepdims)


# --- order ------------------------------------------------------------------------------------------------------------


def _order(array, dim, descending):
    """The indices that sort; equal elements stay in their order, NaN counts as largest."""
    if not descending:
        return np.argsort(array, axis=dim, kind="stable")
    backwards = np.argsort(np.flip(array, dim), axis=dim, kind="stable")
    return array.shape[dim] - 1 - np.flip(backwards, dim)


@method()
def sort(input, dim=-1, descending=False, *, stable=True):
    """(values, indices) sorted along dim; always stable, NaN counts as largest."""
    if not input.array.ndim:
        dim_of("sort", dim, 0)
        return sorted_with_indices(input.clone(), _first(input))
    dim = dim_of("sort", dim, input.array.ndim)
    index = _order(input.array, dim, descending)
    return sorted_with_indices(_taken(input, index, dim), Tensor(index))


@method()
def argsort(input, dim=-1, descending=False, *, stable=True):
    """The indices that sort along dim."""
    return sort(input.detach(), dim, descending).indices


@method()
def topk(input, k, dim=-1, largest=True, sorted=True):
    """(values, indices) of the k largest (or smallest) elements along dim, the first being the most extreme."""
    _refuse_bool("topk", input)
    if not input.array.ndim:
        dim_of("topk", dim, 0)
        if k != 1:
            raise RuntimeError(f"topk: k={k} of a 0-d tensor")
        return topk_with_indices(input.clone(), _first(input))
    dim = dim_of("topk", dim, input.array.ndim)
    size = input.array.shape[dim]
    if not 0 <= k <= size:
        raise RuntimeError(
            f"topk: k={k} is not between 0 and the {size} elements of dimension {dim} of {tuple(input.array.shape)}"
        )
    at = lambda part: (slice(None),) * dim + (part,)
    candidates = None
    if 0 < k < size:
        candidates = np.argpartition(input.array, size - k if largest else k - 1, axis=dim)[
            at(slice(size - k, None) if largest else slice(k))
        ]
        order = _order(np.take_along_axis(input.array, candidates, dim), dim, largest)
        index = np.take_along_axis(candidates, order, dim)
    else:
        index = _order(input.array, dim, largest)[at(slice(k))]
    return topk_with_indices(_taken(input, index, dim), Tensor(index))
