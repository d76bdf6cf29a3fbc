"""Rows of pad in all its modes, and of interpolate in all of its."""

import itertools

from tests.engine.table import fails, integer, real, row

ROWS, FAILS = [], []


def call(name, *args, **options):
    return lambda T, x: getattr(T.nn.functional, name)(x, *args, **options)


def call_two(name, **options):
    return lambda T, x, grid: getattr(T.nn.functional, name)(x, grid, **options)


# --- pad ---

for pads in ((1, 2), (-1, 2), (-1, -1), (0, 1, 2, 0), (1, -2, -1, 3), (0, 0, 0, 0, 1, 1), (0, 0, 0, 0, 0, 0, -1, 1)):
    ROWS.append(row(f"nn.functional.pad {pads}", call("pad", pads, value=0.5), real(2, 3, 4, 3)))
PADS = {
    (2, 3, 5): ((2, 1), (-1, 2), (-1, -2), (0, 3), (4, 4)),
    (3, 5): ((1, 2),),
    (2, 3, 4, 5): ((1, 2, 3, 0), (1, 2, -3, 0), (0, 0, 2, 1)),
    (2, 4, 5): ((1, 2, 0, 3),),
    (1, 2, 3, 4, 3): ((1, 1, 2, 2, 0, 1),),
}
for mode in ("reflect", "replicate", "circular"):
    for shape, choices in PADS.items():
        for pads in choices:
            ROWS.append(
                row(
                    f"nn.functional.pad {mode} {shape} {pads}",
                    call("pad", pads, mode),
                    real(*shape),
                    numerical=len(shape) < 4,
                )
            )
ROWS += [
    row("nn.functional.pad replicate far", call("pad", (7, 6), "replicate"), real(2, 3, 4)),
    row("nn.functional.pad of integers", call("pad", (1, 1)), integer(2, 3)),
    row("nn.functional.pad of a vector", call("pad", (1, 1)), real(3)),
    row("nn.functional.pad of nothing", call("pad", (1, 2)), real(2, 0)),
]
FAILS += [
    fails("nn.functional.pad odd", call("pad", (1, 2, 3)), real(2, 3), match="must be pairs"),
    fails("nn.functional.pad too many", call("pad", (1,) * 6), real(2, 3), match="at most the 2 dimensions"),
    fails("nn.functional.pad away", call("pad", (-2, -2)), real(2, 3), match="takes away more"),
    fails(
        "nn.functional.pad reflect",
        call("pad", (5, 0), "reflect"),
        real(2, 3, 5),
        match="at most 4 to a dimension of 5",
    ),
    fails(
        "nn.functional.pad circular",
        call("pad", (6, 0), "circular"),
        real(2, 3, 5),
        match="at most 5 to a dimension of 5",
    ),
    fails("nn.functional.pad mode", call("pad", (1, 1), "mirror"), real(2, 3, 5), match="mode='mirror'"),
    fails("nn.functional.pad value", call("pad", (1, 1), "reflect", 1.0), real(2, 3, 5), match="takes no value"),
    fails(
        "nn.functional.pad reflect dimensions",
        call("pad", (1, 1), "reflect"),
        real(2, 3, 5, 4),
        match="last 1, 2 or 3 dimensions",
    ),
]

# --- interpolate ---

SIZES = [dict(size=4), dict(size=9), dict(size=1), dict(scale_factor=2), dict(scale_factor=1.7), dict(scale_factor=0.6)]
SIZES += [dict(scale_factor=1.7, recompute_scale_factor=True)]
MODES = {
    (2, 2, 7): ("nearest", "nearest-exact", "linear", "area"),
    (1, 2, 5, 7): ("nearest", "nearest-exact", "bilinear", "bicubic", "area"),
    (1, 2, 3, 4, 5): ("nearest", "trilinear", "area"),
}
for shape, modes in MODES.items():
    for mode, sizes in itertools.product(modes, SIZES):
        aligned = (None, True, False) if "linear" in mode or mode == "bicubic" else (None,)
        for align_corners in aligned:
            what = " ".join(f"{key} {value}" for key, value in sizes.items()) + (
                "" if align_corners is None else f" aligned {align_corners}"
            )
            few = sizes == dict(scale_factor=0.6) and len(shape) < 5
            ROWS.append(row(
                f"nn.functional.interpolate {mode} {len(shape) - 2}d {what}",
                call("interpolate", mode=mode, align_corners=align_corners, **sizes), real(*shape), numerical=few,
            ))  # fmt: skip
ROWS += [
    row("nn.functional.interpolate by pairs", call("interpolate", size=(3, 8), mode="bilinear"), real(1, 2, 5, 4)),
    row(
        "nn.functional.interpolate by factors",
        call("interpolate", scale_factor=(2, 0.5), mode="bicubic"),
        real(1, 2, 3, 4),
    ),
    row(
        "nn.functional.interpolate to the same size",
        call("interpolate", size=(3, 4), mode="bilinear"),
        real(1, 2, 3, 4),
    ),
]
FAILS += [
    fails("nn.functional.interpolate nothing", call("interpolate"), real(1, 2, 4), match="one of size and scale_factor"),
    fails("nn.functional.interpolate both", call("interpolate", 3, 2), real(1, 2, 4), match="one of size and scale_factor"),
    fails("nn.functional.interpolate mode", call("interpolate", 3, mode="bilinear"), real(1, 2, 4), match="mode='bilinear'"),
    fails("nn.functional.interpolate of integers", call("interpolate", 3, mode="bilinear"), integer(1, 2, 4, 4), match="int64 is not supported"),
    fails("nn.functional.interpolate dimensions", call("interpolate", 3), real(2, 4), match="1, 2 or 3 spatial"),
    fails("nn.functional.interpolate align", call("interpolate", 3, align_corners=True), real(1, 2, 4), match="align_corners belongs to"),
    fails("nn.functional.interpolate factors", call("interpolate", scale_factor=(1, 2)), real(1, 2, 4), match="one number or 1"),
    fails("nn.functional.interpolate zero", call("interpolate", size=0), real(1, 2, 4), match="size must be at least 1"),
    fails("nn.functional.interpolate small", call("interpolate", scale_factor=0.1), real(1, 2, 4), match="leaves nothing"),
    fails(
        "nn.functional.interpolate antialias", call("interpolate", 3, mode="bilinear", antialias=True), real(1, 2, 4, 4),
        match="antialias", raises=NotImplementedError,
    ),
]  # fmt: skip

# --- grid_sample, affine_grid ---

for mode, padding, corners in itertools.product(
    ("bilinear", "nearest"), ("zeros", "border", "reflection"), (False, True)
):
    for shape, places in (((2, 3, 4, 5), (2, 3, 2, 2)), ((1, 2, 3, 2, 4), (1, 2, 2, 1, 3))):
        ROWS.append(
            row(
                f"nn.functional.grid_sample {mode} {padding} {corners} {len(shape) - 2}d",
                call_two("grid_sample", mode=mode, padding_mode=padding, align_corners=corners),
                real(*shape),
                real(*places, low=0.03, high=2.6),
                numerical=False,
                second=mode == "bilinear" and len(shape) == 4,
            )
        )
for corners in (False, True):
    ROWS += [
        row(
            f"nn.functional.affine_grid {size} {corners}",
            lambda T, x, size=size, corners=corners: T.nn.functional.affine_grid(x, size, align_corners=corners),
            real(2, len(size) - 2, len(size) - 1),
        )
        for size in ((2, 3, 4, 1), (2, 1, 2, 3, 4))
    ]
FAILS += [
    fails(
        "nn.functional.grid_sample",
        call_two("grid_sample", align_corners=False),
        real(2, 3, 4),
        real(2, 3, 1),
        match="grid_sample: the input",
    ),
    fails(
        "nn.functional.affine_grid",
        lambda T, x: T.nn.functional.affine_grid(x, (1, 1, 2, 2), False),
        real(2, 2, 2),
        match="affine_grid: theta",
        raises=ValueError,
    ),
]
