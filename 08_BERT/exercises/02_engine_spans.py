"""Extractive question answering (Devlin et al. 2018, sections 4.2 and 4.3) on the engine: a span's start and end."""

import numpy as np

import framework as torch
import framework.nn as nn
import framework.nn.functional as F


class SpanHead(nn.Module):
    """Two scores for each token: an answer begins, ends here."""

    def __init__(self, hidden_size):
        super().__init__()
        self.qa_outputs = nn.Linear(hidden_size, 2)

    def forward(self, h, passage):  # (B, T, C), (B, T)
        """start and end, (B, T) each: -inf outside the passage, but for place 0, which stands for no answer."""
        allowed = passage | (torch.arange(h.shape[1]) == 0)  # (B, T)
        scores = self.qa_outputs(h).masked_fill(~allowed[:, :, None], float("-inf"))  # (B, T, 2)
        return scores[..., 0], scores[..., 1]


def span_loss(start, end, starts, ends):  # (B, T), (B, T), (B,), (B,)
    """The mean of two cross entropies over the places."""
    return (F.cross_entropy(start, starts) + F.cross_entropy(end, ends)) / 2


def best_span(start, end, longest):  # (T,), (T,)
    """The best (i, j) with 1 ≤ i ≤ j < i + longest, or (0, 0) where having no answer is better; NumPy arrays."""
    T = len(start)
    i, j = np.arange(T)[:, None], np.arange(T)[None, :]
    allowed = (i >= 1) & (i <= j) & (j < i + longest)
    scores = np.where(allowed, start[:, None] + end[None, :], -np.inf)  # (T, T)
    best = np.unravel_index(scores.argmax(), scores.shape)
    if start[0] + end[0] >= scores[best]:
        return 0, 0
    return int(best[0]), int(best[1])
