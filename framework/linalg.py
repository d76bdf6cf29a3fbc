"""torch.linalg's names."""

from . import absent, arguments
from .ops.linalg import LinAlgError, inv, lstsq, matmul, matrix_norm, norm, solve, vector_norm

__all__ = ["LinAlgError", "inv", "lstsq", "matmul", "matrix_norm", "norm", "solve", "vector_norm"]
arguments.check(globals())
__getattr__ = absent.refuse_missing(globals(), "framework.linalg")
