"""What may happen to an example on its way out of a data set: changes of a PIL image, then of an array (C, H, W)."""

import numpy as np

from .utils import pair


class Compose:
    """One transform after the other."""

    def __init__(self, transforms=()):
        self.transforms = list(transforms)

    def __call__(self, img):
        for transform in self.transforms:
            img = transform(img)
        return img


# --- of PIL images ----------------------------------------------------------------------------------------------------


class Convert:
    """To a mode of PIL's, or to "BGR"."""

    def __init__(self, mode="RGB"):
        self.mode = mode

    def __call__(self, img):
        if self.mode != "BGR":
            return img.convert(self.mode)
        from PIL import Image

        return Image.merge("RGB", img.convert("RGB").split()[::-1])


class Resize:
    """To (width, height); mode 2 is bilinear interpolation."""

    def __init__(self, size, mode=2):
        self.size, self.mode = pair(size), mode

    def __call__(self, img):
        return img.resize(self.size, self.mode)


class CenterCrop:
    """The middle (width, height) of the image."""

    def __init__(self, size):
        self.size = pair(size)

    def __call__(self, img):
        (w, h), (ow, oh) = img.size, self.size
        left, top = (w - ow) // 2, (h - oh) // 2
        return img.crop((left, top, left + ow, top + oh))


class RandomHorizontalFlip:
    """Mirrors every second image, by chance: a PIL image or an array (C, H, W)."""

    def __call__(self, img):
        if np.random.rand() < 0.5:
            return img
        if isinstance(img, np.ndarray):
            return img[..., ::-1]
        from PIL import ImageOps

        return ImageOps.mirror(img)


class ToArray:
    """A PIL image as an array (C, H, W)."""

    def __init__(self, dtype=np.float32):
        self.dtype = dtype

    def __call__(self, img):
        if isinstance(img, np.ndarray):
            return img
        array = np.asarray(img, dtype=self.dtype)
        return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)


class ToPIL:
    """An array (C, H, W) of bytes as a PIL image."""

    def __call__(self, array):
        from PIL import Image

        return Image.fromarray(array[0] if len(array) == 1 else array.transpose(1, 2, 0))


# --- of arrays --------------------------------------------------------------------------------------------------------


class Normalize:
    """(array − mean) / std, each a number or one for each channel."""

    def __init__(self, mean=0, std=1):
        self.mean, self.std = mean, std

    def __call__(self, array):
        mean, std = (
            value if np.isscalar(value) else np.array(value, dtype=array.dtype).reshape(-1, *[1] * (array.ndim - 1))
            for value in (self.mean, self.std)
        )
        return (array - mean) / std


class Flatten:
    def __call__(self, array):
        return array.flatten()


class AsType:
    def __init__(self, dtype=np.float32):
        self.dtype = dtype

    def __call__(self, array):
        return array.astype(self.dtype)


ToFloat = AsType


class ToInt(AsType):
    def __init__(self, dtype=int):
        super().__init__(dtype)
