"""Adagrad (Duchi, Hazan & Singer 2011, section 1.1, with the diagonal matrix)."""

import numpy as np

from ..backend import array_module
from ..tensor import Tensor
from .optimizer import Optimizer, count_step, descent


class Adagrad(Optimizer):
    """θ ← θ − lr / (1 + (t − 1) · lr_decay) · g / (√h + eps), where h sums g² over the steps t (torch.optim.Adagrad).

    g is the gradient (negated to maximize) plus weight_decay · θ; h starts at initial_accumulator_value.
    Raises ValueError for a negative option.
    """

    def __init__(
        self,
        params,
        lr=1e-2,
        lr_decay=0,
        weight_decay=0,
        initial_accumulator_value=0,
        eps=1e-10,
        foreach=None,
        *,
        maximize=False,
        differentiable=False,
        fused=None,
    ):
        defaults = dict(lr=lr, lr_decay=lr_decay, eps=eps, weight_decay=weight_decay)
        defaults |= dict(initial_accumulator_value=initial_accumulator_value, foreach=foreach, maximize=maximize)
        defaults |= dict(differentiable=differentiable, fused=fused)
        super().__init__(params, defaults)

    def add_param_group(self, param_group):
        super().add_param_group(param_group)
        for param in self.param_groups[-1]["params"]:
            xp = array_module(param.array)
            accumulated = xp.full_like(param.array, param_group["initial_accumulator_value"])
            self.state[param] = {"step": Tensor(np.zeros((), np.float32)), "sum": Tensor(accumulated)}

    def update(self, param, grad, state, group):
        step = count_step(state)
        lr = float(group["lr"]) / (1 + (step - 1) * float(group["lr_decay"]))
        eps, weight_decay = float(group["eps"]), float(group["weight_decay"])
        for p, g, h in self.blocks(param, grad, state["sum"].array):
            g = descent(p, g, weight_decay, group["maximize"])
            h += g * g
            p -= lr * g / (array_module(h).sqrt(h) + eps)
