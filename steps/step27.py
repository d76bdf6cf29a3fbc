"""Step 27 · The Taylor series of the sine.

New: `Sin`, a function with its derivative; and `taylor_sin`, the sum x − x³/3! + x⁵/5! − …, which needs none of its own.
Why: both are right. Whatever a program is made of, its derivative is that of what it did: the loop stops when a term is small, and
the derivative is the derivative of just the terms that were added. One need not know calculus to get it; but `Sin` is one function
in the graph where the series is a dozen or two.
In the engine: `sin` in framework/ops/elementwise.py is the row `unary("sin", np.sin, lambda g, x: g * np.cos(x))`.
"""

import math

import numpy as np
from picture import save

import dezero.functions as F
from dezero import Function, Variable
from dezero.utils import get_dot_graph, plot_dot_graph


class Sin(Function):
    def forward(self, x):
        return np.sin(x)

    def backward(self, gy):
        (x,) = self.inputs
        return gy * F.cos(x)


def taylor_sin(x, threshold=1e-4):
    y = 0
    for i in range(100):
        term = (-1) ** i / math.factorial(2 * i + 1) * x ** (2 * i + 1)
        y = y + term
        if abs(float(term.data)) < threshold:
            return y
    raise ArithmeticError(f"taylor_sin: no small term within 100 at {x}")


def value_and_slope(f, at):
    x = Variable(np.array(at))
    y = f(x)
    y.backward()
    return float(y.data), float(x.grad.data), get_dot_graph(y).count("lightblue")


if __name__ == "__main__":
    print("at π/4:          sin        its slope   functions in the graph")
    rows = {
        "Sin": Sin(),
        "the package's": F.sin,
        "series to 1e-4": taylor_sin,
        "series to 1e-15": lambda x: taylor_sin(x, 1e-15),
    }
    found = {name: value_and_slope(f, np.pi / 4) for name, f in rows.items()}
    for name, (y, slope, functions) in found.items():
        print(f"{name:16} {y:.8f} {slope:.8f}  {functions}")
    assert found["Sin"][:2] == found["the package's"][:2]
    assert np.allclose(found["series to 1e-4"][:2], np.sqrt(0.5), atol=1e-4)
    assert np.allclose(found["series to 1e-15"][:2], np.sqrt(0.5), atol=1e-14)
    x = Variable(np.array(np.pi / 4), "x")
    y = taylor_sin(x)
    save("taylor_sin.png", lambda path: plot_dot_graph(y, to_file=path))
