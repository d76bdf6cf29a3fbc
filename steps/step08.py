"""Step 8 · From recursion to a loop.

New: `backward` keeps a list of functions still to be done, in place of calling itself.
Why: recursion needs a frame of Python's stack for each link, and there are about a thousand. A recurrent network over a text is
longer. A loop has no such limit, and once the list is ours we may choose whom to do next, which step 16 will need.
In the engine: `walk` in framework/autograd.py is this loop.
"""

import numpy as np
from step01 import Variable
from step02 import Square
from step06 import adds_to
from step07 import Exp

recursive = Variable.backward  # step 7's, for comparison


@adds_to(Variable)
def backward(self):
    functions = [self.creator]
    while functions:
        f = functions.pop()
        f.input.grad = f.backward(f.output.grad)
        if f.input.creator is not None:
            functions.append(f.input.creator)


def long_chain(length):
    x = y = Variable(np.array(1.0))
    for _ in range(length):
        y = Square()(y)
    y.grad = np.array(1.0)
    return x, y


if __name__ == "__main__":
    x = Variable(np.array(0.5))
    y = Square()(Exp()(Square()(x)))
    y.grad = np.array(1.0)
    y.backward()
    print("dy/dx:", x.grad)
    assert np.isclose(x.grad, 4 * 0.5 * np.exp(0.5))

    with np.errstate(over="ignore"):
        x, y = long_chain(5000)
        Variable.backward = recursive
        try:
            y.backward()
            raise AssertionError("the stack of 5000 calls was expected to overflow")
        except RecursionError as error:
            print("5,000 links, by recursion:", error)
        Variable.backward = backward
        y.grad = np.array(1.0)
        y.backward()
    print("5,000 links, by the loop: done; the derivative 2⁵⁰⁰⁰ is", x.grad)
    assert np.isinf(x.grad)
