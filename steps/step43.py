"""Step 43 · A neural network.

New: `Linear`, x W + b as one function; `Sigmoid`; and a curve, learned by two linear layers with a sigmoid between them.
Why: a stack of linear layers is one linear layer. What bends stands between. And as one function each of the two keeps less than the
formula written out: x W + b keeps no x W, and the sigmoid's derivative y (1 − y) needs only what came out.
In the engine: framework/ops/linalg.py and `sigmoid` in framework/ops/elementwise.py.
"""

import numpy as np
from picture import plot
from step38 import same

import dezero.functions as F
from dezero import Function, Variable


class Linear(Function):
    def forward(self, x, W, b):
        return x @ W + b

    def backward(self, gy):
        x, W, b = self.inputs
        return F.matmul(gy, W.T), F.matmul(x.T, gy), F.sum_to(gy, b.shape)


class Sigmoid(Function):
    def forward(self, x):
        return np.tanh(x * 0.5) * 0.5 + 0.5  # 1 / (1 + exp(−x)), without overflow

    def backward(self, gy):
        y = self.outputs[0]()
        return gy * y * (1 - y)


def train(x, t, steps, hidden=10, lr=0.3):
    rng = np.random.default_rng(0)
    W1, b1 = Variable(rng.standard_normal((1, hidden)) * 8), Variable(rng.standard_normal(hidden) * 4)
    W2, b2 = Variable(rng.standard_normal((hidden, 1)) * 0.3), Variable(np.zeros(1))
    for _ in range(steps):
        y = Linear()(Sigmoid()(Linear()(x, W1, b1)), W2, b2)
        loss = F.mean_squared_error(y, t)
        for p in (W1, b1, W2, b2):
            p.cleargrad()
        loss.backward()
        for p in (W1, b1, W2, b2):
            p.data -= lr * p.grad.data
    return y.data, float(loss.data)


def draw(axes, x, t, y):
    order = np.argsort(x[:, 0])
    axes.plot(x, t, "o", mfc="none", color="#999999", label="data: sin 2πx + noise")
    axes.plot(x[order], y[order], "k-", label="the network")
    axes.set(xlabel="x", ylabel="t", title="A curve, learned by two layers")
    axes.legend()


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    same(Sigmoid(), F.sigmoid, rng.standard_normal((3, 4)))
    same(Linear(), F.linear, *(rng.standard_normal(shape) for shape in ((3, 4), (4, 2), (2,))))
    x = rng.random((100, 1))
    t = np.sin(2 * np.pi * x) + rng.random((100, 1)) - 0.5
    line = np.polyval(np.polyfit(x[:, 0], t[:, 0], 1), x[:, 0])
    best_line = np.mean((line - t[:, 0]) ** 2)
    y, loss = train(x, t, 1000)
    print(f"mean squared error: the best line {best_line:.3f}, the network {loss:.3f}")
    assert loss < best_line / 2
    plot("curve.png", lambda axes: draw(axes, x, t, y))
