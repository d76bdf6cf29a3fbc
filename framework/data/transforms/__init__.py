"""Image transforms: torchvision.transforms for arrays (…, C, H, W)."""

from . import color, functional
from .augment import CutMix, Cutout, MixUp, RandAugment, RandomErasing
from .functional import InterpolationMode
from .image import (
    CenterCrop,
    ColorJitter,
    Compose,
    Normalize,
    Pad,
    RandomAffine,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomRotation,
    RandomVerticalFlip,
    Resize,
    ToDtype,
    ToImage,
    ToTensor,
    Transform,
)

__all__ = [
    "CenterCrop",
    "ColorJitter",
    "Compose",
    "CutMix",
    "Cutout",
    "InterpolationMode",
    "MixUp",
    "Normalize",
    "Pad",
    "RandAugment",
    "RandomAffine",
    "RandomCrop",
    "RandomErasing",
    "RandomHorizontalFlip",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomVerticalFlip",
    "Resize",
    "ToDtype",
    "ToImage",
    "ToTensor",
    "Transform",
    "color",
    "functional",
]
