"""The VAE by hand against numerical gradients, closed forms, SciPy's distributions and PyTorch's."""

import importlib
import inspect
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from torch.distributions import Normal, kl_divergence

from dlfs.grading import numerical_gradient

study = importlib.import_module("11_VAE.study")
by_hand = importlib.import_module("11_VAE.numpy.vae_numpy")

CONFIGS = {
    f"{likelihood}-{activation}": study.VAEConfig(6, 5, 3, activation, likelihood)
    for likelihood in study.HEADS
    for activation in ("tanh", "relu")
}


@pytest.fixture(params=CONFIGS)
def loud(request):
    """A small float64 model whose weights are large and whose biases are not zero, and a batch for it."""
    rng = np.random.default_rng(0)
    model = by_hand.VAE(CONFIGS[request.param], rng)
    model.load_state_dict({name: 0.7 * rng.standard_normal(p.shape) for name, p in model.params.items()})
    return model, rng.random((4, 6)), rng.standard_normal((4, 3))


# ---------------------------------------------------------------------------------------------------- Gradients


def test_gradients_are_the_numerical_ones(loud):
    model, x, eps = loud
    model.loss(x, eps)
    dx = model.loss_backward()
    grads = dict(model.grads)
    assert grads.keys() == model.params.keys()
    for name, param in [("x", x), *model.params.items()]:
        expected = numerical_gradient(lambda: model.loss(x, eps), param)
        gradient = dx if name == "x" else grads[name]
        np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-7, err_msg=name)


def test_backward_goes_back_from_any_gradient_of_what_forward_returns(loud):
    model, x, eps = loud
    rng = np.random.default_rng(1)
    heads, mean, logvar = model.forward(x, eps)
    weights = [rng.standard_normal(output.shape) for output in (*heads, mean, logvar)]  # of L = Σ weights * outputs
    dx = model.backward(tuple(weights[:-2]), *weights[-2:])
    grads = dict(model.grads)

    def total():
        heads, mean, logvar = model.forward(x, eps)
        return sum((w * output).sum() for w, output in zip(weights, (*heads, mean, logvar)))

    np.testing.assert_allclose(dx, numerical_gradient(total, x), rtol=1e-5, atol=1e-7)
    for name in ("encoder.logvar.bias", "decoder.fc.weight"):
        np.testing.assert_allclose(grads[name], numerical_gradient(total, model.params[name]), rtol=1e-5, atol=1e-7)


def test_the_gradient_by_draws_is_the_gradient_of_the_expectation():
    """Eq. 16, where the expectation is known: of f(z) = Σ z², it is Σ mean² + exp(logvar)."""
    model = by_hand.VAE(study.VAEConfig(3, 3, 2))
    mean, logvar = np.array([[0.5, -1.0]]), np.array([[0.2, -0.4]])
    eps = np.random.default_rng(0).standard_normal((400_000, 2))
    z = model.reparameterize(mean, logvar, eps)
    dmean, dlogvar = (d.mean(axis=0) for d in model.reparameterize_backward(2 * z))
    np.testing.assert_allclose(dmean, 2 * mean[0], atol=0.02)  # a mean of 400,000 draws of deviation 3 at most: 4 sigma
    np.testing.assert_allclose(dlogvar, np.exp(logvar[0]), atol=0.02)


def test_gradients_do_not_add_up_over_two_backwards(loud):
    model, x, eps = loud
    model.loss(x, eps)
    model.loss_backward()
    once = {name: g.copy() for name, g in model.grads.items()}
    model.loss(x, eps)
    model.loss_backward()
    for name in once:
        np.testing.assert_array_equal(model.grads[name], once[name])


# ------------------------------------------------------------------------------------------ The parts of the loss


def test_the_bernoulli_likelihood_is_scipys():
    rng = np.random.default_rng(0)
    x, logits = (rng.random((5, 7)) > 0.5).astype(float), 3 * rng.standard_normal((5, 7))
    expected = -stats.bernoulli(1 / (1 + np.exp(-logits))).logpmf(x).sum(axis=1)
    np.testing.assert_allclose(by_hand.bernoulli_nll(x, logits), expected, rtol=1e-12)


def test_a_grey_image_costs_the_mean_over_its_binarisations():
    rng = np.random.default_rng(0)
    x, logits = rng.random(3), 2 * rng.standard_normal(3)
    mean = 0
    for b in np.ndindex(2, 2, 2):
        probability = np.prod(np.where(b, x, 1 - x))
        mean += probability * by_hand.bernoulli_nll(np.array([b], dtype=float), logits[None])[0]
    np.testing.assert_allclose(by_hand.bernoulli_nll(x[None], logits[None])[0], mean, rtol=1e-12)


def test_the_gaussian_likelihood_is_scipys():
    rng = np.random.default_rng(0)
    x, mean, logvar = rng.standard_normal((3, 5, 7))
    expected = -stats.norm(mean, np.exp(0.5 * logvar)).logpdf(x).sum(axis=1)
    np.testing.assert_allclose(by_hand.gaussian_nll(x, mean, logvar), expected, rtol=1e-12)


def test_the_divergence_is_pytorchs_and_zero_at_the_prior():
    rng = np.random.default_rng(0)
    mean, logvar = rng.standard_normal((2, 5, 4))
    q = Normal(torch.from_numpy(mean), torch.from_numpy(np.exp(0.5 * logvar)))
    expected = kl_divergence(q, Normal(0.0, 1.0)).sum(dim=1)
    np.testing.assert_allclose(by_hand.kl_divergence(mean, logvar), expected, rtol=1e-12)
    assert not by_hand.kl_divergence(np.zeros((1, 4)), np.zeros((1, 4))).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_logits_that_overflow_exp_do_not_overflow_the_loss(dtype):
    logits = np.array([[-1e4, -800, -40, 0, 40, 800, 1e4]], dtype=dtype)
    for x, expected in [(np.ones_like(logits), 10840 + np.log(2)), (np.zeros_like(logits), 10840 + np.log(2))]:
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            nll = by_hand.bernoulli_nll(x, logits)
            dx, (dlogits,) = by_hand.bernoulli_nll_backward(np.ones(1, dtype), x, logits)
        np.testing.assert_allclose(nll, expected, rtol=1e-6)
        assert dlogits[0, 3] == 0.5 - x[0, 3] and np.isfinite(dlogits).all()


# ------------------------------------------------------------------------------------------------ The loss as such


def test_both_terms_are_sums_over_an_image_and_means_over_the_batch(loud):
    """A batch of the same row twice has that row's loss; and the loss is the terms' sum, neither divided by its length."""
    model, x, eps = loud
    heads, mean, logvar = model.forward(x[:1], eps[:1])
    nll, _ = by_hand.LIKELIHOODS[model.config.likelihood]
    expected = nll(x[:1], *heads)[0] + by_hand.kl_divergence(mean, logvar)[0]
    np.testing.assert_allclose(model.loss(x[:1], eps[:1]), expected, rtol=1e-12)
    np.testing.assert_allclose(model.loss(x[[0, 0, 0]], eps[[0, 0, 0]]), expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept_from_the_input_to_every_gradient(loud, dtype):
    model, x, eps = loud
    model.load_state_dict({name: p.astype(dtype) for name, p in model.params.items()})
    loss = model.loss(x.astype(dtype), eps.astype(dtype))
    dx = model.loss_backward()
    assert loss.dtype == dx.dtype == dtype
    assert {g.dtype for g in model.grads.values()} == {np.dtype(dtype)}
    assert model.importance_weighted_nll(x.astype(dtype), eps[None].astype(dtype)).dtype == dtype


def test_train_step_is_gradient_descent_and_returns_the_loss_before_it(loud):
    model, x, eps = loud
    loss = model.loss(x, eps)
    model.loss_backward()
    expected = {name: p - 1e-4 * model.grads[name] for name, p in model.params.items()}
    returned = model.train_step(x, eps, lr=1e-4)
    assert isinstance(returned, float) and returned == loss
    for name, param in model.params.items():
        np.testing.assert_array_equal(param, expected[name])
    assert model.loss(x, eps) < loss


def test_backward_before_forward_says_what_to_call(loud):
    model, x, eps = loud
    zeros = np.zeros_like(eps)
    with pytest.raises(RuntimeError, match=r"VAE\.loss_backward: .* call loss\(x, eps\) first"):
        model.loss_backward()
    with pytest.raises(RuntimeError, match=r"VAE\.backward: .* call forward\(x, eps\) first"):
        model.backward((np.zeros_like(x),), zeros, zeros)
    model.forward(x, eps)
    with pytest.raises(ValueError, match=r"VAE\.backward: expected dmean and dlogvar \(4, 3\), got \(4, 2\), \(4, 3\)"):
        model.backward((np.zeros_like(x),), zeros[:, :2], zeros)
    model.importance_weighted_nll(x, eps[None])
    with pytest.raises(RuntimeError, match=r"VAE\.loss_backward: nothing to go back through"):
        model.loss_backward()


def test_same_rng_same_weights():
    first, second = (by_hand.VAE(study.VAEConfig(), np.random.default_rng(3)) for _ in range(2))
    for name, param in first.params.items():
        assert param.dtype == np.float32
        np.testing.assert_array_equal(param, second.params[name])


def test_it_imports_numpy_alone():
    source = Path(by_hand.__file__).read_text(encoding="utf-8")
    imports = re.findall(r"^(?:from|import) (\S+)", source, flags=re.MULTILINE)
    assert imports == ["math", "numpy", "..study"]


def test_every_line_of_backward_stands_next_to_its_equation():
    theory = (Path(study.__file__).parent / "theory.md").read_text(encoding="utf-8")
    numbered = [int(n) for n in re.findall(r"\\tag\{(\d+)\}", theory)]
    assert numbered == list(range(1, len(numbered) + 1))

    files = [Path(study.__file__).parent / file for file in study.LEVELS.values()]
    cited = {int(n) for file in files for n in re.findall(r"eq\. (\d+)", file.read_text(encoding="utf-8"))}
    assert cited <= set(numbered) and cited >= set(range(17, 37))

    functions = [f for name, f in inspect.getmembers(by_hand, inspect.isfunction) if name.endswith("_backward")]
    functions += [f for name, f in inspect.getmembers(by_hand.VAE) if "backward" in name] + [by_hand.VAE.train_step]
    lines = [line.strip() for f in functions for line in inspect.getsource(f).splitlines()]
    gradient = r"(self\.grads\[.*\]|d(x|z|h|a|mean|logvar|logits|x_mean|x_logvar)|param) [-+]?= |return (dh \*|dx_as)"
    gradients = [line for line in lines if re.match(gradient, line) and not line.endswith(("sum(", "each"))]
    assert len(gradients) >= 20
    assert not [line for line in gradients if not re.search(r"# .*eq\. \d+", line) and "self.backward" not in line and
                "_backward(d" not in line]  # fmt: skip
