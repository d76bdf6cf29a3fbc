"""Rows of the activations with thresholds, and of those for small devices."""

import math

from tests.engine.table import fails, given, integer, real, row

ROWS, FAILS = [], []

NAMES = {
    "celu": {"alpha": 1.5}, "hardshrink": {"lambd": 0.8}, "softshrink": {"lambd": 0.8}, "tanhshrink": {}, "softsign": {}, "hardsigmoid": {},
    "hardswish": {}, "mish": {}, "rrelu": {"lower": 0.2, "upper": 0.4},
}  # fmt: skip
for name, settings in NAMES.items():
    second = name != "hardsigmoid"  # PyTorch has none
    public = f"nn.functional.{name}"
    function = lambda T, x, f=name, **kw: getattr(T.nn.functional, f)(x, **kw)
    ROWS += [
        row(public, function, real(3, 4, high=5.0), second=second),
        row(f"{public} 0-d", function, real(), second=second),
        row(f"{public} empty", function, real(0, 3), second=second),
        row(f"{public} far out", function, given([-60.0, -10.0, 10.0, 60.0]), second=False),
    ]
    if settings:
        ROWS += [row(f"{public} {settings}", lambda T, x, f=function, kw=settings: f(T, x, **kw), real(3, 4, high=3.0))]
    if name in ("celu", "hardsigmoid", "hardswish", "mish", "rrelu"):
        ROWS += [
            row(
                f"{public} inplace",
                lambda T, x, f=function: f(T, x.clone(), inplace=True),
                real(3, 4),
                gradient=name != "mish",
                second=second,
            ),
        ]
    if name not in ("tanhshrink", "softsign"):
        FAILS += [
            fails(
                public,
                lambda T, x, f=function: f(T, x),
                integer(3),
                match=f"{name}|leaky_relu",
                raises=NotImplementedError,
            )
        ]
ROWS += [
    row("nn.functional.threshold", lambda T, x: T.nn.functional.threshold(x, 0.5, -2.0), real(3, 4)),
    row(
        "nn.functional.threshold of NaN",
        lambda T, x: T.nn.functional.threshold(x, 0.5, 2.0),
        given([math.nan, 0.5, 0.6]),
        numerical=False,
    ),
    row("nn.functional.threshold of integers", lambda T, x: T.nn.functional.threshold(x, 1, 7), integer(5)),
    row(
        "nn.functional.hardshrink at the limits",
        lambda T, x: T.nn.functional.hardshrink(x),
        given([-0.5, 0.5, 0.0, math.nan]),
        numerical=False,
        second=False,
    ),
    row(
        "nn.functional.softshrink at the limits",
        lambda T, x: T.nn.functional.softshrink(x),
        given([-0.5, 0.5, 0.0]),
        numerical=False,
    ),
    row(
        "nn.functional.celu at zero",
        lambda T, x: T.nn.functional.celu(x),
        given([0.0, -0.0]),
        numerical=False,
        second=False,
    ),
    row(
        "nn.functional.rrelu training",
        lambda T, x: T.nn.functional.rrelu(x, training=True),
        real(3, 4),
        values=False,
        gradient=False,
    ),
    row(
        "nn.functional.gumbel_softmax",
        lambda T, x: T.nn.functional.gumbel_softmax(x, 0.7),
        real(3, 4),
        values=False,
        gradient=False,
    ),
    row(
        "nn.functional.gumbel_softmax hard",
        lambda T, x: T.nn.functional.gumbel_softmax(x, hard=True).sum(-1),
        real(3, 4),
        gradient=False,
    ),
]
FAILS += [
    fails(
        "nn.functional.softshrink",
        lambda T, x: T.nn.functional.softshrink(x, -1.0),
        real(3),
        match="softshrink.*negative",
    ),
    fails("nn.functional.celu", lambda T, x: T.nn.functional.celu(x, 0), real(3), match="celu.*alpha"),
]
