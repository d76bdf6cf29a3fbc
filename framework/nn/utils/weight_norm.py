"""Weights as functions of other parameters, computed anew before every forward: weight_norm and spectral_norm.

The layer's parameter `weight` becomes a plain tensor; a hook before forward sets it from the parameters that take its place.
"""

from ...autograd import no_grad
from ...ops.creation import randn
from .. import functional as F
from ..conv import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from ..parameter import Parameter

__all__ = ["remove_spectral_norm", "remove_weight_norm", "spectral_norm", "weight_norm"]


class _Norm:
    """The hook of one parameter of one layer."""

    def __init__(self, module, name, dim):
        self.name, self.dim = name, dim
        if any(type(hook) is type(self) and hook.name == name for hook in module._forward_pre_hooks.values()):
            raise RuntimeError(f"{self.function}: {name!r} of {type(module).__name__} has one already")
        weight = module._parameters.get(name)
        if weight is None:
            raise ValueError(f"{self.function}: {type(module).__name__} has no parameter {name!r}")
        del module._parameters[name]
        self.replace(module, weight)
        setattr(module, name, self.weight(module, False))
        module.register_forward_pre_hook(self)

    def __call__(self, module, inputs):
        setattr(module, self.name, self.weight(module, module.training))


def _remove(kind, module, name):
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, kind) and hook.name == name:
            with no_grad():
                weight = Parameter(hook.weight(module, False).detach())
            delattr(module, name)
            for part in hook.parts:
                delattr(module, name + part)
            module.register_parameter(name, weight)
            del module._forward_pre_hooks[key]
            return module
    raise ValueError(f"remove_{kind.function}: {name!r} of {type(module).__name__} has none")


class _WeightNorm(_Norm):
    function, parts = "weight_norm", ("_g", "_v")

    def _length(self, v):
        """‖v‖ over all dimensions but `dim`, which stay with size 1; of all of v where dim is None."""
        if self.dim is None:
            return v.norm()
        return v.norm(2, tuple(i for i in range(v.ndim) if i != self.dim % v.ndim), keepdim=True)

    def replace(self, module, weight):
        module.register_parameter(f"{self.name}_g", Parameter(self._length(weight.detach())))
        module.register_parameter(f"{self.name}_v", Parameter(weight.detach()))

    def weight(self, module, training):
        g, v = getattr(module, f"{self.name}_g"), getattr(module, f"{self.name}_v")
        return v * (g / self._length(v))


def weight_norm(module, name="weight", dim=0):
    """weight = g v / ‖v‖: length and direction learnt apart (Salimans & Kingma 2016, arXiv:1602.07868).

    dim: the dimension that has a length of its own for each of its indices; None: one length for all. Returns the module.
    """
    _WeightNorm(module, name, None if dim == -1 else dim)
    return module


def remove_weight_norm(module, name="weight"):
    """The weight as it is now, an ordinary parameter again. ValueError where it is none of weight_norm's."""
    return _remove(_WeightNorm, module, name)


class _SpectralNorm(_Norm):
    function, parts = "spectral_norm", ("_orig", "_u", "_v")

    def __init__(self, module, name, dim, n_power_iterations, eps):
        if n_power_iterations < 1:
            raise ValueError(f"spectral_norm: n_power_iterations must be positive, got {n_power_iterations}")
        self.n_power_iterations, self.eps = n_power_iterations, eps
        super().__init__(module, name, dim)

    def _matrix(self, weight):
        order = (self.dim, *(i for i in range(weight.ndim) if i != self.dim))
        return weight.permute(order).reshape(weight.shape[self.dim], -1)

    def replace(self, module, weight):
        module.register_parameter(f"{self.name}_orig", weight)
        for part, size in zip("uv", self._matrix(weight.detach()).shape, strict=True):
            vector = randn(size, dtype=weight.dtype, device=weight.device)
            module.register_buffer(f"{self.name}_{part}", F.normalize(vector, dim=0, eps=self.eps))

    def weight(self, module, training):
        """weight / σ, σ = uᵀ W v; in training u and v first come nearer to the singular vectors, by power iteration."""
        weight, u, v = (getattr(module, self.name + part) for part in self.parts)
        w = self._matrix(weight)
        if training:
            with no_grad():
                for _ in range(self.n_power_iterations):
                    v.copy_(F.normalize(w.t().mv(u), dim=0, eps=self.eps))
                    u.copy_(F.normalize(w.mv(v), dim=0, eps=self.eps))
            u, v = u.clone(), v.clone()  # a second forward may change them before this one's backward
        return weight / u.dot(w.mv(v))


def spectral_norm(module, name="weight", n_power_iterations=1, eps=1e-12, dim=None):
    """weight divided by its largest singular value, estimated by power iteration (Miyato et al. 2018, arXiv:1802.05957).

    dim: that of the outputs, by default 1 for transposed convolutions, else 0. Returns the module.
    """
    transposed = isinstance(module, (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d))
    _SpectralNorm(module, name, int(transposed) if dim is None else dim, n_power_iterations, eps)
    return module


def remove_spectral_norm(module, name="weight"):
    """The weight as it is now, an ordinary parameter again. ValueError where it is none of spectral_norm's."""
    return _remove(_SpectralNorm, module, name)
