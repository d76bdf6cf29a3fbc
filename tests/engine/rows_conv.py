"""Rows of convolution, its transpose, unfold and fold: the grid of stride × padding × dilation × groups over odd sizes."""

import itertools

from tests.engine.table import fails, integer, real, row

ROWS, FAILS = [], []


def call(name, **options):
    return lambda T, *xs: getattr(T.nn.functional, name)(*xs, **options)


# --- the grid; central differences only on a part of it: they take long, and PyTorch's second derivatives are checked on all ---

GRID = list(itertools.product((1, 2, 3), (0, 1, 2), (1, 2), (1, 2)))
for number, (stride, padding, dilation, groups) in enumerate(GRID):
    options = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
    what = " ".join(f"{key} {value}" for key, value in options.items())
    few = number % 9 == 4
    ROWS += [
        row(f"nn.functional.conv1d {what}", call("conv1d", **options), real(2, 4, 9), real(6, 4 // groups, 3), real(6), numerical=few),
        row(f"nn.functional.conv2d {what}", call("conv2d", **options), real(2, 2, 7, 6), real(4, 2 // groups, 3, 2), real(4), numerical=few),
        row(
            f"nn.functional.conv_transpose1d {what}",
            call("conv_transpose1d", output_padding=max(stride, dilation) - 1, **options),
            real(2, 4, 5), real(4, 6 // groups, 3), real(6 // groups * groups), numerical=few,
        ),
        row(
            f"nn.functional.conv_transpose2d {what}", call("conv_transpose2d", output_padding=(0, stride - 1), **options),
            real(2, 2, 4, 5), real(2, 4 // groups, 3, 2), real(4), numerical=few,
        ),
    ]  # fmt: skip

PAIRS = dict(stride=(1, 2), padding=(2, 0), dilation=(1, 2))
TRIPLES = dict(stride=(1, 2, 1), padding=(1, 0, 1))
ROWS += [
    row("conv1d", lambda T, x, w: T.conv1d(x, w), real(1, 2, 5), real(3, 2, 2)),
    row("conv2d", lambda T, x, w: T.conv2d(x, w), real(1, 2, 4, 3), real(3, 2, 2, 2)),
    row("conv3d", lambda T, x, w: T.conv3d(x, w), real(1, 2, 3, 2, 3), real(2, 2, 2, 1, 2)),
    row("conv_transpose1d", lambda T, x, w: T.conv_transpose1d(x, w), real(1, 2, 3), real(2, 3, 2)),
    row("conv_transpose2d", lambda T, x, w: T.conv_transpose2d(x, w), real(1, 2, 3, 2), real(2, 3, 2, 2)),
    row("conv_transpose3d", lambda T, x, w: T.conv_transpose3d(x, w), real(1, 2, 2, 1, 2), real(2, 1, 2, 1, 2)),
    row("nn.functional.conv2d by pairs", call("conv2d", **PAIRS), real(2, 2, 5, 6), real(3, 2, 2, 3), real(3)),
    row("nn.functional.conv2d 1×1", call("conv2d"), real(2, 3, 3, 2), real(4, 3, 1, 1), real(4)),
    row("nn.functional.conv2d 1×1 stride 2", call("conv2d", stride=2), real(2, 3, 3, 4), real(4, 3, 1, 1)),
    row("nn.functional.conv2d 1×1 groups", call("conv2d", groups=3), real(2, 3, 3, 2), real(6, 1, 1, 1), real(6)),
    row("nn.functional.conv2d of each channel", call("conv2d", groups=3, padding=1), real(2, 3, 3, 3), real(3, 1, 3, 3), real(3)),
    row("nn.functional.conv2d of one example", call("conv2d", padding=1), real(2, 4, 3), real(3, 2, 3, 3), real(3)),
    row("nn.functional.conv2d of no example", call("conv2d", padding=1), real(0, 2, 4, 3), real(3, 2, 3, 3), real(3)),
    row("nn.functional.conv2d same", call("conv2d", padding="same", dilation=(1, 2)), real(1, 2, 4, 6), real(2, 2, 2, 3), real(2)),
    row("nn.functional.conv2d valid", call("conv2d", padding="valid"), real(1, 2, 4, 3), real(2, 2, 2, 3)),
    row("nn.functional.conv2d of more rows than a stride reaches", call("conv2d", stride=3), real(1, 1, 9, 8), real(1, 1, 2, 2)),
    row("nn.functional.conv2d of its own output", lambda T, x, w: T.conv2d(T.conv2d(x, w, padding=1), w), real(1, 2, 3, 3), real(2, 2, 3, 3)),
    row("nn.functional.conv1d same", call("conv1d", padding="same"), real(2, 2, 5), real(2, 2, 4)),
    row("nn.functional.conv1d of one example", call("conv1d"), real(2, 5), real(3, 2, 2), real(3)),
    row("nn.functional.conv3d", call("conv3d", **TRIPLES), real(2, 2, 3, 4, 3), real(2, 2, 2, 2, 3), real(2), numerical=False),
    row("nn.functional.conv3d same", call("conv3d", padding="same"), real(1, 1, 3, 2, 3), real(2, 1, 2, 3, 1), numerical=False),
    row("nn.functional.conv_transpose3d", call("conv_transpose3d", **TRIPLES), real(2, 2, 3, 2, 3), real(2, 1, 2, 2, 3), real(1), numerical=False),
    row("nn.functional.conv_transpose2d of one example", call("conv_transpose2d", stride=2), real(2, 3, 2), real(2, 3, 2, 2), real(3)),
    row("nn.functional.conv_transpose2d dilation", call("conv_transpose2d", dilation=3, output_padding=2), real(1, 2, 3, 2), real(2, 3, 2, 2)),
    row("nn.functional.unfold", call("unfold", kernel_size=(2, 3), dilation=(2, 1), padding=1, stride=(1, 2)), real(2, 3, 4, 5)),
    row("nn.functional.unfold of one example", call("unfold", kernel_size=2), real(3, 3, 4)),
    row("nn.functional.fold", call("fold", output_size=(4, 5), kernel_size=(2, 3), padding=1, stride=(1, 2)), real(2, 12, 15)),
    row("nn.functional.fold of one example", call("fold", output_size=(3, 4), kernel_size=2), real(8, 6)),
    row(
        "nn.functional.fold after unfold",
        lambda T, x: T.nn.functional.fold(T.nn.functional.unfold(x, 3, padding=1), (4, 3), 3, padding=1), real(1, 2, 4, 3),
    ),
]  # fmt: skip

FAILS += [
    fails("nn.functional.conv2d channels", call("conv2d"), real(1, 3, 5, 5), real(2, 4, 3, 3), match=r"\(1, 3, 5, 5\).* 3 channels.* made for 4"),
    fails("nn.functional.conv2d kernel too big", call("conv2d"), real(1, 3, 2, 5), real(2, 3, 3, 3), match=r"kernel \(3, 3\).*does not fit"),
    fails("nn.functional.conv2d dimensions", call("conv2d"), real(3, 5), real(2, 3, 3, 3), match="2 spatial dimensions"),
    fails("nn.functional.conv2d weight", call("conv2d"), real(1, 3, 5, 5), real(2, 3, 3), match="weight must have 4 dimensions"),
    fails("nn.functional.conv2d bias", call("conv2d"), real(1, 3, 5, 5), real(2, 3, 3, 3), real(3), match=r"bias \(3,\) must be \(2,\)"),
    fails("nn.functional.conv2d groups", call("conv2d", groups=2), real(1, 3, 5, 5), real(3, 1, 3, 3), match="groups=2"),
    fails("nn.functional.conv2d dtypes", call("conv2d"), real(1, 3, 5, 5), integer(2, 3, 3, 3), match="float32 and int64 differ"),
    fails("nn.functional.conv2d stride", call("conv2d", stride=0), real(1, 3, 5, 5), real(2, 3, 3, 3), match="stride must be at least 1"),
    fails("nn.functional.conv2d strides", call("conv2d", stride=(1, 2, 3)), real(1, 3, 5, 5), real(2, 3, 3, 3), match="stride must be one int or 2"),
    fails("nn.functional.conv2d same", call("conv2d", padding="same", stride=2), real(1, 3, 5, 5), real(2, 3, 3, 3), match="needs stride 1"),
    fails("nn.functional.conv2d padding", call("conv2d", padding="full"), real(1, 3, 5, 5), real(2, 3, 3, 3), match='"same" or "valid"'),
    fails("nn.functional.conv2d negative", call("conv2d", padding=-1), real(1, 3, 5, 5), real(2, 3, 3, 3), match="padding must be at least 0"),
    fails(
        "nn.functional.conv_transpose2d output_padding", call("conv_transpose2d", stride=2, output_padding=2), real(1, 2, 3, 3), real(2, 3, 2, 2),
        match="output_padding",
    ),
    fails("nn.functional.conv_transpose2d channels", call("conv_transpose2d"), real(1, 3, 3, 3), real(2, 3, 2, 2), match="3 channels"),
    fails("nn.functional.conv_transpose1d size", call("conv_transpose1d", padding=3), real(1, 2, 3), real(2, 3, 2), match="too small"),
    fails("nn.functional.unfold", call("unfold", kernel_size=5), real(1, 3, 4, 4), match="does not fit"),
    fails("nn.functional.unfold dimensions", call("unfold", kernel_size=2), real(3, 4), match="must be", raises=RuntimeError),
    fails("nn.functional.fold", call("fold", output_size=4, kernel_size=2), real(1, 8, 8), match=r"\(3, 3\) = 9 windows"),
]  # fmt: skip
