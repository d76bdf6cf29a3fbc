"""How alike two tensors are."""

from .settings import FunctionModule

__all__ = ["CosineSimilarity", "PairwiseDistance"]


class CosineSimilarity(FunctionModule):
    """x1 · x2 / (‖x1‖ ‖x2‖) along dim."""

    function, settings = "cosine_similarity", dict(dim=1, eps=1e-8)


class PairwiseDistance(FunctionModule):
    """‖x1 − x2 + eps‖_p over the last dimension."""

    function, settings = "pairwise_distance", dict(p=2.0, eps=1e-6, keepdim=False)
