"""A convolution with stride, padding and dilation, forward and backward (Yu & Koltun 2015)."""

import numpy as np


def pad(x, p):  # (B, C, H, W)
    """x with p zeros on every side; (B, C, H + 2p, W + 2p)."""
    return np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))


def output_size(size, kernel, stride, padding, dilation):
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def forward(x, weight, bias, stride=1, padding=0, dilation=1):  # (B, C, H, W), (O, C, k, k), (O,)
    """The convolution of x; (B, O, H', W')."""
    k = weight.shape[-1]
    H, W = (output_size(size, k, stride, padding, dilation) for size in x.shape[2:])
    padded = pad(x, padding)
    z = np.zeros((len(x), len(weight), H, W)) + bias[:, None, None]
    for i in range(k):
        for j in range(k):
            rows = slice(i * dilation, i * dilation + stride * (H - 1) + 1, stride)
            columns = slice(j * dilation, j * dilation + stride * (W - 1) + 1, stride)
            z += np.einsum("oc,bchw->bohw", weight[:, :, i, j], padded[:, :, rows, columns])
    return z


def backward(dz, x, weight, stride=1, padding=0, dilation=1):  # (B, O, H', W'), (B, C, H, W), (O, C, k, k)
    """dx (B, C, H, W), dweight (O, C, k, k) and dbias (O,), given dL/dz."""
    k = weight.shape[-1]
    H, W = dz.shape[2:]
    padded = pad(x, padding)
    dpadded, dweight = np.zeros_like(padded), np.zeros_like(weight)
    for i in range(k):
        for j in range(k):
            rows = slice(i * dilation, i * dilation + stride * (H - 1) + 1, stride)
            columns = slice(j * dilation, j * dilation + stride * (W - 1) + 1, stride)
            dweight[:, :, i, j] = np.einsum("bohw,bchw->oc", dz, padded[:, :, rows, columns])
            dpadded[:, :, rows, columns] += np.einsum("oc,bohw->bchw", weight[:, :, i, j], dz)
    height, width = x.shape[2:]
    dx = dpadded[:, :, padding : padding + height, padding : padding + width]
    return dx, dweight, dz.sum(axis=(0, 2, 3))
