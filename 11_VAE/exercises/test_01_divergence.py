import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from dlfs.grading import expect


@pytest.fixture
def normals():
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape) for shape in ((5, 3), (5, 3), (3,), (3,))]


def by_torch(mean, logvar, mean_p, logvar_p):
    return kl_divergence(Normal(mean, (0.5 * logvar).exp()), Normal(mean_p, (0.5 * logvar_p).exp())).sum(1)


def test_against_the_paper_s_prior(exercise):
    got = exercise.kl_divergence(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]), np.zeros(2), np.zeros(2))
    expect(
        got,
        [0.5 + 0.5 * (np.e - 2)],
        "kl_divergence(mean [[1 0]], logvar [[0 1]], 0, 0)",
        "½ (exp(logvar) + mean² - 1 - logvar) of each latent: logvar is the log of the VARIANCE; a sum over latents",
    )


def test_against_any_prior(exercise, normals):
    expected = by_torch(*map(torch.tensor, normals))
    expect(
        exercise.kl_divergence(*normals),
        expected,
        "kl_divergence(mean (5, 3), logvar (5, 3), mean_p (3,), logvar_p (3,))",
        "both the variance and the squared distance are over the PRIOR's variance, and logvar_p is added",
    )


def test_gradients(exercise, normals):
    tensors = [torch.tensor(a, requires_grad=True) for a in normals]
    dkl = np.array([1.0, -2.0, 0.5, 3.0, 0.0])
    by_torch(*tensors).backward(torch.tensor(dkl))
    dmean, dlogvar = exercise.kl_backward(dkl, *normals)
    expect(
        dmean,
        tensors[0].grad,
        "kl_backward(dkl (5,), …)[0], dmean",
        "(mean - mean_p) over the prior's variance, times dkl of its example",
    )
    expect(
        dlogvar,
        tensors[1].grad,
        "kl_backward(dkl (5,), …)[1], dlogvar",
        "½ (exp(logvar) / exp(logvar_p) - 1): by logvar, so that the exponential stays; times dkl of its example",
    )


def test_beta_loss(exercise):
    got = exercise.beta_loss(np.ones((2, 3)), np.array([1.0, 3.0]), 2.0)
    expect(
        got,
        7.0,
        "beta_loss(nll (2, 3) of ones, kl [1 3], beta=2)",
        "the SUM over pixels, as the divergence is a sum over latents; then the mean over the batch; β is the divergence's",
    )
