"""Label smoothing (Szegedy et al. 2015): a cross entropy that has a minimum."""

import numpy as np


def log_softmax(logits):  # (B, K)
    """log p, (B, K); nothing overflows."""
    z = logits - logits.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def targets(labels, K, epsilon):  # (B,)
    """1 - ε for the label, and ε spread evenly over all K classes; (B, K)."""
    q = np.full((len(labels), K), epsilon / K)
    q[np.arange(len(labels)), labels] += 1 - epsilon
    return q


def loss(logits, labels, epsilon):  # (B, K), (B,)
    """The cross entropy with the smoothed targets, mean over the batch."""
    q = targets(labels, logits.shape[1], epsilon)
    return -(q * log_softmax(logits)).sum(axis=1).mean()


def loss_backward(logits, labels, epsilon):  # (B, K), (B,)
    """dL/dlogits, (B, K)."""
    B, K = logits.shape
    return (np.exp(log_softmax(logits)) - targets(labels, K, epsilon)) / B


def gap(K, epsilon):
    """By how much the label's logit is above each other one where the loss is smallest."""
    return np.log((1 - epsilon + epsilon / K) / (epsilon / K))
