"""Dropout: parts of the input set to zero at random, the rest scaled so that the mean stays (Srivastava et al. 2014)."""

import numpy as np

from .. import backend
from ..tensor import Tensor
from .activation import finish

__all__ = []


def keep_mask(like, shape, p):
    """0 with probability p, else 1 / (1 − p): an array on the side and with the dtype of `like`, from the default generator."""
    kept = backend.random().random(shape, dtype=np.float32) >= p
    mask = kept.astype(like.dtype)
    mask *= 1 / (1 - p) if p < 1 else 0
    return mask if isinstance(like, np.ndarray) else backend.to_device(mask, backend.device_of(like))


def _drop(name, input, shape, p, training, inplace):
    if not 0 <= p <= 1:
        raise ValueError(f"{name}: p is a probability, between 0 and 1, not {p}")
    if not training or p == 0:
        return input
    if input.dtype.kind != "f":
        raise RuntimeError(f"{name}: needs a floating-point tensor, got {input.dtype}; convert it with .float()")
    return finish(input, input * Tensor(keep_mask(input.array, shape, p)), inplace)


def dropout(input, p=0.5, training=True, inplace=False):
    """Each element becomes 0 with probability p, else x / (1 − p). Without `training`, the input itself."""
    return _drop("dropout", input, input.array.shape, p, training, inplace)


def dropout1d(input, p=0.5, training=True, inplace=False):
    """Dropout of whole channels of (N, C, L) or (C, L)."""
    shape = tuple(input.shape)
    if len(shape) not in (2, 3):
        raise RuntimeError(f"dropout1d: the input must be (N, C, L) or (C, L), not {shape}")
    return _drop("dropout1d", input, (*shape[:-1], 1), p, training, inplace)


def dropout2d(input, p=0.5, training=True, inplace=False):
    """Dropout of whole channels of (N, C, H, W); three dimensions are (N, C, L), as PyTorch reads them."""
    shape = tuple(input.shape)
    if len(shape) not in (3, 4):
        raise RuntimeError(f"dropout2d: the input must be (N, C, H, W) or (N, C, L), not {shape}")
    return _drop("dropout2d", input, shape[:2] + (1,) * (len(shape) - 2), p, training, inplace)
