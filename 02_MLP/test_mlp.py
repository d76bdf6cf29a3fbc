"""The MLP at every level: agreement, counts, statistics at initialisation, errors; and the mutants that these must catch."""

import importlib
import math
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from framework import drop_in
from tests.mutants import Mutant, assert_caught, mutate

FOLDER = Path(__file__).parent
study = importlib.import_module("02_MLP.study")
by_hand = importlib.import_module("02_MLP.numpy.mlp_numpy")
lowlevel = importlib.import_module("02_MLP.pytorch_lowlevel.mlp_lowlevel")
paper = importlib.import_module("02_MLP.paper.mlp_paper")
MLPConfig = study.MLPConfig

LEVELS = {
    "by-hand": by_hand,
    "engine": drop_in.load(FOLDER / study.LEVELS["engine"]),
    "engine-lowlevel": drop_in.load(FOLDER / study.LEVELS["lowlevel"]),
    "lowlevel": lowlevel,
    "paper": paper,
}
WITH_TRAIN_STEP = ("by-hand", "engine-lowlevel", "lowlevel")


@pytest.fixture(params=LEVELS)
def level(request):
    return LEVELS[request.param]


def build(level, config, seed=0):
    """The level's own model with its own initial weights."""
    if not hasattr(level, "torch"):
        return level.MLP(config, np.random.default_rng(seed))
    level.torch.manual_seed(seed)  # PyTorch's, or the engine's under that name
    return level.MLP(config)


def to_level(level, array):
    return level.torch.from_numpy(array) if hasattr(level, "torch") else array


def to_array(tensor):
    return tensor if isinstance(tensor, (np.ndarray, np.generic)) else tensor.detach().numpy()


def weights_of(model):
    return {name: to_array(p) for name, p in model.state_dict().items()}


def loud_weights(config, seed=0):
    """Weights of about five times the usual scale, and biases that are not zero, in float64."""
    rng = np.random.default_rng(seed)
    shapes = {name: p.shape for name, p in by_hand.MLP(config).params.items()}
    return {name: 5 / math.sqrt(shape[-1]) * rng.standard_normal(shape) for name, shape in shapes.items()}


def run(level, config, weights, x, targets):
    """What the level makes of these weights and this batch, in float64: logits, loss, and every gradient by name."""
    model = build(level, config)
    if not hasattr(level, "torch"):
        model.load_state_dict(weights)
        logits, loss = model.forward(x), model.loss(x, targets)
        dx = model.loss_backward()
        return {"logits": logits, "loss": loss, "dx": dx, **model.grads}
    if hasattr(model, "double"):
        model.double()
    model.load_state_dict({name: level.torch.from_numpy(p.copy()) for name, p in weights.items()})
    x, targets = level.torch.from_numpy(x.copy()).requires_grad_(), level.torch.from_numpy(targets)
    logits, loss = model.forward(x), model.loss(x, targets)
    loss.backward()
    grads = {name: to_array(p.grad) for name, p in zip(model.state_dict(), model.parameters())}
    return {"logits": to_array(logits), "loss": loss.item(), "dx": to_array(x.grad), **grads}


def assert_agree(got, expected):
    """Each tensor within 1e-10 of its own scale; for a gradient, at least of a thousandth of the largest gradient."""
    assert got.keys() == expected.keys()
    floor = 1e-3 * max(np.abs(g).max() for name, g in expected.items() if name not in ("logits", "loss"))
    for name, right in expected.items():
        scale = max(np.abs(right).max(), 0 if name in ("logits", "loss") else floor)
        assert np.shape(got[name]) == np.shape(right), name
        difference = np.abs(got[name] - right).max()
        assert difference <= 1e-10 * scale, f"{name}: differs by {difference:.1e}, its scale is {scale:.1e}"


# -------------------------------------------------------------- Checks: each takes a level's module, the mutants' too


def check_agreement(level):
    """With loud weights the level computes what another computes: L1 by hand is held against L3, the others against it."""
    reference = by_hand if hasattr(level, "torch") else paper
    for config in study.VARIANTS.values():
        (x,), (targets,) = study.example_batch(config, np.random.default_rng(1))
        weights = loud_weights(config)
        assert_agree(run(level, config, weights, x, targets), run(reference, config, weights, x, targets))


def check_blank_image(level):
    """With zero biases a blank image makes every z exactly 0: then the slope of ReLU is a convention, and PyTorch's is 0."""
    config = MLPConfig(in_features=12, hidden_sizes=(9, 8), num_classes=5)
    weights = {name: p if p.ndim == 2 else 0 * p for name, p in loud_weights(config).items()}
    x, targets = np.zeros((1, 12)), np.array([3])
    got = run(level, config, weights, x, targets)
    assert not got["dx"].any() and not got["fc1.bias"].any() and not got["fc2.bias"].any()
    assert_agree(got, run(paper, config, weights, x, targets))


def check_initialisation(level):
    """He's normal for relu and gelu, Xavier's uniform for tanh and sigmoid, in every layer; biases zero."""
    sizes = (300, 500, 700, 400)
    for activation in study.ACTIVATION_NAMES:
        weights = weights_of(build(level, MLPConfig(sizes[0], sizes[1:-1], sizes[-1], activation)))
        for i, (fan_in, fan_out) in enumerate(zip(sizes, sizes[1:]), start=1):
            where = f"fc{i}, {activation}"
            weight, bias = weights[f"fc{i}.weight"], weights[f"fc{i}.bias"]
            assert weight.dtype == bias.dtype == np.float32, where
            assert not bias.any(), where
            he = activation in ("relu", "gelu")
            std = math.sqrt(2 / fan_in) if he else math.sqrt(2 / (fan_in + fan_out))
            # With n >= 150,000 draws the deviation is known to 0.2 % and the mean to 0.3 % of it: 1 % and 1.5 % are 5 sigma.
            assert abs(weight.std() / std - 1) < 0.01, f"{where}: std {weight.std():.4f}, expected {std:.4f}"
            assert abs(weight.mean()) < 0.015 * std, where
            largest = np.abs(weight).max() / std
            assert largest > 4 if he else 1.72 < largest <= 1.7321, where  # a uniform ends at sqrt(3) deviations


# ----------------------------------------------------------------------------------------------------- Every level


def test_every_level_agrees(level):
    check_agreement(level)


def test_every_level_takes_relus_slope_at_zero_as_zero(level):
    check_blank_image(level)


def test_every_level_starts_with_the_same_statistics(level):
    check_initialisation(level)


@pytest.mark.parametrize(
    ("config", "count"),
    [
        (MLPConfig(), 203_530),
        (MLPConfig(hidden_sizes=()), 7_850),  # softmax regression
        (MLPConfig(hidden_sizes=(300, 100)), 266_610),
        (MLPConfig(in_features=64, hidden_sizes=(64,)), 4_810),
    ],
    ids=str,
)
def test_parameter_counts(level, config, count):
    assert sum((fan_in + 1) * fan_out for fan_in, fan_out in zip(config.sizes, config.sizes[1:])) == count
    assert sum(p.size for p in weights_of(build(level, config)).values()) == count


def test_parameter_names_and_shapes(level):
    weights = weights_of(build(level, MLPConfig(7, (6, 5), 3)))
    assert [(name, p.shape) for name, p in weights.items()] == [
        ("fc1.weight", (6, 7)),
        ("fc1.bias", (6,)),
        ("fc2.weight", (5, 6)),
        ("fc2.bias", (5,)),
        ("fc3.weight", (3, 5)),
        ("fc3.bias", (3,)),
    ]
    assert [p.shape for p in build(level, MLPConfig(7, (6, 5), 3)).parameters()] == [p.shape for p in weights.values()]


@pytest.mark.parametrize("name", WITH_TRAIN_STEP)
def test_train_step_is_the_same_at_every_level_that_has_one(name):
    level, config = LEVELS[name], MLPConfig(7, (6, 5), 3)
    (x,), (targets,) = study.example_batch(config, np.random.default_rng(0))
    model, reference = build(level, config), by_hand.MLP(config)
    weights = loud_weights(config)
    model.load_state_dict({name: to_level(level, p) for name, p in weights.items()})
    reference.load_state_dict(weights)
    for _ in range(10):
        expected = reference.train_step(x, targets, lr=0.01)
        loss = model.train_step(to_level(level, x), to_level(level, targets), lr=0.01)
        assert isinstance(loss, float)
        assert loss == pytest.approx(expected, rel=1e-10)
    for name, p in weights_of(model).items():
        np.testing.assert_allclose(p, reference.params[name], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", WITH_TRAIN_STEP)
def test_train_step_learns_the_digits(name):
    level, config = LEVELS[name], study.RECIPES["digits"]["config"]
    images, labels = load_digits(return_X_y=True)
    x, targets = (images / 16).astype(np.float32), labels.astype(np.int64)
    model, rng = build(level, config), np.random.default_rng(0)
    for _ in range(10):
        for batch in np.split(rng.permutation(1400), 40):
            model.train_step(to_level(level, x[batch]), to_level(level, targets[batch]), lr=0.5)
    logits = to_array(model.forward(to_level(level, x[1400:])))
    assert (logits.argmax(axis=1) == targets[1400:]).mean() > 0.9  # 397 digits it has not seen


def test_load_state_dict_copies(level):
    config = MLPConfig(7, (6,), 3)
    weights = {name: p.astype(np.float32) for name, p in loud_weights(config).items()}
    model = build(level, config)
    model.load_state_dict({name: to_level(level, p) for name, p in weights.items()})
    before = weights["fc1.weight"].copy()
    weights["fc1.weight"][:] = 0
    np.testing.assert_array_equal(weights_of(model)["fc1.weight"], before)


# ---------------------------------------------------------------------------------------------------------- Errors


@pytest.mark.parametrize("shape", [(32, 100), (784,), (32, 1, 28, 28), (32, 28, 28)], ids=str)
def test_a_wrong_batch_shape_names_both_shapes(level, shape):
    model = build(level, MLPConfig())
    with pytest.raises(ValueError) as error:
        model.forward(to_level(level, np.zeros(shape, dtype=np.float32)))
    assert str(error.value) == f"MLP.forward: expected (B, 784), got {shape}"


def test_pixels_that_are_not_floats_are_refused(level):
    with pytest.raises(TypeError, match=r"MLP\.forward: expected floating-point x, got (torch\.)?uint8; .* x / 255"):
        build(level, MLPConfig()).forward(to_level(level, np.zeros((32, 784), dtype=np.uint8)))


@pytest.mark.parametrize(
    ("targets", "error", "message"),
    [
        (
            np.zeros(5, np.int64),
            ValueError,
            r"MLP\.loss: expected targets \(4,\), a class index for each row of x, got \(5,\)",
        ),
        (np.zeros((4, 10), np.int64), ValueError, r"MLP\.loss: expected targets \(4,\), .* got \(4, 10\)"),
        (np.zeros(4, np.float32), TypeError, r"MLP\.loss: expected targets of int64, got float32"),
        (np.array([0, 9, 10, 3]), ValueError, r"MLP\.loss: expected targets in 0\.\.9, got 0\.\.10"),
        (np.array([0, 9, -1, 3]), ValueError, r"MLP\.loss: expected targets in 0\.\.9, got -1\.\.9"),
    ],
    ids=["too-many", "one-hot", "floats", "above", "below"],
)
def test_wrong_targets(level, targets, error, message):
    x = np.zeros((4, 784), dtype=np.float32)
    with pytest.raises(error, match=message):
        build(level, MLPConfig()).loss(to_level(level, x), to_level(level, targets))


def test_an_empty_batch_has_logits_but_no_loss(level):
    x, targets = np.zeros((0, 784), dtype=np.float32), np.zeros(0, dtype=np.int64)
    model = build(level, MLPConfig())
    assert tuple(model.forward(to_level(level, x)).shape) == (0, 10)
    with pytest.raises(ValueError, match=r"MLP\.loss: .* empty batch"):
        model.loss(to_level(level, x), to_level(level, targets))


@pytest.mark.parametrize("change", ["missing", "unknown", "transposed"])
def test_load_state_dict_names_what_does_not_fit_and_changes_nothing(level, change):
    config = MLPConfig(7, (6,), 3)
    model = build(level, config)
    before = {name: p.copy() for name, p in weights_of(model).items()}
    weights = {name: p.astype(np.float32) for name, p in loud_weights(config).items()}
    if change == "missing":
        del weights["fc2.weight"]
    elif change == "unknown":
        weights["fc3.weight"] = weights["fc2.weight"]
    else:
        weights["fc2.weight"] = weights["fc2.weight"].T.copy()
    with pytest.raises(RuntimeError, match="fc3.weight" if change == "unknown" else "fc2.weight"):
        model.load_state_dict({name: to_level(level, p) for name, p in weights.items()})
    if not hasattr(model, "named_modules"):  # nn.Module copies what fits before it complains
        for name, p in weights_of(model).items():
            np.testing.assert_array_equal(p, before[name])


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        (dict(in_features=0), ValueError, r"in_features is an int of at least 1, got 0"),
        (dict(num_classes=2.5), ValueError, r"num_classes is an int of at least 1, got 2\.5"),
        (dict(hidden_sizes=(64, -3)), ValueError, r"hidden_sizes\[1\] is an int of at least 1, got -3"),
        (dict(hidden_sizes=(True,)), ValueError, r"hidden_sizes\[0\] is an int of at least 1, got True"),
        (dict(hidden_sizes=64), TypeError, r"hidden_sizes is a tuple such as \(256,\) or \(256, 128\), got 64"),
        (dict(activation="swish"), ValueError, r"activation is one of relu, tanh, sigmoid, gelu; got 'swish'"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_a_bad_config_names_what_is_wrong_and_what_is_valid(kwargs, error, message):
    with pytest.raises(error, match="MLPConfig: " + message):
        MLPConfig(**kwargs)


def test_a_config_is_a_value():
    assert MLPConfig(hidden_sizes=[64, 32]) == MLPConfig(hidden_sizes=(64, 32))
    assert len({MLPConfig(), MLPConfig(hidden_sizes=[256])}) == 1


# ------------------------------------------------------------------------------------------- What theory.md says


def test_he_keeps_the_signal_through_ten_relu_layers_and_xavier_halves_its_variance_in_each():
    width, depth = 512, 10
    x = np.random.default_rng(1).standard_normal((512, width)).astype(np.float32)
    loss_of_variance = {}
    for scheme in ("relu", "tanh"):
        weights = build(by_hand, MLPConfig(width, (width,) * depth, 10, activation=scheme)).state_dict()
        model = by_hand.MLP(MLPConfig(width, (width,) * depth, 10, activation="relu"))
        model.load_state_dict(weights)
        model.forward(x)
        loss_of_variance[scheme] = model.cache["z1"].var() / model.cache[f"z{depth}"].var()
    assert 0.5 < loss_of_variance["relu"] < 2
    assert 0.5 < loss_of_variance["tanh"] / 2 ** (depth - 1) < 2


# --------------------------------------------------------------------------------------------------------- Mutants

NUMPY, LOWLEVEL, PAPER = by_hand.__name__, lowlevel.__name__, paper.__name__
KAIMING, XAVIER = 'kaiming_normal_(weight, nonlinearity="relu")', "xavier_uniform_(weight)"
MUTANTS = [
    Mutant("by hand: Xavier's scale for relu", NUMPY, "2 / fan_in", "2 / (fan_in + fan_out)", check_initialisation),
    Mutant("L2: Xavier's scale for relu", LOWLEVEL, "2 / fan_in", "2 / (fan_in + fan_out)", check_initialisation),
    Mutant("L3: Xavier's scale for relu", PAPER, KAIMING, "xavier_normal_(weight)", check_initialisation),
    Mutant("by hand: He's scale for tanh", NUMPY, "6 / (fan_in + fan_out)", "6 / fan_in", check_initialisation),
    Mutant("L2: He's scale for tanh", LOWLEVEL, "6 / (fan_in + fan_out)", "6 / fan_in", check_initialisation),
    Mutant("L3: He's scale for tanh", PAPER, XAVIER, 'kaiming_uniform_(weight, nonlinearity="relu")', check_initialisation),
    Mutant("by hand: fan out for fan in", NUMPY, "2 / fan_in", "2 / fan_out", check_initialisation),
    Mutant("by hand: relu's slope at 0 is 1", NUMPY, "(z > 0)", "(z >= 0)", check_blank_image),
    Mutant("L2: relu's slope at 0 is 1", LOWLEVEL, "torch.relu", "lambda z: torch.where(z < 0, 0, z)", check_blank_image),
    Mutant("by hand: softmax's p(1 - p) alone", NUMPY, "(probs - one_hot)", "one_hot * (probs - one_hot)", check_agreement),
    Mutant("by hand: the tanh form of gelu", NUMPY, "return z * normal_cdf(z)",
           "return 0.5 * z * (1 + np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)))", check_agreement),
    Mutant("L3: the tanh form of gelu", PAPER, "F.gelu", 'lambda z: F.gelu(z, approximate="tanh")', check_agreement),
]  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_is_caught(mutant):
    assert_caught(mutant)


def test_only_a_blank_image_shows_the_slope_of_relu_at_zero():
    """Loud biases keep every z away from 0: the agreement of loud weights cannot see this mistake, so it has its own check."""
    check_agreement(mutate(NUMPY, "(z > 0)", "(z >= 0)"))
