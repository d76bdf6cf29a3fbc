import math

import numpy as np
import pytest
import torch

from dlfs.grading import expect

SMALL = np.array([[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -1.0]])  # eigenvalues 4.5 and 0.5


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 4)) @ np.diag([3, 1.5, 0.8, 0.2]) @ np.linalg.qr(rng.standard_normal((4, 4)))[0]
    return X - X.mean(axis=0)


def loss(X, u, w, v, s2, noise, beta):
    """In PyTorch, of any parameters."""
    X, u = torch.tensor(X), torch.tensor(np.ascontiguousarray(u))
    mean = (X @ u) * v
    error = ((X - (mean * w) @ u.T) ** 2).sum(1) + (w * w * s2).sum()
    kl = 0.5 * (s2 + mean**2 - 1 - s2.log()).sum(1)
    return (error / (2 * noise) + 0.5 * X.shape[1] * math.log(2 * math.pi * noise) + beta * kl).mean()


@pytest.mark.parametrize(("noise", "beta", "expected"), [(1.0, 1.0, 1), (0.1, 1.0, 2), (0.1, 10.0, 1), (5.0, 1.0, 0)])
def test_active_latents(exercise, noise, beta, expected):
    got = exercise.active_latents(SMALL, noise, beta, 2)
    expect(
        got,
        expected,
        f"active_latents(X with eigenvalues 4.5 and 0.5, noise={noise:g}, beta={beta:g}, J=2)",
        "active is λ > β · noise, λ the eigenvalues of XᵀX / B",
    )


def test_the_small_case_by_hand(exercise):
    _, w, v, s2 = exercise.best_linear_vae(SMALL, 1.0, 1.0, 2)
    expect(
        w,
        [3.5**0.5, 0],
        "w of best_linear_vae(X with eigenvalues 4.5 and 0.5, noise=1, beta=1, J=2)",
        "w² = λ - β noise, and 0 for a silent latent; the largest eigenvalue comes first",
    )
    expect(v, [3.5**0.5 / 4.5, 0], "v of best_linear_vae(the same)", "v = w / λ")
    expect(
        s2,
        [1 / 4.5, 1],
        "s2 of best_linear_vae(the same)",
        "a silent latent's code is the prior, with variance 1; an active one's is β noise / λ",
    )


@pytest.mark.parametrize("beta", [0.5, 1.0, 3.0])
def test_it_is_a_minimum(exercise, data, beta):
    u, *rest = exercise.best_linear_vae(data, 0.5, beta, 3)
    w, v, s2 = (torch.tensor(np.asarray(a, dtype=float), requires_grad=True) for a in rest)
    loss(data, u, w, v, s2, 0.5, beta).backward()
    for name, a, usually in (
        ("s2", s2, "s² = β noise / λ, of an active latent"),
        ("w", w, "w² = λ - β noise"),
        ("v", v, "v = w / λ"),
    ):
        expect(
            a.grad + 1,
            np.ones(3),
            f"1 + d loss / d{name} at best_linear_vae(X (50, 4), noise=0.5, beta={beta:g}, J=3)",
            f"it is zero at a minimum: {usually}",
        )


def test_elbo(exercise, data):
    rng = np.random.default_rng(1)
    u = np.linalg.qr(rng.standard_normal((4, 2)))[0]
    w, v, s2 = rng.random(2), rng.random(2), rng.random(2)
    expected = -float(loss(data, u, torch.tensor(w), torch.tensor(v), torch.tensor(s2), 0.5, 1.0))
    expect(
        exercise.elbo(data, u, w, v, s2, 0.5),
        expected,
        "elbo(X (50, 4), u (4, 2), w, v, s2 (2,), noise=0.5)",
        "E_q of the square has the term Σ w² s² for the code's noise; and D/2 log(2π noise) belongs to it",
    )


def test_with_all_latents_and_beta_1_the_bound_is_tight(exercise, data):
    best = exercise.best_linear_vae(data, 0.5, 1.0, 4)
    values, _ = np.linalg.eigh(data.T @ data / 50)
    model = np.maximum(values, 0.5)
    expected = -0.5 * (4 * np.log(2 * np.pi) + np.log(model).sum() + (values / model).sum())
    expect(
        exercise.elbo(data, *best, 0.5),
        expected,
        "elbo(best_linear_vae(X (50, 4), noise=0.5, beta=1, J=4)), against log p(X) of probabilistic PCA",
        "E_q of the square, or the minimum, is not right yet",
    )
