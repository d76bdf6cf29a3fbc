"""Normalisations: over the batch, and within each example."""

import numpy as np

from .. import backend
from ..tensor import Tensor
from . import functional as F
from . import init
from .module import Module
from .parameter import empty
from .settings import REQUIRED, FunctionModule

__all__ = [
    "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d",
    "LayerNorm", "GroupNorm", "RMSNorm", "LocalResponseNorm",
]  # fmt: skip


class _NormBase(Module):
    """Running statistics and an affine map, as batch and instance normalisation share them.

    Weight, bias, running_mean and running_var are (num_features,); num_batches_tracked counts the training steps.
    """

    _version = 2  # of the state: since 2, num_batches_tracked belongs to it
    input_dims = ()

    def __init__(self, num_features, eps, momentum, affine, track_running_stats, device, dtype, bias):
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self.register_parameter("weight", empty(num_features, device, dtype) if affine else None)
        self.register_parameter("bias", empty(num_features, device, dtype) if affine and bias else None)
        device, dtype = device or "cpu", dtype or backend.get_default_dtype()
        for name in ("running_mean", "running_var"):
            array = backend.to_device(np.empty(num_features, dtype), device)
            self.register_buffer(name, Tensor(array) if track_running_stats else None)
        count = Tensor(backend.to_device(np.zeros((), np.int64), device)) if track_running_stats else None
        self.register_buffer("num_batches_tracked", count)
        self.reset_parameters()

    def reset_running_stats(self):
        if self.track_running_stats:
            init.zeros_(self.running_mean)
            init.ones_(self.running_var)
            init.zeros_(self.num_batches_tracked)

    def reset_parameters(self):
        """γ = 1, β = 0."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def _check_input_dim(self, input):
        if input.ndim not in self.input_dims:
            expected = " or ".join(f"{n}-d" for n in self.input_dims)
            raise ValueError(f"{self._get_name()}: expected {expected} input, got shape {tuple(input.shape)}")

    def _load_from_state_dict(
        self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
    ):
        version, key = local_metadata.get("version"), f"{prefix}num_batches_tracked"
        if (version is None or version < 2) and self.track_running_stats and key not in state_dict:
            state_dict[key] = self.num_batches_tracked
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )

    def extra_repr(self):
        settings = f"eps={self.eps}, momentum={self.momentum}, affine={self.affine}, bias={self.bias is not None}"
        return f"{self.num_features}, {settings}, track_running_stats={self.track_running_stats}"


class _BatchNorm(_NormBase):
    """γ (x − mean) / √(var + eps) + β for each channel, over the batch and all positions (Ioffe & Szegedy 2015).

    In training the statistics are the batch's, and the running ones move towards them by `momentum` (None: their plain average);
    in eval mode the running ones are used.
    """

    def __init__(
        self, num_features, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True, device=None, dtype=None, *, bias=True
    ):  # fmt: skip
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)

    def forward(self, input):
        self._check_input_dim(input)
        factor = 0.0 if self.momentum is None else self.momentum
        if self.training and self.track_running_stats and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:
                factor = 1.0 / float(self.num_batches_tracked)
        use_batch = self.training or (self.running_mean is None and self.running_var is None)
        keep = not self.training or self.track_running_stats
        return F.batch_norm(
            input,
            self.running_mean if keep else None,
            self.running_var if keep else None,
            self.weight,
            self.bias,
            use_batch,
            factor,
            self.eps,
        )


class BatchNorm1d(_BatchNorm):
    __doc__ = "Over (B, C) or (B, C, L): " + _BatchNorm.__doc__
    input_dims = (2, 3)


class BatchNorm2d(_BatchNorm):
    __doc__ = "Over (B, C, H, W): " + _BatchNorm.__doc__
    input_dims = (4,)


class BatchNorm3d(_BatchNorm):
    __doc__ = "Over (B, C, D, H, W): " + _BatchNorm.__doc__
    input_dims = (5,)


class _InstanceNorm(_NormBase):
    """γ (x − mean) / √(var + eps) + β for each channel of each example (Ulyanov et al. 2016). No parameters by default."""

    def __init__(
        self, num_features, eps=1e-5, momentum=0.1, affine=False, track_running_stats=False, device=None, dtype=None, *, bias=True
    ):  # fmt: skip
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)

    def forward(self, input):
        self._check_input_dim(input)
        unbatched = input.ndim == self.input_dims[0]
        x = input.unsqueeze(0) if unbatched else input  # (B, C, …)
        if x.shape[1] != self.num_features and (self.affine or self.track_running_stats):
            raise ValueError(
                f"{self._get_name()}: expected {self.num_features} channels, got shape {tuple(input.shape)}"
            )
        y = F.instance_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            self.momentum if self.momentum is not None else 0.0,
            self.eps,
        )
        return y.squeeze(0) if unbatched else y


class InstanceNorm1d(_InstanceNorm):
    __doc__ = "Over (B, C, L) or (C, L): " + _InstanceNorm.__doc__
    input_dims = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    __doc__ = "Over (B, C, H, W) or (C, H, W): " + _InstanceNorm.__doc__
    input_dims = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    __doc__ = "Over (B, C, D, H, W) or (C, D, H, W): " + _InstanceNorm.__doc__
    input_dims = (4, 5)


class LayerNorm(Module):
    """γ (x − mean) / √(var + eps) + β over the last dimensions, `normalized_shape` (Ba et al. 2016)."""

    def __init__(self, normalized_shape, eps=1e-5, elementwise_affine=True, bias=True, device=None, dtype=None):
        super().__init__()
        self.normalized_shape = _shape(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self.register_parameter("weight", empty(self.normalized_shape, device, dtype) if elementwise_affine else None)
        self.register_parameter(
            "bias", empty(self.normalized_shape, device, dtype) if elementwise_affine and bias else None
        )
        self.reset_parameters()

    def reset_parameters(self):
        """γ = 1, β = 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input):
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self):
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"


class GroupNorm(Module):
    """γ (x − mean) / √(var + eps) + β over groups of channels of each example (Wu & He 2018). Parameters (num_channels,)."""

    def __init__(self, num_groups, num_channels, eps=1e-5, affine=True, device=None, dtype=None, *, bias=True):
        super().__init__()
        if num_channels % num_groups:
            raise ValueError(f"GroupNorm: num_channels={num_channels} must be a multiple of num_groups={num_groups}")
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        self.register_parameter("weight", empty(num_channels, device, dtype) if affine else None)
        self.register_parameter("bias", empty(num_channels, device, dtype) if affine and bias else None)
        self.reset_parameters()

    reset_parameters = LayerNorm.reset_parameters

    def forward(self, input):
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self):
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, bias={self.bias is not None}"


class RMSNorm(Module):
    """γ x / √(mean(x²) + eps) over the last dimensions, `normalized_shape` (Zhang & Sennrich 2019). eps None: the dtype's epsilon."""

    def __init__(self, normalized_shape, eps=None, elementwise_affine=True, device=None, dtype=None):
        super().__init__()
        self.normalized_shape = _shape(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self.register_parameter("weight", empty(self.normalized_shape, device, dtype) if elementwise_affine else None)
        self.reset_parameters()

    def reset_parameters(self):
        """γ = 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, input):
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self):
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


def _shape(normalized_shape):
    return (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)


class LocalResponseNorm(FunctionModule):
    """x / (k + alpha · mean of x² over `size` neighbouring channels)^beta (Krizhevsky et al. 2012)."""

    function, settings = "local_response_norm", dict(size=REQUIRED, alpha=1e-4, beta=0.75, k=1.0)

    def extra_repr(self):
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
