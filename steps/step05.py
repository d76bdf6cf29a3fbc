"""Step 5 · Backpropagation, in theory.

New: nothing but a product of matrices, multiplied in two orders.
Why: the chain rule says that the derivative of y = C(B(A(x))) is the product of the links' derivatives, J_C J_B J_A. A product may
be computed from either end. A loss is *one* number, so J_C is a single row: from the left, every step is a row times a matrix.
From the right, every step is a matrix times a matrix. Same answer; the first is backpropagation, the second forward mode.
In the engine: `walk` in framework/autograd.py goes from the loss back, and never forms a matrix J: each op knows g ↦ g J.
"""

import numpy as np

n, links = 60, 4  # inputs; links before the loss
rng = np.random.default_rng(0)
jacobians = [rng.standard_normal((n, n)) / np.sqrt(n) for _ in range(links)]  # J_A, J_B, …, in the order of computing
last = rng.standard_normal((1, n))  # the loss's own derivative, a row


def product(left, right, count):
    """The matrix product, with its multiplications added to count[0]."""
    count[0] += left.shape[0] * left.shape[1] * right.shape[1]
    return left @ right


def backward_order():
    count, g = [0], last
    for J in reversed(jacobians):
        g = product(g, J, count)  # (1, n)
    return g, count[0]


def forward_order():
    count, J_so_far = [0], jacobians[0]
    for J in jacobians[1:]:
        J_so_far = product(J, J_so_far, count)  # (n, n)
    return product(last, J_so_far, count), count[0]


if __name__ == "__main__":
    (back, cheap), (forth, dear) = backward_order(), forward_order()
    print(f"from the loss back:      {cheap:>9,} multiplications")
    print(f"from the inputs forward: {dear:>9,} multiplications, {dear / cheap:.0f} times as many")
    assert np.allclose(back, forth)
    assert cheap == links * n**2 and dear == (links - 1) * n**3 + n**2
