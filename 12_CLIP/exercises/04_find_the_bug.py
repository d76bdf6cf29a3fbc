"""Recall@k between images and captions, several captions an image, in both directions."""

import numpy as np

KS = (1, 5, 10)


def normalize(x):  # (N, E)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def ranks(S, right):  # (Q, N), (Q, N)
    """How many wrong answers come before each query's best right one, (Q,)."""
    best = np.where(right, S, -np.inf).max(axis=1, keepdims=True)  # (Q, 1)
    return ((best < S) & ~right).sum(axis=1)


def recall(S, right, k):  # (Q, N), (Q, N)
    """The share of queries of which a right answer is among the first k."""
    return float((ranks(S, right) < k).mean())


def retrieval(images, texts, owner):  # (N, E), (M, E), (M,)
    """Recall@1, 5 and 10 from image to text and from text to image."""
    S = normalize(images) @ normalize(texts).T  # (N, M)
    right = np.arange(len(images))[:, None] == owner  # (N, M)
    return {
        "image to text": {k: recall(S, right, k) for k in KS},
        "text to image": {k: recall(S.T, right.T, k) for k in KS},
    }
