"""The facts about the Vision Transformer: its config, the published sizes, named variants, and what the tools need to run them."""

from dataclasses import dataclass, replace

import numpy as np

from framework.data.transforms import (
    Compose,
    Cutout,
    InterpolationMode,
    RandAugment,
    RandomCrop,
    RandomHorizontalFlip,
    functional,
)
from utils.checks import check_classes, check_images
from utils.data_loaders import CIFAR10_MEAN, CIFAR10_STD
from utils.schedules import warm_up_and_cosine

NAME = "Vision Transformer"
TIER = 4
PREREQUISITES = ("05", "07")
PAPER = "Dosovitskiy et al. 2020, An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale"
MODEL = "VisionTransformer"
LEVELS = {
    "engine": "paper/vit_paper.py",
    "lowlevel": "pytorch_lowlevel/vit_lowlevel.py",
    "paper": "paper/vit_paper.py",
}

SIZES = {  # name: (width D, blocks L, heads)
    "Ti": (192, 12, 3),  # Ti and S: Touvron et al. 2020 (DeiT)
    "S": (384, 12, 6),
    "B": (768, 12, 12),  # B, L and H: the paper's table 1
    "L": (1024, 24, 16),
    "H": (1280, 32, 16),
}


@dataclass(frozen=True)
class ViTConfig:
    """Patches as tokens, a class token before them, learned positions, pre-norm Transformer blocks. By default ViT-B/16."""

    image_size: int = 224  # height and width
    patch_size: int = 16  # P
    in_channels: int = 3  # C
    num_classes: int = 1000  # K
    embed_dim: int = 768  # D
    depth: int = 12  # L
    num_heads: int = 12
    mlp_ratio: int = 4  # the MLP is so many times as wide as D
    dropout: float = 0.0  # after the positions, the attention's output and both layers of the MLP

    @classmethod
    def published(cls, size, patch_size, **options):
        """The paper's "B", "L" and "H", and DeiT's "Ti" and "S": published("B", 16) is ViT-B/16."""
        if size not in SIZES:
            raise ValueError(f"ViTConfig.published: the sizes are {', '.join(SIZES)}; got {size!r}")
        embed_dim, depth, num_heads = SIZES[size]
        widths = dict(patch_size=patch_size, embed_dim=embed_dim, depth=depth, num_heads=num_heads)
        return cls(**{**widths, **options})

    def __post_init__(self):
        sizes = "image_size", "patch_size", "in_channels", "num_classes", "embed_dim", "depth", "num_heads", "mlp_ratio"
        for name in sizes:
            size = getattr(self, name)
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise ValueError(f"ViTConfig: {name} is an int of at least 1, got {size!r}")
        if self.image_size % self.patch_size:
            raise ValueError(
                f"ViTConfig: image_size is a multiple of patch_size, got {self.image_size} and {self.patch_size}"
            )
        if self.embed_dim % self.num_heads:
            raise ValueError(
                f"ViTConfig: embed_dim is a multiple of num_heads, got {self.embed_dim} and {self.num_heads}"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"ViTConfig: dropout is a probability below 1, got {self.dropout!r}")

    @property
    def grid_size(self):
        """Patches in a row, and in a column."""
        return self.image_size // self.patch_size

    @property
    def num_patches(self):
        """N."""
        return self.grid_size**2

    @property
    def shapes(self):
        """The shape of each parameter, in the order of the layers: the names and shapes of timm's VisionTransformer."""
        D, P = self.embed_dim, self.patch_size
        shapes = {
            "cls_token": (1, 1, D), "pos_embed": (1, self.num_patches + 1, D),
            "patch_embed.proj.weight": (D, self.in_channels, P, P), "patch_embed.proj.bias": (D,),
        }  # fmt: skip
        layers = {
            "norm1": (D,), "attn.qkv": (3 * D, D), "attn.proj": (D, D),
            "norm2": (D,), "mlp.fc1": (self.mlp_ratio * D, D), "mlp.fc2": (D, self.mlp_ratio * D),
        }  # fmt: skip
        for i in range(self.depth):
            for layer, weight in layers.items():
                shapes |= {f"blocks.{i}.{layer}.weight": weight, f"blocks.{i}.{layer}.bias": weight[:1]}
        shapes |= {"norm.weight": (D,), "norm.bias": (D,)}
        return shapes | {"head.weight": (self.num_classes, D), "head.bias": (self.num_classes,)}

    def check_input(self, x):
        """Refuse an x that is not a floating-point (B, C, H, W) of the config's size."""
        image = (self.in_channels, self.image_size, self.image_size)
        check_images(MODEL, x, image, "; study.resized takes a state dict to another image size")

    def check_targets(self, targets, batch_size):
        """Refuse targets that are not B int64 class indices in 0..K-1."""
        look = str(targets.device) == "cpu"  # else the CPU would wait for the device at every step
        check_classes(MODEL, targets, batch_size, self.num_classes, look=look)


def resized(state, config, image_size):
    """(config, state) for images of another size: the position embeddings, arrays here, are resampled like a picture; eq. 31.

    All else stays as it is: the patches are as large as before, and there are more of them or fewer. Bicubic, as timm does it.
    """
    new = replace(config, image_size=image_size)
    pos_embed = np.asarray(state["pos_embed"])  # (1, 1 + N, D)
    of_class, of_patches = pos_embed[:, :1], pos_embed[0, 1:]
    picture = of_patches.T.reshape(-1, config.grid_size, config.grid_size)  # (D, N^(1/2), N^(1/2))
    picture = functional.resize(picture, (new.grid_size, new.grid_size), InterpolationMode.BICUBIC)
    of_patches = picture.reshape(len(picture), -1).T[None]  # (1, N', D)
    return new, {**state, "pos_embed": np.concatenate([of_class, of_patches], axis=1)}


# The models of the paper and of DeiT whose weights are published, in these names, by timm.
PUBLISHED = {
    "vit_tiny_patch16_224": ViTConfig.published("Ti", 16),
    "vit_small_patch16_224": ViTConfig.published("S", 16),
    "vit_base_patch16_224": ViTConfig.published("B", 16),
    "vit_base_patch16_384": ViTConfig.published("B", 16, image_size=384),
    "vit_base_patch32_224": ViTConfig.published("B", 32),
    "vit_large_patch16_224": ViTConfig.published("L", 16),
    "vit_large_patch32_224": ViTConfig.published("L", 32),
    "vit_huge_patch14_224": ViTConfig.published("H", 14),
}


# ------------------------------------------------------------------------------------------- What the tools need

TINY = ViTConfig(image_size=12, patch_size=4, num_classes=5, embed_dim=8, depth=2, num_heads=2)

# What `dlfs compare 10` runs, each in float64 at every level.
VARIANTS = {
    "tiny": TINY,
    "tiny-one-head": replace(TINY, num_heads=1),
    "tiny-narrow-mlp": replace(TINY, mlp_ratio=2, num_heads=4),
    "tiny-grey": replace(TINY, in_channels=1, embed_dim=16, mlp_ratio=2),
    "one-patch": replace(TINY, patch_size=12),
}

# A key's bias has no gradient either (theory.md, section 3.4), but it is a third of qkv.bias, whose rest has one.
ZERO_GRADIENTS = ()
TWIN = "timm_vit"  # timm's VisionTransformer


def is_weight(name, parameter):
    """What weight decay acts on: matrices; not biases, nor γ and β, nor the class token and the positions."""
    return parameter.ndim >= 2 and name not in ("cls_token", "pos_embed")


CROP_AND_FLIP = Compose([RandomCrop(32, padding=4), RandomHorizontalFlip()])
RAND_AUGMENT, CUTOUT = RandAugment(num_ops=2, magnitude=9), Cutout(8)


def augment_strongly(x):
    """Crops, flips and RandAugment (Cubuk et al. 2019), which works on bytes, and Cutout, of images (B, 3, 32, 32) in [0, 1]."""
    x = CROP_AND_FLIP.batch(x)
    bytes_ = RAND_AUGMENT.batch(np.rint(255 * x).astype(np.uint8))
    return CUTOUT.batch(bytes_.astype(np.float32) / 255)


ADAMW = dict(optimizer="adamw", optimizer_options=dict(weight_decay=0.05, decays=is_weight), schedule=warm_up_and_cosine(10), clip=1.0)  # fmt: skip

# What `dlfs train 10 --data …` does; the first is bundled and needs no download.
RECIPES = {
    "digits": dict(
        config=ViTConfig(
            image_size=8, patch_size=2, in_channels=1, num_classes=10, embed_dim=48, depth=3, num_heads=4, mlp_ratio=2
        ),
        epochs=15, batch_size=32, lr=2e-3, **ADAMW,
    ),
    "cifar10": dict(
        config=ViTConfig(
            image_size=32, patch_size=4, num_classes=10, embed_dim=128, depth=4, num_heads=4, mlp_ratio=2
        ),
        epochs=8, batch_size=128, lr=2e-3, **ADAMW, augment=CROP_AND_FLIP.batch,
    ),
    # 6.3 million parameters: for a GPU.
    "cifar10-full": dict(
        data="cifar10",
        config=ViTConfig(
            image_size=32, patch_size=4, num_classes=10, embed_dim=384, depth=7, num_heads=12, mlp_ratio=1, dropout=0.0
        ),
        epochs=200, batch_size=128, lr=1e-3, **ADAMW, augment=augment_strongly,
    ),
}  # fmt: skip


def example_batch(config, rng):
    """One batch for `compare`: the inputs of forward, and what loss takes besides."""
    x = rng.standard_normal((3, config.in_channels, config.image_size, config.image_size))  # (B, C, H, W)
    targets = rng.integers(0, config.num_classes, size=3)  # (B,)
    return (x,), (targets,)


def training_batch(config, x, y, rng):
    """One batch for `train`: images (B, C, H, W) in [0, 1] with mean 0 and deviation 1, and their classes (B,)."""
    if config.in_channels == 3:
        return ((x - CIFAR10_MEAN) / CIFAR10_STD,), (y,)
    return ((x - 0.3) / 0.375,), (y,)
