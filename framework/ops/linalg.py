"""Products of matrices and vectors."""

import math

import numpy as np

from ..tensor import Tensor, implements, method
from .define import op

__all__ = ["matmul"]


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
        if input.dtype is not other.dtype:
            _same_dtype("matmul", input, other)
        return _matmul(input, other)
    except (ValueError, AttributeError):
        _matmul_error(input, other)
        raise


def _same_dtype(name, *tensors):
    first = tensors[0].dtype
    for tensor in tensors:
        if tensor is not None and tensor.dtype != first:
            raise RuntimeError(f"{name}: dtypes {first} and {tensor.dtype} differ; convert one of them with .to(dtype)")


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
    raise RuntimeError(
        f"{shapes}: leading dimensions {tuple(a.shape[:-2])} and {tuple(b.shape[:-2])} do not broadcast"
    ) from None


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
    lambda g: rows(g).sum(axis=0) if g.ndim > 1 else g,
)


def linear(input, weight, bias=None):
    """x Wᵀ + b: input (…, in), weight (out, in) or (in,), bias (out,) or (); the result is (…, out), or (…)."""
    _same_dtype("linear", input, weight, bias)
    if weight.ndim == 1:
        y = matmul(input, weight)
        return y if bias is None else y + bias
    try:
        return _linear(input, weight, bias)
    except ValueError:
        given = f"linear: input {tuple(input.shape)}, weight {tuple(weight.shape)}"
        if weight.ndim == 2 and input.ndim and input.shape[-1] != weight.shape[1]:
            raise RuntimeError(
                f"{given}: the input's last size {input.shape[-1]} is not the weight's {weight.shape[1]}"
            ) from None
        bias = None if bias is None else tuple(bias.shape)
        raise RuntimeError(f"{given}, bias {bias}: the weight is (out, in), the bias (out,)") from None
