"""Initialisation: functions that fill a tensor in place and return it (torch.nn.init). The random ones take a `generator`."""

import math

import numpy as np

from .. import backend
from ..autograd import no_grad
from ..tensor import Tensor

__all__ = [
    "calculate_gain", "constant_", "dirac_", "eye_", "kaiming_normal_", "kaiming_uniform_", "normal_", "ones_", "orthogonal_", "sparse_",
    "trunc_normal_", "uniform_", "xavier_normal_", "xavier_uniform_", "zeros_",
]  # fmt: skip


def _fill(tensor, values):
    """Write an array made on the CPU, or a number, into the tensor, outside the graph."""
    with no_grad():
        array = np.asarray(values, dtype=tensor.dtype)
        if array.shape != tensor.array.shape:
            array = np.broadcast_to(array, tensor.array.shape)
        return tensor.write(Tensor(backend.to_device(array, tensor.device)))


def _float_kind(tensor):
    """The dtype to draw random numbers in: NumPy draws float32 and float64."""
    return np.float64 if tensor.dtype == np.float64 else np.float32


def calculate_gain(nonlinearity, param=None):
    """The factor by which a nonlinearity shrinks a unit-variance signal, to be made up for by the weights before it.

    ValueError for a nonlinearity without a known gain. `param` is leaky_relu's negative slope (0.01).
    """
    if nonlinearity in ("sigmoid", "linear") or nonlinearity.startswith("conv"):
        return 1
    if nonlinearity == "tanh":
        return 5.0 / 3
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise ValueError(f"calculate_gain: leaky_relu's negative slope is a number, not {slope!r}")
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity == "selu":
        return 3.0 / 4
    raise ValueError(
        f"calculate_gain: unknown nonlinearity {nonlinearity!r}; "
        "known are linear, conv1d, conv2d, conv3d, conv_transpose1d …, sigmoid, tanh, relu, leaky_relu, selu"
    )


def uniform_(tensor, a=0.0, b=1.0, generator=None):
    """Fill from the uniform distribution on [a, b)."""
    values = backend.random(generator).random(tensor.array.shape, dtype=_float_kind(tensor))
    return _fill(tensor, values * (b - a) + a)


def normal_(tensor, mean=0.0, std=1.0, generator=None):
    """Fill from the normal distribution N(mean, std²)."""
    values = backend.random(generator).standard_normal(tensor.array.shape, dtype=_float_kind(tensor))
    return _fill(tensor, values * std + mean)


def trunc_normal_(tensor, mean=0.0, std=1.0, a=-2.0, b=2.0, generator=None):
    """Fill from the normal distribution N(mean, std²) cut off outside [a, b], by the inverse of its distribution function."""
    from scipy import special  # here, as it takes longer to import than the whole engine

    low, high = special.ndtr((a - mean) / std), special.ndtr((b - mean) / std)
    uniform = low + (high - low) * backend.random(generator).random(tensor.array.shape)
    return _fill(tensor, np.clip(mean + std * special.ndtri(uniform), a, b))


def constant_(tensor, val):
    return _fill(tensor, val)


def ones_(tensor):
    return _fill(tensor, 1)


def zeros_(tensor):
    return _fill(tensor, 0)


def eye_(tensor):
    """Fill a matrix with the identity, so that a Linear layer passes its input on."""
    if tensor.ndim != 2:
        raise ValueError(f"eye_: expected a matrix, got shape {tuple(tensor.shape)}")
    return _fill(tensor, np.eye(*tensor.shape))


def dirac_(tensor, groups=1):
    """Fill a convolution's weight (C_out, C_in/groups, *kernel) so that it passes its input channels on."""
    if tensor.ndim not in (3, 4, 5):
        raise ValueError(f"dirac_: expected a weight of 3 to 5 dimensions, got shape {tuple(tensor.shape)}")
    out_channels, in_channels, *kernel = tensor.shape
    if out_channels % groups:
        raise ValueError(f"dirac_: {out_channels} output channels cannot be divided into {groups} groups")
    values = np.zeros(tensor.shape)
    per_group, centre = out_channels // groups, tuple(size // 2 for size in kernel)
    for group in range(groups):
        for channel in range(min(per_group, in_channels)):
            values[(group * per_group + channel, channel, *centre)] = 1
    return _fill(tensor, values)


def _calculate_fan_in_and_fan_out(tensor):
    """How many inputs one output of this weight (out, in, *kernel) has, and how many outputs one input."""
    if tensor.ndim < 2:
        raise ValueError(
            f"fan in and fan out: a weight has at least 2 dimensions (out, in, …), got shape {tuple(tensor.shape)}"
        )
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def _fan(tensor, mode):
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f'mode is "fan_in" or "fan_out", not {mode!r}')
    return _calculate_fan_in_and_fan_out(tensor)[mode == "fan_out"]


_calculate_correct_fan = _fan  # the name by which model files call it


def xavier_uniform_(tensor, gain=1.0, generator=None):
    """U(−a, a) with a = gain · √(6 / (fan_in + fan_out)) (Glorot & Bengio 2010, section 4.2.1)."""
    bound = gain * math.sqrt(6 / sum(_calculate_fan_in_and_fan_out(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor, gain=1.0, generator=None):
    """N(0, std²) with std = gain · √(2 / (fan_in + fan_out)) (Glorot & Bengio 2010)."""
    return normal_(tensor, 0, gain * math.sqrt(2 / sum(_calculate_fan_in_and_fan_out(tensor))), generator)


def kaiming_uniform_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """U(−b, b) with b = gain · √(3 / fan) (He et al. 2015, section 2.2). `a` is leaky_relu's negative slope."""
    if 0 in tensor.shape:
        return tensor
    bound = calculate_gain(nonlinearity, a) * math.sqrt(3 / _fan(tensor, mode))
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """N(0, std²) with std = gain / √fan (He et al. 2015, section 2.2). `a` is leaky_relu's negative slope."""
    if 0 in tensor.shape:
        return tensor
    return normal_(tensor, 0, calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode)), generator)


def orthogonal_(tensor, gain=1, generator=None):
    """Fill with a random orthogonal matrix times gain, trailing dimensions flattened (Saxe et al. 2013, arXiv:1312.6120)."""
    if tensor.ndim < 2:
        raise ValueError(f"orthogonal_: expected at least 2 dimensions, got shape {tuple(tensor.shape)}")
    if not tensor.numel():
        return tensor
    rows, columns = tensor.shape[0], tensor.numel() // tensor.shape[0]
    q, r = np.linalg.qr(backend.random(generator).standard_normal((max(rows, columns), min(rows, columns))))
    q *= np.sign(np.diag(r))  # without it the distribution would depend on the QR algorithm's choice of signs
    return _fill(tensor, gain * (q if rows >= columns else q.T).reshape(tensor.shape))


def sparse_(tensor, sparsity, std=0.01, generator=None):
    """Fill a matrix from N(0, std²), and set the given fraction of each column to zero (Martens 2010)."""
    if tensor.ndim != 2:
        raise ValueError(f"sparse_: expected a matrix, got shape {tuple(tensor.shape)}")
    rows, columns = tensor.shape
    random = backend.random(generator)
    values = random.standard_normal((rows, columns)) * std
    zeros = math.ceil(sparsity * rows)
    for column in range(columns):
        values[random.permutation(rows)[:zeros], column] = 0
    return _fill(tensor, values)
