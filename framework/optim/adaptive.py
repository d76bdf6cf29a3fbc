"""Four relatives of Adam: Adamax, NAdam, RAdam and Adadelta. Each reads like its paper; adam.py shows how such a step is made fast."""

import numpy as np

from ..backend import array_module
from ..tensor import Tensor
from .optimizer import Optimizer, count_step, descent, follow, zeros_like


class _Adaptive(Optimizer):
    """An optimizer whose state is a step count and some moving averages of each parameter's shape, named in `averages`."""

    averages = ()

    def check(self, group):
        super().check(group)
        for name, values in {"betas": group.get("betas", ()), "rho": (group.get("rho", 0),)}.items():
            if not all(0 <= value <= 1 and (name == "rho" or value < 1) for value in values):
                raise ValueError(f"{self._name}: {name} must be in [0, 1), got {group[name]}")
        if group.get("momentum_decay", 0) < 0:
            raise ValueError(f"{self._name}: momentum_decay must not be negative, got {group['momentum_decay']}")

    def begin(self, param, grad, state, group):
        """The step's number, and the gradient of what is to shrink, after weight decay; fills a new state."""
        if not state:
            state["step"] = Tensor(np.zeros((), np.float32))
            state |= {name: zeros_like(param) for name in self.averages}
        l2 = group["weight_decay"]
        if l2 and group.get("decoupled_weight_decay"):
            param *= 1 - group["lr"] * l2
            l2 = 0
        return count_step(state), descent(param, grad, l2, group["maximize"])


class Adamax(_Adaptive):
    """θ ← θ − lr / (1 − β1ᵗ) · m / u, where u = max(β2 u, |g| + eps) takes the place of Adam's √v (Kingma & Ba 2015, section 7.1)."""

    averages = ("exp_avg", "exp_inf")

    def __init__(
        self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, foreach=None, *,
        maximize=False, differentiable=False, capturable=False,
    ):  # fmt: skip
        defaults = dict(
            lr=lr, betas=tuple(betas), eps=eps, weight_decay=weight_decay, foreach=foreach, maximize=maximize
        )
        super().__init__(params, defaults | dict(differentiable=differentiable, capturable=capturable))

    def update(self, param, grad, state, group):
        step, g = self.begin(param, grad, state, group)
        xp, (beta1, beta2) = array_module(param), group["betas"]
        m, u = state["exp_avg"].array, state["exp_inf"].array
        follow(m, g, beta1)
        u[...] = xp.maximum(u * beta2, xp.absolute(g) + group["eps"])
        param -= m / u * (group["lr"] / (1 - beta1**step))


class NAdam(_Adaptive):
    """Adam with Nesterov's momentum, whose strength μₜ = β1 (1 − ½ · 0.96^(t · momentum_decay)) grows (Dozat 2016)."""

    averages = ("exp_avg", "exp_avg_sq")

    def __init__(
        self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, momentum_decay=4e-3, decoupled_weight_decay=False, *,
        foreach=None, maximize=False, capturable=False, differentiable=False,
    ):  # fmt: skip
        defaults = dict(lr=lr, betas=tuple(betas), eps=eps, weight_decay=weight_decay, momentum_decay=momentum_decay)
        defaults |= dict(decoupled_weight_decay=decoupled_weight_decay, maximize=maximize, foreach=foreach)
        super().__init__(params, defaults | dict(capturable=capturable, differentiable=differentiable))

    def _adopt(self, param, number, key, value):
        if key == "mu_product":
            return Tensor(np.array(float(value), dtype=param.dtype))
        return super()._adopt(param, number, key, value)

    def update(self, param, grad, state, group):
        first = not state
        step, g = self.begin(param, grad, state, group)
        if first:
            state["mu_product"] = Tensor(np.ones((), np.float32))
        xp, (beta1, beta2) = array_module(param), group["betas"]
        mu, mu_next = (beta1 * (1 - 0.5 * 0.96 ** (t * group["momentum_decay"])) for t in (step, step + 1))
        product = state["mu_product"].array
        product *= mu
        m, v = state["exp_avg"].array, state["exp_avg_sq"].array
        follow(m, g, beta1)
        follow(v, g * g, beta2)
        root = xp.sqrt(v / (1 - beta2**step)) + group["eps"]
        so_far = product.item()
        param -= g / root * (group["lr"] * (1 - mu) / (1 - so_far))
        param -= m / root * (group["lr"] * mu_next / (1 - so_far * mu_next))


class RAdam(_Adaptive):
    """Adam whose step is m̂ alone while v has seen too little, and then scaled by the rectification r (Liu et al. 2020, algorithm 2)."""

    averages = ("exp_avg", "exp_avg_sq")

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, decoupled_weight_decay=False, *,
        foreach=None, maximize=False, capturable=False, differentiable=False,
    ):  # fmt: skip
        defaults = dict(
            lr=lr, betas=tuple(betas), eps=eps, weight_decay=weight_decay, maximize=maximize, foreach=foreach
        )
        defaults |= dict(capturable=capturable, decoupled_weight_decay=decoupled_weight_decay)
        super().__init__(params, defaults | dict(differentiable=differentiable))

    def update(self, param, grad, state, group):
        step, g = self.begin(param, grad, state, group)
        xp, (beta1, beta2) = array_module(param), group["betas"]
        m, v = state["exp_avg"].array, state["exp_avg_sq"].array
        follow(m, g, beta1)
        follow(v, g * g, beta2)
        unbiased = 1 - beta2**step
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * step * beta2**step / unbiased  # of the moving average of g²
        change = m / (1 - beta1**step) * group["lr"]
        if length > 5:
            rectified = ((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)) ** 0.5
            change = change / (xp.sqrt(v) + group["eps"]) * (unbiased**0.5 * rectified)
        param -= change


class Adadelta(_Adaptive):
    """θ ← θ − lr · g √(u + eps) / √(v + eps), with v and u the moving averages of g² and of the squared steps (Zeiler 2012)."""

    averages = ("square_avg", "acc_delta")

    def __init__(
        self, params, lr=1.0, rho=0.9, eps=1e-6, weight_decay=0, foreach=None, *,
        capturable=False, maximize=False, differentiable=False,
    ):  # fmt: skip
        defaults = dict(lr=lr, rho=rho, eps=eps, weight_decay=weight_decay, maximize=maximize, capturable=capturable)
        super().__init__(params, defaults | dict(foreach=foreach, differentiable=differentiable))

    def update(self, param, grad, state, group):
        _, g = self.begin(param, grad, state, group)
        xp, rho, eps = array_module(param), group["rho"], group["eps"]
        v, u = state["square_avg"].array, state["acc_delta"].array
        follow(v, g * g, rho)
        change = xp.sqrt(u + eps) / xp.sqrt(v + eps) * g
        follow(u, change * change, rho)
        param -= change * group["lr"]
