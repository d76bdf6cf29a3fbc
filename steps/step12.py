"""Step 12 · Any number of arguments, improved.

New: stars. `f(x0, x1)` for who calls, `forward(self, x0, x1)` for who writes, and no list around a single result.
Why: the list is the machinery's business, so the machinery packs and unpacks it.
In the engine: `apply(*inputs, **static)` in framework/ops/define.py.
"""

import numpy as np
from step01 import Variable
from step02 import Function, Square
from step06 import adds_to
from step09 import Exp, as_array
from step11 import Add


@adds_to(Function)
def __call__(self, *inputs):
    ys = self.forward(*[x.data for x in inputs])
    outputs = [Variable(as_array(y)) for y in (ys if isinstance(ys, tuple) else (ys,))]
    for output in outputs:
        output.creator = self
    self.inputs, self.outputs = inputs, outputs
    return outputs if len(outputs) > 1 else outputs[0]


@adds_to(Add)
def forward(self, x0, x1):
    return x0 + x1


def add(x0, x1):
    return Add()(x0, x1)


def square(x):
    return Square()(x)


def exp(x):
    return Exp()(x)


class Halves(Function):
    def forward(self, x):
        return x[: len(x) // 2], x[len(x) // 2 :]


if __name__ == "__main__":
    x0, x1 = Variable(np.array(2.0)), Variable(np.array(3.0))
    print("2 + 3 =", add(x0, x1).data)
    print("2² + exp 3 =", add(square(x0), exp(x1)).data)
    left, right = Halves()(Variable(np.arange(4.0)))
    print("two results:", left.data, right.data)
    assert add(x0, x1).data == 5 and left.creator is right.creator and right.data[0] == 2
