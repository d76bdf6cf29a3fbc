"""Stochastic gradient descent with momentum (Sutskever et al. 2013, section 2, in the form that PyTorch uses)."""

from .optimizer import Optimizer, descent, zeros_like


class SGD(Optimizer):
    """θ ← θ − lr · b, where b ← momentum · b + (1 − dampening) · g, and b = g at the first step (torch.optim.SGD).

    g is the gradient (negated to maximize) plus weight_decay · θ. With nesterov the step is along g + momentum · b.
    Raises ValueError for a negative option, and for nesterov without momentum or with dampening.
    """

    def __init__(
        self,
        params,
        lr=1e-3,
        momentum=0,
        dampening=0,
        weight_decay=0,
        nesterov=False,
        *,
        maximize=False,
        foreach=None,
        differentiable=False,
        fused=None,
    ):
        defaults = dict(lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov)
        defaults |= dict(maximize=maximize, foreach=foreach, differentiable=differentiable, fused=fused)
        super().__init__(params, defaults)

    def check(self, group):
        super().check(group)
        if group["nesterov"] and (not group["momentum"] or group["dampening"]):
            raise ValueError(
                "SGD: nesterov needs a momentum above 0 and no dampening, "
                f"got momentum={group['momentum']}, dampening={group['dampening']}"
            )

    def update(self, param, grad, state, group):
        lr, momentum, dampening, weight_decay = [
            float(group[option]) for option in ("lr", "momentum", "dampening", "weight_decay")
        ]
        buffer, first = None, False
        if momentum:
            first = state.get("momentum_buffer") is None
            if first:
                state["momentum_buffer"] = zeros_like(param)
            buffer = state["momentum_buffer"].array
        for p, g, b in self.blocks(param, grad, buffer):
            g = descent(p, g, weight_decay, group["maximize"])
            if momentum:
                b *= momentum
                b += g if first or not dampening else (1 - dampening) * g
                g = g + momentum * b if group["nesterov"] else b
            p -= lr * g
