import numpy as np

import framework
from dlfs.grading import expect, numerical_gradient


def image(requires_grad=True):
    return framework.tensor(np.random.default_rng(0).standard_normal((2, 3, 4, 6)), requires_grad=requires_grad)


def pooled(x):
    return np.sqrt((x.reshape(2, 3, 2, 2, 3, 2) ** 2).sum(axis=(3, 5)))


def test_forward(exercise):
    x = image()
    expect(
        exercise.L2Pool.apply(x),
        pooled(x.numpy(force=True)),
        "L2Pool.apply(x (2, 3, 4, 6))",
        "the root of the sum, not of the mean, of the squares of each 2 × 2 window",
    )


def test_backward(exercise):
    x = image()
    dy = np.random.default_rng(1).standard_normal((2, 3, 2, 3))
    exercise.L2Pool.apply(x).backward(framework.tensor(dy))
    at = x.numpy(force=True).copy()
    expected = numerical_gradient(lambda: (dy * pooled(at)).sum(), at)
    expect(
        x.grad,
        expected,
        "backward(dy (2, 3, 2, 3)) of x (2, 3, 4, 6)",
        "dy/dx = x / y, of the window that x lies in, times dy",
        1e-6,
    )


def test_an_empty_window_has_slope_zero(exercise):
    x = framework.zeros(1, 1, 2, 4, dtype=framework.float64, requires_grad=True)
    with np.errstate(all="ignore"):
        exercise.L2Pool.apply(x).sum().backward()
    expect(
        x.grad,
        np.zeros((1, 1, 2, 4)),
        "backward(ones) of x (1, 1, 2, 4), all zeros",
        "0 / 0: where y is 0, divide by something else",
    )


def test_second_derivative(exercise):
    x = image()
    (dx,) = framework.autograd.grad(exercise.L2Pool.apply(x).sum(), x, create_graph=True)
    assert dx.requires_grad, (
        "under create_graph dx has no history: save x and y themselves with save_for_backward, and compute with Tensors"
    )
    weights = np.random.default_rng(2).standard_normal(x.shape)
    (got,) = framework.autograd.grad((dx * framework.tensor(weights)).sum(), x)
    at = x.numpy(force=True).copy()

    def slope():
        y = pooled(at).reshape(2, 3, 2, 1, 3, 1)
        return (at.reshape(2, 3, 2, 2, 3, 2) / y * weights.reshape(2, 3, 2, 2, 3, 2)).sum()

    expect(
        got,
        numerical_gradient(slope, at),
        "the second derivative of x (2, 3, 4, 6)",
        "save x and y with save_for_backward, and compute with Tensors: what is kept elsewhere, as ctx.x or an array, has no history",
        1e-5,
    )
