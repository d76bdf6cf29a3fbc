"""Rows of embeddings and bags of them."""

from tests.engine.table import constant, fails, given, integer, real, row

WORDS = given([[0, 2, 2], [4, 0, 1]])
FLAT, OFFSETS = given([4, 0, 2, 2, 1]), given([0, 2, 2])


def bag(name, function, *inputs):
    """PyTorch has no second derivative of a bag."""
    return row(f"nn.functional.embedding_bag {name}".strip(), function, *inputs, second=False)


ROWS = [
    row("nn.functional.embedding", lambda T, i, w: T.nn.functional.embedding(i, w), WORDS, real(5, 3)),
    row(
        "nn.functional.embedding padding",
        lambda T, i, w: T.nn.functional.embedding(i, w, padding_idx=2),
        WORDS,
        real(5, 3),
        numerical=False,
    ),
    row(
        "nn.functional.embedding padding from the end",
        lambda T, i, w: T.nn.functional.embedding(i, w, padding_idx=-5),
        WORDS,
        real(5, 3),
        numerical=False,
    ),
    row(
        "nn.functional.embedding int32", lambda T, i, w: T.nn.functional.embedding(i, w), given(3, "int32"), real(5, 3)
    ),
    row(
        "nn.functional.embedding of nothing",
        lambda T, i, w: T.nn.functional.embedding(i, w),
        integer(2, 0),
        real(5, 3),
        second=False,
    ),
    row("nn.functional.embedding tied", lambda T, i, w: T.nn.functional.embedding(i, w) @ w.T, WORDS, real(5, 3)),
    row(
        "nn.functional.embedding max_norm",
        lambda T, i, w: T.nn.functional.embedding(i, w, max_norm=1.5, norm_type=1.0),
        WORDS,
        real(5, 3),
        numerical=False,
    ),
    row(
        "nn.functional.embedding frequencies",
        lambda T, i, w: T.nn.functional.embedding(i, w, scale_grad_by_freq=True),
        WORDS,
        real(5, 3),
        numerical=False,
        second=False,  # PyTorch's leaves the frequencies out
    ),
    bag("", lambda T, i, w: T.nn.functional.embedding_bag(i, w), WORDS, real(5, 3)),
    bag("offsets", lambda T, i, w, o: T.nn.functional.embedding_bag(i, w, o, mode="sum"), FLAT, real(5, 3), OFFSETS),
    bag("mean", lambda T, i, w, o: T.nn.functional.embedding_bag(i, w, o, mode="mean"), FLAT, real(5, 3), OFFSETS),
    bag(
        "max",
        lambda T, i, w, o: T.nn.functional.embedding_bag(i, w, o, mode="max"),
        FLAT,
        real(5, 3),
        OFFSETS,
    ),
    bag("max of rows", lambda T, i, w: T.nn.functional.embedding_bag(i, w, mode="max"), WORDS, real(5, 3)),
    bag(
        "last offset",
        lambda T, i, w, o: T.nn.functional.embedding_bag(i, w, o, mode="sum", include_last_offset=True),
        FLAT,
        real(5, 3),
        given([0, 3, 5]),
    ),
    bag(
        "padding",
        lambda T, i, w, o: T.nn.functional.embedding_bag(i, w, o, padding_idx=2),
        FLAT,
        real(5, 3),
        given([0, 2, 4]),
    ),
    bag(
        "padding, max",
        lambda T, i, w, o: T.nn.functional.embedding_bag(i, w, o, padding_idx=-3, mode="max"),
        FLAT,
        real(5, 3),
        given([0, 2, 4]),
    ),
    bag(
        "weighted",
        lambda T, i, w, s: T.nn.functional.embedding_bag(i, w, mode="sum", per_sample_weights=s),
        WORDS,
        real(5, 3),
        real(2, 3),
    ),
]
FAILS = [
    fails(
        "nn.functional.embedding",
        lambda T, i, w: T.nn.functional.embedding(i, w),
        WORDS,
        real(4, 3),
        match="indices from 0 to 4.*size 4",
    ),
    fails(
        "nn.functional.embedding negative",
        lambda T, i, w: T.nn.functional.embedding(i, w),
        given([-1]),
        real(4, 3),
        match="indices from -1",
    ),
    fails(
        "nn.functional.embedding float",
        lambda T, i, w: T.nn.functional.embedding(i, w),
        constant(2),
        real(4, 3),
        match="float32",
    ),
    fails(
        "nn.functional.embedding_bag mode",
        lambda T, i, w: T.nn.functional.embedding_bag(i, w, mode="median"),
        WORDS,
        real(5, 3),
        match='mode is "sum"',
        raises=ValueError,
    ),
    fails(
        "nn.functional.embedding_bag without offsets",
        lambda T, i, w: T.nn.functional.embedding_bag(i, w),
        FLAT,
        real(5, 3),
        match="with offsets",
        raises=ValueError,
    ),
    fails(
        "nn.functional.embedding_bag offsets",
        lambda T, i, w, o: T.nn.functional.embedding_bag(i, w, o),
        FLAT,
        real(5, 3),
        given([1, 2]),
        match="from 0 on",
        raises=ValueError,
    ),
    fails(
        "nn.functional.embedding_bag weights",
        lambda T, i, w, s: T.nn.functional.embedding_bag(i, w, per_sample_weights=s),
        WORDS,
        real(5, 3),
        real(2, 3),
        match='need mode="sum"',
        raises=NotImplementedError,
    ),
]
