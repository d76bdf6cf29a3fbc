"""Step 54 · Dropout, and test mode.

New: `dropout`: in training each element is zero by chance, and the others are scaled up; in testing nothing happens. `test_mode()`.
Why: a unit that may be missing cannot be relied on, so that the network learns no fragile conspiracies (Srivastava et al. 2014). Scaling
by 1 / (1 − ratio) keeps the mean, and is done in training, so that a model in use is left alone (*inverted* dropout).
In the engine: framework/ops/dropout.py; a Module carries its own `training` flag there, set by `eval()`.
"""

import numpy as np

import dezero
import dezero.functions as F
from dezero import Config, Function, Variable


class Dropout(Function):
    def __init__(self, ratio=0.5):
        self.ratio = ratio

    def forward(self, x):
        if not Config.train:
            self.mask = np.ones_like(x)
        else:
            self.mask = (np.random.rand(*x.shape) > self.ratio).astype(x.dtype) / (1 - self.ratio)
        return x * self.mask

    def backward(self, gy):
        return gy * self.mask


def statistics(f, ratio):
    np.random.seed(0)
    y = f(np.ones(100_000, np.float32), ratio).data
    return (y == 0).mean(), y.mean(), y.max()


if __name__ == "__main__":
    for ratio in (0.2, 0.5):
        for name, f in {"ours": lambda x, r: Dropout(r)(x), "the package's": F.dropout}.items():
            zeros, mean, largest = statistics(f, ratio)
            print(f"ratio {ratio}, {name:13}: {zeros:.3f} are zero, mean {mean:.3f}, the others {largest:.3f}")
            assert abs(zeros - ratio) < 0.01 and abs(mean - 1) < 0.01 and np.isclose(largest, 1 / (1 - ratio))

    x = Variable(np.ones(5))
    with dezero.test_mode():
        print("in test mode:", Dropout()(x))
        assert np.array_equal(Dropout()(x).data, x.data) and np.array_equal(F.dropout(x).data, x.data)
    y = Dropout()(x)
    y.backward()
    print("in training: ", y, "; the gradient goes where the value went:", x.grad)
    assert np.array_equal(y.data, x.grad.data)
