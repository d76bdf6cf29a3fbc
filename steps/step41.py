"""Step 41 · The matrix product.

New: `MatMul`, y = x W, with gx = gy Wᵀ and gW = xᵀ gy.
Why: one need not remember which side is transposed. gx has x's shape (N, I), made of gy (N, O) and W (I, O): only gy Wᵀ fits.
And it sums over the right thing: x_ni reaches every y_no, each time with W_io.
In the engine: `matmul` in framework/ops/linalg.py, for any number of axes.
"""

import numpy as np
from step38 import same

import dezero.functions as F
from dezero import Function, Variable


class MatMul(Function):
    def forward(self, x, W):
        return x @ W

    def backward(self, gy):
        x, W = self.inputs
        return F.matmul(gy, W.T), F.matmul(x.T, gy)


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    x, W = rng.standard_normal((2, 3)), rng.standard_normal((3, 4))
    same(MatMul(), F.matmul, x, W)
    a, b = Variable(x), Variable(W)
    y = MatMul()(a, b)
    y.backward()
    print(f"{a.shape} @ {b.shape} = {y.shape}; the gradients: {a.grad.shape} and {b.grad.shape}")
    assert np.allclose(a.grad.data, np.ones((2, 4)) @ W.T)
