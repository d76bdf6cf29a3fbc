import numpy as np
import torch

from dlfs.grading import expect


def test_rnn_gradients_are_autograds(exercise):
    rng = np.random.default_rng(0)
    W, x, dh = 1.3 * rng.standard_normal((5, 5)) / 5**0.5, rng.standard_normal((7, 5)), rng.standard_normal(5)
    h = torch.zeros(5, dtype=torch.float64, requires_grad=True)
    states = [h]
    for t in range(7):
        states.append(torch.tanh(torch.tensor(W) @ states[-1] + torch.tensor(x[t])))
    grads = torch.autograd.grad(states[-1], states[:-1], torch.tensor(dh))
    expected = [np.linalg.norm(dh), *(g.norm() for g in reversed(grads))]
    got = exercise.rnn_gradients(W, x, dh)
    assert np.shape(got) == (8,), (
        f"rnn_gradients(W (5, 5), x (7, 5), dh (5,)) has shape {np.shape(got)}; with T = 7 there are 8 norms"
    )
    usually = "dh_{t-1} = (dh_t ⊙ (1 - h_t²)) W: first through tanh, whose slope is taken at ITS h_t, then through W, from the last step to the first"
    expect(got, [float(e) for e in expected], "rnn_gradients(W (5, 5), x (7, 5), dh (5,))", usually)


def test_an_orthogonal_matrix_keeps_the_norm_of_small_states(exercise):
    W = exercise.orthogonal(16, np.random.default_rng(0))
    got = exercise.rnn_gradients(0.9 * W, np.zeros((10, 16)), np.ones(16) / 4)
    expect(
        got,
        0.9 ** np.arange(11),
        "rnn_gradients(0.9 · orthogonal (16, 16), x = 0 (10, 16), dh of norm 1)",
        "with states of 0 only W is left",
    )


def test_lstm_gradients(exercise):
    expect(
        exercise.lstm_gradients(0.0, np.zeros((2, 3)), np.array([1.0, 0, 0])),
        [1, 0.5, 0.25],
        "lstm_gradients(0, noise = 0 (2, 3), dc [1 0 0])",
        "the gate is σ(bias + noise_t)",
    )
    noise = np.random.default_rng(0).standard_normal((4, 3))
    gates = torch.sigmoid(torch.tensor(1 + noise)).numpy()
    dc, expected = np.array([1.0, -2.0, 0.5]), []
    for t in range(4, -1, -1):
        expected.append(np.linalg.norm(dc * np.prod(gates[t:], axis=0)))
    expect(
        exercise.lstm_gradients(1.0, noise, dc),
        expected,
        "lstm_gradients(1, noise (4, 3), dc (3,))",
        "the last step's gate comes first, and each unit has its own",
    )


def test_rate(exercise):
    expect(
        exercise.rate(np.array([1.0, 0.5, 0.25])),
        0.5,
        "rate([1 .5 .25])",
        "a factor, not a slope: exp of the slope of log norms",
    )
    rng = np.random.default_rng(0)
    norms = 3 * 0.9 ** np.arange(50) * np.exp(0.1 * rng.standard_normal(50))
    expected = np.exp(np.cov(np.arange(50), np.log(norms))[0, 1] / np.arange(50).var(ddof=1))
    expect(
        exercise.rate(norms),
        expected,
        "rate(3 · 0.9^n with noise, n = 0 … 49)",
        "the best straight line through all of the log norms, not just its ends",
    )


def test_what_the_experiment_shows(exercise):
    rng = np.random.default_rng(0)
    W, dh = exercise.orthogonal(32, rng), np.ones(32) / 32**0.5
    small, large = (
        exercise.rate(exercise.rnn_gradients(1.2 * W, size * rng.standard_normal((60, 32)), dh)) for size in (1e-9, 2.0)
    )
    assert small > 1.15 and large < 0.8, (
        f"an RNN with gain 1.2: factor {small:.2f} with tiny inputs, {large:.2f} with large ones. It should explode with the first (1.2), and vanish with "
        "the second, where tanh is flat"
    )
