"""A stand-in for CuPy: arrays that live elsewhere and refuse to mix with NumPy's, as CuPy's do, on a machine without a GPU.

An `Elsewhere` array takes part in ufunc calls and in NumPy's functions through the protocols, with other such arrays and Python numbers
alone; NumPy arrays are taken as indices only. Refused, as CuPy 13 refuses them: NumPy arrays elsewhere, where=, ufunc methods
(np.add.reduce, np.add.at) and every implicit conversion; `get()` is the only way out, `asarray` the only way in. Its module is found as
CuPy's is, in sys.modules under the name of its type's module.
"""

import contextlib
import operator
import sys
import types

import numpy as np

NOT_IN_CUPY = {np.ascontiguousarray, np.require}


def inside(value):
    """The NumPy arrays within a value; TypeError for what may not be mixed in."""
    if isinstance(value, Elsewhere):
        return value._held
    if isinstance(value, np.ndarray):
        raise TypeError(f"Elsewhere: a NumPy array of shape {value.shape} cannot be mixed in; move it first")
    if isinstance(value, (list, tuple)):
        return type(value)(inside(part) for part in value)
    if isinstance(value, dict):
        return {key: inside(part) for key, part in value.items()}
    return value


def sources(values):
    for value in values:
        if isinstance(value, Elsewhere):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from sources(value)


def outside(result, given=()):
    """Results wrapped again: never a NumPy array, never a NumPy scalar, and with the array that a view looks into as its base."""
    if isinstance(result, (list, tuple)) and any(isinstance(part, (np.ndarray, np.generic)) for part in result):
        parts = [outside(part, given) for part in result]
        return type(result)(*parts) if hasattr(result, "_fields") else type(result)(parts)
    if isinstance(result, np.generic):
        return Elsewhere(np.asarray(result))
    if not isinstance(result, np.ndarray):
        return result
    wrapped = Elsewhere(result)
    for source in sources(given):
        if np.may_share_memory(result, source._held) or result.size == 0 and result.base is not None:
            wrapped.base = source if source.base is None else source.base
    return wrapped


def inside_index(index):
    """An index may hold NumPy arrays, which CuPy moves to the GPU."""
    parts = index if isinstance(index, tuple) else (index,)
    moved = tuple(part if isinstance(part, np.ndarray) else inside(part) for part in parts)
    return moved if isinstance(index, tuple) else moved[0]


def called(function, args, kwargs):
    """function(*args, **kwargs) on what the arrays hold; with out=, the array given there."""
    out = kwargs.get("out")
    result = function(*inside(args), **inside(kwargs))
    if out is not None:
        return out[0] if isinstance(out, tuple) else out
    return outside(result, [*args, *kwargs.values()])


class Elsewhere:
    """An array of the stand-in library."""

    __slots__ = ("_held", "base")
    __array_priority__ = 100
    __hash__ = None

    def __init__(self, held):
        self._held, self.base = held, None

    shape = property(lambda self: self._held.shape)
    dtype = property(lambda self: self._held.dtype)
    ndim = property(lambda self: self._held.ndim)
    size = property(lambda self: self._held.size)
    itemsize = property(lambda self: self._held.itemsize)
    nbytes = property(lambda self: self._held.nbytes)
    strides = property(lambda self: self._held.strides)
    flags = property(lambda self: types.SimpleNamespace(c_contiguous=self._held.flags.c_contiguous))
    T = property(lambda self: outside(self._held.T, [self]))
    mT = property(lambda self: outside(self._held.mT, [self]))

    def get(self):
        return self._held.copy()

    def __array__(self, *args, **kwargs):
        raise TypeError("Elsewhere: no implicit conversion to a NumPy array; use get()")

    def __array_ufunc__(self, ufunc, how, *inputs, **options):
        if how != "__call__" or set(options) - {"dtype", "out"}:
            raise TypeError(f"Elsewhere: {ufunc.__name__}.{how} with {sorted(options)} is not supported")
        return called(ufunc, inputs, options)

    def __array_function__(self, function, types, args, kwargs):
        if function in NOT_IN_CUPY:
            raise TypeError(f"Elsewhere: {function.__name__} is not supported")
        if "device" in kwargs:  # which NumPy hands on from np.ones(…, like=x) and np.full(…, like=x)
            raise TypeError(f"Elsewhere: {function.__name__} with device= is not supported")
        if function in (np.array, np.asarray):  # np.array(values, like=x): the explicit way in
            return Elsewhere(np.array(*args, **kwargs))
        return called(function, args, kwargs)

    def __getitem__(self, index):
        return outside(self._held[inside_index(index)], [self])

    def __setitem__(self, index, value):
        self._held[inside_index(index)] = inside(value)

    def __len__(self):
        return len(self._held)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __bool__(self):
        return bool(self._held)

    def __int__(self):
        return int(self._held)

    def __float__(self):
        return float(self._held)

    def __index__(self):
        return operator.index(self._held)

    def __repr__(self):
        return f"Elsewhere({self._held!r})"


def _method(name):
    def method(self, *args, **kwargs):
        if kwargs.get("out") is not None:
            raise TypeError(f"Elsewhere: {name} with out= is not supported")
        return outside(getattr(self._held, name)(*inside(args), **inside(kwargs)), [self])

    return method


for _name in (
    "all", "any", "argmax", "argmin", "argsort", "astype", "clip", "copy", "cumsum", "cumprod", "diagonal", "fill", "flatten", "item", "max", "mean",
    "min", "nonzero", "prod", "ravel", "repeat", "reshape", "round", "squeeze", "std", "sum", "swapaxes", "take", "tolist", "trace",
    "transpose", "var", "view",
):  # fmt: skip
    setattr(Elsewhere, _name, _method(_name))


def _operator(name):
    def method(self, *others):
        if any(isinstance(other, np.ndarray) for other in others):
            raise TypeError(f"Elsewhere: unsupported type numpy.ndarray for {name}")
        if not all(isinstance(other, (Elsewhere, int, float, np.generic)) for other in others):
            return NotImplemented
        return outside(getattr(self._held, name)(*inside(others)))

    return method


def _in_place(name):
    def method(self, other):
        getattr(operator, name)(self._held, inside(other)) if self._held.ndim else self._held.__setitem__(
            (), getattr(operator, name)(self._held, inside(other))
        )
        return self

    return method


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and", "or", "xor", "matmul"):
    setattr(Elsewhere, f"__{_name}__", _operator(f"__{_name}__"))
    setattr(Elsewhere, f"__r{_name}__", _operator(f"__r{_name}__"))
    if _name != "matmul":
        setattr(Elsewhere, f"__i{_name}__", _in_place(f"i{_name}"))
for _name in ("neg", "abs", "invert", "eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Elsewhere, f"__{_name}__", _operator(f"__{_name}__"))


# --- the library's module, as `import cupy` would give it ---


class Library(types.ModuleType):
    """NumPy's functions, for Elsewhere arrays only; ufuncs also have `at`."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        function = getattr(np, name)

        def call(*args, **kwargs):
            return called(function, args, kwargs)

        if isinstance(function, np.ufunc):
            call.at = lambda array, index, values: function.at(array._held, inside_index(index), inside(values))
            call.reduce = lambda array, **options: outside(function.reduce(inside(array), **options))
        return call if callable(function) and not isinstance(function, type) else function


library = Library("elsewhere")
library.ndarray = Elsewhere
library.asarray = lambda array: array if isinstance(array, Elsewhere) else Elsewhere(np.array(array))
library.cuda = types.SimpleNamespace(
    Device=lambda index: contextlib.nullcontext(),
    runtime=types.SimpleNamespace(getDeviceCount=lambda: 1, deviceSynchronize=lambda: None),
)
Elsewhere.__module__ = "elsewhere"
sys.modules["elsewhere"] = library
