"""Products of matrices and vectors, norms, and the solution of linear equations."""

import math
from typing import NamedTuple

import numpy as np

from ..precision import listed, mode
from ..tensor import Tensor, implements, method
from .activation import floating
from .define import broadcast_shape, op

__all__ = ["matmul", "mm", "spmm", "bmm", "mv", "dot", "outer", "addmm", "baddbmm", "inverse", "cosine_similarity"]


# --- the product of matrices ------------------------------------------------------------------------------------------


def _product(a, b):
    """a @ b on arrays. Many small matrices times one, (…, n, k) @ (k, m), are a single large product."""
    if a.ndim <= 2 or b.ndim != 2:
        return a @ b
    y = np.empty_like(a, shape=(*a.shape[:-1], b.shape[1]), order="C")
    np.matmul(rows(a), b, out=rows(y))
    return y


def rows(x):
    """(…, k) as a matrix (n, k)."""
    return x if x.ndim == 2 else x.reshape((math.prod(x.shape[:-1]), x.shape[-1]))


def _matmul_slope_a(g, b, a_shape):
    """∂/∂a of a @ b: g bᵀ; where a or b is a vector, with the axis that the product dropped put back."""
    if b.ndim == 1:
        return g.reshape((*g.shape, 1)) * b  # (…, 1) (k,) → (…, k)
    if len(a_shape) == 1:
        return _matmul(b, g.reshape((*g.shape, 1))).reshape(b.shape[:-1])  # (…, k, m) (…, m, 1) → (…, k)
    return _matmul(g, b.mT)


def _matmul_slope_b(g, a, b_shape):
    """∂/∂b of a @ b: aᵀ g; one matrix b that met many rows gathers from all of them in one product."""
    if a.ndim == 1:
        return a * g if len(b_shape) == 1 else a.reshape((-1, 1)) * g.reshape((*g.shape[:-1], 1, g.shape[-1]))
    if len(b_shape) == 1:
        return _matmul(rows(a).mT, g.reshape((-1,)))  # (k, n) (n,) → (k,)
    if len(b_shape) == 2:
        return _matmul(rows(a).mT, rows(g))
    return _matmul(a.mT, g)


_matmul = op("matmul", _product, _matmul_slope_a, _matmul_slope_b, broadcasts=True)


@implements(np.matmul)
@method()
def matmul(input, other):
    """The matrix product over the last two dimensions, (…, n, k) @ (…, k, m) → (…, n, m); the leading ones broadcast.

    A vector on the left is a row, on the right a column, and its dimension is dropped from the result.
    RuntimeError where the inner sizes or the dtypes differ.
    """
    try:
        if input.dtype is not other.dtype or input.dtype.kind == "b":
            same_dtype("matmul", input, other)
        return _matmul(input, other)
    except (ValueError, AttributeError):
        _matmul_error(input, other)
        raise


def same_dtype(name, *tensors):
    if mode.on:  # autocast's casts come when the op itself is called
        return
    first = tensors[0].array.dtype
    for tensor in tensors:
        if tensor is not None and tensor.array.dtype != first:
            raise RuntimeError(f"{name}: dtypes {first} and {tensor.dtype} differ; convert one of them with .to(dtype)")
    if first.kind == "b":
        raise NotImplementedError(f"{name}: boolean matrices have no product; convert them with .int() or .float()")


def _matmul_error(a, b):
    for x in (a, b):
        if not hasattr(x, "shape"):
            raise TypeError(f"matmul: expected Tensors, got {type(x).__name__}") from None
    shapes = f"matmul: {tuple(a.shape)} @ {tuple(b.shape)}"
    if not a.ndim or not b.ndim:
        raise RuntimeError(f"{shapes}: both need at least one dimension; use * for a number") from None
    inner = b.shape[-2] if b.ndim > 1 else b.shape[0]
    if a.shape[-1] != inner:
        raise RuntimeError(f"{shapes}: inner dimensions {a.shape[-1]} and {inner} differ") from None
    broadcast_shape(f"{shapes}: leading dimensions", a.shape[:-2], b.shape[:-2])


Tensor.__matmul__ = matmul
method("__rmatmul__")(lambda self, other: matmul(other, self))


# --- an affine map ----------------------------------------------------------------------------------------------------


def _affine(x, weight, bias):
    y = _product(x, weight.T)
    if bias is not None:
        y += bias
    return y


_linear = op(
    "linear",
    _affine,
    lambda g, weight: _matmul(g, weight),  # (…, o) (o, i)
    lambda g, x: _matmul(rows(g).mT, rows(x)),  # (o, n) (n, i)
    lambda g: _sum_of_rows(rows(g)) if g.ndim > 1 else g,
)


def _sum_of_rows(g):
    """Σ over n of (n, k). On arrays as a product with ones, in half of sum's time; NumPy has no fast product in float16."""
    return g.sum(axis=0) if isinstance(g, Tensor) or g.itemsize < 4 else np.ones_like(g, shape=len(g)) @ g


def linear(input, weight, bias=None):
    """x Wᵀ + b: input (…, in), weight (out, in), bias (out,); the result is (…, out). A weight (in,) gives (…)."""
    same_dtype("linear", input, weight, bias)
    if weight.array.ndim == 2 and (bias is None or bias.array.shape == weight.array.shape[:1]):
        try:
            return _linear(input, weight, bias)
        except ValueError:
            pass
    if input.ndim == 0 or weight.ndim not in (1, 2) or input.shape[-1] != weight.shape[-1]:
        raise RuntimeError(
            f"linear: input {tuple(input.shape)}, weight {tuple(weight.shape)}: the last sizes must be equal, the weight (out, in)"
        )
    y = matmul(input, weight.T if weight.ndim == 2 else weight)
    return y if bias is None else y + bias.to(y.dtype)


@listed
def bilinear(input1, input2, weight, bias=None):
    """y_k = x1ᵀ W_k x2 + b_k: inputs (…, in1) and (…, in2), weight (out, in1, in2), bias (out,); the result is (…, out)."""
    same_dtype("bilinear", input1, input2, weight, bias)
    fits = weight.ndim == 3 and input1.ndim == input2.ndim > 0 and input1.shape[:-1] == input2.shape[:-1]
    if (
        not fits
        or (input1.shape[-1], input2.shape[-1]) != tuple(weight.shape[1:])
        or bias is not None
        and bias.shape != weight.shape[:1]
    ):
        given = [tuple(x.shape) for x in (input1, input2, weight) + (() if bias is None else (bias,))]
        raise RuntimeError(
            f"bilinear: {', '.join(map(str, given))} do not fit (…, in1), (…, in2), (out, in1, in2), (out,)"
        )
    out, in1, in2 = weight.shape
    rows = input1.reshape(-1, in1) @ weight.permute(1, 0, 2).reshape(in1, out * in2)  # (n, out · in2)
    y = (rows.reshape(-1, out, in2) @ input2.reshape(-1, in2, 1)).reshape(*input1.shape[:-1], out)
    return y if bias is None else y + bias


# --- products of given ranks ------------------------------------------------------------------------------------------


def _ranked(name, input, other, ranks):
    if (input.ndim, other.ndim) != ranks:
        raise RuntimeError(
            f"{name}: needs {ranks[0]} and {ranks[1]} dimensions, got {tuple(input.shape)} and {tuple(other.shape)}; matmul takes any"
        )
    if ranks == (3, 3) and input.shape[0] != other.shape[0]:
        raise RuntimeError(
            f"{name}: {tuple(input.shape)} @ {tuple(other.shape)}: batch sizes {input.shape[0]} and {other.shape[0]} differ"
        )
    return matmul(input, other)


@method()
def mm(input, mat2):
    """(n, k) @ (k, m)."""
    return _ranked("mm", input, mat2, (2, 2))


def spmm(mat1, mat2):
    """mm, under the name that code for sparse matrices uses; the engine's are dense."""
    return mm(mat1, mat2)


@method()
def bmm(input, mat2):
    """(b, n, k) @ (b, k, m)."""
    return _ranked("bmm", input, mat2, (3, 3))


@method()
@listed
def mv(input, vec):
    """(n, k) @ (k,)."""
    return _ranked("mv", input, vec, (2, 1))


@method()
@listed
def dot(input, tensor):
    """The sum of the products of two vectors of one length."""
    return _ranked("dot", input, tensor, (1, 1))


@method()
def outer(input, vec2):
    """input[i] · vec2[j] for vectors: (n, m)."""
    if input.ndim != 1 or vec2.ndim != 1:
        raise RuntimeError(f"outer: needs two vectors, got {tuple(input.shape)} and {tuple(vec2.shape)}")
    return input.reshape(-1, 1) * vec2


def _scaled_sum(input, product, beta, alpha):
    product = product if alpha == 1 else alpha * product
    return product if beta == 0 else product + (input if beta == 1 else beta * input)


@method()
@listed
def addmm(input, mat1, mat2, *, beta=1, alpha=1):
    """beta · input + alpha · mat1 @ mat2; the input broadcasts. With beta = 0 it is not looked at."""
    return _scaled_sum(input, _ranked("addmm", mat1, mat2, (2, 2)), beta, alpha)


@method()
@listed
def baddbmm(input, batch1, batch2, *, beta=1, alpha=1):
    """beta · input + alpha · batch1 @ batch2, for batches of matrices; the input broadcasts. With beta = 0 it is not looked at."""
    return _scaled_sum(input, _ranked("baddbmm", batch1, batch2, (3, 3)), beta, alpha)


# --- lengths and angles -----------------------------------------------------------------------------------------------


def vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None):
    """(Σ |x|^ord)^(1/ord) over dim, an int or a tuple, or over all; ±inf: the largest or smallest |x|; 0: how many are not 0."""
    return floating("linalg.vector_norm", x).norm(ord, dim, keepdim, dtype)


def matrix_norm(A, ord="fro", dim=(-2, -1), keepdim=False, *, dtype=None):
    """Over two dimensions: "fro" √Σ x²; ±inf the largest or smallest sum of |x| in a row, ±1 in a column."""
    floating("linalg.matrix_norm", A)
    if ord == "fro":
        return A.norm(2, tuple(dim), keepdim, dtype)
    if ord not in (1, -1, math.inf, -math.inf):
        raise NotImplementedError(f'linalg.matrix_norm: ord={ord!r} is not supported; "fro", 1, -1, inf and -inf are')
    A = A if dtype is None else A.to(dtype)
    row, column = (d % A.ndim for d in dim)
    along = row if ord in (1, -1) else column
    sums = A.abs().sum(along, keepdim=True)
    sums = sums.amax((row, column), keepdim=True) if ord > 0 else sums.amin((row, column), keepdim=True)
    return sums if keepdim else sums.squeeze((row, column))


def norm(A, ord=None, dim=None, keepdim=False, *, dtype=None):
    """The vector norm, or where ord is given and A, or dim, has two dimensions the matrix norm; without ord the length of all of A."""
    matrix = ord is not None and (len(dim) == 2 if isinstance(dim, (tuple, list)) else dim is None and A.ndim == 2)
    if matrix or isinstance(ord, str):
        return matrix_norm(A, ord, (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    if ord is not None and dim is None and A.ndim > 2:
        raise RuntimeError(f"linalg.norm: with ord and no dim, A must have one or two dimensions, not {tuple(A.shape)}")
    return vector_norm(A, 2 if ord is None else ord, dim, keepdim, dtype=dtype)


def normalize(input, p=2.0, dim=1, eps=1e-12):
    """input / max(‖input‖_p, eps), the norm along dim."""
    return input / floating("normalize", input).norm(p, dim, keepdim=True).clamp(min=eps)


@listed
def cosine_similarity(x1, x2, dim=1, eps=1e-8):
    """x1 · x2 / (max(‖x1‖, eps) · max(‖x2‖, eps)) along dim; the two broadcast."""
    if not (x1.is_floating_point() or x2.is_floating_point()):
        raise RuntimeError(
            f"cosine_similarity: needs floating-point tensors, got {x1.dtype} and {x2.dtype}; convert them with float()"
        )
    x1, x2 = (x if x.dtype.kind == "f" else x.float() for x in (x1, x2))
    shape = broadcast_shape("cosine_similarity", x1.shape, x2.shape)
    x1, x2 = (x.expand(shape) for x in (x1, x2))
    return (normalize(x1, 2, dim, eps) * normalize(x2, 2, dim, eps)).sum(dim)


# --- linear equations -------------------------------------------------------------------------------------------------


class LinAlgError(RuntimeError):
    """A matrix that has no inverse. As torch.linalg.LinAlgError."""


def _square(name, A):
    if A.ndim < 2 or A.shape[-1] != A.shape[-2]:
        raise RuntimeError(f"{name}: needs square matrices (…, n, n), got {tuple(A.shape)}")
    return floating(name, A)


def _try(name, function, *inputs):
    try:
        return function(*inputs)
    except np.linalg.LinAlgError:
        raise LinAlgError(
            f"{name}: a matrix of {tuple(inputs[0].shape)} is singular; lstsq solves such systems"
        ) from None


def _inv_slope(g, y):
    """∂ tr(Gᵀ A⁻¹)/∂A = −A⁻ᵀ G A⁻ᵀ."""
    return -(y.mT @ g @ y.mT)


def _solve_slopes(g, a, y):
    """∂B = A⁻ᵀ G, and ∂A = −∂B Xᵀ."""
    db = _solve(a.mT, g)
    return -(db @ y.mT), db


_inv = op("inv", np.linalg.inv, _inv_slope)
_solve = op("solve", lambda a, b: np.linalg.solve(a, b), backward=_solve_slopes, broadcasts=True)


@listed
def inv(A):
    """The inverses of square matrices (…, n, n). LinAlgError where there is none; solve(A, B) is better than inv(A) @ B."""
    return _try("linalg.inv", _inv, _square("linalg.inv", A))


def inverse(input):
    """linalg.inv(input)."""
    return inv(input)


@listed
def solve(A, B, *, left=True):
    """X with A X = B (left=False: X A = B): A (…, n, n), B (…, n, k) or (…, n). LinAlgError where A is singular."""
    _square("linalg.solve", A)
    same_dtype("linalg.solve", A, B)
    if not left:
        return solve(A.mT, B.mT).mT
    vector = B.ndim == 1 or B.ndim == A.ndim - 1 and B.shape == A.shape[:-1]
    B = B.unsqueeze(-1) if vector else B
    if B.shape[-2] != A.shape[-1]:
        raise RuntimeError(f"linalg.solve: A {tuple(A.shape)} and B {tuple(B.shape)}: B must have {A.shape[-1]} rows")
    batch = broadcast_shape("linalg.solve", A.shape[:-2], B.shape[:-2])
    A, B = (x.expand(*batch, *x.shape[-2:]) for x in (A, B))  # CuPy does not broadcast here
    x = _try("linalg.solve", _solve, A, B)
    return x.squeeze(-1) if vector else x


def _pinv_slope(g, a, y):
    """Golub & Pereyra 1973, eq. 4.12, for matrices whose rank stays: with P = A⁺ and K = Gᵀ P,
    −(P K)ᵀ + K Pᵀ − (A P) K Pᵀ + Pᵀ P (Gᵀ − K A), which is for m ≤ n; a taller matrix takes its transpose's."""
    if a.shape[-2] > a.shape[-1]:
        return _pinv_slope(g.mT, a.mT, y.mT).mT
    k = g.mT @ y
    kp = k @ y.mT
    return kp - (y @ k).mT - (a @ y) @ kp + (y.mT @ y) @ (g.mT - k @ a)


_pinv = op("pinv", lambda a, *, rcond: np.linalg.pinv(a, rcond), lambda g, a, y: _pinv_slope(g, a, y))


class _LstsqResult(NamedTuple):
    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor


@listed
def lstsq(A, B, rcond=None, *, driver=None):
    """The X that makes ‖A X − B‖ least, the smallest where several do: A (…, m, n), B (…, m, k) or (…, m) → solution (…, n, k) or (…, n).

    driver: "gelsy", the default, also gives the rank; "gels", for matrices of full rank, the residuals Σ (A X − B)² where m > n.
    What is not given is empty, as in PyTorch. rcond: singular values below rcond · the largest count as 0; by default eps · max(m, n).
    """
    if driver not in (None, "gelsy", "gels"):
        raise NotImplementedError(f'linalg.lstsq: driver={driver!r} is not supported; "gelsy" and "gels" are')
    floating("linalg.lstsq", A)
    same_dtype("linalg.lstsq", A, B)
    vector = B.ndim == 1 or B.ndim == A.ndim - 1 and B.shape == A.shape[:-1]
    B = B.unsqueeze(-1) if vector else B
    if A.ndim < 2 or B.shape[-2] != A.shape[-2]:
        raise RuntimeError(f"linalg.lstsq: A {tuple(A.shape)} and B {tuple(B.shape)} must have the same number of rows")
    m, n = A.shape[-2:]
    rcond = np.finfo(A.dtype).eps.item() * max(m, n) if rcond is None else rcond
    x = _pinv(A, rcond=rcond) @ B
    residuals, rank = Tensor(np.zeros(0, A.dtype, like=A.array)), Tensor(np.zeros(0, np.int64, like=A.array))
    if driver == "gels":
        residuals = (A @ x - B).square().sum(-2) if m > n else residuals
    else:
        values = np.linalg.svd(A.array, compute_uv=False)
        rank = Tensor((values > rcond * values.max(axis=-1, keepdims=True)).sum(axis=-1))
    return _LstsqResult(x.squeeze(-1) if vector else x, residuals, rank, Tensor(np.zeros(0, A.dtype, like=A.array)))
