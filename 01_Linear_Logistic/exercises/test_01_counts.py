import numpy as np
import pytest
from scipy.stats import poisson
from sklearn.linear_model import PoissonRegressor

from dlfs.grading import expect, numerical_gradient


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    return rng.standard_normal(7), rng.poisson(2, 7)


def loss(z, y):
    """From SciPy: -log P, with log y! taken out by the rate 1, whose own is y! e."""
    return (poisson.logpmf(y, 1.0) + 1 - poisson.logpmf(y, np.exp(z))).mean()


def test_loss(exercise, batch):
    z, y = batch
    usually = "-log P = rate - y · log(rate) + log y!; with rate = exp(z) that is exp(z) - y z, and log y! is left out. The mean over rows"
    expect(exercise.poisson_loss(z, y), loss(z, y), "poisson_loss(z (7,), y (7,))", usually)


def test_a_rate_of_nearly_zero(exercise):
    z, y = np.array([-800.0]), np.array([2])
    usually = "log(exp(z)) is log 0 there; it is z"
    with np.errstate(all="ignore"):
        expect(exercise.poisson_loss(z, y), 1600.0, "poisson_loss([-800], [2])", usually)


def test_slope(exercise, batch):
    z, y = batch
    expected = numerical_gradient(lambda: loss(z, y), z)
    usually = "expectation less target, exp(z) - y, over B since the loss is a mean"
    expect(exercise.poisson_backward(z, y), expected, "poisson_backward(z (7,), y (7,))", usually)


def test_curvature(exercise, batch):
    z, y = batch
    slope = lambda at: numerical_gradient(lambda: loss(at, y), at, 1e-4)
    expected = (slope(z + 1e-4) - slope(z - 1e-4)) / 2e-4
    expect(
        exercise.poisson_curvature(z, y),
        expected,
        "poisson_curvature(z (7,), y (7,))",
        "the slope of exp(z) - y, over B",
        1e-5,
    )


def test_one_newton_step(exercise):
    got = exercise.newton_step(np.zeros(1), np.ones((4, 1)), np.array([1, 2, 0, 2]))
    expect(
        got, [0.25], "newton_step(w [0], X (4, 1) of ones, y [1, 2, 0, 2])", "w MINUS the solution of H step = gradient"
    )


def test_newton_meets_scikit_learn(exercise):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((80, 3))
    y = rng.poisson(np.exp(X @ [0.5, -0.3, 0.8]))
    expected = PoissonRegressor(alpha=0, fit_intercept=False, tol=1e-10, max_iter=1000).fit(X, y).coef_
    usually = "H = Xᵀ diag(curvature) X, (D, D): each row of X times its own curvature"
    expect(exercise.fit(X, y), expected, "20 × newton_step from zeros, X (80, 3), y (80,)", usually, 1e-4)
