"""Step 56 · How a CNN works, second part: channels, batches, pooling.

New: an image with channels, a kernel for each pair of input and output channel, a batch; max pooling.
Why: a colour image has three channels, and a layer's output one for each thing that it looks for. A kernel spans all input channels and
sums over them. Pooling keeps the largest in each window: *whether* something was there, and only roughly where.
In the engine: framework/ops/windows.py, whose matrices conv.py multiplies, and pool.py.
"""

import numpy as np
from step55 import outsize

import dezero.functions as F


def windows(x, size, stride, pad, fill):
    """(i, j, the window there) for every place; a window is (N, C, size, size)."""
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), constant_values=fill)
    for i in range(0, x.shape[2] - size + 1, stride):
        for j in range(0, x.shape[3] - size + 1, stride):
            yield i // stride, j // stride, x[:, :, i : i + size, j : j + size]


def conv(x, W, b, stride=1, pad=0):
    """x (N, C, H, W), W (OC, C, K, K), b (OC,) → (N, OC, OH, OW)"""
    size = W.shape[2]
    y = np.zeros((len(x), len(W), *(outsize(n, size, stride, pad) for n in x.shape[2:])))
    for i, j, window in windows(x, size, stride, pad, fill=0):
        y[:, :, i, j] = np.tensordot(window, W, axes=((1, 2, 3), (1, 2, 3))) + b  # (N, OC)
    return y


def max_pool(x, size, stride=1, pad=0):
    y = np.zeros((*x.shape[:2], *(outsize(n, size, stride, pad) for n in x.shape[2:])))
    for i, j, window in windows(x, size, stride, pad, fill=-np.inf):  # 0 would win against negative values
        y[:, :, i, j] = window.max(axis=(2, 3))
    return y


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    x, W, b = rng.standard_normal((2, 3, 7, 7)), rng.standard_normal((4, 3, 3, 3)), rng.standard_normal(4)
    for stride, pad in ((1, 0), (1, 1), (2, 1)):
        y = conv(x, W, b, stride, pad)
        print(f"stride {stride}, padding {pad}: {x.shape} → {y.shape}")
        assert np.allclose(y, F.conv2d(x, W, b, stride, pad).data)
    for size, stride, pad in ((2, 2, 0), (3, 2, 1)):
        y = max_pool(x, size, stride, pad)
        print(f"max pooling of {size} × {size}: {x.shape} → {y.shape}")
        assert np.allclose(y, F.pooling(x, size, stride, pad).data)
    weights, dense = W.size + b.size, x[0].size * 4 * 7 * 7
    print(f"weights: {weights}; a linear layer to the same number of units would have {dense:,}")
    assert (weights, dense) == (112, 28812)
