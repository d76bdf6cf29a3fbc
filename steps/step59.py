"""Step 59 · A recurrent network on a time series.

New: `RNN`, a layer that remembers: h ← tanh(x Wx + b + h Wh); and backward through a part of the time.
Why: the next value of a curve depends on what came before, of any length. The graph grows with each step; so every thirty steps the loss
goes backward, the weights change, and `unchain_backward` cuts the past off: the state stays, how it came about is forgotten.
In the engine: framework/nn/rnn.py; framework/data/bptt.py cuts the batches. The study is 06_LSTM_GRU/README.md.
"""

import numpy as np
from picture import plot

import dezero
import dezero.functions as F
import dezero.layers as L
from dezero import Layer, Model
from dezero.datasets import SinCurve
from dezero.optimizers import Adam


class RNN(Layer):
    def __init__(self, hidden_size, in_size=None):
        super().__init__()
        self.x2h = L.Linear(hidden_size, in_size=in_size)
        self.h2h = L.Linear(hidden_size, in_size=hidden_size, nobias=True)
        self.reset_state()

    def reset_state(self):
        self.h = None

    def forward(self, x):
        self.h = F.tanh(self.x2h(x) if self.h is None else self.x2h(x) + self.h2h(self.h))
        return self.h


class Predictor(Model):
    def __init__(self, layer):
        super().__init__()
        self.rnn, self.fc = layer, L.Linear(1)

    def forward(self, x):
        return self.fc(self.rnn(x))


def train(model, epochs, length=30, stride=5):
    """The mean loss of each epoch; every fifth point of the curve is taken, so that a step shows movement."""
    curve = SinCurve(train=True).data[::stride].astype(np.float32)
    optimizer = Adam(0.01).setup(model)
    losses = []
    for _ in range(epochs):
        model.rnn.reset_state()
        loss, total = 0, 0.0
        for i, (x, t) in enumerate(zip(curve, curve[1:]), 1):
            loss = loss + F.mean_squared_error(model(x[None]), t[None])
            if i % length == 0 or i == len(curve) - 1:
                model.cleargrads()
                loss.backward()
                loss.unchain_backward()
                optimizer.update()
                total, loss = total + float(loss.data), 0
        losses.append(total / (len(curve) - 1))
    return losses


def predictions(model, stride=5):
    curve = SinCurve(train=False).data[::stride].astype(np.float32)
    model.rnn.reset_state()
    with dezero.no_grad():
        return curve[1:, 0], np.array([model(x[None]).data.item() for x in curve[:-1]])


def draw(axes, true, found):
    axes.plot(true, "-", color="#999999", lw=3, label="cos x, the next value")
    axes.plot(found, "k--", label="predicted from all before")
    axes.set(xlabel="step", title="A curve that the network was not trained on")
    axes.legend()


if __name__ == "__main__":
    data = np.random.default_rng(0).standard_normal((4, 2, 3)).astype(np.float32)
    outputs = []
    for family in (RNN, L.RNN):
        np.random.seed(0)
        rnn = family(5)
        outputs.append([rnn(x).data for x in data])
    assert np.array_equal(*outputs)

    np.random.seed(0)
    model = Predictor(RNN(10))
    losses = train(model, epochs=8)
    true, found = predictions(model)
    error = np.mean((true - found)[10:] ** 2)
    print(f"loss {losses[0]:.4f} → {losses[-1]:.4f}; on another curve {error:.4f}")
    assert losses[-1] < losses[0] / 10 and error < 0.02
    plot("cosine_by_rnn.png", lambda axes: draw(axes, true, found))
