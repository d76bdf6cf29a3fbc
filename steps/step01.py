"""Step 1 · A variable is a box.

New: `Variable`, a box that holds an array.
Why: a plain array cannot remember where it came from, nor carry a gradient. A box around it will.
In the engine: `Tensor` in framework/tensor.py, whose `array` is this `data`.
"""

import numpy as np


class Variable:
    def __init__(self, data):
        self.data = data


if __name__ == "__main__":
    x = Variable(np.array(1.0))
    print("a box with", x.data)
    x.data = np.array([[1.0, 2.0], [3.0, 4.0]])
    print("the same box with\n", x.data, sep="")
    print("number of axes, from a number up:", [np.array(v).ndim for v in (1, [1], [[1]], [[[1]]])])
    assert x.data.ndim == 2
