"""Indexing: x[index], and x[index] = value, as PyTorch reads an index.

An index has two parts. Its *basic* part (integers, slices, None, …) selects a view; its *advanced* part (integer and boolean arrays)
then picks from that view. So x[0, :, [2, 3]] is x[0][:, [2, 3]], where NumPy alone would let the 0 take part in the picking.
Reading at an index and adding at an index are each other's derivatives.
"""

import math

import numpy as np

from .. import backend
from ..autograd import Scatter, grad_mode
from ..tensor import Tensor, method
from .define import op
from .views import same

# --- what an index means ----------------------------------------------------------------------------------------------

_ALL = slice(None)
_BASIC = (int, slice, type(None), type(...))


def parse(index, shape):
    """An index into this shape as (basic, advanced, arrays).

    basic: None for the whole tensor, or a NumPy index that selects a view. advanced: per dimension of the view, whether an array picks
    from it (a mask of k dimensions has one entry for its k). arrays: those arrays; Tensors where Tensors were given.
    """
    parts = index if index.__class__ is tuple else tuple(index) if _is_tuple_in_disguise(index) else (index,)
    if all(part.__class__ in _BASIC for part in parts):
        _check_steps(parts)
        return (None if all(_is_whole(part) for part in parts) else parts if ... in parts else (*parts, ...)), (), ()
    parts = [_value(part) for part in parts]
    if sum(hasattr(part, "dtype") for part in parts) > 1:
        parts = [piece for part in parts for piece in _without_mask(part)]
    _check_steps(parts)
    sizes = [_dimensions_read(part) for part in parts]
    left = len(shape) - sum(sizes)
    if left < 0:
        raise IndexError(f"index: {sum(sizes)} indices into the {len(shape)} dimensions of {tuple(shape)}")
    if not any(part is ... for part in parts):
        parts.append(...)
    basic, advanced, arrays, axis = [], [], [], 0
    for part in parts:
        count = left if part is ... else _dimensions_read(part)
        if hasattr(part, "dtype"):
            _check_mask(part, shape, axis)
            basic += [_ALL] * count
            advanced.append(True)
            arrays.append(part)
        elif part is True or part is False:  # a new dimension, of which all or nothing is picked
            basic.append(None)
            advanced.append(True)
            arrays.append(np.zeros(int(part), np.int64))
        elif part is ...:
            basic += [_ALL] * left
            advanced += [False] * left
            left = 0
        else:
            basic.append(part)
            if not isinstance(part, int):
                advanced.append(False)
        axis += count
    return (None if all(_is_whole(part) for part in basic) else (*basic, ...)), tuple(advanced), tuple(arrays)


def _is_whole(part):
    return part is ... or part.__class__ is slice and part.start is part.stop is part.step is None


def _is_tuple_in_disguise(index):
    """A list that holds more than numbers, x[[slice(0, 2), 1]], is read as the tuple of its elements."""
    return index.__class__ is list and any(
        isinstance(part, (list, tuple, slice, Tensor, np.ndarray)) or part is None or part is ... for part in index
    )


def _value(part):
    """One part of an index as an int, slice, None, Ellipsis, bool, or an integer or boolean array (a Tensor stays one)."""
    if part.__class__ in _BASIC or part.__class__ is bool:
        return part
    if isinstance(part, (list, tuple, range)):
        part = np.asarray(part, None if len(part) else np.int64)
    if not hasattr(part, "dtype"):
        if hasattr(part, "__index__"):
            return int(part)
        raise IndexError(
            f"index: only integers, slices, ..., None, and integer or boolean tensors are indices, not {type(part).__name__}"
        )
    if part.dtype == np.uint8:
        part = (part.array if isinstance(part, Tensor) else part).astype(bool)  # PyTorch's masks of old
    if part.dtype.kind not in "iub":
        raise IndexError(f"index: tensors used as indices must be integer or boolean, not {part.dtype}")
    return part if part.ndim else part.item()


def _without_mask(part):
    """A mask as the integer arrays of the places where it holds; any other part as it is."""
    if not hasattr(part, "dtype") or part.dtype.kind != "b":
        return (part,)
    return (part.array if isinstance(part, Tensor) else part).nonzero()


def _dimensions_read(part):
    if hasattr(part, "dtype"):
        return part.ndim if part.dtype.kind == "b" else 1
    return 0 if part is None or part is ... or part.__class__ is bool else 1


def _check_steps(parts):
    for part in parts:
        if part.__class__ is slice and part.step is not None and part.step <= 0:
            raise ValueError(f"index: a slice's step must be greater than zero, not {part.step}; flip() reverses")


def _check_mask(mask, shape, axis):
    if mask.dtype.kind == "b" and tuple(mask.shape) != tuple(shape[axis : axis + mask.ndim]):
        raise IndexError(
            f"index: a mask of shape {tuple(mask.shape)} does not fit the dimensions from {axis} on of {tuple(shape)}"
        )


def _picks(advanced, arrays):
    """The NumPy index that picks from the view."""
    arrays = iter(arrays)
    return tuple([next(arrays) if pick else _ALL for pick in advanced])


def _picked_shape(shape, advanced, arrays):
    """The shape of what the arrays pick from a view of this shape: their common shape, where they stand if side by side, else in front."""
    mask = arrays[0].dtype.kind == "b"
    block = (int(arrays[0].sum()),) if mask else np.broadcast_shapes(*[array.shape for array in arrays])
    sizes = iter(shape)
    before, after, first = [], [], advanced.index(True)
    for position, pick in enumerate(advanced):
        part = [next(sizes) for _ in range(arrays[0].ndim if pick and mask else 1)]
        if not pick:
            (before if position < first else after).extend(part)
    together = advanced[first : first + len(arrays)] == (True,) * len(arrays)
    return (*before, *block, *after) if together else (*block, *before, *after)


# --- reading, and adding: each the other's derivative -----------------------------------------------------------------


def _read(x, *arrays, basic, advanced):
    if basic is not None:
        x = x[basic]
    return x[_picks(advanced, arrays)] if arrays else x


def read_slope(g, arrays, basic, advanced, x_shape):
    """g at the index, zero elsewhere: on arrays added straight into the gradient that x has so far."""
    if isinstance(g, Tensor):
        slope = spread(g, *arrays, basic=basic, advanced=advanced, shape=x_shape)
    else:
        slope = Scatter(g, (basic, advanced, arrays), x_shape, add_at)
    return (slope, *[None] * len(arrays))


def _spread(g, *arrays, basic, advanced, shape):
    y = np.zeros_like(g, shape=shape)
    add_at(y, (basic, advanced, arrays), g)
    return y


read = op("index", _read, backward=read_slope, view=True)
spread = op(
    "index_spread",
    _spread,
    backward=lambda g, arrays, basic, advanced: (
        read(g, *arrays, basic=basic, advanced=advanced),
        *[None] * len(arrays),
    ),
)


def add_at(buffer, place, g):
    """buffer[place] += g, on arrays, where a place may be named more than once. place: (basic, advanced, arrays), as parse gives it."""
    basic, advanced, arrays = place
    if basic is not None:
        buffer = buffer[basic]
    if not arrays:
        buffer += g
    elif arrays[0].dtype.kind == "b":
        buffer[_picks(advanced, arrays)] += g
    elif isinstance(buffer, np.ndarray) and buffer.flags.c_contiguous and g.dtype == buffer.dtype:
        _add_in_rows(buffer, advanced, arrays, g)
    else:
        backend.array_module(buffer).add.at(buffer, _picks(advanced, arrays), g)


def _add_in_rows(buffer, advanced, arrays, g):
    """The same in a contiguous buffer, with the picked dimensions in front: a row of g is added for every place.

    np.add.at takes 7 ns an element, and 1.4 where all is one-dimensional; adding a long row takes 0.5 µs and 0.1 ns an element.
    """
    axes = [axis for axis, pick in enumerate(advanced) if pick]
    others = [axis for axis in range(buffer.ndim) if axis not in axes]
    steps = [math.prod(buffer.shape[axis + 1 :]) for axis in range(buffer.ndim)]
    starts = np.zeros(1, np.int64)
    for i, axis in zip(arrays, axes, strict=True):
        starts = starts + np.where(i < 0, i + buffer.shape[axis], i).astype(np.int64) * steps[axis]
    offsets = np.zeros(1, np.int64)  # of a row's elements from the row's start
    for axis in others:
        offsets = (offsets[:, None] + np.arange(buffer.shape[axis]) * steps[axis]).reshape(-1)
    side_by_side = axes[-1] - axes[0] == len(axes) - 1  # then what was picked stands where the arrays do, else in front
    if side_by_side and axes[0] > 0:
        g = np.moveaxis(g, range(axes[0], axes[0] + starts.ndim), range(starts.ndim))
    g, flat, starts = g.reshape((starts.size, len(offsets))), buffer.reshape(-1), starts.reshape(-1)
    if len(offsets) < 256 or axes[-1] >= len(axes):
        np.add.at(flat, (starts[:, None] + offsets).reshape(-1), g.reshape(-1))
    else:
        for start, row in zip(starts.tolist(), g, strict=True):
            flat[start : start + len(row)] += row


@method("__getitem__")
def getitem(input, index):
    """input[index]: a view for integers, slices, None and ..., a copy for integer and boolean tensors. IndexError where there is no such place."""
    basic, advanced, arrays = parse(index, input.array.shape)
    if basic is None and not arrays:
        return same(input)
    try:
        return read(input, *arrays, basic=basic, advanced=advanced)
    except IndexError as error:
        raise IndexError(f"index: {error}; the tensor has shape {tuple(input.array.shape)}") from None


# --- writing ----------------------------------------------------------------------------------------------------------


def _clear(g, *arrays, basic, advanced):
    g = g.copy()
    part = g if basic is None else g[basic]
    part[_picks(advanced, arrays)] = 0
    return g


clear = op(
    "index_clear",
    _clear,
    backward=lambda g, arrays, basic, advanced: (
        clear(g, *arrays, basic=basic, advanced=advanced),
        *[None] * len(arrays),
    ),
)


def _put_slopes(g, arrays, basic, advanced, needs):
    place = dict(basic=basic, advanced=advanced)
    slope = clear(g, *arrays, **place) if needs[0] else None
    return (slope, read(g, *arrays, **place) if needs[1] else None, *[None] * len(arrays))


def _added_slopes(g, arrays, basic, advanced, needs):
    return (g, read(g, *arrays, basic=basic, advanced=advanced) if needs[1] else None, *[None] * len(arrays))


# the record of a write that `store` does itself: x is the tensor written to, and comes out as it is
_put = op("index_put", lambda x, value, *arrays, basic, advanced: x, backward=_put_slopes, broadcasts=True)
_added = op("index_add", lambda x, value, *arrays, basic, advanced: x, backward=_added_slopes, broadcasts=True)


def store(x, place, value, accumulate=False):
    """x[place] = value, or with accumulate x[place] += value, in place and recorded; value is a Tensor or a number. Returns x.

    RuntimeError where the value does not fit, or where x is a leaf that requires grad, or a view, and gradients are being recorded.
    """
    basic, advanced, arrays = place
    recorded = grad_mode.enabled and (x.needs_grad or isinstance(value, Tensor) and value.needs_grad)
    x.check_writable(recorded)
    indices = [i.array if isinstance(i, Tensor) else i for i in arrays]
    try:
        target = x.array if basic is None else x.array[basic]
        shape = _picked_shape(target.shape, advanced, indices) if arrays else target.shape
        if isinstance(value, Tensor):
            value = _without_leading_ones(value, len(shape))
        else:
            value = backend.stored("index assignment", value, x.array.dtype)
        if accumulate:
            add_at(x.array, (basic, advanced, indices), np.broadcast_to(value.array, shape))
        else:
            target[_picks(advanced, indices) or ...] = value.array if isinstance(value, Tensor) else value
    except IndexError as error:
        raise IndexError(f"index: {error}; the tensor has shape {tuple(x.array.shape)}") from None
    except ValueError:
        given = tuple(value.shape) if isinstance(value, Tensor) else value
        raise RuntimeError(
            f"index assignment: a value of shape {given} does not fit into the place, of shape {tuple(shape)}"
        ) from None
    if not recorded:
        x.rebase(False, None)
        return x
    value = value if isinstance(value, Tensor) else Tensor(np.full_like(x.array, value, shape=()))
    result = (_added if accumulate else _put)(x, value, *arrays, basic=basic, advanced=advanced)
    x.rebase(True, result.node)
    return x


def _without_leading_ones(value, ndim):
    shape = value.array.shape
    extra = len(shape) - ndim
    return value.reshape(shape[extra:]) if extra > 0 and all(size == 1 for size in shape[:extra]) else value


@method("__setitem__")
def setitem(self, index, value):
    """self[index] = value, in place: a number, or a tensor that broadcasts to the place."""
    place = parse(index, self.array.shape)
    if not isinstance(value, Tensor):
        if not isinstance(value, (int, float, bool, np.generic)):
            raise TypeError(
                f"index assignment: cannot assign a {type(value).__name__}; make it a tensor with framework.tensor(...)"
            )
    elif place[2] and value.ndim and value.dtype != self.dtype:
        raise RuntimeError(
            f"index assignment: {value.dtype} values into a {self.dtype} tensor at tensor indices; convert them with .to({self.dtype})"
        )
    store(self, place, value)
