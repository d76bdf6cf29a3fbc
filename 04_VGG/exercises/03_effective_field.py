"""The effective receptive field (Luo et al. 2016) of a stack of convolutions, in one dimension."""

import numpy as np


def stack_weights(n, k, C):
    """The weights of n convolutions k × k with C channels in and out, without biases."""
    return n * k * k * C * C


def influence(kernel, n):  # (k,)
    """The gradient of one output of n layers with this kernel, by all pixels in its field: (n (k - 1) + 1,)."""
    g = np.ones(1)
    for _ in range(n):
        g = np.convolve(g, kernel)
    return g


def spread(g):  # (L,)
    """The standard deviation of places, each weighted by how much it counts, in pixels."""
    places, weights = np.arange(len(g)), np.abs(g) / np.abs(g).sum()
    mean = (weights * places).sum()
    return np.sqrt((weights * (places - mean) ** 2).sum())


def exponent(depths, spreads):  # (m,), (m,)
    """a in spread = c · depth^a, from the best straight line through the logarithms."""
    return np.polyfit(np.log(depths), np.log(spreads), 1)[0]


if __name__ == "__main__":
    depths = [4, 16, 64, 256]
    spreads = []
    for n in depths:
        g = influence(np.ones(3) / 3, n)
        spreads.append(spread(g))
        print(f"{n:4} layers   field {len(g):4} pixels   95 % of the influence in about {4 * spreads[-1]:5.1f}")
    print(f"the part that counts grows as depth^{exponent(depths, spreads):.3f}")
    print(f"three 3 × 3: {stack_weights(3, 3, 512):,} weights   one 7 × 7: {stack_weights(1, 7, 512):,}")
