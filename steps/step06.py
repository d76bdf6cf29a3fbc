"""Step 6 · Backpropagation by hand.

New: a variable's `grad`; a function's `backward`, which turns the gradient of its output into that of its input.
Why: each link knows its own derivative and needs only what it saw in forward; that is what `self.input` is kept for.
In the engine: the lambdas beside each op in framework/ops/elementwise.py, as `lambda g, y: g * y` for exp.

The framework grows in place from here on: `adds_to` puts a function into a class as a method, new or in an old one's stead. The
engine builds its Tensor the same way (`method` in framework/tensor.py).
"""

import numpy as np
from step01 import Variable
from step02 import Function, Square
from step03 import Exp
from step04 import numerical_diff


def adds_to(cls):
    """Decorator: the function becomes a method of the class."""

    def add(function):
        setattr(cls, function.__name__, function)
        return function

    return add


@adds_to(Variable)
def __init__(self, data):
    self.data = data
    self.grad = None


@adds_to(Function)
def __call__(self, input):
    self.input = input  # backward will need it
    return Variable(self.forward(input.data))


@adds_to(Square)
def backward(self, gy):
    return 2 * self.input.data * gy


@adds_to(Exp)
def backward(self, gy):  # noqa: F811
    return np.exp(self.input.data) * gy


if __name__ == "__main__":
    A, B, C = Square(), Exp(), Square()
    x = Variable(np.array(0.5))
    a = A(x)
    b = B(a)
    y = C(b)

    y.grad = np.array(1.0)  # dy/dy
    b.grad = C.backward(y.grad)
    a.grad = B.backward(b.grad)
    x.grad = A.backward(a.grad)
    print("dy/db, dy/da, dy/dx:", b.grad, a.grad, x.grad)

    expected = numerical_diff(lambda x: C(B(A(x))), Variable(np.array(0.5)))
    print("by differences:     ", expected)
    assert np.isclose(x.grad, expected)
