"""What the public functions say of a list or an array where PyTorch takes a Tensor: which argument it is, and of which function."""

import functools
import inspect
import types

from .absent import Missing
from .tensor import Tensor

_NUMBERS_TOO = {"add", "sub", "div", "pow", "where", "xlogy"}  # their first argument may be a number
_checked = {}


def refusal(name, parameter, position, value):
    """The TypeError that says which argument, named and counted from 1, should have been a Tensor."""
    return TypeError(
        f"{name}: argument {parameter!r} (position {position}) must be Tensor, not {type(value).__name__}; "
        "framework.tensor(...) makes one"
    )


def _explained(function, error, args, kwargs):
    """The AttributeError of an argument that is no Tensor as the TypeError that says which; any other one as it is."""
    if error.name is None or isinstance(error, Missing):
        return error
    given = {**dict(zip(inspect.signature(function).parameters, args)), **kwargs}
    for position, (parameter, value) in enumerate(given.items(), start=1):
        parts = value if isinstance(value, (list, tuple)) else ()
        if not isinstance(error.obj, Tensor) and any(part is error.obj for part in (value, *parts)):
            return refusal(function.__name__, parameter, position, error.obj)
    return error


def checked(function):
    """The function, which names the argument that is no Tensor but should be one. An op's own function does so by itself."""
    if not isinstance(function, types.FunctionType) or hasattr(function, "op"):
        return function
    if function in _checked:
        return _checked[function]
    name, code = function.__name__, function.__code__  # inspect.signature would take 2 ms for all, at every import
    takes_tensor = code.co_varnames[: code.co_argcount][:1] == ("input",) and name not in _NUMBERS_TOO

    @functools.wraps(function)
    def call(*args, **kwargs):
        if takes_tensor and args and not isinstance(args[0], Tensor):
            raise refusal(name, "input", 1, args[0])
        try:
            return function(*args, **kwargs)
        except AttributeError as error:
            raise _explained(function, error, args, kwargs) from None

    _checked[function] = call
    return call


def check(module):
    """Put the checked form in the place of every public function of a module's namespace, where pickle finds it."""
    for name in module["__all__"]:
        module[name] = found = checked(module[name])
        if getattr(found, "__module__", "").startswith("framework.ops."):
            found.__module__ = module["__name__"]
