"""Convolution in 1, 2 or 3 dimensions and its transpose; unfold and fold.

A convolution is linear in its input and in its weight, and so are its two gradients. The three ops below are each other's derivatives,
which gives derivatives of every order:

    conv         y[n,o,p] = Σ_c,k w[o,c,k] · x[n,c, s·p + d·k − pad]       p: output position, k: kernel position, s: stride, d: dilation
    conv_input   the same sum read backwards: what each x[n,c,q] receives from y's gradient; this is also the transposed convolution
    conv_weight  the same for each w[o,c,k]

Each is one matrix product over *columns*: the windows of the input, written out one below the other (Chellapilla, Puri & Simard 2006,
"High performance convolutional neural networks for document processing"). Columns are built for a block of output rows at a time and
never kept. The batch is the innermost dimension in memory, (C, *spatial, N), so that copying a window copies long runs; what comes out
is seen as (N, C, *spatial), and as elementwise ops keep the order in memory, it stays that way from layer to layer.
"""

import itertools
import math
from typing import NamedTuple

import numpy as np

from ..backend import array_module
from .define import op

__all__ = ["conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"]

BLOCK, SPAN = (
    1 << 19,
    1 << 12,
)  # elements, and columns, that are worked on at a time: 2 MB in float32, what a core's cache holds


class Geometry(NamedTuple):
    """Where the windows lie. Each entry but groups has one value per spatial dimension; padding is (before, after)."""

    size: tuple
    kernel: tuple
    out: tuple
    stride: tuple
    padding: tuple
    dilation: tuple
    groups: int = 1

    @property
    def padded(self):
        """The size with padding, cut or extended to what the windows reach."""
        return tuple([max(n + sum(pad), s * (o - 1) + d * (k - 1) + 1) for n, pad, s, o, d, k in
                      zip(self.size, self.padding, self.stride, self.out, self.dilation, self.kernel)])  # fmt: skip

    @property
    def inside(self):
        """The index of the unpadded part in (C, *padded, N)."""
        return (slice(None), *[slice(before, before + n) for n, (before, _) in zip(self.size, self.padding)])

    def blocks(self, channels, batch):
        """Parts of the output, some rows each, whose columns are small: yields (span in the flattened out · N, rows of the padded input, part)."""
        row = math.prod(self.out[1:]) * batch
        step = max(1, min(BLOCK // max(1, channels * math.prod(self.kernel) * row), SPAN // max(1, row)))
        reach, stride = self.dilation[0] * (self.kernel[0] - 1) + 1, self.stride[0]
        for first in range(0, self.out[0], step):
            end = min(first + step, self.out[0])
            rows = slice(first * stride, (end - 1) * stride + reach)
            yield slice(first * row, end * row), rows, self._replace(out=(end - first, *self.out[1:]))

    def taps(self):
        """For every kernel position k, the index in (C, *padded, N) of what it meets: elements s·p + d·k for all outputs p."""
        spans = [[slice(d * i, d * i + s * (n - 1) + 1, s) for i in range(k)] for k, n, s, d in
                 zip(self.kernel, self.out, self.stride, self.dilation)]  # fmt: skip
        for k, window in zip(np.ndindex(self.kernel), itertools.product(*spans)):
            yield (slice(None), *k), (slice(None), *window)


def batch_last(x):
    """(N, C, *spatial) → (C, *spatial, N), a view."""
    return x.transpose((*range(1, x.ndim), 0))


def batch_first(x):
    """(C, *spatial, N) → (N, C, *spatial), a view."""
    return x.transpose((x.ndim - 1, *range(x.ndim - 1)))


def pad_zeros(x, geometry):
    """(C, *size, N) → (C, *padded, N), contiguous; x itself where it is that already."""
    if x.shape[1:-1] == geometry.padded:
        return x if x.flags.c_contiguous else x.copy(order="C")
    padded = np.zeros((x.shape[0], *geometry.padded, x.shape[-1]), x.dtype, like=x)
    padded[geometry.inside] = x
    return padded


def windows(x, geometry):
    """The windows of x (C, *padded, N): (C, *kernel, *out, N)."""
    if math.prod(geometry.kernel) == 1:
        ((_, window),) = geometry.taps()
        return x[window].reshape((x.shape[0], *geometry.kernel, *geometry.out, x.shape[-1]))
    columns = np.empty((x.shape[0], *geometry.kernel, *geometry.out, x.shape[-1]), x.dtype, like=x)
    for k, window in geometry.taps():
        columns[k] = x[window]
    return columns


def add_windows(x, columns, geometry):
    """The transpose of `windows`: add the columns (C, *kernel, *out, N) to the places in x (C, *padded, N) that they came from."""
    for k, window in geometry.taps():
        x[window] += columns[k]


# --- the three ops ----------------------------------------------------------------------------------------------------


def _conv(x, w, b, *, geometry):
    """x (N, C, *size), w (O, C/G, *kernel), b (O,) or None → (N, O, *out)."""
    G, O = geometry.groups, w.shape[0]
    x = pad_zeros(batch_last(x), geometry)  # (C, *padded, N)
    C, N = x.shape[0], x.shape[-1]
    w = w.reshape((G, O // G, -1))  # (G, O/G, K) with K = C/G · kernel
    y = np.empty((G, O // G, math.prod(geometry.out) * N), x.dtype, like=x)
    for span, reach, part in geometry.blocks(C, N):
        columns = windows(x[:, reach], part).reshape((G, w.shape[2], -1))  # (G, K, span)
        array_module(y).matmul(w, columns, out=y[:, :, span])
        if b is not None:
            y[:, :, span] += b.reshape((G, -1, 1))  # here, while the block is in the cache
    return batch_first(y.reshape((O, *geometry.out, N)))


def _conv_input(g, w, *, geometry):
    """g (N, O, *out), w (O, C/G, *kernel) → (N, C, *size)."""
    G, O = geometry.groups, w.shape[0]
    C, N = w.shape[1] * G, g.shape[0]
    w = w.reshape((G, O // G, -1)).mT  # (G, K, O/G)
    g = batch_last(g).reshape((G, O // G, -1))  # (G, O/G, out · N)
    x = np.zeros((C, *geometry.padded, N), g.dtype, like=g)
    for span, reach, part in geometry.blocks(C, N):
        columns = w @ g[:, :, span]  # (G, K, span)
        add_windows(x[:, reach], columns.reshape((C, *part.kernel, *part.out, N)), part)
    return batch_first(x[geometry.inside])


def _conv_weight(g, x, *, geometry):
    """g (N, O, *out), x (N, C, *size) → (O, C/G, *kernel)."""
    G, O = geometry.groups, g.shape[1]
    x = pad_zeros(batch_last(x), geometry)  # (C, *padded, N)
    g = batch_last(g).reshape((G, O // G, -1))  # (G, O/G, out · N)
    C, N = x.shape[0], x.shape[-1]
    K = C // G * math.prod(geometry.kernel)
    w = np.zeros((G, K, O // G), g.dtype, like=g)
    for span, reach, part in geometry.blocks(C, N):
        columns = windows(x[:, reach], part).reshape((G, K, -1))  # (G, K, span)
        w += columns @ g[:, :, span].mT
    return w.mT.reshape((O, C // G, *geometry.kernel))


def _sum_per_channel(g):
    return g.sum(axis=(0, *range(2, g.ndim)))


conv = op(
    "conv", _conv,
    lambda g, w, geometry: conv_input(g, w, geometry=geometry),
    lambda g, x, geometry: conv_weight(g, x, geometry=geometry),
    _sum_per_channel,
)  # fmt: skip
conv_input = op(
    "conv_input", _conv_input,
    lambda v, w, geometry: conv(v, w, None, geometry=geometry),
    lambda v, g, geometry: conv_weight(g, v, geometry=geometry),
)  # fmt: skip
conv_weight = op(
    "conv_weight", _conv_weight,
    lambda v, x, geometry: conv(x, v, None, geometry=geometry),
    lambda v, g, geometry: conv_input(g, v, geometry=geometry),
)  # fmt: skip

# --- PyTorch's functions ----------------------------------------------------------------------------------------------


def per_dimension(name, what, value, dims, least=0):
    """A setting given once or per spatial dimension, as a tuple of ints; RuntimeError where one is below `least`."""
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    values = values * dims if len(values) == 1 else values
    if len(values) != dims or any(int(v) != v for v in values):
        raise RuntimeError(f"{name}: {what} must be one int or {dims} of them, got {value!r}")
    if min(values) < least:
        raise RuntimeError(f"{name}: {what} must be at least {least}, got {value!r}")
    return tuple([int(v) for v in values])


def window_counts(size, kernel, stride, padding, dilation):
    """How many windows fit into each dimension: ⌊(size + padding − d·(kernel − 1) − 1) / stride⌋ + 1."""
    return tuple(
        [(n + sum(pad) - d * (k - 1) - 1) // s + 1 for n, k, s, pad, d in zip(size, kernel, stride, padding, dilation)]
    )


def _check(name, input, weight, bias, dims, groups, channels_in, channels_out):
    """The shapes and dtypes of a convolution's inputs; channels_in, channels_out: the sizes of the weight that must fit."""
    if weight.ndim != dims + 2:
        raise RuntimeError(f"{name}: the weight must have {dims + 2} dimensions, got {tuple(weight.shape)}")
    if input.ndim not in (dims + 1, dims + 2):
        raise RuntimeError(
            f"{name}: the input must be (N, C, …) or (C, …) with {dims} spatial dimensions, got {tuple(input.shape)}"
        )
    if not isinstance(groups, int) or groups < 1 or weight.shape[0] % groups:
        raise RuntimeError(
            f"{name}: groups={groups} must be positive and divide the weight's first size, {weight.shape[0]}"
        )
    if input.shape[-dims - 1] != channels_in:
        raise RuntimeError(
            f"{name}: input {tuple(input.shape)}, weight {tuple(weight.shape)}, groups={groups}: "
            f"the input has {input.shape[-dims - 1]} channels, the weight is made for {channels_in}"
        )
    if bias is not None and tuple(bias.shape) != (channels_out,):
        raise RuntimeError(f"{name}: bias {tuple(bias.shape)} must be ({channels_out},), one for each output channel")
    for other in (weight, bias):
        if other is not None and other.dtype != input.dtype:
            raise RuntimeError(
                f"{name}: dtypes {input.dtype} and {other.dtype} differ; convert one of them with .to(dtype)"
            )


def _paddings(name, padding, kernel, stride, dilation):
    """Numbers, "valid" or "same" as (before, after) per dimension; "same" puts the odd one behind."""
    if padding == "same":
        if any(s != 1 for s in stride):
            raise RuntimeError(f'{name}: padding="same" needs stride 1, got {stride}')
        totals = [d * (k - 1) for d, k in zip(dilation, kernel)]
        return tuple([(total // 2, total - total // 2) for total in totals])
    if isinstance(padding, str) and padding != "valid":
        raise RuntimeError(f'{name}: padding must be numbers, "same" or "valid", not {padding!r}')
    return tuple([(p, p) for p in per_dimension(name, "padding", 0 if padding == "valid" else padding, len(kernel))])


def _convolution(name, dims, input, weight, bias, stride, padding, dilation, groups):
    _check(name, input, weight, bias, dims, groups, weight.shape[1] * groups if weight.ndim > 1 else 0, weight.shape[0])
    stride = per_dimension(name, "stride", stride, dims, 1)
    dilation = per_dimension(name, "dilation", dilation, dims, 1)
    size, kernel = input.array.shape[-dims:], weight.array.shape[2:]
    padding = _paddings(name, padding, kernel, stride, dilation)
    out = window_counts(size, kernel, stride, padding, dilation)
    if min(out) < 1:
        raise RuntimeError(
            f"{name}: the kernel {kernel} with dilation {dilation} does not fit into the input {size} with padding {padding}"
        )
    geometry = Geometry(size, kernel, out, stride, padding, dilation, groups)
    if input.ndim == dims + 2:
        return conv(input, weight, bias, geometry=geometry)
    return conv(input.unsqueeze(0), weight, bias, geometry=geometry).squeeze(0)


def _transposed_convolution(name, dims, input, weight, bias, stride, padding, output_padding, groups, dilation):
    _check(name, input, weight, bias, dims, groups, weight.shape[0], weight.shape[1] * groups if weight.ndim > 1 else 0)
    stride = per_dimension(name, "stride", stride, dims, 1)
    dilation = per_dimension(name, "dilation", dilation, dims, 1)
    extra = per_dimension(name, "output_padding", output_padding, dims)
    out, kernel = input.array.shape[-dims:], weight.array.shape[2:]
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation)):
        raise RuntimeError(
            f"{name}: output_padding {extra} must be smaller than the stride {stride} or the dilation {dilation}"
        )
    padding = tuple([(p, p) for p in per_dimension(name, "padding", padding, dims)])
    size = tuple(
        [
            (n - 1) * s - sum(pad) + d * (k - 1) + e + 1
            for n, s, pad, d, k, e in zip(out, stride, padding, dilation, kernel, extra)
        ]
    )
    if min(size) < 1:
        raise RuntimeError(
            f"{name}: the output would have size {size}; the input {out} is too small for padding {padding}"
        )
    geometry = Geometry(size, kernel, out, stride, padding, dilation, groups)
    y = conv_input(input if input.ndim == dims + 2 else input.unsqueeze(0), weight, geometry=geometry)
    if bias is not None:
        y = y + bias.reshape(-1, *(1,) * dims)
    return y if input.ndim == dims + 2 else y.squeeze(0)


def conv1d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """y[n,o,p] = b[o] + Σ_c,k w[o,c,k] · x[n,c, s·p + d·k − pad]: a cross-correlation, as PyTorch's.

    input (N, C, L) or (C, L), weight (O, C/groups, k), bias (O,) → (N, O, ⌊(L + 2·padding − d·(k − 1) − 1)/stride⌋ + 1).
    padding: numbers, "valid" (none) or "same" (as long as the input; stride 1). RuntimeError where shapes or dtypes do not fit.
    """
    return _convolution("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """As conv1d in two dimensions: input (N, C, H, W) or (C, H, W), weight (O, C/groups, kh, kw)."""
    return _convolution("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


def conv3d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """As conv1d in three dimensions: input (N, C, D, H, W) or (C, D, H, W), weight (O, C/groups, kd, kh, kw)."""
    return _convolution("conv3d", 3, input, weight, bias, stride, padding, dilation, groups)


def conv_transpose1d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """The gradient of conv1d with respect to its input, as an op of its own: x[n,c,q] = b[c] + Σ w[o,c,k] · y[n,o,p] over s·p + d·k − pad = q.

    input (N, O, L) or (O, L), weight (O, C/groups, k), bias (C,) → (N, C, (L − 1)·stride − 2·padding + d·(k − 1) + output_padding + 1).
    output_padding chooses among the sizes that conv1d would map to L. (Dumoulin & Visin 2016, arXiv:1603.07285.)
    """
    return _transposed_convolution(
        "conv_transpose1d", 1, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


def conv_transpose2d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """As conv_transpose1d in two dimensions: input (N, O, H, W) or (O, H, W), weight (O, C/groups, kh, kw)."""
    return _transposed_convolution(
        "conv_transpose2d", 2, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


def conv_transpose3d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """As conv_transpose1d in three dimensions: input (N, O, D, H, W) or (O, D, H, W), weight (O, C/groups, kd, kh, kw)."""
    return _transposed_convolution(
        "conv_transpose3d", 3, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


# --- unfold and fold: windows as columns, and back --------------------------------------------------------------------


def _unfold(x, *, geometry):
    """x (N, C, *size) → (N, C · kernel, out)."""
    columns = windows(pad_zeros(batch_last(x), geometry), geometry)  # (C, *kernel, *out, N)
    return batch_first(columns.reshape((x.shape[1] * math.prod(geometry.kernel), -1, x.shape[0])))


def _fold(columns, *, geometry):
    """columns (N, C · kernel, out) → (N, C, *size)."""
    C, N = columns.shape[1] // math.prod(geometry.kernel), columns.shape[0]
    x = np.zeros((C, *geometry.padded, N), columns.dtype, like=columns)
    add_windows(x, batch_last(columns).reshape((C, *geometry.kernel, *geometry.out, N)), geometry)
    return batch_first(x[geometry.inside])


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
