"""Distances between vectors, and the losses of pairs, triples and counts."""

import math

from ..precision import listed
from .activation import floating, logsigmoid
from .elementwise import exp, log, minimum, square, where
from .loss import _check_reduction, _reduced

__all__ = ["cdist", "pairwise_distance"]

# --- distances --------------------------------------------------------------------------------------------------------


@listed
def pairwise_distance(x1, x2, p=2.0, eps=1e-6, keepdim=False):
    """‖x1 − x2 + eps‖_p over the last dimension; the two broadcast."""
    return (x1 - x2 + eps).norm(p, -1, keepdim)


@listed
def cdist(x1, x2, p=2.0, compute_mode="use_mm_for_euclid_dist_if_necessary"):
    """The p-norm distances of every row of x1 (…, P, M) to every row of x2 (…, R, M): (…, P, R). compute_mode changes no meaning."""
    for x in (x1, x2):
        if floating("cdist", x).ndim < 2:
            raise RuntimeError(f"cdist: expected at least two dimensions, got {tuple(x.shape)}")
    if x1.shape[-1] != x2.shape[-1]:
        raise RuntimeError(f"cdist: rows of {tuple(x1.shape)} and {tuple(x2.shape)} have different lengths")
    return (x1.unsqueeze(-2) - x2.unsqueeze(-3)).norm(p, -1)


# --- pairs and triples ------------------------------------------------------------------------------------------------


@listed
def margin_ranking_loss(input1, input2, target, margin=0.0, size_average=None, reduce=None, reduction="mean"):
    """max(0, margin − t (x1 − x2)): t = 1 where x1 should be the larger, −1 where x2."""
    _check_reduction("margin_ranking_loss", reduction, size_average, reduce)
    return _reduced((margin - target * (input1 - input2)).clamp(min=0), reduction)


@listed
def hinge_embedding_loss(input, target, margin=1.0, size_average=None, reduce=None, reduction="mean"):
    """The distance x where t = 1, max(0, margin − x) where t = −1."""
    _check_reduction("hinge_embedding_loss", reduction, size_average, reduce)
    alike, unlike = where(target != -1, input, 0.0), where(target != 1, (margin - input).clamp(min=0), 0.0)
    return _reduced(alike + unlike, reduction)


@listed
def soft_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """log(1 + exp(−t x))."""
    _check_reduction("soft_margin_loss", reduction, size_average, reduce)
    return _reduced(-logsigmoid(target * input), reduction)


@listed
def cosine_embedding_loss(input1, input2, target, margin=0, size_average=None, reduce=None, reduction="mean"):
    """With c the cosine of x1 and x2, (N, D) or (D,): 1 − c where t = 1, max(0, c − margin) where t = −1."""
    _check_reduction("cosine_embedding_loss", reduction, size_average, reduce)
    if target.ndim + 1 != input1.ndim or input1.ndim != input2.ndim:
        raise RuntimeError(
            f"cosine_embedding_loss: inputs {tuple(input1.shape)} and {tuple(input2.shape)} need a target of one dimension less, "
            f"not {tuple(target.shape)}"
        )
    lengths = (square(input1).sum(-1) + 1e-12) * (square(input2).sum(-1) + 1e-12)
    cosine = (input1 * input2).sum(-1) / lengths.sqrt()
    alike, unlike = where(target == 1, 1 - cosine, 0.0), where(target == -1, (cosine - margin).clamp(min=0), 0.0)
    return _reduced(alike + unlike, reduction)


@listed
def triplet_margin_loss(
    anchor, positive, negative, margin=1.0, p=2, eps=1e-6, swap=False, size_average=None, reduce=None, reduction="mean"
):
    """max(0, margin + d(anchor, positive) − d(anchor, negative)); swap: d(positive, negative) where that is the smaller."""
    _check_reduction("triplet_margin_loss", reduction, size_average, reduce)
    near, far = pairwise_distance(anchor, positive, p, eps), pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = minimum(far, pairwise_distance(positive, negative, p, eps))
    return _reduced((margin + near - far).clamp(min=0), reduction)


# --- likelihoods ------------------------------------------------------------------------------------------------------


def gaussian_nll_loss(input, target, var, full=False, eps=1e-6, reduction="mean"):
    """½ (log v + (x − t)² / v), with v = max(var, eps), through which gradients pass as if it were var; full: plus ½ log 2π.

    var: of the input's shape, or with a last dimension of 1, or without one.
    """
    _check_reduction("gaussian_nll_loss", reduction)
    if isinstance(var, float):
        var = input.new_full(input.shape, var)
    if var.shape != input.shape and var.shape == input.shape[:-1]:
        var = var.unsqueeze(-1)
    if var.shape not in (input.shape, (*input.shape[:-1], 1)):
        raise ValueError(f"gaussian_nll_loss: var {tuple(var.shape)} does not fit the input {tuple(input.shape)}")
    if (var.array < 0).any():
        raise ValueError("gaussian_nll_loss: var must not be negative")
    var = var + (var.detach().clamp(min=eps) - var.detach())
    loss = 0.5 * (log(var) + square(input - target) / var)
    return _reduced(loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)


@listed
def poisson_nll_loss(
    input, target, log_input=True, full=False, size_average=None, eps=1e-8, reduce=None, reduction="mean"
):
    """exp(x) − t x, or without log_input x − t log(x + eps); full: plus Stirling's t log t − t + ½ log 2πt where t > 1."""
    _check_reduction("poisson_nll_loss", reduction, size_average, reduce)
    loss = exp(input) - target * input if log_input else input - target * log(input + eps)
    if full:
        t = where(target > 1, target, 1)
        loss = loss + where(target > 1, t * log(t) - t + 0.5 * log(2 * math.pi * t), 0.0)
    return _reduced(loss, reduction)
