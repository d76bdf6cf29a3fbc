"""LeNet-5 and the small CNN at every level: agreement, counts, statistics at initialisation, errors; and the mutants that these must catch."""

import importlib
import math
from functools import partial

import numpy as np
import pytest

from dlfs.compare import compare_study
from dlfs.levels import build_level, level_names
from dlfs.studies import find_study
from tests.model_checks import MISFITS, assert_agreement, assert_misfit_is_named
from tests.mutants import Mutant, assert_caught
from utils.data_loaders import load

STUDY = find_study("03")
LeNetConfig, CNNConfig = STUDY.facts.LeNetConfig, STUDY.facts.CNNConfig
LEVELS = level_names(STUDY)
MODERN = STUDY.facts.VARIANTS["lenet-modern"]
SMALL_CNN = STUDY.facts.VARIANTS["cnn"]


@pytest.fixture(params=LEVELS)
def build(request):
    """build(config): the level with the weights that its own constructor draws. Arrays go in and come out at each level."""
    return partial(build_level, STUDY, request.param)


def images(config, count=4, dtype=np.float32):
    (x,), (targets,) = STUDY.facts.example_batch(config, np.random.default_rng(0))
    return x[:count].astype(dtype), targets[:count]


# ---------------------------------------------------------------------------- Checks, which mutants must not survive


def check_agreement(build, config_class=LeNetConfig):
    """With initial and with loud weights, in float64, the level computes what L1 by hand and L3 compute."""
    variants = [name for name, config in STUDY.facts.VARIANTS.items() if isinstance(config, config_class)]
    assert_agreement(STUDY, build, variants, ("by-hand", "paper"))


check_cnn_agreement = partial(check_agreement, config_class=CNNConfig)


def check_counts(build):
    """60,000 parameters as the paper counts them, layer by layer; 61,706 in today's LeNet."""
    layers = {"c1": 156, "s2": 12, "c3": 1_516, "s4": 32, "c5": 48_120, "f6": 10_164}
    for config, expected in [(LeNetConfig(), layers), (MODERN, None)]:
        level = build(config)
        counts = {}
        for name, array in level.state().items():
            if name in level.parameter_names():
                layer = name.partition(".")[0]
                counts[layer] = counts.get(layer, 0) + array.size
        assert sum(counts.values()) == (60_000 if expected else 61_706)
        assert expected is None or counts == expected


def check_initialisation(build):
    """Uniform within ±2.4 / F, F the fan-in of the unit, which in C3 depends on the map; the codes are ±1; float32."""
    for config in (LeNetConfig(), MODERN):
        level = build(config)
        for name, array in level.state().items():
            assert array.dtype == np.float32, name
            if name not in level.parameter_names():
                assert (np.abs(array) == 1).all(), name
                continue
            relative = array * config.fan_in(name) / 2.4
            assert np.abs(relative).max() <= 1 + 1e-6, name
            if array.size > 1000:  # a uniform's deviation is 1 / sqrt(3); 5 sigma of 1,500 draws are 7 %
                assert np.abs(relative).max() > 0.98, name
                assert abs(relative.std() * math.sqrt(3) - 1) < 0.07 and abs(relative.mean()) < 0.08, name


def check_he(build):
    """The CNN's weights are He's normal, γ = 1, β = 0, running statistics 0 and 1."""
    state = build(CNNConfig(in_channels=16, image_size=8, channels=(128, 256), num_classes=100)).state()
    for name, array in state.items():
        if array.ndim > 1:
            std = math.sqrt(2 / math.prod(array.shape[1:]))
            assert abs(array.std() / std - 1) < 0.03 and abs(array.mean()) < 0.04 * std, name
            assert np.abs(array).max() > 3.3 * std, name
        else:
            assert (array == (1 if name.endswith(("running_var", "bn1.weight", "bn2.weight")) else 0)).all(), name


def check_ties(build):
    """Of equal values in a field, the first is the largest, as in PyTorch: in a blank image all are equal."""
    config = CNNConfig(in_channels=2, image_size=4, channels=(5,), num_classes=3)
    levels = [build(config), build_level(STUDY, "paper", config)]
    x, targets = np.zeros((2, 2, 4, 4)), np.array([0, 2])
    x[1] = np.random.default_rng(0).standard_normal((2, 4, 4))
    state = {
        name: array.astype(np.float64) if array.dtype.kind == "f" else array
        for name, array in levels[1].state().items()
    }
    state["bn1.bias"] += 1  # the blank image passes the ReLU
    gradients = []
    for level in levels:
        level.load_state(state)
        gradients.append(level.evaluate((x,), (targets,)).input_gradient)
    assert np.abs(gradients[1][0]).max() > 1e-3
    np.testing.assert_allclose(gradients[0], gradients[1], rtol=0, atol=1e-12)


# ----------------------------------------------------------------------------------------------------- Every level


@pytest.mark.parametrize("variant", STUDY.facts.VARIANTS)
def test_all_levels_agree(variant):
    for comparison in compare_study(STUDY, variant):
        assert comparison.ok, f"{comparison.weights} weights: {comparison.worst}, noisy: {comparison.noisy}"
        assert not comparison.silent


def test_parameter_counts(build):
    check_counts(build)


def test_parameter_count_of_the_cnn(build):
    level = build(CNNConfig())
    state = level.state()
    assert sum(state[name].size for name in level.parameter_names()) == 66_730


def test_statistics_at_initialisation(build):
    check_initialisation(build)
    check_he(build)


def test_of_equal_values_in_a_field_the_first_is_taken(build):
    check_ties(build)


@pytest.mark.parametrize("config", [LeNetConfig(), MODERN], ids=["lenet-5", "modern"])
def test_parameter_names_shapes_and_order(build, config):
    level = build(config)
    assert {name: level.state()[name].shape for name in level.parameter_names()} == config.shapes
    assert level.parameter_names() == list(config.shapes)
    assert [tuple(p.shape) for p in level.model.parameters()] == list(config.shapes.values())


def test_every_level_learns_the_digits(build):
    """300 steps by hand of LeNet-5 on the bundled digits, on a lighter diet than the recipe's."""
    data, config = load("digits"), LeNetConfig()
    level, rng = build(config), np.random.default_rng(0)
    level.load_state(build_level(STUDY, "by-hand", config).state())
    level.use_optimizer("adam", 3e-3, {})
    for _ in range(150):
        batch = rng.integers(0, len(data.train), size=32)
        level.step(*STUDY.facts.training_batch(config, data.train.x[batch], data.train.y[batch], rng))
    inputs, targets = STUDY.facts.training_batch(config, data.test.x, data.test.y, rng)
    _, (logits,) = level.predict(inputs, targets)
    assert (logits.argmax(axis=1) == targets[0]).mean() > 0.9


# --------------------------------------------------------------------------------------------- What the paper says


def test_the_table_is_the_papers():
    """In the words of section II.B, not in the table's letters."""
    sets = [{int(i) for i in STUDY.facts.C3_INPUTS[STUDY.facts.C3_OUTPUTS == o]} for o in range(16)]
    assert sets[:6] == [{i, (i + 1) % 6, (i + 2) % 6} for i in range(6)]  # every contiguous subset of three
    assert sets[6:12] == [{i, (i + 1) % 6, (i + 2) % 6, (i + 3) % 6} for i in range(6)]  # and of four
    assert sets[12:15] == [{0, 1, 3, 4}, {1, 2, 4, 5}, {0, 2, 3, 5}]  # discontinuous subsets of four
    assert sets[15] == set(range(6))  # the last takes all


def test_a_map_of_c3_sees_the_maps_that_the_table_names_and_no_other():
    model = build_level(STUDY, "by-hand", LeNetConfig()).model
    connected = model.c3_kernels().any(axis=(2, 3))
    assert connected.sum() == 60
    for o, c in zip(STUDY.facts.C3_OUTPUTS, STUDY.facts.C3_INPUTS):
        assert connected[o, c]


def test_the_squash_maps_one_to_one():
    """Appendix A: f(1) = 1 and f(-1) = -1, where the slope changes fastest; the codes lie there, not on the asymptotes."""
    squash = importlib.import_module("03_CNN_LeNet.numpy.lenet_numpy").squash
    np.testing.assert_allclose(squash(np.array([1.0, -1.0, 0.0, 100.0])), [1, -1, 0, 1.7159], atol=2e-5)
    z = np.linspace(0, 3, 3001)
    curvature = np.abs(np.gradient(np.gradient(squash(z), z), z))
    assert abs(z[curvature[5:-5].argmax() + 5] - 1) < 0.02


def test_the_codes_are_bitmaps_of_7_by_12_and_similar_for_similar_digits():
    codes = STUDY.facts.RBF_CODES
    assert codes.shape == (10, 7 * 12) and (np.abs(codes) == 1).all()
    different = (codes[:, None] != codes).sum(axis=2)
    assert (different + 84 * np.eye(10) >= 14).all()  # the paper's reason for long codes: no two are close
    assert (
        different[3, 8] < different[3, 1] and different[0, 8] < different[0, 1]
    )  # and the look-alikes are the closest


def test_pixels_are_scaled_as_in_the_paper():
    """Section II.B: background -0.1, foreground 1.175, the digit in the middle of 32 x 32."""
    x = np.zeros((1, 1, 28, 28), dtype=np.float32)
    x[0, 0, 0, 0] = 1
    ((field,), _) = STUDY.facts.training_batch(LeNetConfig(), x, np.array([1]), None)
    assert field.shape == (1, 1, 32, 32) and field.dtype == np.float32
    assert field[0, 0, 2, 2] == pytest.approx(1.175) and (np.sort(field.ravel())[:-1] == np.float32(-0.1)).all()
    ((field,), _) = STUDY.facts.training_batch(LeNetConfig(), load("digits").train.x[:3], np.arange(3), None)
    assert field.shape == (3, 1, 32, 32)


@pytest.mark.data
def test_the_mean_of_mnist_is_about_0_as_the_paper_says():
    data = load("mnist")
    ((field,), _) = STUDY.facts.training_batch(LeNetConfig(), data.train.x[:5000], data.train.y[:5000], None)
    assert abs(field.mean()) < 0.05


# ---------------------------------------------------------------------------------------------------------- Errors

CONFIGS = pytest.mark.parametrize("config", [LeNetConfig(), SMALL_CNN], ids=["lenet-5", "cnn"])


@pytest.mark.parametrize(
    ("config", "shape", "message"),
    [
        (LeNetConfig(), (4, 1, 28, 28), r"LeNet5\.forward: expected \(B, 1, 32, 32\), got \(4, 1, 28, 28\); .* padded"),
        (LeNetConfig(), (4, 1024), r"LeNet5\.forward: expected \(B, 1, 32, 32\), got \(4, 1024\)"),
        (LeNetConfig(), (1, 32, 32), r"LeNet5\.forward: expected \(B, 1, 32, 32\), got \(1, 32, 32\)"),
        (CNNConfig(), (4, 1, 32, 32), r"CNN\.forward: expected \(B, 3, 32, 32\), got \(4, 1, 32, 32\)"),
    ],
    ids=["28x28", "flat", "no-batch", "grey"],
)
def test_a_wrong_batch_shape_names_both_shapes(build, config, shape, message):
    with pytest.raises(ValueError, match=message):
        build(config).evaluate((np.zeros(shape, dtype=np.float32),), (np.zeros(4, np.int64),))


@CONFIGS
def test_pixels_that_are_not_floats_are_refused(build, config):
    x, targets = images(config)
    with pytest.raises(TypeError, match=r"\.forward: expected floating-point x, got (torch\.)?uint8; .* x / 255"):
        build(config).evaluate((x.astype(np.uint8),), (targets,))


@pytest.mark.parametrize(
    ("targets", "error", "message"),
    [
        (np.zeros(5, np.int64), ValueError, r"expected targets \(4,\), a class index for each image of x, got \(5,\)"),
        (np.zeros((4, 10), np.int64), ValueError, r"expected targets \(4,\), .* got \(4, 10\)"),
        (np.zeros(4, np.float32), TypeError, r"expected targets of int64, got float32"),
        (np.array([0, 9, 10, 3]), ValueError, r"expected targets in 0\.\.9, got 0\.\.10"),
        (np.array([0, 9, -1, 3]), ValueError, r"expected targets in 0\.\.9, got -1\.\.9"),
    ],
    ids=["too-many", "one-hot", "floats", "above", "below"],
)
@CONFIGS
def test_wrong_targets(build, config, targets, error, message):
    with pytest.raises(error, match=r"\.loss: " + message):
        build(config).evaluate((images(config)[0],), (targets,))


@CONFIGS
@pytest.mark.parametrize("misfit", MISFITS)
def test_load_state_dict_names_what_does_not_fit(build, config, misfit):
    name = "c3.weight" if isinstance(config, LeNetConfig) else "bn2.running_var"
    assert_misfit_is_named(build(config), misfit, name, name + "s")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LeNetConfig(connections="full"), "LeNetConfig: connections is table or dense, got 'full'"),
        (lambda: LeNetConfig(subsampling="max"), "LeNetConfig: subsampling is trainable or average, got 'max'"),
        (lambda: LeNetConfig(output="linear"), "LeNetConfig: output is rbf or softmax, got 'linear'"),
        (lambda: LeNetConfig(output="softmax", loss="mse"), 'LeNetConfig: loss="mse" is of distances'),
        (lambda: LeNetConfig(j=0), "LeNetConfig: j is positive, got 0"),
        (lambda: CNNConfig(image_size=28), "3 poolings halve image_size, which 8 must divide; got 28"),
        (lambda: CNNConfig(channels=(32, 0, 64)), r"channels\[1\] is an int of at least 1, got 0"),
    ],
    ids=range(7),
)
def test_a_bad_config_names_what_is_wrong_and_what_is_valid(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# --------------------------------------------------------------------------------------------------------- Mutants

FOUR = "h[:, :, ::2, ::2] + h[:, :, ::2, 1::2] + h[:, :, 1::2, ::2] + h[:, :, 1::2, 1::2]"
MAX = (
    "np.maximum(np.maximum(h[:, :, ::2, ::2], h[:, :, ::2, 1::2]), np.maximum(h[:, :, 1::2, ::2], h[:, :, 1::2, 1::2]))"
)
FLIPPED = "windows[..., ::-1, ::-1].transpose(1, 4, 5, 0, 2, 3)"
CNN_BY_HAND, CNN_LOWLEVEL, CNN_PAPER = (STUDY.facts.CNN_LEVELS[level] for level in ("by-hand", "lowlevel", "paper"))
MUTANTS = [
    # papers.md's three, at every level
    Mutant("dense C3", "by-hand", "np.zeros((16, 6, 5, 5)", "np.ones((16, 6, 5, 5)", check_agreement),
    Mutant("dense C3", "lowlevel", "torch.zeros(16, 6, 5, 5", "torch.ones(16, 6, 5, 5", check_agreement),
    Mutant("dense C3", "paper", "torch.zeros(16, 6, 5, 5", "torch.ones(16, 6, 5, 5", check_agreement),
    Mutant("flipped kernels", "by-hand", "windows.transpose(1, 4, 5, 0, 2, 3)", FLIPPED, check_agreement),
    Mutant("flipped kernels", "lowlevel", "(weight.reshape(O", "(weight.flip(2, 3).reshape(O", check_agreement),
    Mutant("flipped kernels", "paper", "(x, kernels,", "(x, kernels.flip(2, 3),", check_agreement),
    Mutant("max for average", "by-hand", FOUR, f"4 * {MAX}", check_agreement),
    Mutant("max for average", "lowlevel", FOUR, f"4 * {MAX.replace('np', 'torch')}", check_agreement),
    Mutant("max for average", "paper", "4 * F.avg_pool2d", "4 * F.max_pool2d", check_agreement),
    Mutant("max for average", "paper", "(6) if trainable else nn.AvgPool2d", "(6) if trainable else nn.MaxPool2d", check_agreement),
    # the paper's other particulars
    Mutant("mean for sum in S2", "paper", "4 * F.avg_pool2d", "F.avg_pool2d", check_agreement),
    Mutant("plain tanh", "by-hand", "1.7159, 2 / 3", "1.0, 1.0", check_agreement),
    Mutant("tanh without its slope", "paper", "1.7159 * torch.tanh(2 / 3 * z)", "1.7159 * torch.tanh(z)", check_agreement),
    Mutant("no squash after S2", "by-hand", "h = squash(z)  # eq. 2\n", "h = z\n", check_agreement),
    Mutant("distance without its sign", "paper", "-(distance", "(distance", check_agreement),
    Mutant("no rubbish class", "by-hand", "self.config.rubbish_logit", "-np.inf", check_agreement),
    Mutant("no rubbish class", "paper", "self.config.rubbish_logit", "-float('inf')", check_agreement),
    Mutant("no competition", "by-hand", "loss = loss + log_total.mean()", "pass", check_agreement),
    Mutant("root of the fan-in", "by-hand", "2.4 / fan_in  #", "2.4 / fan_in**0.5  #", check_initialisation),
    Mutant("root of the fan-in", "lowlevel", "2.4 / fan_in,", "2.4 / fan_in**0.5,", check_initialisation),
    Mutant("root of the fan-in", "paper", "2.4 / fan_in,", "2.4 / fan_in**0.5,", check_initialisation),
    Mutant("one fan-in for all C3", "by-hand", "config.fan_in(name), rng", "np.max(config.fan_in(name)), rng", check_initialisation),
    Mutant("trained codes", "paper", 'self.register_buffer("codes", ', "self.codes = nn.Parameter(", check_counts),
    # slips in the way back
    Mutant("no push away", "by-hand", "(probs - one_hot) / B", "(probs * one_hot - one_hot) / B", check_agreement),
    Mutant("tanh's slope alone", "by-hand", "S * A - S / A * h * h", "1 - h * h", check_agreement),
    Mutant("no gradient of S2's bias", "by-hand", "dz.sum(axis=(0, 2, 3))  # (C,), eq. 26", "0 * p[f'{name}.bias']", check_agreement),
    Mutant("S2's coefficient left out", "by-hand", 'ds = p[f"{name}.weight"][:, None, None] * dz', "ds = dz", check_agreement),
    Mutant("average's quarter left out", "by-hand", "sum_of_four_backward(dh / 4)", "sum_of_four_backward(dh)", check_agreement),
    Mutant("windows overwrite", "by-hand", "] += dcolumns[", "] = dcolumns[", check_agreement),
    Mutant("connections mixed up", "by-hand", "dkernels[C3_OUTPUTS, C3_INPUTS]", "dkernels[C3_OUTPUTS, C3_INPUTS[::-1]]", check_agreement),
    Mutant("distance's factor 2", "by-hand", "dh6 = 2 * (", "dh6 = (", check_agreement),
    Mutant("sum for mean over the batch", "by-hand", "(probs - one_hot) / B", "(probs - one_hot)", check_agreement),
    # the CNN's
    Mutant("ties go to all", "by-hand", "unclaimed &= ~largest", "pass", check_ties, CNN_BY_HAND),
    Mutant("statistics as constants", "by-hand", "(dn - shared / count)", "dn", check_cnn_agreement, CNN_BY_HAND),
    Mutant("no mean over the batch", "by-hand", "shared / count", "shared", check_cnn_agreement, CNN_BY_HAND),
    Mutant("biased running variance", "by-hand", "var * (count / (count - 1))", "var", check_cnn_agreement, CNN_BY_HAND),
    Mutant("biased running variance", "lowlevel", "var * (count / (count - 1))", "var", check_cnn_agreement, CNN_LOWLEVEL),
    Mutant("momentum the other way", "by-hand", "1e-5, 0.1", "1e-5, 0.9", check_cnn_agreement, CNN_BY_HAND),
    Mutant("evaluation by the batch", "by-hand", "self.training = mode", "pass", check_cnn_agreement, CNN_BY_HAND),
    Mutant("evaluation by the batch", "lowlevel", "self.training = mode", "pass", check_cnn_agreement, CNN_LOWLEVEL),
    Mutant("epsilon outside the root", "by-hand", "1 / np.sqrt(var + EPSILON)", "1 / (np.sqrt(var) + EPSILON)", check_cnn_agreement, CNN_BY_HAND),
    Mutant("border one pixel off", "by-hand", "dpadded[:, :, 1:-1, 1:-1]", "dpadded[:, :, :-2, :-2]", check_cnn_agreement, CNN_BY_HAND),
    Mutant("average for max", "paper", "F.max_pool2d", "F.avg_pool2d", check_cnn_agreement, CNN_PAPER),
    Mutant("Xavier's scale", "by-hand", "math.sqrt(2 / ", "math.sqrt(1 / ", check_he, CNN_BY_HAND),
    Mutant("Xavier's scale", "lowlevel", "math.sqrt(2 / ", "math.sqrt(1 / ", check_he, CNN_LOWLEVEL),
]  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_mutant_is_caught(mutant):
    assert_caught(STUDY, mutant)
