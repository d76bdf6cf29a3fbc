"""Sinusoidal positions (Vaswani et al. 2017, section 3.5), and the two properties for which they were chosen."""

import numpy as np


def frequencies(d):
    """ω_i of each pair of channels, (d/2,), in radians a place."""
    return 10000.0 ** (-np.arange(0, d, 2) / d)


def positions(T, d):
    """PE of the places 0 … T - 1, (T, d): sine and cosine by turns."""
    angles = np.arange(T)[:, None] * frequencies(d)  # (T, d/2)
    PE = np.empty((T, d))
    PE[:, 0::2], PE[:, 1::2] = np.sin(angles), np.cos(angles)
    return PE


def step(k, d):
    """The matrix M (d, d) with PE[t + k] = M @ PE[t] for every t."""
    cos, sin = np.cos(k * frequencies(d)), np.sin(k * frequencies(d))
    even, odd = np.arange(0, d, 2), np.arange(1, d, 2)
    M = np.zeros((d, d))
    M[even, even], M[even, odd] = cos, sin  # sin(a + b) = sin a cos b + cos a sin b
    M[odd, even], M[odd, odd] = -sin, cos  # cos(a + b) = cos a cos b - sin a sin b
    return M


def similarity(k, d):
    """PE[t] · PE[t + k], whatever t is."""
    return np.cos(k * frequencies(d)).sum()
