import numpy as np
import pytest
import torch

from dlfs.grading import expect


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    x, dy = 3 * rng.standard_normal((3, 4, 2, 5)) + 2, rng.standard_normal((3, 4, 2, 5))
    gamma, beta = rng.standard_normal(4), rng.standard_normal(4)
    layer = torch.nn.BatchNorm2d(4, dtype=torch.float64)
    layer.load_state_dict(layer.state_dict() | {"weight": torch.tensor(gamma), "bias": torch.tensor(beta)})
    given = torch.tensor(x, requires_grad=True)
    y = layer(given)
    y.backward(torch.tensor(dy))
    return x, gamma, beta, dy, y, given.grad, layer


def test_forward(exercise, problem):
    x, gamma, beta, _, y, _, _ = problem
    usually = "mean and variance are those of each channel, over batch and pixels; the variance is the biased one, with ε inside the root; γ and β come last"
    expect(exercise.forward(x, gamma, beta)[0], y, "forward(x (3, 4, 2, 5), gamma (4,), beta (4,))[0]", usually, 1e-9)


def test_gradients_of_the_parameters(exercise, problem):
    x, gamma, beta, dy, _, _, layer = problem
    _, dgamma, dbeta = exercise.backward(dy, gamma, exercise.forward(x, gamma, beta)[1])
    expect(
        dgamma,
        layer.weight.grad,
        "backward(dy (3, 4, 2, 5), gamma, saved)[1], dgamma",
        "γ met x̂, not x: Σ dy x̂ over batch and pixels",
    )
    expect(
        dbeta,
        layer.bias.grad,
        "backward(dy (3, 4, 2, 5), gamma, saved)[2], dbeta",
        "a sum of dy over batch and pixels, not a mean",
    )


def test_gradient_of_the_input(exercise, problem):
    x, gamma, beta, dy, _, dx, _ = problem
    got = exercise.backward(dy, gamma, exercise.forward(x, gamma, beta)[1])[0]
    usually = "x goes three ways: by itself, through the mean, through the variance. And γ multiplies all of it"
    expect(got, dx, "backward(dy (3, 4, 2, 5), gamma, saved)[0], dx", usually, 1e-9)


def test_running_statistics(exercise, problem):
    x, *_, layer = problem
    mean, var = exercise.update_running(np.zeros(4), np.ones(4), x)
    expect(
        mean,
        layer.running_mean,
        "update_running(0, 1, x (3, 4, 2, 5))[0]",
        "momentum 0.1 is the weight of the NEW batch",
    )
    expect(
        var,
        layer.running_var,
        "update_running(0, 1, x (3, 4, 2, 5))[1]",
        "the running variance is the unbiased one, N / (N - 1) times that of forward, with weight 0.1",
    )
