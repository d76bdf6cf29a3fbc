"""Step 17 · Memory, and references in a circle.

New: a function refers to its outputs weakly.
Why: Python frees an object as soon as nobody refers to it. But output → creator → outputs → output is a circle, and nobody's last.
Such objects wait for the garbage collector, which comes when it likes; with arrays of megabytes that is too late. The way back needs
output → creator → inputs; the other direction can be weak.
In the engine: a Node has no reference to its output at all; "no reference cycles" is a rule there, and a test.
"""

import gc
import weakref

import numpy as np
from step01 import Variable
from step02 import Function
from step06 import adds_to
from step09 import as_array
from step16 import add, exp, square

circular = Function.__call__  # step 16's


@adds_to(Function)
def __call__(self, *inputs):
    ys = self.forward(*[x.data for x in inputs])
    outputs = [Variable(as_array(y)) for y in (ys if isinstance(ys, tuple) else (ys,))]
    self.generation = max(x.generation for x in inputs)
    for output in outputs:
        output.set_creator(self)
    self.inputs, self.outputs = inputs, [weakref.ref(output) for output in outputs]
    return outputs if len(outputs) > 1 else outputs[0]


@adds_to(Variable)
def backward(self):
    if self.grad is None:
        self.grad = np.ones_like(self.data)
    functions = {self.creator}
    while functions:
        f = max(functions, key=lambda f: f.generation)
        functions.remove(f)
        gxs = f.backward(*[output().grad for output in f.outputs])
        for x, gx in zip(f.inputs, gxs if isinstance(gxs, tuple) else (gxs,)):
            x.grad = gx if x.grad is None else x.grad + gx
            if x.creator is not None:
                functions.add(x.creator)


def alive_after(call):
    """How many of ten results of half a megabyte, each thrown away at once, are alive when the last is made."""
    Function.__call__, kept = call, Function.__call__
    gc.collect()
    gc.disable()
    results = []
    for _ in range(10):
        y = square(square(Variable(np.zeros(65536))))
        results.append(weakref.ref(y))
    del y
    count = sum(result() is not None for result in results)
    gc.enable()
    Function.__call__ = kept
    return count


if __name__ == "__main__":
    print("results still in memory, with the circle:", alive_after(circular))
    print("                         without:        ", alive_after(Function.__call__))
    assert alive_after(circular) == 10 and alive_after(Function.__call__) == 0
    x = Variable(np.array(2.0))
    add(square(x), exp(x)).backward()
    assert np.isclose(x.grad, 4 + np.exp(2))
