"""Another dtype, another device: `to` and its short forms."""

import numpy as np

from .. import backend
from ..tensor import Tensor, method
from .define import op

__all__ = ["is_tensor", "is_floating_point", "is_complex"]

_cast = op("cast", lambda x, *, dtype, source: x.astype(dtype), lambda g, source: g.astype(source))
_move = op("move", lambda x, *, device, source: backend.to_device(x, device), lambda g, source: _move_back(g, source))


def _move_back(g, device):
    return moved(g, device) if isinstance(g, Tensor) else backend.to_device(g, device)


def cast(input, dtype):
    """The values in another dtype; the tensor itself where it has that dtype. A gradient comes back in the input's own dtype."""
    source = input.array.dtype
    if source == dtype:
        return input
    if np.dtype(dtype).kind != "f":
        return Tensor(_to_integers(input.array, dtype))
    return _cast(input, dtype=np.dtype(dtype), source=source)


def _to_integers(array, dtype):
    with np.errstate(invalid="ignore"):
        return array.astype(dtype)


def moved(input, device):
    """The tensor on the device; itself where it is there already."""
    source, target = backend.device_of(input.array), backend.device(device)
    if source.type == target.type and (target.index is None or source.index == target.index or target.type == "cpu"):
        return input
    return _move(input, device=target, source=source)


@method()
def to(self, *args, device=None, dtype=None, non_blocking=False, copy=False):
    """In another dtype, on another device, or both, also as another tensor's: to(dtype), to(device), to(device, dtype), to(other).

    The tensor itself where nothing changes, unless copy=True.
    """
    for value in args:
        if isinstance(value, Tensor):
            device, dtype = backend.device_of(value.array), value.array.dtype
        elif isinstance(value, (str, backend.device, int)) and not isinstance(value, bool):
            device = backend.device("cuda", value) if isinstance(value, int) else value
        elif isinstance(value, (np.dtype, type)):
            dtype = np.dtype(value)
        elif value is not None and not isinstance(value, bool):  # by position, bools are non_blocking and copy
            raise TypeError(f"to: expected a dtype, a device or a Tensor, got {type(value).__name__} {value!r}")
    result = self if device is None else moved(self, device)
    result = result if dtype is None else cast(result, dtype)
    return result.clone() if result is self and (copy or args[-1:] == (True,)) else result


@method("astype")
def _astype(self, dtype):
    """NumPy's name for to(dtype): what derivatives use, so that one line runs on arrays and Tensors."""
    return cast(self, dtype)


def _define(name, dtype):
    def convert(self):
        return cast(self, dtype)

    convert.__name__ = name
    convert.__doc__ = f"to({dtype})."
    method(name)(convert)


for _name, _dtype in {
    "half": backend.float16, "float": backend.float32, "double": backend.float64, "char": backend.int8, "short": backend.int16,
    "int": backend.int32, "long": backend.int64, "byte": backend.uint8, "bool": backend.bool_,
}.items():  # fmt: skip
    _define(_name, _dtype)


TYPED = dict(
    FloatTensor="float32", DoubleTensor="float64", HalfTensor="float16", LongTensor="int64", IntTensor="int32", ShortTensor="int16",
    CharTensor="int8", ByteTensor="uint8", BoolTensor="bool",
)  # fmt: skip


@method("type")
def _type(self, dtype=None, non_blocking=False):
    """Without a dtype the name of this tensor's type, "torch.FloatTensor"; else to(dtype), a dtype or such a name."""
    where = "torch.cuda" if self.is_cuda else "torch"
    names = {f"{where}.{name}": np.dtype(dtype) for name, dtype in TYPED.items()}
    if dtype is None:
        return next(name for name, dtype in names.items() if dtype == self.array.dtype)
    if isinstance(dtype, str):
        if dtype not in names:
            raise ValueError(f"type: {dtype!r} is unknown here; known are {', '.join(names)}")
        dtype = names[dtype]
    return cast(self, dtype if isinstance(dtype, np.dtype) else dtype.dtype)


@method()
def type_as(self, other):
    """to(other.dtype)."""
    return cast(self, other.array.dtype)


@method()
def cpu(self):
    """On the CPU."""
    return moved(self, "cpu")


@method()
def cuda(self, device=None, non_blocking=False):
    """On the GPU; RuntimeError without CuPy or a GPU."""
    return moved(self, backend.device("cuda", device) if device is None or isinstance(device, int) else device)


def is_tensor(obj):
    """Whether this is a Tensor."""
    return isinstance(obj, Tensor)


def is_floating_point(input):
    """Whether the tensor's dtype is a floating-point one."""
    return input.array.dtype.kind == "f"


def is_complex(input):
    """False: the engine has no complex numbers."""
    return input.array.dtype.kind == "c"
