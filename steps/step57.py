"""Step 57 · conv2d and pooling.

New: `Im2col`, which lays each window out as a row; on it a convolution is *one* matrix product, and pooling a maximum along an axis.
Why: loops in Python are slow, and a matrix product is the one thing that every machine does as fast as it can. The price is memory: a pixel
stands in as many rows as windows see it. Its backward, Col2im, adds the rows back to where they came from.
In the engine: framework/ops/windows.py chooses between such ways by the sizes.
"""

import numpy as np
from step38 import same

import dezero.functions as F
from dezero import Function
from dezero.utils import get_conv_outsize


class Im2col(Function):
    """(N, C, H, W) → (N, C, K, K, OH, OW)"""

    def __init__(self, size, stride, pad):
        self.size, self.stride, self.pad = size, stride, pad

    def places(self, shape):
        """For each place (a, b) in the window: the slices of the image that meet it."""
        oh, ow = (get_conv_outsize(n, self.size, self.stride, self.pad) for n in shape[2:])
        for a in range(self.size):
            for b in range(self.size):
                yield a, b, slice(a, a + self.stride * oh, self.stride), slice(b, b + self.stride * ow, self.stride)

    def forward(self, x):
        p = self.pad
        padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        columns = [padded[:, :, rows, cols] for _, _, rows, cols in self.places(x.shape)]  # K·K of (N, C, OH, OW)
        return np.stack(columns, axis=2).reshape(*x.shape[:2], self.size, self.size, *columns[0].shape[2:])

    def backward(self, gy):
        return Col2im(self, self.inputs[0].shape)(gy)


class Col2im(Function):
    def __init__(self, im2col, shape):
        self.im2col, self.shape = im2col, shape

    def forward(self, columns):
        (n, c, h, w), p = self.shape, self.im2col.pad
        padded = np.zeros((n, c, h + 2 * p, w + 2 * p))
        for a, b, rows, cols in self.im2col.places(self.shape):
            padded[:, :, rows, cols] += columns[:, :, a, b]
        return padded[:, :, p : p + h, p : p + w]

    def backward(self, gx):
        return Im2col(self.im2col.size, self.im2col.stride, self.im2col.pad)(gx)


def conv2d(x, W, b, stride=1, pad=0):
    oc, c, k, _ = W.shape
    columns = Im2col(k, stride, pad)(x)  # (N, C, K, K, OH, OW)
    n, *_, oh, ow = columns.shape
    rows = columns.transpose(0, 4, 5, 1, 2, 3).reshape(n * oh * ow, c * k * k)
    y = F.matmul(rows, W.reshape(oc, -1).T) + b
    return y.reshape(n, oh, ow, oc).transpose(0, 3, 1, 2)


def pooling(x, size, stride):
    columns = Im2col(size, stride, 0)(x)
    n, c, _, _, oh, ow = columns.shape
    return F.max(columns.reshape(n, c, size * size, oh, ow), axis=2)


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    x, W, b = rng.standard_normal((2, 3, 6, 6)), rng.standard_normal((4, 3, 3, 3)), rng.standard_normal(4)
    for stride, pad in ((1, 0), (2, 1)):
        same(lambda *v, s=stride, p=pad: conv2d(*v, s, p), lambda *v, s=stride, p=pad: F.conv2d(*v, s, p), x, W, b)
    same(lambda x: pooling(x, 2, 2), lambda x: F.pooling(x, 2, 2), x)
    columns = Im2col(3, 1, 1)(x)
    print("conv2d and pooling equal the package's, to the second derivative")
    print(f"{x.shape} has {x.size} numbers, its windows {columns.shape} have {columns.size}")
    assert columns.size == 9 * x.size
