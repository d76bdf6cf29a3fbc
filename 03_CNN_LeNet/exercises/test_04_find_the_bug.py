import numpy as np
import pytest

from dlfs.grading import expect


def moved(image, dy, dx):
    """Pixel by pixel, as one would with a pencil."""
    result = np.zeros_like(image)
    for i, j in np.ndindex(image.shape):
        if 0 <= i - dy < image.shape[0] and 0 <= j - dx < image.shape[1]:
            result[i, j] = image[i - dy, j - dx]
    return result


@pytest.mark.parametrize(("dy", "dx"), [(0, 0), (1, 0), (0, 1), (-2, 1), (2, -2)])
def test_shift(exercise, dy, dx):
    image = np.arange(1.0, 21.0).reshape(1, 4, 5) / 20
    got = exercise.shift(image, np.array([dy]), np.array([dx]))
    expect(
        got,
        moved(image[0], dy, dx)[None],
        f"shift(image (1, 4, 5), dy=[{dy}], dx=[{dx}])",
        "positive is down and right, and what enters from outside is 0",
    )


def test_each_image_has_a_shift_of_its_own(exercise):
    images = np.arange(1.0, 33.0).reshape(2, 4, 4) / 32
    got = exercise.shift(images, np.array([1, -1]), np.array([0, 2]))
    expect(
        got,
        np.stack([moved(images[0], 1, 0), moved(images[1], -1, 2)]),
        "shift(images (2, 4, 4), dy=[1, -1], dx=[0, 2])",
        "image b moves by dy[b] and dx[b]",
    )


def test_contrast(exercise):
    images = np.array([[[0.4, 0.6]], [[0.0, 0.8]]])
    got = exercise.contrast(images, np.array([0.5, 1.2]))
    expect(
        got,
        [[[0.45, 0.55]], [[0, 0.88]]],
        "contrast([[.4 .6]], [[0 .8]], factor [.5 1.2])",
        "the mean is each image's own, and the result is kept within 0 … 1",
    )


def test_the_images_that_came_in_stay(exercise):
    images = np.random.default_rng(0).random((3, 6, 6))
    before = images.copy()
    got = exercise.augment(images, np.random.default_rng(1))
    expect(
        images,
        before,
        "the images after augment(images (3, 6, 6), rng)",
        "they were written into: the next epoch starts from them",
    )
    assert got.shape == images.shape and not np.array_equal(got[0], got[1])


def test_every_shift_occurs(exercise):
    image = np.zeros((1, 7, 7))
    image[0, 3, 3] = 1
    rng = np.random.default_rng(0)
    places = {
        tuple(int(i) - 3 for i in np.unravel_index(exercise.augment(image, rng)[0].argmax(), (7, 7)))
        for _ in range(600)
    }
    expected = {(i, j) for i in range(-2, 3) for j in range(-2, 3)}
    assert places == expected, (
        f"600 × augment moved a pixel by {len(places)} different shifts; -2 … 2 each way, both ends included, are 25"
    )
