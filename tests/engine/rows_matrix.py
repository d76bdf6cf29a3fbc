"""Rows of products over chosen dimensions, of traces and determinants, and of matrices taken apart."""

import numpy as np

from tests.engine.table import Input, fails, integer, real, row

ROWS, FAILS = [], []


def regular(*shape):
    """Square matrices far from singular."""

    def make(numbers, dtype):
        return (numbers.standard_normal(shape) + 3 * np.eye(shape[-1])).astype(dtype)

    return Input(make)


def definite(T, x):
    """A symmetric positive definite matrix made of x."""
    return x @ x.mT


ROWS += [
    row("tensordot", lambda T, a, b: T.tensordot(a, b), real(2, 3, 4), real(3, 4, 2)),
    row("tensordot dims 1", lambda T, a, b: T.tensordot(a, b, dims=1), real(2, 3), real(3, 4, 2)),
    row("tensordot dims 0", lambda T, a, b: T.tensordot(a, b, dims=0), real(2), real(3, 2)),
    row("tensordot pairs", lambda T, a, b: T.tensordot(a, b, dims=([0, 2], [1, 0])), real(3, 2, 4), real(4, 3, 5)),
    row("tensordot empty", lambda T, a, b: T.tensordot(a, b, dims=1), real(2, 0), real(0, 3)),
    row("kron", lambda T, a, b: T.kron(a, b), real(2, 3), real(3, 2)),
    row("kron of other ranks", lambda T, a, b: T.kron(a, b), real(3), real(2, 2, 2)),
    row("kron 0-d", lambda T, a, b: T.kron(a, b), real(), real(2)),
    row("kron of integers", lambda T, a, b: T.kron(a, b), integer(2, 2), integer(2)),
    row("Tensor.kron", lambda T, a, b: a.kron(b), real(2), real(3)),
    row("trace", lambda T, x: T.trace(x), real(3, 4)),
    row("trace of integers", lambda T, x: T.trace(x), integer(3, 3, dtype="int32")),
    row("Tensor.trace", lambda T, x: x.trace(), real(3, 3)),
    row("det", lambda T, x: T.det(x), regular(3, 3)),
    row("det batch", lambda T, x: T.det(x), regular(2, 3, 3)),
    row("det empty", lambda T, x: T.det(x), regular(0, 3, 3)),
    row("linalg.det", lambda T, x: T.linalg.det(x), regular(1, 1)),
    row("Tensor.det", lambda T, x: x.det(), regular(2, 2)),
    row("slogdet", lambda T, x: T.slogdet(x), regular(3, 3)),
    row("slogdet batch", lambda T, x: T.slogdet(x), real(2, 3, 3)),
    row("linalg.slogdet", lambda T, x: T.linalg.slogdet(x).logabsdet, regular(3, 3)),
    row("Tensor.slogdet", lambda T, x: x.slogdet(), regular(2, 2)),
    row("logdet", lambda T, x: T.logdet(definite(T, x)), regular(3, 3)),
    row("Tensor.logdet", lambda T, x: definite(T, x).logdet(), regular(2, 3, 3)),
    row("linalg.cholesky", lambda T, x: T.linalg.cholesky(definite(T, x)), regular(2, 3, 3)),
    row("linalg.cholesky upper", lambda T, x: T.linalg.cholesky(definite(T, x), upper=True), regular(3, 3)),
    row("linalg.qr", lambda T, x: T.linalg.qr(x), regular(3, 3)),
    row("linalg.qr tall", lambda T, x: T.linalg.qr(x), real(4, 2)),
    row("linalg.qr batch", lambda T, x: T.linalg.qr(x).R, regular(2, 3, 3)),
    row("linalg.qr complete", lambda T, x: T.linalg.qr(x.detach(), mode="complete"), real(4, 2)),
    row("linalg.qr r", lambda T, x: T.linalg.qr(x.detach(), mode="r"), real(4, 2)),
    row("linalg.pinv", lambda T, x: T.linalg.pinv(x), regular(3, 3)),
    row("linalg.pinv tall", lambda T, x: T.linalg.pinv(x), real(4, 2)),
    row("linalg.pinv wide", lambda T, x: T.linalg.pinv(x), real(2, 2, 4)),
]
FAILS += [
    fails("tensordot", lambda T, a, b: T.tensordot(a, b, dims=1), real(2, 3), real(2, 3), match="tensordot.*differ"),
    fails("trace", lambda T, x: T.trace(x), real(3), match="trace.*matrix"),
    fails("det", lambda T, x: T.det(x), real(3, 4), match="det.*square"),
    fails("det of integers", lambda T, x: T.det(x), integer(3, 3), match="det.*floating", raises=NotImplementedError),
    fails(
        "cholesky",
        lambda T, x: T.linalg.cholesky(-(x @ x.mT)),
        regular(3, 3),
        match="cholesky.*positive definite",
        raises=RuntimeError,
    ),
    fails("qr", lambda T, x: T.linalg.qr(x, mode="full"), real(3, 3), match="qr.*mode"),
]
