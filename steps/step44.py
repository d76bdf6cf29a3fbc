"""Step 44 · Parameters together in a layer.

New: `Layer`, which knows its parameters; `Linear` as a layer, which makes its W when it first sees an input.
Why: step 43 listed four variables in three places. A layer notices a Parameter that is assigned to it, and a layer in it likewise, so
that clearing and updating are loops. The names are kept in a dict, in the order of assignment: a set's order changes from one start of
Python to the next, and with it what a seed gives.
In the engine: `Module` in framework/nn/module.py, whose `__setattr__` does the same.
"""

import numpy as np

import dezero.functions as F
import dezero.layers as L
from dezero import Parameter, Variable


class Layer:
    def __init__(self):
        self._params = {}

    def __setattr__(self, name, value):
        if isinstance(value, (Parameter, Layer)):
            self._params[name] = None
        super().__setattr__(name, value)

    def __call__(self, *inputs):
        return self.forward(*inputs)

    def params(self):
        for name in self._params:
            value = getattr(self, name)
            if isinstance(value, Layer):
                yield from value.params()
            else:
                yield value

    def cleargrads(self):
        for param in self.params():
            param.cleargrad()


class Linear(Layer):
    def __init__(self, out_size, nobias=False, dtype=np.float32, in_size=None):
        super().__init__()
        self.out_size, self.dtype = out_size, dtype
        self.W = Parameter(None, name="W")
        self.b = None if nobias else Parameter(np.zeros(out_size, dtype=dtype), name="b")
        if in_size is not None:
            self.make_W(in_size)

    def make_W(self, in_size):
        W = np.random.randn(in_size, self.out_size) * np.sqrt(1 / in_size)
        self.W.data = W.astype(self.dtype)  # last: float32 times NumPy's float64 scalar is float64

    def forward(self, x):
        if self.W.data is None:
            self.make_W(x.shape[1])
        return F.linear(x, self.W, self.b)


if __name__ == "__main__":
    x = Variable(np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32))
    results = []
    for layers in (Layer, Linear), (L.Layer, L.Linear):
        np.random.seed(0)
        model = layers[0]()
        model.first, model.second = layers[1](4), layers[1](2, nobias=True)
        y = model.second(F.sigmoid(model.first(x)))
        model.cleargrads()
        F.sum(y**2).backward()
        results.append([(p.name, p.shape, p.data, p.grad.data) for p in model.params()])
    for ours, package in zip(*results, strict=True):
        print(*ours[:2], ours[2].dtype)
        assert ours[:2] == package[:2] and np.array_equal(ours[2], package[2]) and np.allclose(ours[3], package[3])
        assert ours[2].dtype == np.float32
