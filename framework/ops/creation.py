"""Tensors from nothing or from data: constants, ranges, random numbers. Other arrays than NumPy's come from `device="cuda"`."""

import functools
import math

import numpy as np

from .. import backend
from ..autograd import grad_mode
from ..readable import Size
from ..tensor import Tensor, implements, method
from .define import op
from .dims import sizes_of

__all__ = [
    "tensor", "as_tensor", "asarray", "from_numpy", "from_dlpack", "zeros", "ones", "full", "empty", "zeros_like", "ones_like", "full_like",
    "empty_like", "eye", "arange", "linspace", "rand", "randn", "randint", "rand_like", "randn_like", "randint_like", "randperm", "normal",
    "bernoulli", "multinomial",
]  # fmt: skip


def _made(array, device, requires_grad):
    """A new leaf on the device."""
    if device is not None:
        array = backend.to_device(array, device)
    result = Tensor(array)
    if requires_grad:
        result.requires_grad = True
    return result


# --- from data --------------------------------------------------------------------------------------------------------


_DTYPES = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")


def _array(name, data, dtype):
    """The data as an array. Python floats count as the default dtype, ints as int64; arrays and Tensors keep theirs."""
    if isinstance(data, Tensor):
        array = data.array
    elif isinstance(data, np.generic):
        array = np.asarray(data)
    elif hasattr(data, "__array_function__"):
        array = data
    else:
        found = set()
        plain = _unwrapped(name, data, found)
        try:
            array = np.asarray(plain)
        except ValueError:
            raise ValueError(
                f"{name}: nested lists of different lengths make no tensor; every list on a level needs as many elements"
            ) from None
        if dtype is None and array.dtype.kind in "fiub":
            kind = functools.reduce(backend.promote_types, found, *(() if found else (backend.get_default_dtype(),)))
            _check_fits(name, array, kind)
            array = array.astype(kind, copy=False)
        elif array.dtype.kind in "fiu":
            _check_fits(name, array, np.dtype(dtype))
    if array.dtype.name not in _DTYPES:
        kind = RuntimeError if array.dtype == object else TypeError
        raise kind(
            f"{name}: cannot make a tensor of a {type(data).__name__} of {array.dtype}; the engine has {', '.join(_DTYPES)}"
        )
    return array if dtype is None else array.astype(dtype, copy=False)


def _check_fits(name, array, dtype):
    """RuntimeError where one of the numbers cannot be stored in an integer dtype."""
    if dtype.kind in "iu" and array.dtype != dtype and array.size:
        for extreme in (array.min(), array.max()):
            backend.stored(name, extreme.item(), dtype)


def _unwrapped(name, data, found):
    """Nested lists with plain numbers in the place of Tensors; the dtypes met are put into `found`."""
    if isinstance(data, Tensor):
        if data.array.size != 1:
            raise ValueError(
                f"{name}: a list may hold tensors of one element, not of shape {tuple(data.shape)}; use stack"
            )
        found.add(data.array.dtype)
        return data.array.item()
    if isinstance(data, (np.ndarray, np.generic)):
        found.add(data.dtype)
        return data
    if isinstance(data, (list, tuple, range)):
        kinds = set(map(type, data))
        if kinds <= _PLAIN:
            found.update(_dtype_of_kind(kind) for kind in kinds)
            return data
        return [_unwrapped(name, part, found) for part in data]
    if type(data) in _PLAIN:
        found.add(_dtype_of_kind(type(data)))
    return data


_PLAIN = {bool, int, float}


def _dtype_of_kind(kind):
    return backend.get_default_dtype() if kind is float else np.dtype(kind)


def tensor(data, *, dtype=None, device=None, requires_grad=False):
    """A new leaf with a copy of the data: numbers, nested lists, arrays or a Tensor. Python floats become the default dtype."""
    return _made(np.array(_array("tensor", data, dtype), order="C", copy=True), device, requires_grad)


def as_tensor(data, dtype=None, device=None):
    """As tensor, but sharing memory where it can: an array of the right dtype is wrapped, a Tensor of the right dtype returned."""
    if isinstance(data, Tensor):
        return data.to(device=device, dtype=dtype)
    return _made(np.asarray(_array("as_tensor", data, dtype)), device, False)


def asarray(obj, *, dtype=None, device=None, copy=None, requires_grad=False):
    """As as_tensor; copy=True never shares memory."""
    result = tensor(obj, dtype=dtype, device=device) if copy else as_tensor(obj, dtype, device)
    return result.requires_grad_() if requires_grad else result


def from_numpy(ndarray):
    """A tensor that shares the array's memory."""
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"from_numpy: expected a NumPy array, got {type(ndarray).__name__}")
    return Tensor(_array("from_numpy", ndarray, None))


def from_dlpack(ext_tensor):
    """A tensor that shares the memory of another library's (anything with __dlpack__, as a PyTorch tensor), without a copy."""
    if not hasattr(ext_tensor, "__dlpack__"):
        raise TypeError(f"from_dlpack: {type(ext_tensor).__name__} has no __dlpack__")
    on_gpu = ext_tensor.__dlpack_device__()[0] == 2  # kDLCUDA
    return Tensor((backend.cupy() if on_gpu else np).from_dlpack(ext_tensor))


# --- constants and ranges ---------------------------------------------------------------------------------------------


def _float(dtype):
    return backend.get_default_dtype() if dtype is None else dtype


def _sizes(name, size, keywords):
    """Sizes by position or as size=…; RuntimeError where one is negative."""
    if "size" in keywords:
        size = (keywords.pop("size"),)
    if keywords:
        raise TypeError(f"{name}: argument {next(iter(keywords))!r} is not supported")
    if not size:
        raise TypeError(f"{name}: the size is missing; a 0-d tensor has size ()")
    size = sizes_of(name, size)
    if min(size, default=0) < 0:
        raise RuntimeError(f"{name}: sizes must not be negative, got {size}")
    return size


def zeros(*size, dtype=None, device=None, requires_grad=False, **keywords):
    """Zeros of the given size."""
    return _made(np.zeros(_sizes("zeros", size, keywords), _float(dtype)), device, requires_grad)


def ones(*size, dtype=None, device=None, requires_grad=False, **keywords):
    """Ones of the given size."""
    return _made(np.ones(_sizes("ones", size, keywords), _float(dtype)), device, requires_grad)


def empty(*size, dtype=None, device=None, requires_grad=False, **keywords):
    """A tensor of the given size, whose values are whatever the memory held."""
    return _made(np.empty(_sizes("empty", size, keywords), _float(dtype)), device, requires_grad)


def full(size, fill_value, *, dtype=None, device=None, requires_grad=False):
    """The given size, filled with one value, whose type decides the dtype where none is given."""
    fill_value = fill_value.item() if isinstance(fill_value, (Tensor, np.generic)) else fill_value
    if dtype is None:
        dtype = np.bool_ if isinstance(fill_value, bool) else np.int64 if isinstance(fill_value, int) else _float(None)
    fill_value = backend.stored("full", fill_value, np.dtype(dtype))
    return _made(np.full(_sizes("full", (size,), {}), fill_value, dtype), device, requires_grad)


def _like(name, function):
    def like(input, *, dtype=None, device=None, requires_grad=False):
        array = function(input.array, dtype=dtype)
        return _made(array, device, requires_grad)

    like.__name__ = like.__qualname__ = name
    like.__doc__ = f"{name.removesuffix('_like').capitalize()} of the input's shape, and of its dtype and device where none is given."
    return like


zeros_like = implements(np.zeros_like)(_like("zeros_like", np.zeros_like))
ones_like = implements(np.ones_like)(_like("ones_like", np.ones_like))
empty_like = _like("empty_like", np.empty_like)


def full_like(input, fill_value, *, dtype=None, device=None, requires_grad=False):
    """The input's shape filled with one value, in the input's dtype and on its device where none is given."""
    fill_value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    fill_value = backend.stored("full_like", fill_value, np.dtype(dtype or input.dtype))
    return _made(np.full_like(input.array, fill_value, dtype=dtype), device, requires_grad)


def eye(n, m=None, *, dtype=None, device=None, requires_grad=False):
    """The n × m matrix with ones on its diagonal; m = n where it is not given."""
    return _made(np.eye(n, m, dtype=_float(dtype)), device, requires_grad)


def arange(start=0, end=None, step=1, *, dtype=None, device=None, requires_grad=False):
    """start, start + step, … below end; integers from integers, else the default dtype. arange(end) starts at 0."""
    if end is None:
        start, end = 0, start
    start, end, step = (x.item() if isinstance(x, (Tensor, np.generic)) else x for x in (start, end, step))
    if step == 0 or (end - start) * step < 0:
        raise RuntimeError(f"arange: from {start} to {end} in steps of {step} leads nowhere")
    if dtype is None:
        dtype = np.int64 if all(isinstance(x, int) for x in (start, end, step)) else _float(None)
    if np.dtype(dtype).kind == "f":  # as PyTorch: the number of steps, and each value, from float64
        values = start + step * np.arange(math.ceil((end - start) / step), dtype=np.float64)
    else:
        values = np.arange(int(start), end if isinstance(end, int) else math.ceil(end), int(step))
    return _made(values.astype(dtype, copy=False), device, requires_grad)


def linspace(start, end, steps, *, dtype=None, device=None, requires_grad=False):
    """`steps` values from start to end, both included, at equal distances."""
    start, end = (x.item() if isinstance(x, (Tensor, np.generic)) else x for x in (start, end))
    if steps < 0:
        raise RuntimeError(f"linspace: steps must not be negative, got {steps}")
    return _made(np.linspace(start, end, steps).astype(_float(dtype)), device, requires_grad)


# --- random numbers ---------------------------------------------------------------------------------------------------


def _uniform(shape, dtype, generator):
    dtype = np.dtype(dtype)
    if dtype.kind != "f":
        raise NotImplementedError(f"random numbers: a floating-point dtype is needed, not {dtype}")
    drawn = np.float64 if dtype == np.float64 else np.float32
    return backend.random(generator).random(shape, drawn).astype(dtype, copy=False)


def _gaussian(shape, dtype, generator):
    dtype = np.dtype(dtype)
    if dtype.kind != "f":
        raise NotImplementedError(f"random numbers: a floating-point dtype is needed, not {dtype}")
    drawn = np.float64 if dtype == np.float64 else np.float32
    return backend.random(generator).standard_normal(shape, drawn).astype(dtype, copy=False)


def rand(*size, generator=None, dtype=None, device=None, requires_grad=False, **keywords):
    """Uniform random numbers from [0, 1)."""
    return _made(_uniform(_sizes("rand", size, keywords), _float(dtype), generator), device, requires_grad)


def randn(*size, generator=None, dtype=None, device=None, requires_grad=False, **keywords):
    """Random numbers from the standard normal distribution."""
    return _made(_gaussian(_sizes("randn", size, keywords), _float(dtype), generator), device, requires_grad)


def randint(low=0, high=None, size=None, *, generator=None, dtype=None, device=None, requires_grad=False):
    """Random integers from low to high − 1: randint(low, high, size) or randint(high, size)."""
    if size is None:
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    if high <= low:
        raise RuntimeError(f"randint: high must be greater than low, got [{low}, {high})")
    values = backend.random(generator).integers(low, high, _sizes("randint", (size,), {}))
    return _made(values.astype(np.int64 if dtype is None else dtype, copy=False), device, requires_grad)


def rand_like(input, *, generator=None, dtype=None, device=None, requires_grad=False):
    """rand of the input's shape, dtype and device."""
    dtype, device = dtype or input.dtype, device or input.device
    return _made(_uniform(input.array.shape, dtype, generator), device, requires_grad)


def randn_like(input, *, generator=None, dtype=None, device=None, requires_grad=False):
    """randn of the input's shape, dtype and device."""
    dtype, device = dtype or input.dtype, device or input.device
    return _made(_gaussian(input.array.shape, dtype, generator), device, requires_grad)


def randint_like(input, low=0, high=None, *, generator=None, dtype=None, device=None, requires_grad=False):
    """randint of the input's shape, dtype and device."""
    if high is None:
        low, high = 0, low
    dtype, device = dtype or input.dtype, device or input.device
    return randint(
        low, high, input.array.shape, generator=generator, dtype=dtype, device=device, requires_grad=requires_grad
    )


def randperm(n, *, generator=None, dtype=None, device=None, requires_grad=False):
    """The integers from 0 to n − 1 in random order."""
    order = backend.random(generator).permutation(n)
    return _made(order.astype(np.int64 if dtype is None else dtype, copy=False), device, requires_grad)


def normal(mean=0.0, std=1.0, size=None, *, generator=None, dtype=None, device=None, requires_grad=False):
    """Normal random numbers of the given mean and standard deviation: numbers with a size, or tensors, one draw per element."""
    for name, x in (("mean", mean), ("std", std)):
        if not isinstance(x, (Tensor, int, float)):
            raise TypeError(f"normal: argument {name!r} must be a Tensor or a number, not {type(x).__name__}")
    tensors = [x for x in (mean, std) if isinstance(x, Tensor)]
    if bool(tensors) == (size is not None):
        raise TypeError("normal: give numbers for mean and std with a size, or a tensor for one of them without")
    shape = np.broadcast_shapes(*(x.shape for x in tensors)) if tensors else _sizes("normal", (size,), {})
    dtype = dtype or (tensors[0].dtype if tensors else _float(None))
    mean, std = (x.array if isinstance(x, Tensor) else x for x in (mean, std))
    if np.any(std < 0 if not np.isscalar(std) else np.array(std) < 0):
        raise RuntimeError("normal: std must not be negative")
    values = _gaussian(shape, dtype, generator)
    return _made(
        (values * std + mean).astype(dtype, copy=False),
        device or (tensors[0].device if tensors else None),
        requires_grad,
    )


def bernoulli(input, p=None, *, generator=None):
    """Per element 1 with the probability that the element gives (or p for all), else 0."""
    chances = backend.to_device(input.array, "cpu") if p is None else np.full(input.array.shape, p, np.float64)
    if input.array.dtype.kind != "f" and p is None:
        raise RuntimeError(f"bernoulli: probabilities must be floating point, not {input.array.dtype}")
    if chances.size and not ((chances >= 0) & (chances <= 1)).all():
        raise RuntimeError("bernoulli: probabilities must be in [0, 1]")
    return _made(
        (_uniform(chances.shape, np.float64, generator) < chances).astype(input.array.dtype), input.device, False
    )


def multinomial(input, num_samples, replacement=False, *, generator=None):
    """num_samples indices per row, drawn with probabilities proportional to the row's weights."""
    weights = backend.to_device(input.array, "cpu").astype(np.float64)
    if weights.ndim not in (1, 2):
        raise RuntimeError(f"multinomial: expected weights of one or two dimensions, got {tuple(weights.shape)}")
    if input.dtype.kind != "f":
        raise RuntimeError(f"multinomial: weights must be floating point, not {input.dtype}")
    if not np.isfinite(weights).all() or (weights < 0).any() or (weights.sum(-1) <= 0).any():
        raise RuntimeError("multinomial: weights must be finite and not negative, with a positive sum in every row")
    if num_samples <= 0:
        raise RuntimeError(f"multinomial: num_samples must be positive, got {num_samples}")
    rows = weights.reshape(-1, weights.shape[-1])
    if replacement:
        steps = np.cumsum(rows, axis=1)
        draws = _uniform((len(rows), num_samples), np.float64, generator) * steps[:, -1:]
        picks = np.stack([np.searchsorted(step, draw, side="right") for step, draw in zip(steps, draws)])
    else:
        if num_samples > weights.shape[-1] or ((rows > 0).sum(1) < num_samples).any():
            raise RuntimeError(
                f"multinomial: {num_samples} samples without replacement need as many categories of positive weight"
            )
        with np.errstate(divide="ignore"):  # exponential races: the smallest of E/w wins with probability w/Σw
            keys = -np.log1p(-_uniform(rows.shape, np.float64, generator)) / rows
        picks = np.argsort(keys, axis=1, kind="stable")[:, :num_samples]
    return _made(picks.reshape(*weights.shape[:-1], num_samples), input.device, False)


# --- methods ----------------------------------------------------------------------------------------------------------


@method()
def new_tensor(self, data, *, dtype=None, device=None, requires_grad=False):
    """tensor(data) with this tensor's dtype and device where none is given."""
    return tensor(data, dtype=dtype or self.dtype, device=device or self.device, requires_grad=requires_grad)


@method()
def new(self, *args):
    """The older form of new_empty, with sizes or a Size, and of new_tensor, with data; with nothing new_empty(0)."""
    if len(args) == 1 and not isinstance(args[0], (int, Size)):
        return tensor(args[0], dtype=self.dtype, device=self.device)
    return empty(*args or (0,), dtype=self.dtype, device=self.device)


@method()
def new_zeros(self, *size, dtype=None, device=None, requires_grad=False, **keywords):
    """zeros(size) with this tensor's dtype and device where none is given."""
    return zeros(
        *size, dtype=dtype or self.dtype, device=device or self.device, requires_grad=requires_grad, **keywords
    )


@method()
def new_ones(self, *size, dtype=None, device=None, requires_grad=False, **keywords):
    """ones(size) with this tensor's dtype and device where none is given."""
    return ones(*size, dtype=dtype or self.dtype, device=device or self.device, requires_grad=requires_grad, **keywords)


@method()
def new_empty(self, *size, dtype=None, device=None, requires_grad=False, **keywords):
    """empty(size) with this tensor's dtype and device where none is given."""
    return empty(
        *size, dtype=dtype or self.dtype, device=device or self.device, requires_grad=requires_grad, **keywords
    )


@method()
def new_full(self, size, fill_value, *, dtype=None, device=None, requires_grad=False):
    """full(size, fill_value) with this tensor's dtype and device where none is given."""
    return full(size, fill_value, dtype=dtype or self.dtype, device=device or self.device, requires_grad=requires_grad)


method()(bernoulli)
method()(multinomial)


# --- in place: filling ------------------------------------------------------------------------------------------------


_filled = op("fill", lambda x, *, values: _full_of(x, values), lambda g: np.zeros_like(g))
_copied = op("copy", lambda x, src: src.astype(x.dtype), lambda g: np.zeros_like(g), lambda g: g, broadcasts=True)


def _full_of(x, values):
    y = np.empty_like(x)
    y[...] = values
    return y


def _fill(self, values):
    """Overwrite with a number, or with an array of this shape; what the tensor was before then has gradient 0."""
    values = values if np.isscalar(values) else backend.to_device(values, self.device)
    if self.needs_grad and grad_mode.enabled:
        return self.write(_filled(self, values=values))
    self.rebase(False, None)
    self.array[...] = values
    return self


@method()
def zero_(self):
    """Fill with zeros."""
    return _fill(self, 0)


@method()
def fill_(self, value):
    """Fill with one number, or with a 0-d tensor, to which the gradient then flows."""
    if isinstance(value, Tensor):
        if value.array.ndim:
            raise RuntimeError(f"fill_: the value must be a number or a 0-d tensor, not {tuple(value.array.shape)}")
        return self.copy_(value)
    return _fill(self, backend.stored("fill_", value, self.array.dtype))


@method()
def copy_(self, src, non_blocking=False):
    """Take over the values of src, broadcast, in this tensor's dtype and on its device; gradients flow to src."""
    src = src.to(device=self.device).expand(self.array.shape)
    if self.needs_grad and grad_mode.enabled:
        return self.write(_copied(self, src))
    if src.needs_grad and grad_mode.enabled:
        return self.write(src.to(self.array.dtype))
    return _fill(self, src.array)


@method()
def normal_(self, mean=0.0, std=1.0, *, generator=None):
    """Fill with normal random numbers."""
    if std < 0:
        raise RuntimeError(f"normal_: std must not be negative, got {std}")
    values = _gaussian(self.array.shape, self.dtype, generator)
    values *= std
    values += mean
    return _fill(self, values)


@method()
def uniform_(self, from_=0.0, to=1.0, *, generator=None, **keywords):
    """Fill with uniform random numbers from [from, to)."""
    from_ = keywords.pop("from", from_)  # PyTorch's name is a Python keyword
    if keywords or from_ > to:
        raise RuntimeError(
            f"uniform_: from must not exceed to, got [{from_}, {to})"
            if not keywords
            else f"uniform_: unknown {list(keywords)}"
        )
    values = _uniform(self.array.shape, self.dtype, generator)
    values *= to - from_
    values += from_
    return _fill(self, values)


@method()
def bernoulli_(self, p=0.5, *, generator=None):
    """Fill with 1, with probability p (a number, or a tensor of one probability per element), else 0."""
    p = backend.to_device(p.array, "cpu") if isinstance(p, Tensor) else p
    return _fill(self, (_uniform(self.array.shape, np.float64, generator) < p).astype(self.dtype))
