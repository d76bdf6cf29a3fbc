"""Rows of the products of matrices, einsum, norms and linear equations."""

import math

from tests.engine.table import boolean, fails, given, integer, positive, real, row

ROWS, FAILS = [], []

# --- products ---

SHAPES = [
    ((3, 4), (4, 5)), ((4,), (4,)), ((4,), (4, 5)), ((3, 4), (4,)), ((2, 3, 4), (4, 5)), ((2, 3, 4), (4,)), ((4,), (2, 4, 5)),
    ((3, 4), (2, 4, 5)), ((2, 3, 4), (2, 4, 5)), ((2, 1, 3, 4), (5, 4, 2)), ((1, 3, 4), (2, 4, 5)), ((2, 2, 3, 4), (4, 5)),
    ((0, 4), (4, 5)), ((2, 3, 0), (0, 4)), ((2, 0, 3), (3, 4)), ((3, 4), (4, 0)), ((0,), (0,)), ((1, 1), (1, 1)), ((2, 0, 3, 4), (4, 5)),
]  # fmt: skip
for a, b in SHAPES:
    ROWS.append(row(f"matmul {a} @ {b}", lambda T, x, y: T.matmul(x, y), real(*a), real(*b)))
ROWS += [
    row("Tensor.matmul", lambda T, x, y: x.matmul(y), real(3, 4), real(4, 5)),
    row("Tensor.__matmul__", lambda T, x, y: x @ y, real(3, 4), real(4, 5)),
    row("Tensor.__rmatmul__", lambda T, x, y: x.__rmatmul__(y), real(4, 5), real(3, 4)),
    row("matmul of integers", lambda T, x, y: x @ y, integer(3, 4), integer(4, 5)),
    row("matmul of a tensor with itself", lambda T, x: x @ x.mT @ x, real(3, 4)),
    row("matmul of transposed halves", lambda T, x, y: x.mT[1:] @ y.mT, real(2, 4, 3), real(5, 4)),
    row("mm", lambda T, x, y: T.mm(x, y), real(3, 4), real(4, 5)),
    row("spmm", lambda T, x, y: T.spmm(x, y), real(3, 4), real(4, 5)),
    row("Tensor.mm", lambda T, x, y: x.mm(y), real(3, 4), real(4, 5)),
    row("bmm", lambda T, x, y: T.bmm(x, y), real(2, 3, 4), real(2, 4, 5)),
    row("Tensor.bmm", lambda T, x, y: x.bmm(y), real(2, 3, 4), real(2, 4, 5)),
    row("mv", lambda T, x, y: T.mv(x, y), real(3, 4), real(4)),
    row("Tensor.mv", lambda T, x, y: x.mv(y), real(3, 4), real(4)),
    row("dot", lambda T, x, y: T.dot(x, y), real(4), real(4)),
    row("Tensor.dot", lambda T, x, y: x.dot(y), real(4), real(4)),
    row("outer", lambda T, x, y: T.outer(x, y), real(3), real(4)),
    row("Tensor.outer", lambda T, x, y: x.outer(y), real(3), real(4)),
    row("addmm", lambda T, x, y, z: T.addmm(x, y, z), real(3, 5), real(3, 4), real(4, 5)),
    row("addmm beta alpha", lambda T, x, y, z: T.addmm(x, y, z, beta=0.5, alpha=2.0), real(5), real(3, 4), real(4, 5)),
    row(
        "addmm beta 0",
        lambda T, x, y, z: T.addmm(x, y, z, beta=0),
        given([math.nan], grad=False),
        real(3, 4),
        real(4, 5),
    ),
    row("Tensor.addmm", lambda T, x, y, z: x.addmm(y, z), real(3, 5), real(3, 4), real(4, 5)),
    row(
        "baddbmm", lambda T, x, y, z: T.baddbmm(x, y, z, beta=0.5, alpha=2.0), real(1, 5), real(2, 3, 4), real(2, 4, 5)
    ),
    row("Tensor.baddbmm", lambda T, x, y, z: x.baddbmm(y, z), real(2, 3, 5), real(2, 3, 4), real(2, 4, 5)),
    row("nn.functional.linear", lambda T, x, w, b: T.nn.functional.linear(x, w, b), real(3, 4), real(5, 4), real(5)),
    row("nn.functional.linear without bias", lambda T, x, w: T.nn.functional.linear(x, w), real(3, 4), real(5, 4)),
    row(
        "nn.functional.linear of a vector",
        lambda T, x, w, b: T.nn.functional.linear(x, w, b),
        real(4),
        real(5, 4),
        real(5),
    ),
    row(
        "nn.functional.linear of a batch",
        lambda T, x, w, b: T.nn.functional.linear(x, w, b),
        real(2, 3, 4),
        real(5, 4),
        real(5),
    ),
    row(
        "nn.functional.linear of nothing",
        lambda T, x, w, b: T.nn.functional.linear(x, w, b),
        real(0, 4),
        real(5, 4),
        real(5),
    ),
    row(
        "nn.functional.linear with one bias",
        lambda T, x, w, b: T.nn.functional.linear(x, w, b),
        real(3, 4),
        real(5, 4),
        real(1),
    ),
    row("nn.functional.linear with a vector", lambda T, x, w: T.nn.functional.linear(x, w), real(2, 3, 4), real(4)),
    row(
        "nn.functional.bilinear",
        lambda T, x, y, w, b: T.nn.functional.bilinear(x, y, w, b),
        real(2, 3),
        real(2, 4),
        real(5, 3, 4),
        real(5),
    ),
    row(
        "nn.functional.bilinear of a batch, without bias",
        lambda T, x, y, w: T.nn.functional.bilinear(x, y, w),
        real(2, 3, 2),
        real(2, 3, 4),
        real(5, 2, 4),
    ),
]
FAILS += [
    fails(
        "nn.functional.bilinear",
        lambda T, x, y, w: T.nn.functional.bilinear(x, y, w),
        real(2, 3),
        real(2, 4),
        real(5, 4, 3),
        match="do not fit",
    ),
    fails(
        "matmul",
        lambda T, x, y: T.matmul(x, y),
        real(32, 784),
        real(256, 10),
        match=r"matmul: \(32, 784\) @ \(256, 10\): inner dimensions 784 and 256 differ",
    ),
    fails(
        "matmul batches",
        lambda T, x, y: T.matmul(x, y),
        real(2, 3, 4),
        real(3, 4, 5),
        match=r"leading dimensions: shapes \(2,\) and \(3,\) do not broadcast",
    ),
    fails("matmul 0-d", lambda T, x, y: T.matmul(x, y), real(), real(3), match="at least one dimension"),
    fails("matmul dtypes", lambda T, x, y: T.matmul(x, y), real(3, 4), integer(4, 5), match="float32 and int64 differ"),
    fails("matmul of bools", lambda T, x, y: T.matmul(x, y), boolean(3, 4), boolean(4, 5), match="boolean"),
    fails("matmul with a number", lambda T, x: T.matmul(x, 3.0), real(3, 4), match="float"),
    fails("mm", lambda T, x, y: T.mm(x, y), real(2, 3, 4), real(4, 5), match=r"mm: needs 2 and 2 dimensions"),
    fails("bmm", lambda T, x, y: T.bmm(x, y), real(1, 3, 4), real(2, 4, 5), match="batch sizes 1 and 2"),
    fails("mv", lambda T, x, y: T.mv(x, y), real(3, 4), real(4, 1), match="mv"),
    fails("dot", lambda T, x, y: T.dot(x, y), real(3), real(4), match="inner dimensions 3 and 4"),
    fails("outer", lambda T, x, y: T.outer(x, y), real(3, 1), real(4), match="two vectors"),
    fails(
        "nn.functional.linear",
        lambda T, x, w: T.nn.functional.linear(x, w),
        real(3, 4),
        real(5, 3),
        match=r"input \(3, 4\), weight \(5, 3\)",
    ),
]

# --- einsum ---

EQUATIONS = [
    ("ij,jk->ik", (2, 3), (3, 4)), ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)), ("bhtd,bhsd->bhts", (2, 2, 3, 4), (2, 2, 5, 4)),
    ("ii->i", (3, 3)), ("ii", (3, 3)), ("ij->ji", (2, 3)), ("ij->", (2, 3)), ("ba", (2, 3)), ("i,j->ij", (2,), (3,)), ("i,i->", (3,), (3,)),
    ("...ij,...jk->...ik", (2, 3, 4), (4, 5)), ("...ij,...jk", (2, 1, 3, 4), (5, 4, 2)), ("b...->...", (2, 3, 4)), ("...", (2, 3)),
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 5)), ("iij,jk->ik", (3, 3, 4), (4, 5)), ("ij,k->i", (2, 3), (4,)), ("abc,cd->abd", (2, 3, 4), (4, 5)),
    ("nhwc,hcd->nhwd", (2, 3, 2, 4), (3, 4, 5)), ("ij,ij->ij", (2, 3), (1, 3)), ("bn,anm,bm->ba", (2, 3), (5, 3, 4), (2, 4)),
    ("ab,ab,ab->b", (2, 3), (2, 3), (2, 3)), ("aab,b->a", (2, 2, 3), (3,)), ("a,b,a->b", (2,), (3,), (2,)), ("ij,jk->ik", (0, 3), (3, 4)),
    ("ij,jk->ik", (2, 0), (0, 4)), (" i j , j k -> i k ", (2, 3), (3, 4)), ("iii->i", (2, 2, 2)),
]  # fmt: skip
for equation, *shapes in EQUATIONS:
    function = lambda T, *xs, equation=equation: T.einsum(equation, *xs)
    ROWS.append(row(f"einsum {equation}", function, *[real(*shape) for shape in shapes]))
ROWS += [
    row(
        "einsum of two dtypes, nothing summed", lambda T, x, y: T.einsum("ij,jk->ijk", x, y), real(2, 3), integer(3, 4)
    ),
    row("einsum of a list", lambda T, x, y: T.einsum("ij,jk", [x, y]), real(2, 3), real(3, 4)),
    row("einsum of integers", lambda T, x, y: T.einsum("ij,jk", x, y), integer(2, 3), integer(3, 4)),
]
FAILS += [
    fails(
        "einsum sizes",
        lambda T, x, y: T.einsum("ij,jk->ik", x, y),
        real(2, 3),
        real(4, 5),
        match="size 3 in one operand and 4 in another",
    ),
    fails("einsum count", lambda T, x: T.einsum("ij,jk->ik", x), real(2, 3), match="names 2 operands, but 1"),
    fails("einsum rank", lambda T, x: T.einsum("ijk->i", x), real(2, 3), match="does not name the 2 dimensions"),
    fails("einsum output", lambda T, x: T.einsum("ij->ik", x), real(2, 3), match="output"),
    fails("einsum output twice", lambda T, x: T.einsum("ij->ii", x), real(2, 3), match="each once"),
    fails("einsum letters", lambda T, x: T.einsum("i1->i", x), real(2, 3), match="letters"),
]

# --- norms and angles ---

for ord in (None, 1, 2, 3, 0.5, math.inf, -math.inf, 0):
    ROWS += [
        row(f"linalg.norm {ord} of a vector", lambda T, x, o=ord: T.linalg.norm(x, o), real(5), numerical=ord != 0)
    ]
    if ord is not None:
        ROWS += [
            row(
                f"linalg.vector_norm {ord}",
                lambda T, x, o=ord: T.linalg.vector_norm(x, o),
                real(3, 4),
                numerical=ord != 0,
            ),
            row(
                f"linalg.vector_norm {ord} dim",
                lambda T, x, o=ord: T.linalg.vector_norm(x, o, dim=1, keepdim=True),
                real(3, 4),
                numerical=ord != 0,
            ),
        ]
for ord in ("fro", 1, -1, math.inf, -math.inf):
    no_tie = given([[1.0, -0.5, 3.0, 0.2], [-2.0, 0.3, -0.4, 0.9], [0.6, 4.0, -0.7, 1.1]])
    ROWS += [
        row(f"linalg.norm {ord} of a matrix", lambda T, x, o=ord: T.linalg.norm(x, o), no_tie),
        row(
            f"linalg.matrix_norm {ord}", lambda T, x, o=ord: T.linalg.matrix_norm(x, o), real(2, 3, 4), numerical=False
        ),
        row(
            f"linalg.matrix_norm {ord} dim",
            lambda T, x, o=ord: T.linalg.matrix_norm(x, o, (1, 0), keepdim=True),
            no_tie,
        ),
    ]
ROWS += [
    row("linalg.norm of all", lambda T, x: T.linalg.norm(x), real(2, 3, 4)),
    row("linalg.norm dim", lambda T, x: T.linalg.norm(x, dim=1), real(2, 3, 4)),
    row("linalg.norm two dims", lambda T, x: T.linalg.norm(x, dim=(0, 2), keepdim=True), real(2, 3, 4)),
    row("linalg.norm inf two dims", lambda T, x: T.linalg.norm(x, math.inf, dim=(0, 2)), real(2, 3, 4)),
    row(
        "linalg.norm of 0",
        lambda T, x: T.linalg.norm(x, dim=1),
        given([[0.0, 0.0], [3.0, 4.0]]),
        second=False,
        numerical=False,
    ),
    row("nn.functional.normalize", lambda T, x: T.nn.functional.normalize(x), real(3, 4)),
    row("nn.functional.normalize p dim", lambda T, x: T.nn.functional.normalize(x, p=1.0, dim=-1), real(2, 3, 4)),
    row("nn.functional.normalize eps", lambda T, x: T.nn.functional.normalize(x, dim=0, eps=10.0), real(4)),
    row(
        "nn.functional.normalize 0",
        lambda T, x: T.nn.functional.normalize(x),
        given([[0.0, 0.0], [3.0, 4.0]]),
        second=False,
        numerical=False,
    ),
    row("cosine_similarity", lambda T, x, y: T.cosine_similarity(x, y), real(3, 4), real(3, 4)),
    row(
        "nn.functional.cosine_similarity broadcast",
        lambda T, x, y: T.nn.functional.cosine_similarity(x, y, dim=-1),
        real(3, 1, 4),
        real(2, 4),
    ),
    row(
        "nn.functional.cosine_similarity dim",
        lambda T, x, y: T.nn.functional.cosine_similarity(x, y, dim=0),
        real(3, 4),
        real(3, 4),
    ),
]

# --- linear equations ---

SQUARE = given([[4.0, 1.0, -0.5], [0.3, 3.0, 1.0], [-1.0, 0.5, 5.0]])
SQUARES = given([[[4.0, 1.0], [0.3, 3.0]], [[2.0, -1.0], [0.5, 2.5]]])
ROWS += [
    row("linalg.solve", lambda T, a, b: T.linalg.solve(a, b), SQUARE, real(3, 2)),
    row("linalg.solve a vector", lambda T, a, b: T.linalg.solve(a, b), SQUARE, real(3)),
    row("linalg.solve a batch", lambda T, a, b: T.linalg.solve(a, b), SQUARES, real(2, 2, 3)),
    row("linalg.solve a batch of vectors", lambda T, a, b: T.linalg.solve(a, b), SQUARES, real(2, 2)),
    row("linalg.solve broadcast", lambda T, a, b: T.linalg.solve(a, b), SQUARES, real(3, 1, 2, 1)),
    row("linalg.solve right", lambda T, a, b: T.linalg.solve(a, b, left=False), SQUARE, real(2, 3)),
    row("linalg.inv", lambda T, a: T.linalg.inv(a), SQUARE),
    row("linalg.inv a batch", lambda T, a: T.linalg.inv(a), SQUARES),
    row("inverse", lambda T, a: T.inverse(a), SQUARE),
    row("linalg.matmul", lambda T, x, y: T.linalg.matmul(x, y), real(2, 3), real(3, 4)),
    row("linalg.lstsq", lambda T, a, b: T.linalg.lstsq(a, b).solution, real(5, 3), real(5, 2)),
    row("linalg.lstsq wide", lambda T, a, b: T.linalg.lstsq(a, b).solution, real(3, 5), real(3, 2), tolerance=10),
    row("linalg.lstsq vector", lambda T, a, b: T.linalg.lstsq(a, b).solution, real(5, 3), real(5)),
    row("linalg.lstsq batch", lambda T, a, b: T.linalg.lstsq(a, b).solution, real(2, 5, 3), real(2, 5, 2)),
    row("linalg.lstsq rank", lambda T, a, b: T.linalg.lstsq(a, b)[2:], real(5, 3), real(5, 2)),
    row("linalg.lstsq gels", lambda T, a, b: T.linalg.lstsq(a, b, driver="gels").residuals, real(5, 3), real(5, 2)),
]
FAILS += [
    fails(
        "linalg.solve singular",
        lambda T, a, b: T.linalg.solve(a, b),
        given([[1.0, 2.0], [2.0, 4.0]]),
        real(2),
        match="singular",
        raises=RuntimeError,
    ),
    fails("linalg.inv", lambda T, a: T.linalg.inv(a), real(2, 3), match=r"square matrices .* \(2, 3\)"),
    fails("linalg.solve", lambda T, a, b: T.linalg.solve(a, b), SQUARE, real(2, 2), match="must have 3 rows"),
    fails("linalg.lstsq", lambda T, a, b: T.linalg.lstsq(a, b), real(5, 3), real(4, 2), match="same number of rows"),
    fails(
        "linalg.lstsq driver",
        lambda T, a, b: T.linalg.lstsq(a, b, driver="gelss"),
        real(5, 3),
        real(5, 2),
        match="gelss",
        raises=NotImplementedError,
    ),
    fails(
        "linalg.matrix_norm",
        lambda T, a: T.linalg.matrix_norm(a, "nuc"),
        real(5, 3),
        match="nuc",
        raises=NotImplementedError,
    ),
    fails("linalg.norm", lambda T, a: T.linalg.norm(a, 2.5), positive(2, 5, 3), match="one or two dimensions"),
]
FAILS += [
    fails(
        "cosine_similarity of integers",
        lambda T, a, b: T.cosine_similarity(a, b),
        integer(2, 3),
        integer(2, 3),
        match="cosine_similarity.*floating",
    )
]
