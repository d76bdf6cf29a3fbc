"""Where arrays live, what they hold, and where random numbers come from.

Arrays are NumPy's, or CuPy's once a tensor is made on or moved to "cuda". A dtype is a NumPy dtype under PyTorch's name.
"""

import contextlib
import ctypes
import math
import platform
import sys
import warnings

import numpy as np

# log(0), 0/0 and overflow give −∞, NaN and ∞ without a word, as in PyTorch. Only what the engine's own lines compute is silenced:
# np.seterr would silence the user's NumPy too, and an errstate around every op would cost half as much as the op.
warnings.filterwarnings("ignore", r".* encountered in ", RuntimeWarning, module=r"framework\.")

float16, float32, float64 = (np.dtype(name) for name in ("float16", "float32", "float64"))
int8, int16, int32, int64 = (np.dtype(name) for name in ("int8", "int16", "int32", "int64"))
uint8, bool_ = np.dtype("uint8"), np.dtype("bool")

_default = {"dtype": float32}
_CATEGORY = {"b": 0, "u": 1, "i": 1, "f": 2}  # a dtype's kind, in the order in which PyTorch promotes


def get_default_dtype():
    return _default["dtype"]


def set_default_dtype(d):
    """Set the dtype of new floating-point tensors; TypeError unless it is a floating-point dtype."""
    if np.dtype(d).kind != "f":
        raise TypeError(f"set_default_dtype: only floating-point dtypes can be the default, got {np.dtype(d)}")
    _default["dtype"] = np.dtype(d)


class finfo:
    """The limits of a floating-point dtype, as plain floats: eps, min, max, tiny. As torch.finfo."""

    def __init__(self, dtype=None):
        limits = np.finfo(_default["dtype"] if dtype is None else dtype)
        self.dtype, self.bits = limits.dtype, limits.bits
        self.eps, self.min, self.max = float(limits.eps), float(limits.min), float(limits.max)
        self.tiny = self.smallest_normal = float(limits.tiny)

    def __repr__(self):
        return f"finfo(dtype={self.dtype}, eps={self.eps:g}, min={self.min:g}, max={self.max:g}, tiny={self.tiny:g})"


def promote_types(a, b):
    """The dtype that holds both, as PyTorch promotes: the higher category's (bool < integer < floating point), the wider within one."""
    rank_a, rank_b = _CATEGORY[a.kind], _CATEGORY[b.kind]
    return np.promote_types(a, b) if rank_a == rank_b else a if rank_a > rank_b else b


def fits(source, target):
    """Whether values of one dtype may be stored in place in another: in the same category, or a higher one."""
    return _CATEGORY[source.kind] <= _CATEGORY[target.kind]


def promote(x, y):
    """Bring two arrays to PyTorch's common dtype, where within a category an array with dimensions wins over a 0-d array."""
    a, b = x.dtype, y.dtype
    if _CATEGORY[a.kind] == _CATEGORY[b.kind] and (x.ndim == 0) != (y.ndim == 0):
        common = b if x.ndim == 0 else a
    else:
        common = promote_types(a, b)
    return x.astype(common, copy=False), y.astype(common, copy=False)


def wrapped(name, value, dtype):
    """An int as PyTorch computes with it beside a tensor of this dtype: of integers, the lowest bits that the dtype holds."""
    if not -(2**63) <= value < 2 ** (63 if dtype.kind == "b" else 64):
        raise OverflowError(f"{name}: the integer {value} is beyond 64 bits; give it as a float")
    if dtype.kind == "f":
        return value
    span = 1 << 8 * (8 if dtype.kind == "b" else dtype.itemsize)  # beside bools it counts as int64
    low = 0 if dtype.kind == "u" else -span // 2
    return (value - low) % span + low


def stored(name, value, dtype):
    """A Python number as one to store in this dtype; RuntimeError where it does not fit (fill_, masked_fill, where, index assignment)."""
    kind = dtype.kind
    if kind == "f":
        fits = not abs(value) > np.finfo(dtype).max or value in (math.inf, -math.inf)
    elif kind == "b":
        return bool(value)
    else:
        limits = np.iinfo(dtype)
        fits = (-limits.max if kind == "u" else limits.min) <= value <= limits.max
        value = int(value) % (limits.max + 1) if fits and kind == "u" else value
    if not fits:
        raise RuntimeError(f"{name}: {value} cannot be stored in {dtype} without overflow")
    return value


# --- devices ----------------------------------------------------------------------------------------------------------


class device:
    """Where a tensor lives: "cpu" or "cuda", with an index for one of several GPUs. As torch.device."""

    __slots__ = ("type", "index")

    def __init__(self, type, index=None):
        if isinstance(type, device):
            type, index = type.type, type.index
        elif isinstance(type, str):
            type, _, number = type.partition(":")
            index = index if not number else int(number)
        if type not in ("cpu", "cuda"):
            raise RuntimeError(f'device: {type!r} is unknown; the engine runs on "cpu" and, with CuPy, on "cuda"')
        self.type, self.index = type, index

    def __eq__(self, other):
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self):
        return hash((self.type, self.index))

    def __str__(self):
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self):
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type={self.type!r}{index})"


cpu = device("cpu")


def cupy():
    """The CuPy module; RuntimeError that says what is missing where there is none or no GPU."""
    try:
        import cupy as module

        module.cuda.runtime.getDeviceCount()
    except ImportError:
        raise RuntimeError(
            'device "cuda": CuPy is not installed; install cupy-cuda12x or cupy-cuda13x, or stay on device="cpu"'
        ) from None
    except Exception as error:
        raise RuntimeError(f'device "cuda": CuPy finds no usable GPU ({error}); stay on device="cpu"') from None
    return module


def cuda_is_available():
    try:
        return cupy().cuda.runtime.getDeviceCount() > 0
    except RuntimeError:
        return False


def memory_order(x):
    """The axes of an array from the outermost in memory to the innermost; first those of one element, whose stride means nothing."""
    return sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis]) if x.shape[axis] > 1 else -np.inf)


def array_module(array):
    """The module whose functions run on this array: numpy, or the one that its type comes from (cupy)."""
    if isinstance(array, np.ndarray):
        return np
    return sys.modules[type(array).__module__.partition(".")[0]]


def zeros(shape, like):
    """Zeros of this shape, in the dtype and at the place of an array (or NumPy scalar)."""
    if isinstance(like, (np.ndarray, np.generic)):
        return np.zeros(shape, like.dtype)
    return np.zeros(shape, like.dtype, like=like)


def scalar(value, dtype, like):
    """A 0-d array at the place of another."""
    return np.asarray(value, dtype) if like.__class__ is np.ndarray else np.asarray(value, dtype, like=like)


def device_of(array):
    if isinstance(array, np.ndarray):
        return cpu
    return device("cuda", getattr(getattr(array, "device", None), "id", 0))


def to_device(array, target):
    """The array on the target device: itself where it is there already."""
    target = device(target)
    if target.type == "cpu":
        return array if isinstance(array, np.ndarray) else array.get()
    module = cupy()
    with module.cuda.Device(target.index or 0) if target.index is not None else contextlib.nullcontext():
        return module.asarray(array)


def module_of(target):
    """The array module of a device: numpy for the CPU, cupy for CUDA."""
    return np if target is None or device(target).type == "cpu" else cupy()


# --- random numbers ---------------------------------------------------------------------------------------------------


class Generator:
    """A stream of random numbers that one seed fixes; PyTorch's class, NumPy's PCG64 beneath (so other numbers than PyTorch's)."""

    def __init__(self, device="cpu"):
        self.manual_seed(0)

    def manual_seed(self, seed):
        self._seed = int(seed)
        self.numpy = np.random.Generator(np.random.PCG64(self._seed))
        return self

    def seed(self):
        return self.manual_seed(np.random.SeedSequence().generate_state(1, np.uint64)[0]).initial_seed()

    def initial_seed(self):
        return self._seed

    def get_state(self):
        """The whole state, as plain values that JSON can hold."""
        return {"seed": self._seed, "state": self.numpy.bit_generator.state}

    def set_state(self, state):
        self._seed = state["seed"]
        self.numpy.bit_generator.state = state["state"]
        return self


default_generator = Generator()


def manual_seed(seed):
    """Seed the default generator; the same seed gives the same numbers on every machine. Returns the generator."""
    return default_generator.manual_seed(seed)


def random(generator=None):
    """The NumPy generator behind a Generator, or behind the default one."""
    return (generator or default_generator).numpy


# --- memory -----------------------------------------------------------------------------------------------------------


def keep_freed_memory():
    """Ask glibc to keep big freed blocks instead of returning them to the system; True where it was done.

    A fresh page costs 2.3 µs to fault in, so a 2 MB temporary costs more to obtain than to fill. Both thresholds are
    needed: one alone does nothing.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    m_trim_threshold, m_mmap_threshold, largest = -1, -3, 32 << 20
    return mallopt(m_mmap_threshold, largest) == 1 and mallopt(m_trim_threshold, 2**31 - 1) == 1


keep_freed_memory()
