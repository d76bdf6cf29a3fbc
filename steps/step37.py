"""Step 37 · Tensors.

New: nothing but the data: arrays of any shape where there was one number.
Why: an elementwise function does the same to each element, so its derivative is a diagonal matrix, and g J is an elementwise product:
the code for one number was right for tensors all along. The output must be summed to one number to have *a* gradient; backward from
a whole tensor starts with ones, which is the same thing.
In the engine: `unary` in framework/ops/define.py; there the sum must be written, as in PyTorch.
"""

import numpy as np

import dezero.functions as F
from dezero import Function, Variable


class Cube(Function):
    def forward(self, x):
        return x**3

    def backward(self, gy):
        (x,) = self.inputs
        return 3 * x**2 * gy


def jacobian(f, data):
    """∂y_i/∂x_j, row by row: backward from each element of y alone."""
    rows = []
    for i in range(data.size):
        x = Variable(data)
        f(x)[i].backward()
        rows.append(x.grad.data)
    return np.array(rows)


if __name__ == "__main__":
    data = np.array([1.0, 2.0, 3.0])
    J = jacobian(Cube(), data)
    print("the Jacobian of x³:\n", J, sep="")
    assert np.array_equal(J, np.diag(3 * data**2))

    x = Variable(np.arange(6.0).reshape(2, 3))
    y = Cube()(x)
    y.backward()
    ones = x.grad
    x.cleargrad()
    F.sum(x**3).backward()
    print("the gradient of the sum of x³ over a matrix:\n", x.grad.data, sep="")
    assert x.grad.shape == x.shape and np.array_equal(ones.data, x.grad.data)
