"""Image transforms: torchvision's classes for arrays (…, C, H, W), uint8 (0–255) or floating point (0–1).

A transform is called with one image, or with several (leading dimensions) that it treats alike, as torchvision does. Its
`batch` takes images (N, C, H, W) and treats each with random numbers of its own: what a loader wants, and much faster than N
calls. A Tensor gives a Tensor. Random numbers come from the engine's default generator, which DataLoader seeds for each batch.
"""

import math

import numpy as np

from ... import backend
from ...tensor import Tensor
from . import color
from . import functional as F
from .functional import InterpolationMode

NEAREST, BILINEAR = InterpolationMode.NEAREST, InterpolationMode.BILINEAR


class Transform:
    """Base class of transforms: `apply(image)` does it."""

    def __call__(self, image):
        return Tensor(self.apply(image.array)) if isinstance(image, Tensor) else self.apply(image)

    def apply(self, image):
        raise NotImplementedError(f"{type(self).__name__}: a transform needs apply(image)")

    def batch(self, images):
        return np.stack([self(image) for image in images])


class Fixed(Transform):
    """Base class of transforms without randomness: a batch of images is treated as one."""

    def batch(self, images):
        return self(images)


class Compose:
    """One transform after another: any callables, the package's or others."""

    def __init__(self, transforms):
        self.transforms = list(transforms)

    def __call__(self, image):
        for transform in self.transforms:
            image = transform(image)
        return image

    def batch(self, images):
        for transform in self.transforms:
            images = (
                transform.batch(images)
                if hasattr(transform, "batch")
                else np.stack([transform(image) for image in images])
            )
        return images


# --- values -----------------------------------------------------------------------------------------------------------


class ToImage(Fixed):
    """A picture (H, W) or (H, W, C), array or PIL image → (C, H, W)."""

    def apply(self, image):
        return F.to_image(image)

    def batch(self, images):
        images = np.asarray(images)
        return images[:, None] if images.ndim == 3 else F.to_image(images)


class ToDtype(Fixed):
    """Another dtype; with scale, from 0–255 to 0–1 or back."""

    def __init__(self, dtype=np.float32, scale=False):
        self.dtype, self.scale = np.dtype(dtype), scale

    def apply(self, image):
        return F.to_dtype(image, self.dtype, self.scale)


class ToTensor(ToImage):
    """A picture (H, W) or (H, W, C), uint8, array or PIL image → a floating-point image (C, H, W) with values 0–1."""

    def apply(self, image):
        return F.to_dtype(super().apply(image), np.float32, scale=True)

    def batch(self, images):
        return F.to_dtype(super().batch(images), np.float32, scale=True)


class Normalize(Fixed):
    """(image - mean) / std, by channel."""

    def __init__(self, mean, std):
        self.mean, self.std = mean, std

    def apply(self, image):
        return F.normalize(image, self.mean, self.std)


# --- size and place ---------------------------------------------------------------------------------------------------


class Resize(Fixed):
    """To (height, width), or the shorter edge to one number."""

    def __init__(self, size, interpolation=BILINEAR, max_size=None, antialias=True):
        self.size, self.interpolation, self.max_size, self.antialias = size, interpolation, max_size, antialias

    def apply(self, image):
        return F.resize(image, self.size, self.interpolation, self.max_size, self.antialias)


class CenterCrop(Fixed):
    def __init__(self, size):
        self.size = size

    def apply(self, image):
        return F.center_crop(image, self.size)


class Pad(Fixed):
    def __init__(self, padding, fill=0, padding_mode="constant"):
        self.padding, self.fill, self.padding_mode = padding, fill, padding_mode

    def apply(self, image):
        return F.pad(image, self.padding, self.fill, self.padding_mode)


class RandomCrop(Transform):
    """A window of the given size anywhere in the image, which is padded before."""

    def __init__(self, size, padding=None, pad_if_needed=False, fill=0, padding_mode="constant"):
        self.size, self.padding, self.pad_if_needed = F.pair(size), padding, pad_if_needed
        self.fill, self.padding_mode = fill, padding_mode

    def _padded(self, image):
        """The image with its borders, and how many places there are for the window: (rows, columns)."""
        height, width = self.size
        if self.padding is not None:
            image = F.pad(image, self.padding, self.fill, self.padding_mode)
        if self.pad_if_needed:
            _, h, w = F.dimensions(image)
            if w < width or h < height:
                image = F.pad(image, [max(width - w, 0), max(height - h, 0)], self.fill, self.padding_mode)
        _, h, w = F.dimensions(image)
        if h < height or w < width:
            raise ValueError(
                f"RandomCrop: the crop {height} × {width} is larger than the image {h} × {w}; set padding or pad_if_needed"
            )
        return image, (h - height + 1, w - width + 1)

    def apply(self, image):
        image, places = self._padded(image)
        top, left = backend.random().integers(places).tolist()
        return F.crop(image, top, left, *self.size)

    def batch(self, images):
        images, places = self._padded(images)
        tops, lefts = backend.random().integers(places, size=(len(images), 2)).T
        # (N, C, rows, columns, height, width)
        windows = np.lib.stride_tricks.sliding_window_view(images, self.size, axis=(-2, -1))
        return windows[np.arange(len(images)), :, tops, lefts]


class RandomResizedCrop(Transform):
    """A window with a random part of the image's area and a random ratio of its edges, resized (Szegedy et al. 2014)."""

    def __init__(self, size, scale=(0.08, 1.0), ratio=(3 / 4, 4 / 3), interpolation=BILINEAR, antialias=True):
        self.size, self.scale, self.ratio = F.pair(size), scale, ratio
        self.interpolation, self.antialias = interpolation, antialias

    def window(self, image):
        """A random (top, left, height, width)."""
        rng = backend.random()
        _, h, w = F.dimensions(image)
        for _ in range(10):
            area = h * w * rng.uniform(*self.scale)
            ratio = math.exp(rng.uniform(*map(math.log, self.ratio)))
            width, height = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 0 < width <= w and 0 < height <= h:
                return int(rng.integers(h - height + 1)), int(rng.integers(w - width + 1)), height, width
        low, high = self.ratio  # too long an image: the largest window in its middle
        width, height = (w, round(w / low)) if w / h < low else (round(h * high), h) if w / h > high else (w, h)
        return (h - height) // 2, (w - width) // 2, height, width

    def apply(self, image):
        return F.resized_crop(image, *self.window(image), self.size, self.interpolation, self.antialias)


class RandomHorizontalFlip(Transform):
    flip = staticmethod(F.hflip)

    def __init__(self, p=0.5):
        self.p = p

    def apply(self, image):
        return self.flip(image) if backend.random().random() < self.p else image

    def batch(self, images):
        chosen = backend.random().random(len(images)) < self.p
        flipped = images.copy()
        flipped[chosen] = self.flip(images[chosen])
        return flipped


class RandomVerticalFlip(RandomHorizontalFlip):
    flip = staticmethod(F.vflip)


def _interval(name, value, what="degrees"):
    """(low, high) of a range given by its ends, or by one number for both sides of 0."""
    if isinstance(value, int | float):
        if value < 0:
            raise ValueError(f"{name}: {what} given as one number should not be negative, got {value}")
        return -value, value
    if len(value) != 2:
        raise ValueError(f"{name}: {what} should be one number or (low, high), got {value}")
    return tuple(value)


class RandomRotation(Transform):
    """A rotation by an angle from a range of degrees."""

    def __init__(self, degrees, interpolation=NEAREST, expand=False, center=None, fill=0):
        self.degrees = _interval("RandomRotation", degrees)
        self.interpolation, self.expand, self.center, self.fill = interpolation, expand, center, fill

    def apply(self, image):
        angle = backend.random().uniform(*self.degrees)
        return F.rotate(image, angle, self.interpolation, self.expand, self.center, self.fill)


class RandomAffine(Transform):
    """Rotation, shift, scaling and shear at once.

    degrees: a range, or d for (-d, d). translate: the largest shifts as parts of width and height. scale: a range. shear: a range of
    degrees along x, or four numbers for x and y.
    """

    def __init__(self, degrees, translate=None, scale=None, shear=None, interpolation=NEAREST, fill=0, center=None):
        self.degrees = _interval("RandomAffine", degrees)
        if translate is not None and not all(0 <= part <= 1 for part in translate):
            raise ValueError(f"RandomAffine: translate should be parts of the image between 0 and 1, got {translate}")
        if scale is not None and not all(factor > 0 for factor in scale):
            raise ValueError(f"RandomAffine: scale should be positive, got {scale}")
        four = not isinstance(shear, int | float | None) and len(shear) == 4
        self.shear = shear if four or shear is None else _interval("RandomAffine", shear, "shear")
        self.translate, self.scale = translate, scale
        self.interpolation, self.fill, self.center = interpolation, fill, center

    def apply(self, image):
        rng = backend.random()
        _, h, w = F.dimensions(image)
        angle = rng.uniform(*self.degrees)
        limits = (self.translate[0] * w, self.translate[1] * h) if self.translate else (0, 0)
        translate = [round(rng.uniform(-limit, limit)) for limit in limits]
        scale = rng.uniform(*self.scale) if self.scale else 1.0
        shear = [rng.uniform(*ends) for ends in (self.shear[:2], self.shear[2:] or (0, 0))] if self.shear else (0, 0)
        return F.affine(image, angle, translate, scale, shear, self.interpolation, self.fill, self.center)


# --- colour -----------------------------------------------------------------------------------------------------------


class ColorJitter(Transform):
    """Brightness, contrast, saturation and hue changed at random, in a random order.

    Each is a range of factors, or one number b for (max(0, 1 - b), 1 + b); hue a range within -0.5–0.5, or h for (-h, h).
    """

    def __init__(self, brightness=0, contrast=0, saturation=0, hue=0):
        self.changes = [
            (color.adjust_brightness, self._range("brightness", brightness)),
            (color.adjust_contrast, self._range("contrast", contrast)),
            (color.adjust_saturation, self._range("saturation", saturation)),
            (color.adjust_hue, self._range("hue", hue, 0.0, -0.5, 0.5)),
        ]

    @staticmethod
    def _range(name, value, middle=1.0, least=0.0, most=math.inf):
        low, high = _interval("ColorJitter", value, name)
        if isinstance(value, int | float):
            low, high = max(middle + low, 0.0 if middle else low), middle + high
        if not least <= low <= high <= most:
            raise ValueError(f"ColorJitter: {name} should lie between {least} and {most}, got {value}")
        return low, high

    def apply(self, image):
        rng = backend.random()
        for i in rng.permutation(len(self.changes)):
            change, (low, high) = self.changes[i]
            if low < high or low != (change is not color.adjust_hue):  # there is something to change
                image = change(image, rng.uniform(low, high))
        return image
