"""Step 18 · Memory saved.

New: gradients on the way are dropped unless `retain_grad`; within `no_grad()` no graph is recorded at all.
Why: one wants the gradients of what was given, seldom those in between. And who only computes, to test a model or use it, needs no
way back: without one, each array is free as soon as the next is computed. The switch is a context, and a context puts the old value
back even when an error leaves it.
In the engine: `no_grad` in framework/autograd.py; a Tensor that is no leaf has no `.grad` unless `retain_grad()` asks for it.
"""

import contextlib
import tracemalloc
import weakref

import numpy as np
from step01 import Variable
from step02 import Function
from step06 import adds_to
from step09 import as_array
from step17 import add, exp, square


class Config:
    enable_backprop = True


@contextlib.contextmanager
def using_config(name, value):
    before = getattr(Config, name)
    setattr(Config, name, value)
    try:
        yield
    finally:
        setattr(Config, name, before)


def no_grad():
    return using_config("enable_backprop", False)


@adds_to(Function)
def __call__(self, *inputs):
    ys = self.forward(*[x.data for x in inputs])
    outputs = [Variable(as_array(y)) for y in (ys if isinstance(ys, tuple) else (ys,))]
    if Config.enable_backprop:
        self.generation = max(x.generation for x in inputs)
        for output in outputs:
            output.set_creator(self)
        self.inputs, self.outputs = inputs, [weakref.ref(output) for output in outputs]
    return outputs if len(outputs) > 1 else outputs[0]


@adds_to(Variable)
def backward(self, retain_grad=False):
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
        if not retain_grad:
            for output in f.outputs:
                output().grad = None


def peak(length=20):
    """The most memory that a chain of this many squares of 400 kB needs, in arrays."""
    tracemalloc.start()
    y = Variable(np.ones(50000))
    for _ in range(length):
        y = square(y)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / y.data.nbytes


if __name__ == "__main__":
    x = Variable(np.array(3.0))
    a = square(x)
    y = add(a, exp(a))
    y.backward()
    print("gradients of y, a, x:", y.grad, a.grad, x.grad)
    assert y.grad is None and a.grad is None and np.isclose(x.grad, 6 * (1 + np.exp(9)))

    recorded = peak()
    with no_grad():
        free = peak()
    print(f"a chain of 20 squares needs {recorded:.0f} arrays at once, under no_grad {free:.0f}")
    assert recorded > 20 and free < 4 and Config.enable_backprop
