"""Losses: how far a prediction is from its target, as one number."""

import math
import warnings

import numpy as np

from .. import backend
from ..precision import listed
from ..tensor import Tensor
from . import elementwise
from .activation import exp_shifted, floating, log_softmax, logsigmoid, sigma, softmax, sum_along
from .define import binary, op


def _check_reduction(name, reduction, size_average=None, reduce=None, also=()):
    if size_average is not None or reduce is not None:
        raise NotImplementedError(
            f'{name}: size_average and reduce are not supported; use reduction="mean", "sum" or "none"'
        )
    if reduction not in ("none", "mean", "sum", *also):
        raise ValueError(f'{name}: reduction must be "none", "mean" or "sum", not {reduction!r}')


def _reduced(losses, reduction):
    return losses if reduction == "none" else losses.mean() if reduction == "mean" else losses.sum()


# --- classes ----------------------------------------------------------------------------------------------------------


def _as_rows(input):
    """(C,), (N, C) or (N, C, d1, …) as rows of classes (M, C)."""
    if input.ndim == 2:
        return input
    if input.ndim == 1:
        return input.reshape(1, -1)
    n, classes, length = input.shape[0], input.shape[1], math.prod(input.shape[2:])
    return input.reshape(n, classes, length).mT.reshape(n * length, classes)


class _Targets:
    """Class numbers for rows of classes, checked: one vector, with 0 where ignored.

    weights: an array with the weight of each row, or None where all are 1. total: what a mean divides by, the sum of the weights.
    """

    def __init__(self, name, input, target, weight, ignore_index):
        if target.dtype not in (backend.int64, backend.uint8):
            raise RuntimeError(
                f"{name}: class numbers must be int64, not {target.dtype}; probabilities have the input's shape {tuple(input.shape)}"
            )
        sizes = input.array.shape
        shape = sizes[:1] + sizes[2:] if len(sizes) > 1 else ()
        if target.array.shape != shape:
            error = ValueError if input.ndim == 2 and target.ndim else RuntimeError
            raise error(
                f"{name}: input {tuple(input.shape)} needs a target of shape {shape}, not {tuple(target.shape)}"
            )
        self.classes = sizes[1 if len(sizes) > 1 else 0]
        self.rows = (
            target if len(shape) == 1 and target.dtype == backend.int64 else target.reshape(-1).to(backend.int64)
        )
        array, valid = self.rows.array, None
        low, high = (array.min(), array.max()) if array.size else (0, 0)
        if low <= ignore_index <= high:
            valid = array != ignore_index
            array = np.where(valid, array, 0)
            self.rows = Tensor(array)
            low, high = (array.min(), array.max()) if array.size else (0, 0)
        if array.size and (low < 0 or high >= self.classes) and (valid is None or valid.any()):
            raise IndexError(
                f"{name}: class numbers from {low} to {high}, but there are {self.classes} classes, from 0 on"
            )
        if weight is not None:
            _check_weight(name, input, weight, self.classes)
            self.weights = weight.array[array] if valid is None else weight.array[array] * valid
            self.total = self.weights.sum().item()
        else:
            self.weights = None if valid is None else valid.astype(input.dtype)
            self.total = array.size if valid is None else int(valid.sum())
        self.any = valid is None and bool(array.size) or valid is not None and bool(valid.any())


def _check_weight(name, input, weight, classes):
    if tuple(weight.shape) != (classes,):
        raise RuntimeError(
            f"{name}: weight {tuple(weight.shape)} must have one entry for each of the {classes} classes"
        )
    if weight.dtype != input.dtype:
        raise RuntimeError(
            f"{name}: weight is {weight.dtype}, the input {input.dtype}; convert it with .to({input.dtype})"
        )


def _places(target):
    return np.arange(len(target), like=target), target


def _cross_entropy_forward(logits, target, *, weights, divisor):
    """weight · (log Σ exp(z) − z[target]) per row, or their sum / divisor; and its slope in z, weight · (softmax(z) − 1[target]), of a row."""
    slope, m = exp_shifted(logits, 1)
    total, at = sum_along(slope, 1), _places(target)
    picked = logits[at][:, None] - m  # the large numbers meet first, and leave a small one
    losses = (np.log(total) - picked)[:, 0]
    slope /= total
    slope[at] -= 1
    if weights is not None:
        losses = np.where(weights == 0, 0 * weights, losses * weights)  # an ignored row may hold anything
        slope *= weights[:, None]
    return (losses if divisor is None else losses.sum() / divisor), slope


def _cross_entropy_slope(g, saved, logits, target, weights, divisor):
    slope = saved
    if slope is None:
        hot = np.zeros_like(logits.array)
        hot[_places(target.array)] = 1
        slope = softmax(logits, 1) - hot
        slope = slope if weights is None else slope * weights[:, None]
    return (g if divisor is None else g / divisor).reshape((-1, 1)) * slope


_cross_entropy = op("cross_entropy", _cross_entropy_forward, _cross_entropy_slope, None)


@listed
def cross_entropy(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0
):
    """−Σ q log softmax(input) over the classes, with q the target's distribution.

    input: logits (C,), (N, C) or (N, C, d1, …). target: class numbers, int64, (), (N,) or (N, d1, …); or probabilities of the input's shape.
    weight: (C,), a factor for each class. Rows whose class number is ignore_index count nothing. label_smoothing ε: q becomes (1 − ε) q + ε / C.
    The mean is over rows, weighted by their class's weight; over probabilities it divides by the number of rows.
    """
    _check_reduction("cross_entropy", reduction, size_average, reduce)
    floating("cross_entropy", input)
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"cross_entropy: label_smoothing must be between 0 and 1, not {label_smoothing}")
    if target.dtype.kind == "f" and target.shape == input.shape:
        return _cross_entropy_of_probabilities(input, target, weight, ignore_index, reduction, label_smoothing)
    targets = _Targets("cross_entropy", input, target, weight, ignore_index)
    logits = _as_rows(input)
    if label_smoothing:
        q = np.full_like(logits.array, label_smoothing / targets.classes)
        q[_places(targets.rows.array)] += 1 - label_smoothing
        q = q if weight is None else q * weight.array
        valid = (target.array.reshape(-1) != ignore_index)[:, None]
        losses = -(q * valid * log_softmax(logits, 1)).sum(1)
        losses = losses if reduction == "none" else losses.sum()
    else:
        mean = reduction == "mean" and targets.any
        divisor = targets.total if mean else None if reduction == "none" else 1
        losses = _cross_entropy(logits, targets.rows, weights=targets.weights, divisor=divisor)
        if mean:
            return losses
    return _over_rows(losses, targets, reduction, target.shape)


def _over_rows(losses, targets, reduction, shape):
    """A sum over rows as their mean where one is asked for; row by row in the target's shape."""
    if reduction == "mean":  # of no row at all the mean is NaN, as PyTorch has it, and the gradient 0
        return losses / targets.total if targets.any else losses * 1 + math.nan
    return losses.reshape(shape) if reduction == "none" else losses


def _cross_entropy_of_probabilities(input, target, weight, ignore_index, reduction, label_smoothing):
    if ignore_index >= 0:
        raise RuntimeError(f"cross_entropy: ignore_index={ignore_index} has no meaning for a target of probabilities")
    dim = 1 if input.ndim > 1 else 0
    classes = input.shape[dim]
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    losses = -target * log_softmax(input, dim)
    if weight is not None:
        _check_weight("cross_entropy", input, weight, classes)
        losses = losses * weight.reshape((-1,) + (1,) * max(input.ndim - 2, 0))
    losses = losses.sum(dim)
    return losses.sum() / losses.numel() if reduction == "mean" else _reduced(losses, reduction)


@listed
def nll_loss(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"):
    """−input[target], for log probabilities: input (C,), (N, C) or (N, C, d1, …), target int64 (), (N,) or (N, d1, …). As cross_entropy."""
    _check_reduction("nll_loss", reduction, size_average, reduce)
    targets = _Targets("nll_loss", floating("nll_loss", input), target, weight, ignore_index)
    losses = -_as_rows(input)[np.arange(targets.rows.numel(), like=targets.rows.array), targets.rows]
    if targets.weights is not None:
        losses = elementwise.where(Tensor(targets.weights != 0), losses * targets.weights, Tensor(0 * targets.weights))
    return _over_rows(losses if reduction == "none" else losses.sum(), targets, reduction, target.shape)


# --- numbers ----------------------------------------------------------------------------------------------------------

_mse = binary(
    "mse_loss", lambda a, b: np.square(a - b), lambda g, a, b: g * (2 * (a - b)), lambda g, a, b: g * (2 * (b - a))
)
_l1 = binary(
    "l1_loss", lambda a, b: np.abs(a - b), lambda g, a, b: g * np.sign(a - b), lambda g, a, b: g * np.sign(b - a)
)


def _huber_forward(d, *, delta):
    size = np.abs(d)
    return np.where(size < delta, 0.5 * size * size, delta * (size - 0.5 * delta))


_huber = op("huber_loss", _huber_forward, lambda g, d, delta: g * np.minimum(np.maximum(d, -delta), delta))


def _pair(name, input, target, weight=None):
    """Input and target; a warning where they differ in shape, which broadcasting would hide."""
    if weight is not None:
        raise NotImplementedError(f'{name}: weight is not supported; use reduction="none" and multiply')
    if target.dtype.kind != "f":
        floating(name, input)
    if input.shape != target.shape:
        warnings.warn(
            f"{name}: input {tuple(input.shape)} and target {tuple(target.shape)} differ in shape and are broadcast; is that meant?",
            stacklevel=3,
        )
    return input, target


@listed
def mse_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """(input − target)²."""
    _check_reduction("mse_loss", reduction, size_average, reduce)
    return _reduced(_mse(*_pair("mse_loss", input, target, weight)), reduction)


@listed
def l1_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """|input − target|."""
    _check_reduction("l1_loss", reduction, size_average, reduce)
    return _reduced(_l1(*_pair("l1_loss", input, target, weight)), reduction)


@listed
def huber_loss(input, target, reduction="mean", delta=1.0, weight=None):
    """½ d² where d = |input − target| < delta, delta (d − ½ delta) elsewhere."""
    _check_reduction("huber_loss", reduction)
    if delta <= 0:
        raise RuntimeError(f"huber_loss: delta must be greater than 0, not {delta}")
    return _reduced(_huber(elementwise.sub(*_pair("huber_loss", input, target, weight)), delta=delta), reduction)


@listed
def smooth_l1_loss(input, target, size_average=None, reduce=None, reduction="mean", beta=1.0):
    """½ d² / beta where d = |input − target| < beta, d − ½ beta elsewhere."""
    _check_reduction("smooth_l1_loss", reduction, size_average, reduce)
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss: beta must not be negative, it is {beta}")
    pair = _pair("smooth_l1_loss", input, target)
    return _reduced(_l1(*pair) if beta == 0 else _huber(elementwise.sub(*pair), delta=beta) / beta, reduction)


# --- probabilities ----------------------------------------------------------------------------------------------------


def _bce_forward(p, t):
    with np.errstate(divide="ignore"):  # log 0 is cut off
        return -(t * np.maximum(np.log(p), -100) + (1 - t) * np.maximum(np.log1p(-p), -100))


_bce = binary(
    "binary_cross_entropy",
    _bce_forward,
    lambda g, a, b: g * (a - b) / np.maximum(a * (1 - a), 1e-12),
    lambda g, a: g * (np.log1p(-a) - np.log(a)),
)
_bce_with_logits = binary(
    "binary_cross_entropy_with_logits",
    lambda x, t: np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x))),
    lambda g, a, b: g * (sigma(a) - b),
    lambda g, a: -g * a,
)
_kl = binary(
    "kl_div",
    lambda a, b: np.where(b == 0, 0 * b, b * np.log(np.where(b == 0, np.ones_like(b), b))) - b * a,
    lambda g, b: -g * b,
    lambda g, a, b: g * (np.log(b) + 1 - a),
)
_kl_log = binary(
    "kl_div_log",
    lambda a, b: np.exp(b) * (b - a),
    lambda g, b: -g * np.exp(b),
    lambda g, a, b: g * np.exp(b) * (b - a + 1),
)


def _same_size(name, input, target):
    if input.shape != target.shape:
        raise ValueError(
            f"{name}: input {tuple(input.shape)} and target {tuple(target.shape)} must have the same shape"
        )


@listed
def binary_cross_entropy(input, target, weight=None, size_average=None, reduce=None, reduction="mean"):
    """−t log p − (1 − t) log(1 − p), for probabilities p = input; the logarithms are cut off at −100. weight: a factor, broadcast."""
    _check_reduction("binary_cross_entropy", reduction, size_average, reduce)
    _same_size("binary_cross_entropy", floating("binary_cross_entropy", input), target)
    for name, values in (("input", input.array), ("target", target.array)):
        if values.size and not (values.min() >= 0 and values.max() <= 1):
            raise RuntimeError(
                f"binary_cross_entropy: the {name} must lie between 0 and 1; for logits use binary_cross_entropy_with_logits"
            )
    losses = _bce(input, target)
    return _reduced(losses if weight is None else losses * weight, reduction)


@listed
def binary_cross_entropy_with_logits(
    input, target, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None
):
    """binary_cross_entropy(σ(input), target), without overflow. pos_weight: a factor for the part of t = 1, broadcast; weight: for the whole."""
    _check_reduction("binary_cross_entropy_with_logits", reduction, size_average, reduce)
    _same_size("binary_cross_entropy_with_logits", floating("binary_cross_entropy_with_logits", input), target)
    if pos_weight is None:
        losses = _bce_with_logits(input, target)
    else:
        losses = (1 - target) * input - (1 + (pos_weight - 1) * target) * logsigmoid(input)
    return _reduced(losses if weight is None else losses * weight, reduction)


@listed
def kl_div(input, target, size_average=None, reduce=None, reduction="mean", log_target=False):
    """t (log t − input), for log probabilities input; with log_target the target is log t. "batchmean" divides the sum by the batch."""
    _check_reduction("kl_div", reduction, size_average, reduce, also=("batchmean",))
    losses = (_kl_log if log_target else _kl)(floating("kl_div", input), target)
    return (
        losses.sum() / (input.shape[0] if input.ndim else 1)
        if reduction == "batchmean"
        else _reduced(losses, reduction)
    )
