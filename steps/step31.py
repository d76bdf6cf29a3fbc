"""Step 31 · Higher derivatives, in theory.

New: the gradient, computed by hand out of variables, and differentiated.
Why: backward of y = sin x computes cos(x) · gy. That is a computation like any other: an input x, an input gy, a cosine, a product.
If it runs on variables it leaves a graph, which leads back to x too, and backward through *that* is the second derivative.
Nothing new is needed, only that `backward` is written in functions and not in bare arrays.
In the engine: framework/ops/define.py: "The same derivative runs on arrays, and on Tensors under create_graph".
"""

import numpy as np

import dezero.functions as F
from dezero import Variable

if __name__ == "__main__":
    x, gy = Variable(np.array(1.0)), Variable(np.array(1.0))
    gx = F.cos(x) * gy  # what backward of sin does
    gx.backward()
    print(f"sin′ = cos: {gx.data:.6f}; the derivative of that: {x.grad.data:.6f} = −sin")
    assert np.isclose(x.grad.data, -np.sin(1.0))

    # A composition: y = sin(x²), by the chain rule with every step a variable.
    x = Variable(np.array(1.5))
    a = x**2
    ga = F.cos(a) * gy
    gx = 2 * x * ga  # reaches x twice: directly, and by way of a
    gx.backward()
    exact = 2 * np.cos(1.5**2) - 4 * 1.5**2 * np.sin(1.5**2)
    print(f"d²/dx² sin(x²): {x.grad.data:.6f}, exactly {exact:.6f}")
    assert np.isclose(x.grad.data, exact)
