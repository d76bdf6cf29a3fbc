"""Step 29 · Newton's method, with derivatives by hand.

New: x ← x − f′(x) / f″(x).
Why: gradient descent knows the slope and must be told how far to go. Newton's method fits a parabola, by slope *and* curvature, and
goes to where the parabola is lowest. Near the goal the number of right digits doubles at each step.
In the engine: framework/optim/lbfgs.py guesses the curvature from the gradients of earlier steps.
"""

import numpy as np

from dezero import Variable


def f(x):
    return x**4 - 2 * x**2


def second_derivative(x):
    return 12 * x**2 - 4


def slope(at):
    x = Variable(np.array(at))
    f(x).backward()
    return float(x.grad.data)


def run(step, at=2.0, near=1e-8):
    """The places until |x − 1| < near."""
    places = [at]
    while abs(places[-1] - 1) >= near and len(places) < 1000:
        places.append(step(places[-1]))
    return places


if __name__ == "__main__":
    newton = run(lambda x: x - slope(x) / second_derivative(x))
    descent = run(lambda x: x - 0.01 * slope(x))
    for i, x in enumerate(newton):
        print(f"Newton {i}: {x:.12f}, off by {x - 1:.0e}")
    print(f"gradient descent with lr 0.01 needs {len(descent) - 1} steps for the same")
    assert len(newton) - 1 == 6 or len(newton) - 1 == 7
    assert len(descent) > 20 * len(newton)
    off = [x - 1 for x in newton]
    assert off[5] < 3 * off[4] ** 2  # quadratic: the error is squared
