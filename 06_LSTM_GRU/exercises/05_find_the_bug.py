"""A summary of sequences of different lengths, read from both sides."""

import numpy as np


def turned(x, lengths):  # (B, T, I), (B,)
    """Each sequence from its last step to its first; the padding stays behind it. (B, T, I)"""
    T = x.shape[1]
    steps = np.arange(T)[None, :]  # (1, T)
    places = np.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)  # (B, T)
    return np.take_along_axis(x, places[:, :, None], axis=1)


def read(x, lengths, keep):  # (B, T, I), (B,)
    """The exponential average of each sequence at its own end, from zeros; (B, I)."""
    h = np.zeros((x.shape[0], x.shape[2]))
    for t in range(x.shape[1]):
        going = (t < lengths)[:, None]  # (B, 1)
        h = np.where(going, keep * h + (1 - keep) * x[:, t], h)
    return h


def summary(x, lengths, keep=0.7):  # (B, T, I), (B,)
    """What is read from the left and from the right, side by side; (B, 2I)."""
    return np.concatenate([read(x, lengths, keep), read(turned(x, lengths), lengths, keep)], axis=1)
