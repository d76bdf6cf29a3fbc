"""Reading and writing along one dimension, and by mask: gather, scatter, index_select, masked_fill, one_hot."""

import numpy as np

from .. import backend
from ..tensor import Tensor, method
from .define import broadcast_shape, op
from .dims import dim_of
from .index import parse, read, store

__all__ = [
    "gather", "scatter", "scatter_add", "index_select", "index_add", "index_copy", "index_fill", "index_put", "select", "take", "take_along_dim",
    "masked_fill", "masked_select", "masked_scatter", "nonzero", "argwhere",
]  # fmt: skip


def _check_integer(name, tensor):
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name}: the index must be a Tensor, not {type(tensor).__name__}")
    if tensor.dtype not in (backend.int64, backend.int32):
        raise RuntimeError(f"{name}: the index must be int64 or int32, not {tensor.dtype}")


def _check_range(name, tensor, count, error=RuntimeError):
    array = tensor.array
    if array.size and (array.min() < 0 or array.max() >= count):
        raise error(f"{name}: indices from {array.min()} to {array.max()}, but the dimension has size {count}")


def _own(name, input, *others):
    """A copy of the input to write into; RuntimeError where another tensor has another dtype."""
    for other in others:
        if isinstance(other, Tensor) and other.dtype != input.dtype:
            raise RuntimeError(
                f"{name}: {other.dtype} values into a {input.dtype} tensor; convert them with .to({input.dtype})"
            )
    return input.clone()


# --- one index for every element: along a dimension, the other coordinates stay --------------------------------------------


def _along(name, input, dim, indices):
    """The place input[i, indices[i, j], j], for every element of indices, as `parse` gives one."""
    _check_integer(name, indices)
    dim, shape = dim_of(name, dim, input.ndim), tuple(input.shape)
    if indices.ndim != input.ndim:
        raise RuntimeError(
            f"{name}: the index {tuple(indices.shape)} and the input {shape} must have the same number of dimensions"
        )
    for axis, (size, limit) in enumerate(zip(indices.shape, shape, strict=True)):
        if axis != dim and size > limit and indices.numel():
            raise RuntimeError(
                f"{name}: the index {tuple(indices.shape)} is larger than the input {shape} in dimension {axis}; it may be only in {dim}"
            )
    _check_range(name, indices, shape[dim])
    return _grid(indices, dim, indices.shape)


def _grid(indices, dim, shape):
    """indices in dimension dim, 0, 1, 2, … in the others, each along its own axis."""
    ndim = len(shape)
    arrays = [
        indices
        if axis == dim
        else np.arange(shape[axis], like=indices.array).reshape([-1 if i == axis else 1 for i in range(ndim)])
        for axis in range(ndim)
    ]
    return None, (True,) * ndim, tuple(arrays)


def _read(input, place):
    basic, advanced, arrays = place
    return read(input, *arrays, basic=basic, advanced=advanced)


def _with_dimension(*tensors):
    return [tensor.reshape(1) if isinstance(tensor, Tensor) and not tensor.ndim else tensor for tensor in tensors]


@method()
def gather(input, dim, index, *, sparse_grad=False):
    """result[i, j] = input[index[i, j], j] for dim 0, input[i, index[i, j]] for dim 1, …: of the index's shape, which is no larger elsewhere."""
    if sparse_grad:
        raise NotImplementedError("gather: sparse_grad=True is not supported; leave it out")
    if not input.ndim or not index.ndim:
        return gather(*_with_dimension(input), dim, *_with_dimension(index)).reshape(index.shape)
    return _read(input, _along("gather", input, dim, index))


@method()
def take_along_dim(input, indices, dim=None):
    """As gather, but input and indices broadcast in the other dimensions; dim=None: both flattened. Negative indices count from the end."""
    if dim is None:
        input, indices, dim = input.reshape(-1), indices.reshape(-1), 0
    _check_integer("take_along_dim", indices)
    if input.ndim != indices.ndim:
        raise RuntimeError(
            f"take_along_dim: the input {tuple(input.shape)} and the indices {tuple(indices.shape)} must have the same number of dimensions"
        )
    dim = dim_of("take_along_dim", dim, input.ndim)
    broadcast_shape(
        "take_along_dim", *[[1 if axis == dim else size for axis, size in enumerate(x.shape)] for x in (input, indices)]
    )
    try:
        return _read(input, _grid(indices, dim, input.shape))
    except IndexError as error:
        raise RuntimeError(f"take_along_dim: {error}") from None


def _cut(tensor, shape):
    """The corner of a tensor, of this shape."""
    return tensor if tuple(tensor.shape) == tuple(shape) else tensor[tuple([slice(0, size) for size in shape])]


def _scatter_into(name, x, dim, indices, src, value, reduce):
    if reduce not in (None, "add"):
        raise NotImplementedError(f'{name}: reduce={reduce!r} is not supported; "add" and None are')
    src = value if src is None else src
    if isinstance(src, Tensor) and src.ndim != indices.ndim and src.ndim + indices.ndim > 1:
        raise RuntimeError(
            f"{name}: the index {tuple(indices.shape)} and src {tuple(src.shape)} must have the same number of dimensions"
        )
    indices, src = _with_dimension(indices, src)
    place = _along(name, x, dim, indices)
    if isinstance(src, Tensor):
        if any(size > limit for size, limit in zip(indices.shape, src.shape, strict=True)):
            raise RuntimeError(f"{name}: the index {tuple(indices.shape)} is larger than src {tuple(src.shape)}")
        src = _cut(src, indices.shape)
    elif reduce == "add":
        src = Tensor(np.full_like(x.array, backend.stored(name, src, x.dtype), shape=indices.shape))
    return store(x, place, src, accumulate=reduce == "add")


@method()
def scatter(input, dim, index, src=None, *, value=None, reduce=None):
    """A copy of input with result[index[i, j], j] = src[i, j] for dim 0, and so on; src is a tensor or a number. reduce="add" adds instead."""
    if not input.ndim:
        return scatter(input.reshape(1), dim, index, src, value=value, reduce=reduce).reshape(())
    return _scatter_into("scatter", _own("scatter", input, src), dim, index, src, value, reduce)


@method()
def scatter_add(input, dim, index, src):
    """A copy of input with src[i, j] added to result[index[i, j], j] for dim 0, and so on; an index may repeat."""
    return scatter(input, dim, index, src, reduce="add")


@method()
def scatter_(self, dim, index, src=None, *, value=None, reduce=None):
    """scatter in place."""
    return _scatter_into("scatter_", self, dim, index, src, value, reduce)


@method()
def scatter_add_(self, dim, index, src):
    """scatter_add in place."""
    return _scatter_into("scatter_add_", self, dim, index, src, None, "add")


# --- one index for every slice ----------------------------------------------------------------------------------------


def _slices(name, input, dim, indices):
    """The place of the slices of a dimension that a vector of indices names."""
    _check_integer(name, indices)
    dim = dim_of(name, dim, input.ndim)
    if indices.ndim > 1:
        raise IndexError(f"{name}: the index must be a vector, not {tuple(indices.shape)}")
    _check_range(name, indices, input.shape[dim], IndexError)
    return None, tuple([axis == dim for axis in range(input.ndim)]), tuple(_with_dimension(indices))


@method()
def index_select(input, dim, index):
    """The slices of dimension dim that the vector index names, in its order."""
    if not input.ndim:
        return index_select(input.reshape(1), dim, index).reshape(())
    return _read(input, _slices("index_select", input, dim, index))


def _check_source(name, input, dim, indices, source):
    expected = tuple([indices.numel() if axis == dim % input.ndim else size for axis, size in enumerate(input.shape)])
    if tuple(source.shape) != expected:
        raise RuntimeError(
            f"{name}: the source has shape {tuple(source.shape)}, but {indices.numel()} slices of {tuple(input.shape)} have {expected}"
        )


@method()
def index_add_(self, dim, index, source, *, alpha=1):
    """index_add in place."""
    place = _slices("index_add_", self, dim, index)
    _check_source("index_add_", self, dim, index, source)
    return store(self, place, source if alpha == 1 else source * alpha, accumulate=True)


@method()
def index_copy_(self, dim, index, source):
    """index_copy in place."""
    place = _slices("index_copy_", self, dim, index)
    _check_source("index_copy_", self, dim, index, source)
    return store(self, place, source)


@method()
def index_fill_(self, dim, index, value):
    """index_fill in place."""
    return store(self, _slices("index_fill_", self, dim, index), value)


@method()
def index_add(input, dim, index, source, *, alpha=1):
    """A copy of input with alpha · source[i] added to slice index[i] of dimension dim; an index may repeat."""
    return _own("index_add", input, source).index_add_(dim, index, source, alpha=alpha)


@method()
def index_copy(input, dim, index, source):
    """A copy of input whose slice index[i] of dimension dim is source[i]."""
    return _own("index_copy", input, source).index_copy_(dim, index, source)


@method()
def index_fill(input, dim, index, value):
    """A copy of input whose slices `index` of dimension dim hold value."""
    return _own("index_fill", input).index_fill_(dim, index, value)


@method()
def index_put_(self, indices, values, accumulate=False):
    """self[indices] = values, or += with accumulate, in place."""
    return store(self, parse(tuple(indices), self.array.shape), values, accumulate)


@method()
def index_put(input, indices, values, accumulate=False):
    """A copy of input with result[indices] = values, or += with accumulate; indices is a tuple of tensors."""
    return _own("index_put", input, values).index_put_(indices, values, accumulate)


@method()
def select(input, dim, index):
    """input[:, …, index], the index in dimension dim, which is dropped: a view."""
    dim = dim_of("select", dim, input.ndim)
    return input[(slice(None),) * dim + (int(index),)]


@method()
def take(input, index):
    """The elements of the flattened input at these indices, in the index's shape. Negative indices count from the end."""
    _check_integer("take", index)
    return input.reshape(-1)[index.reshape(-1)].reshape(index.shape)


# --- masks ------------------------------------------------------------------------------------------------------------


def _check_mask(name, mask):
    if not isinstance(mask, Tensor) or mask.dtype != np.bool_:
        raise RuntimeError(
            f"{name}: the mask must be a boolean tensor, not {getattr(mask, 'dtype', type(mask).__name__)}"
        )


def _filled(x, mask, value):
    if not hasattr(value, "dtype"):
        value = x.dtype.type(backend.stored("masked_fill", value, x.dtype))
    return np.where(mask, value, x).astype(x.dtype, copy=False)


_masked_fill = op(
    "masked_fill",
    _filled,
    lambda g, mask: _masked_fill(g, mask, 0),
    None,
    lambda g, mask: g * mask,
    broadcasts=True,
)


@method()
def masked_fill(input, mask, value):
    """value, a number or 0-d tensor, where the mask holds, input elsewhere; the mask broadcasts."""
    _check_mask("masked_fill", mask)
    if isinstance(value, Tensor) and value.ndim:
        raise RuntimeError(
            f"masked_fill: the value must be a number or a 0-d tensor, not {tuple(value.shape)}; torch.where takes any shape"
        )
    broadcast_shape("masked_fill", input.shape, mask.shape)
    return _masked_fill(input, mask, value)


@method()
def masked_fill_(self, mask, value):
    """masked_fill in place; the mask must broadcast to this shape."""
    return self.write(masked_fill(self, mask, value))


@method()
def masked_select(input, mask):
    """The elements where the mask holds, in one dimension; input and mask broadcast."""
    _check_mask("masked_select", mask)
    shape = broadcast_shape("masked_select", input.shape, mask.shape)
    return input.expand(shape)[mask.expand(shape)]


@method()
def masked_scatter_(self, mask, source):
    """masked_scatter in place."""
    _check_mask("masked_scatter_", mask)
    places = mask.expand(self.shape)
    count = int(places.array.sum())
    if source.numel() < count:
        raise RuntimeError(
            f"masked_scatter_: the mask holds at {count} places, but the source has only {source.numel()} elements"
        )
    self[places] = source.reshape(-1)[:count]
    return self


@method()
def masked_scatter(input, mask, source):
    """A copy of input whose elements where the mask holds are the source's first ones, in order."""
    shape = broadcast_shape("masked_scatter", input.shape, mask.shape)
    return _own("masked_scatter", input.expand(shape), source).masked_scatter_(mask, source)


@method()
def nonzero(input, *, as_tuple=False):
    """Where the input is not 0: int64 (n, ndim), a row each, or with as_tuple one vector for each dimension, fit to index with."""
    if as_tuple:
        return tuple([Tensor(place) for place in (input if input.ndim else input.reshape(1)).array.nonzero()])
    return Tensor(np.argwhere(input.array))


@method()
def argwhere(input):
    """nonzero(input)."""
    return nonzero(input)


# --- class numbers -----------------------------------------------------------------------------------------------------


def one_hot(tensor, num_classes=-1):
    """Integers (…) as 0/1 vectors (…, num_classes), int64; num_classes=-1: one more than the largest."""
    classes = tensor.array
    if classes.dtype != backend.int64:
        raise RuntimeError(f"one_hot: the class numbers must be int64, not {classes.dtype}")
    if not classes.size and num_classes < 1:
        raise RuntimeError("one_hot: an empty tensor does not tell the number of classes; give num_classes")
    if classes.size and (classes.min() < 0 or classes.max() >= num_classes != -1):
        raise RuntimeError(
            f"one_hot: class numbers from {classes.min()} to {classes.max()} do not fit into {num_classes} classes"
        )
    count = int(classes.max()) + 1 if num_classes == -1 else num_classes
    return Tensor((classes[..., None] == np.arange(count, like=classes)).astype(backend.int64))
