"""The windows of an input as matrices, whose products make up a convolution.

The columns of a convolution are the windows of its input (Chellapilla, Puri & Simard 2006, "High performance convolutional neural networks
for document processing"). The batch is innermost in memory and the first spatial dimension, the *rows*, outermost: (R, C, *rest, N). Writing
out the windows in all other dimensions (`lower`) gives (R, kernel', C, out' · N), and then the columns of one row of output,
(kernel · C, out' · N), lie in memory as they are: the next kernel[0] rows. So a k×k kernel copies its input k times, not k² (Cho & Brand
2017, "MEC: memory-efficient convolution", arXiv:1706.06873). Where rows are short or dilated, or channels come in groups, the columns of
several rows are copied together instead.
"""

import functools
import itertools
import math
from typing import NamedTuple

import numpy as np

from .. import threads
from ..backend import array_module

BLOCK = 1 << 19  # elements that are worked on at a time: 2 MB in float32, what a core's cache holds
SPAN = 1 << 12  # columns that are copied together for a product
LINE = 16  # elements that no column has: else BLAS reads a column at powers of two, which share few places in a cache
PER_PASS = 32  # multiplications of a product that count as a pass over an element, to tell what is worth a thread
WIDE = 1 << 7  # columns of a single row that are a product worth its call, without copying
SMALL = 10**6  # multiplications up to which OpenBLAS, with AVX-512, has a kernel that reads matrices where they lie
PIECE = 64  # columns that a piece of a product has at least


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
