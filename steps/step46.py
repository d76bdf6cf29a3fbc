"""Step 46 · Optimizers.

New: `Optimizer`, with `setup(model)` and `update()`; `SGD` and `MomentumSGD`.
Why: *how* a gradient changes a parameter is a decision of its own, and exchangeable. Momentum remembers the last steps: what points the
same way each time adds up, what flips cancels, and step 28's valley is crossed less and followed more. Hooks change gradients before
the step, for all optimizers alike.
In the engine: framework/optim/optimizer.py holds the loop, framework/optim/sgd.py the rule.
"""

import numpy as np

import dezero
import dezero.functions as F
from dezero import optimizers
from dezero.models import MLP


class Optimizer:
    def __init__(self):
        self.hooks = []

    def setup(self, target):
        self.target = target
        return self

    def add_hook(self, hook):
        self.hooks.append(hook)

    def update(self):
        params = [p for p in self.target.params() if p.grad is not None]
        for hook in self.hooks:
            hook(params)
        for param in params:
            self.update_one(param)


class SGD(Optimizer):
    def __init__(self, lr=0.01):
        super().__init__()
        self.lr = lr

    def update_one(self, param):
        param.data -= self.lr * param.grad.data


class MomentumSGD(SGD):
    def __init__(self, lr=0.01, momentum=0.9):
        super().__init__(lr)
        self.momentum, self.velocity = momentum, {}

    def update_one(self, param):
        v = self.momentum * self.velocity.get(param, 0) - self.lr * param.grad.data
        self.velocity[param] = v
        param.data += v


def train(optimizer, steps=200):
    np.random.seed(0)
    x = np.random.rand(100, 1)
    t = np.sin(2 * np.pi * x)
    model = MLP((10, 1))
    optimizer.setup(model).add_hook(optimizers.WeightDecay(1e-4))
    for _ in range(steps):
        loss = F.mean_squared_error(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
    return float(loss.data), [p.data for p in model.params()]


if __name__ == "__main__":
    losses = {}
    for ours, package in (SGD, optimizers.SGD), (MomentumSGD, optimizers.MomentumSGD):
        losses[ours], weights = train(ours(0.1))
        _, expected = train(package(0.1))
        print(f"{ours.__name__:12} after 200 steps: loss {losses[ours]:.4f}")
        assert all(np.allclose(a, b, atol=1e-5) for a, b in zip(weights, expected, strict=True))
    assert losses[MomentumSGD] < losses[SGD]
    assert isinstance(dezero.optimizers.Adam(), dezero.optimizers.Optimizer)
