"""Step 20 · Operators, first part: + and *.

New: `Mul`, and `a * b + c` in place of `add(mul(a, b), c)`.
Why: formulas should look like formulas. Python asks an object's class for `__add__`; ours is the function we have.
In the engine: the operators are set where the op is defined, as `@method("__add__", …)`.
"""

import numpy as np
from step01 import Variable
from step02 import Function
from step06 import adds_to
from step19 import add, exp, square


class Mul(Function):
    def forward(self, x0, x1):
        return x0 * x1

    def backward(self, gy):
        x0, x1 = self.inputs
        return gy * x1.data, gy * x0.data  # the other factor


def mul(x0, x1):
    return Mul()(x0, x1)


@adds_to(Variable)
def __add__(self, other):
    return add(self, other)


@adds_to(Variable)
def __mul__(self, other):
    return mul(self, other)


if __name__ == "__main__":
    a, b, c = (Variable(np.array(v)) for v in (3.0, 2.0, 1.0))
    y = a * b + c
    y.backward()
    print(f"3 * 2 + 1 = {y}; the derivatives: {a.grad}, {b.grad}, {c.grad}")
    assert (y.data, a.grad, b.grad, c.grad) == (7, 2, 3, 1)
    x = Variable(np.array(2.0))
    (x * x * x + exp(x) * square(x)).backward()
    assert np.isclose(x.grad, 3 * 4 + np.exp(2) * (4 + 4))
