import numpy as np
import pytest
import torch
from torch.nn import functional as F

from dlfs.grading import expect, numerical_gradient


def batch():
    rng = np.random.default_rng(0)
    return 3 * rng.standard_normal((5, 4)), 0.5 * rng.standard_normal((5, 4))


def by_torch(x, t, s):
    x, t, s = (torch.tensor(a, requires_grad=True, dtype=torch.float64) for a in (x, t, s))
    Z = s.exp() * F.normalize(x) @ F.normalize(t).T
    L = (F.cross_entropy(Z, torch.arange(len(Z))) + F.cross_entropy(Z.T, torch.arange(len(Z)))) / 2
    L.backward()
    return L, x.grad, t.grad, s.grad


def test_through_the_length(exercise):
    x, dy = batch()
    expected = numerical_gradient(lambda: (dy * (x / np.linalg.norm(x, axis=1, keepdims=True))).sum(), x)
    usually = "(dy − (dy · y) y) / ‖x‖ in each row: the part along x goes, the rest is divided by the LENGTH"
    expect(exercise.normalize_backward(dy, x), expected, "normalize_backward(dy (5, 4), x (5, 4))", usually)


@pytest.mark.parametrize("s", [0.0, 2.5])
def test_the_loss(exercise, s):
    x, t = batch()
    usually = "Z = e^s u vᵀ of the UNIT vectors; half of the cross entropy over rows and of that over columns, each a mean over the batch"
    expect(exercise.loss(x, t, s), by_torch(x, t, s)[0], f"loss(x (5, 4), t (5, 4), s={s})", usually)


def test_a_high_temperature(exercise):
    x, t = np.eye(3), -np.eye(3)
    with np.errstate(all="ignore"):
        expect(
            exercise.loss(x, t, np.log(1000)),
            by_torch(x, t, np.log(1000))[0],
            "loss(I (3, 3), −I, s=log 1000)",
            "use log_softmax, which is there: the logarithm of a softmax is −∞ here",
        )


@pytest.mark.parametrize("s", [0.0, 2.5])
def test_the_gradients(exercise, s):
    x, t = batch()
    got = exercise.loss_backward(x, t, s)
    assert isinstance(got, tuple) and len(got) == 3, (
        f"loss_backward gave a {type(got).__name__}, expected dx, dt and ds"
    )
    called = f"loss_backward(x (5, 4), t (5, 4), s={s})"
    usually = {
        "dx": "dZ = (P + Q − 2 I) / (2 B), P over rows, Q over columns; du = e^s dZ v, then back through the length",
        "dt": "dv = e^s dZᵀ u: the other side of the product, so dZ transposed",
        "ds": "Z = e^s u vᵀ, so dZ/ds = Z: the sum of dZ ⊙ Z",
    }
    for its, expected, name in zip(got, by_torch(x, t, s)[1:], usually):
        expect(its, expected, f"{name} of {called}", usually[name])


def test_at_right_angles(exercise):
    x, t = batch()
    dx, dt, _ = exercise.loss_backward(x, t, 1.0)
    got = [(dx * x).sum(axis=1), (dt * t).sum(axis=1)]
    expect(
        np.array(got) + 1,
        np.ones((2, 5)),
        "1 + dx · x and 1 + dt · t in each row of loss_backward",
        "a longer vector has the same direction: no gradient points along it",
    )
