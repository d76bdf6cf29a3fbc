"""Poisson regression: the loss of counts, its slope and curvature, and Newton's method."""

import numpy as np


def poisson_loss(z, y):  # (B,), (B,)
    """The mean of -log P(y | rate exp(z)), without log y!."""
    return (np.exp(z) - y * z).mean()


def poisson_backward(z, y):  # (B,), (B,)
    """d loss / dz; (B,)."""
    return (np.exp(z) - y) / len(z)


def poisson_curvature(z, y):  # (B,), (B,)
    """d² loss / dz² of each row; (B,)."""
    return np.exp(z) / len(z)


def newton_step(w, X, y):  # (D,), (B, D), (B,)
    """The minimum of the parabola that has the loss's value, slope and curvature at w; (D,)."""
    z = X @ w  # (B,)
    gradient = X.T @ poisson_backward(z, y)  # (D,)
    hessian = X.T @ (poisson_curvature(z, y)[:, None] * X)  # (D, D)
    return w - np.linalg.solve(hessian, gradient)


def fit(X, y, steps=20):
    """The weights with the smallest loss; (D,)."""
    w = np.zeros(X.shape[1])
    for _ in range(steps):
        w = newton_step(w, X, y)
    return w
