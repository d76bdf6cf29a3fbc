"""Adam (Kingma & Ba 2015, algorithm 1), AMSGrad (Reddi et al. 2018) and AdamW (Loshchilov & Hutter 2019)."""

import math

import numpy as np

from ..backend import array_module
from ..tensor import Tensor
from .optimizer import Optimizer, count_step, descent, zeros_like


class Adam(Optimizer):
    """θ ← θ − lr · m̂ / (√v̂ + eps), with m̂ and v̂ the bias-corrected moving averages of g and g² (torch.optim.Adam).

    g is the gradient (negated to maximize) plus weight_decay · θ; with decoupled_weight_decay, θ is first multiplied by
    1 − lr · weight_decay instead. amsgrad: v̂ comes from the largest v so far.
    Raises ValueError for an option out of its range.
    """

    def __init__(
        self,
        params,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0,
        amsgrad=False,
        *,
        foreach=None,
        maximize=False,
        capturable=False,
        differentiable=False,
        fused=None,
        decoupled_weight_decay=False,
    ):
        defaults = dict(lr=lr, betas=tuple(betas), eps=eps, weight_decay=weight_decay, amsgrad=amsgrad)
        defaults |= dict(maximize=maximize, foreach=foreach, capturable=capturable, differentiable=differentiable)
        defaults |= dict(fused=fused, decoupled_weight_decay=decoupled_weight_decay)
        super().__init__(params, defaults)

    def check(self, group):
        super().check(group)
        betas = group["betas"]
        if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"{self._name}: betas must be two numbers in [0, 1), got {betas}")

    def update(self, param, grad, state, group):
        if not state:
            state["step"] = Tensor(np.zeros((), np.float32))
            state["exp_avg"], state["exp_avg_sq"] = zeros_like(param), zeros_like(param)
            if group["amsgrad"]:
                state["max_exp_avg_sq"] = zeros_like(param)
        xp, step = array_module(param), count_step(state)
        key = (id(group), step, param.dtype.char, xp.__name__)
        factors = self._factors.get(key)
        if factors is None:
            factors = _factors(group, step)
            if xp is np:  # as 0-d arrays, which NumPy takes faster than numbers
                factors = [np.array(factor, param.dtype) for factor in factors]
            self._factors[key] = factors
        keep1, take1, keep2, take2, eps, step_size, shrink, l2 = factors
        shrinks, maximize = group["decoupled_weight_decay"] and group["weight_decay"], group["maximize"]
        moments = [state["exp_avg"].array, state["exp_avg_sq"].array]
        largest = state["max_exp_avg_sq"].array if group["amsgrad"] else None
        for p, g, m, v, v_max, s, t in self.blocks(param, grad, *moments, largest):
            if shrinks:
                p *= shrink
            if l2 or maximize:
                g = descent(xp, p, g, l2, maximize, out=s)
            m *= keep1
            m += xp.multiply(g, take1, out=t)  # m ← β1 m + (1 − β1) g
            xp.square(g, out=t)
            t *= take2
            v *= keep2
            v += t  # v ← β2 v + (1 − β2) g²
            if v_max is not None:
                v = xp.maximum(v_max, v, out=v_max)
            xp.sqrt(v, out=t)
            t += eps
            xp.divide(m, t, out=t)
            t *= step_size
            p -= t


def _factors(group, step):
    """β1, 1 − β1, β2, 1 − β2, ε c, the step size lr c / (1 − β1ᵗ), and for weight decay 1 − lr λ, which multiplies θ, and its λ in the gradient.

    With c = √(1 − β2ᵗ), m̂ / (√v̂ + ε) = m / (√v + ε c) · c / (1 − β1ᵗ): one pass less (section 2, last paragraph).
    """
    lr, (beta1, beta2), decay = float(group["lr"]), map(float, group["betas"]), float(group["weight_decay"])
    c = math.sqrt(1 - beta2**step)
    eps, step_size = float(group["eps"]) * c, lr * c / (1 - beta1**step)
    return [
        beta1,
        1 - beta1,
        beta2,
        1 - beta2,
        eps,
        step_size,
        1 - lr * decay,
        0 if group["decoupled_weight_decay"] else decay,
    ]


class AdamW(Adam):
    """Adam with decoupled weight decay (torch.optim.AdamW)."""

    def __init__(
        self,
        params,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=1e-2,
        amsgrad=False,
        *,
        maximize=False,
        foreach=None,
        capturable=False,
        differentiable=False,
        fused=None,
    ):
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )

    def load_state_dict(self, state_dict):
        super().load_state_dict(state_dict)
        for group in self.param_groups:  # an old AdamW state does not name it; it is what makes AdamW
            group["decoupled_weight_decay"] = True
