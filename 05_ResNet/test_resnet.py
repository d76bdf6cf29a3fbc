"""ResNet at every level: agreement, production parity, counts, statistics at initialisation, errors; and the mutants that these must catch."""

import itertools
import math
import re
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from dlfs.compare import BOUND, as_float64, compare_study, loud, relative
from dlfs.levels import TensorLevel, build_level, initial_level, level_names
from dlfs.studies import find_study
from tests.model_checks import assert_agreement, assert_evaluations_agree, kept_outputs
from tests.mutants import Mutant, assert_caught
from utils.data_loaders import load
from utils.errors import DLFSError
from utils.schedules import SCHEDULES
from utils.visualization import save

STUDY = find_study("05")
ResNetConfig, VARIANTS, SMALL = STUDY.facts.ResNetConfig, STUDY.facts.VARIANTS, STUDY.facts.SMALL
LEVELS = [name for name in level_names(STUDY) if name != "twin"]
TINY = [name for name in VARIANTS if name != "resnet18"]
KEYMAP = STUDY.module("keymap.py")


@pytest.fixture(params=LEVELS)
def build(request):
    """build(config): the level with the weights that its own constructor draws. Arrays go in and come out at each level."""
    return partial(build_level, STUDY, request.param)


def batch_of(config, dtype=np.float32):
    (x,), (targets,) = STUDY.facts.example_batch(config, np.random.default_rng(0))
    return x.astype(dtype), targets


# ---------------------------------------------------------------------------- Checks, which mutants must not survive


def check_agreement(build, *variants):
    """With initial and with loud weights, in float64, the level computes what L2 and L3 compute."""
    assert_agreement(STUDY, build, variants, ("lowlevel", "paper"))


def agreement_on(*variants):
    def check(build):
        check_agreement(build, *variants)

    return check


def check_counts(build):
    """The paper's ResNet-20, from the arrays; of every other net from the shapes: see test_published_counts."""
    level = build(ResNetConfig.cifar(20))
    state = level.state()
    assert sum(state[name].size for name in level.parameter_names()) == 269_722
    for config in map(VARIANTS.get, TINY):
        level = build(config)
        assert {name: level.state()[name].shape for name in level.parameter_names()} == config.shapes


def check_initialisation(build):
    """He's normal by the fan-in, γ = 1, β = 0, running statistics 0 and 1; with zero_gamma, a block's last γ is 0."""
    config = ResNetConfig(layers=(2, 1), channels=(64, 128), shortcut="B", num_classes=50)
    for zero_gamma in (False, True):
        for name, array in build(replace(config, zero_gamma=zero_gamma)).state().items():
            if array.ndim > 1:
                std = math.sqrt(2 / math.prod(array.shape[1:]))
                if array.size > 5000:
                    assert abs(array.std() / std - 1) < 0.06 and abs(array.mean()) < 0.08 * std, name
                    assert np.abs(array).max() > 2.5 * std, name
            elif name.endswith("bn2.weight"):
                assert (array == (0 if zero_gamma else 1)).all(), name
            else:
                ones = name.endswith(("running_var", "bn1.weight", "downsample.1.weight"))
                assert (array == (1 if ones else 0)).all(), name


def check_evaluation(build):
    """In evaluation an image's logits do not depend on the other images of the batch."""
    config = VARIANTS["bottleneck"]
    level = build(config)
    x, targets = batch_of(config)
    _, (together,) = level.predict((x,), (targets,))
    _, (alone,) = level.predict((x[:1],), (targets[:1],))
    assert relative(together[:1], alone) < 1e-4


def check_padding_shortcut(build):
    """Option A: channel c of the shortcut is every second pixel of channel c, and the new channels, the last ones, are 0."""
    level = build(replace(SMALL, channels=(3, 5, 7)))
    state = {name: as_float64(array) for name, array in level.state().items()}
    for name in state:
        if name.startswith("layer2.0.bn2"):
            state[name] = np.zeros_like(state[name])  # the block's F is 0, so that its output is its shortcut
    level.load_state(state)
    hidden = hidden_states(level)
    level.predict((np.random.default_rng(0).standard_normal((2, 3, 9, 9)),), (np.array([0, 1]),))
    x, h = hidden["layer1.0"], hidden["layer2.0"]
    assert x.shape == (2, 3, 9, 9) and h.shape == (2, 5, 5, 5)
    assert x.max() > 0.1
    np.testing.assert_array_equal(h[:, :3], x[:, :, ::2, ::2])
    assert not h[:, 3:].any()


def check_stride_place(build):
    """The paper halves the image in a bottleneck's first convolution, torchvision since v1.5 in its second."""
    for place, size in (("conv1", 9), ("conv2", 17)):
        config, sizes = replace(STUDY.facts.NARROW, stride_in=place), []
        level = build(config)
        if hasattr(level.model, "named_modules"):
            level.model.layer2[0].bn1.register_forward_hook(partial(keep_size, sizes))
        else:
            bn1 = level.model.stages[1][0].bn1
            bn1.forward = partial(keep_size_and_run, sizes, bn1.forward)
        level.predict(*((array,) for array in batch_of(config)))
        assert sizes[0] == (3, 6, size, size), place


def keep_size(sizes, module, inputs, output):
    sizes.append(tuple(output.shape))


def keep_size_and_run(sizes, run, x):
    sizes.append(tuple(x.shape))
    return run(x)


def check_momentum(build):
    """L2's train_step with momentum and weight decay against torch.optim.SGD on L3, over five steps."""
    config, options = VARIANTS["cifar-b"], dict(momentum=0.9, weight_decay=0.05)
    tested, reference = build(config), build_level(STUDY, "paper", config)
    state = {name: as_float64(array) for name, array in reference.state().items()}
    for level in (tested, reference):
        level.load_state(state)
    x, targets = (tested.tensor(array) for array in batch_of(config, np.float64))
    reference.use_optimizer("sgd", 0.1, options)
    for _ in range(5):
        loss = tested.model.train_step(x, targets, lr=0.1, **options)
        assert abs(loss - reference.step(*((array,) for array in batch_of(config, np.float64)))) < 1e-10
    for name, array in reference.state().items():
        assert relative(array, tested.state()[name]) < 1e-9, name


# ----------------------------------------------------------------------------------------------------- Every level


@pytest.mark.parametrize("variant", TINY)
def test_all_levels_agree(variant):
    for comparison in compare_study(STUDY, variant):
        assert comparison.ok, f"{comparison.weights} weights: {comparison.worst}, noisy: {comparison.noisy}"


def test_counts_names_shapes_and_order(build):
    check_counts(build)
    config = VARIANTS["cifar-c"]
    level = build(config)
    assert level.parameter_names() == list(config.shapes)
    assert [tuple(p.shape) for p in level.model.parameters()] == list(config.shapes.values())


def test_statistics_at_initialisation(build):
    check_initialisation(build)


def test_evaluation_looks_at_each_image_alone(build):
    check_evaluation(build)


def test_option_a_pads_with_zeros(build):
    check_padding_shortcut(build)


def test_stride_place(build):
    check_stride_place(build)


@pytest.mark.parametrize("level", ["lowlevel", "engine-lowlevel"])
def test_momentum_and_weight_decay(level):
    check_momentum(partial(build_level, STUDY, level))


def test_zero_gamma_starts_every_block_as_its_shortcut(build):
    """The output of a stage's later blocks is their input, which is not negative: eq. 33."""
    config = ResNetConfig(layers=(3, 2), channels=(4, 6), zero_gamma=True)
    level = build(config)
    hidden = hidden_states(level)
    level.predict(*((array,) for array in batch_of(config)))
    for first, *later in (["layer1.0", "layer1.1", "layer1.2"], ["layer2.0", "layer2.1"]):
        for name in later:
            np.testing.assert_array_equal(hidden[name], hidden[first])


def test_every_level_learns_the_digits(build):
    data, recipe = load("digits"), STUDY.facts.RECIPES["digits"]
    config, rng = recipe["config"], np.random.default_rng(0)
    level = build(config)
    level.load_state(initial_level(STUDY, config, seed=0).state())
    level.use_optimizer("sgd", recipe["lr"], recipe["optimizer_options"])
    for _ in range(60):
        batch = rng.integers(0, len(data.train), size=32)
        level.step(*STUDY.facts.training_batch(config, data.train.x[batch], data.train.y[batch], rng))
    inputs, targets = STUDY.facts.training_batch(config, data.test.x, data.test.y, rng)
    _, (logits,) = level.predict(inputs, targets)
    assert (logits.argmax(axis=1) == targets[0]).mean() > 0.85


def test_a_convolution_is_a_product_with_columns():
    """L2 runs on F.conv2d; the product by F.unfold that stands beside it is the same function, forward and backward."""
    module = STUDY.module("pytorch_lowlevel/resnet_lowlevel.py")
    rng = torch.Generator().manual_seed(0)
    for k, stride, padding in ((1, 1, 0), (1, 2, 0), (3, 1, 1), (3, 2, 1), (7, 2, 3)):
        x = torch.randn(2, 3, 9, 8, generator=rng, dtype=torch.float64, requires_grad=True)
        weight = torch.randn(4, 3, k, k, generator=rng, dtype=torch.float64, requires_grad=True)
        results = []
        for function in (module.convolution_as_product, module.convolution):
            y = function(x, weight, stride=stride, padding=padding)
            results.append((y, *torch.autograd.grad(y.sin().sum(), (x, weight))))
        for ours, theirs in zip(*results):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


# ------------------------------------------------------------------------------------------- Production parity


def hidden_states(level):
    """A dict that a forward call fills: the output of every block by its name."""
    layers = () if hasattr(level.model, "named_modules") else itertools.chain(*level.model.stages)
    return kept_outputs(level, layers, lambda name, module: type(module).__name__ in ("BasicBlock", "Bottleneck"))


@pytest.mark.parametrize(
    ("depth", "twins"),
    [(18, [KEYMAP.production_twin]), (50, [KEYMAP.production_twin, KEYMAP.timm_twin])],
    ids=["resnet18", "resnet50"],
)
def test_production_parity(depth, twins):
    """Every level with the twin's own weights, initial and loud: output, all hidden states, all gradients, in float64."""
    config = ResNetConfig.imagenet(depth, stride_in="conv2")
    torch.manual_seed(0)
    x, targets = batch_of(config, np.float64)
    x, targets = x[:2, :, :65, :65], targets[:2]
    builders = [lambda twin=twin: TensorLevel(twin(config), torch, twin.__name__) for twin in twins]
    builders += [partial(build_level, STUDY, name, config) for name in LEVELS]
    reference = {}
    for make in builders:
        level = make()
        if not reference:
            initial = {name: as_float64(array) for name, array in level.state().items()}
            rng = np.random.default_rng(0)
            states = {"initial": initial, "loud": loud(initial, level.parameter_names(), rng)}
        hidden = hidden_states(level)
        for weights, state in states.items():
            level.load_state(state)
            found = level.evaluate((x,), (targets,))
            seen = dict(hidden)
            if weights not in reference:
                assert len(seen) == sum(config.layers) and len(found.gradients) == len(config.shapes)
                reference[weights] = found, seen
                continue
            theirs, their_hidden = reference[weights]
            place = f"{level.title}, {weights} weights"
            assert_evaluations_agree(found, theirs, place)
            assert seen.keys() == their_hidden.keys()
            for name, array in seen.items():
                assert relative(array, their_hidden[name]) <= BOUND, f"{place}: {name}"


@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
def test_the_keys_are_torchvisions_and_timms(depth):
    config = ResNetConfig.imagenet(depth, stride_in="conv2")
    with torch.device("meta"):
        ours = STUDY.module("paper/resnet_paper.py").ResNet(config)
        twins = [KEYMAP.production_twin(config), KEYMAP.timm_twin(config)]
    for twin in twins:
        assert {name: tensor.shape for name, tensor in ours.state_dict().items()} == {
            name: tensor.shape for name, tensor in twin.state_dict().items()
        }
    assert len(ours.state_dict()) == {18: 122, 34: 218, 50: 320, 101: 626, 152: 932}[depth]


# --------------------------------------------------------------------------------------------- What the paper says


@pytest.mark.parametrize(
    ("config", "count"),
    [
        *((ResNetConfig.cifar(depth), count) for depth, count in
          {20: 269_722, 32: 464_154, 44: 658_586, 56: 853_018, 110: 1_727_962}.items()),
        *((ResNetConfig.imagenet(depth), count) for depth, count in
          {18: 11_689_512, 34: 21_797_672, 50: 25_557_032, 101: 44_549_160, 152: 60_192_808}.items()),
    ],
    ids=lambda value: f"resnet{value.depth}" if isinstance(value, ResNetConfig) else "",
)  # fmt: skip
def test_published_counts(config, count):
    """Exactly, of the shapes and of the module; nothing is allocated."""
    assert sum(math.prod(shape) for shape in config.shapes.values()) == count
    with torch.device("meta"):
        model = STUDY.module("paper/resnet_paper.py").ResNet(config)
    assert {name: tuple(param.shape) for name, param in model.named_parameters()} == config.shapes
    layers = [name for name, shape in config.shapes.items() if len(shape) > 1 and "downsample" not in name]
    assert len(layers) == config.depth


def test_option_a_adds_no_parameters_and_b_and_c_add_projections():
    """Option A has the parameters of the plain net; B projects where the shape changes, C everywhere."""
    shapes = {option: ResNetConfig.cifar(20, shortcut=option).shapes for option in ("none", "A", "B", "C")}
    assert shapes["none"] == shapes["A"]
    projections = {option: [name for name in s if name.endswith("downsample.0.weight")] for option, s in shapes.items()}
    assert projections["B"] == ["layer2.0.downsample.0.weight", "layer3.0.downsample.0.weight"]
    assert len(projections["C"]) == 9


def test_the_ways_of_an_image_through_the_paper_nets():
    """Table 1: 112, 56, 28, 14, 7 pixels from 224; section 4.2: 32, 16, 8 from 32. Shapes alone, nothing is computed."""
    with torch.device("meta"):
        for config, size, sizes in (
            (ResNetConfig.imagenet(50), 224, [56, 28, 14, 7]),
            (ResNetConfig.cifar(20), 32, [32, 16, 8]),
        ):
            model = STUDY.module("paper/resnet_paper.py").ResNet(config)
            seen = []
            for i in range(1, config.num_stages + 1):
                getattr(model, f"layer{i}").register_forward_hook(partial(keep_size, seen))
            model(torch.empty(1, 3, size, size))
            assert [shape[-1] for shape in seen] == sizes


def test_the_schedules():
    divided, cycle = STUDY.facts.divided_twice, SCHEDULES[STUDY.facts.RECIPES["cifar10"]["schedule"]]
    factors = [divided(step, 64_000) for step in (0, 31_999, 32_000, 47_999, 48_000, 63_999)]
    assert factors == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])
    rates = [cycle(step, 1000) for step in range(1000)]
    assert 0 < rates[0] < 0.01 and max(rates) == pytest.approx(1) and rates.index(max(rates)) in (249, 250)
    assert 0 < rates[-1] < 0.01
    recipe = STUDY.facts.RECIPES["cifar10-full"]
    steps = recipe["epochs"] * math.ceil(45_000 / recipe["batch_size"])
    assert 64_000 <= steps < 64_000 + math.ceil(45_000 / recipe["batch_size"])


def test_gradients_grow_in_plain_nets_and_hardly_with_shortcuts():
    """What the picture says and theory.md computes: at most 1.21 a layer in a plain net, which with 56 layers is thousands."""
    figure = STUDY.module("pictures.py").gradient_flow(
        initial_level(STUDY, ResNetConfig(in_channels=1), 0), load("digits")
    )
    lines = {line.get_label().partition(":")[0]: line.get_ydata() for line in figure.axes[0].lines}
    factors = {label: norms[0] / norms[-1] for label, norms in lines.items()}
    assert 500 < factors["plain net, 56 layers"] < (math.pi / (math.pi - 1)) ** 26
    assert factors["ResNet, 56 layers"] < 50
    assert factors["ResNet, 20 layers"] < factors["plain net, 20 layers"]


@pytest.mark.parametrize("picture", ["feature-maps", "one-block", "confusion"])
def test_pictures_of_digits(picture, tmp_path):
    level = initial_level(STUDY, STUDY.facts.RECIPES["digits"]["config"], 0)
    draw = STUDY.module("pictures.py").PICTURES["digits"][picture]
    save(tmp_path / "picture.png", lambda: draw(level, load("digits")))
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.data
def test_the_batches_of_cifar10_have_mean_0_and_deviation_1():
    data, config = load("cifar10"), ResNetConfig.cifar(20)
    ((x,), _) = STUDY.facts.training_batch(config, data.train.x[:5000], data.train.y[:5000], None)
    assert x.dtype == np.float32 and x.shape == (5000, 3, 32, 32)
    assert np.abs(x.mean(axis=(0, 2, 3))).max() < 0.03 and np.abs(x.std(axis=(0, 2, 3)) - 1).max() < 0.03


# ---------------------------------------------------------------------------------------------------------- Errors


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ResNetConfig.cifar(21), "6n + 2, such as 20, 32, 44, 56 or 110; got 21"),
        (lambda: ResNetConfig.cifar(2), "6n + 2"),
        (lambda: ResNetConfig.imagenet(20), "the depths are 18, 34, 50, 101, 152; got 20"),
        (lambda: ResNetConfig(shortcut="D"), "shortcut is A or B or C or none, got 'D'"),
        (lambda: ResNetConfig(layers=(1, 1)), "a number for each stage"),
        (lambda: ResNetConfig(layers=(1, 0, 1)), "layers[1] is an int of at least 1, got 0"),
        (lambda: ResNetConfig(channels=(8, 4, 4)), "option A can only add channels"),
    ],
)
def test_a_config_refuses_what_is_no_resnet(make, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        make()


def test_forward_and_loss_refuse_what_they_do_not_take(build):
    level = build(SMALL)
    x, targets = batch_of(SMALL)
    with pytest.raises(ValueError, match=r"expected \(B, 3, H, W\), got \(3, 13, 13\)"):
        level.model.forward(level.tensor(x[0]))
    with pytest.raises(TypeError, match="floating-point x"):
        level.model.forward(level.tensor((255 * x).astype(np.uint8)))
    with pytest.raises(ValueError, match=r"expected targets in 0\.\.9, got"):
        level.model.loss(level.tensor(x), level.tensor(targets + 10))


def test_level_2_refuses_a_variance_of_one_number(build):
    level = build(ResNetConfig(layers=(1,), channels=(4,)))
    with pytest.raises(ValueError, match=r"\(1, 4, 1, 1\)|\[1, 4, 1, 1\]"):
        level.model.forward(level.tensor(np.zeros((1, 3, 1, 1), dtype=np.float32)))


def test_a_missing_torchvision_is_said_with_the_install_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    monkeypatch.delitem(sys.modules, "05_ResNet.keymap")
    with pytest.raises(DLFSError, match=r"the production twin needs torchvision, .*: pip install .*\[models\]"):
        build_level(STUDY, "twin", SMALL)


@pytest.mark.parametrize("level", ["lowlevel", "engine-lowlevel"])
def test_level_2_names_what_does_not_fit_when_loading(level):
    level = build_level(STUDY, level, SMALL)
    state = level.model.state_dict()
    with pytest.raises(RuntimeError, match=r"fc\.bias: expected shape \(10,\), got None"):
        level.model.load_state_dict({name: tensor for name, tensor in state.items() if name != "fc.bias"})
    with pytest.raises(RuntimeError, match=r"conv9\.weight: expected shape None, got \(10,\)"):
        level.model.load_state_dict({**state, "conv9.weight": state["fc.bias"]})


# --------------------------------------------------------------------------------------------------------- Mutants

BASIC_END = "eq. 4\n        s = self.downsample(x)  # (B, E, H', W')\n        h = F.relu(f + s)"
BASIC_END_2 = "eq. 4\n        s = self.downsample.forward(x)  # (B, E, H', W')\n        h = torch.relu(f + s)"
BOTTLENECK_END = BASIC_END.replace("eq. 4", "eq. 5")
OPTION_A, OPTION_B, PLAIN, BOTTLENECK = map(agreement_on, ("cifar-a", "cifar-b", "cifar-plain", "bottleneck"))

MUTANTS = [
    # the addition
    Mutant("ReLU before the addition", "paper", BASIC_END, BASIC_END.replace("F.relu(f + s)", "F.relu(f) + s"), OPTION_A),
    Mutant("ReLU before the addition", "lowlevel", BASIC_END_2, BASIC_END_2.replace("torch.relu(f + s)", "torch.relu(f) + s"), OPTION_A),
    Mutant("no ReLU after the addition", "paper", BOTTLENECK_END, BOTTLENECK_END.replace("F.relu(f + s)", "f + s"), BOTTLENECK),
    # shortcuts
    Mutant("projection without BatchNorm", "paper", "nn.Sequential(conv, nn.BatchNorm2d(out_channels))", "nn.Sequential(conv)", check_counts),
    Mutant("projection without BatchNorm", "lowlevel", "return self.bn.forward(z)", "return z + 0 * self.bn.forward(z)", OPTION_B),
    Mutant("option B for A", "paper", 'if kind == "projection":', 'if kind in ("projection", "pad"):', check_counts),
    Mutant("option A for B", "paper", 'if kind == "projection":',
           'if kind == "projection":\n        return PadShortcut(out_channels - in_channels, stride)', check_counts),
    Mutant("zeros before the channels", "paper", "(0, 0, 0, 0, 0, self.new_channels)", "(0, 0, 0, 0, self.new_channels, 0)",
           check_padding_shortcut),
    Mutant("zeros before the channels", "lowlevel", "(0, 0, 0, 0, 0, self.new_channels)", "(0, 0, 0, 0, self.new_channels, 0)", OPTION_A),
    Mutant("mean of four for every second pixel", "lowlevel", "x[:, :, :: self.stride, :: self.stride]",
           "F.avg_pool2d(x, self.stride, ceil_mode=True)", OPTION_A),
    Mutant("a plain net with shortcuts", "lowlevel", 'if self.kind == "identity" else 0.0',
           'if self.kind == "identity" or self.new_channels == 0 else 0.0', PLAIN),
    # convolutions and pooling
    Mutant("stride in the other convolution", "paper", '(stride, 1) if config.stride_in == "conv1"',
           '(1, stride) if config.stride_in == "conv1"', check_stride_place),
    Mutant("stride in the other convolution", "lowlevel", '(stride, 1) if model.config.stride_in == "conv1"',
           '(1, stride) if model.config.stride_in == "conv1"', BOTTLENECK),
    Mutant("pooling without padding", "paper", "kernel_size=3, stride=2, padding=1)", "kernel_size=3, stride=2)", BOTTLENECK),
    Mutant("largest for mean over the pixels", "paper", "h.mean(dim=(2, 3))", "h.amax(dim=(2, 3))", OPTION_A),
    Mutant("no ReLU in the stem", "paper", "h = F.relu(self.bn1(z))", "h = self.bn1(z)", OPTION_A),
    # BatchNorm
    Mutant("biased running variance", "lowlevel", "var * (count / (count - 1))", "var", OPTION_A),
    Mutant("evaluation by the batch", "lowlevel", "if self.model.training:", "if True:", check_evaluation),
    Mutant("momentum the other way", "lowlevel", "MOMENTUM = 1e-5, 0.1", "MOMENTUM = 1e-5, 0.9", OPTION_A),
    Mutant("epsilon outside the root", "lowlevel", "1 / torch.sqrt(var + EPSILON)", "1 / (torch.sqrt(var) + EPSILON)", OPTION_A),
    Mutant("statistics as constants", "lowlevel", "with torch.no_grad():\n                unbiased",
           "mean, var = mean.detach(), var.detach()\n            with torch.no_grad():\n                unbiased", OPTION_A),
    # initialisation
    Mutant("Xavier's scale", "lowlevel", "math.sqrt(2 / ", "math.sqrt(1 / ", check_initialisation),
    Mutant("Xavier's scale", "paper", '(weight, nonlinearity="relu")', '(weight, nonlinearity="linear")', check_initialisation),
    Mutant("the fan-out", "paper", '(weight, nonlinearity="relu")', '(weight, mode="fan_out", nonlinearity="relu")', check_initialisation),
    Mutant("γ of every block 0 always", "paper", "if config.zero_gamma:\n            nn.init.zeros_(self.bn2",
           "if True:\n            nn.init.zeros_(self.bn2", check_initialisation),
    # the update
    Mutant("no memory", "lowlevel", "self.velocities[name] = step", "pass", check_momentum),
    Mutant("averaged gradient", "lowlevel", "self.velocities.get(name, 0.0) + step",
           "self.velocities.get(name, 0.0) + (1 - momentum) * step", check_momentum),
    Mutant("decay the other way", "lowlevel", "param.grad + weight_decay * param", "param.grad - weight_decay * param", check_momentum),
]  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_mutant_is_caught(mutant):
    assert_caught(STUDY, mutant)
