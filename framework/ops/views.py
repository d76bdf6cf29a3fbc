"""Views: the same memory under another shape, in another order of dimensions, or repeated. As in PyTorch, only what cannot be a view is copied."""

import math

import numpy as np

from ..autograd import grad_mode
from ..tensor import Tensor, implements, method
from .define import broadcast_shape, op, unbroadcast
from .dims import dim_of, dims_of, sizes_of

__all__ = [
    "reshape", "ravel", "flatten", "unflatten", "squeeze", "unsqueeze", "transpose", "swapaxes", "swapdims", "t", "permute", "movedim", "moveaxis",
    "broadcast_to", "broadcast_tensors",
]  # fmt: skip

_reshape = op("reshape", lambda x, *, shape: x.reshape(shape), lambda g, x_shape: g.reshape(x_shape), view=True)
_swapaxes = op("transpose", lambda x, *, a, b: x.swapaxes(a, b), lambda g, a, b: g.swapaxes(a, b), view=True)
_permute = op(
    "permute", lambda x, *, dims: x.transpose(dims), lambda g, dims: _permute(g, dims=_inverse(dims)), view=True
)
_expand = op(
    "expand",
    lambda x, *, shape: np.broadcast_to(x, shape),
    lambda g, x_shape: unbroadcast(g, x_shape, g.dtype),
    view=True,
)


def _inverse(dims):
    inverse = [0] * len(dims)
    for position, dim in enumerate(dims):
        inverse[dim] = position
    return tuple(inverse)


def same(input):
    """The same values at the same place, as a tensor of its own; without a node where the input has one already."""
    recorded = input.needs_grad and grad_mode.enabled
    if recorded and input.node is None:
        return _reshape(input, shape=input.array.shape)
    result = Tensor(input.array, recorded, input.node if recorded else None)
    result.become_view(input)
    return result


# --- one element order, another shape ---------------------------------------------------------------------------------


def reshape(input, shape):
    """The elements in the same order in another shape; one size may be −1. A view where memory allows, else a copy."""
    return reshaped("reshape", input, sizes_of("reshape", (shape,)))


def reshaped(name, input, shape):
    """reshape to a tuple, in the name of the function that was called."""
    array = input.array
    if shape == array.shape:
        return same(input)
    unknown = shape.count(-1)
    known = math.prod(shape) if not unknown else -math.prod(shape)
    if unknown > 1 or min(shape, default=0) < -1:
        raise RuntimeError(
            f"{name}: {shape} is no shape: sizes are not negative, except one −1 for the size that is left over"
        )
    if unknown and not array.size and not known:
        raise RuntimeError(f"{name}: an empty tensor into {shape}: −1 could be any size; give it as a number")
    if array.size != known and (not unknown or not known or array.size % known):
        raise RuntimeError(f"{name}: {tuple(array.shape)} has {array.size} elements, which do not fit into {shape}")
    return _reshape(input, shape=shape)


@method("reshape")
def _reshape_method(self, *shape):
    """The elements in the same order in another shape; one size may be −1. A view where memory allows, else a copy."""
    return reshaped("reshape", self, sizes_of("reshape", shape))


@method()
def view(self, *shape):
    """As reshape, but always sharing memory; RuntimeError where that is impossible.

    A convolution's output, and what is computed from it, lies in memory as was fastest, where PyTorch's is contiguous. Such a tensor is
    laid out anew, so that conv(x).view(B, -1) is what it is there. A part of it (chunk) is copied, and not to be written to while
    the whole is there. Of x.T no view can be had.
    """
    if len(shape) == 1 and isinstance(shape[0], (np.dtype, type)):
        raise NotImplementedError(
            "view: reading the same bytes as another dtype is not supported; to(dtype) converts the values"
        )
    result = reshaped("view", self, sizes_of("view", shape))
    if result.version is None or result.version is not self.version:
        whole = self if self.view_at is None else self.base()
        if whole is None or not whole.array.flags.c_contiguous and (whole is not self or not self.views):
            if whole is self:
                self.array = result.array.reshape(self.array.shape)
            elif whole is not None and result.array.__class__ is np.ndarray:
                result.array.flags.writeable = False
            result.become_view(self)
            return result
        raise RuntimeError(
            f"view: a tensor of shape {tuple(self.array.shape)} with strides {self.stride()} cannot be seen as {tuple(result.array.shape)} "
            "without a copy; use reshape(), or contiguous() first"
        )
    return result


@method()
def view_as(self, other):
    """view(other.shape)."""
    return self.view(other.shape)


@method()
def reshape_as(self, other):
    """reshape(other.shape)."""
    return self.reshape(other.shape)


@method()
def flatten(input, start_dim=0, end_dim=-1):
    """The dimensions from start_dim to end_dim, both included, as one."""
    shape = input.array.shape
    if not shape:
        return input.reshape(1)
    start, end = dim_of("flatten", start_dim, len(shape)), dim_of("flatten", end_dim, len(shape))
    if start > end:
        raise RuntimeError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    return reshaped("flatten", input, (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


@method()
def ravel(input):
    """All elements in one dimension."""
    return reshaped("ravel", input, (input.array.size,))


@method()
def unflatten(input, dim, sizes):
    """One dimension as several of the given sizes, of which one may be −1."""
    shape = input.array.shape
    dim, sizes = dim_of("unflatten", dim, len(shape)), sizes_of("unflatten", (sizes,))
    known = math.prod(size for size in sizes if size != -1)
    if sizes.count(-1) > 1 or (shape[dim] != known if -1 not in sizes else not known or shape[dim] % known):
        raise RuntimeError(
            f"unflatten: dimension {dim} of {tuple(shape)} has size {shape[dim]}, which is not the product of {sizes}"
        )
    sizes = tuple([shape[dim] // known if size == -1 else size for size in sizes])
    return reshaped("unflatten", input, (*shape[:dim], *sizes, *shape[dim + 1 :]))


@method()
def squeeze(input, dim=None):
    """Without the dimensions of size 1: all, or those of `dim` (an int or a tuple) that are."""
    shape = input.array.shape
    dims = range(len(shape)) if dim is None else dims_of("squeeze", dim, len(shape))
    return reshaped("squeeze", input, tuple([size for i, size in enumerate(shape) if size != 1 or i not in dims]))


@method()
def unsqueeze(input, dim):
    """With a new dimension of size 1 at `dim`."""
    shape = input.array.shape
    dim = dim_of("unsqueeze", dim, len(shape) + 1)
    return _reshape(input, shape=(*shape[:dim], 1, *shape[dim:]))


# --- dimensions in another order --------------------------------------------------------------------------------------


@method("transpose", "swapaxes", "swapdims")
def transpose(input, dim0, dim1):
    """The two dimensions exchanged; a view."""
    ndim = input.array.ndim
    return (
        _swapaxes(input, a=dim_of("transpose", dim0, ndim), b=dim_of("transpose", dim1, ndim)) if ndim else same(input)
    )


swapaxes = swapdims = transpose


@method()
def t(input):
    """The transpose of a matrix; a tensor of fewer dimensions stays as it is."""
    if input.array.ndim > 2:
        raise RuntimeError(f"t: expected at most 2 dimensions, got {tuple(input.array.shape)}; use transpose or mT")
    return _swapaxes(input, a=0, b=1) if input.array.ndim == 2 else same(input)


def _transposed(self):
    """The dimensions in reverse order."""
    if self.array.ndim == 2:
        return _swapaxes(self, a=0, b=1)
    return _permute(self, dims=tuple(range(self.array.ndim))[::-1])


def _matrix_transposed(self):
    """The last two dimensions exchanged."""
    if self.array.ndim < 2:
        raise RuntimeError(f"mT: expected at least 2 dimensions, got {tuple(self.array.shape)}")
    return _swapaxes(self, a=-2, b=-1)


Tensor.T, Tensor.mT = property(_transposed), property(_matrix_transposed)


@implements(np.transpose)
def permute(input, dims):
    """The dimensions in the given order: size i of the result is size dims[i] of the input; a view."""
    ndim = input.array.ndim
    dims = sizes_of("permute", (dims,))
    if len(dims) != ndim:
        raise RuntimeError(
            f"permute: dims {dims} do not name each of the {ndim} dimensions of {tuple(input.array.shape)} once"
        )
    return _permute(input, dims=dims_of("permute", dims, ndim))


@method("permute")
def _permute_method(self, *dims):
    """The dimensions in the given order; a view."""
    return permute(self, sizes_of("permute", dims))


@method("movedim", "moveaxis")
def movedim(input, source, destination):
    """The dimensions `source` (an int or a tuple) moved to the places `destination`; the others keep their order."""
    ndim = input.array.ndim
    source, destination = dims_of("movedim", source, ndim), dims_of("movedim", destination, ndim)
    if len(source) != len(destination):
        raise RuntimeError(f"movedim: {len(source)} dimensions to {len(destination)} places")
    if not ndim:
        return same(input)
    order = [dim for dim in range(ndim) if dim not in source]
    for place, dim in sorted(zip(destination, source)):
        order.insert(place, dim)
    return _permute(input, dims=tuple(order))


moveaxis = movedim

# --- repetition without a copy ----------------------------------------------------------------------------------------


@method()
def expand(self, *sizes):
    """Dimensions of size 1 repeated to the given sizes without a copy; −1 keeps a size, more sizes add dimensions in front."""
    return expanded("expand", self, sizes_of("expand", sizes))


def expanded(name, input, sizes):
    """expand to a tuple, in the name of the function that was called."""
    shape = input.array.shape
    extra = len(sizes) - len(shape)
    full = tuple([shape[i - extra] if size == -1 and i >= extra else size for i, size in enumerate(sizes)])
    fits = (
        extra >= 0
        and all(size == old or old == 1 for size, old in zip(full[extra:], shape))
        and min(full, default=0) >= 0
    )
    if not fits:
        raise RuntimeError(
            f"{name}: {tuple(shape)} cannot be expanded to {sizes}: only sizes of 1 grow, and new dimensions come in front"
        )
    return same(input) if full == shape else _expand(input, shape=full)


@method()
def expand_as(self, other):
    """expand(other.shape)."""
    return self.expand(other.shape)


@method()
@implements(np.broadcast_to)
def broadcast_to(input, size):
    """The tensor repeated to the given size without a copy, as broadcasting does."""
    return expanded("broadcast_to", input, sizes_of("broadcast_to", (size,)))


def broadcast_tensors(*tensors):
    """The tensors, each expanded to their common shape."""
    shape = broadcast_shape("broadcast_tensors", *(x.array.shape for x in tensors))
    return tuple(expanded("broadcast_tensors", x, shape) for x in tensors)
