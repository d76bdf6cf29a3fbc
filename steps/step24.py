"""Step 24 · Derivatives of complicated functions.

New: nothing to write: three functions from the tests of optimisation methods, differentiated.
Why: Goldstein and Price's has some forty operations. Nobody wants to do it by hand, and nobody has to: each operation knows its own
derivative. Formulas are taken as they stand in the literature.
In the engine: tests/engine/test_random_graphs.py goes further, and differentiates formulas made by chance.
"""

import numpy as np

from dezero import Variable


def sphere(x, y):
    return x**2 + y**2


def matyas(x, y):
    return 0.26 * (x**2 + y**2) - 0.48 * x * y


def goldstein_price(x, y):
    return (1 + (x + y + 1) ** 2 * (19 - 14 * x + 3 * x**2 - 14 * y + 6 * x * y + 3 * y**2)) * (
        30 + (2 * x - 3 * y) ** 2 * (18 - 32 * x + 12 * x**2 + 48 * y - 36 * x * y + 27 * y**2)
    )


def gradient(f, x, y):
    x, y = Variable(np.array(x)), Variable(np.array(y))
    f(x, y).backward()
    return float(x.grad.data), float(y.grad.data)


if __name__ == "__main__":
    for f in (sphere, matyas, goldstein_price):
        print(f"{f.__name__:16} at (1, 1): {float(f(1.0, 1.0)):7.2f}, gradient", gradient(f, 1.0, 1.0))
    assert gradient(sphere, 1.0, 1.0) == (2, 2)
    assert np.allclose(gradient(matyas, 1.0, 1.0), 0.04)
    assert gradient(goldstein_price, 1.0, 1.0) == (-5376, 8064)
    assert goldstein_price(0.0, -1.0) == 3 and gradient(goldstein_price, 0.0, -1.0) == (0, 0)  # its lowest point
