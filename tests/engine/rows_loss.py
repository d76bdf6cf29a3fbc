"""Rows of the losses."""

import math

import numpy as np

from tests.engine.table import boolean, constant, fails, given, integer, positive, real, row

ROWS, FAILS = [], []
REDUCTIONS = ("mean", "sum", "none")


def call(name, **settings):
    return lambda T, *xs: getattr(T.nn.functional, name)(*xs, **settings)


# --- numbers ---

for name, settings in {
    "mse_loss": [{}],
    "l1_loss": [{}],
    "smooth_l1_loss": [{}, dict(beta=0.5), dict(beta=0.0)],
    "huber_loss": [{}, dict(delta=0.5), dict(delta=2.5)],
}.items():
    for chosen in settings:
        label = f"nn.functional.{name} {' '.join(f'{k}={v}' for k, v in chosen.items())}"
        ROWS += [
            row(f"{label} {reduction}", call(name, reduction=reduction, **chosen), real(3, 4), real(3, 4))
            for reduction in REDUCTIONS
        ]
        ROWS += [
            row(f"{label} broadcast", call(name, **chosen), real(3, 4), real(4)),
            row(f"{label} 0-d", call(name, **chosen), real(), real()),
            row(f"{label} empty", call(name, **chosen), real(0, 3), real(0, 3)),
            row(
                f"{label} equal",
                call(name, **chosen),
                given([1.0, -2.0]),
                given([1.0, -2.0]),
                second=False,
                numerical=False,
            ),
        ]
    if name == "l1_loss":  # the backward of PyTorch's others fails
        ROWS += [row(f"nn.functional.{name} with integers", call(name), real(4), integer(4))]
    FAILS += [
        fails(f"nn.functional.{name}", call(name), real(3), real(4), match=r"\(3,\).*\(4,\)"),
        fails(
            f"nn.functional.{name} of integers",
            call(name),
            integer(3),
            integer(3),
            match=name.split("_")[0],
            raises=RuntimeError,
        ),
        fails(f"nn.functional.{name} reduction", call(name, reduction="avg"), real(3), real(3), match="avg"),
        fails(
            f"nn.functional.{name} weight",
            call(name, weight=2.0),
            real(3),
            real(3),
            match="weight",
            raises=(NotImplementedError, TypeError),
        ),
    ]
FAILS += [
    fails("nn.functional.huber_loss delta", call("huber_loss", delta=0.0), real(3), real(3), match="delta"),
    fails("nn.functional.smooth_l1_loss beta", call("smooth_l1_loss", beta=-1.0), real(3), real(3), match="beta"),
    fails(
        "nn.functional.mse_loss reduce",
        call("mse_loss", reduce=False),
        real(3),
        real(3),
        match="reduce",
        raises=NotImplementedError,
    ),
]

# --- probabilities ---

P = positive(3, 4, low=0.05, high=0.95)
for reduction in REDUCTIONS:
    r = dict(reduction=reduction)
    ROWS += [
        row(f"nn.functional.binary_cross_entropy {reduction}", call("binary_cross_entropy", **r), P, P),
        row(f"nn.functional.binary_cross_entropy weight {reduction}", call("binary_cross_entropy", **r), P, P, constant(4)),
        row(f"nn.functional.binary_cross_entropy_with_logits {reduction}", call("binary_cross_entropy_with_logits", **r), real(3, 4), P),
        row(
            f"nn.functional.binary_cross_entropy_with_logits weights {reduction}",
            lambda T, x, t, w, p, r=r: T.nn.functional.binary_cross_entropy_with_logits(x, t, w, pos_weight=p, **r),
            real(3, 4), P, constant(3, 1), constant(4, signed=False),
        ),
    ]  # fmt: skip
for reduction in (*REDUCTIONS, "batchmean"):
    r = dict(reduction=reduction)
    ROWS += [
        row(f"nn.functional.kl_div {reduction}", call("kl_div", **r), real(3, 4), P),
        row(
            f"nn.functional.kl_div log_target {reduction}", call("kl_div", log_target=True, **r), real(3, 4), real(3, 4)
        ),
    ]
ROWS += [
    row(
        "nn.functional.binary_cross_entropy at the ends",
        call("binary_cross_entropy", reduction="none"),
        given([0.0, 1.0, 0.0, 1.0]),
        given([0.0, 1.0, 1.0, 0.0], grad=False),
        second=False,
        numerical=False,
        tolerance=10,
    ),
    row(
        "nn.functional.binary_cross_entropy_with_logits loud",
        call("binary_cross_entropy_with_logits", reduction="none"),
        given([300.0, -300.0, 0.0, 1e4]),
        given([0.0, 1.0, 0.5, 1.0]),
    ),
    row(
        "nn.functional.binary_cross_entropy_with_logits loud, pos_weight",
        lambda T, x, t: T.nn.functional.binary_cross_entropy_with_logits(
            x, t, pos_weight=T.tensor(3.0, dtype=x.dtype, device=x.device)
        ),
        given([300.0, -300.0, 0.0]),
        given([0.0, 1.0, 0.5], grad=False),
    ),
    row(
        "nn.functional.binary_cross_entropy_with_logits empty",
        call("binary_cross_entropy_with_logits"),
        real(0),
        real(0),
    ),
    row("nn.functional.kl_div at 0", call("kl_div", reduction="none"), real(3), given([0.0, 0.5, 1.0], grad=False)),
    row("nn.functional.kl_div broadcast", call("kl_div", reduction="sum"), real(3, 4), positive(4)),
]
FAILS += [
    fails(
        "nn.functional.binary_cross_entropy",
        call("binary_cross_entropy"),
        given([1.5]),
        given([1.0]),
        match="input must lie between 0 and 1",
    ),
    fails(
        "nn.functional.binary_cross_entropy target",
        call("binary_cross_entropy"),
        given([0.5]),
        given([1.5]),
        match="target must lie between 0 and 1",
    ),
    fails(
        "nn.functional.binary_cross_entropy shape",
        call("binary_cross_entropy"),
        P,
        positive(4, high=0.9),
        match=r"\(3, 4\) and target \(4,\)",
    ),
    fails(
        "nn.functional.binary_cross_entropy_with_logits shape",
        call("binary_cross_entropy_with_logits"),
        P,
        positive(4),
        match=r"\(3, 4\) and target \(4,\)",
    ),
    fails("nn.functional.kl_div reduction", call("kl_div", reduction="avg"), P, P, match="avg"),
]

# --- classes ---

WEIGHT = given([0.5, 2.0, 0.0, 1.5, 0.7], grad=False)
CLASSES = {
    "": (real(6, 5), given([0, 4, 2, 2, 1, 3])),
    "one row": (real(1, 5), given([3])),
    "a vector": (real(5), given(3)),
    "pixels": (real(2, 5, 3, 2), given([[[0, 1], [2, 3], [4, 4]], [[2, 2], [1, 0], [3, 3]]])),
    "a sequence": (real(2, 5, 3), given([[0, 1, 4], [2, 2, 3]])),
    "ignored": (real(6, 5), given([0, -100, 2, -100, 1, 3])),
    "uint8": (real(3, 5), given([0, 4, 2], "uint8")),
    "no rows": (real(0, 5), integer(0)),
    "no pixels": (real(2, 5, 0), integer(2, 0)),
    "all ignored": (real(2, 5), given([-100, -100])),
    "a single class": (real(3, 1), given([0, 0, 0])),
}
for label, (x, t) in CLASSES.items():
    for reduction in REDUCTIONS:
        r = dict(reduction=reduction)
        nan = dict(second=False, numerical=False) if label in ("no rows", "no pixels", "all ignored", "uint8") else {}
        for name in ("cross_entropy", "nll_loss"):
            ROWS += [row(f"nn.functional.{name} {label} {reduction}", call(name, **r), x, t, **nan)]
            if label != "a single class":
                ROWS += [
                    row(
                        f"nn.functional.{name} weight {label} {reduction}",
                        lambda T, x, t, w, n=name, r=r: getattr(T.nn.functional, n)(x, t, w, **r),
                        x,
                        t,
                        WEIGHT,
                        **nan,
                    )
                ]
        ROWS += [
            row(
                f"nn.functional.cross_entropy smoothed {label} {reduction}",
                call("cross_entropy", label_smoothing=0.1, **r),
                x,
                t,
                **nan,
            )
        ]
        if label != "a single class":
            smoothed = lambda T, x, t, w, r=r: T.nn.functional.cross_entropy(x, t, w, label_smoothing=0.3, **r)
            if label != "uint8":  # which PyTorch cannot gather with
                ROWS += [
                    row(
                        f"nn.functional.cross_entropy smoothed weight {label} {reduction}",
                        smoothed,
                        x,
                        t,
                        WEIGHT,
                        **nan,
                    )
                ]
for shape in ((6, 5), (2, 5, 3), (5,), (0, 5), (2, 5, 2, 2)):
    for reduction in REDUCTIONS:
        nan = dict(second=False, numerical=False) if 0 in shape else {}
        f = lambda T, x, q, w=None, r=reduction, **s: T.nn.functional.cross_entropy(x, q, w, reduction=r, **s)
        ROWS += [
            row(
                f"nn.functional.cross_entropy probabilities {shape} {reduction}",
                f,
                real(*shape),
                positive(*shape),
                **nan,
            ),
            row(
                f"nn.functional.cross_entropy probabilities {shape} weight {reduction}",
                f,
                real(*shape),
                positive(*shape),
                WEIGHT,
                **nan,
            ),
            row(
                f"nn.functional.cross_entropy probabilities {shape} smoothed {reduction}",
                lambda T, x, q, w, f=f: f(T, x, q, w, label_smoothing=0.2),
                real(*shape),
                positive(*shape),
                WEIGHT,
                **nan,
            ),
        ]
IGNORED = given([[3.0, 1.0], [math.nan, -math.inf]])
ROWS += [
    row("nn.functional.cross_entropy ignore_index", call("cross_entropy", ignore_index=2), *CLASSES[""]),
    row("nn.functional.nll_loss ignore_index", call("nll_loss", ignore_index=2), *CLASSES[""]),
    row(
        "nn.functional.cross_entropy loud",
        lambda T, x, t: T.nn.functional.cross_entropy(x * 300, t, reduction="none"),
        *CLASSES[""],
        numerical=False,
    ),
    row(
        "nn.functional.cross_entropy −∞",
        call("cross_entropy"),
        given([[1.0, -math.inf, 2.0], [-math.inf, 0.5, 0.0]]),
        given([0, 2]),
        numerical=False,
    ),
    row(
        "nn.functional.cross_entropy infinite",
        call("cross_entropy"),
        given([[1.0, -math.inf, 2.0], [0.5, 0.5, 0.0]]),
        given([1, 2]),
        second=False,
        numerical=False,
    ),
    row(
        "nn.functional.cross_entropy ignored NaN",
        call("cross_entropy", ignore_index=1),
        IGNORED,
        given([0, 1]),
        gradient=False,
    ),
    row(
        "nn.functional.nll_loss ignored NaN",
        call("nll_loss", ignore_index=1),
        IGNORED,
        given([0, 1]),
        second=False,
        numerical=False,
    ),
    row(
        "nn.functional.cross_entropy mean then scaled",
        lambda T, x, t: T.nn.functional.cross_entropy(x, t) * 2.5,
        *CLASSES[""],
    ),
    row("nn.functional.cross_entropy smoothing 1", call("cross_entropy", label_smoothing=1.0), *CLASSES[""]),
]
for name in ("cross_entropy", "nll_loss"):
    f = call(name)
    FAILS += [
        fails(
            f"nn.functional.{name} class", f, real(2, 3), given([0, 3]), match="from 0 to 3, but there are 3 classes"
        ),
        fails(f"nn.functional.{name} negative class", f, real(2, 3), given([-1, 0]), match="from -1 to 0"),
        fails(
            f"nn.functional.{name} batch",
            f,
            real(2, 3),
            given([0, 1, 2]),
            match=r"input \(2, 3\) needs a target of shape \(2,\), not \(3,\)",
        ),
        fails(
            f"nn.functional.{name} pixels",
            f,
            real(2, 3, 4),
            integer(2, 5, low=0, high=3),
            match=r"of shape \(2, 4\), not \(2, 5\)",
            raises=RuntimeError,
        ),
        fails(f"nn.functional.{name} target dtype", f, real(2, 3), given([0, 1], "int32"), match="int64, not int32"),
        fails(f"nn.functional.{name} float target", f, real(2, 3), constant(2), match="float32"),
        fails(f"nn.functional.{name} bool target", f, real(2, 3), boolean(2), match="bool"),
        fails(
            f"nn.functional.{name} weight",
            lambda T, x, t, w, f=f: f(T, x, t, w),
            real(2, 3),
            given([0, 1]),
            constant(2),
            match=r"weight \(2,\).*3 classes",
        ),
        fails(
            f"nn.functional.{name} weight dtype",
            lambda T, x, t, w, f=f: f(T, x, t, w),
            real(2, 3),
            given([0, 1]),
            given(np.ones(3), "float64", grad=False),
            match="float64",
        ),
        fails(f"nn.functional.{name} reduction", call(name, reduction="avg"), real(2, 3), given([0, 1]), match="avg"),
        fails(f"nn.functional.{name} of integers", f, integer(2, 3), given([0, 1]), match="int64", raises=RuntimeError),
        fails(
            f"nn.functional.{name} size_average",
            call(name, size_average=True),
            real(2, 3),
            given([0, 1]),
            match="size_average",
            raises=NotImplementedError,
        ),
    ]
FAILS += [
    fails(
        "nn.functional.cross_entropy label_smoothing",
        call("cross_entropy", label_smoothing=1.5),
        real(2, 3),
        given([0, 1]),
        match="1.5",
    ),
    fails(
        "nn.functional.cross_entropy ignored probabilities",
        call("cross_entropy", ignore_index=0),
        real(2, 3),
        constant(2, 3),
        match="ignore_index",
    ),
]
