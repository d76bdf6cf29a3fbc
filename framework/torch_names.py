"""Where torch's names lie in the engine, for the files that drop_in.py loads."""

import contextlib
import enum
import functools
import importlib
import multiprocessing
import types
import typing

import numpy as np

from . import amp, backend
from .absent import message
from .function import checkpoint
from .ops.convert import TYPED
from .tensor import Tensor

VERSION = "2.6.0"  # of PyTorch, whose names these are


def torch_import(name, fromlist):
    """What `import <name>` and `from <name> import <fromlist>` mean; ImportError that lists what is near."""
    module = TORCH
    for i, part in enumerate(name.split(".")[1:], start=1):
        try:
            module = getattr(module, part)
        except AttributeError:
            where = ".".join(name.split(".")[:i])
            raise ImportError(f"import {name}: {message(where, part, dir(module))}") from None
    for part in fromlist or ():
        if part != "*" and not hasattr(module, part):
            raise ImportError(f"from {name} import {part}: {message(name, part, dir(module))}")
    return module if fromlist else TORCH


class Names(types.ModuleType):
    """A module of torch's. It has its `parts`, modules of the engine given by name or values as they are; and of the engine's modules
    `sources` every name that is no module."""

    def __init__(self, name, *sources, **parts):
        super().__init__(name)
        self._sources, self.parts = sources, parts

    def __getattr__(self, name):
        if name in self.parts:
            part = self.parts[name]
            found = importlib.import_module(part) if isinstance(part, str) and part.startswith("framework.") else part
            setattr(self, name, found)
            return found
        if name == "__all__":
            return dir(self)
        if not name.startswith("__"):
            for source in self._sources:
                found = getattr(importlib.import_module(source), name, None)
                if found is not None and not isinstance(found, types.ModuleType):
                    setattr(self, name, found)
                    return found
        raise AttributeError(message(self.__name__, name, dir(self)))

    def __dir__(self):
        names = set(self.parts)
        for source in self._sources:
            module = importlib.import_module(source)
            names.update(getattr(module, "__all__", dir(module)))
        return sorted(name for name in names if not name.startswith("_"))


class TypedTensor(type):
    """torch.FloatTensor and its like: a constructor, and the type of every tensor of its dtype."""

    def __new__(cls, name, dtype):
        return super().__new__(cls, name, (), {"dtype": dtype, "__module__": "torch"})

    def __init__(cls, name, dtype):
        pass

    def __instancecheck__(cls, tensor):
        return isinstance(tensor, Tensor) and tensor.dtype == cls.dtype

    def __call__(cls, *args):
        """From sizes, unfilled; from numbers, lists or a Tensor, a copy in this dtype."""
        if args and all(isinstance(size, int) for size in args):
            return Tensor(np.empty(args, cls.dtype))
        (data,) = args or ([],)
        return Tensor(np.array(data.array if isinstance(data, Tensor) else data, cls.dtype))


_MODULES = {  # where the file of torch.nn.modules is called otherwise than ours
    "batchnorm": "normalization", "instancenorm": "normalization", "container": "containers", "flatten": "linear", "upsampling": "pooling",
}  # fmt: skip
_OURS = (
    "activation",
    "conv",
    "distance",
    "dropout",
    "linear",
    "loss",
    "module",
    "normalization",
    "padding",
    "pooling",
    "rnn",
    "sparse",
    "transformer",
)


def _repeated(n):
    return lambda value: tuple(value) if isinstance(value, (tuple, list)) else (value,) * n


MODULES = Names(
    "torch.nn.modules",
    "framework.nn",
    utils=Names(
        "torch.nn.modules.utils",
        _single=_repeated(1),
        _pair=_repeated(2),
        _triple=_repeated(3),
        _quadruple=_repeated(4),
        _ntuple=_repeated,
    ),
    **{
        name: Names(f"torch.nn.modules.{name}", f"framework.nn.{_MODULES.get(name, name)}", "framework.nn")
        for name in (*_OURS, *_MODULES)
    },
)
AUTOGRAD = Names(
    "torch.autograd",
    "framework.autograd",
    "framework.tensor",
    "framework.function",
    "framework.gradcheck",
    "framework.anomaly",
    functional="framework.functional",
    Variable=lambda data, requires_grad=False: data.requires_grad_() if requires_grad else data,
)


def _amp_of(device):
    """torch.cuda.amp and torch.cpu.amp: torch.amp for one type of device."""

    def autocast(enabled=True, dtype=backend.float16, cache_enabled=True):
        return amp.autocast(device, dtype, enabled, cache_enabled)

    return Names(
        f"torch.{device}.amp",
        autocast=autocast,
        GradScaler=functools.partial(amp.GradScaler, device),
        custom_fwd=functools.partial(amp.custom_fwd, device_type=device),
        custom_bwd=functools.partial(amp.custom_bwd, device_type=device),
    )


CUDA = Names(
    "torch.cuda",
    amp=_amp_of("cuda"),
    is_bf16_supported=lambda including_emulation=True: False,
    is_available=backend.cuda_is_available,
    device_count=lambda: backend.cupy().cuda.runtime.getDeviceCount() if backend.cuda_is_available() else 0,
    current_device=lambda: backend.cupy().cuda.runtime.getDevice(),
    synchronize=lambda device=None: (
        backend.cupy().cuda.runtime.deviceSynchronize() if backend.cuda_is_available() else None
    ),
    empty_cache=lambda: (
        backend.cupy().get_default_memory_pool().free_all_blocks() if backend.cuda_is_available() else None
    ),
    manual_seed=backend.manual_seed,
    manual_seed_all=backend.manual_seed,
)


def _as_it_is(function=None, *args, **kwargs):
    """torch.jit's decorators, where nothing is compiled: the function itself; called with options only, a decorator."""
    return function if callable(function) else lambda function: function


def _fetches_nothing(url, *args, **kwargs):
    """torch.hub's and torch.utils.model_zoo's loading of published weights."""
    raise NotImplementedError(f"the engine fetches no weights: download {url} and give framework.load the file")


class SDPBackend(enum.Enum):
    """The kernels among which torch.nn.attention.sdpa_kernel chooses; the engine has one, whatever is chosen."""

    MATH, FLASH_ATTENTION, EFFICIENT_ATTENTION, CUDNN_ATTENTION = range(4)


JIT = Names(
    "torch.jit",
    is_scripting=lambda: False,
    is_tracing=lambda: False,
    **dict.fromkeys(("script", "trace", "ignore", "unused", "export", "script_method"), _as_it_is),
    Final=typing.Final,
)
TORCH = Names(
    "torch",
    "framework",
    __version__=VERSION,
    nn=Names(
        "torch.nn",
        "framework.nn",
        modules=MODULES,
        attention=Names(
            "torch.nn.attention",
            SDPBackend=SDPBackend,
            sdpa_kernel=lambda backends, set_priority=False: contextlib.nullcontext(),
        ),
        **{part: f"framework.nn.{part}" for part in ("functional", "init", "parallel", "parameter", "utils")},
    ),
    optim="framework.optim",
    distributed=Names("torch.distributed", "framework.distributed"),
    linalg="framework.linalg",
    autograd=AUTOGRAD,
    amp=Names("torch.amp", "framework.amp"),
    cuda=CUDA,
    cpu=Names("torch.cpu", amp=_amp_of("cpu"), is_available=lambda: True),
    jit=JIT,
    multiprocessing=multiprocessing,
    hub=Names("torch.hub", load_state_dict_from_url=_fetches_nothing),
    utils=Names(
        "torch.utils",
        data="framework.data",
        checkpoint=Names("torch.utils.checkpoint", checkpoint=checkpoint),
        model_zoo=Names("torch.utils.model_zoo", load_url=_fetches_nothing),
    ),
    **{name: TypedTensor(name, np.dtype(dtype)) for name, dtype in TYPED.items()},
)
