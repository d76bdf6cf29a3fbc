"""Step 3 · Functions in a chain.

New: `Exp`, and the composition of functions.
Why: a function takes a box and returns a box, so they fit together. A network of any size is such a composition, called its
*graph*; whoever can differentiate the links can differentiate the chain.
In the engine: `exp` in framework/ops/elementwise.py is one row of a table.
"""

import numpy as np
from step01 import Variable
from step02 import Function, Square


class Exp(Function):
    def forward(self, x):
        return np.exp(x)


def chain(x):
    """(exp(x²))², the example of the next steps."""
    A, B, C = Square(), Exp(), Square()
    return C(B(A(x)))


if __name__ == "__main__":
    x = Variable(np.array(0.5))
    y = chain(x)
    print("x → x² → exp → ² :", y.data)
    assert np.isclose(y.data, np.exp(2 * 0.25))  # (exp a)² = exp 2a
