"""Normalisation: values brought to mean 0 and variance 1 over some axes, then scaled and shifted.

    x̂ = (x − mean) / √(var + ε),   y = γ x̂ + β

The norms differ only in the axes: batch norm takes the mean over the batch and space (Ioffe & Szegedy 2015, arXiv:1502.03167), layer norm
over the features (Ba, Kiros & Hinton 2016, arXiv:1607.06450), group norm over space and a group of channels (Wu & He 2018,
arXiv:1803.08494), instance norm over space alone (Ulyanov, Vedaldi & Lempitsky 2016, arXiv:1607.08022).
"""

import math

import numpy as np

from .. import compiled, threads
from ..backend import array_module, finfo, float16, float32, memory_order
from ..precision import listed
from .define import op
from .elementwise import rsqrt
from .windows import BLOCK

__all__ = ["group_norm", "layer_norm", "rms_norm"]


def _blocks(x, axes):
    """Cut x along an axis that is not averaged over: yields functions that take from x, or what broadcasts against it, one part.

    Parts in one piece are small enough for a core's cache. Where they lie in pieces, as some channels of every row, they are four times as
    large: short pieces at equal distances share few places in a cache, and are many calls of a loop.
    """

    def distance(axis):
        return abs(x.strides[axis]) * (x.shape[axis] > 1)

    kept = [axis for axis in range(x.ndim) if axis not in axes]
    axis = max(kept, key=distance, default=0)
    size, in_pieces = x.shape[axis] if kept else 1, any(distance(other) > distance(axis) for other in axes)
    step = max(1, (BLOCK if in_pieces else BLOCK // 4) * size // max(1, x.size))
    for first in range(0, size, step):
        index = (slice(None),) * axis + (slice(first, first + step),)
        yield lambda p, index=index: p if p is None or p.shape[axis] == 1 or size <= step else p[index]


def _for_each(function, parts, size):
    """function(part) for every part of `size` elements in all, on as many threads as some six passes over them are worth."""
    threads.in_slices(lambda chosen: [function(part) for part in parts[chosen]], len(parts), 6 * size)


def _total(axes, *factors):
    """Σ over the axes of the product of the factors, one or two; the axes stay with size 1. One pass, without an array for the product.

    Where the innermost axes in memory are summed over, by BLAS's dot products over those.
    The others are summed last, so that no sum has very many terms one after the other, which would cost float32 its last digits.
    """
    first = factors[0]
    order = memory_order(first)
    inner = next((i for i in range(first.ndim, 0, -1) if order[i - 1] not in axes), 0)  # where they begin in this order
    if first.__class__ is not np.ndarray or first.itemsize < 4 or inner == first.ndim:
        return _total_by_einsum(axes, *factors)
    outer, size = order[:inner], math.prod([first.shape[axis] for axis in order[inner:]])
    rows = [f.transpose(order).reshape((*[f.shape[axis] for axis in outer], size)) for f in factors]
    total = np.vecdot(*rows) if len(rows) == 2 else rows[0] @ np.ones(size, first.dtype)
    total = total.sum(axis=tuple([i for i, axis in enumerate(outer) if axis in axes]), keepdims=True)
    total = total.reshape((*total.shape, *(1,) * (first.ndim - inner)))
    return total.transpose([order.index(axis) for axis in range(first.ndim)])


def _total_by_einsum(axes, *factors):
    """What `_total` is, for every kind of array and order in memory."""
    letters = "abcdefgh"[: factors[0].ndim]
    kept = [letter for axis, letter in enumerate(letters) if axis == 0 or axis not in axes]
    total = np.einsum(f"{','.join([letters] * len(factors))}->{''.join(kept)}", *factors)
    if 0 in axes:
        total = total.sum(axis=0)
    return total.reshape([1 if axis in axes else size for axis, size in enumerate(factors[0].shape)])


def _count(x, axes):
    return math.prod([x.shape[axis] for axis in axes])


def _is_constant(shape, axes):
    """Whether parameters of this shape are the same all along the axes of the mean, as in batch norm."""
    return all(shape[axis] == 1 for axis in axes)


@np.errstate(all="ignore")  # the mean is NumPy's own, and would warn of an overflow
def _standardize(x, weight, bias, *, axes, eps, moments, shape):
    """γ x̂ + β; weight γ and bias β, or None, broadcast once they have this shape. Fills in the moments: arrays for mean and variance."""
    n, constant = _count(x, axes), _is_constant(shape, axes)
    if (y := compiled.standardize(x, weight, bias, axes, eps, moments, shape, constant)) is not None:
        return y
    y = np.empty_like(x)
    weight, bias = (None if p is None else p.reshape(shape) for p in (weight, bias))

    def standardize(part):
        z, w = part(y), part(weight)
        mean = _total(axes, part(x)) / n
        array_module(x).subtract(part(x), mean, out=z)
        var = _total(axes, z, z) / n
        part(moments[0])[...], part(moments[1])[...] = mean, var
        scale = 1 / np.sqrt(var + eps)
        z *= scale * w if constant and w is not None else scale
        if not constant and w is not None:
            z *= w
        if bias is not None:
            z += part(bias)

    _for_each(standardize, list(_blocks(x, axes)), x.size)
    return y


def _standardize_slopes(g, x, weight, bias, axes, eps, moments, shape, needs):
    """With h = γ g, and means over the axes:

        ∂/∂x = (h − mean(h) − x̂ mean(h x̂)) / √(var + ε),   ∂/∂γ = Σ g x̂,   ∂/∂β = Σ g

    Where γ is constant along the axes it moves in front.
    """
    n, constant = _count(x, axes), _is_constant(shape, axes)
    if (slopes := compiled.standardize_slopes(g, x, weight, bias, axes, eps, moments, shape, constant)) is not None:
        return slopes
    slope = np.empty_like(x)
    slope_weight, slope_bias = (np.zeros(shape, x.dtype, like=x) for _ in range(2))
    shared = tuple([axis for axis, size in enumerate(shape) if size == 1])  # the axes along which γ and β are the same
    factor = None if weight is None else weight.reshape(shape)

    def slopes(part):
        z, gp, w = part(slope), part(g), part(factor)
        scale = 1 / np.sqrt(part(moments[1]) + eps)
        array_module(x).subtract(part(x), part(moments[0]), out=z)
        h = gp if constant or w is None else gp * w
        same = h is gp and shared == tuple(axes)  # as in batch norm: γ and β are given the sums that x needs
        # z is x̂ if γ's sums need it; else x − mean, which only sums of x̂ are taken of.
        to_x_hat = scale if same else 1
        if not same:
            z *= scale
        sum_h, sum_hx = _total(axes, h), _total(axes, h, z) * to_x_hat
        if needs[1]:
            part(slope_weight)[...] += sum_hx if same else _total(shared, gp, z)
        if needs[2]:
            part(slope_bias)[...] += sum_h if same else _total(shared, gp)
        z *= sum_hx * to_x_hat / -n
        z += h
        z -= sum_h / n
        z *= scale * w if constant and w is not None else scale

    parts = list(_blocks(x, axes))
    if all(axis in axes for axis in shared):
        _for_each(slopes, parts, x.size)
    else:  # the parts add to the same slopes of γ and β
        for part in parts:
            slopes(part)
    return slope, *[p if p is None else s.reshape(p.shape) for p, s in ((weight, slope_weight), (bias, slope_bias))]


def _standardize_formula(x, weight, bias, axes, eps, moments, shape):
    """γ x̂ + β in plain ops on Tensors."""
    centered = x - x.mean(axes, keepdim=True)
    y = centered * rsqrt((centered * centered).mean(axes, keepdim=True) + eps)
    y = y if weight is None else y * weight.reshape(shape)
    return y if bias is None else y + bias.reshape(shape)


standardize = op("standardize", _standardize, backward=_standardize_slopes, composite=_standardize_formula)


def _normalized(name, x, weight, bias, axes, shape, eps):
    """γ x̂ + β with weight and bias, or None, of the given shape once they broadcast; and the moments as arrays."""
    if not x.is_floating_point():
        raise NotImplementedError(
            f"{name}: the input must have a floating dtype, got {x.dtype}; convert it with .float()"
        )
    half = x.dtype == float16  # then γ and β may be float32, and the moments are
    for value in (weight, bias):
        if value is not None and value.dtype != x.dtype and not (half and value.dtype == float32):
            raise RuntimeError(
                f"{name}: dtypes {x.dtype} and {value.dtype} differ; convert one of them with .to(dtype)"
            )
    size = [1 if axis in axes else n for axis, n in enumerate(x.array.shape)]
    moments = tuple([np.empty(size, float32 if half else x.dtype, like=x.array) for _ in range(2)])
    return standardize(x, weight, bias, axes=axes, eps=eps, moments=moments, shape=shape), moments


def _check(name, input, **values):
    """That the input has channels, and that what is given per channel has one value for each."""
    if input.ndim < 2:
        raise RuntimeError(f"{name}: the input must be (N, C, …), got {tuple(input.shape)}")
    for key, value in values.items():
        if value is not None and tuple(value.shape) != (input.shape[1],):
            raise RuntimeError(
                f"{name}: {key} {tuple(value.shape)} must be ({input.shape[1]},), one for each channel of {tuple(input.shape)}"
            )


def _per_channel(input):
    return (1, input.array.shape[1], *(1,) * (input.ndim - 2))


def _track(running_mean, running_var, moments, momentum, n):
    """running ← (1 − momentum) · running + momentum · now, in place, with the unbiased variance, n/(n − 1) · var, as PyTorch."""
    mean, var = (moment.mean(axis=0).reshape(-1) for moment in moments)
    for running, now in ((running_mean, mean), (running_var, var * (n / (n - 1)))):
        if running is not None:
            running.array[...] = (1 - momentum) * running.array + momentum * now
            running.rebase(False, None)  # counts the write


# --- PyTorch's functions ----------------------------------------------------------------------------------------------


def batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
    """Every channel of input (N, C, …) to mean 0 and variance 1 over batch and space, times weight (C,), plus bias (C,).

    training: with the batch's own moments, of which running_mean and running_var (C,), unless None, keep an average, changed in place.
    Otherwise with the running ones. ValueError in training where a channel has a single value.
    """
    _check("batch_norm", input, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    shape = _per_channel(input)
    if not training:
        if running_mean is None or running_var is None:
            raise RuntimeError("batch_norm: without training it needs running_mean and running_var")
        scale = rsqrt(running_var + eps) if weight is None else rsqrt(running_var + eps) * weight
        shift = -running_mean * scale if bias is None else bias - running_mean * scale
        return (input * scale.reshape(shape) + shift.reshape(shape)).to(input.dtype)
    axes = (0, *range(2, input.ndim))
    n = input.array.size // input.array.shape[1] if input.array.shape[1] else 0
    if n == 1:
        raise ValueError(f"batch_norm: in training a channel needs more than one value, got {tuple(input.shape)}")
    y, moments = _normalized("batch_norm", input, weight, bias, axes, shape, eps)
    _track(running_mean, running_var, moments, momentum, n)
    return y


@listed
def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Over the last dimensions, which must be normalized_shape: each example to mean 0 and variance 1, times weight, plus bias.

    weight, bias: of normalized_shape, or None.
    """
    shape = _normalized_shape("layer_norm", input, normalized_shape, weight=weight, bias=bias)
    axes = tuple(range(input.ndim - len(shape), input.ndim))
    return _normalized("layer_norm", input, weight, bias, axes, (1,) * (input.ndim - len(shape)) + shape, eps)[0]


def _normalized_shape(name, input, normalized_shape, **values):
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if not shape or tuple(input.shape[-len(shape) :]) != shape:
        raise RuntimeError(f"{name}: normalized_shape {shape} must be the last sizes of the input {tuple(input.shape)}")
    for key, value in values.items():
        if value is not None and tuple(value.shape) != shape:
            raise RuntimeError(f"{name}: {key} {tuple(value.shape)} must be normalized_shape {shape}")
    return shape


@listed
def group_norm(input, num_groups, weight=None, bias=None, eps=1e-5):
    """As layer_norm, over each of num_groups groups of channels and space: input (N, C, …), weight and bias (C,) or None."""
    _check("group_norm", input, weight=weight, bias=bias)
    N, C = input.array.shape[:2]
    if num_groups < 1 or C % num_groups:
        raise RuntimeError(f"group_norm: {C} channels cannot be divided into {num_groups} groups")
    x = input.reshape(N, num_groups, C // num_groups, -1 if input.array.size else 0)
    return _normalized("group_norm", x, weight, bias, (2, 3), (1, num_groups, C // num_groups, 1), eps)[0].reshape(
        input.shape
    )


def instance_norm(
    input, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True, momentum=0.1, eps=1e-5
):
    """As batch_norm, over space alone: input (N, C, …); the running averages take the mean over the batch."""
    _check("instance_norm", input, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    n = math.prod(input.array.shape[2:])
    if n == 1:
        raise ValueError(f"instance_norm: a channel of an example needs more than one value, got {tuple(input.shape)}")
    y, moments = _normalized(
        "instance_norm", input, weight, bias, tuple(range(2, input.ndim)), _per_channel(input), eps
    )
    _track(running_mean, running_var, moments, momentum, n)
    return y


@listed
def rms_norm(input, normalized_shape, weight=None, eps=None):
    """x / √(mean(x²) + ε) · weight, the mean over the last dimensions, normalized_shape; eps: the dtype's own by default.

    (Zhang & Sennrich 2019, arXiv:1910.07467.)
    """
    shape = _normalized_shape("rms_norm", input, normalized_shape, weight=weight)
    dim = tuple(range(input.ndim - len(shape), input.ndim))
    eps = finfo(input.dtype).eps if eps is None else eps
    x = input.float() if input.dtype == float16 else input  # whose squares overflow
    y = x * rsqrt((x * x).mean(dim, keepdim=True) + eps)
    return (y if weight is None else y * weight).to(input.dtype)
