"""Step 7 · Backpropagation, automatic.

New: a variable remembers its `creator`, a function its `output`; `Variable.backward` follows them from the end to the beginning.
Why: the order of the three calls in step 6 was the order of computing, reversed. Who notes how each box was made need not be told
it again. The notes are made while the program runs, which is called *define by run*: ifs and loops come for free.
In the engine: `node` of a Tensor is its creator; a `Node`'s `edges` lead to its inputs (framework/autograd.py).
"""

import numpy as np
from step01 import Variable
from step02 import Function, Square
from step03 import Exp
from step04 import numerical_diff
from step06 import adds_to


@adds_to(Variable)
def __init__(self, data):
    self.data = data
    self.grad = None
    self.creator = None


@adds_to(Function)
def __call__(self, input):
    output = Variable(self.forward(input.data))
    output.creator = self
    self.input, self.output = input, output
    return output


@adds_to(Variable)
def backward(self):
    f = self.creator
    if f is not None:
        f.input.grad = f.backward(self.grad)
        f.input.backward()  # and on, one function further back


if __name__ == "__main__":
    x = Variable(np.array(0.5))
    y = Square()(Exp()(Square()(x)))
    assert y.creator.input.creator.input.creator.input is x  # the way back
    y.grad = np.array(1.0)
    y.backward()
    print("dy/dx:", x.grad)
    assert np.isclose(x.grad, numerical_diff(lambda x: Square()(Exp()(Square()(x))), Variable(np.array(0.5))))

    z = Variable(np.array(1.0))
    w = z
    for _ in range(3 if z.data > 0 else 5):  # the graph is whatever ran
        w = Square()(w)
    w.grad = np.array(1.0)
    w.backward()
    print("the derivative of z⁸ at 1:", z.grad)
    assert z.grad == 8
