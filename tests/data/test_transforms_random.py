"""Random image transforms: what they do to an image, how their parameters are distributed, and what torchvision does with the same."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from scipy import stats
from torchvision import transforms as T
from torchvision.transforms import v2

from framework import backend
from framework.data import transforms
from framework.data.transforms import color
from framework.data.transforms import functional as F
from framework.tensor import Tensor


@pytest.fixture(autouse=True)
def seed():
    backend.manual_seed(0)
    torch.manual_seed(0)


def places(height=9, width=7, channels=2, count=None):
    """An image whose pixels tell where they are, and in which channel (and, of count images, in which)."""
    image = np.arange(channels * height * width, dtype=np.int64).reshape(channels, height, width)
    return image if count is None else image + 1000 * np.arange(count).reshape(-1, 1, 1, 1)


def assert_same_distribution(ours, theirs):
    """Columns of parameters come from one distribution (Kolmogorov–Smirnov; the seeds are fixed, so it does not vary)."""
    for a, b in zip(zip(*ours), zip(*theirs)):
        assert stats.ks_2samp(a, b).pvalue > 0.001


# --- crops and flips --------------------------------------------------------------------------------------------------


def test_random_crop_takes_every_window_equally_often():
    crop, image = transforms.RandomCrop((7, 5)), places()
    corners = Counter()
    for _ in range(1800):
        window = crop(image)
        top, left = divmod(int(window[0, 0, 0]), 7)
        np.testing.assert_array_equal(window, image[:, top : top + 7, left : left + 5])
        corners[top, left] += 1
    assert len(corners) == 9 and all(abs(count - 200) < 5 * math.sqrt(200) for count in corners.values())


@pytest.mark.parametrize(
    "options", [{"padding": 2}, {"padding": [1, 3], "padding_mode": "reflect"}, {"padding": 1, "fill": 5}]
)
def test_random_crop_of_a_batch_crops_each_image_elsewhere(options):
    crop, images = transforms.RandomCrop((9, 7), **options), places(count=400)
    windows = crop.batch(images)
    padded = F.pad(images, options["padding"], options.get("fill", 0), options.get("padding_mode", "constant"))
    possible = np.lib.stride_tricks.sliding_window_view(padded, (9, 7), axis=(-2, -1))
    corners = Counter()
    for image, window in enumerate(windows):
        matches = [
            (top, left)
            for top in range(possible.shape[2])
            for left in range(possible.shape[3])
            if (possible[image, :, top, left] == window).all()
        ]
        corners[matches[0]] += 1
        assert len(matches) == 1
    assert len(corners) == possible.shape[2] * possible.shape[3]


def test_random_crop_pads_if_needed_as_torchvision_does():
    """One window is left, so nothing is random."""
    image = places(9, 7)
    ours = transforms.RandomCrop((23, 19), pad_if_needed=True)
    sizes = {ours(image).shape for _ in range(20)}
    assert sizes == {(2, 23, 19)}
    padded, windows = ours._padded(image)
    expected = torch.nn.functional.pad(torch.from_numpy(image), [12, 12, 14, 14]).numpy()
    np.testing.assert_array_equal(padded, expected)
    assert windows == (37 - 23 + 1, 31 - 19 + 1)


def test_random_crop_refuses_a_window_larger_than_the_image():
    with pytest.raises(
        ValueError, match="the crop 10 × 7 is larger than the image 9 × 7; set padding or pad_if_needed"
    ):
        transforms.RandomCrop((10, 7))(places())


@pytest.mark.parametrize(
    "flip, expected",
    [(transforms.RandomHorizontalFlip, np.s_[:, :, ::-1]), (transforms.RandomVerticalFlip, np.s_[:, ::-1])],
)
def test_flips_come_with_their_probability(flip, expected):
    images = places(count=1000)
    for p in (0.0, 0.3, 1.0):
        for results in (flip(p).batch(images), [flip(p)(image) for image in images]):
            flipped = [np.array_equal(result, image[expected]) for result, image in zip(results, images)]
            kept = [np.array_equal(result, image) for result, image in zip(results, images)]
            assert all(a != b for a, b in zip(flipped, kept))
            assert abs(sum(flipped) - 1000 * p) <= 5 * math.sqrt(1000 * p * (1 - p))


def test_a_batch_that_is_flipped_leaves_the_data_set_alone():
    images = places(count=10)
    before = images.copy()
    transforms.RandomHorizontalFlip(1.0).batch(images)
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize("shape", [(60, 40), (32, 32), (10, 200), (200, 10)])
def test_random_resized_crop_draws_torchvisions_windows(shape):
    ours, image = transforms.RandomResizedCrop(8), np.zeros((1, *shape))
    theirs = [T.RandomResizedCrop.get_params(torch.zeros(1, *shape), [0.08, 1.0], [3 / 4, 4 / 3]) for _ in range(1500)]
    assert_same_distribution([ours.window(image) for _ in range(1500)], theirs)
    assert ours(image).shape == (1, 8, 8)


# --- erasing ----------------------------------------------------------------------------------------------------------


def test_random_erasing_draws_torchvisions_windows():
    ours, image = transforms.RandomErasing(), np.zeros((3, 32, 40))
    theirs = [
        T.RandomErasing.get_params(torch.zeros(3, 32, 40), (0.02, 0.33), (0.3, 3.3), [0.0])[:4] for _ in range(1500)
    ]
    assert_same_distribution([ours.window(image) for _ in range(1500)], theirs)


@pytest.mark.parametrize("value", [0, [1.0, 2.0, 3.0], "random"])
def test_random_erasing_overwrites_one_rectangle_of_a_copy(value):
    image = np.full((3, 32, 32), 9, np.float32)
    erased = [transforms.RandomErasing(0.5, value=value)(image) for _ in range(200)]
    assert (image == 9).all()
    changed = [result for result in erased if (result != 9).any()]
    assert abs(len(changed) - 100) < 5 * math.sqrt(50)
    for result in changed:
        gone = (result != 9).all(0)
        rows, columns = gone.any(1).nonzero()[0], gone.any(0).nonzero()[0]
        inside = result[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert gone.sum() == inside[0].size
        if value == "random":
            assert len(np.unique(inside)) == inside.size
        else:
            assert (inside == np.reshape(value, (-1, 1, 1))).all()


def test_random_erasing_gives_up_where_no_window_fits():
    assert transforms.RandomErasing(1.0, scale=(5, 6))(places()).tolist() == places().tolist()


def test_cutout_erases_a_square_around_any_pixel():
    image, length = np.ones((1, 10, 12), np.uint8), 4
    erased = np.mean([transforms.Cutout(length)(image) == 0 for _ in range(4000)], axis=0)[0]

    def chance(extent):  # that a pixel of a line lies in a window of which each start - 2 … is equally likely
        hit = [[start - 2 <= pixel < start + 2 for start in range(extent)] for pixel in range(extent)]
        return np.mean(hit, axis=1)

    expected = np.outer(chance(10), chance(12))
    assert np.abs(erased - expected).max() < 5 * np.sqrt(0.25 / 4000)
    assert transforms.Cutout(4).batch(np.ones((3, 1, 10, 12))).shape == (3, 1, 10, 12)


# --- turning, shearing, colour ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [{"degrees": 30}, {"degrees": (-10, 45), "translate": (0.1, 0.3), "scale": (0.5, 2.0), "shear": 10}]
)
@pytest.mark.parametrize("shear", [None, (1, 5), (-10, 0, 5, 20)])
def test_random_affine_draws_torchvisions_parameters(monkeypatch, options, shear):
    options = {**options, **({"shear": shear} if shear else {})}
    drawn = []

    def record(image, angle, translate, scale, shear, *_):
        drawn.append((angle, *translate, scale, *shear))
        return image

    monkeypatch.setattr(F, "affine", record)
    ours, theirs = transforms.RandomAffine(**options), T.RandomAffine(**options)
    expected = []
    for _ in range(800):
        ours(np.zeros((1, 50, 80)))
        angle, translate, scale, shears = T.RandomAffine.get_params(
            theirs.degrees, theirs.translate, theirs.scale, theirs.shear, [80, 50]
        )
        expected.append((angle, *translate, scale, *shears))
    assert_same_distribution(drawn, expected)


def test_random_rotation_turns_by_an_angle_from_its_range(monkeypatch):
    angles = []
    monkeypatch.setattr(F, "rotate", lambda image, angle, *_: angles.append(angle) or image)
    for _ in range(500):
        transforms.RandomRotation((10, 30))(places())
    assert stats.kstest(angles, stats.uniform(10, 20).cdf).pvalue > 0.001


def test_color_jitter_changes_everything_in_every_order(monkeypatch):
    names = ("brightness", "contrast", "saturation", "hue")
    calls = []
    for name in names:
        monkeypatch.setattr(
            color, f"adjust_{name}", lambda image, factor, name=name: calls.append((name, factor)) or image
        )
    jitter = transforms.ColorJitter(brightness=0.4, contrast=1.5, saturation=(0.5, 0.8), hue=0.1)
    for _ in range(600):
        jitter.apply(places())
    assert len({tuple(name for name, _ in calls[i : i + 4]) for i in range(0, len(calls), 4)}) == 24
    ranges = {"brightness": (0.6, 1.4), "contrast": (0, 2.5), "saturation": (0.5, 0.8), "hue": (-0.1, 0.1)}
    for name, (low, high) in ranges.items():
        factors = [factor for called, factor in calls if called == name]
        assert len(factors) == 600
        assert stats.kstest(factors, stats.uniform(low, high - low).cdf).pvalue > 0.001


def test_color_jitter_changes_only_what_it_is_asked_to(monkeypatch):
    calls = []
    for name in ("brightness", "contrast", "saturation", "hue"):
        monkeypatch.setattr(
            color, f"adjust_{name}", lambda image, factor, name=name: calls.append((name, factor)) or image
        )
    transforms.ColorJitter().apply(places())
    assert calls == []
    transforms.ColorJitter(saturation=(0.5, 0.5)).apply(places())
    assert calls == [("saturation", 0.5)]


# --- RandAugment ------------------------------------------------------------------------------------------------------


def photograph(size=(32, 40)):
    y, x = np.mgrid[: size[0], : size[1]]
    waves = [np.sin(x * a + y * b) for a, b in ((0.3, 0.1), (0.2, 0.4), (0.05, 0.3))]
    return (np.stack(waves) * 100 + 120).astype(np.uint8)


def test_randaugment_has_torchvisions_operations():
    assert set(transforms.RandAugment.OPERATIONS) == set(T.RandAugment()._augmentation_space(31, (32, 40)))


@pytest.mark.parametrize("name", transforms.RandAugment.OPERATIONS)
@pytest.mark.parametrize("magnitude", [0, 4, 9, 17, 30])
@pytest.mark.parametrize("sign", [1, -1])
def test_each_operation_of_randaugment_is_torchvisions(name, magnitude, sign):
    image = photograph()
    magnitudes, signed = T.RandAugment()._augmentation_space(31, (32, 40))[name]
    value = float(magnitudes[magnitude].item()) if magnitudes.ndim > 0 else 0.0
    value = value * sign if signed else value
    expected = T.autoaugment._apply_op(torch.from_numpy(image), name, value, T.InterpolationMode.NEAREST, None).numpy()
    ours = transforms.RandAugment(magnitude=magnitude).operate(image, name, sign)
    assert ours.dtype == np.uint8 and ours.shape == expected.shape
    difference = np.abs(ours.astype(int) - expected)
    if name in ("Rotate", "ShearX", "ShearY"):  # a source between two pixels goes either way
        assert (difference > 0).mean() <= 0.01
    else:
        assert difference.max() <= (
            name in ("Brightness", "Color", "Contrast", "Sharpness", "AutoContrast")
        )  # 0.27 in single precision


def test_randaugment_chooses_operations_uniformly_and_with_both_signs(monkeypatch):
    chosen = Counter()
    augment = transforms.RandAugment(num_ops=3)
    monkeypatch.setattr(augment, "operate", lambda image, name, sign: chosen.update([(name, sign)]) or image)
    for _ in range(1000):
        augment(photograph())
    assert len(chosen) == 28
    assert all(abs(count - 3000 / 28) < 5 * math.sqrt(3000 / 28) for count in chosen.values())


def test_randaugment_is_for_8_bit_images():
    with pytest.raises(TypeError, match="expected a uint8 image, got float32; put it before ToDtype"):
        transforms.RandAugment()(np.zeros((3, 4, 4), np.float32))


# --- mixing -----------------------------------------------------------------------------------------------------------


class Scripted:
    """Stands for a generator: its numbers are given."""

    def __init__(self, beta, integers=()):
        self.numbers = list(integers)
        self.beta = lambda a, b: beta
        self.integers = lambda n: self.numbers.pop(0)


@pytest.mark.parametrize("own", [0.0, 0.3, 0.71, 1.0])
@pytest.mark.parametrize("corner", [(0, 0), (13, 4), (19, 15)])
def test_mixup_and_cutmix_are_torchvisions(monkeypatch, own, corner):
    x, y = corner
    images = torch.rand(4, 3, 16, 20)
    labels = torch.tensor([0, 3, 1, 1])
    for name in ("MixUp", "CutMix"):
        theirs = getattr(v2, name)(num_classes=5)
        with monkeypatch.context() as patch:
            patch.setattr(theirs, "_dist", type("Fixed", (), {"sample": staticmethod(lambda _: own)}))
            drawn = [torch.tensor([x]), torch.tensor([y])]
            patch.setattr(torch, "randint", lambda *_, drawn=drawn, **__: drawn.pop(0))
            expected = theirs(images, labels)
            patch.setattr(backend, "random", lambda _=None: Scripted(own, [x, y]))
            result = getattr(transforms, name)(num_classes=5)(images.numpy(), labels.numpy())
        for ours, correct in zip(result, expected):
            assert ours.dtype == np.float32
            np.testing.assert_allclose(ours, correct.numpy(), atol=1e-6)


def test_mixing_draws_from_the_beta_distribution():
    images, labels = np.zeros((2, 1, 1, 1)), np.eye(2)
    own = [transforms.MixUp(0.4)(images, labels)[1][0, 0] for _ in range(1000)]
    assert stats.kstest(own, stats.beta(0.4, 0.4).cdf).pvalue > 0.001


def test_mixing_takes_and_gives_tensors():
    images, labels = transforms.CutMix(num_classes=3)(
        Tensor(np.zeros((2, 1, 4, 4), np.float32)), Tensor(np.array([0, 2]))
    )
    assert isinstance(images, Tensor) and isinstance(labels, Tensor) and labels.array.shape == (2, 3)
    np.testing.assert_allclose(labels.array.sum(1), 1, atol=1e-6)


# --- together ---------------------------------------------------------------------------------------------------------


def test_compose_treats_a_batch_as_its_images():
    steps = [
        transforms.Resize(12),
        transforms.CenterCrop(10),
        lambda image: image[:, ::-1],  # any callable
        transforms.ToDtype(np.float32, scale=True),
        transforms.Normalize([0.5] * 3, [0.2] * 3),
    ]
    compose, images = transforms.Compose(steps), np.stack([photograph(), 255 - photograph()])
    np.testing.assert_allclose(compose.batch(images), np.stack([compose(image) for image in images]), atol=1e-6)


def test_pictures_of_a_batch_become_images():
    pictures = np.random.default_rng(0).integers(0, 256, (4, 9, 7, 3), dtype=np.uint8)
    for transform in (transforms.ToTensor(), transforms.ToImage()):
        np.testing.assert_array_equal(transform.batch(pictures), np.stack([transform(picture) for picture in pictures]))
        grey = pictures[..., 0]
        np.testing.assert_array_equal(transform.batch(grey), np.stack([transform(picture) for picture in grey]))


def test_a_tensor_gives_a_tensor():
    result = transforms.CenterCrop(3)(Tensor(places()))
    assert isinstance(result, Tensor) and result.array.shape == (2, 3, 3)


def test_one_seed_fixes_what_a_transform_does():
    transform = transforms.Compose(
        [
            transforms.RandomResizedCrop(20),
            transforms.RandAugment(),
            transforms.ColorJitter(0.3, 0.3, 0.3, 0.1),
            transforms.RandomAffine(10, (0.1, 0.1)),
            transforms.RandomErasing(),
        ]
    )
    results = []
    for number in (1, 1, 2):
        backend.manual_seed(number)
        results.append(transform.batch(np.stack([photograph()] * 8)))
    np.testing.assert_array_equal(results[0], results[1])
    assert (results[0] != results[2]).any()
    assert len({image.tobytes() for image in results[0]}) == 8


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: transforms.RandomRotation(-1), "RandomRotation: degrees given as one number should not be negative"),
        (lambda: transforms.RandomRotation((1, 2, 3)), r"degrees should be one number or \(low, high\)"),
        (lambda: transforms.RandomAffine(0, translate=(0.5, 2)), "translate should be parts of the image"),
        (lambda: transforms.RandomAffine(0, scale=(0, 1)), "scale should be positive"),
        (lambda: transforms.ColorJitter(hue=0.6), "hue should lie between -0.5 and 0.5"),
        (lambda: transforms.ColorJitter(brightness=(-1, 1)), "brightness should lie between 0.0 and inf"),
        (lambda: transforms.RandomErasing(value="black"), "value should be a number"),
        (lambda: transforms.RandomErasing(p=2), "p should be between 0 and 1"),
        (lambda: transforms.RandAugment(magnitude=31), "magnitude should be between 0 and 30"),
        (lambda: transforms.MixUp(0), "MixUp: alpha should be positive"),
        (lambda: transforms.MixUp()(np.zeros((2, 1, 1, 1)), [0, 1]), "num_classes is needed"),
        (lambda: transforms.CutMix()(np.zeros((2, 1, 1, 1), int), [0, 1]), "expected a batch of floating-point images"),
    ],
)
def test_wrong_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
