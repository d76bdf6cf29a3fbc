"""Optional: norms in loops that numba compiles (kernels.py). `use_numba()` turns them on.

NumPy goes over an array some eight times for a norm; these loops go over it two or three times, and what they need is still in the cache then.
ops/norm.py has the formulas, and asks here first. What no loop is made for gives None: other libraries' arrays, half precision, an order in memory
in which the axes of the mean are not together.
"""

import math

import numpy as np

from . import threads
from .backend import memory_order

LEAST = 16  # elements side by side from which a loop over them is fast
ROWS = 64  # of a layer norm whose slopes of γ and β are added up in one piece, whatever the number of threads

_kernels = None


def use_numba(on=True):
    """Compute batch, layer and instance norms by compiled loops from now on, or no longer.

    The first call of each waits some seconds for the compiler; later processes find the result in numba's cache. The numbers are the same
    up to rounding. ImportError, with what to install, where there is no numba; RuntimeError where it can write its cache nowhere.
    """
    global _kernels
    if not on:
        _kernels = None
        return
    try:
        from . import kernels
    except ImportError as error:
        install = 'pip install -c constraints.txt -e ".[numba]"'
        raise ImportError(f"use_numba: needs numba: {install} ({error})") from None
    except RuntimeError as error:  # numba's, where it can write neither beside kernels.py nor in the user's folder
        raise RuntimeError(f"use_numba: set NUMBA_CACHE_DIR to a folder that can be written ({error})") from None
    _kernels = kernels


def _order(x, axes):
    """(memory_order(x), (A, C, M)) for a mean over A and M in x seen as (A, C, M); None where it cannot be."""
    order = memory_order(x)
    large = [axis for axis in order if x.shape[axis] > 1]
    kept = [axis for axis in large if axis not in axes]
    at = large.index(kept[0]) if kept else 0
    before, after = large[:at], large[at + len(kept) :]
    if kept != sorted(kept) or large[at : at + len(kept)] != kept:
        return None
    sizes = tuple([math.prod([x.shape[axis] for axis in part]) for part in (before, kept, after)])
    return (order, sizes) if sizes[2] >= LEAST else None


def _view(x, order, sizes):
    """x as (A, C, M), in its own memory; None where it does not lie so in one piece."""
    x = x.transpose(order)
    return x.reshape(sizes) if x.flags.c_contiguous else None


def _per_channel(p, default, x, axes):
    """γ or β, of a shape that broadcasts against x and is 1 along the axes, as (C,)."""
    if p is None:
        return np.full(math.prod([n for axis, n in enumerate(x.shape) if axis not in axes]), default, x.dtype)
    return np.broadcast_to(p, [1 if axis in axes else n for axis, n in enumerate(x.shape)]).flatten()


def _plan(x, weight, bias, axes, shape, constant):
    """(order, sizes, x as (A, C, M), by channel, γ, β) or None. constant: whether γ and β are the same all along the axes."""
    given = [p for p in (weight, bias) if p is not None]
    if x.__class__ is not np.ndarray or not x.size or not x.dtype.isnative or x.dtype.char not in "fd":
        return None
    if any(p.dtype != x.dtype for p in given) or (found := _order(x, axes)) is None:
        return None
    order, sizes = found
    if (view := _view(x, order, sizes)) is None:
        return None
    weight, bias = (None if p is None else p.reshape(shape) for p in (weight, bias))
    if constant or not given:
        return order, sizes, view, True, _per_channel(weight, 1, x, axes), _per_channel(bias, 0, x, axes)
    alike = all(n == (x.shape[axis] if axis in axes else 1) for axis, n in enumerate(shape))
    inner = [axis for axis in order if axis in axes and x.shape[axis] > 1]
    if not alike or sizes[0] > 1 or inner != sorted(inner):
        return None
    weight, bias = (np.full(sizes[2], d, x.dtype) if p is None else p.flatten() for p, d in ((weight, 1), (bias, 0)))
    return order, sizes, view, False, weight, bias


def standardize(x, weight, bias, axes, eps, moments, shape, constant):
    """What ops.norm._standardize computes; or None."""
    kernels = _kernels
    if kernels is None or (plan := _plan(x, weight, bias, axes, shape, constant)) is None:
        return None
    order, sizes, before, by_channel, weight, bias = plan
    y, mean, var = np.empty_like(x), moments[0].reshape(-1), moments[1].reshape(-1)
    after, kernel, eps = _view(y, order, sizes), kernels.by_channel if by_channel else kernels.by_element, float(eps)
    threads.in_slices(
        lambda part: kernel(before, after, weight, bias, mean, var, eps, part.start, part.stop), sizes[1], 3 * x.size
    )
    return y


def standardize_slopes(g, x, weight, bias, axes, eps, moments, shape, constant):
    """What ops.norm._standardize_slopes computes; or None."""
    kernels = _kernels
    if kernels is None or (plan := _plan(x, weight, bias, axes, shape, constant)) is None:
        return None
    order, sizes, x_view, by_channel, factor, _ = plan
    if g.dtype != x.dtype or (g := _view(g, order, sizes)) is None:
        return None
    slope, mean, var, eps = np.empty_like(x), moments[0].reshape(-1), moments[1].reshape(-1), float(eps)
    to = _view(slope, order, sizes)
    if by_channel:
        of_weight, of_bias = np.empty(sizes[1], x.dtype), np.empty(sizes[1], x.dtype)
        threads.in_slices(
            lambda part: kernels.by_channel_slopes(
                g, x_view, to, factor, of_weight, of_bias, mean, var, eps, part.start, part.stop
            ),
            sizes[1],
            3 * x.size,
        )
        size = [1 if axis in axes else n for axis, n in enumerate(x.shape)]
        shared = tuple([axis for axis, n in enumerate(shape) if n == 1])
        of_weight, of_bias = (s.reshape(size).sum(axis=shared) for s in (of_weight, of_bias))
    else:
        blocks = -(-sizes[1] // ROWS)
        of_weight, of_bias = (np.zeros((blocks, sizes[2]), x.dtype) for _ in range(2))
        threads.in_slices(
            lambda part: kernels.by_element_slopes(
                g, x_view, to, factor, of_weight, of_bias, mean, var, eps, ROWS, part.start, part.stop
            ),
            blocks,
            3 * x.size,
        )
        of_weight, of_bias = of_weight.sum(axis=0), of_bias.sum(axis=0)
    return slope, *[p if p is None else s.reshape(p.shape) for p, s in ((weight, of_weight), (bias, of_bias))]
