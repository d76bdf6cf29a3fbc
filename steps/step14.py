"""Step 14 · The same variable twice.

New: a second gradient is added to the first; `cleargrad` starts anew.
Why: in y = x + x, x reaches y by two ways, and the chain rule sums over ways. Step 13 overwrote the first with the second and said
1. Since gradients now add up, they must be cleared between two uses.

Note `x.grad + gx` and not `x.grad += gx`: Add handed the *same* array to both of its inputs, and writing into it would change a
gradient that is not ours. steps/README.md, appendix A, shows it going wrong.
In the engine: `accumulate` in framework/tensor.py, which writes in place where it knows that the buffer is nobody else's.
"""

import numpy as np
from step01 import Variable
from step06 import adds_to
from step13 import add, exp, square

overwriting = Variable.backward  # step 13's


@adds_to(Variable)
def backward(self):
    if self.grad is None:
        self.grad = np.ones_like(self.data)
    functions = [self.creator]
    while functions:
        f = functions.pop()
        gxs = f.backward(*[output.grad for output in f.outputs])
        for x, gx in zip(f.inputs, gxs if isinstance(gxs, tuple) else (gxs,)):
            x.grad = gx if x.grad is None else x.grad + gx
            if x.creator is not None:
                functions.append(x.creator)


@adds_to(Variable)
def cleargrad(self):
    self.grad = None


if __name__ == "__main__":
    x = Variable(np.array(3.0))
    overwriting(add(x, x))
    print("d(x + x)/dx by step 13:", x.grad)
    assert x.grad == 1
    x.cleargrad()
    add(x, x).backward()
    print("                   now:", x.grad)
    assert x.grad == 2
    add(add(x, x), x).backward()
    print("another use, without clearing: 2 + 3 =", x.grad)
    assert x.grad == 5
    x.cleargrad()
    exp(square(x)).backward()
    assert np.isclose(x.grad, 6 * np.exp(9.0))
