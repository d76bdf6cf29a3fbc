"""Step 33 · Newton's method, automatic.

New: step 29 with f″ from backward through backward.
Why: the second derivative by hand was the one thing left that a person had to do, and get right.
In the engine: `framework.autograd.grad(…, create_graph=True)`, in framework/tensor.py, returns gradients in place of storing them.
"""

import numpy as np
from step29 import f, run, second_derivative

from dezero import Variable


def slope_and_curvature(at):
    x = Variable(np.array(at))
    f(x).backward(create_graph=True)
    gx = x.grad
    x.cleargrad()  # else the second derivative is added to the first
    gx.backward()
    return float(gx.data), float(x.grad.data)


def newton_step(x):
    slope, curvature = slope_and_curvature(x)
    assert np.isclose(curvature, second_derivative(x))
    return x - slope / curvature


if __name__ == "__main__":
    places = run(newton_step)
    for i, x in enumerate(places):
        print(f"{i}: {x:.12f}")
    assert abs(places[-1] - 1) < 1e-8 and len(places) <= 8
