"""Why attention divides by the root of d (Vaswani et al. 2017, section 3.2.1): an experiment."""

import numpy as np
from scipy.special import xlogy


def weights(q, k, factor):  # (n, d), (m, d)
    """softmax(q kᵀ · factor) over the keys, (n, m)."""
    scores = q @ k.T * factor
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def entropy(W):  # (n, m)
    """How evenly a query looks, in nats: from log m, at all keys alike, to 0, at one alone. Mean over rows."""
    return -xlogy(W, W).sum(axis=1).mean()


def gradient_size(W):  # (n, m)
    """The root of the sum of squares of the softmax's Jacobian in each row, mean over rows."""
    second, third = (W**2).sum(axis=1), (W**3).sum(axis=1)  # (n,)
    squares = second - 2 * third + second**2  # J_ij = p_i [i = j] - p_i p_j
    return np.sqrt(np.maximum(squares, 0)).mean()


def experiment(dims, scale, n, rng):
    """Entropy and gradient of n random queries and keys, for each d: (len(dims), 2)."""
    rows = []
    for d in dims:
        q = rng.standard_normal((n, d))
        k = rng.standard_normal((n, d))
        W = weights(q, k, scale(d))
        rows.append((entropy(W), gradient_size(W)))
    return np.array(rows)


if __name__ == "__main__":
    dims, n = [4, 16, 64, 256, 1024], 64
    factors = {"1": lambda d: 1.0, "1/√d": lambda d: d**-0.5, "1/d": lambda d: 1 / d}
    print(f"all keys alike: entropy {np.log(n):.2f}")
    for name, scale in factors.items():
        for d, (H, size) in zip(dims, experiment(dims, scale, n, np.random.default_rng(0)), strict=True):
            print(f"factor {name:5} d {d:5}   entropy {H:5.2f}   gradient {size:.3f}")
