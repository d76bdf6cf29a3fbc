"""Rows of the pools: kernel × stride × padding × ceil_mode × count_include_pad, dilation, indices, ties."""

import itertools
import math

from tests.engine.table import fails, given, real, row

ROWS, FAILS = [], []


def call(name, *args, **options):
    return lambda T, x: getattr(T.nn.functional, name)(x, *args, **options)


for kernel, stride, padding, ceil_mode in itertools.product((2, 3), (1, 2, 3), (0, 1), (False, True)):
    what = f"kernel {kernel} stride {stride} padding {padding}{' ceil' if ceil_mode else ''}"
    few = (kernel, padding) == (3, 1)
    for dilation in (1, 2):
        ROWS.append(row(
            f"nn.functional.max_pool2d {what} dilation {dilation}", call("max_pool2d", kernel, stride, padding, dilation, ceil_mode),
            real(2, 2, 7, 6), numerical=few,
        ))  # fmt: skip
    for counted in (True, False):
        options = dict(ceil_mode=ceil_mode, count_include_pad=counted)
        ROWS += [
            row(
                f"nn.functional.avg_pool2d {what} counted {counted}",
                call("avg_pool2d", kernel, stride, padding, **options),
                real(2, 2, 7, 6),
                numerical=few,
            ),
            row(
                f"nn.functional.avg_pool1d {what} counted {counted}",
                call("avg_pool1d", kernel, stride, padding, **options),
                real(2, 2, 8),
                numerical=few,
            ),
        ]
    indices = dict(ceil_mode=ceil_mode, return_indices=True)
    ROWS.append(
        row(
            f"nn.functional.max_pool1d {what} indices",
            call("max_pool1d", kernel, stride, padding, **indices),
            real(2, 2, 8),
            numerical=few,
        )
    )

TIES = [[[[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0], [2.0, 0.0, 3.0, 3.0], [2.0, 0.0, 3.0, -math.inf]]]]
ROWS += [
    row("nn.functional.max_pool2d", call("max_pool2d", 2), real(2, 3, 4, 6)),
    row("nn.functional.max_pool2d kernel 1", call("max_pool2d", 1, 2), real(1, 2, 3, 4)),
    row("nn.functional.max_pool2d kernel 1 stride 1", call("max_pool2d", 1), real(1, 2, 3, 4)),
    row("nn.functional.max_pool2d by pairs", call("max_pool2d", (2, 3), (1, 2), (1, 0)), real(2, 2, 4, 5)),
    row("nn.functional.max_pool2d of one example", call("max_pool2d", 2), real(3, 4, 5)),
    row("nn.functional.max_pool2d of no example", call("max_pool2d", 2), real(0, 3, 4, 5)),
    row("nn.functional.max_pool2d ties", call("max_pool2d", 2), given(TIES), numerical=False),
    row("nn.functional.max_pool2d ties that overlap", call("max_pool2d", 3, 1, 1), given(TIES), numerical=False),
    row("nn.functional.max_pool2d ties indices", call("max_pool2d", 2, 1, return_indices=True), given(TIES), numerical=False),
    row("nn.functional.max_pool2d indices", call("max_pool2d", 3, 2, 1, return_indices=True), real(2, 3, 5, 6)),
    row("nn.functional.max_pool2d indices of one example", call("max_pool2d", 2, 2, 0, 2, return_indices=True), real(3, 5, 6)),
    row("nn.functional.max_pool1d", call("max_pool1d", 2), real(2, 3, 6)),
    row("nn.functional.max_pool1d of one example", call("max_pool1d", 3, 1), real(3, 6)),
    row("nn.functional.max_pool3d", call("max_pool3d", 2, padding=1), real(1, 2, 3, 2, 3)),
    row("nn.functional.max_pool3d indices", call("max_pool3d", 2, 1, return_indices=True), real(1, 2, 3, 2, 3)),
    row("nn.functional.avg_pool1d", call("avg_pool1d", 2), real(2, 3, 6)),
    row("avg_pool1d", lambda T, x: T.avg_pool1d(x, 2), real(2, 3, 6)),
    row("nn.functional.avg_pool2d", call("avg_pool2d", 2), real(2, 3, 4, 6)),
    row("nn.functional.avg_pool2d divisor", call("avg_pool2d", 2, 1, 1, divisor_override=3), real(1, 2, 3, 4)),
    row("nn.functional.avg_pool2d divisor ceil", call("avg_pool2d", 3, 2, 1, True, divisor_override=-2), real(1, 2, 4, 4)),
    row("nn.functional.avg_pool2d of one example", call("avg_pool2d", 2), real(3, 4, 5)),
    row("nn.functional.avg_pool2d of no example", call("avg_pool2d", 2), real(0, 3, 4, 5)),
    row("nn.functional.avg_pool3d", call("avg_pool3d", 2, 1, padding=1, count_include_pad=False), real(1, 2, 3, 2, 3)),
    row("adaptive_avg_pool1d", lambda T, x: T.adaptive_avg_pool1d(x, 3), real(2, 2, 7)),
]  # fmt: skip
for out in (1, 2, 3, 5, 6, 8):
    few = out == 5
    ROWS += [
        row(f"nn.functional.adaptive_avg_pool1d to {out}", call("adaptive_avg_pool1d", out), real(2, 2, 6)),
        row(
            f"nn.functional.adaptive_avg_pool2d to {out}",
            call("adaptive_avg_pool2d", (out, None)),
            real(1, 2, 6, 3),
            numerical=few,
        ),
        row(
            f"nn.functional.adaptive_avg_pool2d to {out} squared",
            call("adaptive_avg_pool2d", out),
            real(1, 2, 6, 7),
            numerical=few,
        ),
        row(f"nn.functional.adaptive_max_pool1d to {out}", call("adaptive_max_pool1d", out), real(2, 2, 7)),
        row(
            f"nn.functional.adaptive_max_pool2d to {out}",
            call("adaptive_max_pool2d", out, return_indices=True),
            real(1, 2, 6, 7),
            numerical=few,
        ),
    ]
ROWS += [
    row("nn.functional.adaptive_avg_pool2d of one example", call("adaptive_avg_pool2d", 2), real(2, 5, 4)),
    row("nn.functional.adaptive_avg_pool3d", call("adaptive_avg_pool3d", 2), real(1, 2, 3, 4, 5), numerical=False),
    row("nn.functional.adaptive_max_pool2d of one example", call("adaptive_max_pool2d", (2, None)), real(2, 5, 4)),
    row(
        "nn.functional.adaptive_max_pool2d ties",
        call("adaptive_max_pool2d", 3, return_indices=True),
        given(TIES),
        numerical=False,
    ),
]

FAILS += [
    fails(
        "nn.functional.max_pool2d padding",
        call("max_pool2d", 2, padding=2),
        real(1, 1, 4, 4),
        match="at most half of the kernel",
    ),
    fails("nn.functional.max_pool2d size", call("max_pool2d", 5), real(1, 1, 4, 4), match="does not fit"),
    fails("nn.functional.max_pool2d dimensions", call("max_pool2d", 2), real(4, 4), match="2 spatial dimensions"),
    fails(
        "nn.functional.max_pool2d stride",
        call("max_pool2d", 2, stride=(1, 2, 3)),
        real(1, 1, 4, 4),
        match="stride must be one int or 2",
    ),
    fails(
        "nn.functional.max_pool2d zero", call("max_pool2d", 0), real(1, 1, 4, 4), match="kernel_size must be at least 1"
    ),
    fails(
        "nn.functional.avg_pool2d padding",
        call("avg_pool2d", 2, padding=2),
        real(1, 1, 4, 4),
        match="at most half of the kernel",
    ),
    fails(
        "nn.functional.avg_pool2d divisor",
        call("avg_pool2d", 2, divisor_override=0),
        real(1, 1, 4, 4),
        match="must not be zero",
    ),
    fails(
        "nn.functional.adaptive_avg_pool2d",
        call("adaptive_avg_pool2d", (1, 2, 3)),
        real(1, 1, 4, 4),
        match="one number or 2",
    ),
    fails(
        "nn.functional.adaptive_max_pool2d", call("adaptive_max_pool2d", 2), real(4, 4), match="2 spatial dimensions"
    ),
]
