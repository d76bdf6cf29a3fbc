"""Convolution in 1, 2 or 3 dimensions and its transpose; unfold and fold.

A convolution is linear in its input and in its weight, and so are its two gradients. The three ops below are each other's derivatives,
which gives derivatives of every order:

    conv         y[n,o,p] = Σ_c,k w[o,c,k] · x[n,c, s·p + d·k − pad]       p: output position, k: kernel position, s: stride, d: dilation
    conv_input   the same sum read backwards: what each x[n,c,q] receives from y's gradient; this is also the transposed convolution
    conv_weight  the same for each w[o,c,k]

Each is a series of matrix products over *columns*, the windows of the input (Chellapilla, Puri & Simard 2006, "High performance convolutional
neural networks for document processing"). The batch is innermost in memory and the first spatial dimension, the *rows*, outermost:
(R, C, *rest, N). Writing out the windows in all other dimensions (`lower`) gives (R, kernel', C, out' · N), and then the columns of one row
of output, (kernel · C, out' · N), lie in memory as they are: the next kernel[0] rows. So a k×k kernel copies its input k times, not k²
(Cho & Brand 2017, "MEC: memory-efficient convolution", arXiv:1706.06873). Where rows are short or dilated, or channels come in groups, the
columns of several rows are copied together instead.

What comes out is seen as (N, C, *spatial), and as elementwise ops keep the order in memory, it stays that way from layer to layer.
"""

import functools
import itertools
import math
from typing import NamedTuple

import numpy as np

from .. import threads
from ..backend import array_module
from ..precision import listed
from ..tensor import Tensor
from .define import op

__all__ = ["conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"]

BLOCK = 1 << 19  # elements that are worked on at a time: 2 MB in float32, what a core's cache holds
SPAN = 1 << 12  # columns that are copied together for a product
LINE = 16  # elements that no column has: else BLAS reads a column at powers of two, which share few places in a cache
PER_PASS = 32  # multiplications of a product that count as a pass over an element, to tell what is worth a thread
WIDE = 1 << 7  # columns of a single row that are a product worth its call, without copying
SMALL = 10**6  # multiplications up to which OpenBLAS, with AVX-512, has a kernel that reads matrices where they lie
PIECE = 64  # columns that a piece of a product has at least
ENOUGH = 16  # channels of the input from which its gradient is a convolution of its own, where that is a small product


class Geometry(NamedTuple):
    """Where the windows lie. Each entry but groups has one value per spatial dimension; padding is (before, after)."""

    size: tuple
    kernel: tuple
    out: tuple
    stride: tuple
    padding: tuple
    dilation: tuple
    groups: int = 1

    def by_single_rows(self, batch):
        """Whether products are over single rows of output, whose columns lie in memory as they are."""
        return self.groups == self.dilation[0] == 1 and math.prod(self.out[1:]) * batch >= WIDE

    @property
    def rest(self):
        """The same without the first dimension."""
        return Geometry(*[values[1:] for values in self[:6]])

    @property
    def is_whole(self):
        """Whether there is one window, all of the input itself, for a kernel of one element."""
        return self.size == self.out and math.prod(self.kernel) == 1 and not any(map(any, self.padding))

    @property
    def turned(self):
        """With stride 1, the convolution of y, with the kernel turned around, that is conv_input; None where there is none."""
        padding = []
        for n, k, out, s, (before, _), d in zip(*self[:6]):
            first = d * (k - 1) - before  # row q of x meets row q + before − d·k of y
            padding.append((first, n + d * (k - 1) - out - first))
            if s > 1 or min(padding[-1]) < 0:
                return None
        return self._replace(size=self.out, out=self.size, padding=tuple(padding))

    def reach(self, rows):
        """The rows of input that meet these rows of output, as a slice; where there is padding it begins before 0 and ends after the last."""
        first = rows.start * self.stride[0] - self.padding[0][0]
        count = (rows.stop - rows.start - 1) * self.stride[0] + (self.kernel[0] - 1) * self.dilation[0] + 1
        return slice(first, first + count)

    def inside(self, reach):
        """The part of a reach that the input has."""
        first = max(0, reach.start)
        return slice(first, max(first, min(self.size[0], reach.stop)))


@functools.lru_cache(maxsize=256)
def slabs(geometry):
    """For every kernel position (output index, input index), in slices: output p meets the input at s·p + d·k − pad, where that is inside."""
    spans = []
    for n, kernel, out, s, (pad, _), d in zip(*geometry[:6]):
        span = []
        for offset in range(-pad, d * kernel - pad, d):
            first, last = max(0, -(offset // s)), min(out - 1, (n - 1 - offset) // s)
            inside = first <= last
            span.append(
                (slice(first, last + 1), slice(s * first + offset, s * last + offset + 1, s)) if inside else None
            )
        spans.append(span)
    return [None if None in pairs else tuple(zip(*pairs)) or ((), ()) for pairs in itertools.product(*spans)]


def rows_first(x):
    """(N, C, R, *rest) → (R, C, *rest, N), a view."""
    return x.transpose((2, 1, *range(3, x.ndim), 0))


def batch_first(x):
    """(R, C, *rest, N) → (N, C, R, *rest), a view."""
    return x.transpose((x.ndim - 1, 1, 0, *range(2, x.ndim - 1)))


def contiguous(x):
    """(N, C, R, *rest) as (R, C, *rest, N) in one piece of memory: a view, or a copy."""
    x = rows_first(x)
    return x if x.flags.c_contiguous else packed(x, x.ndim - 1)


def packed(x, axis):
    """A copy in C's order, 16 at a time along the axis that is innermost in memory: so many a cache line holds."""
    copied, before = np.empty_like(x, order="C"), (slice(None),) * axis
    for first in range(0, x.shape[axis], 16):
        part = (*before, slice(first, first + 16))
        copied[part] = x[part]
    return copied


def lower(x, geometry, rows):
    """x (R, C, *rest, N) → what these rows of output meet, with the windows written out but for the rows: (reach, kernel', C, out' · N)."""
    rest, reach, C, N = geometry.rest, geometry.reach(rows), x.shape[1], x.shape[-1]
    found = geometry.inside(reach)
    count = found.stop - found.start
    if rest.is_whole and found == reach:
        return x[reach].reshape((count, 1, C, math.prod(rest.out) * N))
    M, taps = math.prod(rest.out) * N, math.prod(rest.kernel)
    result = np.empty((reach.stop - reach.start, taps, C, M + LINE), x.dtype, like=x)[..., :M]
    lowered = result.reshape((*result.shape[:3], *rest.out, N))  # a view
    inside = slice(found.start - reach.start, found.stop - reach.start)
    lowered[: inside.start], lowered[inside.stop :] = 0, 0

    def copy(rows):
        for k, slab in enumerate(slabs(rest)):
            part = lowered[inside, k][rows]
            if slab is None:
                part[...] = 0
                continue
            for axis, o in enumerate(slab[0], start=2):
                before = (slice(None),) * axis
                part[*before, : o.start], part[*before, o.stop :] = 0, 0
            part[:, :, *slab[0]] = x[found][rows][:, :, *slab[1]]

    threads.in_slices(copy, count, lowered.size)
    return result


def add_lowered(x, lowered, rest):
    """The transpose of `lower` for rows without padding: add (R, kernel', C, out' · N) to the places in x (R, C, *rest, N) it came from."""
    lowered = lowered.reshape((*lowered.shape[:3], *rest.out, x.shape[-1]))
    for k, slab in enumerate(slabs(rest)):
        if slab is not None:
            x[:, :, *slab[1]] += lowered[:, k][:, :, *slab[0]]


def columns(lowered, geometry, count):
    """The windows of the first `count` rows of output, (groups, kernel · C/groups, count · out' · N)."""
    (_, taps, C, M), G = lowered.shape, geometry.groups
    kernel, s, d = geometry.kernel[0], geometry.stride[0], geometry.dilation[0]
    shape = (G, kernel * taps * C // G, count * M)
    met = [lowered[k : k + (count - 1) * s + 1 : s] for k in range(0, kernel * d, d)]  # each (count, taps, C, M)
    met = [rows.reshape((count, taps, G, C // G, M)).transpose((2, 1, 3, 0, 4)) for rows in met]
    return np.stack(met, axis=1).reshape(shape)


def columns_of_rows(lowered, geometry, count):
    """The windows of each of the first `count` rows of output, (count, kernel · C, out' · N): in NumPy a view, in which rows overlap."""
    _, taps, C, M = lowered.shape
    kernel, s = geometry.kernel[0], geometry.stride[0]
    shape, (row, *_, item) = (count, kernel * taps * C, M), lowered.strides
    tap = row // (taps * C)  # not the channels' own stride, which means nothing where there is one of them
    if count == 1:
        return lowered[:kernel].reshape(shape)
    if lowered.__class__ is np.ndarray:
        return np.lib.stride_tricks.as_strided(lowered, shape, (s * row, tap, item))
    return np.stack([lowered[s * i : s * i + kernel].reshape(shape[1:]) for i in range(count)])


def blocks(geometry, channels, batch, rows):
    """Parts of these rows of output: yields (rows that are lowered together, a list of parts of them that are multiplied together)."""
    M = math.prod(geometry.out[1:]) * batch
    lowered = max(1, math.prod(geometry.kernel[1:]) * channels * M)  # elements in a row
    if geometry.by_single_rows(batch):
        step = max(1, BLOCK // 4 // lowered)
    else:
        step = max(1, min(SPAN // max(1, M), BLOCK // (lowered * geometry.kernel[0])))
    most = max(step, 4 * BLOCK // lowered // geometry.stride[0] - geometry.kernel[0] * geometry.dilation[0])
    for first in range(rows.start, rows.stop, most):
        end = min(first + most, rows.stop)
        yield slice(first, end), [slice(row, min(row + step, end)) for row in range(first, end, step)]


def all_columns(x, geometry, rows):
    """Columns of x (R, C, *rest, N) for these rows of output, a part at a time: yields (rows, their columns, which of them, without those
    that are 0). Columns are matrices for each row, (rows, K, out' · N), where they are `by_single_rows`, else for each group.
    """
    C, N = x.shape[1], x.shape[-1]
    single = geometry.by_single_rows(N)
    whole = geometry.rest.is_whole and single  # nothing to copy
    if whole:
        x = x.reshape((x.shape[0], 1, C, math.prod(geometry.out[1:]) * N))
    for block, parts in blocks(geometry, C, N, rows):
        lowered = None if whole else lower(x, geometry, block)
        are_views = single and not whole and x.__class__ is np.ndarray
        met = columns_of_rows(lowered, geometry, block.stop - block.start) if are_views else None
        for part in parts:
            first, end = part.start - block.start, part.stop - block.start
            if whole:
                yield from _columns_as_they_lie(x, geometry, part)
            elif are_views:
                yield part, met[first:end], slice(None)
            else:
                copied = (columns_of_rows if single else columns)(
                    lowered[first * geometry.stride[0] :], geometry, end - first
                )
                yield part, copied, slice(None)


def _columns_as_they_lie(x, geometry, rows):
    """The same where x (R, 1, C, M) is what `lower` would give: rows together where all that they meet is inside, else one by one."""
    C, first = x.shape[2], rows.start
    while first < rows.stop:
        last = first + 1
        reach = geometry.reach(slice(first, last))
        found = geometry.inside(reach)
        if found == reach:
            while last < rows.stop and geometry.reach(slice(first, last + 1)).stop <= geometry.size[0]:
                last += 1
            yield slice(first, last), columns_of_rows(x[found.start :], geometry, last - first), slice(None)
        else:
            met = x[found].reshape((1, (found.stop - found.start) * C, x.shape[3]))
            yield slice(first, last), met, slice((found.start - reach.start) * C, (found.stop - reach.start) * C)
        first = last


def matrices(y, rows, geometry):
    """These rows of y (R, O, *rest, N) as all_columns has them: (rows, O, rest · N), a view; or (groups, O/groups, rows · rest · N)."""
    count, O, M, G = rows.stop - rows.start, y.shape[1], math.prod(y.shape[2:]), geometry.groups
    if geometry.by_single_rows(y.shape[-1]):
        return y[rows].reshape((count, O, M))
    y = y[rows].reshape((count, G, O // G, M)).transpose((1, 2, 0, 3))
    return y.reshape((G, O // G, count * M))


def from_groups(product, count):
    """The transpose of `matrices`: (groups, O/groups, count · M) → (count, O, M)."""
    G, O, M = product.shape
    return product.reshape((G * O, count, M // count)).transpose((1, 0, 2))


def is_small(O, K, M):
    """Whether (O, K) @ (K, M) is a product that BLAS computes without copying its factors first."""
    return O * K * M <= SMALL


def multiply(w, met, out):
    """out (…, O, M) = w (O, K) @ met (…, K, M), in pieces that are small where M can be halved down to them.

    Of larger products BLAS copies both factors first, a block at a time, which few rows do not pay back.
    """
    (O, K), M = w.shape[-2:], met.shape[-1]
    n = M
    while not is_small(O, K, n) and n % (2 * PIECE) == 0:
        n //= 2
    if n == M or not is_small(O, K, n) or met.__class__ is not np.ndarray:
        array_module(out).matmul(w, met, out=out)
        return
    met, pieces = (x.reshape((*x.shape[:-1], M // n, n)).swapaxes(-2, -3) for x in (met, out))  # views
    np.matmul(w[..., None, :, :], met, out=pieces)


def for_rows(function, geometry, batch, multiplications):
    """function(rows) for all rows of output: on several threads where each row is a product of its own, whoever computes it."""
    work = multiplications // PER_PASS if geometry.by_single_rows(batch) else 0
    threads.products_in_slices(function, geometry.out[0], work)


# --- the three ops ----------------------------------------------------------------------------------------------------


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
    if Cg >= ENOUGH and is_small(Cg, O // G * math.prod(kernel), PIECE) and (turned := geometry.turned):
        w = np.flip(w, axis=tuple(range(2, w.ndim))).reshape((G, O // G, Cg, *kernel)).swapaxes(1, 2)
        return _conv(g, w.reshape((G * Cg, O // G, *kernel)), None, geometry=turned)
    C, T, M = Cg * G, math.prod(kernel[1:]), math.prod(geometry.out[1:]) * N
    g, w = contiguous(g), w.reshape((G, O // G, Cg, kernel[0], T))
    x = np.zeros((geometry.size[0], C, *geometry.size[1:], N), g.dtype, like=g)
    step = max(1, min(BLOCK // max(1, T * C * M), SPAN // max(1, M)))  # rows that are in the cache until they are added
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
    if single and all_rows.stop * K * O <= BLOCK:
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


# --- unfold and fold: windows as columns, and back --------------------------------------------------------------------


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
