import numpy as np
import pytest
from scipy.special import expit

import framework
from dlfs.grading import expect, numerical_gradient
from framework.ops import define

SLOPES = {
    "silu": "the product rule: σ(x) + x · σ(x) · (1 - σ(x))",
    "mish": "the product rule, then the chain: t + x · (1 - t²) · σ(x), with t = tanh(softplus(x))",
}


@pytest.fixture(autouse=True)
def ops_as_they_were():
    """An op enters itself in the engine's table; this one is not to stay there."""
    before = dict(define.OPS)
    yield
    define.OPS.clear()
    define.OPS.update(before)


def value(name, x):
    return x * (expit(x) if name == "silu" else np.tanh(np.logaddexp(x, 0)))


@pytest.mark.parametrize("name", SLOPES)
def test_value(exercise, name):
    x = np.linspace(-6, 6, 13)
    got = getattr(exercise, f"{name}_forward")(x)
    expect(got, value(name, x), f"{name}_forward(x (13,))", "it is x times the gate, not the gate alone")


@pytest.mark.parametrize("name", SLOPES)
def test_slope(exercise, name):
    x = np.linspace(-5, 5, 11)
    g = np.linspace(1, 2, 11)
    expected = numerical_gradient(lambda: (g * value(name, x)).sum(), x)
    got = getattr(exercise, f"{name}_derivative")(g, x)
    expect(got, expected, f"{name}_derivative(g (11,), x (11,))", SLOPES[name] + "; and all of it times g", 1e-6)


@pytest.mark.parametrize("name", SLOPES)
def test_far_out(exercise, name):
    x = np.array([-1000.0, 1000.0])
    usually = "exp overflowed: use sigmoid and tanh_softplus, which are there"
    with np.errstate(all="ignore"):
        expect(getattr(exercise, f"{name}_forward")(x), [0, 1000], f"{name}_forward([-1000, 1000])", usually)
        expect(
            getattr(exercise, f"{name}_derivative")(np.ones(2), x),
            [0, 1],
            f"{name}_derivative(1, [-1000, 1000])",
            usually,
        )


@pytest.mark.parametrize("name", SLOPES)
def test_second_derivative_on_the_engine(exercise, name):
    x = framework.tensor(np.linspace(-3, 3, 7), requires_grad=True)
    (slope,) = framework.autograd.grad(getattr(exercise, name)(x).sum(), x, create_graph=True)
    (second,) = framework.autograd.grad(slope.sum(), x)
    at, eps = np.linspace(-3, 3, 7), 1e-4
    expected = (value(name, at + eps) - 2 * value(name, at) + value(name, at - eps)) / eps**2
    expect(
        second,
        expected,
        f"the second derivative of {name} at x (7,)",
        "the derivative runs on Tensors too: np.… and operators only",
        1e-5,
    )
