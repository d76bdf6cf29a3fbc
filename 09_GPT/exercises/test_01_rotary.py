import numpy as np
import torch

from dlfs.grading import expect

RNG = np.random.default_rng


def test_the_angles(exercise):
    usually = "t · base^(-2 i / D): the first pair turns by a radian a token, the last by almost none"
    expect(exercise.angles(np.array([0, 3]), 4), [[0, 0], [3, 0.03]], "angles([0, 3], D=4)", usually)
    expect(exercise.angles(np.array([2]), 6, base=64.0), [[2, 0.5, 0.125]], "angles([2], D=6, base=64)", usually)


def test_one_radian(exercise):
    x = np.array([[1.0, 0.0], [0.0, 1.0]])
    got = exercise.rotate(x, np.array([1, 1]))
    expect(x, [[1.0, 0.0], [0.0, 1.0]], "x after rotate", "write into a new array")
    assert got.dtype == x.dtype, f"rotate(x of {x.dtype}) is of {got.dtype}: make the new array like x"
    expected = [[np.cos(1), np.sin(1)], [-np.sin(1), np.cos(1)]]
    expect(
        got,
        expected,
        "rotate([[1, 0], [0, 1]], positions [1, 1])",
        "anticlockwise: the minus stands with the even channel",
    )


def test_neighbours_are_pairs(exercise):
    x, t = RNG(0).standard_normal((2, 3, 5, 6)), np.arange(4, 9)
    theta = t[:, None] * 10000.0 ** (-np.array([0, 2, 4]) / 6)
    z = (x[..., 0::2] + 1j * x[..., 1::2]) * np.exp(1j * theta)  # a rotation is a product of complex numbers
    expected = np.stack([z.real, z.imag], axis=-1).reshape(x.shape)
    before = x.copy()
    usually = "pairs are the channels 0 and 1, 2 and 3, …; the angle is that of the token's own position"
    got = exercise.rotate(x, t)
    expect(x, before, "x after rotate", "write into a new array")
    expect(got, expected, "rotate(x (2, 3, 5, 6), positions [4 … 8])", usually)


def test_only_the_distance_counts(exercise):
    q, k = RNG(1).standard_normal((2, 7, 8))
    scores = [exercise.rotate(q, t) @ exercise.rotate(k, t).T for t in (np.arange(7), np.arange(7) + 100)]
    expect(
        scores[1], scores[0], "rotate(q, t + 100) @ rotate(k, t + 100).T", "the same product as at positions t", 1e-9
    )


def test_the_gradient(exercise):
    x, dy, t = (
        torch.randn(3, 5, 6, dtype=torch.float64, requires_grad=True),
        RNG(2).standard_normal((3, 5, 6)),
        np.arange(2, 7),
    )
    theta = torch.from_numpy(t[:, None] * 100.0 ** (-np.array([0, 2, 4]) / 6))
    even, odd = x[..., 0::2], x[..., 1::2]
    y = torch.stack([even * theta.cos() - odd * theta.sin(), even * theta.sin() + odd * theta.cos()], dim=-1).flatten(2)
    y.backward(torch.from_numpy(dy))
    got = exercise.rotate_backward(dy, t, base=100.0)
    expect(
        got,
        x.grad,
        "rotate_backward(dy (3, 5, 6), positions [2 … 6], base=100)",
        "the transpose turns back: the negative angle",
    )
