"""Step 23 · A package.

New: `dezero`, the package. From here on each step builds on it, and writes anew what the step is about.
Why: step 22 is complete, but scattered over 22 files. A package has one place for each thing: `dezero.core` for Variable and
Function, `dezero.functions`, and later layers, optimizers and data. Its names are the textbook's; what computes is our engine.
In the engine: framework/__init__.py lists the floors, from arrays up to layers.
"""

import numpy as np
import step22

import dezero
import dezero.functions as F


def formula(x, y, exp):
    return (x - 2.0 * y) ** 2 / (1.0 + x * x) + exp(-x * y)


if __name__ == "__main__":
    results = []
    for name, Variable, exp in (("step 22", step22.Variable, step22.exp), ("dezero ", dezero.Variable, F.exp)):
        x, y = Variable(np.array([0.5, 1.0])), Variable(np.array([2.0, -1.0]))
        z = formula(x, y, exp)
        z.backward()
        results.append((z.data, getattr(x.grad, "data", x.grad), getattr(y.grad, "data", y.grad)))
        print(f"{name}: z = {z.data}, dz/dx = {np.asarray(results[-1][1])}")
    for ours, package in zip(*results):
        assert np.allclose(np.asarray(ours, dtype=float), package)
    print("in the package:", ", ".join(name for name in dezero.__all__ if name.islower()))
