"""The symmetric contrastive loss of CLIP (Radford et al. 2021), forward and backward by hand."""

import numpy as np


def normalize(x):  # (B, E)
    """Each row divided by its length."""
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def normalize_backward(dy, x):  # (B, E), (B, E)
    """dL/dx of y = x / ‖x‖, (B, E)."""
    r = np.linalg.norm(x, axis=1, keepdims=True)  # (B, 1)
    y = x / r
    return (dy - (dy * y).sum(axis=1, keepdims=True) * y) / r


def log_softmax(Z, axis):
    """The logarithm of a softmax along an axis; nothing overflows."""
    Z = Z - Z.max(axis=axis, keepdims=True)
    return Z - np.log(np.exp(Z).sum(axis=axis, keepdims=True))


def loss(x, t, s):  # (B, E), (B, E), ()
    """The mean of two cross entropies: of the texts for each image, and of the images for each text."""
    Z = np.exp(s) * normalize(x) @ normalize(t).T  # (B, B)
    both = np.diag(log_softmax(Z, axis=1)) + np.diag(log_softmax(Z, axis=0))  # (B,)
    return -both.mean() / 2


def loss_backward(x, t, s):  # (B, E), (B, E), ()
    """dL/dx (B, E), dL/dt (B, E), dL/ds."""
    u, v = normalize(x), normalize(t)
    Z = np.exp(s) * u @ v.T  # (B, B)
    B = len(Z)
    dZ = (np.exp(log_softmax(Z, axis=1)) + np.exp(log_softmax(Z, axis=0)) - 2 * np.eye(B)) / (2 * B)
    du, dv = np.exp(s) * dZ @ v, np.exp(s) * dZ.T @ u  # (B, E)
    return normalize_backward(du, x), normalize_backward(dv, t), (dZ * Z).sum()
