"""torch.amp: training in mixed precision (Micikevicius et al. 2018, arXiv:1710.03740).

    scaler = framework.amp.GradScaler("cpu")
    for x, y in batches:
        optimizer.zero_grad()
        with framework.autocast("cpu", dtype=framework.float16):
            loss = model.loss(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

Weights and their gradients stay float32; `autocast` computes products in float16 and what float16 would spoil in float32, by PyTorch's
lists (precision.py). Gradients are small, and float16 ends at 6e-8: so the loss is multiplied by a large number before backward, and the
gradients are divided by it after. Where one overflows, the step is left out and the number halved.
"""

import functools
import warnings
from collections import defaultdict

import numpy as np

from . import backend
from .autograd import autocast_mode, autocast_state
from .backend import float16, float32
from .tensor import Tensor

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]


def is_autocast_available(device_type):
    """Whether there is an autocast for this type of device."""
    return _device_type("is_autocast_available", device_type) in autocast_state.dtypes


def is_autocast_enabled(device_type="cuda"):
    """Whether an autocast block is open for this type of device."""
    return autocast_state.dtypes[_known("is_autocast_enabled", device_type)] is not None


def get_autocast_dtype(device_type):
    """The dtype of the open block, else the one that is the default: float16. (PyTorch's is bfloat16 on the CPU; NumPy has none.)"""
    return autocast_state.dtypes[_known("get_autocast_dtype", device_type)] or float16


def is_autocast_cache_enabled():
    """Whether the casts of weights are kept within a block."""
    return autocast_state.caches


def clear_autocast_cache():
    """Forget the casts of weights."""
    autocast_state.cache = {}


def _device_type(name, device_type):
    if not isinstance(device_type, str):
        raise ValueError(
            f"{name}: device_type must be a string such as 'cuda', not {type(device_type).__name__} {device_type!r}"
        )
    return device_type


def _known(name, device_type):
    if _device_type(name, device_type) not in autocast_state.dtypes:
        raise RuntimeError(f"{name}: unsupported device_type {device_type!r}; there are 'cpu' and 'cuda'")
    return device_type


class autocast:
    """Within it, or in a function that it decorates, ops on this type of device choose their precision themselves (torch.autocast).

    dtype: float16; by default so for "cuda". PyTorch's default for "cpu" is bfloat16, which NumPy has not: NotImplementedError, rather than
    another precision in silence. enabled=False: within it nothing is cast, also inside another block. cache_enabled: a weight is cast
    once, until the outermost block ends. Blocks nest; each thread has its own.
    """

    def __init__(self, device_type, dtype=None, enabled=True, cache_enabled=None):
        self.device = _known("autocast", device_type)
        if enabled and self.device == "cuda" and not backend.cuda_is_available():
            warnings.warn("autocast: device_type 'cuda', but there is no CUDA device; nothing is cast", stacklevel=2)
            enabled = False
        if enabled:
            if dtype is None and self.device == "cpu" or str(dtype).endswith("bfloat16"):
                which = "bfloat16, PyTorch's default there," if dtype is None else "bfloat16"
                raise NotImplementedError(
                    f"autocast({device_type!r}): NumPy has no {which} so the engine has none; give dtype=torch.float16 "
                    "(and scale the loss with a GradScaler)"
                )
            if dtype is not None and np.dtype(dtype) != float16:
                warnings.warn(f"autocast: dtype {dtype} is not supported, float16 is; nothing is cast", stacklevel=2)
                enabled = False
        self.dtype, self.enabled, self.caches = float16, bool(enabled), cache_enabled
        self._before = []

    def __enter__(self):
        self._before.append((autocast_state.dtypes, autocast_state.caches))
        autocast_state.dtypes = {**autocast_state.dtypes, self.device: self.dtype if self.enabled else None}
        if self.caches is not None:
            autocast_state.caches = self.caches
        autocast_state.depth += 1
        autocast_mode.count(1)
        return self

    def __exit__(self, *exc_info):
        autocast_mode.count(-1)
        autocast_state.depth -= 1
        if autocast_state.depth == 0:
            clear_autocast_cache()
        autocast_state.dtypes, autocast_state.caches = self._before.pop()

    def __call__(self, function):
        @functools.wraps(function)
        def within(*args, **kwargs):
            with self:
                return function(*args, **kwargs)

        return within


# --- Functions of one's own -------------------------------------------------------------------------------------------


def custom_fwd(fwd=None, *, device_type, cast_inputs=None):
    """Decorator of a Function's forward: it runs as autocast has it; or with cast_inputs, a dtype, on inputs cast to it and with autocast off."""
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)
    _known("custom_fwd", device_type)

    @functools.wraps(fwd)
    def forward(ctx, *args, **kwargs):
        enabled = is_autocast_enabled(device_type)
        ctx._dtype = get_autocast_dtype(device_type)
        ctx._fwd_used_autocast = enabled and cast_inputs is None
        if not enabled or cast_inputs is None:
            return fwd(ctx, *args, **kwargs)
        with autocast(device_type, enabled=False):
            return fwd(ctx, *_cast(args, device_type, cast_inputs), **_cast(kwargs, device_type, cast_inputs))

    return forward


def custom_bwd(bwd=None, *, device_type):
    """Decorator of a Function's backward: it runs in the autocast state in which the forward ran."""
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)
    _known("custom_bwd", device_type)

    @functools.wraps(bwd)
    def backward(ctx, *args, **kwargs):
        with autocast(device_type, ctx._dtype, enabled=ctx._fwd_used_autocast):
            return bwd(ctx, *args, **kwargs)

    return backward


def _cast(value, device, dtype):
    """Tensors on the device, in lists, tuples and dicts, too, in the dtype; float64 and integers stay as they are."""
    if isinstance(value, Tensor):
        takes_part = value.is_floating_point() and value.device.type == device and value.dtype != backend.float64
        return value.to(dtype) if takes_part else value
    if isinstance(value, dict):
        return {key: _cast(item, device, dtype) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_cast(item, device, dtype) for item in value)
    return value


# --- the loss, scaled -------------------------------------------------------------------------------------------------

_READY, _UNSCALED, _STEPPED = "ready", "unscaled", "stepped"


class GradScaler:
    """Multiplies the loss, so that small gradients survive float16; and leaves out steps in which one overflows (torch.amp.GradScaler).

    The scale begins at init_scale, is multiplied by backoff_factor after each step with an infinite or NaN gradient, which is left out,
    and by growth_factor after growth_interval steps in a row without one. With enabled=False it passes everything on; so also for
    "cuda" where there is none, with a warning.
    """

    def __init__(
        self, device="cuda", init_scale=65536.0, growth_factor=2.0, backoff_factor=0.5, growth_interval=2000, enabled=True
    ):  # fmt: skip
        self._device = _known("GradScaler", device)
        if enabled and device == "cuda" and not backend.cuda_is_available():
            warnings.warn(
                "GradScaler: there is no CUDA device; it is disabled. On the CPU: GradScaler('cpu')", stacklevel=2
            )
            enabled = False
        self._enabled = bool(enabled)
        if enabled:
            assert growth_factor > 1.0, f"GradScaler: growth_factor must be greater than 1, not {growth_factor}"
            assert backoff_factor < 1.0, f"GradScaler: backoff_factor must be less than 1, not {backoff_factor}"
        self._scale, self._growth_tracker = np.float32(init_scale), 0
        self._growth_factor, self._backoff_factor, self._growth_interval = (
            growth_factor,
            backoff_factor,
            growth_interval,
        )
        self._forget()

    def _forget(self):
        """A new iteration: of each optimizer how far it is, and whether it had a gradient that is not finite (None: not looked at)."""
        self._optimizers = defaultdict(lambda: {"stage": _READY, "found_inf": None})

    def scale(self, outputs):
        """The outputs, a tensor or nested lists of them, times the scale."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            return outputs * Tensor(backend.scalar(self._scale, float32, outputs.array))
        if isinstance(outputs, (list, tuple)):
            return type(outputs)(map(self.scale, outputs))
        raise ValueError(
            f"GradScaler.scale: outputs must be a Tensor or an iterable of Tensors, not {type(outputs).__name__}"
        )

    def unscale_(self, optimizer):
        """Divide the gradients of an optimizer's parameters by the scale, in place; `step` then does not. Once between two updates, for
        clipping. RuntimeError for a second time, ValueError for gradients in float16."""
        if not self._enabled:
            return
        state = self._optimizers[id(optimizer)]
        if state["stage"] == _UNSCALED:
            raise RuntimeError("unscale_() has already been called on this optimizer since the last update().")
        if state["stage"] == _STEPPED:
            raise RuntimeError("unscale_() is being called after step().")
        inverse = np.float32(1 / np.float64(self._scale))
        grads = [param.grad for group in optimizer.param_groups for param in group["params"] if param.grad is not None]
        for grad in grads:
            if grad.array.dtype == float16:
                raise ValueError(
                    "Attempting to unscale FP16 gradients: keep the weights float32, autocast casts them for each product"
                )
        finite = []
        for grad in grads:
            finite.append(backend.array_module(grad.array).isfinite(grad.array).all())
            grad.array *= grad.array.dtype.type(inverse)
        state["stage"], state["found_inf"] = _UNSCALED, not all(map(bool, finite)) if grads else None

    def step(self, optimizer, *args, **kwargs):
        """optimizer.step(…) on unscaled gradients, and what it returns; nothing, and None, where one of them is not finite."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled.")
        state = self._optimizers[id(optimizer)]
        if state["stage"] == _STEPPED:
            raise RuntimeError("step() has already been called since the last update().")
        if state["stage"] == _READY:
            self.unscale_(optimizer)
        assert state["found_inf"] is not None, (
            "No inf checks were recorded for this optimizer: no parameter has a gradient."
        )
        result = None if state["found_inf"] else optimizer.step(*args, **kwargs)
        state["stage"] = _STEPPED
        return result

    def update(self, new_scale=None):
        """The end of an iteration: the scale shrinks where a gradient was not finite, and grows when its time has come; or is set."""
        if not self._enabled:
            return
        if new_scale is not None:
            self._scale = np.float32(new_scale.item() if isinstance(new_scale, Tensor) else new_scale)
        else:
            found = [state["found_inf"] for state in self._optimizers.values() if state["found_inf"] is not None]
            assert found, "No inf checks were recorded prior to update: call step() or unscale_() first."
            self._adapt(any(found))
        self._forget()

    def _adapt(self, found_inf):
        if found_inf:
            self._scale, self._growth_tracker = np.float32(self._scale * self._backoff_factor), 0
            return
        self._growth_tracker += 1
        if self._growth_tracker == self._growth_interval:
            with np.errstate(over="ignore"):
                grown = np.float32(self._scale * self._growth_factor)
            self._scale = grown if np.isfinite(grown) else self._scale
            self._growth_tracker = 0

    def get_scale(self):
        """The scale, as a number; 1 where disabled."""
        return float(self._scale) if self._enabled else 1.0

    def get_growth_factor(self):
        return self._growth_factor

    def set_growth_factor(self, new_factor):
        self._growth_factor = new_factor

    def get_backoff_factor(self):
        return self._backoff_factor

    def set_backoff_factor(self, new_factor):
        self._backoff_factor = new_factor

    def get_growth_interval(self):
        return self._growth_interval

    def set_growth_interval(self, new_interval):
        self._growth_interval = new_interval

    def is_enabled(self):
        return self._enabled

    def state_dict(self):
        """The scale, its factors and how many steps went well, in PyTorch's layout; empty where disabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self.get_scale(),
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._growth_tracker,
        }

    def load_state_dict(self, state_dict):
        """Take over what state_dict gave. RuntimeError for that of a disabled scaler."""
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(
                "GradScaler: the state dict is empty, as that of a disabled scaler; there is nothing to go on from"
            )
        self._scale, self._growth_tracker = np.float32(state_dict["scale"]), state_dict["_growth_tracker"]
        self._growth_factor, self._backoff_factor = state_dict["growth_factor"], state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
