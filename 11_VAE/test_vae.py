"""The VAE at every level: agreement, counts, closed forms, initialisation, errors; and the mutants that these must catch."""

import math
from functools import partial

import numpy as np
import pytest
from scipy import stats

from dlfs import results
from dlfs.compare import compare_study
from dlfs.levels import as_array, build_level, initial_level, level_names
from dlfs.studies import find_study
from tests.model_checks import MISFITS, assert_agreement, assert_misfit_is_named
from tests.mutants import Mutant, assert_caught
from utils.data_loaders import load
from utils.visualization import save

STUDY = find_study("11")
VAEConfig, RECIPES = STUDY.facts.VAEConfig, STUDY.facts.RECIPES
LEVELS = level_names(STUDY)


@pytest.fixture(params=LEVELS)
def build(request):
    """build(config): the level with the weights that its own constructor draws. Arrays go in and come out at each level."""
    return partial(build_level, STUDY, request.param)


def call(level, method, *arrays):
    """A method of the level's model on arrays, and what it returns as an array."""
    if hasattr(level, "tensor"):
        return as_array(getattr(level.model, method)(*(level.tensor(array) for array in arrays)))
    return getattr(level.model, method)(*arrays)


# ---------------------------------------------------------------------------- Checks, which mutants must not survive


def check_agreement(build):
    """With initial and with loud weights, in float64, the level computes what L1 by hand and L3 compute."""
    assert_agreement(STUDY, build, STUDY.facts.VARIANTS, ("by-hand", "paper"))


def linear_model(build, D=6, J=3, s=0.5, seed=0):
    """A level whose decoder is x = A z + c + s · noise and whose encoder is the true posterior; with A, c and s.

    ReLU with biases so large that nothing is cut off is linear. A's columns are orthogonal, so the posterior's covariance
    (I + AᵀA / s²)⁻¹ is diagonal, and its mean is that times Aᵀ(x − c) / s².
    """
    rng = np.random.default_rng(seed)
    A = np.linalg.qr(rng.standard_normal((D, J)))[0] * np.array([1.5, 0.8, 0.3])  # (D, J)
    c = rng.standard_normal(D)
    variance = 1 / (1 + (A * A).sum(axis=0) / s**2)  # (J,)
    gain = variance[:, None] * A.T / s**2  # (J, D)
    shift, H = 1e3, max(D, J)
    level = build(VAEConfig(D, H, J, "relu", "gaussian"))
    state = {name: np.zeros(p.shape) for name, p in level.state().items()}
    state["encoder.fc.weight"][:D] = np.eye(D)
    state["encoder.fc.bias"][:] = shift  # h = x + shift
    state["encoder.mean.weight"][:, :D] = gain
    state["encoder.mean.bias"] = -gain @ (c + shift)
    state["encoder.logvar.bias"] = np.log(variance)
    state["decoder.fc.weight"][:J] = np.eye(J)
    state["decoder.fc.bias"][:] = shift
    state["decoder.mean.weight"][:, :J] = A
    state["decoder.mean.bias"] = c - A.sum(axis=1) * shift
    state["decoder.logvar.bias"][:] = math.log(s**2)
    level.load_state(state)
    x = c + rng.standard_normal((4, J)) @ A.T + s * rng.standard_normal((4, D))
    expected = -stats.multivariate_normal(c, A @ A.T + s**2 * np.eye(D)).logpdf(x)  # (4,): probabilistic PCA
    return level, x, expected


def check_likelihood(build):
    """Where q(z|x) is the posterior, one sample's weight is p(x) itself, whatever the noise: theory.md, section 8."""
    level, x, expected = linear_model(build)
    for k in (1, 3):
        eps = np.random.default_rng(k).standard_normal((k, 4, 3))
        np.testing.assert_allclose(call(level, "importance_weighted_nll", x, eps), expected, rtol=1e-8)


def check_bound(build):
    """Where q(z|x) is the posterior, the loss is on average −log p(x) itself: the bound is tight."""
    level, x, expected = linear_model(build)
    eps = np.random.default_rng(0).standard_normal((5000, 4, 3)).reshape(-1, 3)
    loss, _ = level.predict((np.tile(x, (5000, 1)), eps), ())
    assert abs(loss - expected.mean()) < 0.05  # 20,000 draws with a deviation of about 1.5: 4 sigma


def check_more_samples_are_tighter(build):
    """−log p(x) is estimated from above, the closer the more samples; with one sample, on average, by the loss."""
    config = VAEConfig(8, 16, 3)
    level = build(config)
    rng = np.random.default_rng(0)
    state = {name: 0.3 * rng.standard_normal(p.shape) for name, p in level.state().items()}
    level.load_state(state)
    x, eps = np.tile((rng.random((1, 8)) > 0.5).astype(float), (2000, 1)), rng.standard_normal((20, 2000, 3))
    one, twenty = (call(level, "importance_weighted_nll", x, eps[:k]).mean() for k in (1, 20))
    loss, _ = level.predict((x, eps[0]), ())
    assert abs(one - loss) < 0.1 and twenty < one - 0.1


def check_initialisation(build):
    """He's normal before relu, Xavier's uniform before tanh and for the heads; biases zero; float32."""
    for activation in ("relu", "tanh"):
        config = VAEConfig(300, 400, 200, activation)
        state = build(config).state()
        for name, (fan_out, fan_in) in config.layers.items():
            weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
            assert weight.dtype == bias.dtype == np.float32 and not bias.any(), name
            he = activation == "relu" and name.endswith("fc")
            std = math.sqrt(2 / fan_in) if he else math.sqrt(2 / (fan_in + fan_out))
            # Of 80,000 draws and more, the deviation is known to 0.25 %, the mean to 0.35 % of it: 5 sigma and more are allowed.
            assert abs(weight.std() / std - 1) < 0.015, f"{name}: std {weight.std():.4f}, expected {std:.4f}"
            assert abs(weight.mean()) < 0.02 * std, name
            largest = np.abs(weight).max() / std
            assert largest > 3.5 if he else 1.72 < largest <= 1.7321, name  # a uniform ends at sqrt(3) deviations


def check_start(build):
    """Before training the image costs D ln 2 and a little more, in every pixel's sum, and the code next to nothing."""
    config = VAEConfig(activation="tanh")
    level, rng = build(config), np.random.default_rng(0)
    x, eps = rng.random((50, 784), dtype=np.float32), rng.standard_normal((50, 20), dtype=np.float32)
    loss, outputs = level.predict((x, eps), ())
    floor = 784 * math.log(2)  # 543.4
    assert floor < loss < 1.5 * floor


# ----------------------------------------------------------------------------------------------------- Every level


@pytest.mark.parametrize("variant", STUDY.facts.VARIANTS)
def test_all_levels_agree(variant):
    for comparison in compare_study(STUDY, variant):
        assert comparison.ok, f"{comparison.weights} weights: {comparison.worst}, noisy: {comparison.noisy}"
        assert not comparison.silent


@pytest.mark.parametrize(
    "check",
    [check_likelihood, check_bound, check_more_samples_are_tighter, check_initialisation, check_start],
    ids=lambda check: check.__name__.removeprefix("check_"),
)
def test_each_level_passes(build, check):
    check(build)


@pytest.mark.parametrize("likelihood", STUDY.facts.HEADS)
def test_importance_weighted_estimates_agree(likelihood):
    config = VAEConfig(12, 9, 4, "tanh", likelihood)
    rng = np.random.default_rng(0)
    state = {f"{n}.weight": 0.5 * rng.standard_normal(shape) for n, shape in config.layers.items()}
    state |= {f"{n}.bias": 0.3 * rng.standard_normal(shape[0]) for n, shape in config.layers.items()}
    x, eps = (rng.random((5, 12)) > 0.5).astype(float), rng.standard_normal((7, 5, 4))
    estimates = {}
    for name in LEVELS:
        level = build_level(STUDY, name, config)
        level.load_state(state)
        estimates[name] = call(level, "importance_weighted_nll", x, eps)
    for estimate in estimates.values():
        assert estimate.shape == (5,)
        np.testing.assert_allclose(estimate, estimates["paper"], rtol=1e-12)


@pytest.mark.parametrize(
    ("config", "count"),
    [
        (VAEConfig(), 815_824),
        (VAEConfig(hidden_size=400), 652_824),
        (VAEConfig(latent_size=2), 788_788),
        (VAEConfig(likelihood="gaussian"), 1_208_608),
    ],
    ids=["784-500-20", "784-400-20", "784-500-2", "784-500-20-gaussian"],
)
def test_parameter_counts(build, config, count):
    assert sum((fan_in + 1) * fan_out for fan_out, fan_in in config.layers.values()) == count
    level = build(config)
    assert sum(p.size for p in level.state().values()) == count
    assert level.parameter_names() == [f"{n}.{kind}" for n in config.layers for kind in ("weight", "bias")]


def test_the_digits_cost_less_than_half_after_ten_epochs(build):
    recipe, data = RECIPES["digits"], load("digits")
    level, rng = build(recipe["config"]), np.random.default_rng(0)
    level.load_state(initial_level(STUDY, recipe["config"], 0).state())
    test = STUDY.facts.training_batch(recipe["config"], data.test.x, data.test.y, np.random.default_rng(1))
    before, _ = level.predict(*test)
    level.use_optimizer("adam", 2e-3, {})
    for _ in range(10):
        for indices in np.split(rng.permutation(1280), 40):
            level.step(*STUDY.facts.training_batch(recipe["config"], data.train.x[indices], data.train.y[indices], rng))
    after, outputs = level.predict(*test)
    assert before > 44 and after < 28 and STUDY.facts.kl(outputs) > 1.5  # 64 ln 2 = 44.4; the codes say something


# --------------------------------------------------------------------------------------------------------- Batches


def test_noise_is_standard_normal_and_the_batchs_own():
    config = VAEConfig(64, 8, 50)
    x = np.zeros((400, 1, 8, 8), np.float32)
    (rows, eps), targets = STUDY.facts.training_batch(config, x, None, np.random.default_rng(0))
    assert rows.shape == (400, 64) and eps.shape == (400, 50) and eps.dtype == np.float32 and targets == ()
    assert abs(eps.mean()) < 0.03 and abs(eps.std() - 1) < 0.02  # 20,000 draws: 4 sigma


def test_binarised_pixels_are_black_or_white_with_the_grey_level_for_probability():
    x = np.repeat(np.linspace(0, 1, 64, dtype=np.float32)[None], 4000, axis=0).reshape(4000, 1, 8, 8)
    (drawn, _), _ = STUDY.facts.binarised_batch(VAEConfig(64, 8, 2), x, None, np.random.default_rng(0))
    assert set(np.unique(drawn)) == {0, 1} and drawn.dtype == np.float32
    np.testing.assert_allclose(drawn.mean(axis=0), x[0].ravel(), atol=0.035)
    assert (drawn[:, 0] == 0).all() and (drawn[:, -1] == 1).all()


def test_dequantised_pixels_fill_their_seventeenth():
    x = np.repeat(np.arange(17, dtype=np.float32) / 16, 64).reshape(17, 1, 8, 8)
    (spread, _), _ = STUDY.facts.dequantised_batch(VAEConfig(64, 8, 2), x, None, np.random.default_rng(0))
    assert spread.dtype == np.float32
    np.testing.assert_array_equal(
        np.floor(17 * spread.astype(np.float64)), np.repeat(np.arange(17), 64).reshape(17, 64)
    )


# ---------------------------------------------------------------------------------------------------------- Errors


@pytest.mark.parametrize(
    ("x", "eps", "error", "message"),
    [
        (np.zeros((4, 1, 28, 28), np.float32), np.zeros((4, 20), np.float32), ValueError, r"forward: expected x \(B, 784\)"),
        (np.zeros((0, 784), np.float32), np.zeros((0, 20), np.float32), ValueError, r"at least one row, got \(0, 784\)"),
        (np.zeros((4, 784), np.uint8), np.zeros((4, 20), np.float32), TypeError, r"floating-point x, got uint8; .* x / 255"),
        (np.zeros((4, 784), np.float32), np.zeros((4, 2), np.float32), ValueError, r"expected eps \(4, 20\) of float32, .* \(4, 2\)"),
        (np.zeros((4, 784), np.float32), np.zeros((4, 20)), ValueError, r"expected eps \(4, 20\) of float32, .* of float64"),
        (np.full((4, 784), 255, np.float32), np.zeros((4, 20), np.float32), ValueError, r"loss: .* in \[0, 1\], got 255\.\.255"),
    ],
    ids=["images", "empty", "bytes", "latents", "dtype", "range"],
)  # fmt: skip
def test_wrong_inputs(build, x, eps, error, message):
    with pytest.raises(error, match=message):
        build(VAEConfig()).predict((x, eps), ())


@pytest.mark.parametrize("misfit", MISFITS)
def test_load_state_dict_names_what_does_not_fit(build, misfit):
    assert_misfit_is_named(build(VAEConfig(7, 6, 2)), misfit, "decoder.fc.weight", "decoder.mean.weight")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(latent_size=0), r"latent_size is an int of at least 1, got 0"),
        (dict(hidden_size=2.5), r"hidden_size is an int of at least 1, got 2\.5"),
        (dict(activation="gelu"), r"activation is tanh or relu, got 'gelu'"),
        (dict(likelihood="normal"), r"likelihood is bernoulli or gaussian, got 'normal'"),
    ],
    ids=["no-latents", "half-a-unit", "activation", "likelihood"],
)
def test_a_bad_config_names_what_is_wrong_and_what_is_valid(options, message):
    with pytest.raises(ValueError, match="VAEConfig: " + message):
        VAEConfig(**options)


# ---------------------------------------------------------------------------------------- Pictures and likelihoods


@pytest.mark.parametrize("likelihood", STUDY.facts.HEADS)
def test_every_picture_is_drawn(tmp_path, likelihood):
    level = build_level(STUDY, "by-hand", VAEConfig(64, 16, 2, likelihood=likelihood))
    for name, draw in STUDY.module("pictures.py").FLAT.items():
        save(tmp_path / f"{name}.png", lambda draw=draw: draw(level, load("digits")))
    assert len(list(tmp_path.iterdir())) == 5


def test_all_recipes_have_pictures():
    assert STUDY.module("pictures.py").PICTURES.keys() == RECIPES.keys()


@pytest.mark.parametrize("recipe", ["digits", "digits-gaussian"])
def test_the_estimate_of_the_likelihood_is_below_the_loss(recipe):
    config = RECIPES[recipe]["config"]
    level = build_level(STUDY, "by-hand", config)
    rng = np.random.default_rng(0)
    level.load_state(
        {name: p + 0.1 * rng.standard_normal(p.shape, dtype=np.float32) for name, p in level.state().items()}
    )
    loss, nll = STUDY.module("likelihood.py").estimate(level, load("digits").test.x[:150], 20, rng)
    assert np.isfinite([loss, nll]).all() and nll < loss


def test_results_name_the_loss_and_its_unit():
    text = results.markdown(STUDY)
    assert "| test negative ELBO (nats) |" in text and "accuracy" not in text
    assert all("negative ELBO (nats)" in line for line in results.reached(STUDY))


# --------------------------------------------------------------------------------------------------------- Mutants

SUM, STD = "(softplus - x * logits).sum", "np.exp(0.5 * logvar)"
BCE = '"none").sum(dim=1)'
KL = "0.5 * (mean * mean + torch.exp(logvar) - 1 - logvar)"
DKL = "0.5 * dkl[:, None] * (np.exp(logvar) - 1)"
SCALED = "(x - x_mean) ** 2 * np.exp(-x_logvar)"
ENCODE = "encode_backward(dmean + dmean_z, dlogvar + dlogvar_z)"
LSE = "math.log(len(eps)) - torch.logsumexp(log_weights, dim=0)"
MUTANTS = [
    Mutant("mean over pixels, sum over latents", "by-hand", SUM, "(softplus - x * logits).mean", check_start),
    Mutant("mean over pixels, sum over latents", "lowlevel", SUM, "(softplus - x * logits).mean", check_agreement),
    Mutant("mean over pixels, sum over latents", "paper", BCE, '"none").mean(dim=1)', check_start),
    Mutant("mean over latents, sum over pixels", "paper", KL + ".sum(", KL + ".mean(", check_agreement),
    Mutant("mean over latents, seen by the tight bound", "paper", KL + ".sum(", KL + ".mean(", check_bound),
    Mutant("sum over the batch in the gradient", "by-hand", "np.full(B, 1 / B,", "np.full(B, 1.0,", check_agreement),
    Mutant("standard deviation for variance in the divergence", "paper", "torch.exp(logvar) - 1", "torch.exp(0.5 * logvar) - 1", check_bound),
    Mutant("variance for standard deviation in the sample", "by-hand", STD, "np.exp(logvar)", check_agreement),
    Mutant("variance for standard deviation in the sample", "paper", "torch.exp(0.5 * logvar)", "torch.exp(logvar)", check_likelihood),
    Mutant("the head read as the variance itself", "lowlevel", "torch.exp(0.5 * logvar)", "torch.sqrt(logvar.abs())", check_likelihood),
    Mutant("no gradient through the sample", "lowlevel", "z = mean + std * eps", "z = (mean + std * eps).detach()", check_agreement),
    Mutant("no gradient through the sample", "by-hand", ENCODE, "encode_backward(dmean, dlogvar)", check_agreement),
    Mutant("no gradient through the deviation", "paper", "mean + std * eps", "mean + std.detach() * eps", check_agreement),
    Mutant("no half in the gradient through the deviation", "by-hand", "0.5 * dz * self", "dz * self", check_agreement),
    Mutant("the noise forgotten on the way back", "by-hand", ' * self.cache["eps"]', "", check_agreement),
    Mutant("the divergence's sign", "paper", "(reconstruction + kl)", "(reconstruction - kl)", check_bound),
    Mutant("no half in the divergence", "lowlevel", KL, KL.removeprefix("0.5 * "), check_bound),
    Mutant("the divergence pulls the variance to 0", "by-hand", DKL, DKL.replace(" - 1", ""), check_agreement),
    Mutant("no divergence for the means", "by-hand", "dkl[:, None] * mean", "0 * mean", check_agreement),
    Mutant("only one of the encoder's heads goes back", "by-hand", 'dh += self.linear_backward("encoder', 'self.linear_backward("encoder', check_agreement),
    Mutant("the image forgotten as the target", "by-hand", "dx_as_input + dx_as_target", "dx_as_input", check_agreement),
    Mutant("softplus whose slope at 0 is 0", "lowlevel", "0.5 * (logits + size)", "torch.relu(logits)", check_agreement),
    Mutant("probabilities for logits", "paper", "with_logits(logits, x", "with_logits(torch.sigmoid(logits), x", check_agreement),
    Mutant("no ½ log 2π", "lowlevel", "math.log(2 * math.pi) + x_logvar", "x_logvar", check_likelihood),
    Mutant("the variance's price forgotten", "paper", "math.log(2 * math.pi) + x_logvar", "math.log(2 * math.pi)", check_likelihood),
    Mutant("σ for σ² in the likelihood", "by-hand", SCALED, SCALED.replace("-x", "-0.5 * x"), check_likelihood),
    Mutant("no half in the gradient of the decoder's variance", "by-hand", "0.5 * dnll[:, None]", "dnll[:, None]", check_agreement),
    Mutant("weights without the prior", "by-hand", "(noise * noise + logvar - z * z)", "(noise * noise + logvar)", check_likelihood),
    Mutant("weights without q's deviation", "paper", "(noise * noise + logvar - z * z)", "(noise * noise - z * z)", check_likelihood),
    Mutant("the mean of the logarithms", "lowlevel", LSE, "-log_weights.mean(dim=0)", check_more_samples_are_tighter),
    Mutant("not divided by k", "paper", "math.log(len(eps)) - ", "-", check_likelihood),
    Mutant("He's scale everywhere", "lowlevel", 'activation == "relu"', 'activation != "tanh"', check_initialisation),
    Mutant("Xavier's scale for relu", "paper", 'kaiming_normal_(weight, nonlinearity="relu")', "xavier_normal_(weight)", check_initialisation),
    Mutant("fan out for fan in", "by-hand", "2 / fan_in", "2 / fan_out", check_initialisation),
]  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_mutant_is_caught(mutant):
    assert_caught(STUDY, mutant)
