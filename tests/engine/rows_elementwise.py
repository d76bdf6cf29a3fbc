"""Rows of the elementwise ops: every op over shapes that broadcast, 0-d, empty, integers, bools, Python numbers."""

import math
import operator

from tests.engine.table import boolean, constant, fails, given, integer, positive, real, row

ROWS, FAILS = [], []


def call(name):
    return lambda T, *xs: getattr(T, name)(*xs)


def call_method(name):
    return lambda T, x, *rest: getattr(x, name)(*rest)


def call_in_place(name):
    """On a copy that is no leaf; the copy is the result, and must be what the method returns."""

    def function(T, x, *rest):
        y = x.clone()
        assert getattr(y, name)(*rest) is y
        return y

    return function


# --- one input: (name, input range, smooth) ---

UNARY = {
    "abs": real, "neg": real, "exp": real, "expm1": real, "log": positive, "log1p": positive, "sqrt": positive, "rsqrt": positive,
    "square": real, "reciprocal": real, "sin": real, "cos": real, "tanh": real, "sigmoid": real, "erf": real, "relu": real,
    "sign": real, "floor": real, "ceil": real, "round": real, "trunc": real,
}  # fmt: skip
TAKES_NO_INTEGER = set()

for name, kind in UNARY.items():
    ROWS += [
        row(name, call(name), kind(3, 4)),
        row(f"{name} 0-d", call(name), kind()),
        row(f"{name} empty", call(name), kind(0, 3)),
        row(f"{name} of integers", call(name), integer(3, 4, low=1) if kind is positive else integer(3, 4)),
        row(f"Tensor.{name}", call_method(name), kind(2, 3)),
        row(f"Tensor.{name}_", call_in_place(f"{name}_"), kind(2, 3)),
    ]
    FAILS += [fails(name, call(name), match=name, raises=TypeError)]

for name in ("exp", "log", "sqrt", "tanh", "sigmoid", "erf", "sin", "rsqrt", "reciprocal"):
    ROWS += [
        row(f"{name} of bools", call(name), boolean(3, 4)),
        row(f"{name} of int32", call(name), integer(3, 4, low=1, dtype="int32")),
        row(
            f"{name} at the edges",
            call(name),
            given([0.0, -0.0, math.inf, -math.inf, math.nan, 1e-30, 60.0, -60.0]),
            numerical=False,
            second=False,
        ),
    ]
ROWS += [
    row("abs at zero", call("abs"), given([0.0, -1.0, 2.0]), numerical=False),
    row("sign at zero", call("sign"), given([0.0, -0.0, 2.0, -3.0]), numerical=False),
    row("sign of NaN", call("sign"), given([math.nan, math.inf, -math.inf]), numerical=False, second=False),
    row("relu at zero", call("relu"), given([0.0, -1.0, 2.0]), numerical=False),
    row("relu of NaN", call("relu"), given([math.nan, math.inf, -math.inf]), numerical=False),
    row("round half to even", call("round"), given([0.5, 1.5, 2.5, -0.5, -1.5]), numerical=False),
    row("round to decimals", lambda T, x: T.round(x * 10, decimals=1), real(3, 4), numerical=False),
    row("round to tens", lambda T, x: T.round(x * 100, decimals=-1), real(3, 4), numerical=False),
    row("square of bools", call("square"), boolean(3)),
    row("sigmoid far out", call("sigmoid"), given([-800.0, -100.0, -20.0, 20.0, 100.0, 800.0])),
    row("neg of uint8", call("neg"), integer(3, low=0, dtype="uint8")),
    row("floor of integers stays integer", call("floor"), integer(3, 4, dtype="int32")),
]
FAILS += [
    fails(name, call(name), boolean(3), match=f"{name}.*bool")
    for name in ("neg", "abs", "floor", "ceil", "round", "relu", "trunc")
]
FAILS += [
    fails("Tensor.__pos__", lambda T, x: +x, boolean(3), match="bool"),
    fails("round to decimals", lambda T, x: T.round(x, decimals=1), integer(3), match="round.*decimals.*int64"),
]

# --- two inputs ---

BINARY = {
    "add": real,
    "sub": real,
    "mul": real,
    "div": real,
    "maximum": real,
    "minimum": real,
    "remainder": real,
}
SHAPES = [
    ((3, 4), (3, 4)),
    ((3, 4), (4,)),
    ((3, 1), (1, 4)),
    ((2, 1, 3), (4, 1)),
    ((), (3,)),
    ((2, 3), ()),
    ((), ()),
    ((0, 3), (3,)),
    ((1, 3), (0, 1)),
]

for name, kind in BINARY.items():
    # the quotient of a remainder must not be near a whole number
    first, other = (
        (given([[5.3, -7.4, 2.2], [-1.1, 8.6, 3.3]]), given([2.0, 3.0, -1.5]))
        if name == "remainder"
        else (kind(2, 3), kind(3))
    )
    ROWS += [row(f"{name} {a} {b}", call(name), kind(*a), kind(*b), numerical=name != "remainder") for a, b in SHAPES]
    ROWS += [
        row(name, call(name), first, other),
        row(f"{name} by a constant", call(name), kind(2, 3), constant(3), numerical=name != "remainder"),
        row(f"{name} of a constant", call(name), constant(2, 3), kind(3), numerical=name != "remainder"),
        row(f"Tensor.{name}", call_method(name), first, other),
        row(f"{name} of integers", call(name), integer(3, 4, low=1), integer(4, low=1)),
        row(f"{name} of an integer and a float", call(name), integer(3, 4), kind(4), numerical=name != "remainder"),
        row(
            f"{name} of a float and an integer",
            call(name),
            kind(3, 4),
            integer(4, low=1),
            numerical=name != "remainder",
        ),
        row(f"{name} of int32 and int64", call(name), integer(3, 4, dtype="int32"), integer(4, low=1)),
        row(f"{name} of int32 and 0-d int64", call(name), integer(3, 4, dtype="int32"), integer(low=1)),
        row(
            f"{name} of float and 0-d float64",
            call(name),
            kind(3, 4),
            given(1.7, "float64"),
            numerical=name != "remainder",
        ),
        row(f"{name} of integers and 0-d float", call(name), integer(3, 4), kind(), numerical=name != "remainder"),
        row(
            f"{name} of uint8 and int8",
            call(name),
            integer(3, low=1, high=5, dtype="uint8"),
            integer(3, low=1, dtype="int8"),
        ),
    ]
    FAILS += [fails(name, call(name), real(3, 4), real(3), match=rf"{name}.*\(3, 4\).*\(3,\)")]
    if name not in ("maximum", "minimum"):
        ROWS += [
            row(f"Tensor.{name}_", call_in_place(f"{name}_"), first, other),
            row(
                f"Tensor.{name}_ with a number",
                lambda T, x, f=f"{name}_": getattr(x.clone(), f)(2.5),
                kind(2, 3),
                numerical=name != "remainder",
            ),
            row(
                f"{name} with a number",
                lambda T, x, f=name: getattr(T, f)(x, 2.5),
                kind(2, 3),
                numerical=name != "remainder",
            ),
            row(f"{name} of integers with an int", lambda T, x, f=name: getattr(T, f)(x, 3), integer(2, 3)),
            row(f"{name} of integers with a float", lambda T, x, f=name: getattr(T, f)(x, 2.5), integer(2, 3)),
            *(
                []
                if name == "sub"
                else [row(f"{name} of bools with an int", lambda T, x, f=name: getattr(T, f)(x, 3), boolean(2, 3))]
            ),
        ]
        FAILS += [
            fails(
                f"Tensor.{name}_", call_in_place(f"{name}_"), real(3), real(2, 3), match=r"in place.*\(2, 3\).*\(3,\)"
            ),
            fails(
                f"Tensor.{name}_ of integers by a float",
                call_in_place(f"{name}_"),
                integer(3),
                real(3),
                match="in place.*float.*int64",
            ),
        ]

ROWS += [
    row("add with alpha", lambda T, x, y: T.add(x, y, alpha=3), real(2, 3), real(3)),
    row("sub with alpha", lambda T, x, y: T.sub(x, y, alpha=0.5), real(2, 3), real(3)),
    row("Tensor.add with alpha", lambda T, x, y: x.add(y, alpha=-2), real(2, 3), real(3)),
    row("Tensor.add_ with alpha", lambda T, x, y: x.clone().add_(y, alpha=-2), real(2, 3), real(3)),
    row("add of bools", call("add"), boolean(4), boolean(4)),
    row("mul of bools", call("mul"), boolean(4), boolean(4)),
    row("maximum at ties", call("maximum"), given([1.0, 2.0, 3.0]), given([1.0, 5.0, 3.0]), numerical=False),
    row("minimum at ties", call("minimum"), given([1.0, 2.0, 3.0]), given([1.0, 5.0, 3.0]), numerical=False),
    row("maximum of NaN", call("maximum"), given([1.0, math.nan, 3.0]), given([math.nan, 1.0, 2.0]), gradient=False),
    row("maximum of bools", call("maximum"), boolean(4), boolean(4)),
    row("div by zero", call("div"), given([1.0, -1.0, 0.0]), given([0.0, 0.0, 0.0]), numerical=False, second=False),
    row("div of integers is float", call("div"), integer(3), integer(3, low=1)),
    row("remainder of negative integers", call("remainder"), given([7, -7, 7, -7]), given([3, 3, -3, -3])),
]
for mode in ("floor", "trunc", None):
    ROWS += [
        row(
            f"div rounding_mode={mode}",
            lambda T, x, y, m=mode: T.div(x, y, rounding_mode=m),
            real(2, 3),
            real(3),
            numerical=mode is None,
        ),
        row(
            f"div rounding_mode={mode} of integers",
            lambda T, x, y, m=mode: T.div(x, y, rounding_mode=m),
            given([7, -7, 9, -9]),
            given([2, 2, -4, -4]),
        ),
        row(
            f"div rounding_mode={mode} by a number",
            lambda T, x, m=mode: x.div(0.4, rounding_mode=m),
            real(2, 3),
            numerical=mode is None,
        ),
        row(
            f"div rounding_mode={mode} of integers by a float",
            lambda T, x, m=mode: x.div(0.4, rounding_mode=m),
            integer(2, 3),
        ),
        row(
            f"div rounding_mode={mode} of int32",
            lambda T, x, m=mode: x.div(3, rounding_mode=m),
            integer(2, 3, dtype="int32"),
        ),
    ]
ROWS += [
    row("floor_divide", call("floor_divide"), real(2, 3), real(3), gradient=False),
    row("floor_divide of integers", call("floor_divide"), given([7, -7, 9, -9]), given([2, 2, -4, -4])),
    row("Tensor.floor_divide", call_method("floor_divide"), integer(2, 3), integer(3, low=1)),
    row("Tensor.floor_divide_", call_in_place("floor_divide_"), integer(2, 3), integer(3, low=1)),
    row("floor_divide with a number", lambda T, x: T.floor_divide(x, 0.3), constant(2, 3)),
]
FAILS += [
    fails("div", lambda T, x: T.div(x, x, rounding_mode="up"), real(3), match="rounding_mode.*up"),
    fails("div in place of integers", lambda T, x: x.clone().div_(2), integer(3), match="in place.*float32.*int64"),
    fails("add of a string", lambda T, x: T.add(x, "a"), real(3), match="add.*str"),
    fails("add of None", lambda T, x: x + None, real(3), match="add.*NoneType"),
    fails("mul out", lambda T, x: T.mul(x, x, out=x), real(3), match="out", raises=TypeError),
    fails("add in place on a leaf", lambda T, x: x.add_(1), real(3), match="in place.*leaf"),
    fails("sub of bools", call("sub"), boolean(3), boolean(3), match="sub.*bool"),
    fails("sub of a float and a bool", call("sub"), real(3), boolean(3), match="sub.*bool"),
    fails("sub of a bool and an int", lambda T, x: x - 1, boolean(3), match="sub.*bool"),
    fails("sub of a float and a bool number", lambda T, x: x - True, real(3), match="sub.*bool"),
    fails("sub of a number and a bool", lambda T, x: 1.0 - x, boolean(3), match="sub.*bool"),
]
ROWS += [row("add of bools with alpha", lambda T, x, y: T.add(x, y, alpha=3), boolean(4), boolean(4))]
for name in ("remainder", "floor_divide", "pow", "bitwise_left_shift", "bitwise_right_shift"):
    FAILS += [fails(f"{name} of bools", call(name), boolean(3), given([True] * 3), match=f"{name}.*bool")]

# --- Python numbers beyond what the tensor's dtype holds: computed with modulo 2^bits, never stored ---

for dtype, number in [
    ("uint8", -1),
    ("uint8", 256),
    ("uint8", 300),
    ("int8", -300),
    ("int16", 2**40),
    ("int32", 2**31),
    ("int64", 2**63),
]:
    for name in ("add", "mul", "gt", "eq", "bitwise_and", "div", "bitwise_left_shift"):
        ROWS += [
            row(
                f"{name} of {dtype} with {number}",
                lambda T, x, f=name, n=number: getattr(T, f)(x, n),
                given([0, 1, 44, 100], dtype),
            )
        ]
    ROWS += [row(f"Tensor.__rsub__ of {dtype} with {number}", lambda T, x, n=number: n - x, given([0, 1, 44], dtype))]
    if number != -1:
        FAILS += [
            fails(f"{name} of {dtype} with {number}", function, given([0, 1, 44], dtype), match=f"{name}.*{number}")
            for name, function in {
                "pow": lambda T, x, n=number: T.pow(x, abs(n)),
                "fill_": lambda T, x, n=number: x.fill_(n),
                "full_like": lambda T, x, n=number: T.full_like(x, n),
                "where": lambda T, x, n=number: T.where(x > 0, x, n),
                "masked_fill": lambda T, x, n=number: x.masked_fill(x > 0, n),
            }.items()
            if not (name == "pow" and number == -300)
        ]
for number in (2**64, -(2**63) - 1):
    FAILS += [
        fails(f"add with {number}", lambda T, x, n=number: x + n, real(3), match="add.*64 bits"),
        fails(f"gt with {number}", lambda T, x, n=number: x > n, integer(3), match="gt.*64 bits"),
    ]
ROWS += [
    row("full of uint8 with -1", lambda T: T.full((2,), -1, dtype=T.uint8)),
    row("clamp of uint8 by numbers beyond", lambda T, x: T.clamp(x, -1, 300), given([0, 5, 250], "uint8")),
]
FAILS += [
    fails("tensor", lambda T: T.tensor([1, 300], dtype=T.uint8), match="tensor.*300.*uint8"),
    fails("tensor of NaN", lambda T: T.tensor([math.nan], dtype=T.int64), match="tensor.*nan.*int64"),
    fails("fill_", lambda T, x: x.half().fill_(1e6), real(3), match="fill_.*float16"),
    fails("masked_fill", lambda T, x: x.half().masked_fill(x > 0, -1e9), real(3), match="masked_fill.*float16"),
    fails("index assignment", lambda T, x: x.__setitem__(0, 300), given([1, 2], "uint8"), match="300.*uint8"),
    fails("clamp max", lambda T, x: T.clamp(x, max=-1), given([0, 5], "uint8"), match="clamp.*uint8"),
    fails("clamp min", lambda T, x: T.clamp(x, min=300), given([0, 5], "uint8"), match="clamp.*uint8"),
]

# --- pow ---

ROWS += [
    row("pow", call("pow"), positive(2, 3), real(3)),
    row("Tensor.pow", call_method("pow"), positive(2, 3), real(3)),
    row("Tensor.pow_", call_in_place("pow_"), positive(2, 3), real(3)),
    row("pow of integers", call("pow"), integer(3), integer(3, low=0, high=4)),
    row("pow of an integer and a float", call("pow"), integer(3, low=1), real(3)),
    row(
        "pow at zero",
        call("pow"),
        given([0.0, 0.0, 0.0, 2.0]),
        given([0.0, 1.0, 2.0, 0.0]),
        numerical=False,
        second=False,
    ),
    row(
        "pow of negative numbers by constants",
        call("pow"),
        given([-2.0, -1.5, -0.5]),
        given([2.0, 3.0, -1.0], grad=False),
    ),
    row("pow of a number", lambda T, x: T.pow(2.0, x), real(2, 3)),
    row("pow of zero by a number", lambda T, x: T.pow(0.0, x), positive(2, 3), second=False),  # PyTorch: NaN
]
for exponent in (0, 1, 2, 3, -1, -2, 0.5, -0.5, 2.0, 3.0, 1.5):
    whole = exponent == int(exponent)
    ROWS += [
        row(f"pow {exponent}", lambda T, x, e=exponent: T.pow(x, e), real(2, 3) if whole else positive(2, 3)),
        row(f"Tensor.__pow__ {exponent}", lambda T, x, e=exponent: x**e, real(2, 3) if whole else positive(2, 3)),
    ]
    if exponent not in (-1, -2):
        ROWS += [row(f"pow {exponent} of integers", lambda T, x, e=exponent: T.pow(x, e), integer(2, 3, low=0))]
    if exponent in (0, 1, 2, 3, 0.5, 1.5):
        ROWS += [
            row(
                f"Tensor.__pow__ {exponent} at zero",
                lambda T, x, e=exponent: x**e,
                given([0.0, 1.0]),
                numerical=False,
                second=exponent in (0, 1, 2, 3),
            )
        ]
FAILS += [fails("pow", lambda T, x: T.pow(x, -1), integer(3), match="pow.*negative")]

# --- operators, also with numbers on either side ---

OPERATORS = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "truediv": operator.truediv, "floordiv": operator.floordiv,
    "mod": operator.mod, "pow": operator.pow,
}  # fmt: skip
for name, function in OPERATORS.items():
    smooth = name not in ("floordiv", "mod")
    grad = name != "floordiv"  # PyTorch has no derivative for //, and for % none by the divisor of a number
    ROWS += [
        row(
            f"Tensor.__{name}__",
            lambda T, x, y, f=function: f(x, y),
            positive(2, 3),
            positive(3),
            numerical=smooth,
            gradient=grad,
        ),
        row(
            f"Tensor.__{name}__ number",
            lambda T, x, f=function: f(x, 2.5),
            positive(2, 3),
            numerical=smooth,
            gradient=grad,
        ),
        row(
            f"Tensor.__{name}__ int", lambda T, x, f=function: f(x, 2), positive(2, 3), numerical=smooth, gradient=grad
        ),
        row(
            f"Tensor.__r{name}__ number",
            lambda T, x, f=function: f(2.5, x),
            positive(2, 3),
            numerical=smooth,
            gradient=smooth,
        ),
        row(
            f"Tensor.__{name}__ of integers",
            lambda T, x, y, f=function: f(x, y),
            integer(2, 3, low=1),
            integer(3, low=1, high=4),
        ),
        row(f"Tensor.__r{name}__ of integers", lambda T, x, f=function: f(7, x), integer(2, 3, low=1)),
        row(f"Tensor.__r{name}__ of integers and a float", lambda T, x, f=function: f(7.5, x), integer(2, 3, low=1)),
    ]
    in_place = getattr(operator, f"i{name}")
    ROWS += [
        row(
            f"Tensor.__i{name}__",
            lambda T, x, y, f=in_place: f(x.clone(), y),
            positive(2, 3),
            positive(3),
            numerical=smooth,
            gradient=grad,
        ),
        row(
            f"Tensor.__i{name}__ number",
            lambda T, x, f=in_place: f(x.clone(), 2),
            positive(2, 3),
            numerical=smooth,
            gradient=grad,
        ),
    ]
for name in ("and", "or", "xor"):
    function, in_place = getattr(operator, f"{name}_" if name != "xor" else "xor"), getattr(operator, f"i{name}")
    ROWS += [
        row(f"Tensor.__{name}__", lambda T, x, y, f=function: f(x, y), boolean(2, 3), boolean(3)),
        row(f"Tensor.__{name}__ of integers", lambda T, x, y, f=function: f(x, y), integer(2, 3), integer(3)),
        row(f"Tensor.__{name}__ number", lambda T, x, f=function: f(x, 6), integer(2, 3)),
        row(f"Tensor.__r{name}__", lambda T, x, f=function: f(6, x), integer(2, 3)),
        row(f"Tensor.__r{name}__ bool", lambda T, x, f=function: f(True, x), boolean(2, 3)),
        row(f"Tensor.__i{name}__", lambda T, x, y, f=in_place: f(x.clone(), y), boolean(2, 3), boolean(3)),
    ]
ROWS += [
    row("Tensor.__neg__", lambda T, x: -x, real(2, 3)),
    row("Tensor.__pos__", lambda T, x: +x, real(2, 3)),
    row("Tensor.__abs__", lambda T, x: abs(x), real(2, 3)),
    row("Tensor.__invert__", lambda T, x: ~x, boolean(2, 3)),
    row("Tensor.__invert__ of integers", lambda T, x: ~x, integer(2, 3)),
    row("Tensor.__mul__ in a chain", lambda T, x, y: (2 * x + 1) / (y * y - 0.01) - x**3 / 3, real(2, 3), real(3)),
    row("Tensor.__mul__ by itself", lambda T, x: x * x + x / x.exp() - x, real(2, 3)),
]

# --- limits, choice, interpolation ---

ROWS += [
    row("clamp", lambda T, x: T.clamp(x, -1, 1), real(3, 4)),
    row("clamp min", lambda T, x: T.clamp(x, min=0.5), real(3, 4)),
    row("clamp max", lambda T, x: T.clamp(x, max=0.5), real(3, 4)),
    row("clamp at the limits", lambda T, x: T.clamp(x, -1.0, 1.0), given([-1.0, 1.0, 0.0, 2.0, -2.0]), numerical=False),
    row("clamp min above max", lambda T, x: T.clamp(x, 1.0, -1.0), real(3, 4)),
    row("clamp of NaN", lambda T, x: T.clamp(x, -1.0, 1.0), given([math.nan, 3.0]), gradient=False),
    row(
        "clamp by tensors",
        lambda T, x, a, b: T.clamp(x, a, b),
        real(3, 4, high=3),
        given([-1.1, -1.2, -1.3, -1.4]),
        given([[1.1], [1.2], [1.3]]),
    ),
    row("clamp by a tensor below", lambda T, x, a: T.clamp(x, min=a), real(3, 4), given([-1.1, -1.2, -1.3, -1.4])),
    row("clamp by a tensor above", lambda T, x, a: T.clamp(x, max=a), real(3, 4), given([-1.1, -1.2, -1.3, -1.4])),
    row(
        "clamp by tensors at ties",
        lambda T, x, a: T.clamp(x, min=a),
        given([1.0, 2.0]),
        given([1.0, 3.0]),
        numerical=False,
    ),
    row(
        "clamp by tensors at all ties",
        lambda T, x, a, b: T.clamp(x, a, b),
        given([0.0] * 9 + [1.0] * 9 + [2.0] * 9),
        given([0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0] * 3),
        given([0.0, 1.0, 2.0] * 9),
        numerical=False,
        second=False,
    ),
    row(
        "clamp of integers by tensors", lambda T, x, a: T.clamp(x, a, a + 1), integer(3, 4), given([0.5, 1.5, 2.5, 3.5])
    ),
    row("clamp of integers", lambda T, x: T.clamp(x, -2, 3), integer(3, 4)),
    row("clamp of integers by a float", lambda T, x: T.clamp(x, max=1.5), integer(3, 4)),
    row("clamp 0-d", lambda T, x: T.clamp(x, -0.1, 0.1), real()),
    row("clamp empty", lambda T, x: T.clamp(x, -0.1, 0.1), real(0)),
    row("Tensor.clamp", lambda T, x: x.clamp(-1, 1), real(3, 4)),
    row("Tensor.clamp_", lambda T, x: x.clone().clamp_(-1, 1), real(3, 4)),
    row("where", lambda T, c, x, y: T.where(c, x, y), boolean(3, 4), real(3, 4), real(4)),
    row("where broadcast", lambda T, c, x, y: T.where(c, x, y), boolean(3, 1), real(1, 4), real(2, 1, 1)),
    row("where with numbers", lambda T, c, x: T.where(c, x, 0.5), boolean(3, 4), real(3, 4)),
    row("where with a number first", lambda T, c, x: T.where(c, 1, x), boolean(3, 4), real(3, 4)),
    row("where with two numbers", lambda T, c: T.where(c, 1.0, 0.0), boolean(3, 4)),
    row("where with two ints", lambda T, c: T.where(c, 1, 0), boolean(3, 4)),
    row("where of an integer and a float", lambda T, c, x, y: T.where(c, x, y), boolean(3, 4), integer(3, 4), real(4)),
    row("where of integers with a float", lambda T, c, x: T.where(c, x, 0.5), boolean(3, 4), integer(3, 4)),
    row("where alone", lambda T, c: T.where(c), given([[True, False], [True, True]])),
    row("where 0-d", lambda T, c, x, y: T.where(c, x, y), given(True), real(), real()),
    row("Tensor.where", lambda T, c, x, y: x.where(c, y), boolean(3, 4), real(3, 4), real(4)),
    row("lerp", lambda T, x, y: T.lerp(x, y, 0.3), real(2, 3), real(3)),
    row("lerp by a tensor", lambda T, x, y, w: T.lerp(x, y, w), real(2, 3), real(3), real(2, 1)),
    row("lerp past the middle", lambda T, x, y: T.lerp(x, y, 0.9), real(2, 3), real(3)),
    row("Tensor.lerp", lambda T, x, y: x.lerp(y, 0.3), real(2, 3), real(2, 3)),
    row("Tensor.lerp_", lambda T, x, y: x.clone().lerp_(y, 0.3), real(2, 3), real(2, 3)),
]
FAILS += [
    fails("clamp", lambda T, x: T.clamp(x), real(3), match="clamp.*min and max"),
    fails("clamp by a tensor and a number", lambda T, x: T.clamp(x, x, 1.0), real(3), match="clamp.*two numbers"),
    fails("clamp of bools", lambda T, x, a: T.clamp(x, a, a), boolean(3), boolean(3), match="clamp.*bool"),
    fails("where", lambda T, c, x, y: T.where(c, x, y), boolean(3), real(3), real(4), match=r"where.*\(4,\)"),
]

# --- comparisons, logic, bits ---

for name in ("eq", "ne", "lt", "le", "gt", "ge"):
    function = getattr(operator, name)
    ROWS += [
        row(name, call(name), constant(3, 4), constant(4)),
        row(f"{name} at ties", call(name), given([1.0, 2.0, math.nan]), given([1.0, 3.0, math.nan])),
        row(f"{name} of integers", call(name), integer(3, 4), integer(4)),
        row(f"{name} of an integer and a float", call(name), integer(3, 4), constant(4)),
        row(f"{name} of bools", call(name), boolean(3, 4), boolean(4)),
        row(f"{name} with a number", lambda T, x, f=name: getattr(T, f)(x, 1), integer(3, 4)),
        row(f"{name} of integers with a float", lambda T, x, f=name: getattr(T, f)(x, 0.5), integer(3, 4)),
        row(f"Tensor.{name}", call_method(name), integer(3, 4), integer(4)),
        row(f"Tensor.{name}_", call_in_place(f"{name}_"), integer(3, 4), integer(4)),
        row(f"Tensor.__{name}__", lambda T, x, y, f=function: f(x, y), integer(3, 4), integer(4)),
        row(f"Tensor.__{name}__ number", lambda T, x, f=function: f(x, 0), integer(3, 4)),
        row(f"Tensor.__{name}__ of what needs a gradient", lambda T, x, f=function: f(x, 0), real(3, 4)),
        row(f"{name} 0-d", call(name), constant(), constant()),
        row(f"{name} empty", call(name), constant(0, 3), constant(3)),
    ]
    FAILS += [fails(name, call(name), real(3), real(4), match=rf"{name}.*\(3,\).*\(4,\)")]
for name in ("logical_and", "logical_or", "logical_xor"):
    ROWS += [
        row(name, call(name), boolean(3, 4), boolean(4)),
        row(f"{name} of numbers", call(name), given([0.0, 1.0, 2.0]), given([0, 0, 3]), gradient=False),
        row(f"Tensor.{name}", call_method(name), boolean(3, 4), boolean(4)),
        row(f"Tensor.{name}_", call_in_place(f"{name}_"), boolean(3, 4), boolean(4)),
    ]
for name in ("bitwise_and", "bitwise_or", "bitwise_xor"):
    ROWS += [
        row(name, call(name), integer(3, 4), integer(4)),
        row(f"{name} of bools", call(name), boolean(3, 4), boolean(4)),
        row(
            f"{name} of uint8 and a number",
            lambda T, x, f=name: getattr(T, f)(x, 5),
            integer(3, low=0, high=200, dtype="uint8"),
        ),
        row(f"Tensor.{name}", call_method(name), integer(3, 4), integer(4)),
        row(f"Tensor.{name}_", call_in_place(f"{name}_"), integer(3, 4), integer(4)),
    ]
    FAILS += [fails(name, call(name), real(3), real(3), match=f"{name}.*float32")]
for name, word in (("bitwise_left_shift", "lshift"), ("bitwise_right_shift", "rshift")):
    shift, in_place = getattr(operator, word), getattr(operator, f"i{word}")
    ROWS += [
        row(name, call(name), integer(3, 4), integer(4, low=0)),
        row(f"{name} past the width", call(name), given([-5, 6, 7]), given([70, 64, 63])),
        row(f"{name} of uint8 and a number", lambda T, x, f=name: getattr(T, f)(x, 5), given([0, 7, 200], "uint8")),
        row(f"{name} of bools and a number", lambda T, x, f=name: getattr(T, f)(x, 1), boolean(3)),
        row(f"Tensor.{name}", call_method(name), integer(3, 4), integer(4, low=0)),
        row(f"Tensor.{name}_", call_in_place(f"{name}_"), integer(3, 4), integer(4, low=0)),
        row(f"Tensor.__{word}__", lambda T, x, y, f=shift: f(x, y), integer(2, 3), integer(3, low=0)),
        row(f"Tensor.__r{word}__", lambda T, x, f=shift: f(6, x), integer(2, 3, low=0)),
        row(f"Tensor.__i{word}__", lambda T, x, y, f=in_place: f(x.clone(), y), integer(2, 3), integer(3, low=0)),
    ]
    FAILS += [fails(name, call(name), real(3), real(3), match=f"{name}.*float32")]
for name in ("logical_not", "bitwise_not"):
    ROWS += [
        row(name, call(name), boolean(3, 4)),
        row(f"{name} of integers", call(name), integer(3, 4)),
        row(f"Tensor.{name}", call_method(name), boolean(3, 4)),
        row(f"Tensor.{name}_", call_in_place(f"{name}_"), boolean(3, 4)),
    ]
for name in ("isnan", "isinf", "isfinite"):
    ROWS += [
        row(name, call(name), given([1.0, math.nan, math.inf, -math.inf, 0.0])),
        row(f"{name} of integers", call(name), integer(3)),
        row(f"Tensor.{name}", call_method(name), given([1.0, math.nan, math.inf, -math.inf, 0.0])),
    ]
