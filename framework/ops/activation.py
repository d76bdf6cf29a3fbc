"""Activations: functions of one tensor that layers put between their products."""

import math

import numpy as np

from ..tensor import method
from . import elementwise, special
from .define import op

__all__ = ["softmax", "log_softmax"]


# --- over one dimension -----------------------------------------------------------------------------------------------


def exp_shifted(x, dim):
    """exp(x − m) and m, on arrays: softmax is the same for every shift m, so m is chosen against overflow.

    The maximum along dim always does; where all |x| ≤ 16 no shift is needed, and no precision is lost without one.
    That saves the row maximum, which costs more than the exponential where rows are short.
    """
    if x.size == 0 or (x.max() <= 16 and x.min() >= -16):
        return np.exp(x), 0
    m = x.max(axis=dim, keepdims=True)
    t = x - m
    return np.exp(t, out=t), m


def _softmax_forward(x, *, dim):
    y, _ = exp_shifted(x, dim)
    y /= y.sum(axis=dim, keepdims=True)
    return y


def _log_softmax_forward(x, *, dim):
    t, m = exp_shifted(x, dim)
    y = x - m
    y -= np.log(t.sum(axis=dim, keepdims=True))
    return y


_softmax = op("softmax", _softmax_forward, lambda g, y, dim: y * (g - (g * y).sum(axis=dim, keepdims=True)))
_log_softmax = op("log_softmax", _log_softmax_forward, lambda g, y, dim: g - np.exp(y) * g.sum(axis=dim, keepdims=True))


def _prepared(name, x, dim, dtype):
    if dim is None:
        raise NotImplementedError(
            f"{name}: dim=None, the choice of a dimension by rank, is not supported; name the dimension"
        )
    x = x if dtype is None or x.dtype == dtype else x.to(dtype)
    if x.dtype.kind != "f":
        raise RuntimeError(
            f"{name}: needs a floating-point tensor, got {x.dtype}; give dtype=, or convert with .float()"
        )
    if not -max(x.ndim, 1) <= dim < max(x.ndim, 1):
        raise IndexError(f"{name}: dim={dim} does not exist in shape {tuple(x.shape)}")
    return x if x.ndim else x.reshape((1,))


@method()
def softmax(input, dim=None, dtype=None):
    """exp(x) / Σ exp(x) along dim. dtype: what the input is converted to first."""
    y = _softmax(_prepared("softmax", input, dim, dtype), dim=dim)
    return y if input.ndim else y.reshape(())


@method()
def log_softmax(input, dim=None, dtype=None):
    """x − log Σ exp(x) along dim. dtype: what the input is converted to first."""
    y = _log_softmax(_prepared("log_softmax", input, dim, dtype), dim=dim)
    return y if input.ndim else y.reshape(())


# --- elementwise ------------------------------------------------------------------------------------------------------

_SQRT_HALF = math.sqrt(0.5)
_INV_SQRT_2PI = 1 / math.sqrt(2 * math.pi)
_SQRT_2_OVER_PI = math.sqrt(2 / math.pi)


def _gelu_erf(x):
    """x Φ(x), and Φ(x): the normal distribution's cumulative function."""
    cdf = special.erf(x * _SQRT_HALF)
    cdf *= 0.5
    cdf += 0.5
    return x * cdf, cdf


def _gelu_erf_slope(g, saved, x):
    """g (Φ(x) + x φ(x)), with φ the normal density."""
    slope = x * x
    slope *= -0.5
    slope = np.exp(slope)
    slope *= x
    slope *= _INV_SQRT_2PI
    slope += saved
    slope *= g
    return slope


def _gelu_tanh(x):
    """½ x (1 + t), and t = tanh(√(2/π) (x + 0.044715 x³))."""
    t = x * x
    t *= 0.044715 * _SQRT_2_OVER_PI
    t += _SQRT_2_OVER_PI
    t *= x
    t = np.tanh(t)
    half = 0.5 * x
    y = t * half
    y += half
    return y, t


def _gelu_tanh_slope(g, saved, x):
    """g (½ (1 + t) + ½ x (1 − t²) a'), with a' the slope of the tanh's argument."""
    inner = x * x
    inner *= 1.5 * 0.044715 * _SQRT_2_OVER_PI
    inner += 0.5 * _SQRT_2_OVER_PI
    inner *= x  # ½ x a'
    slope = saved * saved
    slope *= inner
    inner -= slope
    inner += 0.5
    inner += 0.5 * saved
    inner *= g
    return inner


_gelu = {
    "none": op("gelu", _gelu_erf, _gelu_erf_slope, composite=lambda x: x * (0.5 + 0.5 * elementwise.erf(x * _SQRT_HALF))),
    "tanh": op("gelu_tanh", _gelu_tanh, _gelu_tanh_slope, composite=lambda x: 0.5 * x * (1 + elementwise.tanh(_SQRT_2_OVER_PI * (x + 0.044715 * x * x * x)))),
}  # fmt: skip


def gelu(input, approximate="none"):
    """x Φ(x), with Φ the normal distribution's cumulative function; approximate="tanh": GPT-2's ½x(1 + tanh(√(2/π)(x + 0.044715x³)))."""
    if approximate not in _gelu:
        raise RuntimeError(f'gelu: approximate must be "none" or "tanh", not {approximate!r}')
    return _gelu[approximate](input)


def _silu_forward(x):
    sigma = special.sigmoid(x)
    return x * sigma, sigma


def _silu_slope(g, saved, x):
    sigma = elementwise.sigmoid(x) if saved is None else saved
    return g * (sigma * (1 + x * (1 - sigma)))


_silu = op("silu", _silu_forward, _silu_slope)


def silu(input, inplace=False):
    """x σ(x)."""
    return finish(input, _silu(input), inplace)


def relu(input, inplace=False):
    """max(x, 0)."""
    return finish(input, elementwise.relu(input), inplace)


def finish(input, result, inplace):
    """The result, or with `inplace` the input with the result written into it."""
    return input.write(result) if inplace else result
