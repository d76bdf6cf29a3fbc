"""More activations: hard and soft thresholds, and what networks for small devices use in the place of smooth functions."""

import numpy as np

from .. import backend
from ..precision import listed
from ..tensor import Tensor
from .activation import _leaky_relu, finish, floating, leaky_relu, softmax, softplus
from .define import op
from .elementwise import masked, tanh

_celu = op(
    "celu", lambda x, *, alpha: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha)),
    lambda g, x, y, alpha: np.where(x > 0, g, g * (y / alpha + 1)),
)  # fmt: skip
_hardshrink = op(
    "hardshrink", lambda x, *, lambd: np.where(np.abs(x) <= lambd, np.zeros_like(x), x),
    lambda g, x, lambd: masked(g, ~(np.abs(x) <= lambd)),
)  # fmt: skip
_softshrink = op(
    "softshrink", lambda x, *, lambd: x - np.clip(x, -lambd, lambd), lambda g, x, lambd: masked(g, np.abs(x) > lambd)
)  # fmt: skip
_threshold = op(
    "threshold", lambda x, *, threshold, value: np.where(x <= threshold, np.full_like(x, value), x),
    lambda g, x, threshold, value: masked(g, ~(x <= threshold)),
)  # fmt: skip
_SIXTH = float(np.float32(1 / 6))  # PyTorch rounds the slope so, whatever the dtype
_hardsigmoid = op(
    "hardsigmoid", lambda x: np.clip(x + 3, 0, 6) / 6, lambda g, x: masked(g * _SIXTH, np.abs(x) < 3)
)  # fmt: skip
_hardswish = op(
    "hardswish", lambda x: x * (np.clip(x + 3, 0, 6) / 6),
    lambda g, x: np.where(x >= 3, g, masked(g * (x / 3 + 0.5), np.abs(x) < 3)),
)  # fmt: skip


def celu(input, alpha=1.0, inplace=False):
    """x where x > 0, alpha · (exp(x / alpha) − 1) elsewhere: smooth for every alpha (Barron 2017, arXiv:1704.07483)."""
    if alpha == 0:
        raise RuntimeError("celu: alpha must not be 0")
    return finish(input, _celu(floating("celu", input), alpha=alpha), inplace)


def hardshrink(input, lambd=0.5):
    """x where |x| > lambd, 0 elsewhere."""
    return _hardshrink(floating("hardshrink", input), lambd=lambd)


def softshrink(input, lambd=0.5):
    """x moved towards 0 by lambd, and 0 where |x| ≤ lambd."""
    if lambd < 0:
        raise RuntimeError(f"softshrink: lambd must not be negative, got {lambd}")
    return _softshrink(floating("softshrink", input), lambd=lambd)


def tanhshrink(input):
    """x − tanh(x)."""
    return input - tanh(input)


def softsign(input):
    """x / (1 + |x|)."""
    return input / (1 + input.abs())


def threshold(input, threshold, value, inplace=False):
    """x where x > threshold, value elsewhere."""
    return finish(input, _threshold(input, threshold=threshold, value=value), inplace)


def hardsigmoid(input, inplace=False):
    """min(max(x + 3, 0), 6) / 6 (Howard et al. 2019, arXiv:1905.02244)."""
    return finish(input, _hardsigmoid(floating("hardsigmoid", input)), inplace)


def hardswish(input, inplace=False):
    """x · hardsigmoid(x) (Howard et al. 2019, arXiv:1905.02244)."""
    return finish(input, _hardswish(floating("hardswish", input)), inplace)


@listed
def mish(input, inplace=False):
    """x tanh(log(1 + exp(x))) (Misra 2019, arXiv:1908.08681)."""
    return finish(input, input * tanh(softplus(floating("mish", input))), inplace)


def rrelu(input, lower=1 / 8, upper=1 / 3, training=False, inplace=False):
    """leaky_relu, in training with a slope for each negative element drawn from [lower, upper], else with their mean (Xu et al. 2015)."""
    if lower > upper:
        raise RuntimeError(f"rrelu: lower {lower} must not be above upper {upper}")
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    slopes = backend.random().uniform(lower, upper, input.array.shape).astype(input.dtype)
    return finish(input, _leaky_relu(floating("rrelu", input), slope=backend.to_device(slopes, input.device)), inplace)


def gumbel_softmax(logits, tau=1, hard=False, eps=1e-10, dim=-1):
    """softmax((logits + Gumbel noise) / tau) along dim: a sample of the categories, softened; hard: one-hot, with the soft one's gradient.

    (Jang, Gu & Poole 2016, arXiv:1611.01144.)
    """
    noise = -np.log(backend.random().standard_exponential(logits.array.shape)).astype(logits.dtype)
    y = softmax((logits + Tensor(backend.to_device(noise, logits.device))) / tau, dim)
    if not hard:
        return y
    best = y.detach().argmax(dim, keepdim=True)
    return y.detach().mul(0).scatter(dim, best, 1.0) - y.detach() + y
