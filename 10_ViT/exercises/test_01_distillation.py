import numpy as np
import pytest
import torch
from torch.nn import functional as F

from dlfs.grading import expect

B, K = 5, 4


def batch():
    rng = np.random.default_rng(0)
    z, d, t = 2 * rng.standard_normal((3, B, K))
    return z, d, rng.integers(0, K, B), t


def test_the_hard_loss_and_its_gradients(exercise):
    z, d, y, t = batch()
    a, b = (torch.tensor(x, requires_grad=True) for x in (z, d))
    expected = (F.cross_entropy(a, torch.tensor(y)) + F.cross_entropy(b, torch.tensor(t).argmax(1))) / 2
    expected.backward()
    called = "(z (5, 4), d (5, 4), y (5,), t (5, 4))"
    usually = (
        "the class token's head answers to the labels, the distillation token's to the teacher's argmax; half of each"
    )
    expect(exercise.hard_loss(z, d, y, t), expected, "hard_loss" + called, usually)
    got = exercise.hard_backward(z, d, y, t)
    assert isinstance(got, tuple) and len(got) == 2, (
        f"hard_backward gave a {type(got).__name__}, expected two arrays, dz and dd"
    )
    for its, grad, name in zip(got, (a.grad, b.grad), ("dz", "dd")):
        expect(its, grad, f"{name} of hard_backward{called}", "½ (softmax − onehot) / B, each head with its own target")


@pytest.mark.parametrize(("tau", "lam"), [(1.0, 1.0), (3.0, 1.0), (3.0, 0.1), (2.0, 0.0)])
def test_the_soft_loss_and_its_gradient(exercise, tau, lam):
    z, _, y, t = batch()
    a = torch.tensor(z, requires_grad=True)
    divergence = F.kl_div((a / tau).log_softmax(1), (torch.tensor(t) / tau).softmax(1), reduction="batchmean")
    expected = (1 - lam) * F.cross_entropy(a, torch.tensor(y)) + lam * tau**2 * divergence
    expected.backward()
    called = f"(z (5, 4), y (5,), t (5, 4), tau={tau:g}, lam={lam:g})"
    usually = "Σ q (log q − log p), q the TEACHER's, both at temperature τ; λ τ² of it, and 1 − λ of the labels' loss, which has no temperature"
    expect(exercise.soft_loss(z, y, t, tau, lam), expected, "soft_loss" + called, usually)
    usually = "the chain rule through z/τ gives 1/τ, so that of τ² one τ is left: λ τ (p − q) / B"
    expect(exercise.soft_backward(z, y, t, tau, lam), a.grad, "soft_backward" + called, usually)


def test_the_gradient_does_not_vanish_with_the_temperature(exercise):
    z, _, y, t = batch()
    got = exercise.soft_backward(z, y, t, 1e4, 1.0)
    centred = (z - t) - (z - t).mean(axis=1, keepdims=True)
    usually = "for a large τ softmax(z/τ) is 1/K + (z − mean) / (K τ): with τ² the gradient tends to (z − t, centred) / (K B), without it to 0"
    expect(got, centred / (K * B), "soft_backward(z, y, t, tau=10000, lam=1)", usually, 1e-3)


def test_large_logits(exercise):
    z = np.array([[1000.0, 0.0]])
    with np.errstate(all="ignore"):
        got = exercise.hard_loss(z, z, np.array([1]), -z)
        expect(
            got,
            1000.0,
            "hard_loss(z [[1000, 0]], d the same, y [1], t [[−1000, 0]])",
            "use log_softmax, which is there: the logarithm of a softmax is −∞ here",
        )


def test_the_answer(exercise):
    z, d = np.array([[3.0, 2.9, 0.0], [0.0, 1.0, 0.0]]), np.array([[0.0, 2.0, 0.0], [30.0, 0.0, 0.0]])
    usually = "the PROBABILITIES of both heads are added, and the largest is the answer"
    expect(exercise.predict(z, d), [1, 0], "predict(z [[3 2.9 0], [0 1 0]], d [[0 2 0], [30 0 0]])", usually)
    z, d = np.array([[5.0, 0.0, 3.0]]), np.array([[0.0, 3.0, 3.0]])
    expect(exercise.predict(z, d), [0], "predict(z [[5 0 3]], d [[0 3 3]])", usually)
