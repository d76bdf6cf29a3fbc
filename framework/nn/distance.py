"""How alike two tensors are."""

from .settings import FunctionModule

__all__ = ["CosineSimilarity"]


class CosineSimilarity(FunctionModule):
    """x1 · x2 / (‖x1‖ ‖x2‖) along dim."""

    function, settings = "cosine_similarity", dict(dim=1, eps=1e-8)
