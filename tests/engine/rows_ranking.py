"""Rows of distances, of the losses of pairs and triples, of likelihoods, and of channels as pixels."""

from tests.engine.table import fails, given, positive, real, row

ROWS, FAILS = [], []
SIGNS = given([1.0, -1.0, 1.0, -1.0], grad=False)
REDUCTIONS = ("mean", "sum", "none")


def loss(name, *inputs, **settings):
    """A row for each reduction."""
    for reduction in REDUCTIONS:
        title = f"nn.functional.{name} {reduction} {settings or ''}".strip()
        function = lambda T, *xs, kw=settings, r=reduction: getattr(T.nn.functional, name)(*xs, reduction=r, **kw)
        ROWS.append(row(title, function, *inputs, numerical="eps" not in settings))


loss("margin_ranking_loss", real(4), real(4), SIGNS)
loss("margin_ranking_loss", real(4), real(4), SIGNS, margin=0.5)
loss("hinge_embedding_loss", real(4), SIGNS)
loss("hinge_embedding_loss", real(4), SIGNS, margin=1.7)
loss("soft_margin_loss", real(4), SIGNS)
loss("cosine_embedding_loss", real(4, 3), real(4, 3), SIGNS)
loss("cosine_embedding_loss", real(4, 3), real(4, 3), SIGNS, margin=0.2)
loss("cosine_embedding_loss", real(3), real(3), given(-1.0, grad=False))
loss("triplet_margin_loss", real(4, 3), real(4, 3), real(4, 3))
loss("triplet_margin_loss", real(4, 3), real(4, 3), real(4, 3), margin=3.0, p=1, swap=True)
loss("gaussian_nll_loss", real(4, 3), real(4, 3), positive(4, 3))
loss("gaussian_nll_loss", real(4, 3), real(4, 3), positive(4), full=True)
loss("gaussian_nll_loss", real(4, 3), real(4, 3), positive(4, 1), eps=1.0)
loss("poisson_nll_loss", real(4, 3), positive(4, 3, high=4.0, grad=False))
loss("poisson_nll_loss", positive(4, 3), positive(4, 3, high=4.0, grad=False), log_input=False, full=True)

ROWS += [
    row(
        "nn.functional.gaussian_nll_loss of a small var",
        lambda T, x, t, v: T.nn.functional.gaussian_nll_loss(x, t, v, eps=1.0),
        real(3),
        real(3),
        positive(3),
        numerical=False,
    ),
    row(
        "nn.functional.pairwise_distance",
        lambda T, a, b: T.nn.functional.pairwise_distance(a, b),
        real(4, 3),
        real(4, 3),
    ),
    row(
        "nn.functional.pairwise_distance p 1 kept",
        lambda T, a, b: T.nn.functional.pairwise_distance(a, b, 1, keepdim=True),
        real(4, 3),
        real(3),
    ),
    row("cdist", lambda T, a, b: T.cdist(a, b), real(4, 3), real(5, 3), tolerance=10),
    row("cdist batch", lambda T, a, b: T.cdist(a, b, p=1.0), real(2, 4, 3), real(2, 5, 3)),
    row("cdist p 3", lambda T, a, b: T.cdist(a, b, p=3.0), real(4, 3), real(5, 3)),
    row("cdist empty", lambda T, a, b: T.cdist(a, b), real(0, 3), real(5, 3)),
    row("nn.functional.pixel_shuffle", lambda T, x: T.nn.functional.pixel_shuffle(x, 2), real(2, 8, 3, 2)),
    row("nn.functional.pixel_shuffle unbatched", lambda T, x: T.nn.functional.pixel_shuffle(x, 3), real(9, 2, 2)),
    row("nn.functional.pixel_unshuffle", lambda T, x: T.nn.functional.pixel_unshuffle(x, 2), real(2, 3, 4, 6)),
    row("nn.functional.local_response_norm", lambda T, x: T.nn.functional.local_response_norm(x, 5), real(2, 7, 3, 2)),
    row(
        "nn.functional.local_response_norm even",
        lambda T, x: T.nn.functional.local_response_norm(x, 2, alpha=0.5, beta=0.6, k=2.0),
        real(2, 4, 3),
    ),
]
FAILS += [
    fails("cdist", lambda T, a, b: T.cdist(a, b), real(2, 3), real(2, 4), match="cdist.*lengths"),
    fails("pixel_shuffle", lambda T, x: T.nn.functional.pixel_shuffle(x, 2), real(1, 3, 2, 2), match="pixel_shuffle"),
    fails(
        "pixel_unshuffle", lambda T, x: T.nn.functional.pixel_unshuffle(x, 2), real(1, 3, 3, 2), match="pixel_unshuffle"
    ),
    fails(
        "margin_ranking_loss",
        lambda T, a, b: T.nn.functional.margin_ranking_loss(a, b, a, reduction="max"),
        real(3),
        real(3),
        match="margin_ranking_loss.*max",
    ),
    fails(
        "gaussian_nll_loss",
        lambda T, a, v: T.nn.functional.gaussian_nll_loss(a, a, v),
        real(3, 2),
        positive(4),
        match="gaussian_nll_loss.*var",
    ),
    fails(
        "cosine_embedding_loss",
        lambda T, a: T.nn.functional.cosine_embedding_loss(a, a, a),
        real(3, 2),
        match="cosine_embedding_loss",
    ),
]
