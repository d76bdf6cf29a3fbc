"""Elementwise ops: a table of rows (name, forward, derivative), and the functions and methods that come from it.

In a derivative g is the gradient of the output, x (or a and b) the input, y the output; see define.py.
"""

import math

import numpy as np

from .. import backend, threads
from ..tensor import Tensor, implements, method
from . import special
from .define import binary, bools_refused, broadcast_shape, in_place, op, plain, unary

__all__ = [
    "abs", "neg", "sign", "floor", "ceil", "round", "exp", "expm1", "log", "log1p", "sqrt", "rsqrt", "square", "reciprocal", "sin", "cos",
    "tanh", "sigmoid", "erf", "relu", "add", "sub", "mul", "div", "pow", "maximum", "minimum", "remainder", "floor_divide", "clamp", "lerp",
    "where", "eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor", "logical_not",
    "exp2", "log2", "log10", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh", "erfc", "trunc", "frac", "fmod",
    "atan2", "logaddexp", "xlogy", "addcmul", "addcdiv", "clamp_min", "clamp_max", "logit", "nan_to_num", "isclose", "allclose", "equal",
    "greater", "greater_equal", "less", "less_equal", "not_equal", "absolute", "negative", "multiply", "fix", "arcsin", "arccos", "arctan",
    "arctan2", "arcsinh", "arccosh", "arctanh", "subtract", "divide", "true_divide", "clip",
    "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not", "bitwise_left_shift", "bitwise_right_shift", "isnan", "isinf", "isfinite",
]  # fmt: skip

# --- one input: y = f(x), and g · f'(x) -------------------------------------------------------------------------------

abs = unary("abs", np.absolute, lambda g, x: g * np.sign(x), keeps="iu")
neg = unary("neg", np.negative, lambda g: -g, keeps="iu")
sign = unary(
    "sign",
    lambda x: x.copy() if x.dtype.kind == "b" else np.subtract(x > 0, x < 0, dtype=x.dtype),  # of NaN 0, as in PyTorch
    lambda g: np.zeros_like(g),
    keeps="iub",
)
floor = unary("floor", lambda x: _rounded(np.floor, x), lambda g: np.zeros_like(g), keeps="iu")
ceil = unary("ceil", lambda x: _rounded(np.ceil, x), lambda g: np.zeros_like(g), keeps="iu")
_round = unary("round", lambda x: _rounded(np.rint, x), lambda g: np.zeros_like(g), keeps="iu")
exp = unary("exp", np.exp, lambda g, y: g * y)
expm1 = unary("expm1", np.expm1, lambda g, y: g * (y + 1))
log = unary("log", np.log, lambda g, x: g / x)
log1p = unary("log1p", np.log1p, lambda g, x: g / (1 + x))
sqrt = unary("sqrt", np.sqrt, lambda g, y: g / (2 * y))
rsqrt = unary("rsqrt", lambda x: 1 / np.sqrt(x), lambda g, y: -0.5 * g * y * y * y)
square = unary(
    "square",
    lambda x: x * x if x.dtype.kind != "b" else x.astype(np.int64),
    lambda g, x: g * (2 * x),
    keeps="iub",
)
reciprocal = unary("reciprocal", lambda x: 1 / x, lambda g, y: -g * (y * y))
exp2 = unary("exp2", np.exp2, lambda g, y: g * (y * math.log(2)))
log2 = unary("log2", np.log2, lambda g, x: g / (x * math.log(2)))
log10 = unary("log10", np.log10, lambda g, x: g / (x * math.log(10)))
sin = unary("sin", np.sin, lambda g, x: g * np.cos(x))
cos = unary("cos", np.cos, lambda g, x: -g * np.sin(x))
tan = unary("tan", np.tan, lambda g, y: g * (1 + y * y))
asin = unary("asin", np.arcsin, lambda g, x: g / np.sqrt(1 - x * x))
acos = unary("acos", np.arccos, lambda g, x: -g / np.sqrt(1 - x * x))
atan = unary("atan", np.arctan, lambda g, x: g / (1 + x * x))
sinh = unary("sinh", np.sinh, lambda g, x: g * np.cosh(x))
cosh = unary("cosh", np.cosh, lambda g, x: g * np.sinh(x))
asinh = unary("asinh", np.arcsinh, lambda g, x: g / np.sqrt(x * x + 1))
acosh = unary("acosh", np.arccosh, lambda g, x: g / np.sqrt(x * x - 1))
atanh = unary("atanh", np.arctanh, lambda g, x: g / (1 - x * x))
tanh = unary("tanh", np.tanh, lambda g, y: g * (1 - y * y))
sigmoid = unary("sigmoid", special.sigmoid, lambda g, y: g * (y * (1 - y)))
erf = unary("erf", special.erf, lambda g, x: g * (np.exp(-x * x) * (2 / math.sqrt(math.pi))))
erfc = unary("erfc", special.erfc, lambda g, x: -g * (np.exp(-x * x) * (2 / math.sqrt(math.pi))))
trunc = unary("trunc", lambda x: _rounded(np.trunc, x), lambda g: np.zeros_like(g), keeps="iu")
frac = unary("frac", lambda x: _of_floats(x) - np.trunc(x), lambda g: g, keeps="iu")
relu = unary("relu", lambda x: _relu(x), lambda g, y: masked(g, y != 0), keeps="iu")


def _of_floats(x):
    if x.dtype.kind != "f":
        raise TypeError("it needs floating-point tensors; convert them with float()")
    return x


def _rounded(function, x):
    """Integers are whole already, and stay integers."""
    return function(x) if x.dtype.kind == "f" else x.copy()


SMALL = 1 << 14  # elements, up to which that costs more than it gains


def _relu(x):
    """max(x, 0); against an array of zeros, as NumPy takes twice as long for an array and a number as for two arrays."""
    if x.size < SMALL or x.ndim < 2 or x.__class__ is not np.ndarray or x.dtype.kind != "f":
        return np.maximum(x, 0)
    y = np.empty_like(x)
    zeros = np.zeros_like(y[(slice(None),) * threads.outermost(y) + (slice(0, 1),)])
    threads.elementwise(lambda x, y: np.maximum(x, zeros, out=y), x, y)
    return y


def masked(g, mask):
    """g where the mask holds, 0 elsewhere, even where g is infinite or NaN.

    On NumPy's arrays the bits, as integers, times 1 or 0: in a tenth of np.where's time, which jumps at every element.
    """
    if isinstance(g, Tensor):
        return _where(mask, g, np.zeros_like(g.array))
    if g.__class__ is np.ndarray and mask.shape == g.shape:
        y, bits = np.empty_like(g), f"i{g.itemsize}"
        threads.elementwise(lambda g, mask, y: np.multiply(g, mask, out=y), g.view(bits), mask, y.view(bits))
        return y
    return np.where(mask, g, np.zeros_like(g))


# --- two inputs: y = f(a, b), and g · ∂f/∂a, g · ∂f/∂b ------------------------------------------------------------------

_add = binary("add", np.add, lambda g: g, lambda g: g)
_sub = binary("sub", np.subtract, lambda g: g, lambda g: -g, bools=False)
mul = binary("mul", np.multiply, lambda g, b: g * b, lambda g, a: g * a)
_div = binary("div", np.true_divide, lambda g, b: g / b, lambda g, b, y: -g * (y / b), floats_only=True)
_pow = binary(
    "pow", lambda a, b: _number(np.power, a, b),
    lambda g, a, b: g * _pow_slope(a, b), lambda g, a, y: g * (y * _log_of_base(a)),
)  # fmt: skip
maximum = binary(
    "maximum", np.maximum, lambda g, a, b: _share(g, a >= b, a > b), lambda g, a, b: _share(g, b >= a, b > a)
)
minimum = binary(
    "minimum", np.minimum, lambda g, a, b: _share(g, a <= b, a < b), lambda g, a, b: _share(g, b <= a, b < a)
)
remainder = binary(
    "remainder", lambda a, b: _whole(np.remainder, a, b), lambda g: g, lambda g, a, b: -g * np.floor(a / b)
)
floor_divide = binary(
    "floor_divide", lambda a, b: _whole(np.floor_divide, a, b), lambda g: np.zeros_like(g), lambda g: np.zeros_like(g)
)
fmod = binary("fmod", lambda a, b: _whole(np.fmod, a, b), lambda g: g, lambda g, a, b: -g * np.trunc(a / b))
atan2 = binary(
    "atan2", np.arctan2, lambda g, a, b: g * (b / (a * a + b * b)), lambda g, a, b: -g * (a / (a * a + b * b)), floats_only=True
)  # fmt: skip
logaddexp = binary(
    "logaddexp", lambda a, b: np.logaddexp(_of_floats(a), b), lambda g, a, y: g * np.exp(a - y), lambda g, b, y: g * np.exp(b - y)
)  # fmt: skip
_xlogy = binary(
    "xlogy", lambda a, b: a * _log_where(b, a != 0), lambda g, a, b: g * _log_where(b, (a != 0) | (b > 0)),
    lambda g, a, b: g * (a / b), floats_only=True,
)  # fmt: skip
_trunc_divide = binary(
    "trunc_divide", lambda a, b: _truncated(a, b), lambda g: np.zeros_like(g), lambda g: np.zeros_like(g)
)


def _integral(x):
    return x.__class__ in (int, bool) or x.__class__ is not float and x.dtype.kind != "f"


def _number(function, a, b):
    """function(a, b), but not where both are bools, of which NumPy makes int8, and PyTorch refuses."""
    if np.result_type(a, b).kind == "b":
        raise TypeError("convert one of them first, as with int()")
    return function(a, b)


def _whole(function, a, b):
    """A division without a fraction: of integers by 0 an error, as in PyTorch (NumPy gives 0)."""
    if _integral(a) and _integral(b) and (b == 0 if b.__class__ in (int, bool) else (b == 0).any()):
        raise ZeroDivisionError("integers cannot be divided by zero")
    return _number(function, a, b)


def _truncated(a, b):
    """a / b rounded toward 0: the floor, and one more where that was rounded away from 0."""
    if not (_integral(a) and _integral(b)):
        return np.trunc(a / b)
    return _whole(np.floor_divide, a, b) + ((a % b != 0) & ((a < 0) != (b < 0)))


def _pow_slope(a, b):
    """∂(a^b)/∂a = b·a^(b-1), and 0 where b = 0, even at a = 0."""
    if b.__class__ in (int, float):
        return np.zeros_like(a) if b == 0 else b * a ** (b - 1)
    return np.where(b == 0, np.zeros_like(a * b), b * a ** (b - (b != 0).astype(b.dtype)))


def _log_of_base(a):
    """log a, and 0 at a = 0, where a^b is flat in b."""
    if a.__class__ in (int, float):
        return math.log(a) if a > 0 else (0.0 if a == 0 else math.nan)
    return np.log(np.where(a == 0, np.ones_like(a), a))


def _log_where(b, counts):
    """log b, and 0 where it does not count, unless b is NaN."""
    return np.log(np.where(counts | (b != b), b, np.ones_like(b)))


def _share(g, at_least, more):
    """g for the winner, ½ g for each of two equals, as PyTorch shares a maximum's gradient."""
    return (masked(g, at_least) + masked(g, more)) * 0.5


# --- comparisons, logic, bits: no derivative --------------------------------------------------------------------------

eq, ne = plain("eq", np.equal), plain("ne", np.not_equal)
lt, le, gt, ge = (
    plain("lt", np.less),
    plain("le", np.less_equal),
    plain("gt", np.greater),
    plain("ge", np.greater_equal),
)
logical_and, logical_or, logical_xor = (
    plain("logical_and", np.logical_and),
    plain("logical_or", np.logical_or),
    plain("logical_xor", np.logical_xor),
)
logical_not = plain("logical_not", np.logical_not)
bitwise_and, bitwise_or, bitwise_xor = (
    plain("bitwise_and", np.bitwise_and),
    plain("bitwise_or", np.bitwise_or),
    plain("bitwise_xor", np.bitwise_xor),
)
bitwise_left_shift = plain("bitwise_left_shift", lambda a, b: _number(np.left_shift, a, b))
bitwise_right_shift = plain("bitwise_right_shift", lambda a, b: _number(np.right_shift, a, b))
bitwise_not = plain("bitwise_not", np.invert)
isnan, isinf, isfinite = plain("isnan", np.isnan), plain("isinf", np.isinf), plain("isfinite", np.isfinite)

greater, greater_equal, less, less_equal, not_equal = gt, ge, lt, le, ne
absolute, negative, multiply, fix = abs, neg, mul, trunc
arcsin, arccos, arctan, arctan2, arcsinh, arccosh, arctanh = asin, acos, atan, atan2, asinh, acosh, atanh

# --- public forms with PyTorch's further arguments --------------------------------------------------------------------


def _scaled(name, input, other, alpha):
    if alpha.__class__ is float and not (
        input.is_floating_point() or isinstance(other, Tensor) and other.is_floating_point()
    ):
        raise RuntimeError(f"{name}: alpha={alpha} of integer tensors must be an integer")
    if isinstance(other, Tensor) and other.array.dtype.kind == "b":
        alpha = bool(alpha)
    return other * alpha


def add(input, other, *, alpha=1):
    """input + alpha · other."""
    return _add(input, other if alpha == 1 else _scaled("add", input, other, alpha))


def sub(input, other, *, alpha=1):
    """input − alpha · other."""
    return _sub(input, other if alpha == 1 else _scaled("sub", input, other, alpha))


def div(input, other, *, rounding_mode=None):
    """input / other; rounding_mode "floor" or "trunc" rounds the quotient, whose derivative is then zero."""
    if rounding_mode is None:
        return _div(input, other)
    if rounding_mode not in ("floor", "trunc"):
        raise RuntimeError(f'div: rounding_mode must be None, "trunc" or "floor", not {rounding_mode!r}')
    return floor_divide(input, other) if rounding_mode == "floor" else _trunc_divide(input, other)


subtract, divide, true_divide = sub, div, _div


def addcmul(input, tensor1, tensor2, *, value=1):
    """input + value · tensor1 · tensor2."""
    return add(input, mul(tensor1, tensor2), alpha=value)


def addcdiv(input, tensor1, tensor2, *, value=1):
    """input + value · tensor1 / tensor2."""
    if not (tensor1.is_floating_point() or tensor2.is_floating_point()):
        raise RuntimeError(
            "addcdiv: the quotient of two integer tensors is not supported; convert one of them with float()"
        )
    return add(input, _div(tensor1, tensor2), alpha=value)


def xlogy(input, other):
    """input · log(other), and 0 where the input is 0; either may be a number."""
    tensor = input if isinstance(input, Tensor) else other
    input, other = (
        x if isinstance(x, Tensor) else Tensor(backend.scalar(x, backend.get_default_dtype(), tensor.array))
        for x in (input, other)
    )
    return _xlogy(input, other)


def pow(input, exponent):
    """input to the power of exponent, each a tensor or a number."""
    if (
        exponent.__class__ in (int, float)
        and exponent == 2
        and (exponent.__class__ is int or input.array.dtype.kind == "f")
    ):
        return square(input)
    if exponent.__class__ is int and input.array.dtype.kind in "iu":
        if exponent < 0:
            raise RuntimeError(
                f"pow: integers to the negative power {exponent} are no integers; convert with float() first"
            )
        backend.stored("pow", exponent, input.array.dtype)
    return _pow(input, exponent)


def round(input, *, decimals=0):
    """Round half to even, to the given number of decimals."""
    if decimals == 0:
        return _round(input)
    if input.array.dtype.kind != "f":
        raise NotImplementedError(f"round: decimals={decimals} is for floating-point tensors, not {input.array.dtype}")
    return _round(input * 10.0**decimals) / 10.0**decimals


def _choose(condition, input, other):
    try:
        return np.where(condition, *backend.promote(input, other))
    except ValueError:
        broadcast_shape("where", condition.shape, input.shape, other.shape)
        raise


_where = op(
    "where",
    _choose,
    None,
    lambda g, condition: masked(g, condition),
    lambda g, condition: masked(g, ~condition),
    broadcasts=True,
)


@implements(np.where)
def where(condition, input=None, other=None):
    """input where the condition holds, other elsewhere, broadcast; with the condition alone, the indices where it holds."""
    if input is None and other is None:
        return tuple(Tensor(index) for index in condition.array.nonzero())
    if condition.array.dtype != np.bool_:
        raise RuntimeError(
            f"where: the condition must be bool, not {condition.array.dtype}; compare first, as in x != 0"
        )
    return _where(condition, _beside(input, other, condition), _beside(other, input, condition))


def _beside(value, other, condition):
    """A number as a 0-d array, in a dtype that gives way to the other's within its kind; anything else as it is."""
    if value.__class__ not in (int, float, bool):
        return value
    kind = backend.get_default_dtype() if value.__class__ is float else np.dtype(value.__class__)
    if isinstance(other, Tensor) and backend.fits(kind, other.array.dtype):
        kind = other.array.dtype
    value = backend.stored("where", value, kind) if value.__class__ is int else value
    return backend.scalar(value, kind, condition.array)


def clamp(input, min=None, max=None):
    """input limited to [min, max], numbers or tensors; the gradient passes where the input is strictly within."""
    if min is None and max is None:
        raise RuntimeError("clamp: at least one of min and max must be given")
    dtype = input.array.dtype
    if isinstance(min, Tensor) or isinstance(max, Tensor):
        number = [x for x in (min, max) if x is not None and not isinstance(x, Tensor)]
        if number:
            raise TypeError(
                f"clamp: min and max must be two tensors or two numbers, {number[0]!r} stands beside a tensor"
            )
        return _clamp_by_tensors(input, min, max)
    if float in (min.__class__, max.__class__) and dtype.kind != "f":
        input = input.to(backend.get_default_dtype())
    elif dtype.kind == "b":
        input = input.to(np.int64)
    elif dtype.kind != "f":
        min, max = _in_range(min, max, np.iinfo(dtype))
    return _clamp(input, min=min, max=max)


def _clamp_by_tensors(input, min, max):
    """The gradient goes to whichever of the three is the result, shared by two that tie; by all three, it is the input's."""
    if min is None or max is None:
        y = minimum(input, max) if min is None else maximum(input, min)
    else:
        alike = where(input < min, min, where(input > max, max, input))
        y = where(eq(min, max), alike, minimum(maximum(input, min), max))
    if y.array.dtype.kind == "b":
        raise bools_refused("clamp")
    return y


def _in_range(min, max, dtype):
    """Limits for integers, cut to what the dtype holds; RuntimeError where it holds nothing between them."""
    if min is not None and min > dtype.max or max is not None and max < dtype.min:
        raise RuntimeError(f"clamp: nothing in {dtype.dtype} lies between min={min} and max={max}")
    return min if min is None or min >= dtype.min else dtype.min, max if max is None or max <= dtype.max else dtype.max


def _limited(x, *, min, max):
    y = x if min is None else np.maximum(x, min)
    return y if max is None else np.minimum(y, max)


def _within(x, min, max):
    if min is None:
        return x < max
    return x > min if max is None else (x > min) & (x < max)


_clamp = op("clamp", _limited, lambda g, x, min, max: masked(g, _within(x, min, max)))


clip = clamp


def clamp_min(input, min):
    """clamp(input, min=min)."""
    return clamp(input, min)


def clamp_max(input, max):
    """clamp(input, max=max)."""
    return clamp(input, None, max)


def _logit_forward(x, *, eps):
    x = x if eps is None else x.clip(eps, 1 - eps)
    return np.log(x / (1 - x))


def _logit_slope(g, x, eps):
    return masked(g / (x * (1 - x)), (x >= (0 if eps is None else eps)) & (x <= (1 if eps is None else 1 - eps)))


_logit = op("logit", _logit_forward, _logit_slope)


def logit(input, eps=None):
    """log(x / (1 − x)), the inverse of the sigmoid; with eps, x is first limited to [eps, 1 − eps]."""
    return _logit(input if input.array.dtype.kind == "f" else input.to(backend.get_default_dtype()), eps=eps)


_nan_to_num = op(
    "nan_to_num", lambda x, *, nan, posinf, neginf: np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf),
    lambda g, x: masked(g, np.isfinite(x)),
)  # fmt: skip


def nan_to_num(input, nan=None, posinf=None, neginf=None):
    """`nan` (0 by default) for NaN, posinf and neginf (the dtype's largest and smallest numbers) for ∞ and −∞."""
    if input.array.dtype.kind != "f":
        return Tensor(input.array.copy())
    return _nan_to_num(input, nan=nan or 0.0, posinf=posinf, neginf=neginf)


# --- whether two tensors are alike --------------------------------------------------------------------------------------


def isclose(input, other, rtol=1e-5, atol=1e-8, equal_nan=False):
    """Per element whether |input − other| ≤ atol + rtol · |other|."""
    if input.array.dtype != other.array.dtype:
        raise RuntimeError(
            f"isclose: dtypes {input.dtype} and {other.dtype} differ; convert one of them with .to(dtype)"
        )
    return Tensor(np.isclose(input.array, other.array, rtol, atol, equal_nan))


def allclose(input, other, rtol=1e-5, atol=1e-8, equal_nan=False):
    """Whether isclose holds for all elements, as a bool."""
    return bool(isclose(input, other, rtol, atol, equal_nan).array.all())


def equal(input, other):
    """Whether both have the same shape and the same elements, as a bool."""
    return input.array.shape == other.array.shape and bool((input.array == other.array).all())


def lerp(input, end, weight):
    """input + weight · (end − input)."""
    if not input.is_floating_point():
        raise NotImplementedError(f"lerp: only floating-point tensors have values between, not {input.dtype}")
    return input + weight * (end - input)


# --- methods and operators --------------------------------------------------------------------------------------------

implements(np.sign)(sign)
implements(np.floor)(floor)
implements(np.trunc)(trunc)

_METHODS = (
    abs, neg, sign, floor, ceil, round, exp, expm1, log, log1p, sqrt, rsqrt, square, reciprocal, sin, cos, tanh, sigmoid, erf, relu,
    add, sub, mul, div, pow, maximum, minimum, remainder, clamp, lerp, floor_divide,
    eq, ne, lt, le, gt, ge, logical_and, logical_or, logical_xor, logical_not, bitwise_and, bitwise_or, bitwise_xor, bitwise_not,
    bitwise_left_shift, bitwise_right_shift,
    exp2, log2, log10, tan, asin, acos, atan, sinh, cosh, asinh, acosh, atanh, erfc, trunc, frac, fmod, atan2, xlogy,
    addcmul, addcdiv, clamp_min, clamp_max, logit, nan_to_num,
)  # fmt: skip
for _function in _METHODS:
    method()(_function)
    if _function not in (maximum, minimum):
        method(f"{_function.__name__}_")(in_place(_function))
for _function in (isnan, isinf, isfinite, logaddexp, isclose, allclose, equal):
    method()(_function)
for _name in (
    "greater", "greater_equal", "less", "less_equal", "not_equal", "absolute", "negative", "multiply", "fix", "arcsin", "arccos",
    "arctan", "arctan2", "arcsinh", "arccosh", "arctanh", "subtract", "divide", "true_divide", "clip",
):  # fmt: skip
    _function = globals()[_name]
    method(_name)(_function)
    method(f"{_name}_")(getattr(Tensor, f"{_function.__name__}_"))
method("where")(lambda self, condition, other: where(condition, self, other))


def _reflected(function):
    return lambda self, other: function(other, self)


def _equality(function):
    """== and != also with what is no number: then they are unlike, as Python has it."""

    def compare(self, other):
        if isinstance(other, (Tensor, int, float, np.ndarray, np.generic)) or hasattr(other, "__array_function__"):
            return function(self, other)
        return NotImplemented

    return compare


_OPERATORS = {
    "add": _add, "sub": _sub, "mul": mul, "truediv": _div, "pow": pow, "floordiv": floor_divide, "mod": remainder,
    "and": bitwise_and, "or": bitwise_or, "xor": bitwise_xor, "lshift": bitwise_left_shift, "rshift": bitwise_right_shift,
}  # fmt: skip
for _name, _function in _OPERATORS.items():
    setattr(Tensor, f"__{_name}__", _function)
    setattr(Tensor, f"__r{_name}__", _reflected(_function))
    setattr(Tensor, f"__i{_name}__", in_place(_function))
for _name, _function in {"lt": lt, "le": le, "gt": gt, "ge": ge, "neg": neg, "abs": abs, "invert": bitwise_not}.items():
    setattr(Tensor, f"__{_name}__", _function)
Tensor.__eq__, Tensor.__ne__ = _equality(eq), _equality(ne)


@method("__pos__")
def _positive(self):
    """+x: the tensor itself."""
    if self.array.dtype.kind == "b":
        raise NotImplementedError("+x: not defined for bool; convert it with int() or float()")
    return self
