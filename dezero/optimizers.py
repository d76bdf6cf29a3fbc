"""Optimizers, each the engine's with the textbook's names for its settings, and the hooks that change gradients before a step."""

import math

import framework

from .core import Parameter


class Optimizer:
    """Changes the parameters of a target, a Layer, by their gradients: `Adam().setup(model)`, then `update()` after each backward.

    A rule of one's own is a subclass with update_one(param).
    """

    def __init__(self):
        self.target, self.hooks = None, []

    def setup(self, target):
        self.target = target
        return self

    def add_hook(self, f):
        """Have f(params) called in each update before the step."""
        self.hooks.append(f)

    def update(self):
        params = [p for p in self.target.params() if p.grad is not None]
        for hook in self.hooks:
            hook(params)
        for param in params:
            if param.grad is not None:  # a hook may have taken it away
                self.update_one(param)

    def update_one(self, param):
        raise NotImplementedError(f"{type(self).__name__}: define update_one(self, param)")


class _EngineOptimizer(Optimizer):
    """A rule of the engine. `rule` is its class; `options()` names its options by the attributes of this object, read at each step."""

    rule: type

    def __init__(self):
        super().__init__()
        self._engines = {}  # an engine optimizer for each parameter, whose size may not be known before its first gradient

    def update_one(self, param):
        tensor = param.tensor
        if tensor not in self._engines:
            self._engines[tensor] = self.rule([tensor], **self.options())
        engine = self._engines[tensor]
        engine.param_groups[0].update(self.options())
        engine.step()

    def options(self):
        raise NotImplementedError


class SGD(_EngineOptimizer):
    rule = framework.optim.SGD

    def __init__(self, lr=0.01):
        super().__init__()
        self.lr = lr

    def options(self):
        return {"lr": self.lr}


class MomentumSGD(_EngineOptimizer):
    rule = framework.optim.SGD

    def __init__(self, lr=0.01, momentum=0.9):
        super().__init__()
        self.lr, self.momentum = lr, momentum

    def options(self):
        return {"lr": self.lr, "momentum": self.momentum}


class AdaGrad(_EngineOptimizer):
    rule = framework.optim.Adagrad

    def __init__(self, lr=0.001, eps=1e-8):
        super().__init__()
        self.lr, self.eps = lr, eps

    def options(self):
        return {"lr": self.lr, "eps": self.eps}


class AdaDelta(_EngineOptimizer):
    rule = framework.optim.Adadelta

    def __init__(self, rho=0.95, eps=1e-6):
        super().__init__()
        self.rho, self.eps = rho, eps

    def options(self):
        return {"lr": 1.0, "rho": self.rho, "eps": self.eps}


class Adam(_EngineOptimizer):
    """Adam with eps beside √v as it is, where the engine's (and the paper's algorithm 1) is beside the bias-corrected √v̂."""

    rule = framework.optim.Adam

    def __init__(self, alpha=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
        super().__init__()
        self.t = 0
        self.alpha, self.beta1, self.beta2, self.eps = alpha, beta1, beta2, eps

    def update(self):
        self.t += 1
        super().update()

    @property
    def lr(self):
        """The factor of the step that the bias correction makes of alpha."""
        return self.alpha * math.sqrt(1 - self.beta2**self.t) / (1 - self.beta1**self.t)

    def options(self):
        eps = self.eps / math.sqrt(1 - self.beta2**self.t)
        return {"lr": self.alpha, "betas": (self.beta1, self.beta2), "eps": eps}


# --- hooks ------------------------------------------------------------------------------------------------------------


class WeightDecay:
    """Adds rate · θ to the gradient of each parameter θ."""

    def __init__(self, rate):
        self.rate = rate

    def __call__(self, params):
        for param in params:
            param.grad.data += self.rate * param.data


class ClipGrad:
    """Scales all gradients so that their norm, taken together, is at most max_norm."""

    def __init__(self, max_norm):
        self.max_norm = max_norm

    def __call__(self, params):
        framework.nn.utils.clip_grad_norm_([param.tensor for param in params], self.max_norm)


class FreezeParam:
    """Keeps the given parameters, and those of the given layers, as they are."""

    def __init__(self, *layers):
        self.freeze_params = [
            param for layer in layers for param in ([layer] if isinstance(layer, Parameter) else layer.params())
        ]

    def __call__(self, params):
        for param in self.freeze_params:
            param.cleargrad()
