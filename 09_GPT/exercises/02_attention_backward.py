"""Causal attention in NumPy, forward and backward."""

import math

import numpy as np


def attention(q, k, v):  # (B, N, T, D) each
    """What each token gets (B, N, T, D), and where it looks (B, N, T, T)."""
    T, D = q.shape[-2:]
    S = q @ k.swapaxes(-1, -2) / math.sqrt(D)  # (B, N, T, T)
    S = np.where(np.tril(np.ones((T, T), dtype=bool)), S, -np.inf)
    A = np.exp(S - S.max(axis=-1, keepdims=True))
    A = A / A.sum(axis=-1, keepdims=True)  # (B, N, T, T)
    return A @ v, A


def attention_backward(dy, q, k, v, A):  # (B, N, T, D), …, (B, N, T, T)
    """The gradients by q, k and v, (B, N, T, D) each."""
    dv = A.swapaxes(-1, -2) @ dy  # (B, N, T, D)
    dA = dy @ v.swapaxes(-1, -2)  # (B, N, T, T)
    dS = A * (dA - (A * dA).sum(axis=-1, keepdims=True))  # (B, N, T, T)
    scale = 1 / math.sqrt(q.shape[-1])
    dq = scale * (dS @ k)  # (B, N, T, D)
    dk = scale * (dS.swapaxes(-1, -2) @ q)  # (B, N, T, D)
    return dq, dk, dv
