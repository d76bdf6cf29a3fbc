"""What a tensor tells about itself: its sizes, and its values as numbers, arrays and text. Nothing here records anything."""

import numpy as np

from . import absent, backend


class Size(tuple):
    """A shape: a tuple of ints that prints as torch.Size and counts its elements."""

    __slots__ = ()

    def numel(self):
        return int(np.prod(self, dtype=np.int64))

    def __repr__(self):
        return f"torch.Size({list(self)})"

    def __getitem__(self, index):
        part = tuple.__getitem__(self, index)
        return Size(part) if isinstance(index, slice) else part

    def __add__(self, other):
        return Size(tuple.__add__(self, tuple(other)))


class Readable:
    """The methods of Tensor that only read it; all they use are `array`, `needs_grad` and `node`."""

    __slots__ = ()

    def __getattr__(self, name):  # called only for a name that is not there
        raise absent.Missing("Tensor", name, dir(type(self)))

    @property
    def shape(self):
        return Size(self.array.shape)

    @property
    def dtype(self):
        return self.array.dtype

    @property
    def device(self):
        return backend.device_of(self.array)

    @property
    def ndim(self):
        return self.array.ndim

    @property
    def is_cuda(self):
        return self.device.type == "cuda"

    def size(self, dim=None):
        return self.shape if dim is None else self.array.shape[dim]

    def dim(self):
        return self.array.ndim

    ndimension = dim

    def numel(self):
        return self.array.size

    nelement = numel

    def element_size(self):
        return self.array.itemsize

    @property
    def itemsize(self):
        return self.array.itemsize

    @property
    def nbytes(self):
        return self.array.nbytes

    def stride(self, dim=None):
        strides = tuple(step // self.array.itemsize for step in self.array.strides)
        return strides if dim is None else strides[dim]

    def is_contiguous(self):
        return self.array.flags.c_contiguous

    def is_floating_point(self):
        return self.array.dtype.kind == "f"

    def is_complex(self):
        return False

    def data_ptr(self):
        return self.array.__array_interface__["data"][0] if self.array.__class__ is np.ndarray else self.array.data.ptr

    def get_device(self):
        return -1 if self.device.type == "cpu" else self.device.index

    # --- out of the engine ---

    def numpy(self, *, force=False):
        """The array itself, sharing memory; RuntimeError where it requires grad or lives on a GPU (force=True detaches and copies)."""
        if force:
            return backend.to_device(self.array, "cpu")
        if self.needs_grad:
            raise RuntimeError("numpy(): the tensor requires grad; use detach().numpy()")
        if self.array.__class__ is not np.ndarray:
            raise RuntimeError(f"numpy(): the tensor is on {self.device}; use cpu() first")
        return self.array

    def item(self):
        if self.array.size != 1:
            raise RuntimeError(
                f"item(): a tensor of shape {tuple(self.array.shape)} has {self.array.size} elements, not one"
            )
        return self.array.item()

    def tolist(self):
        return self.array.tolist()

    def __array__(self, dtype=None, copy=None):
        array = self.numpy()
        return array.astype(dtype) if copy or dtype not in (None, array.dtype) else array

    def __dlpack__(self, **options):
        if self.needs_grad:
            raise BufferError("__dlpack__: the tensor requires grad; use detach() first")
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()

    def __float__(self):
        return float(self.item())

    def __int__(self):
        return int(self.item())

    def __bool__(self):
        if self.array.size != 1:
            raise RuntimeError(
                f"bool(): a tensor of shape {tuple(self.array.shape)} has no single truth value; use any() or all()"
            )
        return bool(self.array.item())

    def __index__(self):
        if self.array.size != 1 or self.array.dtype.kind not in "iu":
            raise TypeError(
                f"__index__: only an integer tensor of one element is an index, this is {self.array.dtype} {tuple(self.array.shape)}"
            )
        return int(self.array.item())

    def __len__(self):
        if not self.array.ndim:
            raise TypeError("len(): a 0-d tensor has no length")
        return len(self.array)

    def __iter__(self):
        return iter(self.unbind(0))

    def __contains__(self, element):
        return bool((self.array == (getattr(element, "array", element))).any())

    __hash__ = object.__hash__

    def __format__(self, spec):
        return format(self.item(), spec) if self.array.ndim == 0 else object.__format__(self, spec)

    def __repr__(self):
        array = backend.to_device(self.array, "cpu")
        whole = array.dtype.kind != "f" or bool((np.rint(array) == array)[np.isfinite(array)].all())
        text = np.array2string(
            array,
            separator=", ",
            precision=4,
            suppress_small=True,
            floatmode="maxprec" if whole else "fixed",
            prefix="tensor(",
        )
        facts = [text if self.array.size else "[]"]
        if not self.array.size and self.array.ndim != 1:
            facts.append(f"size={tuple(self.array.shape)}")
        if self.is_cuda:
            facts.append(f"device='{self.device}'")
        if self.array.dtype not in (backend.get_default_dtype(), np.int64, np.bool_):
            facts.append(f"dtype={self.array.dtype}")
        if self.node is not None:
            facts.append(f"grad_fn={self.node!r}")
        elif self.needs_grad:
            facts.append("requires_grad=True")
        return f"tensor({', '.join(facts)})"
