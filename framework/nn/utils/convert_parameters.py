"""All parameters as one vector, and back."""

from ...ops.shape import cat
from ...tensor import Tensor

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def parameters_to_vector(parameters):
    """One vector of all parameters' values, one after the other; part of the graph."""
    return cat([param.reshape(-1) for param in parameters])


def vector_to_parameters(vec, parameters):
    """Give each parameter its part of the vector, in the same order; they share its memory."""
    if not isinstance(vec, Tensor):
        raise TypeError(f"vector_to_parameters: expected a Tensor, got {type(vec).__name__}")
    parameters = list(parameters)
    total = sum(param.numel() for param in parameters)
    if vec.shape != (total,):
        raise ValueError(
            f"vector_to_parameters: the parameters have {total} elements, the vector has shape {tuple(vec.shape)}"
        )
    start = 0
    for param in parameters:
        param.data = Tensor(vec.array[start : start + param.numel()].reshape(param.array.shape))
        start += param.numel()
