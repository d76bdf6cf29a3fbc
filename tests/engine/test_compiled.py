"""use_numba(): the compiled norms equal PyTorch's, wherever the axes lie in memory, and the same bits come from any number of threads."""

import sys

import numpy as np
import pytest
import torch

import framework
from framework import Tensor, compiled, threads
from framework.nn import functional as F
from framework.ops import norm

kernels = pytest.importorskip(
    "framework.kernels", reason='needs numba: pip install -c constraints.txt -e ".[numba]"', exc_type=ImportError
)
KERNELS = ("by_channel", "by_channel_slopes", "by_element", "by_element_slopes")


@pytest.fixture
def called(monkeypatch):
    """The names of the loops that are called; afterwards NumPy computes again."""
    names = set()

    def watched(name, kernel):
        def call(*arguments):
            names.add(name)
            return kernel(*arguments)

        return call

    for name in KERNELS:
        monkeypatch.setattr(kernels, name, watched(name, getattr(kernels, name)))
    framework.compiled.use_numba()
    yield names
    framework.compiled.use_numba(False)


def numbers(*shape, seed=0, dtype="float64"):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def batch_innermost(x):
    """x (N, C, *spatial) in the order in memory that the engine's convolutions give."""
    order = (2, 1, *range(3, x.ndim), 0)
    return np.ascontiguousarray(x.transpose(order)).transpose(np.argsort(order))


def channels_last(x):
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)


def with_gradients(library, function, arrays, slope):
    """What the function gives on tensors of the library, and the gradients with respect to each that is not None."""
    tensor = Tensor if library is framework else torch.from_numpy
    xs = [None if x is None else tensor(x) for x in arrays]
    given = [x.requires_grad_() for x in xs if x is not None]
    y = function(*xs)
    y.backward(tensor(slope))
    return [x.detach().numpy() for x in (y, *(x.grad for x in given))]


CHANNEL, ELEMENT = set(KERNELS[:2]), set(KERNELS[2:])
CASES = {
    "batch norm": ("batch", (5, 3, 4, 5), "channel", CHANNEL),
    "batch norm, batch innermost": ("batch", (5, 3, 4, 5), batch_innermost, CHANNEL),
    "batch norm of signals": ("batch", (5, 3, 20), "channel", CHANNEL),
    "batch norm of one row": ("batch", (5, 3, 1, 20), batch_innermost, CHANNEL),
    "batch norm of one channel": ("batch", (5, 1, 4, 5), "channel", CHANNEL),
    "batch norm, channels last": ("batch", (5, 3, 4, 5), channels_last, set()),
    "batch norm of features": ("batch", (20, 3), "channel", set()),
    "batch norm, not in one piece": ("batch", (5, 3, 4, 5), lambda x: np.repeat(x, 2, axis=3)[..., ::2], set()),
    "instance norm": ("instance", (5, 3, 4, 5), "channel", CHANNEL),
    "instance norm, batch innermost": ("instance", (5, 3, 4, 5), batch_innermost, set()),
    "layer norm": ("layer", (4, 17, 20), "element", ELEMENT),
    "layer norm of many rows": ("layer", (200, 16), "element", ELEMENT),
    "layer norm, time first": ("layer", (4, 17, 20), lambda x: x.swapaxes(0, 1).copy().swapaxes(0, 1), set()),
    "layer norm over two": ("layer 2", (4, 3, 5), "element", set()),
    "layer norm over three": ("layer 3", (3, 4, 5), "element", ELEMENT),
    "group norm": ("group", (5, 4, 4, 5), "channel", set()),
}  # fmt: skip


def the_norm(kind, library):
    f = F if library is framework else torch.nn.functional

    def apply(x, weight, bias):
        if kind == "batch":
            return f.batch_norm(x, None, None, weight, bias, training=True)
        if kind == "instance":
            return f.instance_norm(x, weight=weight, bias=bias)
        if kind == "group":
            return f.group_norm(x, 2, weight, bias)
        return f.layer_norm(x, x.shape[-int(kind[5:] or 1) :], weight, bias)

    return apply


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("given", ["both", "weight", "neither"])
@pytest.mark.parametrize("case", CASES)
def test_the_norms_are_pytorch_s(called, case, given, dtype):
    kind, shape, layout, expected = CASES[case]
    x, slope = 3 * numbers(*shape, dtype=dtype) + 1, numbers(*shape, seed=1, dtype=dtype)
    size = shape[-int(kind[5:] or 1) :] if kind.startswith("layer") else (shape[1],)
    weight, bias = numbers(*size, seed=2, dtype=dtype), numbers(*size, seed=3, dtype=dtype)
    weight, bias = {"both": (weight, bias), "weight": (weight, None), "neither": (None, None)}[given]
    if callable(layout):
        x, slope = layout(x), layout(slope)
    theirs = with_gradients(torch, the_norm(kind, torch), (x, weight, bias), slope)
    ours = with_gradients(framework, the_norm(kind, framework), (x, weight, bias), slope)
    tolerance = 1e-12 if dtype == "float64" else 2e-5
    for a, b in zip(ours, theirs, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, tolerance, tolerance)
    if given == "both":
        assert called == expected


def test_a_gradient_in_another_order_in_memory_is_left_to_numpy(called):
    x, w = numbers(5, 3, 4, 5), numbers(3, seed=2)
    slope = batch_innermost(numbers(5, 3, 4, 5, seed=1))
    theirs = with_gradients(torch, the_norm("batch", torch), (x, w, w), slope)
    ours = with_gradients(framework, the_norm("batch", framework), (x, w, w), slope)
    assert called == {"by_channel"}
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, 1e-12, 1e-12)


def test_the_running_averages_and_the_second_derivative_are_those_of_numpy(called):
    def found():
        x, w = Tensor(numbers(5, 3, 4, 5), True), Tensor(numbers(3, seed=2), True)
        mean, var = Tensor(np.zeros(3)), Tensor(np.ones(3))
        y = F.batch_norm(x, mean, var, w, training=True)
        (slope,) = framework.autograd.grad((y**3).sum(), x, create_graph=True)
        return [mean.array, var.array, *(g.array for g in framework.autograd.grad((slope**2).sum(), (x, w)))]

    ours = found()
    framework.compiled.use_numba(False)
    for a, b in zip(ours, found(), strict=True):
        np.testing.assert_allclose(a, b, 1e-10, 1e-12)


@pytest.mark.parametrize("kind, shape", [("batch", (5, 7, 4, 5)), ("layer", (500, 20))])
def test_the_same_bits_come_from_any_number_of_threads(called, monkeypatch, kind, shape):
    monkeypatch.setattr(threads, "SHARE", 16)
    monkeypatch.setattr(threads._Team, "count", 1)  # and set back afterwards
    found = []
    for count in (1, 3):
        framework.set_num_threads(count)
        size = shape[1] if kind == "batch" else shape[-1]
        arrays = numbers(*shape, dtype="float32"), *numbers(2, size, seed=2, dtype="float32")
        slope = numbers(*shape, seed=1, dtype="float32")
        found.append(with_gradients(framework, the_norm(kind, framework), arrays, slope))
    for ours, alone in zip(*found, strict=True):
        np.testing.assert_array_equal(ours, alone)


@pytest.mark.parametrize("shape, axes, by", [((32, 4, 16, 16), (0, 2, 3), (1, 4, 1, 1)), ((64, 512), (1,), (1, 512))])
def test_a_mean_far_from_zero_costs_no_digits_of_the_variance(called, shape, axes, by):
    x = (1000 + numbers(*shape)).astype("float32")
    y = norm._normalized("test", Tensor(x), None, None, axes, by, 0.0)[0].array
    exact = x.astype("float64")
    exact = (exact - exact.mean(axes, keepdims=True)) / exact.std(axes, keepdims=True)
    assert called and np.abs(y - exact).max() < 2e-4  # the mean itself is rounded to 6e-5


@pytest.mark.parametrize("kind, shape", [("batch", (0, 3, 20)), ("layer", (0, 20)), ("layer", (3, 0, 20))])
def test_empty_arrays_give_empty_arrays(called, kind, shape):
    x = Tensor(np.zeros(shape), True)
    y = the_norm(kind, framework)(x, None, None)
    y.sum().backward()
    assert y.shape == x.grad.shape == shape and not called


def test_the_other_byte_order_is_left_to_numpy(called):
    x = numbers(5, 3, 20, dtype="float64")
    y = F.batch_norm(Tensor(x.astype(x.dtype.newbyteorder())), None, None, training=True).array
    np.testing.assert_allclose(y, the_norm("batch", torch)(torch.from_numpy(x), None, None).numpy(), 1e-12, 1e-12)
    assert not called


def test_nan_stays_in_its_channel(called):
    x = numbers(5, 3, 4, 5)
    x[0, 1, 0, 0] = np.nan
    y = F.batch_norm(Tensor(x), None, None, training=True).array
    assert np.isnan(y[:, 1]).all() and np.isfinite(y[:, [0, 2]]).all()


def test_without_numba_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "framework.kernels", None)
    monkeypatch.delattr(framework, "kernels", raising=False)
    with pytest.raises(ImportError, match=r'use_numba: needs numba: pip install -c constraints.txt -e ".\[numba\]"'):
        framework.compiled.use_numba()
    assert compiled._kernels is None
