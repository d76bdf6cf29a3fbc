"""Step 42 · Linear regression.

New: `MeanSquaredError`, and the first thing learned from data: a line through points.
Why: this is the whole of training: predict, measure the error with one number, go down its gradient. The error as one function, in
place of a difference, a square and a sum, keeps less: the differences between need no places in the graph.
In the engine: `mse_loss` in framework/ops/loss.py. The model's own study, with its closed form, is 01_Linear_Logistic/README.md.
"""

import numpy as np
from picture import plot
from step38 import same

import dezero.functions as F
from dezero import Function, Variable


class MeanSquaredError(Function):
    def forward(self, x0, x1):
        return ((x0 - x1) ** 2).sum() / len(x0)

    def backward(self, gy):
        x0, x1 = self.inputs
        gx0 = gy * (x0 - x1) * (2 / len(x0))
        return gx0, -gx0


def fit(x, t, steps=100, lr=0.1):
    W, b = Variable(np.zeros((1, 1))), Variable(np.zeros(1))
    losses = []
    for _ in range(steps):
        loss = MeanSquaredError()(F.matmul(x, W) + b, t)
        W.cleargrad()
        b.cleargrad()
        loss.backward()
        W.data -= lr * W.grad.data
        b.data -= lr * b.grad.data
        losses.append(float(loss.data))
    return float(W.data.item()), float(b.data.item()), losses


def draw(axes, x, t, W, b):
    axes.plot(x, t, "o", mfc="none", color="#444444", label="data: 5 + 2x + noise")
    axes.plot([0, 1], [b, W + b], "k-", label=f"learned: {b:.2f} + {W:.2f} x")
    axes.set(xlabel="x", ylabel="t", title="A line, by gradient descent")
    axes.legend()


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    x = rng.random((100, 1))
    t = 5 + 2 * x + rng.random((100, 1)) - 0.5
    same(MeanSquaredError(), F.mean_squared_error, x, t)
    W, b, losses = fit(x, t, steps=300)
    slope, intercept = np.polyfit(x[:, 0], t[:, 0], 1)
    print(
        f"loss {losses[0]:.3f} → {losses[-1]:.4f}; line {b:.3f} + {W:.3f} x; by least squares {intercept:.3f} + {slope:.3f} x"
    )
    assert losses[-1] < 0.1 and abs(W - slope) < 0.1 and abs(b - intercept) < 0.1
    plot("linear_regression.png", lambda axes: draw(axes, x, t, W, b))
