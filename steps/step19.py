"""Step 19 · A variable pleasant to use.

New: `name`, `shape`, `ndim`, `size`, `dtype`, `len(x)`, and what is printed.
Why: a variable should feel like the array it holds. The name is for pictures of graphs, from step 25 on.
In the engine: framework/readable.py prints a Tensor; there `size()` is a method, as PyTorch has it.
"""

import numpy as np
from step01 import Variable
from step06 import adds_to
from step18 import add, exp, square

before = Variable.__init__


@adds_to(Variable)
def __init__(self, data, name=None):
    before(self, data)
    self.name = name


for attribute in ("shape", "ndim", "size", "dtype"):
    setattr(Variable, attribute, property(lambda self, attribute=attribute: getattr(self.data, attribute)))


@adds_to(Variable)
def __len__(self):
    return len(self.data)


@adds_to(Variable)
def __repr__(self):
    text = "None" if self.data is None else str(self.data).replace("\n", "\n" + " " * 9)
    return f"variable({text})"


if __name__ == "__main__":
    x = Variable(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), "x")
    print(x)
    print(f"{x.name}: shape {x.shape}, {x.ndim} axes, {x.size} elements of {x.dtype}, length {len(x)}")
    assert (x.shape, x.ndim, x.size, len(x)) == ((2, 3), 2, 6, 2)
    assert repr(square(x)) == "variable([[ 1.  4.  9.]\n          [16. 25. 36.]])"
    assert add(x, exp(x)).name is None
