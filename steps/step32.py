"""Step 32 · Higher derivatives, implemented.

New: three changes to step 22: a gradient is a Variable; each `backward` computes with variables; a walk records itself if
`create_graph` says so.
Why: step 31. Recording is off unless asked for: whoever wants only the gradient shall not pay for a graph of it.
In the engine: `Tensor.backward(create_graph=True)` in framework/tensor.py.
"""

import numpy as np
from step06 import adds_to
from step18 import using_config
from step20 import Mul
from step22 import Div, Function, Neg, Pow, Sub, Variable

import dezero


@adds_to(Mul)
def backward(self, gy):
    x0, x1 = self.inputs
    return gy * x1, gy * x0


@adds_to(Div)
def backward(self, gy):  # noqa: F811
    x0, x1 = self.inputs
    return gy / x1, gy * (-x0 / x1**2)


@adds_to(Pow)
def backward(self, gy):  # noqa: F811
    (x,) = self.inputs
    return self.c * x ** (self.c - 1) * gy


@adds_to(Variable)
def backward(self, retain_grad=False, create_graph=False):  # noqa: F811
    if self.grad is None:
        self.grad = Variable(np.ones_like(self.data))
    functions = {self.creator}
    while functions:
        f = max(functions, key=lambda f: f.generation)
        functions.remove(f)
        with using_config("enable_backprop", create_graph):
            gxs = f.backward(*[output().grad for output in f.outputs])
            for x, gx in zip(f.inputs, gxs if isinstance(gxs, tuple) else (gxs,)):
                x.grad = gx if x.grad is None else x.grad + gx
                if x.creator is not None:
                    functions.add(x.creator)
        if not retain_grad:
            for output in f.outputs:
                output().grad = None


def derivatives(Variable, f, at, order):
    """f, f′, f″, … at a place."""
    x = Variable(np.array(at))
    y, found = f(x), []
    for _ in range(order):
        found.append(float(y.data))
        x.cleargrad()
        y.backward(create_graph=True)
        y = x.grad
    return [*found, float(y.data)]


if __name__ == "__main__":
    assert issubclass(Neg, Function) and issubclass(Sub, Function)  # these two needed no change
    for text, f in {"x⁴ − 2x²": lambda x: x**4 - 2 * x**2, "1 / (1 + x²)": lambda x: 1 / (1 + x**2)}.items():
        ours = derivatives(Variable, f, 2.0, 4)
        print(f"{text:13} at 2 and its derivatives:", *(f"{v:.4f}" for v in ours))
        assert np.allclose(ours, derivatives(dezero.Variable, f, 2.0, 4))
    assert derivatives(Variable, lambda x: x**4 - 2 * x**2, 2.0, 3) == [8, 24, 44, 48]
