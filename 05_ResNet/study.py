"""The facts about ResNet: its config, the paper's nets by depth, named variants, and what the tools need to run them."""

from dataclasses import dataclass, replace

from framework.data.transforms import Compose, RandomCrop, RandomHorizontalFlip
from utils.checks import check_classes, check_pixels
from utils.data_loaders import CIFAR10_MEAN, CIFAR10_STD

NAME = "ResNet"
TIER = 2
PREREQUISITES = ("04",)
PAPER = "He, Zhang, Ren & Sun 2015, Deep Residual Learning for Image Recognition"
MODEL = "ResNet"
LEVELS = {
    "engine": "paper/resnet_paper.py",
    "lowlevel": "pytorch_lowlevel/resnet_lowlevel.py",
    "paper": "paper/resnet_paper.py",
}

# The paper's table 1: the block of each ImageNet net, and how many of them in each of the four stages.
IMAGENET_NETS = {
    18: ("basic", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
    152: ("bottleneck", (3, 8, 36, 3)),
}
EXPANSION = {"basic": 1, "bottleneck": 4}  # a block's output has so many times the channels of its 3 x 3 convolution


@dataclass(frozen=True)
class ResNetConfig:
    """A stem, stages of residual blocks, global average pooling, one linear layer. By default the paper's ResNet-20.

    The first block of every stage but the first halves the image. `cifar` and `imagenet` make the paper's nets.
    """

    layers: tuple[int, ...] = (3, 3, 3)  # blocks in each stage
    channels: tuple[int, ...] = (16, 32, 64)  # of the 3 x 3 convolutions of each stage
    block: str = "basic"  # two 3 x 3 convolutions; or "bottleneck": 1 x 1, 3 x 3, 1 x 1
    stem: str = "cifar"  # 3 x 3; or "imagenet": 7 x 7 with stride 2, then max pooling 3 x 3 with stride 2
    shortcut: str = "A"  # the paper's options "A", "B" and "C"; or "none": its plain nets
    stride_in: str = "conv1"  # the convolution of a bottleneck that halves the image; torchvision since v1.5: "conv2"
    zero_gamma: bool = False  # a block's last BatchNorm starts with γ = 0, so that every block starts as its shortcut
    in_channels: int = 3
    num_classes: int = 10  # K

    @classmethod
    def cifar(cls, depth, **options):
        """The nets of section 4.2: three stages of n blocks, 6n + 2 layers deep; 20, 32, 44, 56 and 110 in the paper."""
        if depth < 8 or depth % 6 != 2:
            raise ValueError(f"ResNetConfig.cifar: a depth is 6n + 2, such as 20, 32, 44, 56 or 110; got {depth}")
        return cls(**{"layers": ((depth - 2) // 6,) * 3, **options})

    @classmethod
    def imagenet(cls, depth, **options):
        """The nets of table 1, 18 to 152 layers deep, with option B."""
        if depth not in IMAGENET_NETS:
            raise ValueError(f"ResNetConfig.imagenet: the depths are {', '.join(map(str, IMAGENET_NETS))}; got {depth}")
        block, layers = IMAGENET_NETS[depth]
        net = dict(block=block, layers=layers, channels=(64, 128, 256, 512), stem="imagenet", shortcut="B")
        return cls(**{**net, "num_classes": 1000, **options})

    def __post_init__(self):
        for name in ("layers", "channels"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # a list, as JSON gives it, is welcome
        valid = dict(
            block=("basic", "bottleneck"),
            stem=("cifar", "imagenet"),
            shortcut=("A", "B", "C", "none"),
            stride_in=("conv1", "conv2"),
        )
        for name, values in valid.items():
            if getattr(self, name) not in values:
                raise ValueError(f"ResNetConfig: {name} is {' or '.join(values)}, got {getattr(self, name)!r}")
        sizes = [(name, getattr(self, name)) for name in ("in_channels", "num_classes")]
        sizes += [
            (f"{name}[{i}]", size) for name in ("layers", "channels") for i, size in enumerate(getattr(self, name))
        ]
        for name, size in sizes:
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise ValueError(f"ResNetConfig: {name} is an int of at least 1, got {size!r}")
        if not self.layers or len(self.layers) != len(self.channels):
            raise ValueError(
                f"ResNetConfig: layers and channels have a number for each stage, got {self.layers} and {self.channels}"
            )
        if self.shortcut == "A" and list(self.channels) != sorted(self.channels):
            raise ValueError(f"ResNetConfig: option A can only add channels, got {self.channels}; take option B")

    @property
    def expansion(self):
        return EXPANSION[self.block]

    @property
    def num_stages(self):
        """The stages are layer1 … layerN, as in torchvision."""
        return len(self.layers)

    @property
    def depth(self):
        """Layers with weights on the longest way: what the number in ResNet-50 counts."""
        return 2 + sum(self.layers) * (2 if self.block == "basic" else 3)

    @property
    def out_features(self):
        """The channels after the last stage: the inputs of fc."""
        return self.channels[-1] * self.expansion

    def stage(self, i):
        """(in_channels, channels, stride) of each block of stage i, counted from 1."""
        before = self.channels[0] if i == 1 else self.channels[i - 2] * self.expansion
        channels = self.channels[i - 1]
        first = (before, channels, 1 if i == 1 else 2)
        return [first] + [(channels * self.expansion, channels, 1)] * (self.layers[i - 1] - 1)

    def shortcut_kind(self, in_channels, channels, stride):
        """What goes beside a block: "identity", "pad" (option A), "projection" (options B and C), or "none"."""
        changes = stride != 1 or in_channels != channels * self.expansion
        if self.shortcut == "none":
            return "none"
        if self.shortcut == "C" or (self.shortcut == "B" and changes):
            return "projection"
        return "pad" if changes else "identity"

    @property
    def shapes(self):
        """The shape of each parameter, in the order of the layers: the names and shapes of torchvision's ResNets."""
        shapes = {}

        def conv_and_bn(conv, bn, fan_out, fan_in, kernel):
            shapes[f"{conv}.weight"] = (fan_out, fan_in, kernel, kernel)
            shapes[f"{bn}.weight"] = shapes[f"{bn}.bias"] = (fan_out,)

        conv_and_bn("conv1", "bn1", self.channels[0], self.in_channels, 3 if self.stem == "cifar" else 7)
        for i in range(1, self.num_stages + 1):
            for j, (in_channels, channels, stride) in enumerate(self.stage(i)):
                name, out_channels = f"layer{i}.{j}", channels * self.expansion
                widths = [in_channels, *[channels] * (1 if self.block == "basic" else 2), out_channels]
                kernels = (3, 3) if self.block == "basic" else (1, 3, 1)
                for k, kernel in enumerate(kernels, start=1):
                    conv_and_bn(f"{name}.conv{k}", f"{name}.bn{k}", widths[k], widths[k - 1], kernel)
                if self.shortcut_kind(in_channels, channels, stride) == "projection":
                    conv_and_bn(f"{name}.downsample.0", f"{name}.downsample.1", out_channels, in_channels, 1)
        return shapes | {"fc.weight": (self.num_classes, self.out_features), "fc.bias": (self.num_classes,)}

    def check_input(self, x):
        """Refuse an x that is not a floating-point (B, C, H, W)."""
        shape = tuple(x.shape)
        if len(shape) != 4 or shape[1] != self.in_channels:
            raise ValueError(f"ResNet.forward: expected (B, {self.in_channels}, H, W), got {shape}")
        check_pixels("ResNet", x)

    def check_targets(self, targets, batch_size):
        """Refuse targets that are not B int64 class indices in 0..K-1."""
        check_classes("ResNet", targets, batch_size, self.num_classes)


# ------------------------------------------------------------------------------------------- What the tools need

# What `dlfs compare 05` runs, each in float64 at every level; sizes are odd where an image is halved.
SMALL = ResNetConfig(layers=(1, 1, 1), channels=(4, 6, 8))
NARROW = ResNetConfig(
    layers=(2, 1, 1, 1), channels=(4, 6, 8, 10), block="bottleneck", stem="imagenet", shortcut="B", stride_in="conv2"
)
VARIANTS = {
    "cifar-a": SMALL,
    "cifar-b": replace(SMALL, shortcut="B"),
    "cifar-c": replace(SMALL, shortcut="C"),
    "cifar-plain": replace(SMALL, shortcut="none"),
    "bottleneck": replace(NARROW, stride_in="conv1"),
    "bottleneck-v1.5": NARROW,
    "zero-gamma": replace(NARROW, zero_gamma=True),
    "resnet18": ResNetConfig.imagenet(18),
}

# Whose weights torchvision and timm publish: what `dlfs convert` reads, in these names. Their stride is in conv2.
PUBLISHED = {f"resnet{depth}": ResNetConfig.imagenet(depth, stride_in="conv2") for depth in IMAGENET_NETS}

CROP_AND_FLIP = Compose([RandomCrop(32, padding=4), RandomHorizontalFlip()])


def divided_twice(step, steps):
    """The paper's: a tenth after half of the steps, a hundredth after three quarters; of 64k, after 32k and 48k."""
    return 0.1 ** ((step >= steps // 2) + (step >= 3 * steps // 4))


SGD = dict(optimizer="sgd", optimizer_options=dict(momentum=0.9, weight_decay=1e-4))  # the paper's
QUICK = dict(optimizer="sgd", optimizer_options=dict(momentum=0.9, weight_decay=5e-4), schedule="one_cycle")  # ours
CIFAR10 = dict(data="cifar10", config=ResNetConfig.cifar(20), batch_size=128, augment=CROP_AND_FLIP.batch)

# What `dlfs train 05 --data …` does; the first is bundled and needs no download.
RECIPES = {
    "digits": dict(
        SGD,
        config=ResNetConfig(layers=(1, 1, 1), channels=(8, 16, 32), in_channels=1),
        epochs=10,
        batch_size=32,
        lr=0.05,
        schedule="one_cycle",
    ),
    "cifar10": dict(CIFAR10 | QUICK, epochs=8, lr=0.2),
    # Section 4.2 as it stands: 182 epochs of 352 batches are 64,064 steps.
    "cifar10-full": dict(CIFAR10 | SGD, epochs=182, lr=0.1, schedule=divided_twice),
    "cifar100": dict(
        CIFAR10 | QUICK, data="cifar100", config=ResNetConfig.cifar(20, num_classes=100), epochs=8, lr=0.2
    ),
    # Ten classes of ImageNet at 64 x 64, with the net that the paper has for ImageNet.
    "imagenette": dict(
        QUICK,
        config=ResNetConfig.imagenet(18, num_classes=10),
        epochs=20,
        batch_size=64,
        lr=0.05,
        augment=Compose([RandomCrop(64, padding=8), RandomHorizontalFlip()]).batch,
    ),
    # One block a stage: small enough for an epoch on the engine.
    "cifar10-small": dict(CIFAR10 | QUICK, config=ResNetConfig.cifar(8), epochs=1, lr=0.1),
}

ZERO_GRADIENTS = ()  # no convolution has a bias, which the BatchNorm behind it would silence
TWIN = "production_twin"


def example_batch(config, rng):
    """One batch for `compare`: the inputs of forward, and what loss takes besides."""
    size = 13 if config.stem == "cifar" else 67  # 13, 7, 4; or 67, 34, 17, 17, 9, 5, 3
    x = rng.standard_normal((3, config.in_channels, size, size))  # (B, C, H, W)
    targets = rng.integers(0, config.num_classes, size=3)  # (B,)
    return (x,), (targets,)


def training_batch(config, x, y, rng):
    """One batch for `train`: images (B, C, H, W) in [0, 1] with mean 0 and deviation 1, and their classes (B,)."""
    if config.in_channels == 3:
        return ((x - CIFAR10_MEAN) / CIFAR10_STD,), (y,)
    return ((x - 0.3) / 0.375,), (y,)
