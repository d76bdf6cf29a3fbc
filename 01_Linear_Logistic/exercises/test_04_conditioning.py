import numpy as np
import pytest

from dlfs.grading import expect


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 3)) * [1, 2, 4]
    return X, X @ [1.0, -1.0, 0.5] + rng.standard_normal(30)


def test_curvatures(exercise):
    usually = "the eigenvalues of XᵀX / B, ascending; singular values of X are their roots, without the B"
    expect(exercise.curvatures(np.diag([2.0, 1.0])), [0.5, 2], "curvatures(diag(2, 1))", usually)


def test_steps_where_one_can_count(exercise):
    X = np.diag([1.0, 2.0])
    got = exercise.steps_needed(X, np.array([1.0, 0.0]), 0.01, 1000)
    usually = "w starts at 0, the step is 1 / the largest curvature, and 0.75¹⁷ is the first power below 0.01"
    expect(got, 17, "steps_needed(diag(1, 2), y [1, 0], 0.01, limit=1000)", usually)
    got = exercise.steps_needed(X, np.array([0.0, 1.0]), 0.01, 1000)
    expect(
        got,
        1,
        "steps_needed(diag(1, 2), y [0, 1], 0.01, limit=1000)",
        "along the largest curvature one step is enough: 1 - η c = 0",
    )


def test_the_limit(exercise):
    got = exercise.steps_needed(np.diag([1.0, 1000.0]), np.array([1.0, 1.0]), 1e-6, 50)
    expect(
        got, 50, "steps_needed(diag(1, 1000), y, 1e-6, limit=50)", "after limit steps it gives up, and returns limit"
    )


def test_prediction_where_one_can_count(exercise):
    expect(
        exercise.predicted_steps(np.diag([1.0, 2.0]), 0.01),
        17,
        "predicted_steps(diag(1, 2), 0.01)",
        "0.75¹⁷ is the first power below 0.01: κ is of the curvatures, 4 and not 2",
    )
    expect(
        exercise.predicted_steps(np.eye(3), 0.01),
        1,
        "predicted_steps(I, 0.01)",
        "with all curvatures equal one step is enough",
    )


def test_it_never_takes_more_than_predicted(exercise, data):
    X, y = data
    for tolerance in (0.1, 1e-3, 1e-6):
        needed, predicted = exercise.steps_needed(X, y, tolerance, 10_000), exercise.predicted_steps(X, tolerance)
        assert 1 < needed <= predicted <= 3 * needed, (
            f"X (30, 3), tolerance {tolerance:g}: {needed} steps needed, {predicted} predicted. It is a bound, and here not three times too careful"
        )


def test_standardising_helps(exercise, data):
    X, y = data
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    needed = [exercise.steps_needed(A, y, 1e-3, 10_000) for A in (X, Z)]
    assert needed[1] < needed[0] / 5, (
        f"{needed[0]} steps as the data are, {needed[1]} standardised: the step is 1 / the largest curvature of these data"
    )
