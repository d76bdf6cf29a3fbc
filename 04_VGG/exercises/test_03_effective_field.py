import numpy as np
import pytest

from dlfs.grading import expect, numerical_gradient


def test_the_price(exercise):
    usually = "a kernel has k · k weights for each of C · C pairs of channels, and there are n layers"
    expect(exercise.stack_weights(3, 3, 64), 110592, "stack_weights(3, 3, 64)", usually)
    expect(exercise.stack_weights(1, 7, 64), 200704, "stack_weights(1, 7, 64)", usually)


@pytest.mark.parametrize(("k", "n"), [(3, 1), (3, 4), (5, 2)])
def test_the_influence_is_the_gradient(exercise, k, n):
    kernel = np.random.default_rng(n).standard_normal(k)
    x = np.zeros(n * (k - 1) + 1)

    def output():
        h = x
        for _ in range(n):
            h = np.array([h[i : i + k] @ kernel for i in range(len(h) - k + 1)])
        return h[0]

    usually = "n layers, each of which lays the kernel over what is there: np.convolve(g, kernel), n times, beginning with [1]"
    expect(exercise.influence(kernel, n), numerical_gradient(output, x), f"influence(kernel ({k},), n={n})", usually)


def test_no_layer(exercise):
    expect(
        exercise.influence(np.ones(3), 0),
        [1.0],
        "influence(kernel (3,), n=0)",
        "no layer: the output is the pixel, so [1]",
    )


def test_the_spread(exercise):
    usually = "|g| / Σ|g| weights the PLACES 0, 1, 2, …: the root of their variance about their mean"
    expect(exercise.spread(np.ones(3)), np.sqrt(2 / 3), "spread([1, 1, 1])", usually)
    expect(exercise.spread(np.array([0.0, 5.0, 0.0, 5.0])), 1.0, "spread([0, 5, 0, 5])", usually)
    expect(
        exercise.spread(np.array([1.0, 0.0, -1.0])),
        1.0,
        "spread([1, 0, -1])",
        "a negative influence counts as much: |g|",
    )


def test_variances_of_layers_add_up(exercise):
    kernel = np.array([0.2, 0.5, 0.3])
    one = 0.5 - 0.1**2
    got = [exercise.spread(exercise.influence(kernel, n)) for n in (1, 9, 100)]
    expected = [np.sqrt(n * one) for n in (1, 9, 100)]
    expect(
        got,
        expected,
        "spread(influence([.2 .5 .3], n)) of n = 1, 9, 100",
        "the spread is the root: variances add, spreads do not",
    )


def test_the_exponent(exercise):
    depths = np.array([1.0, 2.0, 5.0, 30.0])
    usually = "the slope of log spread over log depth: logarithms on BOTH axes"
    expect(exercise.exponent(depths, 3 * depths**0.7), 0.7, "exponent(depths, 3 · depths^0.7)", usually)
    expect(exercise.exponent(depths, 2 * depths), 1.0, "exponent(depths, 2 · depths)", usually)
