"""Image operations against torchvision's, on uint8 and floating-point images."""

import math

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as TF

from framework.data import transforms
from framework.data.transforms import color
from framework.data.transforms import functional as F

MODES = {name: InterpolationMode(name) for name in ("nearest", "nearest-exact", "bilinear", "bicubic")}


def picture(shape=(3, 23, 31), dtype=np.uint8, seed=0):
    """A smooth picture with edges, not noise, on which interpolation is well-behaved."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[-2], : shape[-1]]
    waves = [np.sin(x * rng.uniform(0.1, 0.9) + y * rng.uniform(0.1, 0.9) + i) for i in range(math.prod(shape[:-2]))]
    image = np.stack(waves).reshape(shape) * 0.45 + 0.5 + (x > shape[-1] / 2) * 0.05
    return (image * 255).astype(np.uint8) if dtype == np.uint8 else image.astype(dtype)


def compare(ours, theirs, image, *arguments, tolerance=None, **options):
    """Our function and torchvision's on one image. Returns both results, equal within the tolerance: by default exactly for uint8."""
    result = ours(image, *arguments, **options)
    expected = theirs(torch.from_numpy(image), *arguments, **options).numpy()
    assert result.dtype == expected.dtype and result.shape == expected.shape
    tolerance = (0 if image.dtype == np.uint8 else 2e-6) if tolerance is None else tolerance
    np.testing.assert_allclose(result.astype(np.float64), expected.astype(np.float64), atol=tolerance, rtol=0)
    return result


both = pytest.mark.parametrize("dtype", [np.uint8, np.float32])


@both
def test_a_batch_is_treated_as_its_images_are(dtype):
    images = picture((2, 3, 12, 17), dtype)
    for function in (
        lambda image: F.resize(image, 9),
        lambda image: F.rotate(image, 20, "bilinear"),
        lambda image: F.pad(image, 2, padding_mode="reflect"),
        lambda image: F.center_crop(image, 9),
        lambda image: color.adjust_contrast(image, 0.4),
        lambda image: color.adjust_hue(image, 0.2),
        lambda image: color.autocontrast(image),
        lambda image: color.adjust_sharpness(image, 1.7),
    ):
        np.testing.assert_allclose(function(images), np.stack([function(image) for image in images]), atol=1e-6)


# --- size and place ---------------------------------------------------------------------------------------------------

SIZES = [(23, 31), (11, 15), (40, 50), (7, 64), (1, 1), (24, 30), 10, 37, (8,)]


@both
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("antialias", [True, False])
def test_resize(dtype, size, mode, antialias):
    image, torch_size = picture(dtype=dtype), list(size) if isinstance(size, tuple) else size
    result = F.resize(image, size, mode, antialias=antialias)
    expected = TF.resize(torch.from_numpy(image), torch_size, MODES[mode], antialias=antialias).numpy()
    assert result.dtype == dtype and result.shape == expected.shape
    tolerance = 0 if mode.startswith("nearest") else 1 if dtype == np.uint8 else 5e-6
    np.testing.assert_allclose(result.astype(float), expected.astype(float), atol=tolerance)


@pytest.mark.parametrize("old, new", [(7, 5), (5, 7), (224, 100), (100, 224), (333, 77), (10, 30), (49, 7)])
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
def test_nearest_neighbours_are_pytorchs(old, new, mode):
    compare(
        F.resize,
        lambda x, size, m: TF.resize(x, size, MODES[m]),
        np.arange(old * 2, dtype=np.float32).reshape(1, 2, old),
        [2, new],
        mode,
    )


@pytest.mark.parametrize("size, max_size", [(10, 12), (10, 13), (20, 25)])
def test_resize_keeps_the_longer_edge_below_max_size(size, max_size):
    for image in (picture(), picture((3, 31, 23))):
        compare(F.resize, TF.resize, image, size, max_size=max_size, tolerance=1)


@both
@pytest.mark.parametrize("padding", [2, [3, 1], [1, 2, 3, 4]])
@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric"])
def test_pad(dtype, padding, mode):
    compare(F.pad, TF.pad, picture(dtype=dtype), padding, padding_mode=mode)


def test_pad_with_a_fill_for_every_channel():
    padded = F.pad(picture(), 1, fill=(1, 2, 3))
    assert padded[:, 0, 0].tolist() == [1, 2, 3] and padded[:, -1, -1].tolist() == [1, 2, 3]
    assert (F.pad(picture(), 1, fill=7)[:, 0] == 7).all()


@both
@pytest.mark.parametrize("size", [10, [5, 20], [23, 31], [30, 10], [40, 50], [24, 32], [11, 12]])
def test_center_crop(dtype, size):
    compare(F.center_crop, TF.center_crop, picture(dtype=dtype), size)


@pytest.mark.parametrize(
    "window", [(2, 3, 10, 12), (0, 0, 23, 31), (-2, -3, 10, 10), (15, 25, 20, 20), (-1, -1, 30, 40)]
)
def test_crop(window):
    compare(F.crop, TF.crop, picture(), *window)


@both
def test_flips_and_resized_crop(dtype):
    compare(F.hflip, TF.hflip, picture(dtype=dtype))
    compare(F.vflip, TF.vflip, picture(dtype=dtype))
    compare(
        F.resized_crop,
        TF.resized_crop,
        picture(dtype=dtype),
        2,
        3,
        15,
        20,
        [8, 9],
        tolerance=1 if dtype == np.uint8 else 5e-6,
    )


def test_erase():
    image, value = picture(), np.arange(3, dtype=np.uint8).reshape(3, 1, 1)
    before = image.copy()
    expected = TF.erase(torch.from_numpy(image), 2, 3, 5, 6, torch.from_numpy(value)).numpy()
    np.testing.assert_array_equal(F.erase(image, 2, 3, 5, 6, value), expected)
    np.testing.assert_array_equal(image, before)


# --- turning and shearing ---------------------------------------------------------------------------------------------

WARPS = [
    (0.0, [0, 0], 1.0, [0.0, 0.0]),
    (31.0, [0, 0], 1.0, [0.0, 0.0]),  # at 30, where the sine is 1/2, many sources lie between two pixels
    (-75.0, [3, -2], 0.7, [0.0, 0.0]),
    (0.0, [5, 0], 1.0, [0.0, 0.0]),
    (10.0, [-4, 6], 1.4, [15.0, -8.0]),
    (200.0, [0, 0], 1.1, [-20.0, 30.0]),
]


def assert_nearly_all_equal(ours, theirs):
    """Single precision decides differently where a source lies between two pixels: at most one place in two hundred."""
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
    assert (ours != theirs).mean() <= 0.005


@both
@pytest.mark.parametrize("warp", WARPS)
@pytest.mark.parametrize("options", [{}, {"fill": [0.5, 0.25, 0.75]}, {"center": [4, 7]}])
@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_affine(dtype, warp, options, mode):
    image = picture(dtype=dtype)
    if dtype == np.uint8 and "fill" in options:
        options = {"fill": [128.0, 64.0, 192.0]}
    ours = F.affine(image, *warp, interpolation=mode, **options)
    theirs = TF.affine(torch.from_numpy(image), *warp, interpolation=MODES[mode], **options).numpy()
    if mode == "nearest":
        assert_nearly_all_equal(ours, theirs)
    else:
        np.testing.assert_allclose(ours.astype(float), theirs.astype(float), atol=1 if dtype == np.uint8 else 5e-5)


@both
@pytest.mark.parametrize("angle", [0, 17, -45, 90, 180, 270, 301.5])
@pytest.mark.parametrize("options", [{}, {"expand": True}, {"fill": [7.0]}, {"center": [0, 0]}])
def test_rotate(dtype, angle, options):
    image = picture(dtype=dtype)
    assert_nearly_all_equal(
        F.rotate(image, angle, **options), TF.rotate(torch.from_numpy(image), angle, **options).numpy()
    )


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_quarter_turns_lose_nothing(turns):
    np.testing.assert_array_equal(
        F.rotate(picture(), 90 * turns, expand=True), np.rot90(picture(), turns, axes=(-2, -1))
    )


# --- values -----------------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("name", ["adjust_brightness", "adjust_contrast", "adjust_saturation", "adjust_sharpness"])
@pytest.mark.parametrize("factor", [0.0, 0.3, 1.0, 1.9])
def test_adjusting_by_a_factor(dtype, name, factor):
    compare(getattr(color, name), getattr(TF, name), picture(dtype=dtype), factor)


@both
@pytest.mark.parametrize("factor", [-0.5, -0.2, 0.0, 0.1, 0.5])
def test_adjust_hue(dtype, factor):
    compare(color.adjust_hue, TF.adjust_hue, picture(dtype=dtype), factor, tolerance=1 if dtype == np.uint8 else 5e-6)


def test_hue_of_every_kind_of_colour():
    """Greys, primaries, ties between channels: all colours with components 0, 51, …, 255."""
    levels = np.arange(0, 256, 51, dtype=np.uint8)
    colours = np.stack(np.meshgrid(levels, levels, levels, indexing="ij")).reshape(3, 6, 36)
    for factor in (-0.4, 0.25):
        compare(color.adjust_hue, TF.adjust_hue, colours, factor, tolerance=1)


@both
def test_grey_images_have_no_colour_to_change(dtype):
    grey = picture((1, 9, 9), dtype)
    compare(color.adjust_saturation, TF.adjust_saturation, grey, 0.3)
    compare(color.adjust_hue, TF.adjust_hue, grey, 0.3)
    compare(color.adjust_contrast, TF.adjust_contrast, grey, 0.3)


@both
def test_grayscale_invert_solarize_autocontrast(dtype):
    image = picture(dtype=dtype)
    compare(color.rgb_to_grayscale, TF.rgb_to_grayscale, image)
    compare(color.rgb_to_grayscale, TF.rgb_to_grayscale, image, 3)
    compare(color.invert, TF.invert, image)
    compare(color.solarize, TF.solarize, image, 100 if dtype == np.uint8 else 0.4)
    compare(color.autocontrast, TF.autocontrast, image, tolerance=1 if dtype == np.uint8 else None)
    image[1] = image[1, 0, 0]  # a channel of one value
    compare(color.autocontrast, TF.autocontrast, image, tolerance=1 if dtype == np.uint8 else None)


def test_posterize_and_equalize():
    for bits in range(1, 9):
        compare(color.posterize, TF.posterize, picture(), bits)
    compare(color.equalize, TF.equalize, picture())
    compare(color.equalize, TF.equalize, picture((1, 5, 5)))  # too few pixels for a step of one
    compare(color.equalize, TF.equalize, np.random.default_rng(0).integers(0, 40, (3, 50, 60), dtype=np.uint8))


@pytest.mark.parametrize("shape, mode", [((9, 7), "L"), ((9, 7, 3), "RGB"), ((9, 7, 4), "RGBA")])
def test_to_tensor_reads_pictures_as_torchvision_does(shape, mode):
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    pil = Image.fromarray(array)
    assert pil.mode == mode
    expected = TF.to_tensor(pil).numpy()
    for given in (array, pil):
        result = transforms.ToTensor()(given)
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, expected, atol=1e-7)
    np.testing.assert_array_equal(transforms.ToImage()(pil), TF.pil_to_tensor(pil).numpy())


@pytest.mark.parametrize(
    "old, new",
    [("uint8", "float32"), ("float32", "uint8"), ("float64", "uint8"), ("float32", "float64"), ("uint8", "uint8")],
)
def test_to_dtype_scales_as_torchvision_does(old, new):
    image = np.arange(256, dtype=old).reshape(1, 16, 16) / (1 if old == "uint8" else 255)
    image = image.astype(old)
    expected = TF.convert_image_dtype(torch.from_numpy(image), getattr(torch, new)).numpy()
    result = F.to_dtype(image, new, scale=True)
    assert result.dtype == expected.dtype
    np.testing.assert_allclose(result, expected, atol=1e-7)


def test_normalize():
    mean, std = [0.4, 0.5, 0.6], [0.2, 0.3, 0.4]
    compare(F.normalize, TF.normalize, picture(dtype=np.float32), mean, std)
    with pytest.raises(TypeError, match="use ToDtype"):
        F.normalize(picture(), mean, std)
    with pytest.raises(ValueError, match="std should not be zero"):
        F.normalize(picture(dtype=np.float32), mean, [1, 0, 1])


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda image: F.pad(image, [1, 2, 3]), "one, two or four numbers"),
        (
            lambda image: F.pad(image, 1, padding_mode="wrap"),
            "padding_mode should be constant, edge, reflect or symmetric",
        ),
        (lambda image: F.resize(image, (3, 4), max_size=5), "max_size needs a size of one number"),
        (lambda image: F.resize(image, 10, max_size=9), "max_size 9 should be greater than the shorter edge 10"),
        (lambda image: F.resize(image, 10, "lanczos"), "'lanczos' is not a valid InterpolationMode"),
        (lambda image: F.rotate(image, 10, "bicubic"), "nearest or bilinear, got bicubic"),
        (lambda image: F.rotate(image, 10, expand=True, center=(0, 0)), "leave center out"),
        (lambda image: color.adjust_brightness(image, -1), "should not be negative, got -1"),
        (lambda image: color.adjust_hue(image, 0.6), r"should be in \[-0.5, 0.5\], got 0.6"),
        (lambda image: F.to_image(image[0, 0]), r"expected a picture \(H, W\)"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(picture())
