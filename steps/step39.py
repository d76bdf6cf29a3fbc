"""Step 39 · Sum.

New: `Sum`, over all elements or along axes.
Why: each element enters the sum with weight 1, so each gets the sum's gradient as it is: backward of a sum is a broadcast. Where the
summed axes are gone from the output they must first come back, with size 1, or the gradient would not line up.
In the engine: `sum` in framework/ops/reduce.py.
"""

import numpy as np
from step38 import same

import dezero.functions as F
from dezero import Function, Variable


class Sum(Function):
    def __init__(self, axis=None, keepdims=False):
        self.axis, self.keepdims = axis, keepdims

    def forward(self, x):
        return x.sum(axis=self.axis, keepdims=self.keepdims)

    def backward(self, gy):
        shape = self.inputs[0].shape
        kept = np.empty(shape).sum(axis=self.axis, keepdims=True).shape
        return F.broadcast_to(F.reshape(gy, kept), shape)


if __name__ == "__main__":
    x = np.sin(np.arange(24.0)).reshape(2, 3, 4)
    for axis in (None, 0, -1, (0, 2)):
        for keepdims in (False, True):
            same(Sum(axis, keepdims), lambda x, a=axis, k=keepdims: F.sum(x, a, k), x)
    v = Variable(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
    y = Sum(axis=0)(v)
    y.backward()
    print("columns summed:", y, "\nits gradient:\n", v.grad.data, sep="")
    assert v.grad.shape == (2, 3)
