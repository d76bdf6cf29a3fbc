"""Step 16 · Complex graphs, in practice.

New: `generation` of variables and functions; backward takes the latest generation first, and each function once.
Why: step 15.
In the engine: `walk` in framework/autograd.py keeps its list in a heap, by `order`, so that taking the newest costs log n.
"""

import numpy as np
from step01 import Variable
from step02 import Function
from step06 import adds_to
from step09 import as_array
from step14 import exp
from step15 import add, diamond, square


@adds_to(Variable)
def __init__(self, data):
    if data is not None and not isinstance(data, np.ndarray):
        raise TypeError(f"a Variable holds an array, not a {type(data).__name__}; np.array({data!r}) makes one")
    self.data = data
    self.grad = None
    self.creator = None
    self.generation = 0


@adds_to(Variable)
def set_creator(self, function):
    self.creator = function
    self.generation = function.generation + 1


@adds_to(Function)
def __call__(self, *inputs):
    ys = self.forward(*[x.data for x in inputs])
    outputs = [Variable(as_array(y)) for y in (ys if isinstance(ys, tuple) else (ys,))]
    self.generation = max(x.generation for x in inputs)
    for output in outputs:
        output.set_creator(self)
    self.inputs, self.outputs = inputs, outputs
    return outputs if len(outputs) > 1 else outputs[0]


@adds_to(Variable)
def backward(self):
    if self.grad is None:
        self.grad = np.ones_like(self.data)
    functions = {self.creator}  # a set: each once
    while functions:
        f = max(functions, key=lambda f: f.generation)
        functions.remove(f)
        gxs = f.backward(*[output.grad for output in f.outputs])
        for x, gx in zip(f.inputs, gxs if isinstance(gxs, tuple) else (gxs,)):
            x.grad = gx if x.grad is None else x.grad + gx
            if x.creator is not None:
                functions.add(x.creator)


if __name__ == "__main__":
    x = Variable(np.array(2.0))
    y = diamond(x)
    y.backward()
    print(f"y = 2x⁴ = {y.data}, dy/dx = {x.grad}, generation of y: {y.generation}")
    assert (y.data, x.grad, y.generation) == (32, 64, 3)
    x.cleargrad()
    add(exp(x), square(exp(square(x)))).backward()
    assert np.isclose(x.grad, np.exp(2) + 8 * np.exp(8))
