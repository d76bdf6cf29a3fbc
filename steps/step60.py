"""Step 60 · LSTM, and a loader for series.

New: `LSTM`, a layer with a second state c that is added to and gated; `SeqDataLoader`, batches whose rows go on from batch to batch.
Why: through tanh after tanh a gradient shrinks at each step. Along c it is multiplied by the forget gate only, which can stay near 1
(Hochreiter & Schmidhuber 1997; the forget gate: Gers et al. 2000). And a batch of series must not be shuffled: row i continues row i.
In the engine: `lstm` in framework/ops/recurrent.py is all of it as one op. The study is 06_LSTM_GRU/README.md.

This is the last step. Where to go on: steps/README.md, essay 5.
"""

import numpy as np
from step59 import RNN, Predictor, predictions

import dezero
import dezero.functions as F
import dezero.layers as L
from dezero import Layer
from dezero.datasets import SinCurve
from dezero.optimizers import Adam


class LSTM(Layer):
    def __init__(self, hidden_size, in_size=None):
        super().__init__()
        for gate in ("f", "i", "o", "u"):
            setattr(self, f"x2{gate}", L.Linear(hidden_size, in_size=in_size))
            setattr(self, f"h2{gate}", L.Linear(hidden_size, in_size=hidden_size, nobias=True))
        self.reset_state()

    def reset_state(self):
        self.h = self.c = None

    def gate(self, name, x):
        z = getattr(self, f"x2{name}")(x)
        return z if self.h is None else z + getattr(self, f"h2{name}")(self.h)

    def forward(self, x):
        f, i, o = (F.sigmoid(self.gate(name, x)) for name in "fio")
        u = F.tanh(self.gate("u", x))
        self.c = i * u if self.c is None else f * self.c + i * u
        self.h = o * F.tanh(self.c)
        return self.h


class SeqDataLoader(dezero.DataLoader):
    def __init__(self, dataset, batch_size):
        super().__init__(dataset, batch_size, shuffle=False)

    def _indices(self):
        jump = len(self.dataset) // self.batch_size
        return [(row * jump + self.iteration) % len(self.dataset) for row in range(self.batch_size)]


class EveryFifth(SinCurve):
    def prepare(self):
        super().prepare()
        curve = self.data[::5].astype(np.float32)
        self.data, self.label = curve[:-1], curve[1:]


def train(model, epochs, batch_size=5, length=20):
    loader, optimizer = SeqDataLoader(EveryFifth(), batch_size), Adam(0.01).setup(model)
    losses = []
    for _ in range(epochs):
        model.rnn.reset_state()
        loss, total = 0, 0.0
        for i, (x, t) in enumerate(loader, 1):
            loss = loss + F.mean_squared_error(model(x), t)
            if i % length == 0 or i == loader.max_iter:
                model.cleargrads()
                loss.backward()
                loss.unchain_backward()
                optimizer.update()
                total, loss = total + float(loss.data), 0
        losses.append(total / loader.max_iter)
    return losses


if __name__ == "__main__":
    data = np.random.default_rng(0).standard_normal((4, 2, 3)).astype(np.float32)
    outputs = []
    for family in (LSTM, L.LSTM):
        np.random.seed(0)
        lstm = family(5)
        outputs.append([lstm(x).data for x in data])
    assert np.allclose(*outputs)

    ours, package = SeqDataLoader(EveryFifth(), 5), dezero.SeqDataLoader(EveryFifth(), 5)
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(ours, package))
    (_, t), (x, _) = next(ours), next(ours)
    assert np.array_equal(t, x)  # where one batch stops the next goes on

    for layer in (RNN(10), LSTM(10)):
        np.random.seed(0)
        model = Predictor(layer)
        losses = train(model, epochs=30)
        true, found = predictions(model)
        error = np.mean((true - found)[10:] ** 2)
        print(f"{type(layer).__name__:5} loss {losses[0]:.4f} → {losses[-1]:.4f}; on another curve {error:.4f}")
        assert losses[-1] < losses[0] / 5
    assert error < 0.05
