"""Activations: functions of one tensor that layers put between their products."""

import math

import numpy as np

from .. import threads
from ..precision import listed
from ..tensor import Tensor, method
from . import elementwise, special
from .define import op
from .dims import dim_of

__all__ = ["softmax", "log_softmax", "prelu", "selu"]


def floating(name, x):
    """x itself; TypeError where it is no Tensor, NotImplementedError where it holds no floating-point numbers."""
    if not isinstance(x, Tensor):
        raise TypeError(f"{name}: expected a Tensor, got {type(x).__name__}; framework.tensor(...) makes one")
    if x.array.dtype.kind != "f":
        raise NotImplementedError(f"{name}: needs a floating-point tensor, got {x.dtype}; convert it with .float()")
    return x


# --- over one dimension -----------------------------------------------------------------------------------------------


def is_small(x):
    """Whether exp(x) can neither overflow nor vanish, nor a sum of it: all |x| ≤ 16, in float32 and float64."""
    return not x.size or x.itemsize >= 4 and x.max() <= 16 and x.min() >= -16


def exp_shifted(x, dim):
    """exp(x − m) and m, on arrays: softmax is the same for every shift m, so m is chosen against overflow.

    The maximum along dim always does. Where all x are small no shift is needed, and no digit is lost without one; that saves
    the maximum of each row, which costs more than the exponential where rows are short.
    """
    if is_small(x):
        return np.exp(x), 0
    m = x.max(axis=dim, keepdims=True)
    t = x - m
    return np.exp(t, out=t), m


def sum_along(x, dim):
    """Σ along dim, which stays with size 1. Over the last dimension of an array as a product with ones: a fifth of sum's time on short rows."""
    if isinstance(x, Tensor) or x.ndim < 2 or dim % x.ndim != x.ndim - 1 or x.itemsize < 4:
        return x.sum(axis=dim, keepdims=True)
    return x @ np.ones_like(x, shape=(x.shape[-1], 1))


def _softmax_forward(x, *, dim):
    y, _ = exp_shifted(x, dim)
    y /= sum_along(y, dim)
    return y


def _log_softmax_forward(x, *, dim):
    t, m = exp_shifted(x, dim)
    y = x - m
    y -= np.log(sum_along(t, dim))
    return y


_softmax = op("softmax", _softmax_forward, lambda g, y, dim: y * (g - sum_along(g * y, dim)))
_log_softmax = op("log_softmax", _log_softmax_forward, lambda g, y, dim: g - np.exp(y) * sum_along(g, dim))


def _prepared(name, x, dim, dtype):
    if dim is None:
        raise NotImplementedError(
            f"{name}: dim=None, the choice of a dimension by rank, is not supported; name the dimension"
        )
    x = floating(name, x if dtype is None or x.dtype == dtype else x.to(dtype))
    return (x if x.ndim else x.reshape(1)), dim_of(name, dim, x.ndim)


@method()
def softmax(input, dim=None, dtype=None):
    """exp(x) / Σ exp(x) along dim. dtype: what the input is converted to first."""
    x, dim = _prepared("softmax", input, dim, dtype)
    y = _softmax(x, dim=dim)
    return y if input.ndim else y.reshape(())


@method()
def log_softmax(input, dim=None, dtype=None):
    """x − log Σ exp(x) along dim. dtype: what the input is converted to first."""
    x, dim = _prepared("log_softmax", input, dim, dtype)
    y = _log_softmax(x, dim=dim)
    return y if input.ndim else y.reshape(())


def softmin(input, dim=None, dtype=None):
    """softmax(−x)."""
    return softmax(-input, dim, dtype)


# --- elementwise ------------------------------------------------------------------------------------------------------

_SQRT_HALF = math.sqrt(0.5)
_INV_SQRT_2PI = 1 / math.sqrt(2 * math.pi)
_SQRT_2_OVER_PI = math.sqrt(2 / math.pi)


def _gelu_op(name, cdf, slope, composite):
    """The op x Φ(x), of `cdf(x)`, which is Φ, and `slope(g, x, Φ, out)`, which fills in the gradient.

    Only x is saved, as in PyTorch, and Φ computed again: the values at hand between a model's layers are most of a step's memory.
    """

    def forward(x):
        y = np.empty_like(x)
        threads.elementwise(lambda x, y: np.multiply(x, cdf(x), out=y), x, y, passes=8)
        return y

    def backward(g, x):
        y = np.empty_like(x)
        threads.elementwise(lambda g, x, y: slope(g, x, cdf(x), y), g, x, y, passes=8)
        return y

    return op(name, forward, backward, composite=composite)


def _cdf(x):
    """Φ(x): the normal distribution's cumulative function."""
    y = special.erf(x * _SQRT_HALF)
    y *= 0.5
    y += 0.5
    return y


def _gelu_slope(g, x, cdf, out):
    """g (Φ(x) + x φ(x)), with φ the normal density."""
    np.multiply(x, x, out=out)
    out *= -0.5
    np.exp(out, out=out)
    out *= x
    out *= _INV_SQRT_2PI
    out += cdf
    out *= g


def _cdf_tanh(x):
    """½ (1 + tanh a) = σ(2a), with a = √(2/π) (x + 0.044715 x³)."""
    y = x * x
    y *= 0.044715 * _SQRT_2_OVER_PI
    y += _SQRT_2_OVER_PI
    y *= x
    y = np.tanh(y)
    y *= 0.5
    y += 0.5
    return y


def _gelu_tanh_slope(g, x, s, out):
    """g s (1 + 2 x a' (1 − s)), with a' = √(2/π) (1 + 3 · 0.044715 x²)."""
    np.multiply(x, x, out=out)
    out *= 6 * 0.044715 * _SQRT_2_OVER_PI
    out += 2 * _SQRT_2_OVER_PI
    out *= x
    out *= 1 - s
    out += 1
    out *= s
    out *= g


_gelu = {
    "none": _gelu_op("gelu", _cdf, _gelu_slope, lambda x: x * (0.5 + 0.5 * elementwise.erf(x * _SQRT_HALF))),
    "tanh": _gelu_op("gelu_tanh", _cdf_tanh, _gelu_tanh_slope, lambda x: 0.5 * x * (1 + elementwise.tanh(_SQRT_2_OVER_PI * (x + 0.044715 * x * x * x)))),
}  # fmt: skip


def gelu(input, approximate="none"):
    """x Φ(x), with Φ the normal distribution's cumulative function; approximate="tanh": GPT-2's ½x(1 + tanh(√(2/π)(x + 0.044715x³)))."""
    if approximate not in _gelu:
        raise RuntimeError(f'gelu: approximate must be "none" or "tanh", not {approximate!r}')
    return _gelu[approximate](floating("gelu", input))


def sigma(x):
    """The sigmoid, of an array or a Tensor."""
    return elementwise.sigmoid(x) if isinstance(x, Tensor) else special.sigmoid(x)


def _silu_forward(x):
    s = special.sigmoid(x)
    return x * s, s


def _silu_slope(g, saved, x):
    s = sigma(x) if saved is None else saved
    return g * (s * (1 + x * (1 - s)))


_silu = op("silu", _silu_forward, _silu_slope)
_leaky_relu = op(
    "leaky_relu",
    lambda x, *, slope: np.where(x > 0, x, slope * x),
    lambda g, x, slope: np.where(x > 0, g, slope * g),
)
_elu = op(
    "elu",
    lambda x, *, alpha, scale: np.where(x > 0, scale * x, scale * alpha * np.expm1(np.minimum(x, 0))),
    lambda g, x, y, alpha, scale: np.where(x <= 0, g * (y + scale * alpha), scale * g),
)
_hardtanh = op(
    "hardtanh",
    lambda x, *, low, high: np.minimum(np.maximum(x, low), high),
    lambda g, x, low, high: g * ((x > low) & (x < high)),
)
_softplus = op(
    "softplus",
    lambda x, *, beta, threshold: np.where(
        x * beta > threshold, x, np.log1p(np.exp(np.minimum(x * beta, threshold))) / beta
    ),
    lambda g, x, beta, threshold: np.where(x * beta > threshold, g, g * sigma(x * beta)),
)
_logsigmoid = op("logsigmoid", lambda x: np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x))), lambda g, x: g * sigma(-x))


def finish(input, result, inplace):
    """The result, or with `inplace` the input with the result written into it."""
    return input.write(result) if inplace else result


def relu(input, inplace=False):
    """max(x, 0)."""
    return finish(input, elementwise.relu(input), inplace)


def relu6(input, inplace=False):
    """min(max(x, 0), 6)."""
    return hardtanh(floating("relu6", input), 0.0, 6.0, inplace)


def hardtanh(input, min_val=-1.0, max_val=1.0, inplace=False):
    """x limited to [min_val, max_val]; no gradient passes at the limits."""
    return finish(input, _hardtanh(floating("hardtanh", input), low=min_val, high=max_val), inplace)


def leaky_relu(input, negative_slope=0.01, inplace=False):
    """x where x > 0, negative_slope · x elsewhere."""
    return finish(input, _leaky_relu(floating("leaky_relu", input), slope=negative_slope), inplace)


def elu(input, alpha=1.0, inplace=False):
    """x where x > 0, alpha · (exp(x) − 1) elsewhere."""
    return finish(input, _elu(floating("elu", input), alpha=alpha, scale=1.0), inplace)


def selu(input, inplace=False):
    """scale · elu(x, alpha), with the two constants that keep mean 0 and variance 1 (Klambauer et al. 2017)."""
    return finish(input, _elu(floating("selu", input), alpha=1.6732632423543772, scale=1.0507009873554805), inplace)


def silu(input, inplace=False):
    """x σ(x)."""
    return finish(input, _silu(floating("silu", input)), inplace)


def softplus(input, beta=1.0, threshold=20.0):
    """log(1 + exp(beta · x)) / beta; x itself where beta · x > threshold."""
    return _softplus(floating("softplus", input), beta=beta, threshold=threshold)


def logsigmoid(input):
    """log σ(x), without overflow."""
    return _logsigmoid(floating("logsigmoid", input))


@method()
@listed
def prelu(input, weight):
    """x where x > 0, weight · x elsewhere; weight has one element, or one for each channel (dimension 1)."""
    channels = floating("prelu", input).shape[1] if input.ndim > 1 else 1
    if weight.ndim > 1 or weight.numel() not in (1, channels):
        raise RuntimeError(
            f"prelu: weight {tuple(weight.shape)} must have 1 element or one for each of the {channels} channels of {tuple(input.shape)}"
        )
    if weight.numel() > 1:
        weight = weight.reshape((-1,) + (1,) * (input.ndim - 2))
    return elementwise.where(input > 0, input, weight * input)


def glu(input, dim=-1):
    """a σ(b), where a and b are the halves of the input along dim."""
    size = input.shape[dim_of("glu", dim, input.ndim)] if input.ndim else 1
    if size % 2:
        raise RuntimeError(f"glu: dimension {dim} of {tuple(input.shape)} has size {size}, which cannot be halved")
    a, b = input.narrow(dim, 0, size // 2), input.narrow(dim, size // 2, size // 2)
    return a * b.sigmoid()
