"""Step 38 · Functions that change the shape.

New: `Reshape` and `Transpose`.
Why: they move elements and compute nothing. So the gradient's elements need only be moved back: to the shape, or the order of axes,
that the input had.
In the engine: `reshape` and `permute` in framework/ops/shape.py and framework/ops/views.py, which copy nothing.
"""

import numpy as np

import dezero.functions as F
from dezero import Function, Variable


class Reshape(Function):
    def __init__(self, shape):
        self.shape = shape

    def forward(self, x):
        return x.reshape(self.shape)

    def backward(self, gy):
        return F.reshape(gy, self.inputs[0].shape)


class Transpose(Function):
    def __init__(self, axes=None):
        self.axes = axes

    def forward(self, x):
        return x.transpose(self.axes)

    def backward(self, gy):
        return F.transpose(gy, None if self.axes is None else tuple(np.argsort(self.axes)))  # the inverse permutation


def same(ours, package, *data):
    """Check that two functions have equal values, gradients, and gradients of gradients."""
    found = []
    for f in (ours, package):
        inputs = [Variable(np.array(array, dtype=float)) for array in data]
        weights = np.cos(np.arange(f(*inputs).size)).reshape(f(*inputs).shape)  # so that no two elements weigh alike
        y = f(*inputs)
        (y * y * weights).backward(create_graph=True)
        first = [x.grad for x in inputs]
        for x in inputs:
            x.cleargrad()
        F.sum(sum(F.sum(g**2) for g in first)).backward()
        found.append([y.data, *(g.data for g in first), *(x.grad.data for x in inputs)])
    assert all(a.shape == b.shape and np.allclose(a, b) for a, b in zip(*found))


if __name__ == "__main__":
    x = np.arange(24.0).reshape(2, 3, 4)
    same(Reshape((4, 6)), lambda x: F.reshape(x, (4, 6)), x)
    same(Transpose(), F.transpose, x)
    same(Transpose((1, 2, 0)), lambda x: F.transpose(x, (1, 2, 0)), x)
    print("Reshape and Transpose equal the package's, to the second derivative")
    v = Variable(x)
    print(
        "v.T:",
        v.T.shape,
        " v.reshape(6, 4):",
        v.reshape(6, 4).shape,
        " v.transpose(0, 2, 1):",
        v.transpose(0, 2, 1).shape,
    )
