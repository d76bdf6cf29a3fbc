"""erf and sigmoid: how far from the truth, over the whole line, and at its ends."""

import math

import numpy as np
import pytest
import scipy.special

import framework
from framework.ops.special import fast_erf

LINE = np.concatenate([np.linspace(-8, 8, 1_000_001), np.logspace(-38, 38, 2001), -np.logspace(-38, 38, 2001)]).astype(
    np.float32
)


def test_float32_erf_is_within_its_bound():
    exact = scipy.special.erf(LINE.astype(np.float64))
    error = np.abs(fast_erf(LINE) - exact)
    assert error.max() < 1.5e-7
    small = np.abs(LINE) < 0.5
    assert (error[small] / np.maximum(np.abs(exact[small]), 1e-37)).max() < 3e-7
    assert np.abs(fast_erf(LINE)).max() == 1


def test_float32_erf_is_odd_and_keeps_shape_dtype_and_special_values():
    np.testing.assert_array_equal(fast_erf(-LINE), -fast_erf(LINE))
    ends = framework.tensor([0.0, -0.0, math.inf, -math.inf, math.nan]).erf()
    np.testing.assert_array_equal(ends.array, np.array([0, 0, 1, -1, np.nan], np.float32))
    assert np.signbit(ends.array).tolist()[:2] == [False, True]
    for shape in ((), (0, 3), (2, 3)):
        y = framework.ones(shape).erf()
        assert y.shape == shape and y.dtype == framework.float32


def test_float64_erf_is_scipys():
    x = framework.linspace(-6, 6, 1001, dtype=framework.float64)
    np.testing.assert_array_equal(x.erf().array, scipy.special.erf(x.array))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_is_exact_in_both_tails_and_silent(dtype):
    x = LINE.astype(dtype)
    y = framework.from_numpy(x).sigmoid().array
    assert y.dtype == dtype
    exact = scipy.special.expit(x.astype(np.float64))
    relative = np.abs(y - exact) / np.maximum(exact, 1e-30)
    assert relative.max() < 40 * np.finfo(dtype).eps  # exp's own relative error grows with its argument
    assert framework.tensor([-math.inf, math.inf], dtype=framework.float64).sigmoid().tolist() == [0.0, 1.0]


@pytest.mark.filterwarnings("error")
def test_nothing_warns_where_the_result_is_right():
    x = framework.tensor([-1e4, -800.0, -90.0, 0.0, 90.0, 1e4], requires_grad=True)
    for function in (framework.sigmoid, framework.erf, framework.tanh, framework.relu):
        function(x).sum().backward()
    framework.logsumexp(framework.tensor([[-math.inf, -math.inf], [0.0, 1.0]]), 1)
