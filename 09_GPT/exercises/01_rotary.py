"""Rotary embeddings (Su et al. 2021): a position as a rotation of each pair of channels, forward and backward."""

import numpy as np


def angles(positions, D, base=10000.0):  # (T,)
    """The angle of each pair of channels at each position, in radians, (T, D/2)."""
    frequencies = base ** (-np.arange(0, D, 2) / D)  # (D/2,)
    return positions[:, None] * frequencies


def rotate(x, positions, base=10000.0):  # (…, T, D), (T,)
    """Each pair (2i, 2i + 1) of channels turned by its angle, (…, T, D)."""
    theta = angles(positions, x.shape[-1], base)  # (T, D/2)
    cos, sin = np.cos(theta), np.sin(theta)
    even, odd = x[..., 0::2], x[..., 1::2]  # (…, T, D/2)
    y = np.empty_like(x)
    y[..., 0::2] = even * cos - odd * sin
    y[..., 1::2] = even * sin + odd * cos
    return y


def rotate_backward(dy, positions, base=10000.0):  # (…, T, D), (T,)
    """The gradient by x, (…, T, D)."""
    return rotate(dy, -positions, base)
