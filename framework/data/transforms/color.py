"""Operations on colour, under torchvision's names and with its results. Images are as in functional.py."""

import numpy as np

from .functional import bound, dimensions, to_dtype

LUMA = np.array([0.2989, 0.587, 0.114], np.float32)  # ITU-R 601: how bright red, green and blue look


def _blend(image, other, factor):
    """factor · image + (1 - factor) · other, cut to the image's range; 8-bit values are rounded down."""
    dtype = np.float32 if image.dtype == np.uint8 else image.dtype
    mixed = image.astype(dtype) * dtype_scalar(dtype, factor) + np.asarray(other, dtype) * dtype_scalar(
        dtype, 1.0 - factor
    )
    return np.clip(mixed, 0, bound(image), out=mixed).astype(image.dtype, copy=False)


def dtype_scalar(dtype, value):
    return np.dtype(dtype).type(value)


def _factor(name, factor):
    if factor < 0:
        raise ValueError(f"{name}: the factor should not be negative, got {factor}")
    return factor


def rgb_to_grayscale(image, num_output_channels=1):
    """The brightness of an RGB image, in one channel or three equal ones. A grey image stays as it is."""
    if dimensions(image)[0] == 3:
        dtype = np.float32 if image.dtype == np.uint8 else image.dtype
        red, green, blue = np.moveaxis(image.astype(dtype, copy=False), -3, 0)
        grey = (red * LUMA[0] + green * LUMA[1] + blue * LUMA[2]).astype(image.dtype, copy=False)[..., None, :, :]
    else:
        grey = image
    return np.repeat(grey, num_output_channels, -3) if num_output_channels > 1 else grey


def adjust_brightness(image, brightness_factor):
    """0 gives black, 1 the image, 2 one twice as bright."""
    return _blend(image, 0, _factor("adjust_brightness", brightness_factor))


def adjust_contrast(image, contrast_factor):
    """0 gives the mean grey everywhere, 1 the image."""
    grey = rgb_to_grayscale(image)
    mean = grey.mean((-3, -2, -1), keepdims=True, dtype=np.float32 if image.dtype == np.uint8 else image.dtype)
    return _blend(image, mean, _factor("adjust_contrast", contrast_factor))


def adjust_saturation(image, saturation_factor):
    """0 gives a grey image, 1 the image."""
    factor = _factor("adjust_saturation", saturation_factor)
    return image if dimensions(image)[0] == 1 else _blend(image, rgb_to_grayscale(image), factor)


def adjust_hue(image, hue_factor):
    """Turn the hue by a part of the circle of colours, from -0.5 to 0.5."""
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(f"adjust_hue: hue_factor should be in [-0.5, 0.5], got {hue_factor}")
    if dimensions(image)[0] == 1:
        return image
    hue, saturation, value = _rgb_to_hsv(to_dtype(image, np.float32, scale=True) if image.dtype == np.uint8 else image)
    turned = _hsv_to_rgb((hue + hue_factor) % 1.0, saturation, value)
    return (
        to_dtype(turned.astype(np.float32), np.uint8, scale=True)
        if image.dtype == np.uint8
        else turned.astype(image.dtype)
    )


def _rgb_to_hsv(image):
    """Hue in turns, saturation and value in 0–1, each (…, H, W)."""
    red, green, blue = np.moveaxis(image, -3, 0)
    value, low = image.max(-3), image.min(-3)
    spread = value - low
    grey = spread == 0
    saturation = spread / np.where(grey, 1, value)
    to_red, to_green, to_blue = ((value - channel) / np.where(grey, 1, spread) for channel in (red, green, blue))
    hue = np.where(
        value == red, to_blue - to_green, np.where(value == green, 2 + to_red - to_blue, 4 + to_green - to_red)
    )
    return np.where(grey, 0, (hue / 6 + 1) % 1), saturation, value


def _hsv_to_rgb(hue, saturation, value):
    """Smith (1978): channel n is value · (1 - saturation · clip(min(k, 4 - k), 0, 1)), k = (n + 6 hue) mod 6, n = 5, 3, 1."""
    k = (np.array([5, 3, 1], hue.dtype).reshape(3, 1, 1) + 6 * hue[..., None, :, :]) % 6
    return value[..., None, :, :] * (1 - saturation[..., None, :, :] * np.clip(np.minimum(k, 4 - k), 0, 1))


def invert(image):
    return (bound(image) - image).astype(image.dtype, copy=False)


def posterize(image, bits):
    """Keep the highest bits of each 8-bit value."""
    if image.dtype != np.uint8:
        raise TypeError(f"posterize: expected a uint8 image, got {image.dtype}")
    return image & np.uint8(256 - 2 ** (8 - bits))


def solarize(image, threshold):
    """Invert what is at least as bright as the threshold."""
    return np.where(image >= threshold, invert(image), image)


def autocontrast(image):
    """Stretch every channel to the whole range of values."""
    dtype = np.float32 if image.dtype == np.uint8 else image.dtype
    low, high = (getattr(image, end)((-2, -1), keepdims=True).astype(dtype) for end in ("min", "max"))
    flat = low == high
    scale = np.where(flat, 1, dtype_scalar(dtype, bound(image)) / np.where(flat, 1, high - low))
    return np.clip((image - np.where(flat, 0, low)) * scale, 0, bound(image)).astype(image.dtype)


def equalize(image):
    """Give each channel of a uint8 image an even histogram."""
    if image.dtype != np.uint8:
        raise TypeError(f"equalize: expected a uint8 image, got {image.dtype}")
    channels = image.reshape(-1, image.shape[-2] * image.shape[-1])
    return np.stack([_equalized(channel) for channel in channels]).reshape(image.shape)


def _equalized(channel):
    histogram = np.bincount(channel, minlength=256)
    step = (channel.size - histogram[channel.max()]) // 255
    if step == 0:
        return channel
    below = np.cumsum(histogram) - histogram  # how many pixels are darker
    return np.minimum((below + step // 2) // step, 255).astype(np.uint8)[channel]


def adjust_sharpness(image, sharpness_factor):
    """0 gives a blurred image, 1 the image, 2 a sharper one."""
    factor = _factor("adjust_sharpness", sharpness_factor)
    _, h, w = dimensions(image)
    if h <= 2 or w <= 2:
        return image
    values = image.astype(np.float32) if image.dtype == np.uint8 else image
    total = 4 * values[..., 1:-1, 1:-1]
    for dy in range(3):
        for dx in range(3):
            total = total + values[..., dy : dy + h - 2, dx : dx + w - 2]  # the kernel 1 1 1, 1 5 1, 1 1 1
    blurred = values.copy()  # the border stays
    blurred[..., 1:-1, 1:-1] = np.rint(total / 13) if image.dtype == np.uint8 else total / 13
    return _blend(image, blurred, factor)
