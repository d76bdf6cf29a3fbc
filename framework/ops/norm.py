"""Normalisation: values brought to mean 0 and variance 1 over some axes, then scaled and shifted.

    x̂ = (x − mean) / √(var + ε),   y = γ x̂ + β

The norms differ only in the axes: batch norm takes the mean over the batch and space (Ioffe & Szegedy 2015, arXiv:1502.03167), layer norm
over the features (Ba, Kiros & Hinton 2016, arXiv:1607.06450), group norm over space and a group of channels (Wu & He 2018,
arXiv:1803.08494), instance norm over space alone (Ulyanov, Vedaldi & Lempitsky 2016, arXiv:1607.08022).
"""

import math

import numpy as np

from ..backend import finfo
from ..tensor import Tensor
from .define import op, unbroadcast
from .elementwise import rsqrt

__all__ = ["group_norm", "layer_norm", "rms_norm"]


def _moments(x, axes):
    """Mean and (biased) variance over the axes, which stay as size 1; of an array or a Tensor."""
    mean = x.mean(axis=axes, keepdims=True)
    centered = x - mean
    return mean, (centered * centered).mean(axis=axes, keepdims=True)


def _is_constant(shape, axes):
    """Whether parameters of this shape are the same all along the axes of the mean, as in batch norm."""
    return all(shape[axis] == 1 for axis in axes)


def _standardize(x, weight, bias, *, axes, eps, moments, shape):
    """γ x̂ + β, where weight γ and bias β are of the given shape, which broadcasts against x, or None."""
    mean, var = moments
    scale = 1 / np.sqrt(var + eps)
    y = x - mean
    if weight is None:
        y *= scale
    elif _is_constant(shape, axes):
        y *= scale * weight
    else:
        y *= scale
        y *= weight
    if bias is not None:
        y += bias
    return y


def _standardize_slopes(g, x, weight, axes, eps, moments, shape, needs):
    """With h = γ g, and means over the axes:

        ∂/∂x = (h − mean(h) − x̂ mean(h x̂)) / √(var + ε),   ∂/∂γ = Σ g x̂,   ∂/∂β = Σ g

    Where γ is constant along the axes it moves in front, and one pair of means serves all three.
    """
    mean, var = _moments(x, axes) if isinstance(g, Tensor) else moments  # for a Tensor, moments that depend on x
    scale = 1 / np.sqrt(var + eps)
    normalized = (x - mean) * scale
    constant = _is_constant(shape, axes)
    h = g if constant or weight is None else g * weight
    along = h * normalized
    mean_h, mean_along = h.mean(axis=axes, keepdims=True), along.mean(axis=axes, keepdims=True)
    slope_weight = slope_bias = None
    if needs[1] or needs[2]:
        n = math.prod(x.shape[axis] for axis in axes)
        slope_weight = unbroadcast(mean_along * n if constant else g * normalized, shape, g.dtype)
        slope_bias = unbroadcast(mean_h * n if constant else g, shape, g.dtype)
    slope = h - mean_h - normalized * mean_along
    return slope * (scale if weight is None or not constant else scale * weight), slope_weight, slope_bias


standardize = op("standardize", _standardize, backward=_standardize_slopes)


def _normalized(name, x, weight, bias, axes, shape, eps):
    """γ x̂ + β for weight and bias of the given broadcast shape, or None; and the moments as arrays."""
    if not x.is_floating_point():
        raise NotImplementedError(
            f"{name}: the input must have a floating dtype, got {x.dtype}; convert it with .float()"
        )
    for value in (weight, bias):
        if value is not None and value.dtype != x.dtype:
            raise RuntimeError(
                f"{name}: dtypes {x.dtype} and {value.dtype} differ; convert one of them with .to(dtype)"
            )
    weight, bias = (None if value is None else value.reshape(shape) for value in (weight, bias))
    moments = _moments(x.array, axes)
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
        return input * scale.reshape(shape) + shift.reshape(shape)
    axes = (0, *range(2, input.ndim))
    n = input.array.size // input.array.shape[1] if input.array.shape[1] else 0
    if n == 1:
        raise ValueError(f"batch_norm: in training a channel needs more than one value, got {tuple(input.shape)}")
    y, moments = _normalized("batch_norm", input, weight, bias, axes, shape, eps)
    _track(running_mean, running_var, moments, momentum, n)
    return y


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


def rms_norm(input, normalized_shape, weight=None, eps=None):
    """x / √(mean(x²) + ε) · weight, the mean over the last dimensions, normalized_shape; eps: the dtype's own by default.

    (Zhang & Sennrich 2019, arXiv:1910.07467.)
    """
    shape = _normalized_shape("rms_norm", input, normalized_shape, weight=weight)
    dim = tuple(range(input.ndim - len(shape), input.ndim))
    eps = finfo(input.dtype).eps if eps is None else eps
    y = input * rsqrt((input * input).mean(dim, keepdim=True) + eps)
    return y if weight is None else y * weight
