"""nn.init: distributions against PyTorch's, exact fills equal, and what is refused."""

import inspect

import numpy as np
import pytest
import scipy.stats
import torch

import framework
from framework.nn import init

RANDOM = {
    "uniform_": [(), (-3.0, 0.5)],
    "normal_": [(), (1.0, 0.2)],
    "trunc_normal_": [(), (0.5, 2.0, -1.0, 0.75), (5.0, 1.0, -2.0, 2.0)],
    "xavier_uniform_": [(), (2.0,)],
    "xavier_normal_": [(), (2.0,)],
    "kaiming_uniform_": [(), (0.5, "fan_out"), (0, "fan_in", "tanh")],
    "kaiming_normal_": [(), (0.5, "fan_out"), (0, "fan_in", "relu")],
    "orthogonal_": [(), (3.0,)],
}
CASES = [
    pytest.param(name, arguments, shape, id=f"{name}{arguments}{shape}")
    for name, cases in RANDOM.items()
    for arguments in cases
    for shape in ((64, 48), (16, 12, 3, 5))
]


@pytest.mark.parametrize(("name", "arguments", "shape"), CASES)
def test_random_fills_have_pytorchs_distribution(name, arguments, shape):
    generator = framework.Generator().manual_seed(5)
    torch.manual_seed(5)
    ours, theirs = [], []
    for _ in range(4):
        tensor = framework.empty(*shape)
        assert (
            getattr(init, name)(tensor, *arguments, generator=generator) is tensor and tensor.dtype == framework.float32
        )
        ours.append(tensor.numpy().ravel())
        theirs.append(getattr(torch.nn.init, name)(torch.empty(*shape), *arguments).numpy().ravel())
    ours, theirs = np.concatenate(ours), np.concatenate(theirs)
    assert scipy.stats.ks_2samp(ours, theirs).pvalue > 1e-4
    np.testing.assert_allclose([ours.mean(), ours.std()], [theirs.mean(), theirs.std()], atol=0.06 * theirs.std())
    if "uniform" in name or "trunc" in name:
        edges = [0.5, 99.5]
        np.testing.assert_allclose(np.percentile(ours, edges), np.percentile(theirs, edges), atol=0.03 * np.ptp(theirs))


@pytest.mark.parametrize(
    ("name", "arguments", "shape"),
    [
        ("constant_", (0.3,), (2, 3)), ("ones_", (), (3,)), ("zeros_", (), (2,)), ("eye_", (), (3, 5)), ("eye_", (), (5, 3)),
        ("dirac_", (), (4, 3, 3)), ("dirac_", (), (2, 3, 3, 4)), ("dirac_", (2,), (6, 2, 3, 3, 2)), ("dirac_", (3,), (6, 5, 3)),
    ],
)  # fmt: skip
def test_exact_fills_equal_pytorchs(name, arguments, shape):
    ours = getattr(init, name)(framework.empty(*shape), *arguments)
    theirs = getattr(torch.nn.init, name)(torch.empty(*shape), *arguments)
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (4, 3, 2)])
def test_orthogonal_is_orthogonal(shape):
    matrix = init.orthogonal_(framework.empty(*shape, dtype=framework.float64), gain=2).numpy().reshape(shape[0], -1)
    product = matrix @ matrix.T if shape[0] <= matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-12)


def test_orthogonal_prefers_no_sign():
    """Every element is as often positive as negative; a bare QR decomposition fixes the sign of the first."""
    framework.manual_seed(3)
    draws = np.stack([init.orthogonal_(framework.empty(3, 3)).numpy() for _ in range(400)])
    assert (abs((draws > 0).mean(axis=0) - 0.5) < 0.1).all()  # four standard deviations


def test_sparse_has_its_zeros_in_every_column():
    values = init.sparse_(framework.empty(50, 40), 0.33, std=2.0).numpy()
    assert ((values == 0).sum(axis=0) == 17).all() and 1.8 < values[values != 0].std() < 2.2


@pytest.mark.parametrize(
    "nonlinearity", ["linear", "conv2d", "conv_transpose3d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]
)
def test_gains(nonlinearity):
    assert init.calculate_gain(nonlinearity) == torch.nn.init.calculate_gain(nonlinearity)
    assert init.calculate_gain("leaky_relu", 0.3) == torch.nn.init.calculate_gain("leaky_relu", 0.3)


def test_a_seed_fixes_the_values_and_a_parameter_may_be_filled():
    weight = framework.nn.Parameter(framework.empty(3, 2))
    framework.manual_seed(1)
    first = init.normal_(weight).detach().clone()
    framework.manual_seed(1)
    assert (init.normal_(weight) == first).all() and weight.requires_grad and weight.is_leaf


def test_signatures_are_pytorchs():
    for name in init.__all__:
        ours = {p.name: p.default for p in inspect.signature(getattr(init, name)).parameters.values()}
        theirs = {p.name: p.default for p in inspect.signature(getattr(torch.nn.init, name)).parameters.values()}
        assert list(ours.items()) == list(theirs.items()), name
    assert set(init.__all__) == {
        name for name in dir(torch.nn.init) if name.endswith("_") and not name.startswith("_")
    } | {"calculate_gain"}


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda t: init.xavier_normal_(t(3)), "at least 2 dimensions"),
        (lambda t: init.kaiming_normal_(t(3, 3), mode="both"), 'mode is "fan_in" or "fan_out"'),
        (lambda t: init.kaiming_normal_(t(3, 3), nonlinearity="rely"), "unknown nonlinearity 'rely'"),
        (lambda t: init.calculate_gain("leaky_relu", "x"), "negative slope"),
        (lambda t: init.eye_(t(3)), "expected a matrix"),
        (lambda t: init.dirac_(t(3, 3)), "3 to 5 dimensions"),
        (lambda t: init.dirac_(t(3, 3, 3), 2), "cannot be divided into 2 groups"),
        (lambda t: init.orthogonal_(t(3)), "at least 2 dimensions"),
        (lambda t: init.sparse_(t(3, 3, 3), 0.5), "expected a matrix"),
    ],
)  # fmt: skip
def test_what_is_refused(call, match):
    with pytest.raises(ValueError, match=match):
        call(framework.empty)
