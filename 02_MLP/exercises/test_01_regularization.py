import numpy as np
import pytest

from dlfs.grading import expect, numerical_gradient


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def params(rng):
    shapes = {"fc1.weight": (5, 4), "fc1.bias": (5,), "fc2.weight": (3, 5), "fc2.bias": (3,)}
    return {name: rng.standard_normal(shape) for name, shape in shapes.items()}


def test_the_penalty(exercise):
    params = {"fc1.weight": np.ones((2, 3)), "fc1.bias": 7 * np.ones(2), "fc2.weight": 2 * np.ones((1, 2))}
    got = exercise.l2_penalty(params, 0.1)
    usually = "half the strength times the sum of squares, over the matrices only: a bias (ndim 1) is not decayed"
    expect(
        got, 0.05 * (6 + 8), "l2_penalty(fc1.weight (2, 3) ones, fc1.bias (2,), fc2.weight (1, 2) twos, 0.1)", usually
    )


def test_the_gradients_of_the_penalty(exercise, params):
    got = exercise.l2_gradients(params, 0.3)
    assert set(got) == set(params), f"l2_gradients has {sorted(got)}; it has a gradient for each of {sorted(params)}"
    for name, p in params.items():
        expected = 0.3 * p if p.ndim == 2 else 0 * p
        expect(got[name], expected, f"l2_gradients(params, 0.3)[{name!r}]", "strength · W, and zeros of a bias's shape")


def test_in_training_elements_are_dropped_where_u_is_below_p(exercise):
    h, u = np.full((1, 4), 3.0), np.array([[0.1, 0.9, 0.25, 0.2]])
    out, mask = exercise.dropout(h, u, 0.25, True)
    usually = "kept is u >= p, and what is kept is divided by 1 - p"
    expect(out, [[0, 4, 4, 0]], "dropout(h (1, 4) of threes, u [[.1 .9 .25 .2]], p=0.25, training=True)[0]", usually)
    expect(mask, np.array([[0, 4, 4, 0]]) / 3, "dropout(…)[1], the mask", "out = h * mask, scaling included")
    expect(
        h,
        np.full((1, 4), 3.0),
        "h after dropout(h, …)",
        "h was written into: h * mask makes a new array, h *= mask does not",
    )


def test_in_evaluation_nothing_is_dropped(exercise, rng):
    h = rng.standard_normal((3, 4))
    out, mask = exercise.dropout(h, rng.random((3, 4)), 0.5, False)
    usually = "in evaluation out is h: the scaling was done in training"
    expect(out, h, "dropout(h (3, 4), u, p=0.5, training=False)[0]", usually)
    expect(mask, np.ones((3, 4)), "dropout(…, training=False)[1]", usually)


def test_the_mean_over_the_draws_is_h(exercise, rng):
    h = np.ones((1000, 200))
    out, _ = exercise.dropout(h, rng.random(h.shape), 0.8, True)
    assert abs(out.mean() - 1) < 0.02, (
        f"dropout(ones (1000, 200), u, p=0.8, training=True) has a mean of {out.mean():.3f}; 1 was expected: divide by 1 - p, "
        "the share that is kept"
    )


def test_the_way_back_is_through_the_same_elements(exercise, rng):
    dout, mask = rng.standard_normal((3, 4)), np.array([[0, 2, 2, 0]] * 3)
    usually = "what was dropped gets no gradient, what was scaled is scaled again: the same mask"
    expect(exercise.dropout_backward(dout, mask), dout * mask, "dropout_backward(dout (3, 4), mask (3, 4))", usually)


def test_the_gradients_of_a_network_are_the_numerical_ones(exercise, params, rng):
    x, y, u = rng.standard_normal((6, 4)), rng.standard_normal((6, 3)), rng.random((6, 5))
    _, grads = exercise.loss_and_gradients(params, x, y, u, 0.4, 0.2)
    for name, p in params.items():
        expected = numerical_gradient(lambda: exercise.loss_and_gradients(params, x, y, u, 0.4, 0.2)[0], p)
        expect(
            grads[name],
            expected,
            f"loss_and_gradients(…)[1][{name!r}]",
            "penalty or dropout, and its way back, disagree",
            1e-5,
        )
