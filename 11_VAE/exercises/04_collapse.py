"""The linear β-VAE in closed form, and which of its latents are silent (Lucas et al. 2019)."""

import math

import numpy as np


def principal(X, J):  # (B, D)
    """The J largest eigenvalues of XᵀX / B, descending (J,), and their eigenvectors (D, J)."""
    values, vectors = np.linalg.eigh(X.T @ X / len(X))
    return np.maximum(values[::-1][:J], 0), vectors[:, ::-1][:, :J]


def active_latents(X, noise, beta, J):  # (B, D)
    """How many of J latents carry anything at the minimum."""
    variances, _ = principal(X, J)
    return int((variances > beta * noise).sum())


def best_linear_vae(X, noise, beta, J):  # (B, D)
    """The minimum: directions u (D, J), decoder w (J,), encoder v (J,) and the code's variance s2 (J,)."""
    variances, u = principal(X, J)
    active = variances > beta * noise
    safe = np.where(active, variances, 1.0)
    w = np.where(active, np.sqrt(np.maximum(variances - beta * noise, 0)), 0.0)
    v = np.where(active, w / safe, 0.0)
    s2 = np.where(active, beta * noise / safe, 1.0)
    return u, w, v, s2


def elbo(X, u, w, v, s2, noise):  # (B, D), (D, J), (J,) …
    """The mean over X of E_q log p(x | z) - KL(q ‖ p), in nats."""
    B, D = X.shape
    mean = (X @ u) * v  # (B, J)
    error = ((X - (mean * w) @ u.T) ** 2).sum(axis=1) + (w * w * s2).sum()  # (B,): E_q ‖x - decoded z‖²
    kl = 0.5 * (s2 + mean**2 - 1 - np.log(s2)).sum(axis=1)  # (B,)
    return float((-error / (2 * noise) - 0.5 * D * math.log(2 * math.pi * noise) - kl).mean())


if __name__ == "__main__":
    from sklearn.datasets import load_digits

    pixels = load_digits().data / 16
    X = pixels - pixels.mean(axis=0)
    for beta in (0.25, 1.0, 4.0, 16.0, 64.0):
        best = best_linear_vae(X, noise=0.01, beta=beta, J=40)
        print(
            f"β {beta:5}: {active_latents(X, 0.01, beta, 40):2} of 40 latents active, ELBO {elbo(X, *best, 0.01):8.2f} nats"
        )
