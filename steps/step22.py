"""Step 22 · Operators, third part: -x, -, /, **.

New: `Neg`, `Sub`, `Div`, `Pow`.
Why: with these every rational function is one line. Minus and division are not symmetric, so `1 - x`, which asks x for `__rsub__`,
has its own function with the two exchanged. The exponent of `Pow` is a constant, no input: it belongs to the function object.
In the engine: rows of the table in framework/ops/elementwise.py; its `pow` differentiates the exponent too.

The framework is complete: define-by-run differentiation in about 150 lines. Step 23 packs it.
"""

import numpy as np
from step01 import Variable
from step02 import Function
from step21 import add, as_variable, exp, mul, square


class Neg(Function):
    def forward(self, x):
        return -x

    def backward(self, gy):
        return -gy


class Sub(Function):
    def forward(self, x0, x1):
        return x0 - x1

    def backward(self, gy):
        return gy, -gy


class Div(Function):
    def forward(self, x0, x1):
        return x0 / x1

    def backward(self, gy):
        x0, x1 = (x.data for x in self.inputs)
        return gy / x1, gy * (-x0 / x1**2)


class Pow(Function):
    def __init__(self, c):
        self.c = c

    def forward(self, x):
        return x**self.c

    def backward(self, gy):
        x = self.inputs[0].data
        return self.c * x ** (self.c - 1) * gy


def neg(x):
    return Neg()(x)


def sub(x0, x1):
    return Sub()(x0, x1)


def div(x0, x1):
    return Div()(x0, x1)


def pow(x, c):
    return Pow(c)(x)


Variable.__neg__, Variable.__pow__ = neg, pow
Variable.__sub__, Variable.__rsub__ = sub, lambda x0, x1: sub(x1, x0)
Variable.__truediv__, Variable.__rtruediv__ = div, lambda x0, x1: div(x1, x0)

if __name__ == "__main__":
    from step10 import gradient_check

    formulas = {
        "-x": lambda x: -x,
        "2 - x": lambda x: 2.0 - x,
        "x - 2": lambda x: x - 2.0,
        "3 / x": lambda x: 3.0 / x,
        "x / 3": lambda x: x / 3.0,
        "x ** 3": lambda x: x**3,
        "(1 - x)**2 / (1 + x*x) - exp(-x)": lambda x: (1.0 - x) ** 2 / (1.0 + x * x) - exp(-x),
    }
    data = np.array([0.5, 1.5])
    for text, f in formulas.items():
        print(f"{text:34} at 0.5, 1.5:", f(Variable(data)))
        assert gradient_check(f, data), text
    assert as_variable(2.0).data == 2 and add(1.0, mul(2.0, square(Variable(data)))).shape == (2,)
