"""Muon (Jordan et al. 2024): momentum, whose matrix is made orthogonal before it is followed."""

import math

from .optimizer import Optimizer, follow, zeros_like


def orthogonal(g, coefficients, steps, eps):
    """U Vᵀ of the singular value decomposition g = U S Vᵀ, roughly: `steps` of X ← a X + (b A + c A²) X with A = X Xᵀ draw all singular
    values towards 1 (Newton–Schulz). PyTorch computes this in bfloat16, so its steps agree with these to two or three digits."""
    a, b, c = coefficients
    x = g.T if g.shape[0] > g.shape[1] else g
    x = x / max(math.sqrt((x * x).sum()), eps)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.T if g.shape[0] > g.shape[1] else x


_SCALES = {
    "original": lambda rows, columns: math.sqrt(max(1, rows / columns)),
    "match_rms_adamw": lambda rows, columns: 0.2 * math.sqrt(max(rows, columns)),
    "spectral_unclamped": lambda rows, columns: math.sqrt(rows / columns),
}


class Muon(Optimizer):
    """θ ← (1 − lr · weight_decay) θ − lr · scale · orthogonal(m), for matrices (torch.optim.Muon).

    m is the moving average of the gradient, with nesterov one step ahead. adjust_lr_fn: how scale follows from the shape, "original"
    (√max(1, rows / columns), the default), "match_rms_adamw" or "spectral_unclamped". Vectors belong to another optimizer.
    """

    def __init__(
        self, params, lr=1e-3, weight_decay=0.1, momentum=0.95, nesterov=True, ns_coefficients=(3.4445, -4.775, 2.0315), eps=1e-7,
        ns_steps=5, adjust_lr_fn=None,
    ):  # fmt: skip
        defaults = dict(
            lr=lr, weight_decay=weight_decay, momentum=momentum, nesterov=nesterov, ns_coefficients=ns_coefficients
        )
        super().__init__(params, defaults | dict(eps=eps, ns_steps=ns_steps, adjust_lr_fn=adjust_lr_fn))

    def check(self, group):
        super().check(group)
        if group["adjust_lr_fn"] not in (None, *_SCALES):
            raise ValueError(
                f"Muon: adjust_lr_fn must be None or one of {', '.join(_SCALES)}, got {group['adjust_lr_fn']!r}"
            )
        for param in group["params"]:
            if param.ndim != 2:
                raise ValueError(f"Muon: only matrices can be optimized, got a parameter of shape {tuple(param.shape)}")

    def update(self, param, grad, state, group):
        if not state:
            state["momentum_buffer"] = zeros_like(param)
        m, momentum = state["momentum_buffer"].array, group["momentum"]
        follow(m, grad, momentum)
        ahead = momentum * m + (1 - momentum) * grad if group["nesterov"] else m
        step = orthogonal(ahead, group["ns_coefficients"], group["ns_steps"], group["eps"])
        scale = _SCALES[group["adjust_lr_fn"] or "original"](*param.shape)
        param *= 1 - group["lr"] * group["weight_decay"]
        param -= group["lr"] * scale * step
