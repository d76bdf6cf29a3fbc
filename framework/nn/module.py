"""Module: a function with parameters, buffers and parts, all of which it finds again by name.

A layer is a class with a `forward`; everything else is bookkeeping that this base class does:

    class Scale(Module):
        def __init__(self, features):
            super().__init__()
            self.weight = Parameter(framework.ones(features))

        def forward(self, x):  # (B, features)
            return x * self.weight

Three dicts hold what was assigned to attributes: `_parameters`, `_buffers` and `_modules`. Attribute access falls back on them.
"""

import numpy as np

from .. import backend
from ..autograd import no_grad
from ..tensor import Tensor
from .hooks import Hooks
from .parameter import Parameter
from .state import StateDict

__all__ = ["Module"]


class Module(StateDict, Hooks):
    """Base class of all layers and models (torch.nn.Module). Define `forward`; call the module itself."""

    training: bool = True
    dump_patches = False
    call_super_init = False

    def __init__(self, *args, **kwargs):
        if args or kwargs:
            given = [*map(repr, args), *kwargs]
            raise TypeError(f"{type(self).__name__}: Module.__init__() takes no arguments, got {', '.join(given)}")
        put = self.__dict__.__setitem__
        put("training", True)
        put("_parameters", {})
        put("_buffers", {})
        put("_modules", {})
        put("_non_persistent_buffers_set", set())
        self._init_hooks(put)

    def forward(self, *args, **kwargs):
        raise NotImplementedError(f"{type(self).__name__}: a Module needs a forward method, and this one has none")

    def __call__(self, *args, **kwargs):
        if self._forward_pre_hooks or self._forward_hooks or self._backward_hooks or self._backward_pre_hooks:
            return self._call_with_hooks(args, kwargs)
        return self.forward(*args, **kwargs)

    # --- attributes ---

    def __getattr__(self, name):
        own = self.__dict__
        if "_parameters" in own:
            for members in (own["_parameters"], own["_modules"], own["_buffers"]):
                if name in members:
                    return members[name]
        elif name in _MADE_BY_INIT:
            raise AttributeError(
                f"{type(self).__name__}: call super().__init__() first, before anything is assigned or called"
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __setattr__(self, name, value):
        own = self.__dict__
        if isinstance(value, Parameter):
            self._make_room(name, "_parameters")
            self.register_parameter(name, value)
        elif isinstance(value, Module) and name not in own.get("_parameters", ()):
            self._make_room(name, "_modules")
            own["_modules"][name] = value
        else:
            for kind, accepted in _KINDS.items():
                if name in own.get(kind, ()):
                    if value is not None and not isinstance(value, accepted):
                        raise TypeError(
                            f"{type(self).__name__}.{name} is one of {kind}: it takes a {accepted.__name__} or None, "
                            f"not a {type(value).__name__}; del it first to make it something else"
                        )
                    own[kind][name] = value
                    return
            object.__setattr__(self, name, value)

    def _make_room(self, name, kind):
        """Take the name away from what it was, so that it can become one of `kind`; if it is one already it keeps its place."""
        own = self.__dict__
        if kind not in own:
            raise AttributeError(
                f"{type(self).__name__}.{name}: cannot be assigned before Module.__init__(); call super().__init__() first"
            )
        for other in (own, *(own[other] for other in _KINDS if other != kind)):
            other.pop(name, None)
        own["_non_persistent_buffers_set"].discard(name)

    def __delattr__(self, name):
        for kind in _KINDS:
            if name in self.__dict__.get(kind, ()):
                del self.__dict__[kind][name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self):
        names = {*object.__dir__(self), *self._parameters, *self._buffers, *self._modules}
        return sorted(name for name in names if not name[:1].isdigit())

    # --- registering ---

    def _check_name(self, kind, name, registered):
        if "_modules" not in self.__dict__:
            raise AttributeError(
                f"{type(self).__name__}.{name}: cannot be registered before Module.__init__(); call super().__init__() first"
            )
        if not isinstance(name, str):
            raise TypeError(f"{type(self).__name__}: the name of a {kind} is a string, not a {type(name).__name__}")
        if not name or "." in name:
            raise KeyError(f'{type(self).__name__}: the name of a {kind} must not be empty or contain ".": {name!r}')
        if name not in registered and hasattr(self, name):
            raise KeyError(f"{type(self).__name__}: attribute {name!r} already exists")

    def register_parameter(self, name, param):
        """Add a parameter; None keeps the name free of a value, as Linear(bias=False) does."""
        self._check_name("parameter", name, self.__dict__.get("_parameters", ()))
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(f"{type(self).__name__}.{name}: expected a Parameter or None, got {type(param).__name__}")
        if param is not None and param.node is not None:
            raise ValueError(
                f"{type(self).__name__}.{name}: a parameter is a leaf, and this tensor is computed from others; compute it in forward() instead"
            )
        self._parameters[name] = param

    def register_buffer(self, name, tensor, persistent=True):
        """Add a tensor that belongs to the module's state and is not trained; unless persistent, state_dict leaves it out."""
        self._check_name("buffer", name, self.__dict__.get("_buffers", ()))
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"{type(self).__name__}.{name}: a buffer is a Tensor or None, not a {type(tensor).__name__}"
            )
        self._buffers[name] = tensor
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def add_module(self, name, module):
        """Add a part under a name, as assigning it to an attribute does."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{type(self).__name__}.{name}: expected a Module or None, got {type(module).__name__}")
        self._check_name("module", name, self.__dict__.get("_modules", ()))
        self._modules[name] = module

    register_module = add_module

    # --- walking ---

    def named_modules(self, memo=None, prefix="", remove_duplicate=True):
        """(dotted name, module) of this module and of all below it, depth first; one that is used twice comes once."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self):
        return (module for _, module in self.named_modules())

    def named_children(self):
        seen = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self):
        return (module for _, module in self.named_children())

    def _named_members(self, get_members_fn, prefix="", recurse=True, remove_duplicate=True):
        seen = set()
        modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        for module_name, module in modules:
            for name, member in get_members_fn(module):
                if member is not None and member not in seen:
                    if remove_duplicate:
                        seen.add(member)
                    yield f"{module_name}.{name}" if module_name else name, member

    def named_parameters(self, prefix="", recurse=True, remove_duplicate=True):
        """(dotted name, Parameter) in the order of definition; a parameter that is shared comes once."""
        return self._named_members(lambda module: module._parameters.items(), prefix, recurse, remove_duplicate)

    def parameters(self, recurse=True):
        return (param for _, param in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix="", recurse=True, remove_duplicate=True):
        return self._named_members(lambda module: module._buffers.items(), prefix, recurse, remove_duplicate)

    def buffers(self, recurse=True):
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def get_submodule(self, target):
        """The module at a dotted name such as "encoder.layers.0"; AttributeError where there is none."""
        module = self
        for name in target.split(".") if target else ():
            found = getattr(module, name, None)
            if not isinstance(found, Module):
                what = (
                    "is not a module"
                    if hasattr(module, name)
                    else f"is not there; its modules are {', '.join(module._modules) or 'none'}"
                )
                raise AttributeError(f"get_submodule({target!r}): {name!r} of {type(module).__name__} {what}")
            module = found
        return module

    def set_submodule(self, target, module, strict=False):
        """Put a module at a dotted name; with strict there must be one already."""
        if not target or not isinstance(module, Module):
            raise ValueError(f"set_submodule({target!r}): expected a name and a Module, got a {type(module).__name__}")
        parent, _, name = target.rpartition(".")
        if strict:
            self.get_submodule(target)
        setattr(self.get_submodule(parent), name, module)

    def _get_member(self, kind, target):
        parent, _, name = target.rpartition(".")
        module = self.get_submodule(parent)
        if name not in getattr(module, kind):
            word = "parameter" if kind == "_parameters" else "buffer"
            raise AttributeError(
                f"{type(module).__name__} has no {word} {name!r}; it has {', '.join(getattr(module, kind)) or 'none'}"
            )
        return getattr(module, kind)[name]

    def get_parameter(self, target):
        return self._get_member("_parameters", target)

    def get_buffer(self, target):
        return self._get_member("_buffers", target)

    # --- doing something everywhere ---

    def apply(self, fn):
        """Call fn(module) on all modules below and then on this one, as initialisation does."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def train(self, mode=True):
        """Training mode, which Dropout and BatchNorm heed; train(False) is eval()."""
        if not isinstance(mode, bool):
            raise ValueError(f"train: mode is a bool, got {mode!r}")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self):
        return self.train(False)

    def requires_grad_(self, requires_grad=True):
        for param in self.parameters():
            param.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none=True):
        for param in self.parameters():
            if set_to_none:
                param.grad = None
            elif param.grad is not None:
                param.grad = Tensor(np.zeros_like(param.grad.array))

    # --- dtype and device ---

    def _apply(self, fn, recurse=True):
        """Replace the values of all parameters, their gradients and the buffers by fn(tensor)."""
        if recurse:
            for module in self.children():
                module._apply(fn)
        with no_grad():
            for param in self._parameters.values():
                if param is not None:
                    param.data = fn(param.data)
                    if param.grad is not None:
                        param.grad = fn(param.grad)
            for name, buffer in self._buffers.items():
                if buffer is not None:
                    self._buffers[name] = fn(buffer)
        return self

    def _convert(self, device=None, dtype=None, only_floats=True):
        def convert(tensor):
            array = tensor.array if device is None else backend.to_device(tensor.array, device)
            if dtype is not None and (array.dtype.kind == "f" or not only_floats):
                array = array.astype(dtype, copy=False)
            return tensor if array is tensor.array else Tensor(array)

        return self._apply(convert)

    def to(self, *args, **kwargs):
        """to(device), to(dtype), to(device, dtype), to(tensor): move and convert in place; a dtype concerns floating-point members alone."""
        device, dtype = kwargs.pop("device", None), kwargs.pop("dtype", None)
        kwargs.pop("non_blocking", None)  # a copy of an array always waits
        if kwargs:
            raise NotImplementedError(f"Module.to: {', '.join(kwargs)} is not supported; device and dtype are")
        for position, value in enumerate(args):
            if isinstance(value, Tensor):
                device, dtype = value.device, value.dtype
            elif isinstance(value, (str, int, backend.device)) and not isinstance(value, bool):
                device = backend.device("cuda", value) if isinstance(value, int) else value
            elif isinstance(value, (np.dtype, type)):
                dtype = np.dtype(value)
            elif value is not None and not (isinstance(value, bool) and position):
                raise TypeError(f"Module.to: expected a device, a dtype or a tensor, got {value!r}")
        if dtype is not None and np.dtype(dtype).kind != "f":
            raise TypeError(f"Module.to: only floating-point dtypes, got {np.dtype(dtype)}")
        return self._convert(device, dtype)

    def type(self, dst_type):
        """Convert all parameters and buffers to a dtype."""
        return self._convert(dtype=dst_type, only_floats=False)

    def float(self):
        return self._convert(dtype=backend.float32)

    def double(self):
        return self._convert(dtype=backend.float64)

    def half(self):
        return self._convert(dtype=backend.float16)

    def bfloat16(self):
        raise NotImplementedError("Module.bfloat16: NumPy has no bfloat16; use half() or float()")

    def cpu(self):
        return self._convert("cpu")

    def cuda(self, device=None):
        return self._convert("cuda" if device is None else f"cuda:{device}" if isinstance(device, int) else device)

    # --- showing ---

    def extra_repr(self):
        """What stands between the parentheses of this module's repr."""
        return ""

    def _get_name(self):
        return type(self).__name__

    def __repr__(self):
        extra = self.extra_repr()
        children = [f"({name}): {_indented(repr(module))}" for name, module in self._modules.items()]
        return _assembled(self._get_name(), extra.split("\n") if extra else [], children)


_KINDS = {"_parameters": Parameter, "_buffers": Tensor, "_modules": Module}
_MADE_BY_INIT = frozenset(Module().__dict__)


def _assembled(name, extra_lines, child_lines):
    if len(extra_lines) == 1 and not child_lines:
        return f"{name}({extra_lines[0]})"
    lines = extra_lines + child_lines
    return f"{name}(" + ("\n  " + "\n  ".join(lines) + "\n" if lines else "") + ")"


def _indented(text):
    return text.replace("\n", "\n  ")
