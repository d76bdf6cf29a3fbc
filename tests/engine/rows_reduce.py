"""Rows of the reductions: over one dimension, several, all; empty, 0-d, ties, zeros; and of sorting."""

import math

from tests.engine.table import boolean, fails, given, integer, real, row

ROWS, FAILS = [], []


def call(name, *args, **kwargs):
    return lambda T, x: getattr(T, name)(x, *args, **kwargs)


def call_method(name, *args, **kwargs):
    return lambda T, x: getattr(x, name)(*args, **kwargs)


# --- what every reduction over any dimensions does ---

SEVERAL = {
    "sum": {},
    "mean": {},
    "amax": {},
    "amin": {},
    "var": {},
    "std": {},
    "norm": {},
    "logsumexp": {},
    "all": {},
    "any": {},
}
WHOLE = [name for name in SEVERAL if name != "logsumexp"]  # logsumexp needs a dim

for name in SEVERAL:
    keyword = {} if name != "norm" else {"p": 2}
    ROWS += [
        row(f"{name} dim 0", call(name, **keyword, dim=0), real(3, 4)),
        row(f"{name} dim -1", call(name, **keyword, dim=-1), real(3, 4)),
        row(f"{name} dims", call(name, **keyword, dim=(0, 2)), real(2, 3, 2)),
        row(f"{name} a list of dims", call(name, **keyword, dim=[1, -1]), real(2, 3, 2)),
        row(f"{name} dim keepdim", call(name, **keyword, dim=1, keepdim=True), real(3, 4)),
        row(f"{name} dims keepdim", call(name, **keyword, dim=(0, 2), keepdim=True), real(2, 3, 2)),
        row(f"{name} 0-d over dim 0", call(name, **keyword, dim=0), real(), gradient=name not in ("var", "std")),
        row(
            f"{name} 0-d over dim -1 keepdim",
            call(name, **keyword, dim=-1, keepdim=True),
            real(),
            gradient=name not in ("var", "std"),
        ),
        row(
            f"{name} of a dim of size 1",
            call(name, **keyword, dim=1),
            real(3, 1),
            numerical=name not in ("var", "std"),
            second=name not in ("var", "std"),
        ),
        row(f"Tensor.{name}", call_method(name, **keyword, dim=0), real(3, 4)),
    ]
    FAILS += [
        fails(name, call(name, **keyword, dim=2), real(3, 4), match=rf"{name}: dim 2.*\[-2, 1\]"),
        fails(f"{name} twice", call(name, **keyword, dim=(0, 0)), real(3, 4), match=f"{name}.*twice"),
        fails(
            f"{name} along a string", call(name, **keyword, dim="a"), real(3, 4), match=f"{name}.*str", raises=TypeError
        ),
    ]
    if name not in ("amax", "amin"):
        ROWS += [
            row(
                f"{name} over an empty dim",
                call(name, **keyword, dim=1),
                real(3, 0),
                gradient=name not in ("var", "std", "mean"),
            )
        ]
    ROWS += [row(f"{name} of empty over a dim that is not", call(name, **keyword, dim=1), real(0, 3))]
    if name != "norm":
        ROWS += (
            [row(f"{name} axis and keepdims", call(name, axis=1, keepdims=True), real(3, 4))]
            if name != "logsumexp"
            else []
        )
for name in WHOLE:
    ROWS += [
        row(name, call(name), real(3, 4)),
        row(f"{name} 0-d", call(name), real(), gradient=name not in ("var", "std")),
        row(f"{name} of a vector", call(name), real(5)),
        row(f"Tensor.{name} whole", call_method(name), real(2, 3)),
    ]
    if name not in ("amax", "amin"):
        ROWS += [row(f"{name} of empty", call(name), real(0, 3), gradient=name not in ("var", "std", "mean"))]
    if name != "norm":
        ROWS += (
            [row(f"{name} dim=() is all", call(name, dim=()), real(3, 4), gradient=name not in ("var", "std"))]
            if name not in ("all", "any")
            else []
        )
ROWS += [
    row(f"{name} dim=() is none of them", call(name, dim=(), keepdim=keepdim), given([[0.0, 2.0, -1.0]]))
    for name in ("all", "any")
    for keepdim in (False, True)
]
for name in ("amax", "amin"):
    ROWS += [
        row(
            f"{name} at ties",
            call(name, dim=1),
            given([[1.0, 3.0, 3.0, 1.0, 1.0], [2.0, 2.0, 2.0, 2.0, 2.0]]),
            numerical=False,
        ),
        row(f"{name} of integers", call(name, dim=1), integer(3, 4)),
        row(f"{name} of bools", call(name, dim=1), boolean(3, 4)),
        row(f"{name} of NaN", call(name, dim=1), given([[1.0, math.nan], [2.0, 1.0]]), gradient=False),
    ]
    FAILS += [fails(f"{name} of empty", call(name), real(0, 3), match=f"{name}.*no elements")]
    FAILS += [fails(f"{name} over an empty dim", call(name, dim=1), real(3, 0), match=f"{name}.*no elements")]

# --- sums, means, products ---

for dtype in ("int64", "int32", "uint8"):
    ROWS += [
        row(f"{name} of {dtype}", call(name, dim=0), integer(3, 4, low=0, dtype=dtype))
        for name in ("sum", "prod", "cumsum", "all", "any", "logsumexp")
    ]
ROWS += [row(f"{name} of bools", call(name, dim=0), boolean(3, 4)) for name in ("sum", "prod", "cumsum", "all", "any")]
ROWS += [
    row("sum with a dtype", lambda T, x: T.sum(x, dtype=T.float64), given([1.0, 2.0], "float32"), numerical=False),
    row("sum of integers with a dtype", lambda T, x: T.sum(x, 0, dtype=T.float32), integer(3, 4)),
    row("mean with a dtype", lambda T, x: T.mean(x, dtype=T.float32), integer(3, 4)),
    row("prod with a dtype", lambda T, x: T.prod(x, dtype=T.float32), integer(3, 4)),
    row("cumsum with a dtype", lambda T, x: T.cumsum(x, 0, dtype=T.float32), integer(3, 4)),
    row("prod", call("prod"), real(2, 3)),
    row("prod dim", call("prod", 1), real(2, 5)),
    row("prod dim keepdim", call("prod", dim=0, keepdim=True), real(3, 2)),
    row("prod 0-d", call("prod"), real()),
    row("prod 0-d over dim 0", call("prod", 0), real()),
    row("prod of empty", call("prod"), real(0)),
    row("prod over an empty dim", call("prod", 1), real(3, 0)),
    row("prod over nothing of size 1", call("prod", 1), real(3, 1)),
    row("prod with zeros", call("prod", 1), given([[2.0, 0.0, 3.0, 1.5], [0.0, 2.0, 0.0, 1.0], [1.0, 2.0, 3.0, 4.0]])),
    row("prod with a zero, whole", call("prod"), given([[2.0, 0.0, 3.0], [1.0, 2.0, -1.0]])),
    row("Tensor.prod", call_method("prod", -1), real(2, 3)),
    row("cumsum", call("cumsum", 0), real(3, 4)),
    row("cumsum along -1", call("cumsum", dim=-1), real(3, 4)),
    row("cumsum 0-d", call("cumsum", 0), real()),
    row("cumsum of empty", call("cumsum", 0), real(0, 3)),
    row("Tensor.cumsum", call_method("cumsum", 1), real(2, 3)),
]
FAILS += [
    fails("mean of integers", call("mean"), integer(3), match="mean.*floating-point.*int64"),
    fails("var of integers", call("var"), integer(3), match="var.*floating-point.*int64"),
    fails("std of bools", call("std"), boolean(3), match="std.*floating-point.*bool"),
    fails("norm of integers", call("norm"), integer(3), match="norm.*floating-point.*int64"),
    fails("prod over two dims", call("prod", (0, 1)), real(3, 4), match="prod.*one int"),
    fails("sum with out", lambda T, x: T.sum(x, 0, out=x), real(3, 4), match="out", raises=TypeError),
    fails("cumsum without a dim", call("cumsum"), real(3), match="dim"),
    fails("cumsum", call("cumsum", 1), real(3), match="cumsum: dim 1"),
]

# --- spread ---

for name in ("var", "std"):
    ROWS += [
        row(f"{name} unbiased=False", call(name, unbiased=False), real(3, 4)),
        row(f"{name} False", call(name, False), real(3, 4)),
        row(f"{name} dim unbiased", call(name, 1, False), real(3, 4)),
        row(f"{name} dim unbiased keepdim", call(name, 1, True, True), real(3, 4)),
        row(f"{name} correction=0", call(name, dim=0, correction=0), real(3, 4)),
        row(f"{name} correction=2", call(name, dim=(0, 1), correction=2, keepdim=True), real(3, 4)),
        row(
            f"{name} where all are equal",
            call(name, dim=1),
            given([[2.0, 2.0, 2.0], [1.0, 2.0, 4.0]]),
            numerical=False,
            second=name == "var",
        ),
        row(f"{name} with a large mean", call(name), given([10001.0, 10002.0, 10003.5]), tolerance=10),
    ]

# --- norms ---

for p in (1, 2, 3, 1.5, 0.5, math.inf, -math.inf, "fro", None):
    ROWS += [
        row(f"norm p={p}", call("norm", p), real(3, 4)),
        row(f"norm p={p} dim", call("norm", p, 1) if p != "fro" else call("norm", p, (1,)), real(3, 4)),
    ]
ROWS += [
    row("norm p=0", call("norm", 0, 1), given([[1.0, 0.0, 2.0], [0.0, 0.0, 0.0]]), numerical=False, second=False),
    row("norm of zeros", call("norm", 2, 1), given([[3.0, 4.0], [0.0, 0.0]]), numerical=False, second=False),
    row("norm p=1 of zeros", call("norm", 1, 1), given([[3.0, 0.0], [0.0, 0.0]]), numerical=False),
    row("norm p=3 of zeros", call("norm", 3, 1), given([[3.0, 0.0], [0.0, 0.0]]), numerical=False, second=False),
    row("norm p=inf at ties", call("norm", math.inf, 1), given([[3.0, -3.0, 1.0], [1.0, 2.0, 0.0]]), numerical=False),
    row(
        "norm with a dtype",
        lambda T, x: T.norm(x, dtype=T.float64),
        given([3.0, 4.0], "float32"),
        numerical=False,
        tolerance=1e3,
    ),
]
FAILS += [fails("norm p=nuc", call("norm", "nuc"), real(3, 4), match="norm.*nuc", raises=NotImplementedError)]

# --- logsumexp ---

ROWS += [
    row("logsumexp of large numbers", call("logsumexp", 1), given([[1000.0, 1000.0], [-1000.0, -1001.0]])),
    row(
        "logsumexp with infinities",
        call("logsumexp", 1),
        given([[-math.inf, 1.0], [-math.inf, -math.inf], [math.inf, 0.0]]),
        gradient=False,
    ),
    row("logsumexp where one is impossible", call("logsumexp", 1), given([[-math.inf, 1.0, 2.0]]), numerical=False),
    row("Tensor.logsumexp keepdim", call_method("logsumexp", -1, True), real(2, 3)),
]

# --- extrema with indices ---

for name in ("max", "min"):
    ROWS += [
        row(name, call(name), real(3, 4)),
        row(f"{name} at ties shares", call(name), given([1.0, 3.0, 3.0, 1.0]), numerical=False),
        row(f"{name} 0-d", call(name), real()),
        row(f"{name} dim", call(name, 1), real(3, 4)),
        row(f"{name} dim keepdim", call(name, dim=0, keepdim=True), real(3, 4)),
        row(f"{name} dim at ties", call(name, 1), given([[1.0, 3.0, 3.0], [1.0, 1.0, 1.0]]), numerical=False),
        row(f"{name} 0-d over dim 0", call(name, 0), real()),
        row(f"{name} of integers", call(name, 0), integer(3, 4)),
        row(f"{name} of bools", call(name, 0), boolean(3, 4)),
        row(f"{name} of NaN", call(name, 1), given([[1.0, math.nan, 2.0], [2.0, 1.0, 0.0]]), gradient=False),
        row(
            f"{name} fields",
            lambda T, x, f=name: (getattr(T, f)(x, 1).values, getattr(T, f)(x, dim=1).indices),
            real(3, 4),
        ),
        row(f"{name} of empty over a dim that is not", call(name, 1), real(0, 3)),
        row(f"{name} of two", lambda T, x, y, f=name: getattr(T, f)(x, y), real(2, 3), real(3)),
        row(f"{name} of two by name", lambda T, x, y, f=name: getattr(T, f)(x, other=y), real(2, 3), real(3)),
        row(f"Tensor.{name}", call_method(name, 1), real(3, 4)),
        row(f"Tensor.{name} whole", call_method(name), real(3, 4)),
        row(f"Tensor.{name} of two", lambda T, x, y, f=name: getattr(x, f)(y), real(2, 3), real(3)),
        row(f"arg{name}", call(f"arg{name}"), real(3, 4)),
        row(f"arg{name} dim", call(f"arg{name}", 1), real(3, 4)),
        row(f"arg{name} dim keepdim", call(f"arg{name}", dim=-1, keepdim=True), real(3, 4)),
        row(f"arg{name} whole keepdim", call(f"arg{name}", keepdim=True), real(3, 4)),
        row(f"arg{name} at ties", call(f"arg{name}", 1), given([[1.0, 3.0, 3.0], [1.0, 1.0, 1.0]])),
        row(f"arg{name} of NaN", call(f"arg{name}", 1), given([[1.0, math.nan, 2.0], [2.0, 1.0, 0.0]])),
        row(f"arg{name} 0-d", call(f"arg{name}", 0), real()),
        row(f"arg{name} of integers", call(f"arg{name}", 0), integer(3, 4)),
        row(f"Tensor.arg{name}", call_method(f"arg{name}", 0), real(3, 4)),
    ]
    FAILS += [
        fails(f"{name} of empty", call(name), real(0), match=f"{name}.*no elements"),
        fails(f"{name} over an empty dim", call(name, 1), real(3, 0), match=f"{name}.*no elements"),
        fails(f"{name} dim", call(name, 2), real(3, 4), match=f"{name}: dim 2"),
        fails(f"arg{name} of empty", call(f"arg{name}"), real(0), match=f"arg{name}.*no elements"),
        fails(f"arg{name} over an empty dim", call(f"arg{name}", 1), real(3, 0), match=f"arg{name}.*no elements"),
        fails(f"arg{name} dim", call(f"arg{name}", 2), real(3, 4), match=f"arg{name}: dim 2"),
    ]

# --- order ---

TIES = given([[3.0, 1.0, 3.0, 2.0, 1.0], [1.0, 1.0, 1.0, 1.0, 1.0]])
ROWS += [
    row("sort", call("sort"), real(3, 4)),
    row("sort dim", call("sort", 0), real(3, 4)),
    row("sort descending", call("sort", dim=1, descending=True), real(3, 4)),
    row("sort stable at ties", call("sort", dim=1, stable=True), TIES, numerical=False),
    row("sort stable descending at ties", call("sort", dim=1, descending=True, stable=True), TIES, numerical=False),
    row("sort of NaN", call("sort"), given([2.0, math.nan, 1.0, math.inf]), gradient=False),
    row("sort of NaN descending", call("sort", descending=True), given([2.0, math.nan, 1.0, math.inf]), gradient=False),
    row("sort of integers", call("sort"), given([[3, 1, 2], [9, -1, 0]])),
    row("sort of bools", call("sort", stable=True), boolean(5)),
    row("sort 0-d", call("sort"), real()),
    row("sort of empty", call("sort", 0), real(0, 3)),
    row("sort fields", lambda T, x: (T.sort(x).values, T.sort(x).indices), real(3, 4)),
    row("Tensor.sort", call_method("sort", -1, True), real(3, 4)),
    row("argsort", call("argsort"), real(3, 4)),
    row("argsort descending", call("argsort", dim=0, descending=True), real(3, 4)),
    row("argsort stable at ties", call("argsort", stable=True), TIES),
    row("Tensor.argsort", call_method("argsort", 0), real(3, 4)),
    row("topk", call("topk", 2), real(3, 4)),
    row("topk dim", call("topk", 2, 0), real(3, 4)),
    row("topk smallest", call("topk", 3, largest=False), real(3, 6)),
    row("topk all", call("topk", 4), real(3, 4)),
    row("topk none", call("topk", 0), real(3, 4)),
    row("topk of integers", call("topk", 2), given([[3, 1, 2], [9, -1, 0]])),
    row("topk of NaN", call("topk", 2), given([2.0, math.nan, 1.0, 3.0]), gradient=False),
    row("topk 0-d", call("topk", 1), real()),
    row("topk fields", lambda T, x: (T.topk(x, 2).values, T.topk(x, 2).indices), real(3, 4)),
    row("Tensor.topk", call_method("topk", 1, -1), real(3, 4)),
]
FAILS += [
    fails("topk", call("topk", 5), real(3, 4), match="topk: k=5.*4"),
    fails("sort", call("sort", 2), real(3, 4), match="sort: dim 2"),
]
FAILS += [
    fails(
        f"{name} of bools",
        lambda T, x, f=name: getattr(T, f)(x, *([1] if f == "topk" else [])),
        boolean(3),
        match=f"{name}.*bool",
    )
    for name in ("argmax", "argmin", "topk")
]
