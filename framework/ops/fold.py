"""Windows as columns, and back: unfold and fold, which are each other's derivatives."""

import math

import numpy as np

from .define import op
from .windows import Geometry, per_dimension, slabs, window_counts


def _unfold(x, *, geometry):
    """x (N, C, *size) → (N, C · kernel, out)."""
    N, C = x.shape[:2]
    columns = np.zeros((N, C, math.prod(geometry.kernel), *geometry.out), x.dtype, like=x)
    for k, slab in enumerate(slabs(geometry)):
        if slab is not None:
            columns[:, :, k, *slab[0]] = x[:, :, *slab[1]]
    return columns.reshape((N, C * columns.shape[2], math.prod(geometry.out)))


def _fold(columns, *, geometry):
    """columns (N, C · kernel, out) → (N, C, *size)."""
    N, kernel = columns.shape[0], math.prod(geometry.kernel)
    columns = columns.reshape((N, columns.shape[1] // kernel, kernel, *geometry.out))
    x = np.zeros((*columns.shape[:2], *geometry.size), columns.dtype, like=columns)
    for k, slab in enumerate(slabs(geometry)):
        if slab is not None:
            x[:, :, *slab[1]] += columns[:, :, k, *slab[0]]
    return x


unfold_windows = op("unfold", _unfold, lambda g, geometry: fold_windows(g, geometry=geometry))
fold_windows = op("fold", _fold, lambda g, geometry: unfold_windows(g, geometry=geometry))


def _fold_geometry(name, size, kernel_size, dilation, padding, stride):
    kernel = per_dimension(name, "kernel_size", kernel_size, 2, 1)
    dilation = per_dimension(name, "dilation", dilation, 2, 1)
    padding = tuple([(p, p) for p in per_dimension(name, "padding", padding, 2)])
    stride = per_dimension(name, "stride", stride, 2, 1)
    out = window_counts(size, kernel, stride, padding, dilation)
    if min(out) < 1:
        raise RuntimeError(
            f"{name}: the kernel {kernel} with dilation {dilation} does not fit into {tuple(size)} with padding {padding}"
        )
    return Geometry(tuple(size), kernel, out, stride, padding, dilation)


def unfold(input, kernel_size, dilation=1, padding=0, stride=1):
    """The windows of input (N, C, H, W) or (C, H, W) as columns: (N, C · kh · kw, L), L the number of windows, row by row."""
    if input.ndim not in (3, 4):
        raise RuntimeError(f"unfold: the input must be (N, C, H, W) or (C, H, W), got {tuple(input.shape)}")
    geometry = _fold_geometry("unfold", input.array.shape[-2:], kernel_size, dilation, padding, stride)
    if input.ndim == 3:
        return unfold_windows(input.unsqueeze(0), geometry=geometry).squeeze(0)
    return unfold_windows(input, geometry=geometry)


def fold(input, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """The transpose of unfold: columns (N, C · kh · kw, L) or (C · kh · kw, L) added up where the windows overlap: (N, C, *output_size)."""
    if input.ndim not in (2, 3):
        raise RuntimeError(f"fold: the input must be (N, C · kernel, L) or (C · kernel, L), got {tuple(input.shape)}")
    geometry = _fold_geometry(
        "fold", per_dimension("fold", "output_size", output_size, 2, 1), kernel_size, dilation, padding, stride
    )
    rows, columns = input.array.shape[-2:]
    if rows % math.prod(geometry.kernel) or columns != math.prod(geometry.out):
        raise RuntimeError(
            f"fold: columns {tuple(input.shape)}: the first size must be a multiple of the kernel's {math.prod(geometry.kernel)} elements, "
            f"and an output of {geometry.size} has {geometry.out} = {math.prod(geometry.out)} windows"
        )
    if input.ndim == 2:
        return fold_windows(input.unsqueeze(0), geometry=geometry).squeeze(0)
    return fold_windows(input, geometry=geometry)
