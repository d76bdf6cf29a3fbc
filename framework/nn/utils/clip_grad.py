"""Gradients held within bounds (Pascanu et al. 2013, arXiv:1211.5063)."""

import math

import numpy as np

from ...tensor import Tensor

__all__ = ["clip_grad_norm_", "clip_grad_value_", "get_total_norm"]


def _grads(parameters):
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    return [param.grad for param in parameters if param.grad is not None]


def get_total_norm(tensors, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """The norm of all tensors as one vector, as a 0-d tensor. RuntimeError for NaN or infinity, if error_if_nonfinite."""
    arrays = [tensor.array.ravel() for tensor in ([tensors] if isinstance(tensors, Tensor) else tensors)]
    norm_type = float(norm_type)
    if not arrays:
        return Tensor(np.zeros(()))
    if norm_type == math.inf:
        total = max(abs(array).max() for array in arrays)
    elif norm_type == 2:
        total = math.sqrt(sum(float(array @ array) for array in arrays))
    else:
        total = sum(float((abs(array) ** norm_type).sum()) for array in arrays) ** (1 / norm_type)
    if error_if_nonfinite and not math.isfinite(total):
        raise RuntimeError(
            f"the gradients' norm of order {norm_type} is {float(total)}; pass error_if_nonfinite=False to go on regardless"
        )
    return Tensor(np.asarray(total, arrays[0].dtype))


def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """Scale all gradients, in place, so that their common norm is at most max_norm; return the norm before."""
    grads = _grads(parameters)
    total = get_total_norm(grads, norm_type, error_if_nonfinite)
    scale = float(max_norm) / (float(total) + 1e-6)
    if scale < 1 or math.isnan(scale):
        for grad in grads:
            grad.array *= scale
    return total


def clip_grad_value_(parameters, clip_value, foreach=None):
    """Limit every element of every gradient, in place, to [−clip_value, clip_value]."""
    for grad in _grads(parameters):
        np.clip(grad.array, -float(clip_value), float(clip_value), out=grad.array)
