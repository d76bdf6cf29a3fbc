import numpy as np
import pytest
from sklearn.linear_model import Lasso, Ridge

from dlfs.grading import expect


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 6)) @ rng.standard_normal((6, 6))  # features that depend on each other
    return X - X.mean(axis=0), (lambda y: y - y.mean())(X @ [2, 0, 0, -1, 0, 0.5] + rng.standard_normal(40))


def test_ridge_of_two_rows(exercise):
    usually = "the squares are averaged over B = 2 rows: (XᵀX/B + λ I) w = Xᵀy/B"
    expect(
        exercise.ridge(np.eye(2), np.array([2.0, 4.0]), 0.5), [1, 2], "ridge(X = I (2, 2), y [2, 4], lam=0.5)", usually
    )


@pytest.mark.parametrize("lam", [0.01, 1.0])
def test_ridge_meets_scikit_learn(exercise, data, lam):
    X, y = data
    expected = Ridge(alpha=lam * len(y), fit_intercept=False).fit(X, y).coef_
    expect(exercise.ridge(X, y, lam), expected, f"ridge(X (40, 6), y (40,), {lam})", "gradient Xᵀ(Xw - y)/B + λ w = 0")


def test_soft_threshold(exercise):
    a = np.array([-3.0, -1.0, -0.5, 0.0, 0.5, 3.0])
    usually = "towards 0 by t from either side, and exactly 0 in between: the sign is that of a"
    expect(exercise.soft_threshold(a, 1.0), [-2, 0, 0, 0, 0, 2], "soft_threshold([-3 -1 -.5 0 .5 3], t=1)", usually)


def test_an_update_minimises_over_its_weight(exercise, data):
    X, y = data
    w = np.array([1.0, -0.5, 0.3, -2.0, 0.1, 0.7])
    before = w.copy()
    loss = lambda value: ((y - X @ np.where(np.arange(6) == 3, value, w)) ** 2).sum() / (2 * len(y)) + 0.4 * abs(value)
    got = float(exercise.coordinate_update(w, 3, X, y, 0.4))
    expect(w, before, "w after coordinate_update(w, …)", "w is an input: return the new number, and leave w as it is")
    others = [loss(got + step) for step in (-1e-3, 1e-3)]
    assert loss(got) < min(others), (
        f"called    coordinate_update(w (6,), j=3, X (40, 6), y (40,), lam=0.4)\ngot       {got:.5f}, where the loss is {loss(got):.8f}\n"
        f"expected  the minimum over w_3; at {got + 1e-3:.5f} and {got - 1e-3:.5f} the loss is {others[1]:.8f} and {others[0]:.8f}\n"
        "usually   r is the residual WITHOUT feature j; both the threshold and xᵀr are over B, and all over c = xᵀx / B"
    )


@pytest.mark.parametrize("lam", [0.05, 0.5, 2.0])
def test_lasso_meets_scikit_learn(exercise, data, lam):
    X, y = data
    expected = Lasso(alpha=lam, fit_intercept=False, tol=1e-14, max_iter=100_000).fit(X, y).coef_
    got = exercise.lasso(X, y, lam)
    usually = "rounds over all j with the newest w, until a whole round moves nothing"
    expect(got, expected, f"lasso(X (40, 6), y (40,), {lam})", usually, 1e-5)


def test_a_strong_penalty_leaves_nothing(exercise, data):
    X, y = data
    lam = np.abs(X.T @ y).max() / len(y)
    got = exercise.lasso(X, y, lam * 1.001)
    assert not np.any(got), f"lasso with lam above max|Xᵀy|/B = {lam:.3f} is {got}; every weight is exactly 0 there"
    assert np.any(exercise.lasso(X, y, lam * 0.99)), (
        "lasso with lam just below max|Xᵀy|/B is all zeros; one weight is not"
    )
