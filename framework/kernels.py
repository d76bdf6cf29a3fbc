"""Loops that numba compiles, for compiled.py. Importing this needs numba; each is compiled at its first call, and kept in numba's cache.

Sums over the innermost axis are in the array's own precision, in as many parts as the processor adds at once; the rest is in float64.
A slice [first, last) of the work goes to each thread, which needs no lock of Python's meanwhile.
"""

import numpy as np
from numba import njit

# The order of sums is free, as only so are they vectorized; inf and nan stay what they are.
compiled = njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})


@compiled
def _moments(x, c):
    """Mean and variance of x[:, c] of x (A, C, M)."""
    A, _, M = x.shape
    zero, total = x.dtype.type(0), 0.0
    for a in range(A):
        part = zero
        for m in range(M):
            part += x[a, c, m]
        total += part
    mean, total = x.dtype.type(total / (A * M)), 0.0
    for a in range(A):
        part = zero
        for m in range(M):
            part += (x[a, c, m] - mean) ** 2
        total += part
    return mean, total / (A * M)


@compiled
def by_channel(x, y, weight, bias, mean, var, eps, first, last):
    """y[:, c] = weight[c] x̂[:, c] + bias[c], and the moments of each c; x, y (A, C, M)."""
    A, _, M = x.shape
    for c in range(first, last):
        mean[c], var[c] = mu, v = _moments(x, c)
        scale, shift = x.dtype.type(weight[c] / np.sqrt(v + eps)), bias[c]
        for a in range(A):
            for m in range(M):
                y[a, c, m] = (x[a, c, m] - mu) * scale + shift


@compiled
def by_channel_slopes(g, x, slope, weight, slope_weight, slope_bias, mean, var, eps, first, last):
    """slope = weight (g − mean(g) − x̂ mean(g x̂)) / √(var + ε), slope_weight = Σ g x̂, slope_bias = Σ g."""
    A, _, M = x.shape
    zero, n = x.dtype.type(0), A * M
    for c in range(first, last):
        mu, r, sum_g, sum_gx = mean[c], 1 / np.sqrt(var[c] + eps), 0.0, 0.0
        for a in range(A):
            part, part_x = zero, zero
            for m in range(M):
                part += g[a, c, m]
                part_x += g[a, c, m] * (x[a, c, m] - mu)
            sum_g += part
            sum_gx += part_x
        slope_weight[c], slope_bias[c] = sum_gx * r, sum_g
        mean_g, factor, scale = (
            x.dtype.type(sum_g / n), x.dtype.type(sum_gx * r * r / n), x.dtype.type(weight[c] * r)
        )  # fmt: skip
        for a in range(A):
            for m in range(M):
                slope[a, c, m] = (g[a, c, m] - mean_g - (x[a, c, m] - mu) * factor) * scale


@compiled
def by_element(x, y, weight, bias, mean, var, eps, first, last):
    """y[c, m] = weight[m] x̂[c, m] + bias[m]; x, y (1, C, M)."""
    M = x.shape[2]
    for c in range(first, last):
        mean[c], var[c] = mu, v = _moments(x, c)
        r = x.dtype.type(1 / np.sqrt(v + eps))
        for m in range(M):
            y[0, c, m] = (x[0, c, m] - mu) * r * weight[m] + bias[m]


@compiled
def by_element_slopes(g, x, slope, weight, slope_weight, slope_bias, mean, var, eps, rows, first, last):
    """slope = (h − mean(h) − x̂ mean(h x̂)) / √(var + ε) with h = g · weight; slope_weight[b], slope_bias[b] (M,): Σ g x̂ and Σ g over block b of `rows`.

    first, last count blocks.
    """
    _, C, M = x.shape
    zero = x.dtype.type(0)
    for b in range(first, last):
        for c in range(b * rows, min((b + 1) * rows, C)):
            mu, r, sum_h, sum_hx = mean[c], x.dtype.type(1 / np.sqrt(var[c] + eps)), zero, zero
            for m in range(M):
                h, x_hat = g[0, c, m] * weight[m], (x[0, c, m] - mu) * r
                sum_h += h
                sum_hx += h * x_hat
                slope_weight[b, m] += g[0, c, m] * x_hat
                slope_bias[b, m] += g[0, c, m]
            mean_h, mean_hx = x.dtype.type(sum_h / M), x.dtype.type(sum_hx / M)
            for m in range(M):
                slope[0, c, m] = (g[0, c, m] * weight[m] - mean_h - (x[0, c, m] - mu) * r * mean_hx) * r
