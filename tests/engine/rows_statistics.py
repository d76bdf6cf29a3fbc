"""Rows of the reductions that are made of others, and of what counts and orders values."""

import math

from tests.engine.table import boolean, fails, given, integer, real, row

ROWS, FAILS = [], []
HOLES = given([[1.0, math.nan, 3.0], [math.nan, math.nan, 2.0], [4.0, 5.0, 6.0]])

for name in ("var_mean", "std_mean"):
    ROWS += [
        row(name, lambda T, x, f=name: getattr(T, f)(x), real(3, 4)),
        row(f"{name} dim", lambda T, x, f=name: getattr(T, f)(x, 1), real(3, 4)),
        row(f"{name} dims kept", lambda T, x, f=name: getattr(T, f)(x, (0, 2), keepdim=True), real(3, 4, 2)),
        row(f"{name} biased", lambda T, x, f=name: getattr(T, f)(x, False), real(3, 4)),
        row(f"{name} correction", lambda T, x, f=name: getattr(T, f)(x, dim=0, correction=0), real(3, 4)),
    ]

ROWS += [
    row("cumprod", lambda T, x: T.cumprod(x, 1), real(3, 4)),
    row("cumprod last", lambda T, x: T.cumprod(x, -2), real(2, 3, 2)),
    row("cumprod with zeros", lambda T, x: T.cumprod(x, 0), given([2.0, 0.0, 3.0, 0.0, 1.5])),
    row("cumprod 0-d", lambda T, x: T.cumprod(x, 0), real()),
    row("cumprod empty", lambda T, x: T.cumprod(x, 0), real(0, 3)),
    row("cumprod of integers", lambda T, x: T.cumprod(x, 1), integer(3, 4, dtype="int32")),
    row("cumprod of bools", lambda T, x: T.cumprod(x, 0), boolean(3)),
    row("cumprod dtype", lambda T, x: T.cumprod(x, 0, dtype=T.float64), real(3)),
    row("Tensor.cumprod", lambda T, x: x.cumprod(0), real(3, 4)),
    row("median", lambda T, x: T.median(x), real(3, 5)),
    row("median of an even number", lambda T, x: T.median(x), real(4)),
    row("median with ties", lambda T, x: T.median(x), given([1.0, 2.0, 2.0, 3.0, 2.0]), numerical=False),
    row("median of NaN", lambda T, x: T.median(x), HOLES, gradient=False),
    row("median 0-d", lambda T, x: T.median(x), real()),
    row("median of integers", lambda T, x: T.median(x), integer(7)),
    row("median dim", lambda T, x: T.median(x, 1), real(3, 4)),
    row("median dim kept", lambda T, x: T.median(x, 0, True), real(3, 4)),
    row("median dim of NaN", lambda T, x: T.median(x, dim=1), HOLES, gradient=False),
    row("median dim 0-d", lambda T, x: T.median(x, 0), real()),
    row("median fields", lambda T, x: (T.median(x, 0).values, T.median(x, 0).indices), real(3, 4)),
    row("Tensor.median", lambda T, x: x.median(), real(3, 4)),
    row("count_nonzero", lambda T, x: T.count_nonzero(x), given([[1.0, 0.0, math.nan], [0.0, 0.0, 2.0]])),
    row("count_nonzero dim", lambda T, x: T.count_nonzero(x, 1), integer(3, 4, low=0, high=2)),
    row("count_nonzero dims", lambda T, x: T.count_nonzero(x, dim=(0, 2)), integer(3, 4, 2, low=0, high=2)),
    row("count_nonzero 0-d", lambda T, x: T.count_nonzero(x), real()),
    row("Tensor.count_nonzero", lambda T, x: x.count_nonzero(0), boolean(3, 4)),
    row("nansum", lambda T, x: T.nansum(x), HOLES, numerical=False),
    row("nansum dim", lambda T, x: T.nansum(x, 1, True), HOLES, numerical=False),
    row("nansum of integers", lambda T, x: T.nansum(x, 0), integer(3, 4)),
    row("Tensor.nansum", lambda T, x: x.nansum(dim=0), real(3, 4)),
    row("nanmean", lambda T, x: T.nanmean(x), HOLES, numerical=False),
    row("nanmean dim", lambda T, x: T.nanmean(x, 1, True), HOLES, numerical=False),
    row("nanmean of nothing", lambda T, x: T.nanmean(x, 0), given([[math.nan, 1.0]]), gradient=False),
    row("Tensor.nanmean", lambda T, x: x.nanmean(dim=(0, 1)), real(3, 4, 2)),
    row("unique", lambda T, x: T.unique(x), integer(4, 5)),
    row("unique of floats", lambda T, x: T.unique(x), given([2.0, 1.0, 2.0, math.nan, math.nan], grad=False)),
    row("unique all", lambda T, x: T.unique(x, return_inverse=True, return_counts=True), integer(4, 5)),
    row("unique counts", lambda T, x: T.unique(x, return_counts=True), boolean(7)),
    row("unique dim", lambda T, x: T.unique(x, return_inverse=True, dim=0), given([[1, 2], [0, 3], [1, 2]])),
    row("unique last dim", lambda T, x: T.unique(x, dim=-1), given([[1, 0, 1], [2, 3, 2]])),
    row("unique empty", lambda T, x: T.unique(x), integer(0)),
    row("Tensor.unique", lambda T, x: x.unique(), integer(4, 5)),
]
FAILS += [
    fails("median of bools", lambda T, x: T.median(x), boolean(3), match="median.*bool"),
    fails("median of nothing along dim", lambda T, x: T.median(x, 0), real(0, 3), match="median.*no elements"),
    fails(
        "nanmean of integers",
        lambda T, x: T.nanmean(x),
        integer(3),
        match="nanmean.*floating",
        raises=NotImplementedError,
    ),
    fails("cumprod", lambda T, x: T.cumprod(x, 2), real(3, 4), match="cumprod.*dim 2"),
]
