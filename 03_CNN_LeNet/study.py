"""The facts about LeNet-5 and the small CNN: their configs, named variants, and what the tools need to run them."""

import math
from dataclasses import dataclass

import numpy as np

from framework.data.transforms import Compose, InterpolationMode, RandomAffine, RandomCrop, RandomHorizontalFlip
from utils.checks import check_classes, check_images
from utils.data_loaders import CIFAR10_MEAN, CIFAR10_STD

NAME = "LeNet-5"
TIER = 1
PREREQUISITES = ("02",)
PAPER = "LeCun, Bottou, Bengio & Haffner 1998, Gradient-Based Learning Applied to Document Recognition"

# Two classes: LeNet5, and a plain convolutional network of today for colour photographs.
MODEL = "LeNet5"
LEVELS = {
    "by-hand": "numpy/lenet_numpy.py",
    "engine": "paper/lenet_paper.py",
    "lowlevel": "pytorch_lowlevel/lenet_lowlevel.py",
    "paper": "paper/lenet_paper.py",
}
CNN_LEVELS = {
    "by-hand": "numpy/cnn_numpy.py",
    "engine": "paper/cnn_paper.py",
    "lowlevel": "pytorch_lowlevel/cnn_lowlevel.py",
    "paper": "paper/cnn_paper.py",
}


def model_of(config):
    """The class that a config is for, and its files."""
    return ("CNN", CNN_LEVELS) if isinstance(config, CNNConfig) else (MODEL, LEVELS)


# -------------------------------------------------------------------------------------------- What LeNet-5 is made of

# Table I of the paper: which of S2's six maps each of C3's sixteen looks at.
C3_TABLE = """
    X . . . X X X . . X X X X . X X
    X X . . . X X X . . X X X X . X
    X X X . . . X X X . . X . X X X
    . X X X . . X X X X . . X . X X
    . . X X X . . X X X X . X X . X
    . . . X X X . . X X X X . X X X
"""
# The 60 connections, ordered by C3's map and then by S2's: c3.weight[n] leads from map C3_INPUTS[n] to map C3_OUTPUTS[n].
C3_OUTPUTS, C3_INPUTS = np.nonzero(np.array([row.split() for row in C3_TABLE.split("\n")[1:-1]]).T == "X")

# What F6 should show for each class: the digit, stylised, on a bitmap of 7 x 12. Ink is +1, paper is -1.
BITMAPS = """
    ..###.. ...##.. .#####. .#####. ....##. ####### ..####. ####### .#####. .#####.
    .##.##. ..###.. ##...## ##...## ...###. ##..... .##.... ####### ##...## ##...##
    ##...## .####.. ##...## .....## ..####. ##..... ##..... .....## ##...## ##...##
    ##...## ...##.. .....## .....## .##.##. ##..... ##..... ....##. ##...## ##...##
    ##...## ...##.. .....## .....## .##.##. ######. ##..... ....##. ##...## ##...##
    ##...## ...##.. ....##. ..####. ##..##. ##...## ######. ...##.. .#####. ##...##
    ##...## ...##.. ...##.. ..####. ##..##. .....## ##...## ...##.. .#####. .######
    ##...## ...##.. ..##... .....## ####### .....## ##...## ..##... ##...## .....##
    ##...## ...##.. .##.... .....## ####### .....## ##...## ..##... ##...## .....##
    ##...## ...##.. ##..... .....## ....##. .....## ##...## .##.... ##...## .....##
    .##.##. ...##.. ##..... ##...## ....##. ##...## ##...## .##.... ##...## ....##.
    ..###.. .###### ####### .#####. ....##. .#####. .#####. .##.... .#####. .####..
"""
_ROWS = [row.split() for row in BITMAPS.split("\n")[1:-1]]
RBF_CODES = np.array([[1.0 if dot == "#" else -1.0 for row in _ROWS for dot in row[digit]] for digit in range(10)])


# --------------------------------------------------------------------------------------------------------- Configs

EACH = "a class index for each image of x"


@dataclass(frozen=True)
class LeNetConfig:
    """The paper's LeNet-5; or, with dense, average and softmax, what is mostly called LeNet today."""

    connections: str = "table"  # C3: "table" I of the paper, or "dense"
    subsampling: str = "trainable"  # S2 and S4: "trainable" coefficient and bias, then the squash; or plain "average"
    output: str = "rbf"  # distances to fixed codes, or "softmax"
    loss: str = "map"  # the paper's eq. 9, which for "softmax" is the cross entropy; or "mse", its eq. 8
    j: float = 1.0  # the rubbish class of "map" has the penalty j

    def __post_init__(self):
        valid = dict(
            connections=("table", "dense"),
            subsampling=("trainable", "average"),
            output=("rbf", "softmax"),
            loss=("map", "mse"),
        )
        for name, values in valid.items():
            if getattr(self, name) not in values:
                raise ValueError(f"LeNetConfig: {name} is {' or '.join(values)}, got {getattr(self, name)!r}")
        if self.output == "softmax" and self.loss == "mse":
            raise ValueError('LeNetConfig: loss="mse" is of distances: it needs output="rbf", got output="softmax"')
        if not self.j > 0:
            raise ValueError(f"LeNetConfig: j is positive, got {self.j!r}")

    @property
    def rubbish_logit(self):
        """The score of "none of the ten": -j; with a softmax, which has no such class, -inf."""
        return -self.j if self.output == "rbf" else -math.inf

    @property
    def shapes(self):
        """The shape of each parameter, in the order of the layers; 60,000 numbers in all, or 61,706 for today's LeNet."""
        shapes = {"c1.weight": (6, 1, 5, 5), "c1.bias": (6,)}
        if self.subsampling == "trainable":
            shapes |= {"s2.weight": (6,), "s2.bias": (6,)}
        shapes |= {"c3.weight": (60, 5, 5) if self.connections == "table" else (16, 6, 5, 5), "c3.bias": (16,)}
        if self.subsampling == "trainable":
            shapes |= {"s4.weight": (16,), "s4.bias": (16,)}
        shapes |= {"c5.weight": (120, 16, 5, 5), "c5.bias": (120,), "f6.weight": (84, 120), "f6.bias": (84,)}
        if self.output == "softmax":
            shapes |= {"output.weight": (10, 84), "output.bias": (10,)}
        return shapes

    def fan_in(self, name):
        """How many inputs the units have that use a parameter: a number, or an array where it differs within one."""
        layer, _, kind = name.partition(".")
        if layer == "c3" and self.connections == "table":
            of_map = 25 * np.bincount(C3_OUTPUTS)  # (16,): 75, 100 or 150
            return of_map[C3_OUTPUTS][:, None, None] if kind == "weight" else of_map
        return {"c1": 25, "s2": 4, "c3": 150, "s4": 4, "c5": 400, "f6": 120, "output": 84}[layer]

    def check_input(self, x):
        """Refuse an x that is not a floating-point (B, 1, 32, 32)."""
        check_images("LeNet5", x, (1, 32, 32), "; 28 x 28 images are padded where the batch is made")

    def check_targets(self, targets, batch_size):
        """Refuse targets that are not B int64 class indices in 0..9."""
        check_classes("LeNet5", targets, batch_size, 10, EACH)


@dataclass(frozen=True)
class CNNConfig:
    """Blocks of convolution 3 x 3, max pooling 2 x 2, BatchNorm and ReLU; then one linear layer."""

    in_channels: int = 3
    image_size: int = 32
    channels: tuple[int, ...] = (32, 64, 64)  # one block each
    num_classes: int = 10  # K

    def __post_init__(self):
        object.__setattr__(self, "channels", tuple(self.channels))  # a list, as JSON gives it, is welcome
        named = [(name, getattr(self, name)) for name in ("in_channels", "image_size", "num_classes")]
        for name, size in named + [(f"channels[{i}]", size) for i, size in enumerate(self.channels)]:
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise ValueError(f"CNNConfig: {name} is an int of at least 1, got {size!r}")
        halvings = 2 ** len(self.channels)
        if self.image_size % halvings:
            raise ValueError(
                f"CNNConfig: {len(self.channels)} poolings halve image_size, which {halvings} must divide; got {self.image_size}"
            )

    @property
    def num_blocks(self):
        """N: conv1, bn1 … convN, bnN."""
        return len(self.channels)

    @property
    def in_features(self):
        """What is left of an image after the last block: the inputs of fc."""
        return self.channels[-1] * (self.image_size // 2**self.num_blocks) ** 2

    def check_input(self, x):
        """Refuse an x that is not a floating-point (B, C, S, S)."""
        check_images("CNN", x, (self.in_channels, self.image_size, self.image_size))

    def check_targets(self, targets, batch_size):
        """Refuse targets that are not B int64 class indices in 0..K-1."""
        check_classes("CNN", targets, batch_size, self.num_classes, EACH)


# ------------------------------------------------------------------------------------------- What the tools need

# What `dlfs compare 03` runs, each in float64 at every level.
VARIANTS = {
    "lenet-5": LeNetConfig(),
    "lenet-5-competing": LeNetConfig(j=90.0),  # at the start the distances are about 84, so all classes have a say
    "lenet-5-mse": LeNetConfig(loss="mse"),
    "lenet-modern": LeNetConfig(connections="dense", subsampling="average", output="softmax"),
    "cnn": CNNConfig(image_size=16, channels=(8, 12, 10)),
}

# Planar distortions after the paper's section III.C: shifts, scaling, shearing.
DISTORT = RandomAffine(
    degrees=0,
    translate=(0.08, 0.08),
    scale=(0.85, 1.15),
    shear=(-15, 15, -8, 8),
    interpolation=InterpolationMode.BILINEAR,
)
CROP_AND_FLIP = Compose([RandomCrop(32, padding=4), RandomHorizontalFlip()])

# What `dlfs train 03 --data …` does; the first is bundled and needs no download.
RECIPES = {
    "digits": dict(config=LeNetConfig(), epochs=15, batch_size=32, lr=2e-3, optimizer="adam", schedule="cosine"),
    "mnist": dict(
        config=LeNetConfig(),
        epochs=15,
        batch_size=64,
        lr=2e-3,
        optimizer="adamw",
        optimizer_options=dict(weight_decay=0.05),
        schedule="cosine",
        augment=DISTORT.batch,
    ),
    # Clothes have no bitmaps of digits for F6 to show: a softmax instead, and the rest of today's LeNet with it.
    "fashion-mnist": dict(
        config=LeNetConfig(connections="dense", subsampling="average", output="softmax"),
        epochs=10,
        batch_size=64,
        lr=2e-3,
        optimizer="adam",
        schedule="cosine",
    ),
    "cifar10": dict(
        config=CNNConfig(), epochs=20, batch_size=128, lr=3e-4, optimizer="adam", augment=CROP_AND_FLIP.batch
    ),
}

ZERO_GRADIENTS = ()  # no parameter here has a gradient that is zero by mathematics: no bias stands before a BatchNorm
TWIN = None  # no library ships a LeNet-5


def example_batch(config, rng):
    """One batch for `compare`: the inputs of forward, and what loss takes besides."""
    shape = (1, 32, 32) if isinstance(config, LeNetConfig) else (config.in_channels, *2 * (config.image_size,))
    x = rng.standard_normal((6, *shape))  # (B, C, H, W)
    targets = rng.integers(0, 10, size=6)  # (B,)
    return (x,), (targets,)


def training_batch(config, x, y, rng):
    """One batch for `train`: images (B, C, H, W) in [0, 1] as the model wants them, and their classes (B,).

    For LeNet-5 as in the paper, section II.B: in the middle of a field of 32 x 32, paper at -0.1 and ink at 1.175, so that
    the mean is about 0. The bundled digits, 8 x 8, are enlarged to 24 x 24 first.
    """
    if isinstance(config, CNNConfig):
        return ((x - CIFAR10_MEAN) / CIFAR10_STD,), (y,)
    if x.shape[-1] == 8:
        x = x.repeat(3, axis=2).repeat(3, axis=3)  # (B, 1, 24, 24)
    field = np.full((len(x), 1, 32, 32), -0.1, dtype=x.dtype)  # (B, 1, 32, 32)
    margin = (32 - x.shape[-1]) // 2
    field[:, :, margin : 32 - margin, margin : 32 - margin] = 1.275 * x - 0.1
    return (field,), (y,)
