"""Losses: how far a prediction is from its target, as one number."""

import numpy as np

from .activation import exp_shifted, softmax
from .define import op

REDUCTIONS = ("none", "mean", "sum")


def _check_reduction(name, reduction, size_average=None, reduce=None):
    if size_average is not None or reduce is not None:
        raise NotImplementedError(
            f'{name}: size_average and reduce are not supported; use reduction="mean", "sum" or "none"'
        )
    if reduction not in REDUCTIONS:
        raise ValueError(f'{name}: reduction must be "none", "mean" or "sum", not {reduction!r}')


# --- classes ----------------------------------------------------------------------------------------------------------


def _cross_entropy_forward(logits, *, target, weight, scale, reduced):
    """log Σ exp(z) − z[target] per row, and its slope in z, softmax(z) − 1[target]: weight times each, and reduced to scale · Σ."""
    p, m = exp_shifted(logits, 1)
    total = p.sum(axis=1, keepdims=True)
    at = (np.arange(len(target), like=target), target)
    losses = (np.log(total) + m)[:, 0] - logits[at]
    p /= total
    p[at] -= 1
    if weight is not None:
        losses = np.where(weight == 0, np.zeros_like(losses), losses * weight)
        p *= weight[:, None]
    return (losses.sum() * scale if reduced else losses), p


def _cross_entropy_slope(g, saved, logits, target, weight, scale):
    slope = saved
    if slope is None:
        slope = softmax(logits, 1) - _one_hot(target, logits)
        slope = slope if weight is None else slope * weight[:, None]
    return (g * scale).reshape((-1, 1)) * slope


def _one_hot(target, like):
    hot = np.zeros_like(like.array)
    hot[np.arange(len(target)), target] = 1
    return hot


_cross_entropy = op("cross_entropy", _cross_entropy_forward, _cross_entropy_slope)


def _as_rows(input):
    """(C,), (N, C) or (N, C, d1, …) as rows of classes (M, C)."""
    if input.ndim == 2:
        return input
    if input.ndim == 1:
        return input.reshape((1, -1))
    n, c = input.shape[:2]
    length = int(np.prod(input.shape[2:], dtype=np.int64))
    return input.reshape((n, c, length)).mT.reshape((n * length, c))


def _row_weights(name, target, classes, weight, ignore_index):
    """Target (M,) with ignored rows set to class 0; the rows' weights (M,), or None where all are 1; and the sum of the weights."""
    ignored = target == ignore_index
    if not ignored.any():
        ignored = None
    else:
        target = np.where(ignored, 0, target)
    if target.size and (target.min() < 0 or target.max() >= classes):
        raise IndexError(
            f"{name}: targets from {target.min()} to {target.max()}, but there are {classes} classes, 0 to {classes - 1}"
        )
    if weight is not None:
        if weight.shape != (classes,):
            raise RuntimeError(
                f"{name}: weight {tuple(weight.shape)} must have one entry for each of the {classes} classes"
            )
        weights = weight[target] if ignored is None else weight[target] * ~ignored
        return target, weights, weights.sum().item()
    return target, None if ignored is None else ~ignored, target.size if ignored is None else int((~ignored).sum())


def cross_entropy(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0
):
    """−log softmax(input)[target]: input (C,), (N, C) or (N, C, d1, …), target int64 (), (N,) or (N, d1, …)."""
    _check_reduction("cross_entropy", reduction, size_average, reduce)
    shape = target.shape
    logits, classes = _as_rows(input), input.shape[1 if input.ndim > 1 else 0]
    weight = None if weight is None else weight.array
    target, weights, total = _row_weights("cross_entropy", target.array.reshape(-1), classes, weight, ignore_index)
    if weights is not None and weights.dtype.kind == "b":
        weights = weights.astype(logits.dtype)
    scale = 1.0 if reduction != "mean" else 1 / total if total else float("nan")
    loss = _cross_entropy(logits, target=target, weight=weights, scale=scale, reduced=reduction != "none")
    return loss.reshape(shape) if reduction == "none" else loss
