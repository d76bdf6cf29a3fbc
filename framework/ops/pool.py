"""Pooling: the maximum or the mean of every window, in 1, 2 or 3 dimensions.

Windows are never copied. For one kernel position at a time, the elements that all windows have there are one strided slice of the input,
a *slab* of the output's shape; a pool is a maximum or a sum of slabs, along one dimension after the other. Slices are cut where a window
reaches over the edge, so padding and ceil_mode cost no copy either. Pools keep the input's order in memory (see windows.py).
"""

import functools
import math

import numpy as np

from .. import threads
from ..backend import array_module
from ..precision import listed
from ..tensor import Tensor
from . import windows
from .define import op
from .gather import gather
from .linalg import matmul
from .windows import BLOCK, Geometry, batch_first, per_dimension, rows_first, window_counts

__all__ = ["adaptive_avg_pool1d", "avg_pool1d"]


@functools.lru_cache(maxsize=256)
def slabs(geometry):
    """The slabs (output index, input index) of all kernel positions that meet any input."""
    return [((..., *o), (..., *i)) for o, i in filter(None, windows.slabs(geometry))]


@functools.lru_cache(maxsize=256)
def _tiles(geometry):
    """Whether the windows cover the input exactly once."""
    whole = tuple([k * o for k, o in zip(geometry.kernel, geometry.out)])
    return geometry.kernel == geometry.stride and geometry.size == whole and not any(map(any, geometry.padding))


@functools.lru_cache(maxsize=256)
def by_dimension(geometry):
    """For every spatial dimension (its number, the slabs along it alone). The first is the outermost in memory, where slabs are longest."""
    alone = [Geometry(*[(values[axis],) for values in geometry[:6]]) for axis in range(len(geometry.size))]
    behind = range(len(alone) - 1, -1, -1)
    cut = [
        [tuple([(*index, *(slice(None),) * n) for index in slab]) for slab in slabs(part)]
        for n, part in zip(behind, alone)
    ]
    return list(enumerate(cut))


def _combined(function, nothing, x, axis, out, parts):
    """function over the slabs of x along a spatial dimension; `nothing` is what it leaves as it is."""
    shape = (*x.shape[: 2 + axis], out, *x.shape[3 + axis :])
    if len(parts) > 1 and all(x[i].shape == shape for _, i in parts):
        y = function(x[parts[0][1]], x[parts[1][1]])
        parts = parts[2:]
    else:
        y = np.full_like(x, nothing, shape=shape)
    for o, i in parts:
        y[o] = function(y[o], x[i])
    return y


# --- the maximum ------------------------------------------------------------------------------------------------------


def _max_pool(x, *, geometry):
    """x (N, C, *size) → (N, C, *out): the maximum along one dimension after the other."""
    if threads.shares(x.size) == 1 or x.__class__ is not np.ndarray:
        return _maximum(x, geometry)
    y = np.empty_like(x, shape=(*x.shape[:2], *geometry.out))

    def pool(channels):
        y[:, channels] = _maximum(x[:, channels], geometry)

    threads.in_slices(pool, x.shape[1], x.size)
    return y


def _maximum(x, geometry):
    for axis, parts in by_dimension(geometry):
        x = _combined(np.maximum, -math.inf, x, axis, geometry.out[axis], parts)
    return x


def _winners(x, y, geometry):
    """Per slab (output index, input index, where it holds the window's maximum); of equals the first wins, as in PyTorch."""
    open = np.ones_like(y, dtype=bool)
    for o, i in slabs(geometry):
        won = x[i] == y[o]
        won &= open[o]
        open[o] ^= won
        yield o, i, won


def _to_winners(g, x, y, *, geometry):
    """g (N, C, *out) → (N, C, *size): each window's g to its winner, a few rows or channels at a time, which a core's cache holds."""
    tiles, multiply = _tiles(geometry), array_module(x).multiply
    z = (np.empty_like if tiles else np.zeros_like)(x)
    axis, times = (
        (2, geometry.kernel[0]) if tiles else (1, 1)
    )  # y is cut along this axis, and x alike, with `times` of it to one of y
    before, step = (slice(None),) * axis, max(1, BLOCK // 2 * y.shape[axis] // max(1, x.size))

    def put(span):
        for first in range(span.start, span.stop, step):
            end = min(first + step, span.stop)
            yp, (xp, zp) = y[*before, first:end], (a[*before, first * times : end * times] for a in (x, z))
            gp = np.empty_like(yp)
            gp[...] = g[*before, first:end]  # in y's order in memory
            part = geometry._replace(size=xp.shape[2:], out=yp.shape[2:])
            for o, i, won in _winners(xp, yp, part):
                if tiles:
                    multiply(gp[o], won, out=zp[i])
                else:
                    zp[i] += gp[o] * won

    threads.in_slices(put, y.shape[axis], 4 * x.size)
    return z


def _from_winners(v, x, y, *, geometry):
    z = np.zeros_like(y)
    for o, i, won in _winners(x, y, geometry):
        z[o] += v[i] * won
    return z


# given who wins, pooling is linear: it picks, and its derivative puts back; x and y only say who wins
pick_winners = op(
    "max_pool_pick", _from_winners, lambda g, x, y, geometry: put_winners(g, x, y, geometry=geometry), None, None
)
put_winners = op(
    "max_pool_put", _to_winners, lambda v, x, y, geometry: pick_winners(v, x, y, geometry=geometry), None, None
)
max_pool = op("max_pool", _max_pool, lambda g, x, y, geometry: put_winners(g, x, y, geometry=geometry))


def _winning_places(x, y, geometry):
    """The places of the maxima in the flattened input, (N, C, *out), int64."""
    places = np.arange(math.prod(geometry.size), like=x).reshape(geometry.size)
    index = np.zeros(y.shape, np.int64, like=x)
    for o, i, won in _winners(x, y, geometry):
        index[o] += won * places[i]
    return index


# --- the mean ---------------------------------------------------------------------------------------------------------


def _avg_pool(x, *, geometry, divisor):
    """x (N, C, *size) → (N, C, *out): the sum along one dimension after the other, over the divisor."""
    for axis, parts in by_dimension(geometry):
        x = _combined(np.add, 0, x, axis, geometry.out[axis], parts)
    x *= _inverse(divisor, x)
    return x


def _avg_pool_input(g, *, geometry, divisor):
    """g (N, C, *out) → (N, C, *size), in memory as convolutions have it."""
    x = batch_first(rows_first(g).copy(order="C"))
    x *= _inverse(divisor, g)
    for axis, parts in reversed(by_dimension(geometry)):
        shape = (*x.shape[: 2 + axis], geometry.size[axis], *x.shape[3 + axis :])
        if once := _tiles(geometry):
            spread = np.empty_like(x, shape=shape)
        else:
            spread = np.zeros_like(x, shape=shape)
        for o, i in parts:
            if once:
                spread[i] = x[o]
            else:
                spread[i] += x[o]
        x = spread
    return x


def _inverse(divisor, like):
    """1 / divisor, which is one number, or per dimension a tuple of counts whose product counts: (*out)."""
    if not isinstance(divisor, tuple):
        return 1 / divisor
    scale = np.ones((), like.dtype)
    for counts in divisor:
        scale = scale[..., None] / np.array(counts, like.dtype)
    return np.asarray(scale, like=like)


avg_pool = op("avg_pool", _avg_pool, lambda g, geometry, divisor: avg_pool_input(g, geometry=geometry, divisor=divisor))
avg_pool_input = op(
    "avg_pool_input", _avg_pool_input, lambda v, geometry, divisor: avg_pool(v, geometry=geometry, divisor=divisor)
)


# --- PyTorch's functions ----------------------------------------------------------------------------------------------


def _geometry(name, dims, input, kernel_size, stride, padding, dilation, ceil_mode):
    if input.ndim not in (dims + 1, dims + 2):
        raise RuntimeError(
            f"{name}: the input must be (N, C, …) or (C, …) with {dims} spatial dimensions, got {tuple(input.shape)}"
        )
    if not input.is_floating_point():
        raise NotImplementedError(f"{name}: {input.dtype} is not supported; convert to a floating dtype with .float()")
    kernel = per_dimension(name, "kernel_size", kernel_size, dims, 1)
    stride = kernel if stride is None or stride == () else per_dimension(name, "stride", stride, dims, 1)
    padding = per_dimension(name, "padding", padding, dims)
    dilation = per_dimension(name, "dilation", dilation, dims, 1)
    if any(2 * p > d * (k - 1) + 1 for p, k, d in zip(padding, kernel, dilation)):
        raise RuntimeError(
            f"{name}: padding {padding} must be at most half of the kernel {kernel}, dilation {dilation} included"
        )
    size, pairs = input.array.shape[-dims:], tuple([(p, p) for p in padding])
    out = window_counts(size, kernel, stride, pairs, dilation)
    if (
        ceil_mode
    ):  # one more window where elements are left over, if it begins inside the input or the padding before it
        ceiled = window_counts(size, kernel, stride, [(p, p + s - 1) for p, s in zip(padding, stride)], dilation)
        out = tuple([o - ((o - 1) * s >= n + p) for o, s, n, p in zip(ceiled, stride, size, padding)])
    if min(out) < 1:
        raise RuntimeError(
            f"{name}: the kernel {kernel} with dilation {dilation} does not fit into the input {size} with padding {padding}"
        )
    return Geometry(tuple(size), kernel, out, stride, pairs, dilation)


def _batched(function, dims, input):
    """function(input) for an input (N, C, …), or for (C, …) as a batch of one."""
    return function(input) if input.ndim == dims + 2 else function(input.unsqueeze(0)).squeeze(0)


def _max_pooling(name, dims, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices):
    geometry = _geometry(name, dims, input, kernel_size, stride, padding, dilation, ceil_mode)
    y = _batched(lambda x: max_pool(x, geometry=geometry), dims, input)
    if not return_indices:
        return y
    batch = (-1, *input.array.shape[-dims - 1 :])
    places = _winning_places(input.array.reshape(batch), y.array.reshape((-1, *y.array.shape[-dims - 1 :])), geometry)
    return y, Tensor(places.reshape(y.array.shape))


def _avg_pooling(name, dims, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override):
    geometry = _geometry(name, dims, input, kernel_size, stride, padding, 1, ceil_mode)
    if divisor_override is not None and divisor_override == 0:
        raise RuntimeError(f"{name}: divisor_override must not be zero")
    divisor = divisor_override or _counts(geometry, count_include_pad)
    return _batched(lambda x: avg_pool(x, geometry=geometry, divisor=divisor), dims, input)


def _counts(geometry, with_padding):
    """How many elements each window holds: one number where all hold as many, else per dimension a tuple."""
    counts = []
    for n, k, out, s, (pad, _) in zip(*geometry[:5]):
        low, high = (-pad, n + pad) if with_padding else (0, n)
        starts = [s * p - pad for p in range(out)]
        counts.append(tuple([min(start + k, high) - max(start, low) for start in starts]))
    if all(len(set(row)) == 1 for row in counts):
        return math.prod(row[0] for row in counts)
    return tuple(counts)


def max_pool1d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """The maximum of every window: (N, C, L) or (C, L) → (N, C, out), out as a convolution's, rounded up with ceil_mode.

    stride: kernel_size by default. The padding never wins. return_indices: also the places of the maxima in L, int64.
    RuntimeError where the padding is more than half of the kernel or no window fits.
    """
    return _max_pooling("max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool2d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """As max_pool1d in two dimensions: (N, C, H, W) or (C, H, W); indices are into the flattened H · W."""
    return _max_pooling("max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@listed
def max_pool3d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """As max_pool1d in three dimensions: (N, C, D, H, W) or (C, D, H, W); indices are into the flattened D · H · W."""
    return _max_pooling("max_pool3d", 3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def avg_pool1d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    """The mean of every window: (N, C, L) or (C, L) → (N, C, out), out as a convolution's, rounded up with ceil_mode.

    stride: kernel_size by default. count_include_pad: whether the mean counts the padding's zeros.
    RuntimeError where the padding is more than half of the kernel or no window fits.
    """
    return _avg_pooling("avg_pool1d", 1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


def avg_pool2d(
    input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
):
    """As avg_pool1d in two dimensions, (N, C, H, W) or (C, H, W); divisor_override: divide by this instead of the window's size."""
    return _avg_pooling(
        "avg_pool2d", 2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


@listed
def avg_pool3d(
    input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
):
    """As avg_pool2d in three dimensions: (N, C, D, H, W) or (C, D, H, W)."""
    return _avg_pooling(
        "avg_pool3d", 3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


# --- adaptive pools: a given number of windows, from ⌊i n/o⌋ to ⌈(i + 1) n/o⌉ for output i of o --------------------------


def _adaptive_sizes(name, dims, input, output_size):
    """The input's and the output's sizes, one per spatial dimension; None in output_size keeps a size."""
    if input.ndim not in (dims + 1, dims + 2):
        raise RuntimeError(
            f"{name}: the input must be (N, C, …) or (C, …) with {dims} spatial dimensions, got {tuple(input.shape)}"
        )
    if not input.is_floating_point():
        raise NotImplementedError(f"{name}: {input.dtype} is not supported; convert to a floating dtype with .float()")
    size = input.array.shape[-dims:]
    wanted = tuple(output_size) if isinstance(output_size, (tuple, list)) else (output_size,)
    wanted = wanted * dims if len(wanted) == 1 else wanted
    if len(wanted) != dims:
        raise RuntimeError(f"{name}: output_size must be one number or {dims}, got {output_size!r}")
    return size, per_dimension(name, "output_size", [n if o is None else o for n, o in zip(size, wanted)], dims, 1)


def _adaptive_bounds(n, out):
    return [(i * n // out, -((i + 1) * n // -out)) for i in range(out)]


@listed
def mix(x, dim, weights):
    """Σ_j weights[i, j] · x[…, j, …] along dim, counted from the end; weights (out, in)."""
    weights = Tensor(np.array(weights, x.dtype, like=x.array))
    if dim == -1:
        return matmul(x, weights.mT)
    return matmul(weights, x) if dim == -2 else matmul(weights, x.movedim(dim, -2)).movedim(-2, dim)


def _adaptive_average(name, dims, input, output_size):
    size, out = _adaptive_sizes(name, dims, input, output_size)
    for dim, (n, o) in enumerate(zip(size, out), start=-dims):
        if n % o == 0:  # windows of one size side by side
            leading = tuple(input.shape[:dim])
            input = input.reshape(*leading, o, n // o, *input.shape[input.ndim + dim + 1 :]).mean(dim=len(leading) + 1)
        else:
            weights = np.zeros((o, n))
            for row, (first, end) in zip(weights, _adaptive_bounds(n, o)):
                row[first:end] = 1 / (end - first)
            input = mix(input, dim, weights)
    return input


def _adaptive_maximum(name, dims, input, output_size, return_indices):
    """The places of the maxima, by comparing windows that are made equally long by repeating their last element; then picked."""
    size, out = _adaptive_sizes(name, dims, input, output_size)
    x = input.array.reshape((*input.array.shape[:-dims], -1))  # (…, size)
    windows = np.zeros((), np.int64, like=x)  # places in the flattened input, (*out, *longest window)
    for n, o in zip(size, out):
        bounds = _adaptive_bounds(n, o)
        longest = max(end - first for first, end in bounds)
        rows = [[min(first + k, end - 1) for k in range(longest)] for first, end in bounds]
        windows = windows[..., None, None] * n + np.array(rows, like=x)
    windows = windows.transpose((*range(0, 2 * dims, 2), *range(1, 2 * dims, 2))).reshape((math.prod(out), -1))
    winner = x[..., windows].argmax(axis=-1)  # (…, out)
    places = Tensor(windows[np.arange(len(windows), like=x), winner])
    y = gather(input.flatten(-dims), -1, places).reshape(*input.shape[:-dims], *out)
    return (y, places.reshape(y.shape)) if return_indices else y


def adaptive_avg_pool1d(input, output_size):
    """The mean over each of output_size windows that together cover L: (N, C, L) or (C, L) → (N, C, output_size)."""
    return _adaptive_average("adaptive_avg_pool1d", 1, input, output_size)


def adaptive_avg_pool2d(input, output_size):
    """As adaptive_avg_pool1d in two dimensions; output_size: a number, or a pair in which None keeps a size."""
    return _adaptive_average("adaptive_avg_pool2d", 2, input, output_size)


@listed
def adaptive_avg_pool3d(input, output_size):
    """As adaptive_avg_pool2d in three dimensions."""
    return _adaptive_average("adaptive_avg_pool3d", 3, input, output_size)


def adaptive_max_pool1d(input, output_size, return_indices=False):
    """The maximum over each of output_size windows that together cover L; return_indices: also the places of the maxima, int64."""
    return _adaptive_maximum("adaptive_max_pool1d", 1, input, output_size, return_indices)


def adaptive_max_pool2d(input, output_size, return_indices=False):
    """As adaptive_max_pool1d in two dimensions; indices are into the flattened H · W."""
    return _adaptive_maximum("adaptive_max_pool2d", 2, input, output_size, return_indices)
