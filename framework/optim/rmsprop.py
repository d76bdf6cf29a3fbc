"""RMSprop (Tieleman & Hinton 2012, lecture 6e; centered: Graves 2013, equations 38 to 45)."""

import numpy as np

from ..backend import array_module
from ..tensor import Tensor
from .optimizer import Optimizer, count_step, descent, follow, zeros_like


class RMSprop(Optimizer):
    """θ ← θ − lr · g / (√v + eps), where v ← alpha · v + (1 − alpha) · g² (torch.optim.RMSprop).

    g is the gradient (negated to maximize) plus weight_decay · θ. centered: v − ḡ² stands for v, with ḡ the moving average
    of g. momentum: b ← momentum · b + g / (√v + eps), and θ ← θ − lr · b.
    Raises ValueError for a negative option.
    """

    def __init__(
        self,
        params,
        lr=1e-2,
        alpha=0.99,
        eps=1e-8,
        weight_decay=0,
        momentum=0,
        centered=False,
        capturable=False,
        foreach=None,
        maximize=False,
        differentiable=False,
    ):
        defaults = dict(lr=lr, momentum=momentum, alpha=alpha, eps=eps, centered=centered, weight_decay=weight_decay)
        defaults |= dict(capturable=capturable, foreach=foreach, maximize=maximize, differentiable=differentiable)
        super().__init__(params, defaults)

    def update(self, param, grad, state, group):
        lr, alpha, eps, weight_decay, momentum = (
            float(group[option]) for option in ("lr", "alpha", "eps", "weight_decay", "momentum")
        )
        if not state:
            state["step"] = Tensor(np.zeros((), np.float32))
            state["square_avg"] = zeros_like(param)
            if momentum:
                state["momentum_buffer"] = zeros_like(param)
            if group["centered"]:
                state["grad_avg"] = zeros_like(param)
        count_step(state)
        square_avg = state["square_avg"].array
        grad_avg = state["grad_avg"].array if group["centered"] else None
        buffer = state["momentum_buffer"].array if momentum else None
        for p, g, v, mean, b in self.blocks(param, grad, square_avg, grad_avg, buffer):
            g = descent(p, g, weight_decay, group["maximize"])
            follow(v, g * g, alpha)
            if group["centered"]:
                follow(mean, g, alpha)
            step = g / (array_module(v).sqrt(v - mean * mean if group["centered"] else v) + eps)
            if momentum:
                b *= momentum
                b += step
                step = b
            p -= lr * step
