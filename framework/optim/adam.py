"""Adam (Kingma & Ba 2015, algorithm 1), AMSGrad (Reddi et al. 2018) and AdamW (Loshchilov & Hutter 2019)."""

import math

import numpy as np

from ..backend import array_module
from ..tensor import Tensor
from ..threads import get_num_threads
from .bundle import Bundle
from .optimizer import Optimizer, count_step, zeros_like


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
        self._bundles = []
        super().__init__(params, defaults)

    def __getstate__(self):
        return self.__dict__ | {"_bundles": []}  # in a copy, what was a view has memory of its own

    def check(self, group):
        super().check(group)
        betas = group["betas"]
        if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"{self._name}: betas must be two numbers in [0, 1), got {betas}")

    def share_out(self, work):
        """What each thread calls `update` with: blocks of parameters that are updated as one, as they are of one group and dtype, and at the same step."""
        alike = {}
        for param, grad, state, group in work:
            if not state:
                state["step"] = Tensor(np.zeros((), np.float32))
                for name in _moments(group):
                    state[name] = zeros_like(param)
            kind = id(group), count_step(state), param.dtype.char, param.__class__
            alike.setdefault(kind, []).append((param, grad, state, group))
        threads, bundles = [[] for _ in range(get_num_threads())], []
        for (_, step, *_), items in alike.items():
            params, grads, states, (group, *_) = zip(*items)
            names = _moments(group)
            known = (bundle for bundle in self._bundles if bundle.holds(params, states, names))
            bundle = next(known, None) or Bundle(params, states, names)
            bundles.append(bundle)
            factors = _factors(group, step, params[0])
            for calls, blocks in zip(threads, bundle.blocks):
                calls += [(block, grads, factors, group) for block in blocks]
        self._bundles = bundles
        return list(filter(None, threads)) or [[]]

    def update(self, block, grads, factors, group):
        """Update the pieces of parameters that a block has; `grads` are of the whole parameters of its bundle."""
        keep1, take1, keep2, take2, eps, step_size, shrink, l2 = factors
        m, v, *v_max = block.buffers
        xp, g, t = array_module(m), block.s, block.t
        for (number, rows), part in zip(block.rows, block.parts_of_s):
            xp.multiply(grads[number][rows], take1, out=part)  # (1 − β1) g
        if group["weight_decay"] and group["decoupled_weight_decay"]:
            for p in block.params:
                p *= shrink
        elif group["weight_decay"]:
            for p, part in zip(block.params, block.parts_of_t):
                xp.multiply(p, l2, out=part)
            g += t
        m *= keep1
        m += g  # m ← β1 m + (1 − β1) g
        xp.square(g, out=t)
        t *= take2
        v *= keep2
        v += t  # v ← β2 v + (1 − β2) g²
        if v_max:
            v = xp.maximum(*v_max, v, out=v_max[0])
        xp.sqrt(v, out=t)
        t += eps
        xp.divide(m, t, out=t)
        t *= step_size
        for p, part in zip(block.params, block.parts_of_t):
            p -= part


def _moments(group):
    return ("exp_avg", "exp_avg_sq", "max_exp_avg_sq") if group["amsgrad"] else ("exp_avg", "exp_avg_sq")


def _factors(group, step, param):
    """What `update` multiplies by: β1, ±(1 − β1), β2, (1 − β2) / (1 − β1)², ε c, the step size lr c / (1 − β1ᵗ), 1 − lr λ and (1 − β1) λ.

    With c = √(1 − β2ᵗ), m̂ / (√v̂ + ε) = m / (√v + ε c) · c / (1 − β1ᵗ): one pass less (section 2, last paragraph). Another one less, as
    the gradients are multiplied by 1 − β1 where they are gathered, and their squares by the rest.
    """
    lr, (beta1, beta2), decay = float(group["lr"]), map(float, group["betas"]), float(group["weight_decay"])
    c = math.sqrt(1 - beta2**step)
    eps, step_size = float(group["eps"]) * c, lr * c / (1 - beta1**step)
    take1, take2 = 1 - beta1, (1 - beta2) / (1 - beta1) ** 2
    sign = -1 if group["maximize"] else 1
    factors = [beta1, sign * take1, beta2, take2, eps, step_size, 1 - lr * decay, take1 * decay]
    if param.__class__ is np.ndarray:  # as 0-d arrays, which NumPy takes faster than numbers
        return [np.array(factor, param.dtype) for factor in factors]
    return factors


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
