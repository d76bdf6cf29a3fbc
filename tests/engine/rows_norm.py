"""Rows of the norms: the ranks of their inputs, with and without weight and bias, in training and evaluation, and the running averages."""

from tests.engine.table import constant, fails, integer, positive, real, row

ROWS, FAILS = [], []


def call(name, *args, **options):
    return lambda T, *xs: getattr(T.nn.functional, name)(*xs, *args, **options)


def batch(T, x, mean, var, *parameters, **options):
    return T.nn.functional.batch_norm(x, mean, var, *parameters, **options)


def without_weight(name, *args):
    return lambda T, x, bias: getattr(T.nn.functional, name)(x, *args, bias=bias)


def running(name, momentum):
    """The running averages after two calls, which change them in place."""

    def function(T, x, mean, var):
        mean, var = mean.clone(), var.clone()
        for _ in range(2):
            options = {"training": True} if name == "batch_norm" else {}
            getattr(T.nn.functional, name)(x, mean, var, momentum=momentum, **options)
            x = x * 1.5 + 1
        return mean.detach(), var.detach()

    return function


SHAPES = [(5, 3), (4, 3, 5), (2, 3, 2, 3), (2, 3, 1, 2, 2)]
for shape in SHAPES:
    stats = constant(3), positive(3, grad=False)
    few = len(shape) in (2, 4)
    ROWS += [
        row(
            f"nn.functional.batch_norm {shape}",
            lambda T, x, w, b: batch(T, x, None, None, w, b, training=True),
            real(*shape),
            real(3),
            real(3),
            numerical=few,
        ),
        row(
            f"nn.functional.batch_norm evaluation {shape}", batch, real(*shape), *stats, real(3), real(3), numerical=few
        ),
        row(f"nn.functional.batch_norm evaluation plain {shape}", batch, real(*shape), *stats),
        row(
            f"nn.functional.batch_norm running {shape}",
            running("batch_norm", 0.3),
            constant(*shape),
            *stats,
            numerical=False,
        ),
    ]
    if len(shape) > 2:
        ROWS += [
            row(f"nn.functional.group_norm {shape}", lambda T, x, w, b: T.nn.functional.group_norm(x, 3, w, b), real(*shape), real(3), real(3), numerical=few),
            row(
                f"nn.functional.instance_norm {shape}", lambda T, x, w, b: T.nn.functional.instance_norm(x, None, None, w, b),
                real(*shape), real(3), real(3), numerical=few,
            ),
            row(f"nn.functional.instance_norm running {shape}", running("instance_norm", 0.3), constant(*shape), *stats, numerical=False),
        ]  # fmt: skip
    ROWS += [
        row(f"nn.functional.layer_norm {shape}", call("layer_norm", shape[-1:]), real(*shape), numerical=few),
        row(
            f"nn.functional.layer_norm {shape} affine",
            lambda T, x, w, b: T.nn.functional.layer_norm(x, w.shape, w, b),
            *[real(*shape), real(*shape[1:]), real(*shape[1:])],
            numerical=few,
        ),
    ]  # fmt: skip

ROWS += [
    row("nn.functional.batch_norm eps", lambda T, x, w, b: T.nn.functional.batch_norm(x, None, None, w, b, True, 0.1, 0.5), real(3, 2, 2), real(2), real(2)),
    row("nn.functional.batch_norm without weight", lambda T, x: batch(T, x, None, None, training=True), real(4, 3, 2), second=False),  # PyTorch fails
    row("nn.functional.batch_norm of nothing kept", lambda T, x, w: batch(T, x, None, None, w, training=True), real(4, 3), real(3), second=False),
    row("nn.functional.group_norm of one group", lambda T, x, w, b: T.nn.functional.group_norm(x, 1, w, b, 0.1), real(2, 4, 3), real(4), real(4)),
    row("nn.functional.group_norm without weight", call("group_norm", 2), real(2, 4, 2, 2)),
    row("nn.functional.group_norm of rows", lambda T, x, w, b: T.nn.functional.group_norm(x, 2, w, b), real(3, 4), real(4), real(4)),
    row("group_norm", lambda T, x: T.group_norm(x, 2), real(2, 4, 3)),
    row("nn.functional.instance_norm", call("instance_norm"), real(2, 3, 4), second=False),  # PyTorch fails without a weight
    row(
        "nn.functional.instance_norm by running averages",
        lambda T, x, m, v, w, b: T.nn.functional.instance_norm(x, m, v, w, b, use_input_stats=False),
        real(2, 3, 4), constant(3), positive(3, grad=False), real(3), real(3),
    ),
    row("nn.functional.instance_norm eps", lambda T, x: T.nn.functional.instance_norm(x, eps=0.5), real(2, 3, 4), second=False),
    row("layer_norm", lambda T, x, w, b: T.layer_norm(x, (4,), w, b), real(3, 4), real(4), real(4)),
    row("nn.functional.layer_norm of one vector", lambda T, x, w, b: T.nn.functional.layer_norm(x, (4,), w, b, 0.1), real(4), real(4), real(4)),
    row("nn.functional.layer_norm without bias", lambda T, x, w: T.nn.functional.layer_norm(x, (4,), w), real(2, 3, 4), real(4)),
    row("nn.functional.layer_norm of size 1", lambda T, x, w, b: T.nn.functional.layer_norm(x, (1,), w, b), real(3, 1), real(1), real(1)),
    row("nn.functional.rms_norm", lambda T, x, w: T.nn.functional.rms_norm(x, (4,), w), real(2, 3, 4), real(4)),
    row("nn.functional.rms_norm plain", call("rms_norm", (3, 4)), real(2, 3, 4)),
    row("nn.functional.rms_norm eps", lambda T, x: T.nn.functional.rms_norm(x, (4,), eps=0.5), real(3, 4)),
    row("rms_norm", lambda T, x: T.rms_norm(x, (4,)), real(3, 4)),
]  # fmt: skip

FAILS += [
    fails("nn.functional.batch_norm one value", lambda T, x: batch(T, x, None, None, training=True), real(1, 3), match="more than one value"),
    fails("nn.functional.batch_norm evaluation", lambda T, x: batch(T, x, None, None), real(4, 3), match="running_mean and running_var"),
    fails(
        "nn.functional.batch_norm weight",
        lambda T, x, w: batch(T, x, None, None, w, training=True),
        *[real(4, 3), real(2)],
        match=r"weight \(2,\) must be \(3,\)",
    ),
    fails("nn.functional.batch_norm mean", batch, real(4, 3), real(2), real(3), match=r"running_mean \(2,\) must be \(3,\)"),
    fails("nn.functional.batch_norm dtype", lambda T, x: batch(T, x, None, None, training=True), integer(4, 3), match="floating"),
    fails("nn.functional.layer_norm dtype", call("layer_norm", (4,)), integer(2, 4), match="floating"),
    fails("nn.functional.layer_norm", call("layer_norm", (3,)), real(2, 4), match=r"normalized_shape \(3,\) must be the last sizes"),
    fails("nn.functional.layer_norm weight", lambda T, x, w: T.nn.functional.layer_norm(x, (4,), w), real(2, 4), real(3), match="must be normalized_shape"),
    fails("nn.functional.group_norm", call("group_norm", 3), real(2, 4, 3), match="4 channels cannot be divided into 3"),
    fails("nn.functional.instance_norm", call("instance_norm"), real(2, 4, 1), match="more than one value"),
    fails("nn.functional.rms_norm", call("rms_norm", (3,)), real(2, 4), match="must be the last sizes"),
]  # fmt: skip
