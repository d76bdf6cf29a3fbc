"""Step 47 · Softmax and cross entropy.

New: `GetItem`, indexing; `Softmax`; and their use together, −log softmax(x)[t], as `SoftmaxCrossEntropy` with the gradient
(softmax − one-hot) / N.
Why: softmax makes scores into probabilities, the cross entropy asks how probable the right answer was. Taken together the exponential
and the logarithm cancel, in the derivative as in the value; apart, exp(1000) is infinite.
How indexing is differentiated: steps/README.md, appendix B.
In the engine: `cross_entropy` in framework/ops/loss.py; `index` in framework/ops/index.py.
"""

import numpy as np
from step38 import same

import dezero.functions as F
from dezero import Function, Variable


class GetItem(Function):
    def __init__(self, index):
        self.index = index

    def forward(self, x):
        return x[self.index]

    def backward(self, gy):
        return Put(self.index, self.inputs[0].shape)(gy)


class Put(Function):
    """Zeros, with y added at the index: what backward of indexing is, and a function like others."""

    def __init__(self, index, shape):
        self.index, self.shape = index, shape

    def forward(self, y):
        x = np.zeros(self.shape, dtype=y.dtype)
        np.add.at(x, self.index, y)  # adds for each occurrence, where x[index] += y would add once
        return x

    def backward(self, gx):
        return GetItem(self.index)(gx)


class Softmax(Function):
    def forward(self, x):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def backward(self, gy):
        y = self.outputs[0]()
        return y * (gy - F.sum(y * gy, axis=1, keepdims=True))


class SoftmaxCrossEntropy(Function):
    def __init__(self, t):
        self.t = t

    def forward(self, x):
        shifted = x - x.max(axis=1, keepdims=True)
        return (np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(x)), self.t]).mean()

    def backward(self, gy):
        (x,) = self.inputs
        return (Softmax()(x) - np.eye(x.shape[1])[self.t]) * (gy / len(x))


if __name__ == "__main__":
    x, t = np.random.default_rng(0).standard_normal((4, 3)), np.array([2, 0, 1, 1])
    index = np.array([0, 0, 3])
    same(GetItem(index), lambda x: F.get_item(x, index), x)
    same(Softmax(), F.softmax, x)
    same(SoftmaxCrossEntropy(t), lambda x: F.softmax_cross_entropy(x, t), x)
    v = Variable(x)
    F.sum(GetItem(index)(v)).backward()
    print("x[[0, 0, 3]]: row 0 was taken twice, so its gradient is", v.grad.data[0])
    assert v.grad.data[:, 0].tolist() == [2, 0, 0, 1]
    print(
        "the loss of random scores for 3 classes:", SoftmaxCrossEntropy(t)(x).data.round(3), " of large ones:", end=" "
    )
    large = SoftmaxCrossEntropy(np.array([0]))(np.array([[1000.0, 0.0]]))
    print(large.data)
    assert large.data == 0
