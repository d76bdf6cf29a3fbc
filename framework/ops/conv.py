"""Convolution in 1, 2 or 3 dimensions and its transpose.

A convolution is linear in its input and in its weight, and so are its two gradients. The three ops below are each other's derivatives,
which gives derivatives of every order:

    conv         y[n,o,p] = Σ_c,k w[o,c,k] · x[n,c, s·p + d·k − pad]       p: output position, k: kernel position, s: stride, d: dilation
    conv_input   the same sum read backwards: what each x[n,c,q] receives from y's gradient; this is also the transposed convolution
    conv_weight  the same for each w[o,c,k]

Each is a series of matrix products over *columns*, the windows of the input, which windows.py lays out with the batch innermost in memory.
What comes out is seen as (N, C, *spatial), and as elementwise ops keep the order in memory, it stays that way from layer to layer.
"""

import math

import numpy as np

from ..backend import array_module
from ..precision import listed
from ..tensor import Tensor
from . import windows
from .define import op
from .windows import (
    Geometry,
    add_lowered,
    all_columns,
    batch_first,
    contiguous,
    for_rows,
    from_groups,
    is_small,
    matrices,
    multiply,
    packed,
    per_dimension,
    window_counts,
)

__all__ = ["conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"]

ENOUGH = 16  # channels of the input from which its gradient is a convolution of its own, where that is a small product


def _by_columns(w, groups):
    """The weight (O, C/G, *kernel) as (G, O/G, kernel · C/G), in the order of the columns."""
    return w.transpose((0, *range(2, w.ndim), 1)).reshape((groups, w.shape[0] // groups, math.prod(w.shape[1:])))


def _conv(x, w, b, *, geometry):
    """x (N, C, *size), w (O, C/G, *kernel), b (O,) or None → (N, O, *out)."""
    G, O, N = geometry.groups, w.shape[0], x.shape[0]
    w = _by_columns(w, G)  # (G, O/G, K)
    b = None if b is None else b.reshape((G, O // G, 1))
    y = np.empty((geometry.out[0], O, *geometry.out[1:], N), x.dtype, like=x)
    x, single = contiguous(x), geometry.by_single_rows(N)

    def compute(part):
        for rows, met, which in all_columns(x, geometry, part):
            product = matrices(y, rows, geometry) if single else np.empty((G, O // G, met.shape[2]), x.dtype, like=x)
            multiply(w[:, :, which], met, product)
            if b is not None:
                product += b  # here, while the product is in the cache
            if not single:
                count = rows.stop - rows.start
                y[rows] = from_groups(product, count).reshape((count, *y.shape[1:]))

    for_rows(compute, geometry, N, y.size * w.shape[2])
    return batch_first(y)


def _phases(geometry):
    """With stride s the rows of x fall into s phases, and in each x is what a convolution of g by rows makes, with every s-th row of the kernel.

    Yields, for each: which rows of x, which rows of the kernel, and that convolution's geometry. Row s·u + phase − pad of x meets
    row u + (phase − d·k)/s of g, where that is whole; from the last k to the first, so that rows of g come in their order.
    """
    R, s, d, pad = geometry.size[0], geometry.stride[0], geometry.dilation[0], geometry.padding[0][0]
    ones, none = (1,) * (len(geometry.out) - 1), ((0, 0),) * (len(geometry.out) - 1)
    for phase in range(s):
        first_u = -((phase - pad) // s)
        rows = slice(s * first_u + phase - pad, R, s)
        taps, count = [k for k in reversed(range(geometry.kernel[0])) if (phase - d * k) % s == 0], len(range(R)[rows])
        if taps and count:
            padding = ((-first_u - (phase - d * taps[0]) // s, 0), *none)
            kernel, out, step = (len(taps), *ones), (count, *geometry.out[1:]), (d // math.gcd(s, d), *ones)
            yield rows, taps, Geometry(geometry.out, kernel, out, (1, *ones), padding, step, geometry.groups)


def _conv_input(g, w, *, geometry):
    """g (N, O, *out), w (O, C/G, *kernel) → (N, C, *size): a convolution by rows, added up over the other dimensions of the kernel."""
    G, (O, Cg, *kernel), N = geometry.groups, w.shape, g.shape[0]
    if Cg >= ENOUGH and is_small(Cg, O // G * math.prod(kernel), windows.PIECE) and (turned := geometry.turned):
        w = np.flip(w, axis=tuple(range(2, w.ndim))).reshape((G, O // G, Cg, *kernel)).swapaxes(1, 2)
        return _conv(g, w.reshape((G * Cg, O // G, *kernel)), None, geometry=turned)
    C, T, M = Cg * G, math.prod(kernel[1:]), math.prod(geometry.out[1:]) * N
    g, w = contiguous(g), w.reshape((G, O // G, Cg, kernel[0], T))
    x = np.zeros((geometry.size[0], C, *geometry.size[1:], N), g.dtype, like=g)
    # rows that are in the cache until they are added
    step = max(1, min(windows.BLOCK // max(1, T * C * M), windows.SPAN // max(1, M)))
    for phase, taps, by_rows in _phases(geometry):
        w_rows = w[:, :, :, taps].transpose((0, 3, 1, 4, 2)).reshape((G, len(taps) * O // G, T * Cg))
        w_rows = packed(w_rows.mT, 2)  # (G, kernel' · C/G, taps · O/G): not the view, with which products are slower
        target = x[phase]

        def add(part, target=target, by_rows=by_rows, w_rows=w_rows):
            for rows, met, which in all_columns(g, by_rows, part):
                if by_rows.by_single_rows(N):
                    for first in range(rows.start, rows.stop, step):
                        some = met[first - rows.start :][:step]  # (count, taps · O, M)
                        lowered = np.empty((len(some), T, C, M), g.dtype, like=g)
                        multiply(w_rows[:, :, which], some, lowered.reshape((len(some), T * C, M)))
                        add_lowered(target[first : first + len(some)], lowered, geometry.rest)
                else:
                    count = rows.stop - rows.start
                    product = (w_rows[:, :, which] @ met).reshape((G, T, Cg, count, M))
                    lowered = product.transpose((3, 1, 0, 2, 4)).reshape((count, T, C, M))
                    add_lowered(target[rows], lowered, geometry.rest)

        for_rows(add, by_rows, N, target.size * T * len(taps) * O // G)
    return batch_first(x)


def _conv_weight(g, x, *, geometry):
    """g (N, O, *out), x (N, C, *size) → (O, C/G, *kernel)."""
    G, O, C = geometry.groups, g.shape[1], x.shape[1]
    g, x = contiguous(g), contiguous(x)
    K, single = C // G * math.prod(geometry.kernel), geometry.by_single_rows(g.shape[-1])
    all_rows = slice(0, geometry.out[0])
    if single and all_rows.stop * K * O <= windows.BLOCK:
        # Each row's product is kept: threads can share them, and the sum has one order.
        products = np.zeros((all_rows.stop, K, O), g.dtype, like=g)

        def compute(part):
            for rows, met, which in all_columns(x, geometry, part):
                array_module(g).matmul(met, matrices(g, rows, geometry).mT, out=products[rows, which])

        for_rows(compute, geometry, g.shape[-1], g.size * K)
        w = products.sum(axis=0, keepdims=True)
    else:
        w = np.zeros((G, K, O // G), g.dtype, like=g)
        for rows, met, which in all_columns(x, geometry, all_rows):
            product = met @ matrices(g, rows, geometry).mT
            w[:, which] += product.sum(axis=0, keepdims=True) if single else product
    w = w.mT.reshape((O, *geometry.kernel, C // G))
    return packed(w.transpose((0, w.ndim - 1, *range(1, w.ndim - 1))), 1)


def _sum_per_channel(g):
    """Σ over all but the channels of (N, O, *out). On arrays as a product with ones, which takes a third of sum's time."""
    if isinstance(g, Tensor) or g.itemsize < 4:
        return g.sum(axis=(0, *range(2, g.ndim)))
    g = contiguous(g)
    g = g.reshape((*g.shape[:2], math.prod(g.shape[2:])))
    return (g @ np.ones_like(g, shape=g.shape[2])).sum(axis=0)


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


@listed
def conv1d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """y[n,o,p] = b[o] + Σ_c,k w[o,c,k] · x[n,c, s·p + d·k − pad]: a cross-correlation, as PyTorch's.

    input (N, C, L) or (C, L), weight (O, C/groups, k), bias (O,) → (N, O, ⌊(L + 2·padding − d·(k − 1) − 1)/stride⌋ + 1).
    padding: numbers, "valid" (none) or "same" (as long as the input; stride 1). RuntimeError where shapes or dtypes do not fit.
    """
    return _convolution("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


@listed
def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """As conv1d in two dimensions: input (N, C, H, W) or (C, H, W), weight (O, C/groups, kh, kw)."""
    return _convolution("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


@listed
def conv3d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """As conv1d in three dimensions: input (N, C, D, H, W) or (C, D, H, W), weight (O, C/groups, kd, kh, kw)."""
    return _convolution("conv3d", 3, input, weight, bias, stride, padding, dilation, groups)


@listed
def conv_transpose1d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """The gradient of conv1d with respect to its input, as an op of its own: x[n,c,q] = b[c] + Σ w[o,c,k] · y[n,o,p] over s·p + d·k − pad = q.

    input (N, O, L) or (O, L), weight (O, C/groups, k), bias (C,) → (N, C, (L − 1)·stride − 2·padding + d·(k − 1) + output_padding + 1).
    output_padding chooses among the sizes that conv1d would map to L. (Dumoulin & Visin 2016, arXiv:1603.07285.)
    """
    return _transposed_convolution(
        "conv_transpose1d", 1, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


@listed
def conv_transpose2d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """As conv_transpose1d in two dimensions: input (N, O, H, W) or (O, H, W), weight (O, C/groups, kh, kw)."""
    return _transposed_convolution(
        "conv_transpose2d", 2, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


@listed
def conv_transpose3d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """As conv_transpose1d in three dimensions: input (N, O, D, H, W) or (O, D, H, W), weight (O, C/groups, kd, kh, kw)."""
    return _transposed_convolution(
        "conv_transpose3d", 3, input, weight, bias, stride, padding, output_padding, groups, dilation
    )
