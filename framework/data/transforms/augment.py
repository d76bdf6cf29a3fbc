"""Augmentations that erase, combine or mix: random erasing, cutout, RandAugment, mixup, CutMix."""

import math

import numpy as np

from ... import backend
from ...tensor import Tensor
from . import color
from . import functional as F
from .image import NEAREST, Transform


class RandomErasing(Transform):
    """A rectangle of random size and place is overwritten with probability p (Zhong et al. 2017, algorithm 1).

    scale: the range of its part of the area; ratio: the range of height / width. value: a number, one for each channel, or
    "random" for noise: standard normal as in torchvision, for floating-point images.
    """

    def __init__(self, p=0.5, scale=(0.02, 0.33), ratio=(0.3, 3.3), value=0):
        if isinstance(value, str) and value != "random":
            raise ValueError(
                f'RandomErasing: value should be a number, one for each channel, or "random", got {value!r}'
            )
        if not 0 <= p <= 1:
            raise ValueError(f"RandomErasing: p should be between 0 and 1, got {p}")
        self.p, self.scale, self.ratio, self.value = p, scale, ratio, value

    def window(self, image):
        """A random (top, left, height, width); None where none of ten fits into the image."""
        rng = backend.random()
        _, h, w = F.dimensions(image)
        for _ in range(10):
            area = h * w * rng.uniform(*self.scale)
            ratio = math.exp(rng.uniform(*map(math.log, self.ratio)))
            height, width = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 0 < height < h and 0 < width < w:
                return int(rng.integers(h - height + 1)), int(rng.integers(w - width + 1)), height, width
        return None

    def apply(self, image):
        rng = backend.random()
        if rng.random() >= self.p:
            return image
        window = self.window(image)
        if window is None:
            return image
        if self.value == "random":
            value = rng.standard_normal((F.dimensions(image)[0], *window[2:]), np.float32)
        else:
            value = F.fill_values(self.value, image)
        return F.erase(image, *window, value)


class Cutout(Transform):
    """A square of zeros whose middle lies anywhere, so that a part may stick out (DeVries & Taylor 2017, section 3.2)."""

    def __init__(self, length):
        self.length = length

    def apply(self, image):
        rng = backend.random()
        _, h, w = F.dimensions(image)
        top, left = (int(rng.integers(extent)) - self.length // 2 for extent in (h, w))
        bottom, right = top + self.length, left + self.length
        top, left = max(top, 0), max(left, 0)
        return F.erase(image, top, left, bottom - top, right - left, 0)


def _shear(axis):
    def shear(image, magnitude, interpolation, fill):
        degrees = [0.0, 0.0]
        degrees[axis] = math.degrees(math.atan(magnitude))
        return F.affine(image, 0.0, [0, 0], 1.0, degrees, interpolation, fill, center=[0, 0])

    return shear


def _translate(axis):
    def translate(image, magnitude, interpolation, fill):
        shift = [0, 0]
        shift[axis] = int(magnitude)
        return F.affine(image, 0.0, shift, 1.0, [0.0, 0.0], interpolation, fill)

    return translate


def _rotate(image, magnitude, interpolation, fill):
    return F.rotate(image, magnitude, interpolation, fill=fill)


def _by_factor(adjust):
    return lambda image, magnitude, interpolation, fill: adjust(image, 1.0 + magnitude)


def _posterize(image, magnitude, interpolation, fill):
    return color.posterize(image, round(magnitude))


def _solarize(image, magnitude, interpolation, fill):
    return color.solarize(image, magnitude)


def _without_magnitude(function):
    return lambda image, magnitude, interpolation, fill: function(image)


class RandAugment(Transform):
    """num_ops operations of fourteen, chosen uniformly, each at the same magnitude of num_magnitude_bins (Cubuk et al. 2019, fig. 2).

    For uint8 images.
    """

    OPERATIONS = {  # name → function, magnitude at 0 and at the last bin, whether its sign is random
        "Identity": (_without_magnitude(lambda image: image), 0.0, 0.0, False),
        "ShearX": (_shear(0), 0.0, 0.3, True),
        "ShearY": (_shear(1), 0.0, 0.3, True),
        "TranslateX": (_translate(0), 0.0, 150 / 331, True),  # of the width
        "TranslateY": (_translate(1), 0.0, 150 / 331, True),  # of the height
        "Rotate": (_rotate, 0.0, 30.0, True),
        "Brightness": (_by_factor(color.adjust_brightness), 0.0, 0.9, True),
        "Color": (_by_factor(color.adjust_saturation), 0.0, 0.9, True),
        "Contrast": (_by_factor(color.adjust_contrast), 0.0, 0.9, True),
        "Sharpness": (_by_factor(color.adjust_sharpness), 0.0, 0.9, True),
        "Posterize": (_posterize, 8.0, 4.0, False),
        "Solarize": (_solarize, 255.0, 0.0, False),
        "AutoContrast": (_without_magnitude(color.autocontrast), 0.0, 0.0, False),
        "Equalize": (_without_magnitude(color.equalize), 0.0, 0.0, False),
    }

    def __init__(self, num_ops=2, magnitude=9, num_magnitude_bins=31, interpolation=NEAREST, fill=None):
        if not 0 <= magnitude < num_magnitude_bins:
            raise ValueError(
                f"RandAugment: magnitude should be between 0 and {num_magnitude_bins - 1}, got {magnitude}"
            )
        self.num_ops, self.magnitude, self.num_magnitude_bins = num_ops, magnitude, num_magnitude_bins
        self.interpolation, self.fill = interpolation, fill

    def operate(self, image, name, sign=1):
        """One operation at this transform's magnitude."""
        function, first, last, signed = self.OPERATIONS[name]
        magnitude = first + (last - first) * self.magnitude / (self.num_magnitude_bins - 1)
        if name.startswith("Translate"):
            magnitude *= F.dimensions(image)[2 if name == "TranslateX" else 1]
        return function(image, magnitude * sign if signed else magnitude, self.interpolation, self.fill)

    def apply(self, image):
        if image.dtype != np.uint8:
            raise TypeError(f"RandAugment: expected a uint8 image, got {image.dtype}; put it before ToDtype")
        rng, names = backend.random(), list(self.OPERATIONS)
        for _ in range(self.num_ops):
            image = self.operate(image, names[rng.integers(len(names))], 1 - 2 * int(rng.integers(2)))
        return image


class _Mix:
    """Base class of what mixes each image of a batch, and its label, with another one's: the one before it.

    Called with images (N, C, H, W), floating point, and labels, integers (N,) or probabilities (N, num_classes). Returns both, the labels
    as probabilities. For arrays or Tensors: after collating, as `collate_fn=lambda samples: mixup(*default_collate(samples))`.
    """

    def __init__(self, alpha=1.0, num_classes=None):
        if alpha <= 0:
            raise ValueError(f"{type(self).__name__}: alpha should be positive, got {alpha}")
        self.alpha, self.num_classes = alpha, num_classes

    def __call__(self, images, labels):
        if isinstance(images, Tensor):
            return tuple(Tensor(array) for array in self(images.array, getattr(labels, "array", labels)))
        name, labels = type(self).__name__, np.asarray(labels)
        if images.ndim != 4 or images.dtype.kind != "f":
            raise ValueError(
                f"{name}: expected a batch of floating-point images (N, C, H, W), got {images.dtype} {images.shape}"
            )
        if labels.ndim == 1:
            if self.num_classes is None:
                raise ValueError(f"{name}: num_classes is needed to mix labels that are class numbers")
            labels = np.eye(self.num_classes, dtype=images.dtype)[labels]
        images, own = self.mix(images, np.roll(images, 1, 0), backend.random().beta(self.alpha, self.alpha))
        return images, (own * labels + (1 - own) * np.roll(labels, 1, 0)).astype(labels.dtype)


class MixUp(_Mix):
    """λ x + (1 - λ) x', λ ~ Beta(α, α) (Zhang et al. 2017, eq. 1)."""

    @staticmethod
    def mix(images, others, own):
        return (own * images + (1 - own) * others).astype(images.dtype, copy=False), own


class CutMix(_Mix):
    """A window with the part 1 - λ of the area comes from the other image, λ ~ Beta(α, α) (Yun et al. 2019, eq. 1 and 2)."""

    @staticmethod
    def mix(images, others, own):
        rng = backend.random()
        h, w = images.shape[-2:]
        half = 0.5 * math.sqrt(1 - own)
        x, y = int(rng.integers(w)), int(rng.integers(h))
        left, right = max(x - int(half * w), 0), min(x + int(half * w), w)
        top, bottom = max(y - int(half * h), 0), min(y + int(half * h), h)
        mixed = images.copy()
        mixed[..., top:bottom, left:right] = others[..., top:bottom, left:right]
        return mixed, 1 - (right - left) * (bottom - top) / (h * w)
