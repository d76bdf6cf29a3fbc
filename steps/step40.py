"""Step 40 · Broadcasting.

New: `BroadcastTo` and `SumTo`, each the other's backward; and an addition that sums its gradient back.
Why: x + b with a matrix and a row uses each b once for every row. Used several times means: gradients are added (step 14). So
what was stretched forward is summed backward.
In the engine: `unbroadcast` in framework/ops/define.py does it for all ops; no op does it itself.
"""

import numpy as np
from step38 import same

import dezero.functions as F
from dezero import Function
from dezero.utils import sum_to


class BroadcastTo(Function):
    def __init__(self, shape):
        self.shape = shape

    def forward(self, x):
        return np.array(np.broadcast_to(x, self.shape))

    def backward(self, gy):
        return SumTo(self.inputs[0].shape)(gy)


class SumTo(Function):
    def __init__(self, shape):
        self.shape = shape

    def forward(self, x):
        return sum_to(x, self.shape)

    def backward(self, gy):
        return BroadcastTo(self.inputs[0].shape)(gy)


class Add(Function):
    def forward(self, x0, x1):
        return x0 + x1

    def backward(self, gy):
        return tuple(gy if x.shape == gy.shape else SumTo(x.shape)(gy) for x in self.inputs)


if __name__ == "__main__":
    row, matrix = np.arange(3.0), np.sin(np.arange(6.0)).reshape(2, 3)
    same(BroadcastTo((4, 3)), lambda x: F.broadcast_to(x, (4, 3)), row)
    same(SumTo((1, 3)), lambda x: F.sum_to(x, (1, 3)), matrix)
    same(SumTo((3,)), lambda x: F.sum_to(x, (3,)), matrix)
    same(Add(), lambda a, b: a + b, matrix, row)
    same(Add(), lambda a, b: a + b, row, np.array(2.0))
    stretched, summed = BroadcastTo((2, 3))(row), SumTo((3,))(np.ones((2, 3)))
    print("a row stretched:", stretched.data.tolist(), " and ones summed back:", summed)
    assert stretched.shape == (2, 3) and summed.data.tolist() == [2, 2, 2]
