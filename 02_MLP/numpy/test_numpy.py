"""The MLP by hand against numerical gradients, closed forms and PyTorch."""

import importlib
import inspect
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import erf, log_softmax

from dlfs.grading import numerical_gradient

study = importlib.import_module("02_MLP.study")
by_hand = importlib.import_module("02_MLP.numpy.mlp_numpy")
paper = importlib.import_module("02_MLP.paper.mlp_paper")

ACTIVATIONS = study.ACTIVATION_NAMES
HIDDEN = [(), (6,), (6, 5, 4)]


def loud_model(hidden_sizes=(6, 5), activation="relu", seed=0):
    """A small float64 model whose weights are large and whose biases are not zero, and a batch for it."""
    rng = np.random.default_rng(seed)
    config = study.MLPConfig(in_features=7, hidden_sizes=hidden_sizes, num_classes=3, activation=activation)
    model = by_hand.MLP(config, rng)
    model.load_state_dict({name: rng.standard_normal(p.shape) for name, p in model.params.items()})
    return model, rng.standard_normal((8, 7)), rng.integers(0, 3, size=8)


@pytest.mark.parametrize("hidden_sizes", HIDDEN, ids=str)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_are_the_numerical_ones(activation, hidden_sizes):
    model, x, targets = loud_model(hidden_sizes, activation)
    model.loss(x, targets)
    dx = model.loss_backward()
    grads = dict(model.grads)
    assert list(grads) and grads.keys() == model.params.keys()
    for name, param in [("x", x), *model.params.items()]:
        expected = numerical_gradient(lambda: model.loss(x, targets), param)
        gradient = dx if name == "x" else grads[name]
        assert gradient.shape == param.shape
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8, err_msg=name)


@pytest.mark.parametrize("hidden_sizes", HIDDEN, ids=str)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_logits_loss_and_gradients_are_pytorchs(activation, hidden_sizes):
    model, x, targets = loud_model(hidden_sizes, activation)
    logits = model.forward(x)
    loss = model.loss(x, targets)
    dx = model.loss_backward()

    reference = paper.MLP(model.config).double()
    reference.load_state_dict({name: torch.from_numpy(p) for name, p in model.state_dict().items()})
    x_ = torch.from_numpy(x).requires_grad_()
    loss_ = reference.loss(x_, torch.from_numpy(targets))
    loss_.backward()
    np.testing.assert_allclose(logits, reference.forward(x_).detach(), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(loss, loss_.item(), rtol=1e-12)
    np.testing.assert_allclose(dx, x_.grad, rtol=1e-12, atol=1e-12)
    for name, param in reference.named_parameters():
        np.testing.assert_allclose(model.grads[name], param.grad, rtol=1e-12, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_backward_goes_back_from_any_gradient_of_the_logits(activation):
    model, x, _ = loud_model(activation=activation)
    weights = np.random.default_rng(1).standard_normal(
        (8, 3)
    )  # of L = Σ weights * logits, so that dL/dlogits = weights
    model.forward(x)
    dx = model.backward(weights)
    expected = numerical_gradient(lambda: (weights * model.forward(x)).sum(), x)
    np.testing.assert_allclose(dx, expected, rtol=1e-6, atol=1e-8)


def test_gradients_do_not_add_up_over_two_backwards():
    model, x, targets = loud_model()
    model.loss(x, targets)
    model.loss_backward()
    once = {name: g.copy() for name, g in model.grads.items()}
    model.loss(x, targets)
    model.loss_backward()
    for name in once:
        np.testing.assert_array_equal(model.grads[name], once[name])


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activation_and_its_slope_are_finite_and_pytorchs_far_out(activation):
    z = np.array([-1e4, -800.0, -40.0, -6.0, -1e-3, 0.0, 1e-3, 6.0, 40.0, 800.0, 1e4])[None]
    f, f_backward = by_hand.ACTIVATIONS[activation]
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        h = f(z)
        dz = f_backward(np.ones_like(z), z, h)
    z_ = torch.from_numpy(z).requires_grad_()
    h_ = paper.ACTIVATIONS[activation](z_)
    h_.sum().backward()
    np.testing.assert_allclose(h, h_.detach(), rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(dz, z_.grad, rtol=1e-14, atol=1e-15)


def test_normal_cdf_is_exact_to_float64():
    z = np.linspace(-9, 9, 4001)
    np.testing.assert_allclose(by_hand.normal_cdf(z), 0.5 * (1 + erf(z / math.sqrt(2))), rtol=0, atol=2.3e-16)
    assert by_hand.normal_cdf(z.astype(np.float32)).dtype == np.float32


def test_loss_survives_logits_that_overflow_exp():
    config = study.MLPConfig(in_features=3, hidden_sizes=(), num_classes=3)
    model = by_hand.MLP(config)
    model.load_state_dict({"fc1.weight": np.eye(3), "fc1.bias": np.zeros(3)})
    x = np.array([[1e4, 0.0, -1e4], [-1e4, -1e4, -1e4 + 1]])
    targets = np.array([1, 2])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        loss = model.loss(x, targets)
        model.loss_backward()
    np.testing.assert_allclose(loss, -log_softmax(x, axis=1)[[0, 1], targets].mean(), rtol=1e-15)
    assert all(np.isfinite(g).all() for g in model.grads.values())


def test_the_gradient_of_the_logits_sums_to_zero_over_the_classes():
    """Shifting all logits of a row alike changes no probability."""
    model, x, targets = loud_model(hidden_sizes=())
    model.loss(x, targets)
    model.loss_backward()
    assert abs(model.grads["fc1.bias"].sum()) < 1e-15


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_dtype_is_kept_from_the_input_to_every_gradient(activation, dtype):
    model, x, targets = loud_model(activation=activation)
    model.load_state_dict({name: p.astype(dtype) for name, p in model.params.items()})
    loss = model.loss(x.astype(dtype), targets)
    dx = model.loss_backward()
    assert loss.dtype == dx.dtype == dtype
    assert {g.dtype for g in model.grads.values()} == {np.dtype(dtype)}


def test_train_step_is_gradient_descent_and_returns_the_loss_before_it():
    model, x, targets = loud_model()
    loss = model.loss(x, targets)
    model.loss_backward()
    expected = {name: p - 0.1 * model.grads[name] for name, p in model.params.items()}
    returned = model.train_step(x, targets, lr=0.1)
    assert isinstance(returned, float) and returned == loss
    for name, param in model.params.items():
        np.testing.assert_array_equal(param, expected[name])
    assert model.loss(x, targets) < loss


def test_backward_before_forward_says_what_to_call():
    model, x, _ = loud_model()
    with pytest.raises(RuntimeError, match=r"MLP\.backward: .* call forward\(x\) first"):
        model.backward(np.zeros((8, 3)))
    model.forward(x)
    with pytest.raises(RuntimeError, match=r"MLP\.loss_backward: .* call loss\(x, targets\) first"):
        model.loss_backward()
    with pytest.raises(ValueError, match=r"MLP\.backward: expected dlogits \(8, 3\), got \(3, 8\)"):
        model.backward(np.zeros((3, 8)))


def test_same_rng_same_weights():
    config = study.MLPConfig()
    first, second = (by_hand.MLP(config, np.random.default_rng(3)) for _ in range(2))
    for name, param in first.params.items():
        assert param.dtype == np.float32
        np.testing.assert_array_equal(param, second.params[name])


def test_it_imports_numpy_alone():
    source = Path(by_hand.__file__).read_text(encoding="utf-8")
    imports = re.findall(r"^(?:from|import) (\S+)", source, flags=re.MULTILINE)
    assert imports == ["math", "numpy", "..study"]


def test_every_line_of_backward_stands_next_to_its_equation():
    theory = (Path(study.__file__).parent / "theory.md").read_text(encoding="utf-8")
    numbered = {int(n) for n in re.findall(r"\\tag\{(\d+)\}", theory)}
    assert numbered == set(range(1, len(numbered) + 1))

    files = [Path(study.__file__).parent / file for file in study.LEVELS.values()]
    cited = {int(n) for file in files for n in re.findall(r"eq\. (\d+)", file.read_text(encoding="utf-8"))}
    assert cited <= numbered

    functions = [backward for _, backward in by_hand.ACTIVATIONS.values()]
    functions += [by_hand.MLP.backward, by_hand.MLP.loss_backward, by_hand.MLP.train_step]
    lines = [line.strip() for f in functions for line in inspect.getsource(f).splitlines()]
    gradients = [line for line in lines if re.match(r"(grads\[.*\]|d[a-z]+|param) -?= |return dh \*", line)]
    assert len(gradients) == 13  # 4 activations, the loss, 3 for the last layer, 4 for a hidden one, the update
    assert not [line for line in gradients if not re.search(r"# .*eq\. \d+", line)]
