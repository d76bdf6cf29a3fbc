import numpy as np

from dlfs.grading import expect, numerical_gradient


def test_every_row_comes_once_and_with_its_own_target(exercise):
    x = np.arange(10.0)[:, None]
    rows = [
        (float(xi[0]), int(yi))
        for xb, yb in exercise.batches(x, np.arange(10), 4, np.random.default_rng(0))
        for xi, yi in zip(xb, yb)
    ]
    apart = [pair for pair in rows if pair[0] != pair[1]]
    assert not apart, (
        f"batches(x [[0] … [9]], y [0 … 9], 4, rng): the row {apart[0][0]:g} came with the target {apart[0][1]}"
    )
    assert sorted(row for row, _ in rows) == list(range(10)), (
        f"batches of 10 rows, 4 at a time, gave the rows {sorted(row for row, _ in rows)}; each comes once, the last batch has 2"
    )


def test_each_epoch_has_an_order_of_its_own(exercise):
    x, y, rng = np.arange(50.0)[:, None], np.arange(50), np.random.default_rng(0)
    first, second = (np.concatenate([xb for xb, _ in exercise.batches(x, y, 8, rng)]) for _ in range(2))
    assert not np.array_equal(first, x) and not np.array_equal(first, second), (
        "batches(…) twice from one rng: the order must be a new one"
    )


def test_gradients(exercise):
    rng = np.random.default_rng(0)
    W, b, x, y = (
        rng.standard_normal((3, 2)),
        rng.standard_normal(3),
        rng.standard_normal((6, 2)),
        np.array([0, 1, 2, 2, 1, 0]),
    )

    def loss():
        logits = x @ W.T + b
        return (np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(6), y]).mean()

    dW, db = exercise.gradients(W, b, x, y)
    expect(
        dW,
        numerical_gradient(loss, W),
        "gradients(W (3, 2), b (3,), x (6, 2), y (6,))[0]",
        "(p - onehot) / B, transposed, times x",
        1e-5,
    )
    expect(db, numerical_gradient(loss, b), "gradients(…)[1]", "(p - onehot) / B, summed over the batch", 1e-5)


def test_training_starts_from_zeros_and_goes_down(exercise):
    x, y = np.eye(3, 2), np.array([0, 1, 2])
    W, b = exercise.train(x, y, 1, 0.3, 3, np.random.default_rng(0))
    dW, db = exercise.gradients(np.zeros((3, 2)), np.zeros(3), x, y)
    expect(W, -0.3 * dW, "train(x (3, 2), y (3,), epochs=1, lr=0.3, size=3, rng)[0], one step", "θ ← θ - lr · gradient")
    expect(b, -0.3 * db, "train(…)[1], one step", "the bias takes a step as well")


def test_it_learns(exercise):
    x, y = exercise.clusters(np.random.default_rng(0))
    got = exercise.accuracy(*exercise.train(x, y, 20, 0.5, 32, np.random.default_rng(1)), x, y)
    assert got > 0.97, f"after 20 epochs the accuracy on the three clouds is {got:.2f}; 0.99 is what a plane can do"
