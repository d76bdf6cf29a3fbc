"""torch.linalg's names."""

from . import absent, arguments
from .ops.linalg import LinAlgError, inv, lstsq, matmul, matrix_norm, norm, solve, vector_norm
from .ops.matrix import cholesky, det, pinv, qr, slogdet

__all__ = [
    "LinAlgError", "cholesky", "det", "inv", "lstsq", "matmul", "matrix_norm", "norm", "pinv", "qr", "slogdet", "solve",
    "vector_norm",
]  # fmt: skip
arguments.check(globals())
__getattr__ = absent.refuse_missing(globals(), "framework.linalg")
