"""Step 13 · Any number of arguments, backward.

New: backward collects a gradient for each output, calls the function once, and hands a gradient to each input.
Why: addition is a fork in the way back: what comes in from above goes to both sides, as d(a + b)/da = d(a + b)/db = 1.
In the engine: `node.op.backward(node, edges, g, wrap)` in framework/autograd.py returns a gradient for each edge.
"""

import numpy as np
from step01 import Variable
from step02 import Square
from step06 import adds_to
from step11 import Add
from step12 import Exp, add, exp, square


@adds_to(Variable)
def backward(self):
    if self.grad is None:
        self.grad = np.ones_like(self.data)
    functions = [self.creator]
    while functions:
        f = functions.pop()
        gxs = f.backward(*[output.grad for output in f.outputs])
        for x, gx in zip(f.inputs, gxs if isinstance(gxs, tuple) else (gxs,)):
            x.grad = gx
            if x.creator is not None:
                functions.append(x.creator)


@adds_to(Square)
def backward(self, gy):  # noqa: F811
    (x,) = self.inputs
    return 2 * x.data * gy


@adds_to(Exp)
def backward(self, gy):  # noqa: F811
    (x,) = self.inputs
    return np.exp(x.data) * gy


@adds_to(Add)
def backward(self, gy):  # noqa: F811
    return gy, gy


if __name__ == "__main__":
    x, y = Variable(np.array(2.0)), Variable(np.array(3.0))
    z = add(square(x), square(y))
    z.backward()
    print(f"z = x² + y² = {z.data}, dz/dx = {x.grad}, dz/dy = {y.grad}")
    assert (z.data, x.grad, y.grad) == (13, 4, 6)
    assert exp(x).data == np.exp(2.0)
