"""Proximal gradient descent as an optimizer of the engine."""

import numpy as np

from framework.optim import Optimizer


class ProximalSGD(Optimizer):
    """w ← S(w - lr · gradient, lr · l1), where S(v, t) = sign(v) · max(|v| - t, 0)."""

    def __init__(self, params, lr=1e-2, l1=0.0):
        """params: tensors, or groups {"params": …, "l1": …} with options of their own."""
        super().__init__(params, dict(lr=lr, l1=l1))

    def update(self, param, grad, state, group):
        """One step of one parameter, in place; param and grad are arrays of one shape."""
        lr, l1 = float(group["lr"]), float(group["l1"])
        param -= lr * grad
        param[...] = np.sign(param) * np.maximum(np.abs(param) - lr * l1, 0)
