import numpy as np
import pytest

from dlfs.grading import expect


def rng():
    return np.random.default_rng(0)


def test_there_is_a_size_before_the_first_and_after_each_layer(exercise):
    got = exercise.signal(0.0, 1.0, 5, 64, rng())
    assert np.shape(got) == (6,), (
        f"signal(slope=0, gain=1, depth=5, …) has shape {np.shape(got)}; (6,) was expected: size_0 to size_5"
    )
    expect(got[0], 1.0, "signal(…)[0], of noise from N(0, 1)", "√ of the mean of h²", 0.03)


def test_relu_halves_the_mean_square(exercise):
    got = exercise.signal(0.0, 1.0, 1, 512, rng())
    usually = (
        "√ mean(h²) and not the standard deviation: after a ReLU the mean is not 0. And W's deviation is gain / √width"
    )
    expect(got[1], np.sqrt(0.5), "signal(slope=0, gain=1, depth=1, width=512, rng)[1]", usually, 0.03)


@pytest.mark.parametrize("slope", [0.3, 1.0])
def test_a_leaky_relu_keeps_some_of_the_other_half(exercise, slope):
    got = exercise.signal(slope, 2.0, 3, 512, rng())
    expected = (2 * np.sqrt((1 + slope**2) / 2)) ** np.arange(4)
    expect(
        got,
        expected,
        f"signal(slope={slope}, gain=2, depth=3, width=512, rng)",
        "negative z are multiplied by slope",
        0.05,
    )


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0])
def test_at_the_critical_gain_the_signal_neither_dies_nor_explodes(exercise, slope):
    gain = exercise.critical_gain(slope, 20, 128, rng())
    sizes = exercise.signal(slope, gain, 20, 128, rng())
    expect(sizes[-1], sizes[0], f"signal({slope}, critical_gain({slope}, 20, 128, rng), 20, 128, rng)[-1]",
           "size_depth is gain^depth times that with gain 1: take the depth-th root", 1e-6)  # fmt: skip


@pytest.mark.parametrize("slope", [0.0, 0.2, 0.7, 1.0])
def test_the_prediction_is_what_wide_layers_do(exercise, slope):
    got = exercise.predicted_gain(slope)
    sizes = exercise.signal(slope, got, 5, 512, rng())
    usually = "E φ(z)² = (1 + slope²)/2 · E z²: half of the z keep their square, half have slope² of it. And gain² · that is 1"
    expect(
        sizes[-1] / sizes[0],
        1.0,
        f"size_5 / size_0 at predicted_gain({slope}) = {float(got):.3f}, width 512",
        usually,
        0.25,
    )
    expect(got, np.sqrt(2 / (1 + slope**2)), f"predicted_gain({slope})", usually)
