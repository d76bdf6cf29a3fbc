"""The importance-weighted bound and its gradient (Burda, Grosse & Salakhutdinov 2015)."""

import numpy as np


def bound(log_px, log_pz, log_q):  # (k, B) each
    """log of the mean over the k samples of p(x | z) p(z) / q(z | x); (B,)."""
    log_w = log_px + log_pz - log_q  # (k, B)
    largest = log_w.max(axis=0)  # (B,)
    return largest + np.log(np.exp(log_w - largest).mean(axis=0))


def weights(log_px, log_pz, log_q):  # (k, B) each
    """Each sample's share of its example's sum; (k, B)."""
    log_w = log_px + log_pz - log_q  # (k, B)
    w = np.exp(log_w - log_w.max(axis=0))
    return w / w.sum(axis=0)


def bound_backward(log_px, log_pz, log_q):  # (k, B) each
    """The gradients of -mean(bound) by log_px, log_pz and log_q; (k, B) each."""
    dlog_w = -weights(log_px, log_pz, log_q) / log_px.shape[1]  # (k, B)
    return dlog_w, dlog_w.copy(), -dlog_w
