"""Linear, logistic and softmax regression at every level: agreement, stability, counts, errors, scikit-learn; and the mutants that
these must catch."""

import importlib
from functools import partial

import numpy as np
import pytest
from scipy.special import expit, log_softmax

from dlfs.compare import compare_study
from dlfs.levels import build_level, level_names
from dlfs.studies import find_study
from tests.model_checks import MISFITS, assert_agreement, assert_misfit_is_named
from tests.mutants import Mutant, assert_caught, mutate
from utils.data_loaders import load

STUDY = find_study("01")
LinearConfig, VARIANTS = STUDY.facts.LinearConfig, STUDY.facts.VARIANTS
LEVELS = [name for name in level_names(STUDY) if name != "twin"]


@pytest.fixture(params=LEVELS)
def build(request):
    """build(config): the level with the weights that its own constructor makes. Arrays go in and come out at each level."""
    return partial(build_level, STUDY, request.param)


# ---------------------------------------------------------------------------- Checks, which mutants must not survive


def check_agreement(build):
    """With initial and with loud weights, in float64, the level computes what L1 by hand and L3 compute."""
    small = [
        name for name, config in VARIANTS.items() if config != LinearConfig()
    ]  # which is as softmax-elastic, but large
    assert_agreement(STUDY, build, small, ("by-hand", "paper"))


def check_far_out(build):
    """Losses and gradients where exp overflows and σ rounds to 0 or 1; and, of the logistic loss, exactly at 0."""
    level = build(LinearConfig(1, 1, "logistic"))
    level.load_state({"linear.weight": np.ones((1, 1)), "linear.bias": np.zeros(1)})
    for z in (-1e4, -800.0, -40.0, -21.0, 0.0, 21.0, 40.0, 800.0, 1e4):
        for target in (0, 1):
            found = level.evaluate((np.array([[z]]),), (np.array([target]),))
            np.testing.assert_allclose(found.loss, np.logaddexp(0, (1 - 2 * target) * z), rtol=1e-12, atol=1e-13)
            np.testing.assert_allclose(found.input_gradient, [[expit(z) - target]], rtol=1e-12, atol=1e-13)
    level = build(LinearConfig(3, 3, "softmax"))
    level.load_state({"linear.weight": np.eye(3), "linear.bias": np.zeros(3)})
    x = np.array([[1e4, 0.0, -1e4], [-1e4, -1e4, -1e4 + 1]])
    found = level.evaluate((x,), (np.array([1, 2]),))
    np.testing.assert_allclose(found.loss, -log_softmax(x, axis=1)[[0, 1], [1, 2]].mean(), rtol=1e-12)
    assert np.isfinite(found.input_gradient).all()


def check_start(build):
    """Weights and bias are zeros, in float32; so every class is equally likely."""
    for config in VARIANTS.values():
        level = build(config)
        for name, p in level.state().items():
            assert p.dtype == np.float32 and not p.any(), name
        if config.regression != "linear" and not config.l1:
            (x,), (targets,) = STUDY.facts.example_batch(config, np.random.default_rng(0))
            loss, _ = level.predict((x.astype(np.float32),), (targets,))
            np.testing.assert_allclose(loss, np.log(max(2, config.out_features)), rtol=1e-6)


def check_bias_learns(build):
    """On inputs of zeros the bias comes to the mean of the targets, or to the logit of how many are 1: no penalty holds it back."""
    x = np.zeros((8, 2))
    level = build(LinearConfig(2, 1, "linear", l1=0.5, l2=0.5))
    level.load_state({"linear.weight": np.zeros((1, 2)), "linear.bias": np.zeros(1)})
    for _ in range(60):
        level.sgd_step((x,), (np.arange(8.0)[:, None],), lr=0.5)
    np.testing.assert_allclose(level.state()["linear.bias"], [3.5], rtol=1e-12)
    level = build(LinearConfig(2, 1, "logistic", l1=0.5, l2=0.5))
    level.load_state({"linear.weight": np.zeros((1, 2)), "linear.bias": np.zeros(1)})
    for _ in range(200):
        level.sgd_step((x,), (np.array([1, 1, 1, 1, 1, 1, 0, 0]),), lr=2.0)
    np.testing.assert_allclose(level.state()["linear.bias"], [np.log(3)], rtol=1e-10)


# ----------------------------------------------------------------------------------------------------- Every level


@pytest.mark.parametrize("variant", VARIANTS)
def test_all_levels_and_the_twin_agree(variant):
    for comparison in compare_study(STUDY, variant):
        assert comparison.ok, f"{comparison.weights} weights: {comparison.worst}, noisy: {comparison.noisy}"
        assert not comparison.silent and "twin" in comparison.titles


def test_no_loss_overflows(build):
    check_far_out(build)


def test_it_starts_from_zeros(build):
    check_start(build)


def test_the_bias_is_learnt_and_not_penalised(build):
    check_bias_learns(build)


@pytest.mark.parametrize(
    ("config", "count"),
    [(LinearConfig(), 7_850), (LinearConfig(30, 1, "logistic"), 31), (LinearConfig(10, 1, "linear"), 11)],
    ids=["mnist", "breast-cancer", "diabetes"],
)
def test_parameter_counts(build, config, count):
    level = build(config)
    assert sum(p.size for p in level.state().values()) == count
    assert level.parameter_names() == ["linear.weight", "linear.bias"]
    assert [tuple(p.shape) for p in level.model.parameters()] == [
        (config.out_features, config.in_features),
        (config.out_features,),
    ]


def test_gradient_descent_learns_the_digits(build):
    data, level = load("digits"), build(STUDY.facts.RECIPES["digits"]["config"])
    batch = partial(STUDY.facts.training_batch, level.model.config, rng=None)
    inputs, targets = batch(data.train.x, data.train.y)
    for _ in range(100):
        level.sgd_step(inputs, targets, lr=1.0)
    _, (z,) = level.predict(*batch(data.test.x, data.test.y))
    assert (z.argmax(axis=1) == data.test.y).mean() > 0.93


def test_load_state_dict_copies(build):
    level, state = (
        build(LinearConfig(7, 3)),
        {"linear.weight": np.ones((3, 7), np.float32), "linear.bias": np.ones(3, np.float32)},
    )
    level.model.load_state_dict({n: level.tensor(p) for n, p in state.items()} if hasattr(level, "tensor") else state)
    state["linear.weight"][:] = 0
    assert level.state()["linear.weight"].all()


# ---------------------------------------------------------------------------------------------- Against scikit-learn

AGAINST = STUDY.module("against_sklearn.py")
ESTIMATORS = [(f"{case.data}-{case.estimator}", case) for case in AGAINST.cases()]


@pytest.mark.parametrize("case", [case for _, case in ESTIMATORS], ids=[name for name, _ in ESTIMATORS])
def test_coefficients_are_scikit_learns(case):
    for solver, _, difference, _ in AGAINST.compare(case):
        assert difference < 1e-6, solver


def test_the_lasso_of_the_readme_drops_two_measurements():
    (case,) = [case for _, case in ESTIMATORS if case.estimator == "Lasso"]
    ((_, _, _, model),) = AGAINST.compare(case)
    assert (model.params["linear.weight"] == 0).sum() == 2


def test_the_readme_shows_the_table_that_the_command_makes():
    lines, _ = AGAINST.rows()
    text = AGAINST.README.read_text(encoding="utf-8")
    block = text.split(AGAINST.BEGIN)[1].split(AGAINST.END)[0]
    shown = [line.strip("|").split("|") for line in block.splitlines() if line.startswith("|")][2:]
    steps = AGAINST.HEAD.index("steps")  # may differ by one on another machine
    for row, line in zip(shown, lines, strict=True):
        found, expected = [cell.strip() for cell in row], list(line)
        del found[steps], expected[steps]
        assert found == expected


def test_scikit_learn_notices_a_missing_bias():
    case = ESTIMATORS[0][1]
    source = importlib.import_module("01_Linear_Logistic.numpy.solvers_numpy")
    solvers, AGAINST.solvers = AGAINST.solvers, mutate(source.__name__, "np.ones(len(x)", "np.zeros(len(x)")
    try:
        found = [difference for _, _, difference, _ in AGAINST.compare(case._replace(solvers=("least_squares",)))]
    finally:
        AGAINST.solvers = solvers
    assert found[0] > 0.1


# ---------------------------------------------------------------------------------------------------- The data sets


@pytest.mark.parametrize(("name", "rows", "features"), [("diabetes", (310, 66, 66), 10), ("breast-cancer", (399, 85, 85), 30)])  # fmt: skip
def test_tables_are_scikit_learns_standardised_by_their_training_rows(name, rows, features):
    from sklearn.datasets import load_breast_cancer, load_diabetes

    data = load(name)
    bunch = load_diabetes(scaled=False) if name == "diabetes" else load_breast_cancer()
    assert tuple(len(split) for split in (data.train, data.valid, data.test)) == rows
    assert data.features == tuple(bunch.feature_names) and data.train.x.shape == (rows[0], features)
    assert data.train.x.dtype == np.float32 and data.train.y.dtype == (np.float32 if name == "diabetes" else np.int64)
    np.testing.assert_allclose(data.train.x.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(data.train.x.std(axis=0), 1, atol=1e-6)
    assert np.abs(data.test.x.mean(axis=0)).max() > 0.05  # the other rows are not centred by themselves
    # Correlations do not change with shift, scale and the order of the rows.
    x = np.concatenate([split.x for split in (data.train, data.valid, data.test)])
    y = np.concatenate([split.y for split in (data.train, data.valid, data.test)])
    ours, theirs = (np.corrcoef(np.column_stack(pair).T) for pair in ((x, y), (bunch.data, bunch.target)))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


# ---------------------------------------------------------------------------------------------------------- Errors


@pytest.mark.parametrize("shape", [(32, 100), (784,), (32, 1, 28, 28)], ids=str)
def test_a_wrong_batch_shape_names_both_shapes(build, shape):
    with pytest.raises(ValueError) as error:
        build(LinearConfig()).evaluate((np.zeros(shape, dtype=np.float32),), (np.zeros(32, np.int64),))
    assert str(error.value) == f"LinearModel.forward: expected (B, 784), got {shape}"


def test_inputs_that_are_not_floats_are_refused(build):
    with pytest.raises(TypeError, match=r"LinearModel\.forward: expected floating-point x, got (torch\.)?uint8"):
        build(LinearConfig()).evaluate((np.zeros((32, 784), dtype=np.uint8),), (np.zeros(32, np.int64),))


@pytest.mark.parametrize(
    ("variant", "targets", "error", "message"),
    [
        ("softmax-elastic", np.zeros(5, np.int64), ValueError, r"targets \(4,\), a class index .* got \(5,\)"),
        ("softmax-elastic", np.zeros(4, np.float32), TypeError, r"targets of int64, got float32"),
        ("softmax-elastic", np.array([0, 9, 10, 3]), ValueError, r"targets in 0\.\.9, got 0\.\.10"),
        ("logistic", np.array([0, 1, 2, 1]), ValueError, r"targets in 0\.\.1, got 0\.\.2"),
        ("logistic", np.array([-1, 1, 1, 1]), ValueError, r"targets in 0\.\.1, got -1\.\.1"),
        ("linear-several", np.zeros(4, np.float32), ValueError, r"targets \(4, 3\), a number for each output, got \(4,\)"),
        ("linear-several", np.zeros((4, 3), np.int64), TypeError, r"floating-point targets, got int64"),
    ],
    ids=["too-many", "floats", "above", "three", "minus-one", "one-column", "ints"],
)  # fmt: skip
def test_wrong_targets(build, variant, targets, error, message):
    config = VARIANTS[variant]
    with pytest.raises(error, match=r"LinearModel\.loss: expected " + message):
        build(config).evaluate((np.zeros((4, config.in_features), dtype=np.float32),), (targets,))


def test_an_empty_batch_has_no_loss(build):
    with pytest.raises(ValueError, match=r"LinearModel\.loss: .* empty batch"):
        build(LinearConfig()).predict((np.zeros((0, 784), dtype=np.float32),), (np.zeros(0, dtype=np.int64),))


@pytest.mark.parametrize("misfit", MISFITS)
def test_load_state_dict_names_what_does_not_fit(build, misfit):
    assert_misfit_is_named(build(LinearConfig(7, 3)), misfit, "linear.weight", "linear.slope")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(in_features=0), r"in_features is an int of at least 1, got 0"),
        (dict(out_features=2.5), r"out_features is an int of at least 1, got 2\.5"),
        (dict(regression="poisson"), r"regression is one of linear, logistic, softmax; got 'poisson'"),
        (dict(regression="logistic"), r'logistic has one output, got out_features=10; several classes are "softmax"'),
        (dict(l2=-0.1), r"l2 is a finite number of at least 0, got -0\.1"),
        (dict(l1=float("nan")), r"l1 is a finite number of at least 0, got nan"),
    ],
    ids=["no-inputs", "half", "poisson", "logistic-10", "negative", "nan"],
)
def test_a_bad_config_names_what_is_wrong_and_what_is_valid(options, message):
    with pytest.raises(ValueError, match="LinearConfig: " + message):
        LinearConfig(**options)


# --------------------------------------------------------------------------------------------------------- Mutants

HAND_LOSSES = "losses = np.maximum(z, 0) - y * z + np.log1p(np.exp(-np.abs(z)))"
LOW_MAXIMUM = "torch.maximum(z, torch.zeros_like(z))"
LOW_LOSSES = f"losses = {LOW_MAXIMUM} - y * z + torch.log1p(torch.exp(-torch.abs(z)))"
HAND_SIGMOID_LOG = "losses = -(y * np.log(sigmoid(z)) + (1 - y) * np.log(1 - sigmoid(z)))"
LOW_SIGMOID_LOG = "losses = -(y * torch.log(torch.sigmoid(z)) + (1 - y) * torch.log(1 - torch.sigmoid(z)))"
BCE = "F.binary_cross_entropy_with_logits(z[:, 0], targets.to(z.dtype))"
RETURN_DX = "        return dx\n\n    def backward("
PENALISED_BIAS = '        self.grads["linear.bias"] += l2 * self.params["linear.bias"]\n'
MUTANTS = [
    Mutant("sum for mean in one gradient", "by-hand", "(z - targets) / len(z)  # (B, K), eq. 11", "(z - targets)", check_agreement),
    Mutant("sum for mean in one gradient", "by-hand", "(sigmoid(z) - y) / len(z)", "(sigmoid(z) - y)", check_agreement),
    Mutant("sum for mean in one gradient", "by-hand", "(softmax(z) - one_hot) / len(z)", "(softmax(z) - one_hot)", check_agreement),
    Mutant("mean over outputs, too", "by-hand", "((z - targets) ** 2).sum() / len(z)", "((z - targets) ** 2).mean()", check_agreement),
    Mutant("mean over outputs, too", "paper", 'reduction="sum") / len(z)', 'reduction="mean")', check_agreement),
    Mutant("the half forgotten", "lowlevel", "0.5 * ((z - targets)", "((z - targets)", check_agreement),
    Mutant("no gradient for the bias", "by-hand", "dz.sum(axis=0)", "0 * dz.sum(axis=0)", check_bias_learns),
    Mutant("no gradient for the bias, seen by compare", "by-hand", "dz.sum(axis=0)", "0 * dz.sum(axis=0)", check_agreement),
    Mutant("mean over the batch in the bias's gradient", "by-hand", "dz.sum(axis=0)", "dz.mean(axis=0)", check_agreement),
    Mutant("no bias", "lowlevel", '.T + p["linear.bias"]', '.T + 0 * p["linear.bias"]', check_bias_learns),
    Mutant("the bias penalised", "by-hand", RETURN_DX, PENALISED_BIAS + RETURN_DX, check_bias_learns),
    Mutant("sigmoid, then log", "by-hand", HAND_LOSSES, HAND_SIGMOID_LOG, check_far_out),
    Mutant("sigmoid, then log", "lowlevel", LOW_LOSSES, LOW_SIGMOID_LOG, check_far_out),
    Mutant("sigmoid, then log", "paper", BCE, "F.binary_cross_entropy(torch.sigmoid(z[:, 0]), targets.to(z.dtype))", check_far_out),
    Mutant("1 / (1 + exp(-z)) is fine, log(1 + exp(z)) is not", "by-hand", HAND_LOSSES, "losses = np.log1p(np.exp(z)) - y * z", check_far_out),
    Mutant("relu's slope at 0", "lowlevel", LOW_MAXIMUM, "torch.relu(z)", check_far_out),
    Mutant("relu's slope at 0, seen by compare", "lowlevel", LOW_MAXIMUM, "torch.relu(z)", check_agreement),
    Mutant("clamp's slope at 0", "lowlevel", LOW_MAXIMUM, "torch.clamp(z, min=0)", check_far_out),
    Mutant("F.softplus is linear from 20 on", "paper", BCE, "(F.softplus(z[:, 0]) - targets * z[:, 0]).mean()", check_far_out),
    Mutant("log-sum-exp without its maximum", "by-hand", "m = z.max(axis=1, keepdims=True)", "m = 0 * z.max(axis=1, keepdims=True)", check_far_out),
    Mutant("softmax, then log", "lowlevel", "z - torch.logsumexp(z, dim=1, keepdim=True)", "torch.log(torch.softmax(z, dim=1))", check_far_out),
    Mutant("softmax over the batch", "by-hand", "np.exp(z - m).sum(axis=1, keepdims=True)", "np.exp(z - m).sum(axis=0, keepdims=True)", check_agreement),
    Mutant("softmax as p(1 - p)", "by-hand", "(softmax(z) - one_hot)", "one_hot * (softmax(z) - one_hot)", check_agreement),
    Mutant("l2 for l2 / 2", "by-hand", "0.5 * l2", "l2", check_agreement),
    Mutant("2 l2 W for l2 W", "by-hand", "+ l2 * weight", "+ 2 * l2 * weight", check_agreement),
    Mutant("the lasso's slope at 0 is 1", "by-hand", "np.sign(weight)", "np.where(weight >= 0, 1.0, -1.0)", check_agreement),
    Mutant("PyTorch's initialisation", "paper", "        nn.init.zeros_(self.linear.weight)\n", "", check_start),
    Mutant("ones for zeros", "lowlevel", "torch.zeros(config.out_features),", "torch.ones(config.out_features),", check_start),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # some mistakes overflow, that is their point
@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_mutant_is_caught(mutant):
    assert_caught(STUDY, mutant)
