"""A small, fast deep-learning framework on NumPy, in which every name means what it means in PyTorch.

Read in this order: tensor.py, autograd.py, ops/define.py, ops/elementwise.py, nn/module.py, optim/sgd.py.
"""

import os

# Between two products OpenBLAS's threads wait in a loop, for a tenth of a second unless told otherwise, on the cores that all else here needs.
# 2¹⁶ cycles are some 20 µs. It is read when NumPy is loaded; who imports that first may set it before.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "16")

import importlib.util
from math import e, inf, nan, pi

from numpy import dtype, iinfo

from . import absent, arguments, autograd, functional, ops, torch_names
from .amp import (
    autocast,
    clear_autocast_cache,
    get_autocast_dtype,
    is_autocast_cache_enabled,
    is_autocast_enabled,
)
from .anomaly import detect_anomaly, set_detect_anomaly
from .autograd import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from .backend import (
    Generator,
    default_generator,
    device,
    finfo,
    float16,
    float32,
    float64,
    get_default_dtype,
    int8,
    int16,
    int32,
    int64,
    manual_seed,
    promote_types,
    set_default_dtype,
    uint8,
)
from .backend import bool_ as bool
from .function import Function
from .gradcheck import gradcheck, gradgradcheck
from .ops.activation import *  # noqa: F403
from .ops.conv import *  # noqa: F403
from .ops.convert import *  # noqa: F403
from .ops.creation import *  # noqa: F403
from .ops.dropout import *  # noqa: F403
from .ops.einsum import *  # noqa: F403
from .ops.elementwise import *  # noqa: F403
from .ops.gather import *  # noqa: F403
from .ops.linalg import *  # noqa: F403
from .ops.matrix import *  # noqa: F403
from .ops.norm import *  # noqa: F403
from .ops.pool import *  # noqa: F403
from .ops.ranking import *  # noqa: F403
from .ops.recurrent import *  # noqa: F403
from .ops.reduce import *  # noqa: F403
from .ops.shape import *  # noqa: F403
from .ops.statistics import *  # noqa: F403
from .ops.views import *  # noqa: F403
from .readable import Size
from .serialization import load, save
from .tensor import Tensor, backward, grad
from .threads import get_num_threads, set_num_threads

# The names of torch.autograd that need tensors and ops, and so stand on higher floors than autograd.py.
for _name in (backward, grad, Function, gradcheck, gradgradcheck, detect_anomaly, set_detect_anomaly):
    setattr(autograd, _name.__name__, _name)
autograd.functional = functional
del backward, grad, gradcheck, gradgradcheck, detect_anomaly, set_detect_anomaly, Function, os

half, float, double = float16, float32, float64
short, int, long = int16, int32, int64

__all__ = [
    "Tensor", "Size", "dtype", "device", "Generator", "default_generator", "manual_seed", "get_default_dtype", "set_default_dtype",
    "promote_types", "finfo", "iinfo", "bool", "uint8", "int8", "int16", "short", "int32", "int", "int64", "long", "float16", "half",
    "float32", "float", "float64", "double", "e", "inf", "nan", "pi",
    "no_grad", "enable_grad", "inference_mode", "is_grad_enabled", "set_grad_enabled", "save", "load",
    "get_num_threads", "set_num_threads",
    "autocast", "is_autocast_enabled", "get_autocast_dtype", "is_autocast_cache_enabled", "clear_autocast_cache",
]  # fmt: skip
for _family in (
    ops.activation, ops.conv, ops.convert, ops.creation, ops.dropout, ops.einsum, ops.elementwise, ops.gather,
    ops.linalg, ops.matrix, ops.norm, ops.pool, ops.ranking, ops.recurrent, ops.reduce, ops.shape, ops.statistics, ops.views,
):  # fmt: skip
    __all__ += _family.__all__

arguments.check(globals())
_missing = absent.refuse_missing(globals(), "framework")


def __getattr__(name):
    """A part that is imported when it is first used (framework.nn); else AttributeError that lists what is near."""
    if not name.startswith("_") and importlib.util.find_spec(f"{__name__}.{name}"):
        return importlib.import_module(f"{__name__}.{name}")
    if name in torch_names.TORCH.parts and not name.startswith("_"):  # cuda, FloatTensor …: names that torch has here
        return getattr(torch_names.TORCH, name)
    return _missing(name)
