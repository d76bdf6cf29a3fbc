"""Image operations under torchvision's names and with its results: arrays in, new arrays out, nothing random.

An image is an array (…, C, H, W): uint8 with values 0–255, or floating point with values 0–1. Leading dimensions are a batch
that is treated alike. On uint8, results that are interpolated may differ from torchvision's by one level.
"""

import functools
import math
from enum import StrEnum

import numpy as np


class InterpolationMode(StrEnum):
    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"


def dimensions(image):
    """(C, H, W)."""
    return image.shape[-3:]


def bound(image):
    """The value of white: 255 for uint8, 1 for floating point."""
    return 255 if image.dtype == np.uint8 else 1.0


def like(image, values):
    """Floating-point values as the dtype of image: for uint8, rounded and cut to 0–255."""
    if image.dtype != np.uint8:
        return values.astype(image.dtype, copy=False)
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


# --- values -----------------------------------------------------------------------------------------------------------


def to_image(picture):
    """A picture (H, W), (H, W, C) or (N, H, W, C), an array or a PIL image, as an image (…, C, H, W) of the same dtype."""
    picture = np.asarray(picture)
    if picture.ndim == 2:
        return picture[None]
    if picture.ndim < 3:
        raise ValueError(f"to_image: expected a picture (H, W) or (H, W, C), got shape {picture.shape}")
    return np.ascontiguousarray(np.moveaxis(picture, -1, -3))


def to_dtype(image, dtype=np.float32, scale=False):
    """The image in another dtype; with scale, white stays white: uint8's 255 is floating point's 1."""
    dtype = np.dtype(dtype)
    if not scale or dtype == image.dtype or (dtype.kind == "f") == (image.dtype.kind == "f"):
        return image.astype(dtype, copy=False)
    if dtype.kind == "f":
        return np.multiply(image, 1 / np.iinfo(image.dtype).max, dtype=dtype)
    return (image * (np.iinfo(dtype).max + 1 - 1e-3)).astype(dtype)


def normalize(image, mean, std):
    """(image - mean) / std, by channel."""
    if image.dtype.kind != "f":
        raise TypeError(
            f"normalize: expected a floating-point image, got {image.dtype}; use ToDtype(float32, scale=True) before"
        )
    mean, std = (np.asarray(values, image.dtype).reshape(-1, 1, 1) for values in (mean, std))
    if not std.all():
        raise ValueError(f"normalize: std should not be zero, got {std.ravel().tolist()}")
    image = image - mean
    image /= std
    return image


# --- cutting ----------------------------------------------------------------------------------------------------------


def hflip(image):
    return image[..., ::-1]


def vflip(image):
    return image[..., ::-1, :]


def pad(image, padding, fill=0, padding_mode="constant"):
    """padding: one number, (left and right, top and bottom), or (left, top, right, bottom). padding_mode as NumPy's."""
    padding = [padding] if isinstance(padding, int) else list(padding)
    if len(padding) not in (1, 2, 4):
        raise ValueError(f"pad: padding should be one, two or four numbers, got {padding}")
    if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
        raise ValueError(f"pad: padding_mode should be constant, edge, reflect or symmetric, got {padding_mode!r}")
    left, top, right, bottom = (padding * 4)[:4]
    widths = [(0, 0)] * (image.ndim - 2) + [(top, bottom), (left, right)]
    if padding_mode != "constant":
        return np.pad(image, widths, padding_mode)
    h, w = image.shape[-2:]
    padded = np.empty((*image.shape[:-2], top + h + bottom, left + w + right), image.dtype)
    padded[...] = fill_values(fill, image)
    padded[..., top : top + h, left : left + w] = image
    return padded


def fill_values(fill, image):
    """A fill value, or one for each channel, as an array that broadcasts over the image."""
    values = np.asarray(fill, image.dtype)
    return values.reshape(-1, 1, 1) if values.ndim else values


def crop(image, top, left, height, width):
    """The window at (top, left); what lies outside the image is 0."""
    h, w = image.shape[-2:]
    outside = [max(-left, 0), max(-top, 0), max(left + width - w, 0), max(top + height - h, 0)]
    if any(outside):
        image, left, top = pad(image, outside), max(left, 0), max(top, 0)
    return image[..., top : top + height, left : left + width]


def center_crop(image, size):
    """The window of size (height, width), or a square, in the middle; zeros around an image smaller than that."""
    height, width = pair(size)
    h, w = image.shape[-2:]
    extra = [max(width - w, 0), max(height - h, 0)]
    if any(extra):
        image = pad(image, [extra[0] // 2, extra[1] // 2, (extra[0] + 1) // 2, (extra[1] + 1) // 2])
        h, w = image.shape[-2:]
    return crop(image, round((h - height) / 2), round((w - width) / 2), height, width)


def pair(size):
    """(height, width) of a size given as one number or two."""
    if isinstance(size, int):
        return size, size
    if len(size) not in (1, 2):
        raise ValueError(f"size should be one number or (height, width), got {size}")
    return size[0], size[-1]


def erase(image, top, left, height, width, value):
    """A copy with the window set to a value that broadcasts over (…, C, height, width)."""
    image = image.copy()
    image[..., top : top + height, left : left + width] = value
    return image


# --- resizing ---------------------------------------------------------------------------------------------------------


def resized_shape(height, width, size, max_size=None):
    """The shape that `resize` gives: one number is the shorter edge, and the ratio is kept."""
    if not isinstance(size, int) and len(size) == 2:
        if max_size is not None:
            raise ValueError("resize: max_size needs a size of one number")
        return tuple(size)
    short = size if isinstance(size, int) else size[0]
    new_short, new_long = short, int(short * max(height, width) / min(height, width))
    if max_size is not None:
        if max_size <= short:
            raise ValueError(f"resize: max_size {max_size} should be greater than the shorter edge {short}")
        if new_long > max_size:
            new_short, new_long = int(max_size * new_short / new_long), max_size
    return (new_long, new_short) if width <= height else (new_short, new_long)


def resize(image, size, interpolation=InterpolationMode.BILINEAR, max_size=None, antialias=True):
    """Resize to (height, width), or the shorter edge to one number. antialias, when shrinking, lets every pixel count, as PIL does."""
    mode = InterpolationMode(interpolation)
    _, h, w = dimensions(image)
    height, width = resized_shape(h, w, size, max_size)
    if (height, width) == (h, w):
        return image
    if mode in ("nearest", "nearest-exact"):
        rows, columns = (_nearest(old, new, mode == "nearest-exact") for old, new in ((h, height), (w, width)))
        return image[..., rows[:, None], columns]
    values = image.astype(np.float32) if image.dtype == np.uint8 else image
    kernel = _KERNELS[mode, antialias]
    if width != w:
        values = values @ _resizing(w, width, *kernel, antialias).T.astype(values.dtype)  # (…, H, W) (W, width)
    if height != h:
        values = _resizing(h, height, *kernel, antialias).astype(values.dtype) @ values  # (height, H) (…, H, width)
    return like(image, values)


def resized_crop(image, top, left, height, width, size, interpolation=InterpolationMode.BILINEAR, antialias=True):
    return resize(crop(image, top, left, height, width), pair(size), interpolation, antialias=antialias)


def _nearest(old, new, exact):
    """The source of each new pixel, in the single precision that decides where the position lies on an edge."""
    positions = (np.arange(new, dtype=np.float32) + np.float32(0.5 * exact)) * np.float32(old / new)
    return np.minimum(positions.astype(np.int64), old - 1)


def _triangle(x):
    return np.maximum(1 - np.abs(x), 0)


def _cubic(x, a):
    """Keys' cubic convolution kernel (1981), eq. 4; a = -1/2 there."""
    x = np.abs(x)
    near, far = ((a + 2) * x - (a + 3)) * x * x + 1, a * (((x - 5) * x + 8) * x - 4)
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


_KERNELS = {  # (mode, antialias) → kernel and its radius; PyTorch takes PIL's a with antialias, and another one without
    ("bilinear", True): (_triangle, 1),
    ("bilinear", False): (_triangle, 1),
    ("bicubic", True): (functools.partial(_cubic, a=-0.5), 2),
    ("bicubic", False): (functools.partial(_cubic, a=-0.75), 2),
}


@functools.lru_cache(maxsize=256)
def _resizing(old, new, kernel, radius, antialias):
    """The matrix (new, old) that resamples a line of pixels: each row holds the kernel's weights around one new pixel."""
    ratio = old / new
    stretch = max(ratio, 1.0) if antialias else 1.0
    centers = (np.arange(new)[:, None] + 0.5) * ratio - 0.5  # of the new pixels, among the old ones
    if antialias:
        weights = kernel((np.arange(old) - centers) / stretch)
        return weights / weights.sum(1, keepdims=True)
    taps = np.floor(centers).astype(np.int64) + np.arange(1 - radius, radius + 1)  # beyond the edge they are the edge
    weights = np.zeros((new, old))
    np.add.at(weights, (np.arange(new)[:, None], np.clip(taps, 0, old - 1)), kernel(taps - centers))
    return weights


# --- turning and shearing ---------------------------------------------------------------------------------------------


def affine_matrix(angle, translate=(0, 0), scale=1.0, shear=(0, 0), center=(0, 0)):
    """The 3 × 3 matrix that moves points (x, y, 1) of an image, y pointing down: T C (scale R(angle) SHy SHx) C⁻¹.

    angle and shear in degrees, clockwise; translate and center in pixels.
    """
    a, sx, sy = (math.radians(value) for value in (angle, *shear))
    turned = np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]])
    sheared = np.array([[1, 0], [-math.tan(sy), 1]]) @ np.array([[1, -math.tan(sx)], [0, 1]])
    matrix, center = np.eye(3), np.asarray(center, float)
    matrix[:2, :2] = scale * turned @ sheared
    matrix[:2, 2] = np.asarray(translate, float) + center - matrix[:2, :2] @ center
    return matrix


def affine(image, angle, translate, scale, shear, interpolation=InterpolationMode.NEAREST, fill=None, center=None):
    """Rotate clockwise by angle (degrees), scale and shear (degrees, (x, y)) about the center (x, y), then shift by translate (x, y)."""
    shear = (shear, 0) if isinstance(shear, int | float) else (*shear, 0)[:2]
    return _warp(image, affine_matrix(angle, translate, scale, shear, _from_middle(image, center)), interpolation, fill)


def rotate(image, angle, interpolation=InterpolationMode.NEAREST, expand=False, center=None, fill=None):
    """Rotate counter-clockwise by angle (degrees) about the center (x, y); with expand, enlarge the image to hold all of it."""
    matrix = affine_matrix(-angle, center=_from_middle(image, center))
    shape = None
    if expand:
        if center is not None:
            raise ValueError("rotate: expand assumes rotation about the middle; leave center out")
        _, h, w = dimensions(image)
        corners = matrix[:2, :2] @ np.array([[-w, -w, w, w], [-h, h, h, -h]]) / 2  # (2, 4)
        # rounded: 1e-15 makes no pixel
        low, high = (np.round(end + (w / 2, h / 2), 4) for end in (corners.min(1), corners.max(1)))
        shape = tuple(int(extent) for extent in (np.ceil(high) - np.floor(low))[::-1])
    return _warp(image, matrix, interpolation, fill, shape)


def _from_middle(image, center):
    """A center (x, y) counted from the upper left corner, as counted from the middle."""
    _, h, w = dimensions(image)
    return (0, 0) if center is None else (center[0] - w / 2, center[1] - h / 2)


def _warp(image, matrix, interpolation, fill, shape=None):
    """The image moved by a matrix of points counted from the middle: each new pixel looks up where it came from."""
    mode = InterpolationMode(interpolation)
    if mode not in ("nearest", "bilinear"):
        raise ValueError(f"affine, rotate: interpolation should be nearest or bilinear, got {mode}")
    _, h, w = dimensions(image)
    height, width = shape or (h, w)
    back = np.linalg.inv(matrix)
    x, y = np.arange(width) - (width - 1) / 2, np.arange(height)[:, None] - (height - 1) / 2
    # (height, width)
    sources_x, sources_y = (row[0] * x + row[1] * y + row[2] + (extent - 1) / 2 for row, extent in zip(back, (w, h)))
    if mode == "nearest":
        moved, inside = _look_up(image, np.rint(sources_y).astype(np.int64), np.rint(sources_x).astype(np.int64))
        return moved if fill is None else np.where(inside, moved, fill_values(fill, image))
    left, top = np.floor(sources_x).astype(np.int64), np.floor(sources_y).astype(np.int64)
    values = np.zeros((*image.shape[:-2], height, width), np.float32 if image.dtype == np.uint8 else image.dtype)
    covered = np.zeros((height, width), values.dtype)  # how much of the four neighbours lies inside
    for dy in (0, 1):
        for dx in (0, 1):
            weights = ((1 - abs(sources_y - top - dy)) * (1 - abs(sources_x - left - dx))).astype(values.dtype)
            moved, inside = _look_up(image, top + dy, left + dx)
            values += weights * moved
            covered += weights * inside
    if fill is not None:
        values = values * covered + (1 - covered) * fill_values(fill, values)
    return like(image, values)


def _look_up(image, rows, columns):
    """The pixels at these places, 0 outside the image, and which are inside."""
    _, h, w = dimensions(image)
    inside = (rows >= 0) & (rows < h) & (columns >= 0) & (columns < w)
    places = np.where(inside, rows * w + columns, 0)
    moved = image.reshape(*image.shape[:-2], h * w)[..., places]
    return moved * inside.astype(moved.dtype), inside
