"""Step 9 · Functions convenient to use.

New: `square(x)` and `exp(x)` instead of `Square()(x)`; backward starts from 1 by itself; a Variable takes arrays only.
Why: the class is for who writes a function, the plain name for who uses it. The refusal is there because NumPy's 0-d arrays turn
into scalars when computed with: `np.array(2.0) ** 2` is no array. `as_array` makes it one again.
In the engine: `unary` and `binary` in framework/ops/define.py make the plain function; `Tensor(…)` says what it cannot hold.
"""

import numpy as np
from step01 import Variable
from step02 import Function, Square
from step06 import adds_to
from step08 import Exp

walk = Variable.backward  # step 8's


def as_array(x):
    return np.array(x) if np.isscalar(x) else x


@adds_to(Variable)
def __init__(self, data):
    if data is not None and not isinstance(data, np.ndarray):
        raise TypeError(f"a Variable holds an array, not a {type(data).__name__}; np.array({data!r}) makes one")
    self.data = data
    self.grad = None
    self.creator = None


@adds_to(Function)
def __call__(self, input):
    output = Variable(as_array(self.forward(input.data)))
    output.creator = self
    self.input, self.output = input, output
    return output


@adds_to(Variable)
def backward(self):
    if self.grad is None:
        self.grad = np.ones_like(self.data)
    walk(self)


def square(x):
    return Square()(x)


def exp(x):
    return Exp()(x)


if __name__ == "__main__":
    x = Variable(np.array(0.5))
    y = square(exp(square(x)))
    y.backward()
    print("dy/dx:", x.grad)
    assert np.isclose(x.grad, 4 * 0.5 * np.exp(0.5))
    try:
        Variable(1.0)
    except TypeError as error:
        print("refused:", error)
    assert not isinstance(np.array(2.0) ** 2, np.ndarray) and isinstance(
        square(Variable(np.array(2.0))).data, np.ndarray
    )
