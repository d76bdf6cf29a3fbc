"""The loss of a VAE with binary pixels, and its gradients."""

import numpy as np


def reparameterise(mean, logvar, eps):  # (B, J) each
    """A sample of N(mean, exp(logvar)); (B, J)."""
    return mean + np.exp(0.5 * logvar) * eps


def share(D):
    """What each of D pixels counts."""
    return 1.0


def nll(logits, x):  # (B, D) each
    """-log p(x | z) of each image, in nats; (B,)."""
    per_pixel = np.maximum(logits, 0) - x * logits + np.log1p(np.exp(-np.abs(logits)))  # (B, D)
    return share(x.shape[1]) * per_pixel.sum(axis=1)


def divergence(mean, logvar):  # (B, J) each
    """KL(N(mean, exp(logvar)) ‖ N(0, I)) of each image, in nats; (B,)."""
    return 0.5 * (np.exp(logvar) + mean**2 - 1 - logvar).sum(axis=1)


def loss(logits, x, mean, logvar):  # (B, D) twice, (B, J) twice
    """The mean over the batch of both terms: minus the bound, in nats."""
    return (nll(logits, x) + divergence(mean, logvar)).mean()


def loss_backward(logits, x, mean, logvar):
    """dlogits (B, D), and of the divergence alone dmean and dlogvar (B, J)."""
    B, D = x.shape
    probs = 0.5 * np.tanh(0.5 * logits) + 0.5
    dlogits = share(D) * (probs - x) / B
    return dlogits, mean / B, 0.5 * (np.exp(logvar) - 1) / B
