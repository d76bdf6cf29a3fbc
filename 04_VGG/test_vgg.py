"""VGG at every level: agreement, production parity, counts, dropout, initialisation, errors; and the mutants that these must catch."""

import math
import re
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torchvision.models import vgg

from dlfs.compare import BOUND, as_float64, compare_study, loud, relative
from dlfs.levels import TensorLevel, build_level, initial_level, level_names
from dlfs.studies import find_study
from tests.model_checks import assert_agreement, assert_evaluations_agree, kept_outputs
from tests.mutants import Mutant, assert_caught
from utils.data_loaders import load
from utils.errors import DLFSError
from utils.schedules import SCHEDULES
from utils.visualization import save

STUDY = find_study("04")
VGGConfig, VARIANTS, SMALL = STUDY.facts.VGGConfig, STUDY.facts.VARIANTS, STUDY.facts.SMALL
PUBLISHED, TABLE_1 = STUDY.facts.PUBLISHED, STUDY.facts.TABLE_1
LEVELS = [name for name in level_names(STUDY) if name != "twin"]
KEYMAP = STUDY.module("keymap.py")


@pytest.fixture(params=LEVELS)
def build(request):
    """build(config): the level with the weights that its own constructor draws. Arrays go in and come out at each level."""
    return partial(build_level, STUDY, request.param)


def batch_of(config, dtype=np.float32):
    (x,), (targets,) = STUDY.facts.example_batch(config, np.random.default_rng(0))
    return x.astype(dtype), targets


def loud_level(build, config, seed=0):
    """A level in float64 with large weights."""
    rng, level = np.random.default_rng(seed), build(config)
    level.load_state(loud({name: as_float64(a) for name, a in level.state().items()}, level.parameter_names(), rng))
    return level


# ---------------------------------------------------------------------------- Checks, which mutants must not survive


def check_agreement(build, *variants):
    """With initial and with loud weights, in float64, the level computes what L2 and L3 compute."""
    assert_agreement(STUDY, build, variants, ("lowlevel", "paper"))


def agreement_on(*variants):
    def check(build):
        check_agreement(build, *variants)

    return check


def check_names_and_shapes(build):
    """Names, shapes and their order are those of config.shapes, which test_published_counts holds against torchvision."""
    for variant in ("small-bn", "narrow-C", "narrow-cifar"):
        config = VARIANTS[variant]
        level = build(config)
        assert {name: level.state()[name].shape for name in level.parameter_names()} == config.shapes
        assert level.parameter_names() == list(config.shapes)


def check_odd_sizes(build):
    """Of 13 rows the poolings leave 6 and 3, as of 12: the last pixel of each row and column changes nothing behind the first."""
    config = replace(SMALL, layers=(1,), channels=(4,))
    level = build(config)
    (pooled,) = [h for h in feature_outputs(level, batch_of(config)[0]) if h.shape[-1] < 13]
    assert pooled.shape == (4, 4, 6, 6), pooled.shape


def feature_outputs(level, x):
    """What each layer before the linear ones puts out."""
    outputs, h = [], level.tensor(x)
    for layer in level.model.features:
        h = layer.forward(h)
        outputs.append(h.detach().numpy())
    return outputs


def check_initialisation(build):
    """N(0, 0.01²) or He's normal by the fan-in; biases 0, γ = 1, running statistics 0 and 1."""
    sizes = dict(layers=(1, 1), channels=(64, 96), hidden=(80,), image_size=8, num_classes=100, batch_norm=True)
    for init in ("normal", "he"):
        for name, array in build(VGGConfig(**sizes, init=init)).state().items():
            if array.ndim > 1:
                std = 0.01 if init == "normal" else math.sqrt(2 / math.prod(array.shape[1:]))
                tolerance = 0.06 if array.size > 5000 else 0.1
                assert abs(array.std() / std - 1) < tolerance and abs(array.mean()) < 0.1 * std, f"{init}: {name}"
                assert np.abs(array).max() > 2.5 * std, name
            else:
                is_gamma = name.endswith(".weight")
                assert (array == (1 if is_gamma or name.endswith("running_var") else 0)).all(), name


def check_evaluation(build):
    """In evaluation an image's logits do not depend on the other images of the batch, nor on chance."""
    for config in (VARIANTS["small-bn"], replace(SMALL, dropout=0.5)):
        level = loud_level(build, config)
        x, targets = batch_of(config, np.float64)
        _, (together,) = level.predict((x,), (targets,))
        _, (alone,) = level.predict((x[:1],), (targets[:1],))
        without = build(replace(config, dropout=0.0))
        without.load_state(level.state())
        _, (plain,) = without.predict((x,), (targets,))
        assert relative(together[:1], alone) < 1e-9
        np.testing.assert_array_equal(together, plain)


def check_dropout(build):
    """In training, of the hidden units and only of them p are 0 each time anew, and the others 1 / (1 - p) as large."""
    config = replace(SMALL, hidden=(4000, 2000), dropout=0.25)
    level, plain = loud_level(build, config), loud_level(build, replace(config, dropout=0.0))
    level.load_state(plain.state())
    x, targets = batch_of(config, np.float64)
    seen, without = (hidden_states(one) for one in (level, plain))
    for one in (level, plain):
        one.train(True)
        one.loss((x,), (targets,))
    first = dict(seen)
    level.loss((x,), (targets,))
    assert (first["classifier.2"] != seen["classifier.2"]).any()
    np.testing.assert_array_equal(first["classifier.0"], without["classifier.0"])  # no dropout of the maps
    before, after = first["classifier.1"], first["classifier.2"]
    active = before != 0
    assert abs((after[active] == 0).mean() - 0.25) < 0.03
    kept = after != 0
    np.testing.assert_allclose(after[kept], before[kept] / 0.75)
    assert abs((first["classifier.5"][first["classifier.4"] != 0] == 0).mean() - 0.25) < 0.03
    np.testing.assert_array_equal(first["classifier.6"][..., 0] == 0, False)  # no dropout of the logits


def check_dropout_gradient(build):
    """Where the mask is 0 the gradient is, too: a unit that was out learns nothing."""
    config = replace(SMALL, hidden=(50,), dropout=0.5)
    level = build(config)
    level.load_state({name: as_float64(array) for name, array in level.state().items()})
    x, targets = (array[:1] for array in batch_of(config, np.float64))
    seen = hidden_states(level)
    level.train(True)
    level.loss((x,), (targets,)).backward()
    gradient = level.parameters()["classifier.3.weight"].grad.numpy()  # (K, E)
    out = seen["classifier.2"][0] == 0
    np.testing.assert_array_equal(np.abs(gradient).sum(axis=0) == 0, out)
    gradient = level.parameters()["classifier.0.bias"].grad.numpy()  # (E,)
    np.testing.assert_array_equal(gradient == 0, out)


def check_momentum(build):
    """L2's train_step with momentum and weight decay against torch.optim.SGD on L3, over five steps."""
    config, options = SMALL, dict(momentum=0.9, weight_decay=0.05)
    tested, reference = build(config), build_level(STUDY, "paper", config)
    state = {name: as_float64(array) for name, array in reference.state().items()}
    for level in (tested, reference):
        level.load_state(state)
    batch = batch_of(config, np.float64)
    reference.use_optimizer("sgd", 0.1, options)
    for _ in range(5):
        loss = tested.model.train_step(*map(tested.tensor, batch), lr=0.1, **options)
        assert abs(loss - reference.step(*((array,) for array in batch))) < 1e-10
    for name, array in reference.state().items():
        assert relative(array, tested.state()[name]) < 1e-9, name


# ----------------------------------------------------------------------------------------------------- Every level


@pytest.mark.parametrize("variant", VARIANTS)
def test_all_levels_agree(variant):
    for comparison in compare_study(STUDY, variant):
        assert comparison.ok, f"{comparison.weights} weights: {comparison.worst}, noisy: {comparison.noisy}"
        assert ("twin" in comparison.titles) == (not VARIANTS[variant].third_1x1)


def test_names_shapes_and_order(build):
    check_names_and_shapes(build)


def test_odd_sizes(build):
    check_odd_sizes(build)


def test_statistics_at_initialisation(build):
    check_initialisation(build)


def test_evaluation_looks_at_each_image_alone(build):
    check_evaluation(build)


def test_dropout(build):
    check_dropout(build)


def test_what_dropout_takes_out_learns_nothing(build):
    check_dropout_gradient(build)


@pytest.mark.parametrize("level", ["lowlevel", "engine-lowlevel"])
def test_momentum_and_weight_decay(level):
    check_momentum(partial(build_level, STUDY, level))


def test_every_level_learns_the_digits(build):
    data, recipe = load("digits"), STUDY.facts.RECIPES["digits"]
    config, rng = recipe["config"], np.random.default_rng(0)
    level, losses = build(config), []
    level.load_state(initial_level(STUDY, config, seed=0).state())
    level.use_optimizer("sgd", recipe["lr"], recipe["optimizer_options"])
    for _ in range(60):
        batch = rng.integers(0, len(data.train), size=32)
        losses.append(level.step(*STUDY.facts.training_batch(config, data.train.x[batch], data.train.y[batch], rng)))
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:10])
    inputs, targets = STUDY.facts.training_batch(config, data.test.x, data.test.y, rng)
    _, (logits,) = level.predict(inputs, targets)
    assert (logits.argmax(axis=1) == targets[0]).mean() > 0.8


def test_the_paper_s_net_learns_with_dropout(build):
    """Without BatchNorm, with two hidden layers and dropout, for 50 steps."""
    data, rng = load("digits"), np.random.default_rng(0)
    config = replace(
        STUDY.facts.RECIPES["digits"]["config"], layers=(1, 2), channels=(8, 16), hidden=(64, 64), dropout=0.5
    )
    level, losses = build(config), []
    level.load_state(initial_level(STUDY, config, seed=0).state())
    level.use_optimizer("sgd", 0.05, dict(momentum=0.9, weight_decay=5e-4))
    level.manual_seed(0)
    for _ in range(60):
        batch = rng.integers(0, len(data.train), size=32)
        losses.append(level.step(*STUDY.facts.training_batch(config, data.train.x[batch], data.train.y[batch], rng)))
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10]), losses


# --------------------------------------------------------------------------------------------- Bootstrapping from A


def test_a_deep_net_starts_with_parts_of_net_a(build):
    """Section 3.1 of the paper: the first four convolutions and all three linear layers; the rest as drawn."""
    deep, shallow = (VARIANTS[name] for name in ("narrow-D", "narrow-A"))
    ours, theirs = (build(config) for config in (deep, shallow))
    drawn, given = ours.state(), theirs.state()
    state = STUDY.facts.bootstrapped(deep, ours.model.state_dict(), shallow, theirs.model.state_dict())
    ours.model.load_state_dict(state)
    copied = {  # stage 1: 64, stage 2: 128, stage 3: 256 and 256; torchvision's numbers of nets D and A
        "features.0": "features.0", "features.5": "features.3", "features.10": "features.6", "features.12": "features.8",
        "classifier.0": "classifier.0", "classifier.3": "classifier.3", "classifier.6": "classifier.6",
    }  # fmt: skip
    for name, array in ours.state().items():
        layer, _, kind = name.rpartition(".")
        expected = given[f"{copied[layer]}.{kind}"] if layer in copied else drawn[name]
        np.testing.assert_array_equal(array, expected, err_msg=name)
    assert (drawn["features.0.weight"] != given["features.0.weight"]).any()


def test_bootstrapping_refuses_other_widths():
    deep, shallow = VARIANTS["narrow-D"], replace(VARIANTS["narrow-A"], hidden=(9, 9))
    states = [build_level(STUDY, "paper", config).state() for config in (deep, shallow)]
    with pytest.raises(ValueError, match=r"classifier\.3\.weight \(9, 9\) does not fit into classifier\.3\.weight \(8, 9\)"):  # fmt: skip
        STUDY.facts.bootstrapped(deep, states[0], shallow, states[1])


# ------------------------------------------------------------------------------------------- Production parity


def hidden_states(level):
    """A dict that a forward call fills: the output of every layer by its name."""
    layers = () if hasattr(level.model, "named_modules") else (*level.model.features, *level.model.classifier)
    return kept_outputs(level, layers, lambda name, module: "." in name)


@pytest.mark.parametrize("variant", ["small", "narrow-D", "narrow-E-bn"])
def test_production_parity(variant):
    """Every level with the twin's own weights, initial and loud: output, all hidden states, all gradients, in float64."""
    config = VARIANTS[variant]
    torch.manual_seed(0)
    x, targets = batch_of(config, np.float64)
    twin = TensorLevel(KEYMAP.production_twin(config), torch, "torchvision")
    initial = {name: as_float64(array) for name, array in twin.state().items()}
    states = {"initial": initial, "loud": loud(initial, twin.parameter_names(), np.random.default_rng(0))}
    hidden, reference = hidden_states(twin), {}
    for weights, state in states.items():
        twin.load_state(state)
        reference[weights] = twin.evaluate((x,), (targets,)), dict(hidden)
    for name in LEVELS:
        level = build_level(STUDY, name, config)
        hidden = hidden_states(level)
        for weights, state in states.items():
            level.load_state(state)
            found = level.evaluate((x,), (targets,))
            theirs, their_hidden = reference[weights]
            place = f"{level.title}, {weights} weights"
            assert_evaluations_agree(found, theirs, place, STUDY.facts.ZERO_GRADIENTS(config))
            assert hidden.keys() == their_hidden.keys() and len(found.gradients) == len(config.shapes)
            for layer, array in hidden.items():
                assert relative(array, their_hidden[layer]) <= BOUND, f"{place}: {layer}"


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_keys_are_torchvisions(name):
    """torchvision.models.vgg16 and so on, whole; nothing is allocated."""
    with torch.device("meta"):
        ours = STUDY.module("paper/vgg_paper.py").VGG(PUBLISHED[name])
        theirs = getattr(vgg, name)(init_weights=False)
        twin = KEYMAP.production_twin(PUBLISHED[name])
    for other in (theirs, twin):
        assert {key: tensor.shape for key, tensor in ours.state_dict().items()} == {
            key: tensor.shape for key, tensor in other.state_dict().items()
        }
    assert len(ours.state_dict()) == (32 if name == "vgg16" else len(theirs.state_dict()))
    assert isinstance(twin, vgg.VGG) and type(twin).__name__ == "TorchvisionVGG"


def test_there_is_no_twin_for_1x1_convolutions_and_grey_images():
    assert KEYMAP.production_twin(VARIANTS["narrow-C"]) is None
    assert KEYMAP.production_twin(replace(SMALL, in_channels=1)) is None


# --------------------------------------------------------------------------------------------- What the paper says

COUNTS = {  # without BatchNorm, and with it: the paper's table 2 has 133, 133, 134, 138 and 144 millions
    "A": (132_863_336, 132_868_840),
    "B": (133_047_848, 133_053_736),
    "C": (133_638_952, 133_647_400),
    "D": (138_357_544, 138_365_992),
    "E": (143_667_240, 143_678_248),
}


@pytest.mark.parametrize("net", COUNTS)
@pytest.mark.parametrize("batch_norm", [False, True], ids=["", "bn"])
def test_published_counts(net, batch_norm):
    """Exactly, of the shapes and of the module; nothing is allocated."""
    config = VGGConfig.table1(net, batch_norm=batch_norm)
    assert sum(math.prod(shape) for shape in config.shapes.values()) == COUNTS[net][batch_norm]
    with torch.device("meta"):
        model = STUDY.module("paper/vgg_paper.py").VGG(config)
    assert {name: tuple(param.shape) for name, param in model.named_parameters()} == config.shapes
    assert sum(len(shape) > 1 for shape in config.shapes.values()) == config.depth


def test_the_net_for_cifar10_has_14_7_million_parameters():
    config = VGGConfig.cifar("D")
    assert sum(math.prod(shape) for shape in config.shapes.values()) == 14_728_266
    assert config.linear_sizes == [(512, 10)]


def test_one_number_of_net_d_sees_212_pixels(build):
    """Light one pixel at a time, all weights 1: the middle of the last maps sees what is less than 106 pixels away; theory.md's eq. 11."""
    config = VGGConfig.table1("D", channels=(1,) * 5, hidden=(), in_channels=1, num_classes=1)
    level = build(config)
    level.load_state({name: np.full(shape, float(name.endswith("weight"))) for name, shape in config.shapes.items()})
    rows = [4, 5, 6, 7, 216, 217, 218, 219]
    x = np.zeros((len(rows), 1, 224, 224))
    x[range(len(rows)), 0, rows, 112] = 1
    seen = feature_outputs(level, x)[-1][:, 0, 3, 3] > 0  # (B,)
    lit = [row for row, sees in zip(rows, seen) if sees]
    assert lit == [row for row in rows if 6 <= row <= 217]
    assert 217 - 6 + 1 == 212


def test_the_signal_dies_as_computed():
    """theory.md's eq. 23 in a net with wide maps, and the number that He et al. count for net B."""
    for init, factor in (("normal", 0.5 * 9 * 64 * 0.01**2), ("he", 1.0)):
        config = replace(SMALL, layers=(4,), channels=(64,), image_size=64, init=init, in_channels=3)
        torch.manual_seed(0)
        level = build_level(STUDY, "paper", config)
        outputs = feature_outputs(level, batch_of(config)[0])[1:-1:2]
        squares = [float((h[:, :, 4:-4, 4:-4] ** 2).mean()) for h in outputs]
        for before, after in zip(squares, squares[1:]):
            assert after / before == pytest.approx(factor, rel=0.35)
    convolutions = [s[0] for s in VGGConfig.table1("B").shapes.values() if len(s) == 4]
    shrinks = math.prod(math.sqrt(2 / (9 * channels)) / 0.01 for channels in convolutions[1:])
    assert shrinks == pytest.approx(1.7e4, rel=0.02)


def test_the_recipes():
    one_cycle = SCHEDULES[STUDY.facts.RECIPES["cifar10"]["schedule"]]
    rates = [one_cycle(step, 1000) for step in range(1000)]
    assert 0 < rates[0] < 0.01 and max(rates) == pytest.approx(1) and 0 < rates[-1] < 0.01
    half = STUDY.facts.RECIPES["cifar10"]["config"]
    assert [2 * channels for channels in half.channels] == list(VGGConfig.cifar("A").channels)


# ---------------------------------------------------------------------------------------------------------- Pictures


@pytest.mark.parametrize("picture", ["feature-maps", "saliency", "signal", "confusion"])
def test_pictures_of_digits(picture, tmp_path):
    level = initial_level(STUDY, STUDY.facts.RECIPES["digits"]["config"], 0)
    draw = STUDY.module("pictures.py").PICTURES["digits"][picture]
    save(tmp_path / "picture.png", lambda: draw(level, load("digits")))
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_saliency_is_the_slope_of_the_score():
    pictures, data = STUDY.module("pictures.py"), load("digits")
    level = initial_level(STUDY, STUDY.facts.RECIPES["digits"]["config"], 0)
    level.load_state({name: as_float64(array) for name, array in level.state().items()})
    x, y = data.test.x[:2].astype(np.float64), data.test.y[:2]
    found = pictures.saliency_maps(level, x, y)
    (inputs,), targets = STUDY.facts.training_batch(level.model.config, x, y, None)
    scores = []
    for sign in (1, -1):
        moved = inputs.copy()
        moved[:, 0, 3, 4] += sign * 1e-6
        scores.append(level.predict((moved,), targets)[1][0][[0, 1], y])
    np.testing.assert_allclose(found[:, 3, 4], np.abs(scores[0] - scores[1]) / 2e-6, rtol=1e-5)


@pytest.mark.data
def test_the_batches_of_cifar10_have_mean_0_and_deviation_1():
    data, config = load("cifar10"), VGGConfig.cifar("A")
    ((x,), _) = STUDY.facts.training_batch(config, data.train.x[:5000], data.train.y[:5000], None)
    assert x.dtype == np.float32 and x.shape == (5000, 3, 32, 32)
    assert np.abs(x.mean(axis=(0, 2, 3))).max() < 0.03 and np.abs(x.std(axis=(0, 2, 3)) - 1).max() < 0.03


# ---------------------------------------------------------------------------------------------------------- Errors


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: VGGConfig.table1("F"), "the nets are A, B, C, D, E; got 'F'"),
        (lambda: VGGConfig(layers=(1, 1)), "a number for each stage, got (1, 1) and (64,"),
        (lambda: VGGConfig(layers=(1, 0, 1, 1, 1)), "layers[1] is an int of at least 1, got 0"),
        (lambda: VGGConfig(hidden=(0,)), "hidden[0] is an int of at least 1, got 0"),
        (lambda: VGGConfig(image_size=28), "32 pixels wide at least; got image_size=28"),
        (lambda: VGGConfig(init="xavier"), "init is normal or he, got 'xavier'"),
        (lambda: VGGConfig(dropout=1), "dropout is a probability below 1, got 1"),
    ],
)
def test_a_config_refuses_what_is_no_vgg(make, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        make()


def test_forward_and_loss_refuse_what_they_do_not_take(build):
    level = build(SMALL)
    x, targets = batch_of(SMALL)
    with pytest.raises(ValueError, match=r"expected \(B, 3, 13, 13\), got \(4, 3, 12, 12\)"):
        level.model.forward(level.tensor(x[:, :, 1:, 1:]))
    with pytest.raises(TypeError, match="floating-point x"):
        level.model.forward(level.tensor((255 * x).astype(np.uint8)))
    with pytest.raises(ValueError, match=r"expected targets in 0\.\.4, got"):
        level.model.loss(level.tensor(x), level.tensor(targets + 5))
    with pytest.raises(TypeError, match="expected targets of int64, got float32"):
        level.model.loss(level.tensor(x), level.tensor(targets.astype(np.float32)))


def test_a_missing_torchvision_is_said_with_the_install_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    monkeypatch.delitem(sys.modules, "04_VGG.keymap")
    with pytest.raises(DLFSError, match=r"the production twin needs torchvision, .*: pip install .*\[models\]"):
        build_level(STUDY, "twin", SMALL)


@pytest.mark.parametrize("level", ["lowlevel", "engine-lowlevel"])
def test_level_2_names_what_does_not_fit_when_loading(level):
    level = build_level(STUDY, level, SMALL)
    state = level.model.state_dict()
    with pytest.raises(RuntimeError, match=r"classifier\.6\.bias: expected shape \(5,\), got None"):
        level.model.load_state_dict({name: tensor for name, tensor in state.items() if name != "classifier.6.bias"})
    with pytest.raises(RuntimeError, match=r"features\.9\.weight: expected shape None, got \(5,\)"):
        level.model.load_state_dict({**state, "features.9.weight": state["classifier.6.bias"]})


# --------------------------------------------------------------------------------------------------------- Mutants

PLAIN, BN, NET_C = map(agreement_on, ("small", "small-bn", "narrow-C"))
FLATTEN = "h = h.flatten(1)  # (B, D)"
BY_PIXEL = "h = h.permute(0, 2, 3, 1).flatten(1)  # (B, D)"
BY_COLUMN = "h = h.transpose(2, 3).flatten(1)  # (B, D)"

MUTANTS = [
    # flattening
    Mutant("pixel by pixel, (H, W, C)", "paper", FLATTEN, BY_PIXEL, PLAIN),
    Mutant("pixel by pixel, (H, W, C)", "lowlevel", FLATTEN, BY_PIXEL, PLAIN),
    Mutant("column by column, (C, W, H)", "lowlevel", FLATTEN, BY_COLUMN, PLAIN),
    # pooling
    Mutant("ceil_mode", "paper", "kernel_size=2, stride=2)", "kernel_size=2, stride=2, ceil_mode=True)", check_odd_sizes),
    Mutant("ceil_mode", "lowlevel", "kernel_size=2, stride=2)", "kernel_size=2, stride=2, ceil_mode=True)", check_odd_sizes),
    Mutant("mean for largest", "paper", "nn.MaxPool2d(", "nn.AvgPool2d(", PLAIN),
    Mutant("mean for largest", "lowlevel", "F.max_pool2d(", "F.avg_pool2d(", PLAIN),
    # ReLU
    Mutant("no ReLU before a pooling", "paper", "h = layer(h)  # (B, M, H, W)",
           "h = h if isinstance(layer, nn.ReLU) and h.shape[-1] == 13 else layer(h)  # (B, M, H, W)", PLAIN),
    Mutant("no ReLU before a pooling", "lowlevel", "h = layer.forward(h)  # (B, M, H, W)",
           "h = h if isinstance(layer, ReLU) and h.shape[-1] == 13 else layer.forward(h)  # (B, M, H, W)", PLAIN),
    Mutant("a ReLU after the last linear layer", "paper", "logits = h  # (B, K)", "logits = F.relu(h)  # (B, K)", PLAIN),
    Mutant("no ReLU between linear layers", "lowlevel", "[Linear, ReLU, Dropout]", "[Linear, Dropout, Dropout]", PLAIN),
    # convolution
    Mutant("no border", "paper", "padding=kernel_size // 2)", "padding=0 if kernel_size == 1 else 1, padding_mode='replicate')", PLAIN),
    Mutant("a border around 1 x 1, cut off again", "lowlevel", "return F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)",
           "return F.conv2d(x.roll(1, 2) if weight.shape[-1] == 1 else x, weight, bias, padding=weight.shape[-1] // 2)", NET_C),
    Mutant("kernels flipped", "lowlevel", "return F.conv2d(x, weight, bias,", "return F.conv2d(x, weight.flip((2, 3)), bias,", PLAIN),
    Mutant("no bias", "lowlevel", "F.conv2d(x, weight, bias,", "F.conv2d(x, weight, 0 * bias,", PLAIN),
    # BatchNorm
    Mutant("BatchNorm after the ReLU", "paper", "for layer in self.features:\n            h = layer(h)",
           "order = list(self.features)\n        for i, layer in enumerate(order[:-1]):\n"
           "            if isinstance(layer, nn.BatchNorm2d):\n                order[i : i + 2] = order[i + 1], layer\n"
           "        for layer in order:\n            h = layer(h)", BN),
    Mutant("biased running variance", "lowlevel", "var * (count / (count - 1))", "var", BN),
    Mutant("evaluation by the batch", "lowlevel", "if self.model.training:", "if True:", check_evaluation),
    Mutant("momentum the other way", "lowlevel", "MOMENTUM = 1e-5, 0.1", "MOMENTUM = 1e-5, 0.9", BN),
    Mutant("epsilon outside the root", "lowlevel", "torch.sqrt(var + EPSILON)", "(torch.sqrt(var) + EPSILON)", BN),
    # dropout
    Mutant("F.dropout, which is active unless told otherwise", "paper", "h = layer(h)  # (B, E)",
           "h = F.dropout(h, layer.p) if isinstance(layer, nn.Dropout) else layer(h)  # (B, E)", check_evaluation),
    Mutant("dropout in evaluation", "lowlevel", "if not self.model.training or p == 0:", "if p == 0:", check_evaluation),
    Mutant("not scaled", "lowlevel", "return mask * x / (1 - p)", "return mask * x", check_dropout),
    Mutant("p is what stays", "lowlevel", ">= p).to(x.dtype)", "< p).to(x.dtype)", check_dropout),
    Mutant("a mask that is always the same", "lowlevel", "torch.rand_like(x) >= p",
           "torch.rand(x.shape, generator=torch.Generator().manual_seed(0)) >= p", check_dropout),
    Mutant("dropout of the maps, too", "lowlevel", FLATTEN,
           "h = Dropout(self, '').forward(h.flatten(1))  # (B, D)", check_dropout),
    Mutant("a gradient for what is out", "lowlevel", "return mask * x / (1 - p)",
           "return x + (mask * x / (1 - p) - x).detach()", check_dropout_gradient),
    # initialisation
    Mutant("variance 0.01 for deviation 0.01", "paper", "std=config.weight_std(layer.weight.shape)",
           "std=config.weight_std(layer.weight.shape) ** (0.5 if config.init == 'normal' else 1)", check_initialisation),
    Mutant("Xavier's scale", "lowlevel", "return config.weight_std(shape) *", "return config.weight_std(shape) / 2**0.5 *", check_initialisation),
    Mutant("biases of PyTorch's default", "paper", "nn.init.zeros_(layer.bias)", "nn.init.uniform_(layer.bias, -0.1, 0.1)", check_initialisation),
    # the loss and the update
    Mutant("sum over the batch", "lowlevel", "targets].mean()", "targets].sum()", PLAIN),
    Mutant("no memory", "lowlevel", "self.velocities[name] = step", "pass", check_momentum),
    Mutant("averaged gradient", "lowlevel", "self.velocities.get(name, 0.0) + step",
           "self.velocities.get(name, 0.0) + (1 - momentum) * step", check_momentum),
    Mutant("decay the other way", "lowlevel", "param.grad + weight_decay * param", "param.grad - weight_decay * param", check_momentum),
]  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_mutant_is_caught(mutant):
    assert_caught(STUDY, mutant)
