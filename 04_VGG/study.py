"""The facts about VGG: its config, the nets of the paper's table 1, named variants, and what the tools need to run them."""

import math
from dataclasses import dataclass, replace

from framework.data.transforms import Compose, RandomCrop, RandomHorizontalFlip
from utils.checks import check_classes, check_images
from utils.data_loaders import CIFAR10_MEAN, CIFAR10_STD

NAME = "VGG"
TIER = 2
PREREQUISITES = ("03",)
PAPER = "Simonyan & Zisserman 2014, Very Deep Convolutional Networks for Large-Scale Image Recognition"
MODEL = "VGG"
LEVELS = {
    "engine": "paper/vgg_paper.py",
    "lowlevel": "pytorch_lowlevel/vgg_lowlevel.py",
    "paper": "paper/vgg_paper.py",
}

# The paper's table 1: how many convolutions stand before each of the five poolings. C is B with a third one of 1 x 1 in the last three stages.
TABLE_1 = {
    "A": (1, 1, 2, 2, 2),
    "B": (2, 2, 2, 2, 2),
    "C": (2, 2, 3, 3, 3),
    "D": (2, 2, 3, 3, 3),
    "E": (2, 2, 4, 4, 4),
}


@dataclass(frozen=True)
class VGGConfig:
    """Stages of 3 x 3 convolutions, each with max pooling behind it; then linear layers. By default the paper's net D, VGG-16.

    `table1` makes the paper's nets, `cifar` those that are trained on images of 32 x 32.
    """

    layers: tuple[int, ...] = TABLE_1["D"]  # convolutions in each stage
    channels: tuple[int, ...] = (64, 128, 256, 512, 512)  # that go out of each stage's convolutions
    hidden: tuple[int, ...] = (4096, 4096)  # units of the linear layers before the last
    third_1x1: bool = False  # net C: the third convolution of a stage is 1 x 1
    batch_norm: bool = False  # between each convolution and its ReLU; came a year after the paper
    dropout: float = 0.5  # of the hidden units, in training
    init: str = "normal"  # N(0, 0.01²), as the paper starts net A; or "he": by the fan-in
    in_channels: int = 3
    image_size: int = 224  # height and width
    num_classes: int = 1000  # K

    @classmethod
    def table1(cls, net, **options):
        """The net "A", "B", "C", "D" or "E" of the paper's table 1; A, B, D and E are called VGG-11, 13, 16 and 19."""
        if net not in TABLE_1:
            raise ValueError(f"VGGConfig.table1: the nets are {', '.join(TABLE_1)}; got {net!r}")
        return cls(**{"layers": TABLE_1[net], "third_1x1": net == "C", **options})

    @classmethod
    def cifar(cls, net, **options):
        """A net of table 1 for CIFAR-10: BatchNorm, He's initialisation, and one linear layer on the 1 x 1 maps that are left."""
        small = dict(batch_norm=True, init="he", hidden=(), image_size=32, num_classes=10)
        return cls.table1(net, **{**small, **options})

    def __post_init__(self):
        for name in ("layers", "channels", "hidden"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # a list, as JSON gives it, is welcome
        sizes = [(name, getattr(self, name)) for name in ("in_channels", "image_size", "num_classes")]
        sizes += [(f"{name}[{i}]", size) for name in ("layers", "channels", "hidden") for i, size in enumerate(getattr(self, name))]  # fmt: skip
        for name, size in sizes:
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise ValueError(f"VGGConfig: {name} is an int of at least 1, got {size!r}")
        if not self.layers or len(self.layers) != len(self.channels):
            raise ValueError(
                f"VGGConfig: layers and channels have a number for each stage, got {self.layers} and {self.channels}"
            )
        if self.image_size < 2 ** len(self.layers):
            raise ValueError(
                f"VGGConfig: {len(self.layers)} poolings halve the image, which is {2 ** len(self.layers)} pixels wide at least; "
                f"got image_size={self.image_size}"
            )
        if self.init not in ("normal", "he"):
            raise ValueError(f"VGGConfig: init is normal or he, got {self.init!r}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"VGGConfig: dropout is a probability below 1, got {self.dropout!r}")

    @property
    def depth(self):
        """Layers with weights: what the number in VGG-16 counts."""
        return sum(self.layers) + len(self.hidden) + 1

    @property
    def map_size(self):
        """S: height and width of the maps that the linear layers see; every pooling halves, and drops a last odd row."""
        return self.image_size // 2 ** len(self.layers)

    @property
    def features(self):
        """The layers before the linear ones, in order: ("conv", C, M, k), ("bn", M), ("relu",) and ("pool",).

        Their places in this list are their names, features.0, features.1, … as in torchvision.
        """
        features, before = [], self.in_channels
        for count, channels in zip(self.layers, self.channels):
            for place in range(count):
                kernel_size = 1 if self.third_1x1 and place == 2 else 3
                features.append(("conv", before, channels, kernel_size))
                features += [("bn", channels)] if self.batch_norm else []
                features.append(("relu",))
                before = channels
            features.append(("pool",))
        return features

    @property
    def linear_sizes(self):
        """(inputs, outputs) of each linear layer."""
        sizes = (self.channels[-1] * self.map_size**2, *self.hidden, self.num_classes)
        return list(zip(sizes, sizes[1:]))

    @property
    def shapes(self):
        """The shape of each parameter, in the order of the layers: the names and shapes of torchvision's VGGs."""
        shapes = {}
        for i, (kind, *numbers) in enumerate(self.features):
            if kind == "conv":
                fan_in, fan_out, k = numbers
                shapes |= {f"features.{i}.weight": (fan_out, fan_in, k, k), f"features.{i}.bias": (fan_out,)}
            elif kind == "bn":
                shapes |= {f"features.{i}.weight": tuple(numbers), f"features.{i}.bias": tuple(numbers)}
        for i, (fan_in, fan_out) in enumerate(self.linear_sizes):  # between them stand a ReLU and dropout
            shapes |= {f"classifier.{3 * i}.weight": (fan_out, fan_in), f"classifier.{3 * i}.bias": (fan_out,)}
        return shapes

    def weight_std(self, shape):
        """How large the numbers of a weight (M, C, k, k) or (M, C) are at the start."""
        return 0.01 if self.init == "normal" else math.sqrt(2 / math.prod(shape[1:]))  # eq. 21, 22

    @property
    def convolutions(self):
        """The name of the convolution at each place: {(stage, place): "features.0", …}, both counted from 0."""
        names = (f"features.{i}" for i, (kind, *_) in enumerate(self.features) if kind == "conv")
        return {(stage, place): next(names) for stage, count in enumerate(self.layers) for place in range(count)}

    def check_input(self, x):
        """Refuse an x that is not a floating-point (B, C, H, W) of the config's size."""
        check_images("VGG", x, (self.in_channels, self.image_size, self.image_size))

    def check_targets(self, targets, batch_size):
        """Refuse targets that are not B int64 class indices in 0..K-1."""
        check_classes("VGG", targets, batch_size, self.num_classes)


def bootstrapped(config, state, shallow_config, shallow_state):
    """The state of a deep net, with what the paper gives it of a shallow one, trained before: section 3.1.

    That is the first four convolutions and all linear layers; BatchNorm, which the paper has not, stays as it is. "The first four" of net A
    stand in stages 1, 2, 3 and 3, and fit nowhere but at the same places of the deeper nets.
    """
    ours, theirs = config.convolutions, shallow_config.convolutions
    names = {ours[place]: theirs[place] for place in list(theirs)[:4]}
    names |= {f"classifier.{3 * i}": f"classifier.{3 * i}" for i in range(len(config.hidden) + 1)}
    state = dict(state)
    for name, source in names.items():
        for kind in ("weight", "bias"):
            given, wanted = (tuple(d[f"{n}.{kind}"].shape) for d, n in ((shallow_state, source), (state, name)))
            if given != wanted:
                raise ValueError(f"bootstrapped: {source}.{kind} {given} does not fit into {name}.{kind} {wanted}")
            state[f"{name}.{kind}"] = shallow_state[f"{source}.{kind}"]
    return state


# ------------------------------------------------------------------------------------------- What the tools need

# What `dlfs compare 04` runs, each in float64 at every level, without dropout: its draws would differ from level to level.
# 13 pixels: 13, 6, 3, so that both poolings or one drop a row, and 3 x 3 maps go into the linear layers.
SMALL = VGGConfig(
    layers=(1, 3), channels=(4, 6), hidden=(10, 7), dropout=0.0, image_size=13, num_classes=5, init="he"
)  # fmt: skip
NARROW = dict(channels=(4, 5, 6, 7, 8), hidden=(9, 8), dropout=0.0, image_size=35, num_classes=6)
VARIANTS = {
    "small": SMALL,
    "small-bn": replace(SMALL, batch_norm=True),
    "small-normal": replace(SMALL, init="normal"),
    **{f"narrow-{net}": VGGConfig.table1(net, **NARROW) for net in TABLE_1},
    **{f"narrow-{net}-bn": VGGConfig.table1(net, batch_norm=True, **NARROW) for net in TABLE_1},
    "narrow-cifar": VGGConfig.cifar("A", channels=NARROW["channels"]),
}

# Whose weights torchvision publishes: what `dlfs convert` reads, in these names.
PUBLISHED = {
    f"vgg{VGGConfig.table1(net).depth}{'_bn' if batch_norm else ''}": VGGConfig.table1(net, batch_norm=batch_norm)
    for net in "ABDE"
    for batch_norm in (False, True)
}

CROP_AND_FLIP = Compose([RandomCrop(32, padding=4), RandomHorizontalFlip()])


# The paper's numbers; ours is the schedule.
SGD = dict(optimizer="sgd", optimizer_options=dict(momentum=0.9, weight_decay=5e-4), schedule="one_cycle")

# What `dlfs train 04 --data …` does; the first is bundled and needs no download.
RECIPES = {
    "digits": dict(
        config=VGGConfig(
            layers=(2, 2), channels=(16, 32), hidden=(64,), dropout=0.0, init="he",
            in_channels=1, image_size=8, num_classes=10,
        ),
        epochs=10, batch_size=32, lr=0.01, **SGD,
    ),
    # Net A at half its width: 20 minutes on two cores.
    "cifar10": dict(
        config=VGGConfig.cifar("A", channels=(32, 64, 128, 256, 256)),
        epochs=8, batch_size=128, lr=0.1, **SGD, augment=CROP_AND_FLIP.batch,
    ),
    # Net D, 14.7 million parameters: for a GPU.
    "cifar10-full": dict(
        data="cifar10", config=VGGConfig.cifar("D"),
        epochs=100, batch_size=128, lr=0.1, **SGD, augment=CROP_AND_FLIP.batch,
    ),
}  # fmt: skip

TWIN = "production_twin"


def ZERO_GRADIENTS(config):
    """A bias before a BatchNorm: the mean that is taken out takes the bias with it (theory.md, section 3.4)."""
    return tuple(f"{name}.bias" for name in config.convolutions.values()) if config.batch_norm else ()


def example_batch(config, rng):
    """One batch for `compare`: the inputs of forward, and what loss takes besides."""
    x = rng.standard_normal((4, config.in_channels, config.image_size, config.image_size))  # (B, C, H, W)
    targets = rng.integers(0, config.num_classes, size=4)  # (B,)
    return (x,), (targets,)


def training_batch(config, x, y, rng):
    """One batch for `train`: images (B, C, H, W) in [0, 1] with mean 0 and deviation 1, and their classes (B,)."""
    if config.in_channels == 3:
        return ((x - CIFAR10_MEAN) / CIFAR10_STD,), (y,)
    return ((x - 0.3) / 0.375,), (y,)
