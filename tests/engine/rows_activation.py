"""Rows of the activations and of dropout."""

import math

from tests.engine.table import constant, fails, given, integer, real, row

ROWS, FAILS = [], []
FINITE = given([0.0, -0.0, 1e-30, -1e-30, 90.0, -90.0])  # PyTorch's float32 GELU of ∞ is NaN
SPECIAL = given([0.0, -0.0, math.inf, -math.inf, 1e-30, -1e-30, 90.0, -90.0])

# --- elementwise: name → settings to try ---

ELEMENTWISE = {
    "relu": [{}],
    "relu6": [{}],
    "hardtanh": [{}, dict(min_val=-0.7, max_val=1.1)],
    "leaky_relu": [{}, dict(negative_slope=0.2), dict(negative_slope=-0.5), dict(negative_slope=2.0)],
    "elu": [{}, dict(alpha=0.5)],
    "selu": [{}],
    "silu": [{}],
    "gelu": [{}, dict(approximate="tanh")],
    "softplus": [{}, dict(beta=2.0), dict(beta=3.0, threshold=1.0)],
    "logsigmoid": [{}],
    "sigmoid": [{}],
    "tanh": [{}],
}
KINKED = (
    "relu",
    "relu6",
    "hardtanh",
    "leaky_relu",
    "elu",
    "selu",
)  # at 0 or a limit the choice of a derivative is PyTorch's
for name, settings in ELEMENTWISE.items():
    for chosen in settings:
        function = lambda T, x, n=name, s=chosen: getattr(T.nn.functional, n)(x, **s)
        label = f"nn.functional.{name} {' '.join(f'{k}={v}' for k, v in chosen.items())}"
        ROWS += [
            row(f"{label} of a matrix", function, real(3, 4)),
            row(f"{label} loud", function, real(7, high=9.0), numerical=False),
            row(f"{label} 0-d", function, real()),
            row(f"{label} empty", function, real(0, 3)),
            row(f"{label} special", function, FINITE if name == "gelu" else SPECIAL, second=False, numerical=False),
            row(f"{label} NaN", function, given([math.nan, 1.0, -1.0], grad=False)),
        ]
        if name in KINKED:
            ROWS += [
                row(
                    f"{label} at kinks",
                    function,
                    given([0.0, -1.0, 1.0, 6.0, -0.7, 1.1]),
                    second=False,
                    numerical=False,
                )
            ]
    if name not in ("relu", "sigmoid", "tanh"):
        FAILS += [
            fails(
                f"nn.functional.{name} of integers",
                lambda T, x, n=name: getattr(T.nn.functional, n)(x),
                integer(3),
                match=f"{name}.*int64",
                raises=RuntimeError,
            ),
        ]
for name in ("relu", "relu6", "hardtanh", "leaky_relu", "elu", "selu", "silu"):
    ROWS += [
        row(
            f"nn.functional.{name} inplace",
            lambda T, x, n=name: getattr(T.nn.functional, n)(x.clone(), inplace=True),
            real(3, 4),
        )
    ]
    FAILS += [
        fails(
            f"nn.functional.{name} inplace",
            lambda T, x, n=name: getattr(T.nn.functional, n)(x, inplace=True),
            real(3),
            match="leaf",
        )
    ]
ROWS += [
    row("nn.functional.prelu", lambda T, x, w: T.nn.functional.prelu(x, w), real(2, 3, 4), real(1)),
    row("nn.functional.prelu by channel", lambda T, x, w: T.nn.functional.prelu(x, w), real(2, 3, 4), real(3)),
    row("nn.functional.prelu of a vector", lambda T, x, w: T.nn.functional.prelu(x, w), real(5), real(1)),
    row(
        "nn.functional.prelu at 0",
        lambda T, x, w: T.nn.functional.prelu(x, w),
        given([[0.0, 1.0]]),
        real(1),
        second=False,
        numerical=False,
    ),
    row("prelu", lambda T, x, w: T.prelu(x, w), real(2, 3), real(3)),
    row("Tensor.prelu", lambda T, x, w: x.prelu(w), real(2, 3), real(3)),
    row("selu", lambda T, x: T.selu(x), real(2, 3)),
    row("nn.functional.glu", lambda T, x: T.nn.functional.glu(x), real(2, 6)),
    row("nn.functional.glu dim", lambda T, x: T.nn.functional.glu(x, dim=0), real(4, 3)),
]
FAILS += [
    fails("nn.functional.glu", lambda T, x: T.nn.functional.glu(x), real(2, 3), match="size 3, which cannot be halved"),
    fails(
        "nn.functional.prelu", lambda T, x, w: T.nn.functional.prelu(x, w), real(2, 3), real(2), match=r"weight \(2,\)"
    ),
    fails("nn.functional.gelu", lambda T, x: T.nn.functional.gelu(x, approximate="erf"), real(2), match="approximate"),
]

# --- softmax ---

for name in ("softmax", "log_softmax"):
    f = lambda T, x, dim, n=name, **kw: getattr(T, n)(x, dim, **kw)
    ROWS += [row(f"{name} {shape} dim {dim}", lambda T, x, f=f, d=dim: f(T, x, d), real(*shape)) for shape, dim in [
        ((3, 4), -1), ((3, 4), 0), ((2, 3, 4), 1), ((5,), 0), ((), 0), ((), -1), ((0, 3), 1), ((3, 1), 1), ((2, 3, 2, 2), -3),
    ]]  # fmt: skip
    ROWS += [
        row(f"{name} loud", lambda T, x, f=f: f(T, x * 40, -1), real(3, 4), numerical=False),
        row(
            f"{name} rows far apart",
            lambda T, x, f=f: f(T, x, 1),
            given([[1000.0, 1001.0], [-1000.0, -1002.0], [0.0, 0.5]]),
            numerical=False,
        ),
        row(
            f"{name} huge",
            lambda T, x, f=f: f(T, x, 0),
            given([3e38, -3e38, 0.0]),
            second=False,
            numerical=False,
            strides=False,
        ),
        row(
            f"{name} −∞",
            lambda T, x, f=f: f(T, x, 1),
            given([[0.5, -math.inf, 1.0], [-math.inf, 2.0, 3.0]]),
            numerical=False,
        ),
        row(
            f"{name} +∞ and NaN",
            lambda T, x, f=f: f(T, x, 1),
            given([[0.5, math.inf], [math.nan, 2.0], [1.0, 2.0]]),
            second=False,
            numerical=False,
        ),
        row(
            f"{name} all −∞",
            lambda T, x, f=f: f(T, x, 1),
            given([[-math.inf, -math.inf], [1.0, 2.0]]),
            second=False,
            numerical=False,
        ),
        row(f"{name} no columns", lambda T, x, f=f: f(T, x, 1), real(3, 0)),
        row(f"{name} dtype", lambda T, x, f=f: f(T, x, 0, dtype=T.float64), real(3), tolerance=1e6),
        row(f"{name} of integers", lambda T, x, f=f: f(T, x, 0, dtype=T.float32), integer(4)),
        row(f"Tensor.{name}", lambda T, x, n=name: getattr(x, n)(dim=-1), real(3, 4)),
        row(f"nn.functional.{name}", lambda T, x, n=name: getattr(T.nn.functional, n)(x, dim=1), real(3, 4)),
        row(
            f"nn.functional.{name} dtype",
            lambda T, x, n=name: getattr(T.nn.functional, n)(x, -1, dtype=T.float32),
            constant(3, 4),
        ),
    ]
    FAILS += [
        fails(name, lambda T, x, f=f: f(T, x, 2), real(3, 4), match="dim 2"),
        fails(f"{name} of integers", lambda T, x, f=f: f(T, x, 0), integer(3), match="int64"),
        fails(
            f"nn.functional.{name}",
            lambda T, x, n=name: getattr(T.nn.functional, n)(x),
            real(3),
            match="dim=None",
            raises=NotImplementedError,
        ),
    ]

ROWS += [row("nn.functional.softmin", lambda T, x: T.nn.functional.softmin(x, dim=1), real(3, 4))]

# --- dropout: shapes and the cases without chance ---

for name, shape in (
    ("dropout", (3, 4)),
    ("dropout1d", (2, 3, 4)),
    ("dropout1d", (3, 4)),
    ("dropout2d", (2, 3, 4, 2)),
    ("dropout2d", (2, 3, 4)),
):
    f = lambda T, x, n=name, **kw: getattr(T.nn.functional, n)(x, **kw)
    ROWS += [
        row(f"nn.functional.{name} {shape}", lambda T, x, f=f: f(T, x), real(*shape), values=False, gradient=False),
        row(f"nn.functional.{name} {shape} p=0", lambda T, x, f=f: f(T, x, p=0.0), real(*shape)),
        row(f"nn.functional.{name} {shape} p=1", lambda T, x, f=f: f(T, x, p=1.0), real(*shape)),
        row(f"nn.functional.{name} {shape} eval", lambda T, x, f=f: f(T, x, training=False), real(*shape)),
        row(
            f"nn.functional.{name} {shape} inplace",
            lambda T, x, f=f: f(T, x.clone(), p=1.0, inplace=True),
            real(*shape),
        ),
    ]
FAILS += [
    fails("nn.functional.dropout", lambda T, x: T.nn.functional.dropout(x, 1.5), real(3), match="1.5"),
    fails("nn.functional.dropout of integers", lambda T, x: T.nn.functional.dropout(x), integer(3), match="int64"),
    fails(
        "nn.functional.dropout1d", lambda T, x: T.nn.functional.dropout1d(x), real(2, 2, 2, 2), match=r"\(2, 2, 2, 2\)"
    ),
    fails(
        "nn.functional.dropout2d",
        lambda T, x: T.nn.functional.dropout2d(x),
        real(3),
        match=r"\(3,\)",
        raises=RuntimeError,
    ),
]
FAILS += [fails("prelu of integers", lambda T, x, w: T.prelu(x, w), integer(2, 3), integer(1), match="prelu.*floating")]
