"""Step 11 · Any number of arguments, forward.

New: a function takes a list of variables and returns a list; `Add` is the first of two inputs.
Why: a network adds and multiplies two things; a split returns several. One `__call__` shall serve them all.
In the engine: `binary` and `op` in framework/ops/define.py; several outputs are taken apart by `pick` (framework/autograd.py).
"""

import numpy as np
from step01 import Variable
from step02 import Function
from step06 import adds_to
from step09 import as_array


@adds_to(Function)
def __call__(self, inputs):
    ys = self.forward([x.data for x in inputs])
    outputs = [Variable(as_array(y)) for y in ys]
    for output in outputs:
        output.creator = self
    self.inputs, self.outputs = inputs, outputs
    return outputs


class Add(Function):
    def forward(self, xs):
        x0, x1 = xs
        return (x0 + x1,)


if __name__ == "__main__":
    xs = [Variable(np.array(2.0)), Variable(np.array(3.0))]
    ys = Add()(xs)
    print("2 + 3 =", ys[0].data, "- but what a way to say it: Add()([x0, x1])[0]")
    assert ys[0].data == 5 and ys[0].creator.inputs == xs
