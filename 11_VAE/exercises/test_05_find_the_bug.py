import numpy as np
import pytest
from scipy.stats import bernoulli, norm

from dlfs.grading import expect, numerical_gradient


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    return (
        rng.standard_normal((3, 5)),
        rng.integers(0, 2, (3, 5)).astype(float),
        rng.standard_normal((3, 2)),
        rng.standard_normal((3, 2)),
    )


def test_what_an_image_costs(exercise, batch):
    logits, x, _, _ = batch
    expected = -bernoulli.logpmf(x, 1 / (1 + np.exp(-logits))).sum(axis=1)
    expect(
        exercise.nll(logits, x),
        expected,
        "nll(logits (3, 5), x (3, 5))",
        "p(x | z) is a product over the pixels, so its logarithm is a SUM",
    )


def test_logits_that_are_sure(exercise):
    with np.errstate(all="ignore"):
        got = exercise.nll(np.array([[1000.0, -1000.0]]), np.array([[1.0, 1.0]]))
    expect(
        got, [1000.0], "nll([[1000 -1000]], [[1 1]])", "log of a probability that has become 0: keep to the stable form"
    )


def test_divergence(exercise, batch):
    _, _, mean, logvar = batch
    z = np.linspace(-30, 30, 20001)[:, None, None]
    q = norm(mean, np.exp(0.5 * logvar))
    expected = (q.pdf(z) * (q.logpdf(z) - norm.logpdf(z))).sum(axis=0).sum(axis=1) * 0.003
    expect(
        exercise.divergence(mean, logvar),
        expected,
        "divergence(mean (3, 2), logvar (3, 2)), against the integral",
        "logvar is the log of the variance; a sum over latents",
        1e-5,
    )


def test_loss(exercise):
    got = exercise.loss(np.zeros((2, 4)), np.ones((2, 4)), np.ones((2, 3)), np.zeros((2, 3)))
    expect(
        got,
        4 * np.log(2) + 1.5,
        "loss(logits 0 (2, 4), x 1, mean 1 (2, 3), logvar 0)",
        "sums over pixels and over latents, and then ONE mean over the batch",
    )


def test_gradients(exercise, batch):
    grads = exercise.loss_backward(*batch)
    for name, got, array in zip(("logits", "mean", "logvar"), grads, (batch[0], batch[2], batch[3])):
        expect(
            got,
            numerical_gradient(lambda: exercise.loss(*batch), array),
            f"loss_backward(…): d{name}",
            "the loss was changed, and its gradient was not, or the other way round",
            1e-6,
        )


def test_sample(exercise):
    got = exercise.reparameterise(np.array([[1.0]]), np.array([[2 * np.log(3)]]), np.array([[-2.0]]))
    expect(
        got, [[-5.0]], "reparameterise(mean [[1]], logvar [[2 log 3]], eps [[-2]])", "the deviation is exp(½ logvar)"
    )
