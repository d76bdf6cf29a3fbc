"""Step 28 · Optimising: down the gradient.

New: gradient descent, x ← x − lr · df/dx, on Rosenbrock's function 100 (y − x²)² + (1 − x)².
Why: that is all the training of a network does. Rosenbrock's valley shows what is hard about it: the gradient points across the valley
and hardly along it, so the first steps find the bottom, and thousands creep along to the lowest point, (1, 1).
In the engine: framework/optim/sgd.py.
"""

import numpy as np
from picture import plot

from dezero import Variable


def rosenbrock(x, y):
    return 100 * (y - x**2) ** 2 + (1 - x) ** 2


def descend(steps, lr=0.002):
    x, y = Variable(np.array(0.0)), Variable(np.array(2.0))
    path = []
    for _ in range(steps):
        path.append((float(x.data), float(y.data)))
        x.cleargrad()
        y.cleargrad()
        rosenbrock(x, y).backward()
        x.data -= lr * x.grad.data
        y.data -= lr * y.grad.data
    return np.array(path)


def draw(axes, path):
    xs, ys = np.meshgrid(np.linspace(-2, 2, 200), np.linspace(-1, 3, 200))
    axes.contour(xs, ys, rosenbrock(xs, ys), levels=10.0 ** np.arange(-1, 4), colors="#999999", linewidths=0.8)
    axes.plot(*path.T, "k.-", ms=3, lw=0.8, label=f"{len(path):,} steps")
    axes.plot(1, 1, "k*", ms=12, mfc="white", label="the lowest point")
    axes.set(xlabel="x", ylabel="y", title="Gradient descent in Rosenbrock's valley")
    axes.legend(loc="lower left")


if __name__ == "__main__":
    path = descend(1000)
    for step in (0, 1, 10, 100, 999):
        print(f"step {step:4}: ({path[step][0]:.3f}, {path[step][1]:.3f}), f = {rosenbrock(*path[step]):.5f}")
    values = rosenbrock(*path.T)
    assert values[0] > 400 and values[10] < values[0] / 100  # the bottom of the valley, soon
    assert 0.1 < np.hypot(*(path[-1] - 1)) < np.hypot(*(path[100] - 1))  # along the valley, slowly
    plot("rosenbrock.png", lambda axes: draw(axes, path))
