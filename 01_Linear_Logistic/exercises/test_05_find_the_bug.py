import numpy as np
import pytest

from dlfs.grading import expect


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((23, 4)) * [1, 5, 10, 100] + 50
    return X, X @ [3, 1, -0.5, 0.02] + 2 * rng.standard_normal(23)


def test_training_rows_have_mean_zero_and_deviation_one(exercise, data):
    X, _ = data
    train, _ = exercise.standardise(X[:15], X[15:])
    usually = "the mean and the deviation are those of the training rows, and of each feature by itself"
    expect(train.mean(axis=0) + 1, np.ones(4), "1 + the mean of standardise(train (15, 4), test (8, 4))[0]", usually)
    expect(train.std(axis=0), np.ones(4), "the deviation of standardise(train (15, 4), test (8, 4))[0]", usually)


def test_a_test_row_is_the_same_alone_and_among_others(exercise, data):
    X, _ = data
    _, together = exercise.standardise(X[:15], X[15:])
    _, alone = exercise.standardise(X[:15], X[15:16])
    expect(alone, together[:1], "standardise(train, test)[1][0], of one test row alone, against the same among 8",
           "a test row may not depend on other test rows: scale it by what is known from training")  # fmt: skip


def test_one_fold_by_hand(exercise):
    X, y = np.array([[0.0], [2.0], [9.0]]), np.array([1.0, 3.0, 0.0])
    got = exercise.predict_fold(X, y, np.array([2]), 0.0)
    expect(
        got,
        [10.0],
        "predict_fold(X [[0] [2] [9]], y [1 3 0], held_out [2], lam=0): the line y = x + 1 at 9",
        "the test rows get the training rows' mean and deviation, too",
    )


def test_folds(exercise):
    got = exercise.folds(23, 5, np.random.default_rng(0))
    assert sorted(np.concatenate(got)) == list(range(23)) and len(got) == 5, (
        "folds(23, 5, rng): each row is held out once"
    )


def test_ridge(exercise, data):
    X, y = data
    w = exercise.ridge(X, y, 0.3)
    expect(
        X.T @ (X @ w - y) / 23 + 0.3 * w + 1,
        np.ones(4),
        "1 + the gradient at ridge(X (23, 4), y (23,), 0.3)",
        "it is zero at the minimum",
        1e-6,
    )


def test_what_is_held_out_is_not_seen(exercise, data):
    X, y = data
    held_out = np.arange(5)
    before = exercise.predict_fold(X, y, held_out, 0.1)
    y_changed, X_changed = y.copy(), X.copy()
    y_changed[:5] += 1000
    expect(
        exercise.predict_fold(X, y_changed, held_out, 0.1),
        before,
        "predict_fold(…), after the held-out targets were changed",
        "the offset and the weights come from the other rows",
    )
    X_changed[4] *= 10
    expect(exercise.predict_fold(X_changed, y, held_out, 0.1)[:4], before[:4], "predict_fold(…) of held-out rows 0-3, after row 4 was changed",
           "a held-out row has a part in what the others are scaled by")  # fmt: skip
