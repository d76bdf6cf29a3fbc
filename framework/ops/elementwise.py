"""Elementwise ops: a table of rows (name, forward, derivative), and the functions and methods that come from it.

In a derivative g is the gradient of the output, x (or a and b) the input, y the output; see define.py.
"""

import math

import numpy as np

from ..tensor import Tensor, implements, method
from . import special
from .define import binary, in_place, op, plain, unary

__all__ = [
    "abs", "neg", "sign", "floor", "ceil", "round", "exp", "expm1", "log", "log1p", "sqrt", "rsqrt", "square", "reciprocal", "sin", "cos",
    "tanh", "sigmoid", "erf", "relu", "add", "sub", "mul", "div", "pow", "maximum", "minimum", "remainder", "floor_divide", "clamp", "lerp",
    "where", "eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor", "logical_not",
    "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not", "isnan", "isinf", "isfinite",
]  # fmt: skip

# --- one input: y = f(x), and g · f'(x) -------------------------------------------------------------------------------

abs = unary("abs", np.absolute, lambda g, x: g * np.sign(x), keeps_integers=True)
neg = unary("neg", np.negative, lambda g: -g, keeps_integers=True)
sign = unary("sign", np.sign, lambda g: np.zeros_like(g), keeps_integers=True)
floor = unary("floor", np.floor, lambda g: np.zeros_like(g), keeps_integers=True)
ceil = unary("ceil", np.ceil, lambda g: np.zeros_like(g), keeps_integers=True)
_round = unary("round", np.rint, lambda g: np.zeros_like(g), keeps_integers=True)
exp = unary("exp", np.exp, lambda g, y: g * y)
expm1 = unary("expm1", np.expm1, lambda g, y: g * (y + 1))
log = unary("log", np.log, lambda g, x: g / x)
log1p = unary("log1p", np.log1p, lambda g, x: g / (1 + x))
sqrt = unary("sqrt", np.sqrt, lambda g, y: g / (2 * y))
rsqrt = unary("rsqrt", lambda x: 1 / np.sqrt(x), lambda g, y: -0.5 * g * y * y * y)
square = unary("square", np.square, lambda g, x: g * (2 * x), keeps_integers=True)
reciprocal = unary("reciprocal", lambda x: 1 / x, lambda g, y: -g * (y * y))
sin = unary("sin", np.sin, lambda g, x: g * np.cos(x))
cos = unary("cos", np.cos, lambda g, x: -g * np.sin(x))
tanh = unary("tanh", np.tanh, lambda g, y: g * (1 - y * y))
sigmoid = unary("sigmoid", special.sigmoid, lambda g, y: g * (y * (1 - y)))
erf = unary("erf", special.erf, lambda g, x: g * (np.exp(-x * x) * (2 / math.sqrt(math.pi))))
relu = unary("relu", lambda x: np.maximum(x, 0), lambda g, y: g * (y > 0), keeps_integers=True)

# --- two inputs: y = f(a, b), and g · ∂f/∂a, g · ∂f/∂b ------------------------------------------------------------------

_add = binary("add", np.add, lambda g: g, lambda g: g)
_sub = binary("sub", np.subtract, lambda g: g, lambda g: -g)
mul = binary("mul", np.multiply, lambda g, b: g * b, lambda g, a: g * a)
_div = binary("div", np.true_divide, lambda g, b: g / b, lambda g, b, y: -g * (y / b), floats_only=True)
_pow = binary("pow", np.power, lambda g, a, b: g * _pow_slope(a, b), lambda g, a, y: g * (y * _log_of_base(a)))
maximum = binary("maximum", np.maximum, lambda g, a, b: g * _share(a > b, a == b), lambda g, a, b: g * _share(b > a, a == b))
minimum = binary("minimum", np.minimum, lambda g, a, b: g * _share(a < b, a == b), lambda g, a, b: g * _share(b < a, a == b))
remainder = binary("remainder", np.remainder, lambda g: g, lambda g, a, b: -g * np.floor(a / b))


def _pow_slope(a, b):
    """∂(a^b)/∂a = b·a^(b-1), and 0 where b = 0, even at a = 0."""
    if b.__class__ in (int, float):
        return np.zeros_like(a) if b == 0 else b * a ** (b - 1)
    return np.where(b == 0, np.zeros_like(a * b), b * a ** (b - (b != 0)))


def _log_of_base(a):
    """log a, and 0 at a = 0, where a^b is flat in b."""
    if a.__class__ in (int, float):
        return math.log(a) if a > 0 else (0.0 if a == 0 else math.nan)
    return np.log(np.where(a == 0, np.ones_like(a), a))


def _share(wins, ties):
    """1 for the winner, ½ for each of two equals, as PyTorch shares a maximum's gradient."""
    return wins + 0.5 * ties


# --- comparisons, logic, bits: no derivative --------------------------------------------------------------------------

eq, ne = plain("eq", np.equal), plain("ne", np.not_equal)
lt, le, gt, ge = plain("lt", np.less), plain("le", np.less_equal), plain("gt", np.greater), plain("ge", np.greater_equal)
logical_and, logical_or, logical_xor = plain("logical_and", np.logical_and), plain("logical_or", np.logical_or), plain("logical_xor", np.logical_xor)
logical_not = plain("logical_not", np.logical_not)
bitwise_and, bitwise_or, bitwise_xor = plain("bitwise_and", np.bitwise_and), plain("bitwise_or", np.bitwise_or), plain("bitwise_xor", np.bitwise_xor)
bitwise_not = plain("bitwise_not", np.invert)
isnan, isinf, isfinite = plain("isnan", np.isnan), plain("isinf", np.isinf), plain("isfinite", np.isfinite)
floor_divide = plain("floor_divide", np.floor_divide)

# --- public forms with PyTorch's further arguments --------------------------------------------------------------------


def add(input, other, *, alpha=1):
    """input + alpha · other."""
    return _add(input, other if alpha == 1 else mul(other, alpha))


def sub(input, other, *, alpha=1):
    """input − alpha · other."""
    return _sub(input, other if alpha == 1 else mul(other, alpha))


def div(input, other, *, rounding_mode=None):
    """input / other; rounding_mode "floor" or "trunc" rounds the quotient, whose derivative is then zero."""
    if rounding_mode is None:
        return _div(input, other)
    if rounding_mode == "floor":
        return floor_divide(input, other)
    if rounding_mode == "trunc":
        quotient = _div(input, other).detach()
        integers = all(not isinstance(x, Tensor) or not x.is_floating_point() for x in (input, other)) and not isinstance(other, float)
        return Tensor(np.trunc(quotient.array).astype(np.int64) if integers else np.trunc(quotient.array))
    raise RuntimeError(f'div: rounding_mode must be None, "trunc" or "floor", not {rounding_mode!r}')


def pow(input, exponent):
    """input to the power of exponent, each a tensor or a number."""
    if exponent.__class__ is int and exponent == 2:
        return square(input)
    return _pow(input, exponent)


def round(input, *, decimals=0):
    """Round half to even, to the given number of decimals."""
    return _round(input) if decimals == 0 else _round(input * 10**decimals) / 10**decimals


_where = op(
    "where",
    lambda condition, input, other: np.where(condition, input, other),
    None,
    lambda g, condition: g * condition,
    lambda g, condition: g * ~condition,
    broadcasts=True,
)


@implements(np.where)
def where(condition, input=None, other=None):
    """input where the condition holds, other elsewhere, broadcast; with the condition alone, the indices where it holds."""
    if input is None and other is None:
        return tuple(Tensor(index) for index in condition.array.nonzero())
    return _where(condition, input, other)


def clamp(input, min=None, max=None):
    """input limited to [min, max], numbers or tensors; the gradient passes where the input is within."""
    if min is None and max is None:
        raise RuntimeError("clamp: at least one of min and max must be given")
    if isinstance(min, Tensor) or isinstance(max, Tensor):
        input = input if min is None else maximum(input, min)
        return input if max is None else minimum(input, max)
    return _clamp(input, min=min, max=max)


_clamp = op("clamp", lambda x, *, min, max: np.clip(x, min, max), lambda g, x, min, max: g * _within(x, min, max))


def _within(x, min, max):
    if min is None:
        return x <= max
    return x >= min if max is None else (x >= min) & (x <= max)


def lerp(input, end, weight):
    """input + weight · (end − input)."""
    return input + weight * (end - input)




# --- methods and operators --------------------------------------------------------------------------------------------

_METHODS = (
    abs, neg, sign, floor, ceil, round, exp, expm1, log, log1p, sqrt, rsqrt, square, reciprocal, sin, cos, tanh, sigmoid, erf, relu,
    add, sub, mul, div, pow, maximum, minimum, remainder, clamp, lerp, floor_divide,
    eq, ne, lt, le, gt, ge, logical_and, logical_or, logical_xor, logical_not, bitwise_and, bitwise_or, bitwise_xor, bitwise_not,
)  # fmt: skip
for _function in _METHODS:
    method()(_function)
    if _function not in (maximum, minimum):
        method(f"{_function.__name__}_")(in_place(_function))
for _function in (isnan, isinf, isfinite):
    method()(_function)
method("where")(lambda self, condition, other: where(condition, self, other))


def _reflected(function):
    return lambda self, other: function(other, self)


_OPERATORS = {
    "add": _add, "sub": _sub, "mul": mul, "truediv": _div, "pow": pow, "floordiv": floor_divide, "mod": remainder,
    "and": bitwise_and, "or": bitwise_or, "xor": bitwise_xor,
}  # fmt: skip
for _name, _function in _OPERATORS.items():
    setattr(Tensor, f"__{_name}__", _function)
    setattr(Tensor, f"__r{_name}__", _reflected(_function))
    setattr(Tensor, f"__i{_name}__", in_place(_function))
for _name, _function in {"eq": eq, "ne": ne, "lt": lt, "le": le, "gt": gt, "ge": ge, "neg": neg, "abs": abs, "invert": bitwise_not}.items():
    setattr(Tensor, f"__{_name}__", _function)
