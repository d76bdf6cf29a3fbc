import numpy as np
import pytest
from scipy.special import logsumexp

from dlfs.grading import expect, numerical_gradient


@pytest.fixture
def logs():
    rng = np.random.default_rng(0)
    return [rng.standard_normal((4, 3)) for _ in range(3)]


def bound(log_px, log_pz, log_q):
    return logsumexp(log_px + log_pz - log_q, axis=0) - np.log(len(log_px))


def test_bound(exercise, logs):
    expect(
        exercise.bound(*logs),
        bound(*logs),
        "bound(log_px, log_pz, log_q, (4, 3) each)",
        "the log of the mean over samples, axis 0, of w: not the mean of the log, and with the 1/k; log q is subtracted",
    )


def test_weights_around_e_to_the_minus_1000(exercise):
    log_px, zeros = np.log(np.array([[1.0], [3.0]])) - 1000, np.zeros((2, 1))
    usually = "exp(-1000) is 0: take the largest log w out before exp"
    with np.errstate(all="ignore"):
        expect(exercise.bound(log_px, zeros, zeros), [np.log(2) - 1000], "bound(log [1 3] - 1000, 0, 0)", usually, 1e-9)
        expect(exercise.weights(log_px, zeros, zeros), [[0.25], [0.75]], "weights(log [1 3] - 1000, 0, 0)", usually)


def test_weights(exercise, logs):
    log_w = logs[0] + logs[1] - logs[2]
    expected = np.exp(log_w) / np.exp(log_w).sum(axis=0)
    expect(
        exercise.weights(*logs),
        expected,
        "weights(log_px, log_pz, log_q, (4, 3) each)",
        "they sum to 1 over the samples of each example",
    )


def test_gradients(exercise, logs):
    got = exercise.bound_backward(*logs)
    usually = "minus each sample's share, over B; log_q comes with the other sign"
    for name, gradient, array in zip(("log_px", "log_pz", "log_q"), got, logs):
        expected = numerical_gradient(lambda: -bound(*logs).mean(), array)
        expect(gradient, expected, f"bound_backward(…, (4, 3) each): d{name}", usually, 1e-6)


def test_more_samples_come_closer(exercise):
    # p(z) = N(0, 1), p(x | z) = N(z, 1), so that p(x) = N(0, 2); and q(z | x) = N(0, 1), a poor one
    x, rng = np.array([1.5]), np.random.default_rng(0)
    normal = lambda value, mean: -0.5 * (value - mean) ** 2 - 0.5 * np.log(2 * np.pi)
    truth = -0.25 * x**2 - 0.5 * np.log(4 * np.pi)
    means = []
    for k in (1, 10, 100):
        z = rng.standard_normal((k, 4000))
        means.append(exercise.bound(normal(x, z), normal(z, 0), normal(z, 0)).mean())
    assert means[0] + 0.2 < means[1] < means[2] < truth[0] + 0.02, (
        f"the bound with 1, 10 and 100 samples is {', '.join(f'{m:.3f}' for m in means)}, and log p(x) is {truth[0]:.3f}. It should come closer with every k"
    )
