"""Rows of the rest of the elementwise functions: powers of 2 and 10, the circle's and the hyperbola's, and what is made of several."""

import math

from tests.engine.rows_elementwise import SHAPES, call, call_in_place, call_method
from tests.engine.table import constant, fails, given, integer, positive, real, row

ROWS, FAILS = [], []


def unit(*shape):
    """Within (−1, 1)."""
    return real(*shape, low=0.1, high=0.9)


def beyond(*shape):
    """Above 1."""
    return positive(*shape, low=1.25, high=3.0)


def fraction(*shape):
    """Within (0, 1)."""
    return positive(*shape, low=0.1, high=0.9)


NO_GRADIENT_IN_PLACE = {"asinh", "acosh", "atanh"}  # in PyTorch
UNARY = {
    "exp2": real, "log2": positive, "log10": positive, "tan": unit, "asin": unit, "acos": unit, "atan": real, "sinh": real, "cosh": real,
    "asinh": real, "acosh": beyond, "atanh": unit, "erfc": real, "logit": fraction, "frac": real,
}  # fmt: skip
for name, kind in UNARY.items():
    ROWS += [
        row(name, call(name), kind(3, 4)),
        row(f"{name} 0-d", call(name), kind()),
        row(f"{name} empty", call(name), kind(0, 3)),
        row(f"Tensor.{name}", call_method(name), kind(2, 3)),
        row(f"Tensor.{name}_", call_in_place(f"{name}_"), kind(2, 3), gradient=name not in NO_GRADIENT_IN_PLACE),
    ]
    if name != "frac":
        ROWS += [row(f"{name} of integers", call(name), integer(3, 4))]
    FAILS += [fails(name, call(name), match=name, raises=TypeError)]
SAME = {  # other names of the same functions
    "arcsin": unit, "arccos": unit, "arctan": real, "arcsinh": real, "arccosh": beyond, "arctanh": unit, "absolute": real, "negative": real,
    "fix": real,
}  # fmt: skip
ROWS += [
    row(
        f"Tensor.{name}_", call_in_place(f"{name}_"), kind(2, 3), gradient=name not in ("arcsinh", "arccosh", "arctanh")
    )
    for name, kind in SAME.items()
]

for name, kind in {"fmod": real, "atan2": real, "logaddexp": real, "xlogy": positive}.items():
    smooth = name != "fmod"
    ROWS += [row(f"{name} {a} {b}", call(name), kind(*a), kind(*b), numerical=smooth) for a, b in SHAPES]
    ROWS += [
        row(f"Tensor.{name}", call_method(name), kind(2, 3), kind(3), numerical=smooth),
        row(f"{name} of a constant", call(name), constant(2, 3), positive(3), numerical=smooth),
        row(f"{name} by a constant", call(name), positive(2, 3), constant(3, signed=False), numerical=smooth),
        row(f"{name} of a float and an integer", call(name), kind(3, 4), integer(4, low=1), numerical=smooth),
    ]
    if name == "logaddexp":
        FAILS += [fails(f"{name} of integers", call(name), integer(3), integer(3), match="logaddexp.*floating")]
    else:
        ROWS += [
            row(f"{name} of integers", call(name), integer(3, 4), integer(4, low=1)),
            row(f"{name} of int32 and int64", call(name), integer(3, 4, dtype="int32"), integer(4, low=1)),
            row(f"Tensor.{name}_", call_in_place(f"{name}_"), kind(2, 3), kind(3), numerical=smooth),
        ]
    FAILS += [fails(name, call(name), real(3, 4), real(3), match=rf"{name}.*\(3, 4\).*\(3,\)")]
ROWS += [
    row("fmod of negative integers", call("fmod"), given([7, -7, 7, -7]), given([3, 3, -3, -3])),
    row("fmod with a number", lambda T, x: T.fmod(x, 0.7), real(2, 3), numerical=False),
    row("xlogy at zero", call("xlogy"), given([0.0, 0.0, 0.0, 2.0]), given([0.0, 2.0, math.nan, 3.0]), gradient=False),
    row("xlogy slopes at zero", call("xlogy"), given([0.0, 0.0]), given([2.0, 3.0]), numerical=False),
    row("xlogy with a number", lambda T, x: T.xlogy(x, 2.5), positive(2, 3)),
    row("xlogy of a number", lambda T, x: T.xlogy(2, x), positive(2, 3)),
    row(
        "logaddexp far apart",
        call("logaddexp"),
        given([-1000.0, 1000.0, 3.0]),
        given([1000.0, 999.0, -math.inf]),
        second=False,
    ),
    row("addcmul", lambda T, x, a, b: T.addcmul(x, a, b, value=0.5), real(2, 3), real(3), real(2, 1)),
    row(
        "addcmul of integers", lambda T, x, a, b: T.addcmul(x, a, b, value=3), integer(2, 3), integer(3), integer(2, 1)
    ),
    row("Tensor.addcmul", lambda T, x, a, b: x.addcmul(a, b), real(2, 3), real(3), real(2, 1)),
    row("Tensor.addcmul_", lambda T, x, a, b: x.clone().addcmul_(a, b, value=-2), real(2, 3), real(3), real(2, 1)),
    row("addcdiv", lambda T, x, a, b: T.addcdiv(x, a, b, value=0.5), real(2, 3), real(3), real(2, 1)),
    row("Tensor.addcdiv", lambda T, x, a, b: x.addcdiv(a, b), real(2, 3), real(3), real(2, 1)),
    row("Tensor.addcdiv_", lambda T, x, a, b: x.clone().addcdiv_(a, b, value=-2), real(2, 3), real(3), real(2, 1)),
    row(
        "logit with eps",
        lambda T, x: T.logit(x, eps=0.2),
        given([0.1, 0.5, 0.9, 0.3, -1.0]),
        numerical=False,
        second=False,
    ),
    row("nan_to_num", call("nan_to_num"), given([1.0, math.nan, math.inf, -math.inf]), numerical=False, second=False),
    row(
        "nan_to_num with numbers",
        lambda T, x: T.nan_to_num(x, 2.0, 7.0, -8.0),
        given([1.0, math.nan, math.inf, -math.inf]),
        numerical=False,
    ),
    row("nan_to_num of integers", call("nan_to_num"), integer(3)),
    row("Tensor.nan_to_num", call_method("nan_to_num"), given([1.0, math.nan]), numerical=False),
    row("Tensor.nan_to_num_", call_in_place("nan_to_num_"), given([1.0, math.nan]), numerical=False),
    row("clamp_min", lambda T, x: T.clamp_min(x, 0.5), real(3, 4)),
    row("clamp_max", lambda T, x: T.clamp_max(x, 0.5), real(3, 4)),
    row("Tensor.clamp_min", lambda T, x: x.clamp_min(0.5), real(3, 4)),
    row("Tensor.clamp_max", lambda T, x: x.clamp_max(0.5), real(3, 4)),
    row("Tensor.clamp_min_", lambda T, x: x.clone().clamp_min_(0.5), real(3, 4)),
    row("Tensor.clamp_max_", lambda T, x: x.clone().clamp_max_(0.5), real(3, 4)),
    row("isclose", lambda T, x: T.isclose(x, x + 1e-6), real(3, 4), gradient=False),
    row(
        "isclose of NaN", lambda T, x: T.isclose(x, x, equal_nan=True), given([math.nan, math.inf, 1.0]), gradient=False
    ),
    row("Tensor.isclose", lambda T, x: x.isclose(x + 0.1, rtol=0.1), real(3, 4), gradient=False),
    row("allclose", lambda T, x: [T.allclose(x, x + 1e-9), T.allclose(x, x + 1)], real(3, 4)),
    row("Tensor.allclose", lambda T, x: x.allclose(x, 0.1, 0.1), real(3, 4)),
    row("equal", lambda T, x, y: [T.equal(x, x), T.equal(x, y), T.equal(x, x[:1])], real(3, 4), real(3, 4)),
    row("Tensor.equal", lambda T, x: x.equal(x), real(3, 4)),
]
FAILS += [
    fails("addcdiv", lambda T, x: T.addcdiv(x, x, x), integer(3), match="addcdiv.*integer"),
    fails("isclose", lambda T, x: T.isclose(x, x.int()), real(3), match="isclose.*dtypes"),
    fails("frac", call("frac"), integer(3), match="frac.*floating"),
]
