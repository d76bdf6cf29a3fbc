"""NumPy or CuPy: which of them holds an array, and moving it."""

import sys

import numpy as np

from framework import backend

gpu_enable = backend.cuda_is_available()


def array_types():
    """The classes of arrays that a Variable may hold. CuPy counts from when something has imported it."""
    cupy = sys.modules.get("cupy")
    return (np.ndarray, cupy.ndarray) if cupy and hasattr(cupy, "ndarray") else (np.ndarray,)


def _array(x):
    return getattr(x, "data", x) if hasattr(x, "creator") else x


def get_array_module(x):
    """numpy or cupy, whichever x (a Variable or an array) lives in."""
    x = _array(x)
    return backend.array_module(x) if isinstance(x, array_types()) else np


def as_numpy(x):
    """A Variable, array or number as a NumPy array."""
    x = _array(x)
    return np.array(x) if np.isscalar(x) else backend.to_device(x, "cpu")


def as_cupy(x):
    """A Variable, array or number as a CuPy array; RuntimeError that says what is missing where there is no GPU."""
    return backend.to_device(np.asarray(_array(x)) if np.isscalar(x) else _array(x), "cuda")


def __getattr__(name):
    if name in ("cupy", "cp"):
        return backend.cupy()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
