"""Step 2 · A function creates a variable.

New: `Function`. Calling one takes the array out of a box, computes in `forward`, and puts the result into a new box.
Why: if every computation goes through one place, that place can later note what happened. `Square` says only what is its own.
In the engine: `Op` in framework/ops/define.py, where an op is its forward and its derivative and nothing else.
"""

import numpy as np
from step01 import Variable


class Function:
    def __call__(self, input):
        return Variable(self.forward(input.data))

    def forward(self, x):
        raise NotImplementedError(f"{type(self).__name__} does not say what it computes")


class Square(Function):
    def forward(self, x):
        return x**2


if __name__ == "__main__":
    x = Variable(np.array(10.0))
    y = Square()(x)
    print(f"{type(y).__name__} of {y.data}")
    assert isinstance(y, Variable) and y.data == 100
    try:
        Function()(x)
    except NotImplementedError as error:
        print("Function itself:", error)
