"""Step 21 · Operators, second part: numbers and arrays beside variables.

New: `x + 1`, `2 * x`, and an array on either side: what is no variable becomes one (`as_variable`).
Why: half of a formula is constants. For `2 * x` Python asks int first, which declines, and then x for `__rmul__`. With an array on
the left NumPy would not decline but multiply its elements by x, one by one; `__array_ufunc__ = None` tells it to leave that to us.
In the engine: numbers stay numbers, so that `2.0 * x` of a float32 x is float32 (`_operand` in framework/ops/define.py).
"""

import weakref

import numpy as np
from step01 import Variable
from step02 import Function
from step06 import adds_to
from step09 import as_array
from step18 import Config
from step20 import add, exp, mul, square

Variable.__array_ufunc__ = None
Variable.__radd__ = Variable.__add__
Variable.__rmul__ = Variable.__mul__


def as_variable(x):
    return x if isinstance(x, Variable) else Variable(as_array(x))


@adds_to(Function)
def __call__(self, *inputs):
    inputs = [as_variable(x) for x in inputs]
    ys = self.forward(*[x.data for x in inputs])
    outputs = [Variable(as_array(y)) for y in (ys if isinstance(ys, tuple) else (ys,))]
    if Config.enable_backprop:
        self.generation = max(x.generation for x in inputs)
        for output in outputs:
            output.set_creator(self)
        self.inputs, self.outputs = inputs, [weakref.ref(output) for output in outputs]
    return outputs if len(outputs) > 1 else outputs[0]


if __name__ == "__main__":
    x = Variable(np.array(2.0))
    y = 3.0 * x + 1.0
    y.backward()
    print("3x + 1 at 2:", y, "and its derivative:", x.grad)
    assert (y.data, x.grad) == (7, 3)
    z = np.array([1.0, 2.0]) * Variable(np.array([3.0, 4.0])) + np.array([0.5, 0.5])
    print("an array times a variable:", z)
    assert isinstance(z, Variable) and z.data.tolist() == [3.5, 8.5]
    assert add(1, mul(2, square(exp(0.0)))).data == 3
