"""Clipping of gradients, and the half-life of an LSTM's cell."""

import math

import numpy as np


def clip_grad_norm(grads, max_norm):
    """Scale all gradients, in place, so that their common norm is max_norm at most; returns the norm before."""
    norm = math.sqrt(sum(float(np.sum(g * g)) for g in grads.values()))
    if norm > max_norm:
        for g in grads.values():
            g *= max_norm / norm
    return norm


def half_life(bias):
    """The steps after which half is left of a cell whose forget gate is σ(bias)."""
    return math.log(0.5) / math.log(1 / (1 + math.exp(-bias)))


def forget_bias(steps):
    """The bias of a forget gate with which half is left after so many steps."""
    f = 0.5 ** (1 / steps)
    return math.log(f / (1 - f))
