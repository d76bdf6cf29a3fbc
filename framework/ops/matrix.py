"""More of linear algebra: products over chosen dimensions, traces and determinants, and matrices taken apart."""

import collections
import math

import numpy as np

from ..precision import listed
from ..tensor import Tensor, method
from .activation import floating
from .define import op
from .dims import dims_of
from .linalg import LinAlgError, _inv, _pinv, _square, same_dtype
from .shape import diagonal

__all__ = ["tensordot", "kron", "trace", "det", "slogdet", "logdet"]

# --- products and traces ----------------------------------------------------------------------------------------------


@listed
def tensordot(a, b, dims=2):
    """Σ over the dimensions `dims`: a number, of the last of a and the first of b; or a pair of lists, those of a and those of b."""
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        of_a, of_b = tuple(range(a.ndim - dims, a.ndim)), tuple(range(dims))
    else:
        of_a, of_b = (dims_of("tensordot", d, x.ndim) for d, x in zip(dims, (a, b), strict=True))
    same_dtype("tensordot", a, b)
    sizes = [tuple([x.shape[i] for i in d]) for x, d in ((a, of_a), (b, of_b))]
    if sizes[0] != sizes[1]:
        raise RuntimeError(
            f"tensordot: {tuple(a.shape)} and {tuple(b.shape)}: the sizes {sizes[0]} and {sizes[1]} to sum over differ"
        )
    rest_a, rest_b = ([i for i in range(x.ndim) if i not in d] for x, d in ((a, of_a), (b, of_b)))
    shape = [a.shape[i] for i in rest_a] + [b.shape[i] for i in rest_b]
    count, rows, columns = math.prod(sizes[0]), math.prod(shape[: len(rest_a)]), math.prod(shape[len(rest_a) :])
    left = a.permute(*rest_a, *of_a).reshape(rows, count)
    return (left @ b.permute(*of_b, *rest_b).reshape(count, columns)).reshape(shape)


@method()
def kron(input, other):
    """The Kronecker product: every element of input times all of other, side by side."""
    ndim = max(input.ndim, other.ndim)
    a, b = (x.reshape((1,) * (ndim - x.ndim) + tuple(x.shape)) for x in (input, other))
    shape = [n * m for n, m in zip(a.shape, b.shape, strict=True)]
    a = a.reshape([n for size in a.shape for n in (size, 1)])
    return (a * b.reshape([n for size in b.shape for n in (1, size)])).reshape(shape)


@method()
@listed
def trace(input):
    """The sum of a matrix's diagonal."""
    if input.ndim != 2:
        raise RuntimeError(f"trace: expected a matrix, got {tuple(input.shape)}")
    return diagonal(input).sum()


# --- determinants -----------------------------------------------------------------------------------------------------


def _det_slope(g, a, y):
    """∂ det A/∂A = det A · A⁻ᵀ."""
    return (g * y).reshape((*y.shape, 1, 1)) * _inv(a).mT


_det = op("det", np.linalg.det, _det_slope)
_slogdet = op(
    "slogdet", lambda a: tuple(np.linalg.slogdet(a)),
    backward=lambda g, a: (None if g[1] is None else g[1].reshape((*g[1].shape, 1, 1)) * _inv(a).mT,),
)  # fmt: skip
slogdet_result = collections.namedtuple("slogdet", ["sign", "logabsdet"])


@method()
def det(input):
    """The determinants of square matrices (…, n, n); the derivative is for those that have an inverse."""
    return _det(_square("linalg.det", input))


@method()
def slogdet(input):
    """(sign, log |det|) of square matrices, without overflow."""
    return slogdet_result(*_slogdet(_square("linalg.slogdet", input)))


@method()
def logdet(input):
    """log det of square matrices: NaN where it is negative."""
    sign, log = slogdet(input)
    return log + sign.log()


# --- matrices taken apart ---------------------------------------------------------------------------------------------


def _half(a):
    """The lower triangle with half of the diagonal."""
    return np.tril(a, -1) + np.tril(np.triu(a)) * 0.5


def _cholesky_slope(g, y):
    """With Φ the lower triangle, its diagonal halved: ∂A = ½ (S + Sᵀ), S = L⁻ᵀ Φ(Lᵀ G) L⁻¹ (Murray 2016, arXiv:1602.07527)."""
    inverse = _inv(y)
    s = inverse.mT @ _half(y.mT @ g) @ inverse
    return (s + s.mT) * 0.5


_cholesky = op("cholesky", lambda a: np.linalg.cholesky(a), _cholesky_slope)


@listed
def cholesky(A, *, upper=False):
    """L, lower triangular, with A = L Lᵀ, of symmetric positive definite matrices (…, n, n); upper=True: Lᵀ. Else LinAlgError."""
    try:
        L = _cholesky(_square("linalg.cholesky", A))
    except np.linalg.LinAlgError:
        raise LinAlgError(f"linalg.cholesky: a matrix of {tuple(A.shape)} is not positive definite") from None
    return L.mT if upper else L


def _qr_slopes(g, a, saved):
    """For m ≥ n, with M = R Ḡᵀ_R − Ḡᵀ_Q Q: ∂A = (Ḡ_Q + Q copyltu(M)) R⁻ᵀ (Seeger et al. 2017, arXiv:1710.08717)."""
    q, r = saved if saved is not None else _qr(a)
    gq, gr = (np.zeros_like(x) if gi is None else gi for gi, x in zip(g, (q, r), strict=True))
    m = r @ gr.mT - gq.mT @ q
    symmetric = np.tril(m) + np.tril(m, -1).mT
    return (_inv(r) @ (gq + q @ symmetric).mT).mT


def _qr_forward(a):
    qr = tuple(np.linalg.qr(a))
    return qr, qr


_qr = op("qr", _qr_forward, backward=lambda g, a, saved: (_qr_slopes(g, a, saved),))
qr_result = collections.namedtuple("qr", ["Q", "R"])


@listed
def qr(A, mode="reduced"):
    """(Q, R): A (…, m, n) = Q R, Q with orthonormal columns, R upper triangular; differentiable for m ≥ n, and mode="reduced"."""
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(f'linalg.qr: mode must be "reduced", "complete" or "r", not {mode!r}')
    floating("linalg.qr", A)
    if mode == "reduced" and A.ndim > 1 and A.shape[-2] >= A.shape[-1]:
        return qr_result(*_qr(A))
    if A.needs_grad:
        raise NotImplementedError(
            f'linalg.qr: the derivative of mode={mode!r}, {tuple(A.shape)}, is not supported; only "reduced", m ≥ n'
        )
    if mode == "r":
        return qr_result(Tensor(np.zeros_like(A.array, shape=(0,))), Tensor(np.linalg.qr(A.array, "r")))
    return qr_result(*(Tensor(part) for part in np.linalg.qr(A.array, mode)))


def pinv(A, *, atol=None, rtol=None, hermitian=False):
    """The pseudo-inverse A⁺ (…, n, m); singular values up to rtol · the largest count as 0, by default eps · max(m, n)."""
    if atol is not None or hermitian:
        raise NotImplementedError("linalg.pinv: atol and hermitian are not supported; give rtol")
    floating("linalg.pinv", A)
    return _pinv(A, rcond=np.finfo(A.dtype).eps.item() * max(A.shape[-2:]) if rtol is None else rtol)
