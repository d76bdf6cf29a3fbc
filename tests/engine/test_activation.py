"""Softmax, cross entropy and the activations where numbers are extreme; dropout's chance."""

import math

import numpy as np
import pytest
import scipy.special
import torch

import framework
import framework.nn.functional as F
from framework import Tensor
from framework.ops.activation import exp_shifted, sum_along
from framework.tensor import grad

LOGITS = {
    "small": lambda n: n.standard_normal((50, 9)),
    "at the limit": lambda n: n.uniform(-16, 16, (50, 9)),
    "just past the limit": lambda n: np.concatenate([n.uniform(-16, 16, (50, 8)), np.full((50, 1), 16.5)], 1),
    "large": lambda n: 1000 * n.standard_normal((50, 9)),
    "rows far apart": lambda n: n.standard_normal((50, 9)) + np.linspace(-1e4, 1e4, 50)[:, None],
    "one winner": lambda n: np.eye(9)[n.integers(0, 9, 50)] * 100,
    "equal": lambda n: np.full((50, 9), 3.0),
    "nearly equal": lambda n: 14 + 1e-3 * n.standard_normal((50, 9)),
    "forbidden": lambda n: (
        np.where(n.random((50, 9)) < 0.7, -np.inf, 1.0) * np.where(np.arange(9) == 4, -0.0, 1.0) + 0.0
    ),
}


@pytest.fixture
def numbers():
    return np.random.Generator(np.random.PCG64(1))


@pytest.mark.parametrize("kind", LOGITS)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_softmax_in_float32_is_exact_to_float32(kind, numbers):
    logits = LOGITS[kind](numbers).astype("float32")
    logits[:, 4] = np.where(np.isfinite(logits[:, 4]), logits[:, 4], 0)
    exact = scipy.special.softmax(logits.astype("float64"), axis=1)
    found = framework.softmax(Tensor(logits), 1).array
    np.testing.assert_allclose(found, exact, rtol=3e-6, atol=1e-37)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)
    log = framework.log_softmax(Tensor(logits), 1).array
    exact_log = scipy.special.log_softmax(logits.astype("float64"), axis=1)
    np.testing.assert_allclose(log, exact_log, rtol=1e-6, atol=4e-6)


@pytest.mark.parametrize("kind", [kind for kind in LOGITS if kind != "forbidden"])
def test_cross_entropy_in_float32_is_exact_to_float32(kind, numbers):
    logits, target = LOGITS[kind](numbers).astype("float32"), numbers.integers(0, 9, 50)
    ours = Tensor(logits, True)
    losses = F.cross_entropy(ours, Tensor(target), reduction="none")
    exact = -scipy.special.log_softmax(logits.astype("float64"), axis=1)[np.arange(50), target]
    np.testing.assert_allclose(losses.array, exact, rtol=1e-6, atol=4e-6)
    losses.sum().backward()
    slope = scipy.special.softmax(logits.astype("float64"), axis=1) - np.eye(9)[target]
    np.testing.assert_allclose(ours.grad.array, slope, rtol=3e-6, atol=1e-6)


def test_both_ways_to_the_exponential_are_taken_and_agree():
    x = np.random.Generator(np.random.PCG64(1)).uniform(-15, 15, (20, 5))
    plain, no_shift = exp_shifted(x, 1)
    far, shift = exp_shifted(x + 20, 1)
    assert isinstance(no_shift, int) and shift.shape == (20, 1)
    np.testing.assert_allclose(plain / sum_along(plain, 1), far / sum_along(far, 1), rtol=1e-12)


@pytest.mark.parametrize(
    "shape, dim", [((3, 4), 1), ((2, 3, 4), -1), ((2, 3, 4), 1), ((5,), 0), ((3, 0), 1), ((0, 3), 1)]
)
def test_sum_along_is_a_sum(shape, dim, numbers):
    x = numbers.standard_normal(shape)
    np.testing.assert_allclose(sum_along(x, dim), x.sum(axis=dim, keepdims=True), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu_in_float32_is_exact_to_float32(approximate):
    x = np.concatenate([np.linspace(-12, 12, 100001), np.geomspace(1e-30, 1, 1000)]).astype("float32")
    exact = F.gelu(Tensor(x.astype("float64"), True), approximate)
    found = F.gelu(Tensor(x, True), approximate)
    assert np.abs(found.array - exact.array).max() < 1e-6
    ours, theirs = Tensor(x, True), torch.tensor(x, requires_grad=True)
    F.gelu(ours, approximate).sum().backward()
    torch.nn.functional.gelu(theirs, approximate=approximate).sum().backward()
    assert np.abs(ours.grad.array - theirs.grad.numpy()).max() < 4e-6


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu_keeps_its_input_alone_and_equals_the_plain_formula(approximate, numbers):
    x = Tensor(numbers.standard_normal((7, 5)), True)
    y = F.gelu(x, approximate)
    assert len(y.grad_fn.saved) == 1 and y.grad_fn.saved[0] is x.array
    plain = y.grad_fn.op.composite(x)
    np.testing.assert_allclose(y.array, plain.array, rtol=1e-12, atol=1e-15)
    (slope,), (expected,) = grad(y.sum(), x), grad(plain.sum(), x)
    np.testing.assert_allclose(slope.array, expected.array, rtol=1e-12, atol=1e-15)
    y = F.gelu(x, approximate)
    y.mul_(2)  # as in PyTorch: the result may be written to
    y.sum().backward()
    np.testing.assert_allclose(x.grad.array, 2 * expected.array, rtol=1e-12, atol=1e-15)


def test_the_two_gelus_differ():
    x = framework.linspace(-3, 3, 50, dtype=framework.float64)
    assert 1e-4 < (F.gelu(x) - F.gelu(x, approximate="tanh")).abs().max().item() < 1e-3


DROPOUTS = {
    "dropout": (F.dropout, (60, 50), (1, 1)),
    "dropout1d": (F.dropout1d, (40, 30, 7), (1, 1, 7)),
    "dropout2d": (F.dropout2d, (40, 30, 3, 2), (1, 1, 3, 2)),
}


@pytest.mark.parametrize("function, shape, together", DROPOUTS.values(), ids=DROPOUTS)
@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_drops_a_share_p_and_scales_the_rest(function, shape, together, p):
    framework.manual_seed(3)
    x = framework.ones(shape, requires_grad=True)
    y = function(x, p)
    kept = y.array != 0
    np.testing.assert_allclose(y.array[kept], 1 / (1 - p), rtol=1e-6)
    units = kept.reshape(shape[0], shape[1], -1)
    assert (units == units[:, :, :1]).all(), "a channel is dropped whole"
    share = units[:, :, 0].mean()
    assert abs(share - (1 - p)) < 5 * math.sqrt(p * (1 - p) / units[:, :, 0].size)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.array, y.array)
    framework.manual_seed(3)
    np.testing.assert_array_equal(function(x, p).array, y.array)
    assert not np.array_equal(function(x, p).array, y.array)


def test_dropout_without_training_is_the_input_itself():
    x = framework.ones(3, requires_grad=True)
    assert F.dropout(x, 0.5, training=False) is x
    assert F.dropout(x, 0.0) is x


def test_an_activation_in_place_gives_the_gradient_of_the_activation():
    for function in (F.relu, F.silu, F.elu, F.selu, F.leaky_relu, F.hardtanh, F.relu6):
        x, z = (framework.linspace(-2, 2, 9, dtype=framework.float64).requires_grad_() for _ in range(2))
        y = x * 1
        assert function(y, inplace=True) is y
        (y * y).sum().backward()
        (function(z) ** 2).sum().backward()
        np.testing.assert_allclose(x.grad.array, z.grad.array, rtol=1e-12)
