"""Tensors put together, taken apart, repeated, copied, and their elements put in other places."""

import functools

import numpy as np

from .. import backend
from ..tensor import Tensor, implements, method
from .define import op
from .dims import dim_of, dims_of, sizes_of
from .views import expanded, reshaped

__all__ = [
    "tile", "repeat_interleave", "cat", "concat", "concatenate", "stack", "hstack", "vstack", "split", "chunk", "unbind", "narrow",
    "tensor_split", "roll", "flip", "rot90", "tril", "triu", "diag", "diagonal", "diag_embed", "meshgrid", "clone", "numel",
]  # fmt: skip

_flip = op("flip", lambda x, *, dims: np.flip(x, dims).copy(), lambda g, dims: _flip(g, dims=dims))
_roll = op(
    "roll",
    lambda x, *, shifts, dims: np.roll(x, shifts, dims),
    lambda g, shifts, dims: _roll(g, shifts=_minus(shifts), dims=dims),
)
_tril = op("tril", lambda x, *, diagonal: np.tril(x, diagonal), lambda g, diagonal: _tril(g, diagonal=diagonal))
_triu = op("triu", lambda x, *, diagonal: np.triu(x, diagonal), lambda g, diagonal: _triu(g, diagonal=diagonal))
_clone = op("clone", lambda x: x.copy(order="K"), lambda g: g)


def _minus(shifts):
    return tuple([-shift for shift in shifts])


# --- repetition --------------------------------------------------------------------------------------------------------


@method()
def repeat(self, *repeats):
    """The whole tensor repeated along each dimension, copied; more repeats than dimensions add dimensions in front."""
    repeats = sizes_of("repeat", repeats)
    if len(repeats) < self.array.ndim:
        raise RuntimeError(
            f"repeat: {len(repeats)} repeats for the {self.array.ndim} dimensions of {tuple(self.array.shape)}"
        )
    if min(repeats, default=0) < 0:
        raise RuntimeError(f"repeat: repeats must not be negative, got {repeats}")
    shape = (1,) * (len(repeats) - self.array.ndim) + self.array.shape
    ones = reshaped("repeat", self, tuple([n for size in shape for n in (1, size)]))  # (1, s₀, 1, s₁, …)
    spread = expanded("repeat", ones, tuple([n for pair in zip(repeats, shape) for n in pair]))  # (r₀, s₀, r₁, s₁, …)
    result = reshaped("repeat", spread, tuple([r * size for r, size in zip(repeats, shape)]))
    return result if result.view_at is None else _clone(result)


def tile(input, dims):
    """As repeat, with missing repeats in front taken as 1."""
    dims = sizes_of("tile", (dims,))
    return input.repeat((1,) * (input.array.ndim - len(dims)) + dims)


@method("tile")
def _tile_method(self, *dims):
    """As repeat, with missing repeats in front taken as 1."""
    return tile(self, sizes_of("tile", dims))


@method()
def repeat_interleave(input, repeats, dim=None, *, output_size=None):
    """Each element repeated along dim, by one number for all or a tensor of one per element; without dim of the flat tensor."""
    if dim is None:
        input, dim = input.flatten(), 0
    dim = dim_of("repeat_interleave", dim, input.array.ndim)
    shape = input.array.shape
    counts = repeats.array if isinstance(repeats, Tensor) else np.asarray(repeats)
    if counts.dtype.kind not in "iu" or counts.ndim > 1 or (counts.size and counts.min() < 0):
        raise RuntimeError(
            "repeat_interleave: repeats must be a number or a 1-d tensor of integers that are not negative"
        )
    if counts.size == 1:
        times = int(counts.reshape(()))
        spread = input.unsqueeze(dim + 1).expand(*shape[: dim + 1], times, *shape[dim + 1 :])
        result = reshaped("repeat_interleave", spread, (*shape[:dim], shape[dim] * times, *shape[dim + 1 :]))
        return result if result.view_at is None else _clone(result)
    if len(counts) != shape[dim]:
        raise RuntimeError(
            f"repeat_interleave: {len(counts)} repeats for the {shape[dim]} elements of dimension {dim} of {tuple(shape)}"
        )
    rows = np.repeat(np.arange(len(counts)), counts)
    return input[(slice(None),) * dim + (Tensor(rows),)]


# --- joining and parting ----------------------------------------------------------------------------------------------


def _along(dim, part):
    """The index that takes `part` of dimension dim."""
    return (slice(None),) * dim + (part,)


def _cat_gradients(g, needs, dim, sizes):
    start, gradients = 0, []
    for needed, size in zip(needs, sizes, strict=True):
        gradients.append(g[_along(dim, slice(start, start + size))] if needed else None)
        start += size
    return gradients


_cat = op("cat", lambda *xs, dim, sizes: np.concatenate(xs, axis=dim), backward=_cat_gradients)
_stack = op(
    "stack", lambda *xs, dim: np.stack(xs, axis=dim),
    backward=lambda g, needs, dim: [g[_along(dim, i)] if needed else None for i, needed in enumerate(needs)],
)  # fmt: skip


def _common_dtype(name, tensors):
    """The tensors in one dtype, as PyTorch promotes them."""
    tensors = list(tensors)
    for x in tensors:
        if not isinstance(x, Tensor):
            raise TypeError(f"{name}: expected a sequence of Tensors, found {type(x).__name__}")
    if not tensors:
        raise (ValueError if name == "cat" else RuntimeError)(f"{name}: expected at least one tensor, got none")
    dtypes = {x.array.dtype for x in tensors}
    if len(dtypes) > 1:
        dtype = functools.reduce(backend.promote_types, dtypes)
        tensors = [x.to(dtype) for x in tensors]
    return tensors


def cat(tensors, dim=0):
    """The tensors joined along dim, in which alone their shapes may differ."""
    tensors = _common_dtype("cat", tensors)
    tensors = [x for x in tensors if x.array.shape != (0,)] or tensors[
        :1
    ]  # as in PyTorch, an empty 1-d tensor joins anything
    shape = tensors[0].array.shape
    if not shape:
        raise RuntimeError("cat: 0-d tensors cannot be joined; use stack")
    dim = dim_of("cat", dim, len(shape))
    for x in tensors:
        other = x.array.shape
        if len(other) != len(shape) or other[:dim] + other[dim + 1 :] != shape[:dim] + shape[dim + 1 :]:
            raise RuntimeError(f"cat: shapes {tuple(shape)} and {tuple(other)} differ in more than dimension {dim}")
    return _cat(*tensors, dim=dim, sizes=tuple([x.array.shape[dim] for x in tensors]))


concat = concatenate = cat


@implements(np.stack)
def stack(tensors, dim=0, *, axis=None):
    """The tensors, all of one shape, joined along a new dimension."""
    tensors = _common_dtype("stack", tensors)
    shape = tensors[0].array.shape
    for x in tensors:
        if x.array.shape != shape:
            raise RuntimeError(f"stack: shapes {tuple(shape)} and {tuple(x.array.shape)} differ; all must be equal")
    return _stack(*tensors, dim=dim_of("stack", dim if axis is None else axis, len(shape) + 1))


def hstack(tensors):
    """Joined along the second dimension, or along the first for 1-d tensors."""
    tensors = [x.reshape(1) if x.array.ndim == 0 else x for x in tensors]
    return cat(tensors, 0 if tensors and tensors[0].array.ndim == 1 else 1)


def vstack(tensors):
    """Joined along the first dimension, where 1-d tensors count as rows."""
    return cat([x.reshape(1, -1) if x.array.ndim < 2 else x for x in tensors], 0)


@method()
def narrow(input, dim, start, length):
    """`length` elements along dim from `start` on; a view."""
    dim = dim_of("narrow", dim, input.array.ndim)
    size = input.array.shape[dim] if input.array.ndim else 0
    start = int(start)
    if not (-size <= start <= size and 0 <= length and (start + size if start < 0 else start) + length <= size):
        raise RuntimeError(
            f"narrow: {length} elements from {start} on do not fit into dimension {dim} of {tuple(input.array.shape)}"
        )
    start = start + size if start < 0 else start
    return input[_along(dim, slice(start, start + length))]


def split(input, split_size_or_sections, dim=0):
    """Parts along dim, as views: of one size (the last may be smaller), or of the sizes listed."""
    dim = dim_of("split", dim, input.array.ndim)
    if not input.array.ndim:
        raise RuntimeError("split: a 0-d tensor has no dimension to split")
    size, sections = input.array.shape[dim], split_size_or_sections
    if isinstance(sections, (tuple, list)):
        if sum(sections) != size or min(sections, default=0) < 0:
            raise RuntimeError(
                f"split: sizes {tuple(sections)} do not add up to the {size} of dimension {dim} of {tuple(input.array.shape)}"
            )
    else:
        if sections < 0 or sections == 0 != size:
            raise RuntimeError(f"split: the size of a part must be positive, got {sections}")
        sections = [min(sections, size - start) for start in range(0, size, sections or 1)] or [0]
    parts, start = [], 0
    for length in sections:
        parts.append(input[_along(dim, slice(start, start + length))])
        start += length
    return tuple(parts)


@method("split")
def _split_method(self, split_size, dim=0):
    """Parts along dim, as views: of one size (the last may be smaller), or of the sizes listed."""
    return split(self, split_size, dim)


@method()
def chunk(input, chunks, dim=0):
    """At most `chunks` parts along dim, all but the last of one size; views."""
    if chunks < 1:
        raise RuntimeError(f"chunk: chunks must be positive, got {chunks}")
    size = input.array.shape[dim_of("chunk", dim, input.array.ndim)] if input.array.ndim else 0
    if not size and input.array.ndim:
        return split(input, [0] * chunks, dim)
    return split(input, -(-size // chunks), dim)


@method()
def tensor_split(input, indices_or_sections, dim=0):
    """Parts along dim, as views: so many, the first ones larger by one where they are not all equal; or cut at the indices listed."""
    dim = dim_of("tensor_split", dim, input.array.ndim)
    if not input.array.ndim:
        raise RuntimeError("tensor_split: a 0-d tensor has no dimension to split")
    cuts, size = indices_or_sections, input.array.shape[dim]
    cuts = cuts.tolist() if isinstance(cuts, Tensor) else cuts
    if isinstance(cuts, int):
        if cuts < 1:
            raise RuntimeError(f"tensor_split: the number of parts must be positive, got {cuts}")
        cuts = [size // cuts * i + min(i, size % cuts) for i in range(1, cuts)]
    bounds = [slice(start, stop) for start, stop in zip((None, *cuts), (*cuts, None), strict=True)]
    return tuple([input[_along(dim, part)] for part in bounds])


@method()
def unbind(input, dim=0):
    """The slices along dim, without it; views."""
    dim = dim_of("unbind", dim, input.array.ndim)
    if not input.array.ndim:
        raise RuntimeError("unbind: a 0-d tensor has no dimension to take apart")
    return tuple(input[_along(dim, i)] for i in range(input.array.shape[dim]))


# --- order, triangles, diagonals --------------------------------------------------------------------------------------


@method()
def roll(input, shifts, dims=None):
    """Elements shifted along dims, those pushed out coming back in at the other end; without dims in the flat order."""
    shifts = sizes_of("roll", (shifts,)) if isinstance(shifts, (tuple, list)) else (int(shifts),)
    if dims is None or dims == ():
        if len(shifts) != 1:
            raise RuntimeError("roll: several shifts need as many dims")
        return _roll(input.flatten(), shifts=shifts, dims=(0,)).reshape(input.array.shape)
    dims = tuple([dim_of("roll", d, input.array.ndim) for d in (dims if isinstance(dims, (tuple, list)) else (dims,))])
    if len(shifts) != len(dims):
        raise RuntimeError(f"roll: {len(shifts)} shifts for {len(dims)} dims")
    return _roll(input, shifts=shifts, dims=dims)


@implements(np.flip)
def flip(input, dims):
    """The elements in reverse order along dims; a copy."""
    dims = dims_of("flip", dims, input.array.ndim)
    return _flip(input, dims=dims if input.array.ndim else ())


@method("flip")
def _flip_method(self, *dims):
    """The elements in reverse order along dims; a copy."""
    return flip(self, sizes_of("flip", dims))


@method()
def rot90(input, k=1, dims=(0, 1)):
    """Turned by k quarter turns in the plane of the two dims, from the first towards the second; a copy."""
    a, b = dims_of("rot90", dims, input.array.ndim)
    if k % 4 == 0:
        return _clone(input)
    if k % 4 == 2:
        return flip(input, (a, b))
    return flip(input.transpose(a, b), (a if k % 4 == 1 else b,))


def _matrices(name, input):
    if input.array.ndim < 2:
        raise RuntimeError(f"{name}: expected a matrix or a batch of them, got {tuple(input.array.shape)}")
    return input


@method()
@implements(np.tril)
def tril(input, diagonal=0):
    """The lower triangle of each matrix, up to the given diagonal; zero elsewhere."""
    return _tril(_matrices("tril", input), diagonal=diagonal)


@method()
@implements(np.triu)
def triu(input, diagonal=0):
    """The upper triangle of each matrix, from the given diagonal on; zero elsewhere."""
    return _triu(_matrices("triu", input), diagonal=diagonal)


def _take_diagonal(x, *, offset, dim1, dim2, shape):
    y = x.diagonal(offset, dim1, dim2)
    if y.__class__ is np.ndarray and x.flags.writeable:
        y.flags.writeable = True  # NumPy marks its diagonals read-only; PyTorch's views can be written to
    return y


def _put_diagonal(g, *, offset, dim1, dim2, shape):
    x = backend.zeros(shape, g)
    rows = np.arange(g.shape[-1])
    moved = np.moveaxis(x, (dim1, dim2), (-2, -1))
    moved[..., rows + max(-offset, 0), rows + max(offset, 0)] = g
    return x


_diagonal = op(
    "diagonal", _take_diagonal,
    lambda g, offset, dim1, dim2, shape: _diagonal_scatter(g, offset=offset, dim1=dim1, dim2=dim2, shape=shape),
    view=True,
)  # fmt: skip
_diagonal_scatter = op(
    "diagonal_scatter", _put_diagonal,
    lambda g, offset, dim1, dim2, shape: _diagonal(g, offset=offset, dim1=dim1, dim2=dim2, shape=shape),
)  # fmt: skip


@method()
def diagonal(input, offset=0, dim1=0, dim2=1):
    """The diagonal over dim1 and dim2, as a new last dimension; a view."""
    ndim = input.array.ndim
    dim1, dim2 = dim_of("diagonal", dim1, ndim), dim_of("diagonal", dim2, ndim)
    if dim1 == dim2:
        raise RuntimeError("diagonal: dim1 and dim2 must differ")
    return _diagonal(input, offset=offset, dim1=dim1, dim2=dim2, shape=input.array.shape)


@method()
def diag(input, diagonal=0):
    """A matrix's diagonal as a vector, or the matrix that has the given vector on its diagonal."""
    if input.array.ndim == 2:
        return _clone(_diagonal(input, offset=diagonal, dim1=0, dim2=1, shape=input.array.shape))
    if input.array.ndim != 1:
        raise RuntimeError(f"diag: expected a vector or a matrix, got {tuple(input.array.shape)}")
    size = len(input.array) + abs(diagonal)
    return _diagonal_scatter(input, offset=diagonal, dim1=0, dim2=1, shape=(size, size))


@method()
def diag_embed(input, offset=0, dim1=-2, dim2=-1):
    """The last dimension as the diagonal over dim1 and dim2 of matrices that are zero elsewhere."""
    ndim, size = input.array.ndim + 1, input.array.shape[-1] + abs(offset)
    dim1, dim2 = dim_of("diag_embed", dim1, ndim), dim_of("diag_embed", dim2, ndim)
    if dim1 == dim2:
        raise RuntimeError("diag_embed: dim1 and dim2 must differ")
    shape = list(input.array.shape[:-1])
    for dim in sorted((dim1, dim2)):
        shape.insert(dim, size)
    return _diagonal_scatter(input, offset=offset, dim1=dim1, dim2=dim2, shape=tuple(shape))


def meshgrid(*tensors, indexing="ij"):
    """Per tensor its values spread over the grid of all: as matrix indices ("ij"), or with the first two axes exchanged ("xy")."""
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tuple(tensors[0])
    if indexing not in ("ij", "xy"):
        raise RuntimeError(f'meshgrid: indexing must be "ij" or "xy", not {indexing!r}')
    if not tensors or any(x.array.ndim > 1 for x in tensors):
        raise RuntimeError("meshgrid: expected one or more tensors of at most one dimension")
    sizes = tuple([x.array.size for x in tensors])
    grids = [
        x.reshape([size if i == position else 1 for i in range(len(sizes))]).expand(sizes)
        for position, (x, size) in enumerate(zip(tensors, sizes, strict=True))
    ]
    return tuple(grid.transpose(0, 1) for grid in grids) if indexing == "xy" and len(sizes) > 1 else tuple(grids)


# --- copies -----------------------------------------------------------------------------------------------------------


@method()
def clone(input):
    """A copy with memory of its own; gradients flow through."""
    return _clone(input)


@method()
def contiguous(self):
    """The tensor itself where its memory is in order, else a copy that is."""
    return self if self.array.flags.c_contiguous else _contiguous(self)


_contiguous = op("contiguous", lambda x: x.copy(order="C"), lambda g: g)


def numel(input):
    """The number of elements."""
    return input.array.size
