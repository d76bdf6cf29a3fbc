"""Step 48 · Several classes.

New: a training loop over mini-batches, written out: three arms of a spiral, told apart.
Why: no line separates the arms, so a linear model guesses half of them. And the data come in batches: the gradient of thirty examples
points nearly where that of all does, for a tenth of the work.
In the engine: framework/trainer.py is this loop with everything that a long run needs.
"""

import math

import numpy as np
from picture import plot

import dezero
import dezero.functions as F
from dezero import optimizers
from dezero.datasets import get_spiral
from dezero.models import MLP


def train(model, optimizer, epochs, batch_size=30):
    x, t = get_spiral(train=True)
    losses = []
    for _ in range(epochs):
        order, total = np.random.permutation(len(x)), 0.0
        for i in range(math.ceil(len(x) / batch_size)):
            batch = order[i * batch_size : (i + 1) * batch_size]
            loss = F.softmax_cross_entropy(model(x[batch]), t[batch])
            model.cleargrads()
            loss.backward()
            optimizer.update()
            total += float(loss.data) * len(batch)
        losses.append(total / len(x))
    return losses


def accuracy(model, x, t):
    with dezero.no_grad():
        return float(F.accuracy(model(x), t).data)


def draw(axes, model):
    x, t = get_spiral(train=True)
    grid = np.stack(np.meshgrid(np.linspace(-1.1, 1.1, 200), np.linspace(-1.1, 1.1, 200)), axis=-1)
    with dezero.no_grad():
        classes = model(grid.reshape(-1, 2).astype(np.float32)).data.argmax(axis=1).reshape(200, 200)
    axes.contourf(
        grid[..., 0], grid[..., 1], classes, levels=[-0.5, 0.5, 1.5, 2.5], colors=["#dddddd", "#bbbbbb", "#f4f4f4"]
    )
    for arm, marker in enumerate("ox^"):
        axes.plot(*x[t == arm].T, marker, color="k", ms=4, mfc="none", label=f"arm {arm}")
    axes.set(title="Three arms, and what the network takes for each", aspect="equal")
    axes.legend(loc="upper right")


if __name__ == "__main__":
    found = {}
    for name, sizes in {"linear": (3,), "one hidden layer": (20, 3)}.items():
        np.random.seed(0)
        model = MLP(sizes, activation=F.tanh)
        losses = train(model, optimizers.Adam(0.05).setup(model), epochs=40)
        found[name] = accuracy(model, *get_spiral(train=False))
        print(f"{name:17} loss {losses[0]:.3f} → {losses[-1]:.3f}, accuracy on the test set {found[name]:.1%}")
    assert found["linear"] < 0.7 and found["one hidden layer"] > 0.85
    plot("spiral.png", lambda axes: draw(axes, model), size=(5, 5))
