"""torch.linalg's names."""

from . import absent
from .ops.linalg import LinAlgError, inv, lstsq, matmul, matrix_norm, norm, solve, vector_norm

__all__ = ["LinAlgError", "inv", "lstsq", "matmul", "matrix_norm", "norm", "solve", "vector_norm"]
__getattr__ = absent.refuse_missing(globals(), "framework.linalg")
