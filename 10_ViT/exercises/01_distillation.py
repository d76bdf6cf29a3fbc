"""Hard and soft distillation, as in DeiT (Touvron et al. 2020) and Hinton et al. 2015, with their gradients."""

import numpy as np


def log_softmax(z):  # (B, K)
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def onehot(y, K):  # (B,)
    return np.eye(K)[y]  # (B, K)


def hard_loss(z, d, y, t):  # (B, K), (B, K), (B,), (B, K)
    """Half the class token's cross entropy with the labels, half the distillation token's with the teacher's decisions."""
    rows = np.arange(len(y))
    return -(log_softmax(z)[rows, y] + log_softmax(d)[rows, t.argmax(axis=1)]).mean() / 2


def hard_backward(z, d, y, t):
    """dL/dz and dL/dd, (B, K) each."""
    B, K = z.shape
    dz = (np.exp(log_softmax(z)) - onehot(y, K)) / (2 * B)
    dd = (np.exp(log_softmax(d)) - onehot(t.argmax(axis=1), K)) / (2 * B)
    return dz, dd


def soft_loss(z, y, t, tau, lam):  # (B, K), (B,), (B, K)
    """(1 - λ) of the cross entropy with the labels, and λ τ² of the divergence from the teacher at temperature τ."""
    log_q, log_p = log_softmax(t / tau), log_softmax(z / tau)
    divergence = (np.exp(log_q) * (log_q - log_p)).sum(axis=1).mean()
    labels = -log_softmax(z)[np.arange(len(y)), y].mean()
    return (1 - lam) * labels + lam * tau**2 * divergence


def soft_backward(z, y, t, tau, lam):
    """dL/dz, (B, K)."""
    B, K = z.shape
    q, p = np.exp(log_softmax(t / tau)), np.exp(log_softmax(z / tau))
    dlabels = (np.exp(log_softmax(z)) - onehot(y, K)) / B
    ddivergence = (p - q) / (tau * B)
    return (1 - lam) * dlabels + lam * tau**2 * ddivergence


def predict(z, d):  # (B, K), (B, K)
    """The class that both heads' probabilities favour, (B,)."""
    return (np.exp(log_softmax(z)) + np.exp(log_softmax(d))).argmax(axis=1)
