"""Step 4 · Numerical differentiation.

New: `numerical_diff`, the derivative by central differences, (f(x + ε) − f(x − ε)) / 2ε.
Why: it needs nothing but calls of f, so it is what every derivative to come is checked against. It is no way to train: each
parameter costs two calls, and the digits run out from both sides. A big ε is off by the curve's bend, ~ε²; a small one
subtracts two nearly equal numbers, and loses ~10⁻¹⁶/ε.
In the engine: `gradcheck` in framework/gradcheck.py.
"""

import numpy as np
from step01 import Variable
from step03 import chain


def numerical_diff(f, x, eps=1e-4):
    above, below = f(Variable(np.array(x.data + eps))), f(Variable(np.array(x.data - eps)))
    return (above.data - below.data) / (2 * eps)


if __name__ == "__main__":
    x = Variable(np.array(0.5))
    exact = 4 * 0.5 * np.exp(2 * 0.25)  # d/dx exp(2x²) = 4x exp(2x²)
    print(f"the exact derivative is {exact:.12f}\n\n   ε      differences      error")
    errors = {}
    for exponent in range(-1, -13, -1):
        found = numerical_diff(chain, x, 10.0**exponent)
        errors[exponent] = abs(found - exact)
        print(f"1e{exponent:<4d}  {found:.12f}  {errors[exponent]:.0e}")
    best = min(errors, key=errors.get)
    print(f"\nbest with ε = 1e{best}: neither the largest nor the smallest")
    assert -8 <= best <= -4 and errors[-4] < 1e-6 < errors[-1] and errors[-12] > errors[best] * 100
