"""Signals and gradients in deep stacks, with and without shortcuts."""

import numpy as np


def he_weights(num_blocks, width, rng):
    return [rng.normal(0, np.sqrt(2 / width), (width, width)) for _ in range(num_blocks)]


def gradient_norms(weights, h, dh, s, shortcut):  # L × (n, n), (n,), (n,)
    """The norms of dL/dh_L, …, dL/dh_0 of h ← W relu(h), or with shortcuts h ← h + s W relu(h); (L + 1,)."""
    signs = []
    for W in weights:
        signs.append(h > 0)
        branch = W @ np.maximum(h, 0)
        h = h + s * branch if shortcut else branch
    norms = [np.linalg.norm(dh)]
    for W, positive in zip(reversed(weights), reversed(signs)):
        through = (dh @ W) * positive
        dh = dh + s * through if shortcut else through
        norms.append(np.linalg.norm(dh))
    return np.array(norms)


def growth(s, num_blocks):
    """The mean square after so many blocks over that before, branch and shortcut being uncorrelated."""
    return (1 + s**2) ** num_blocks


def branch_scale(num_blocks, factor):
    """The s with which the mean square grows by this factor."""
    return np.sqrt(factor ** (1 / num_blocks) - 1)


if __name__ == "__main__":
    L, n = 50, 128
    stacks = {
        "plain": (1.0, False),
        "shortcuts, s = 1": (1.0, True),
        "shortcuts, scaled": (branch_scale(L, np.e), True),
    }
    for name, (s, shortcut) in stacks.items():
        rng = np.random.default_rng(0)
        norms = gradient_norms(he_weights(L, n, rng), rng.standard_normal(n), np.ones(n) / np.sqrt(n), s, shortcut)
        print(f"{name:18} gradient at the last, middle and first layer: 1, {norms[L // 2]:9.3g}, {norms[L]:9.3g}")
