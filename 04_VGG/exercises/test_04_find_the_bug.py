import numpy as np

from dlfs.grading import expect


def photos(B=6):
    """Pixels whose channels rise and fall together, each by its own amount."""
    rng = np.random.default_rng(0)
    light = rng.standard_normal((B, 1, 5, 4))
    return np.array([0.9, 0.6, 0.3])[:, None, None] * light + 0.2 * rng.standard_normal((B, 3, 5, 4)) + 0.5


def covariance(images):
    return np.cov(images.transpose(1, 0, 2, 3).reshape(3, -1), bias=True)


def test_the_variances(exercise):
    got, _ = exercise.components(photos())
    expected = np.linalg.svd(covariance(photos()), compute_uv=False)
    usually = "eigenvalues of the covariance of PIXELS about their mean, the largest first"
    expect(got, expected, "components(images (6, 3, 5, 4))[0]", usually)


def test_each_direction_is_an_eigenvector(exercise):
    C = covariance(photos())
    values, directions = exercise.components(photos())
    values = np.linalg.svd(C, compute_uv=False)
    for i in range(3):
        expect(
            C @ directions[i],
            values[i] * directions[i],
            f"covariance @ directions[{i}], which is λ_{i} · directions[{i}]",
            "C v = λ v holds for the columns of what eigh returns, in the order of its values",
        )


def test_the_shifts_have_the_pixels_covariance(exercise):
    variances, directions = (
        np.array([4.0, 1.0, 0.25]),
        np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))[0],
    )
    noise = np.random.default_rng(2).standard_normal((5, 3))
    expected = [sum(n[i] * np.sqrt(variances[i]) * directions[i] for i in range(3)) for n in noise]
    usually = "noise_i times √λ_i, a standard deviation, times row i of directions"
    got = exercise.shifts(variances, directions, noise)
    expect(got, expected, "shifts(λ [4, 1, .25], directions (3, 3), noise (5, 3))", usually)


def test_lighting(exercise):
    images = photos()
    before = images.copy()
    axes = np.sqrt(3) * np.concatenate([np.eye(3), -np.eye(3)])  # noise whose covariance is exactly I
    got = exercise.lighting(images, axes)
    expect(images, before, "the images, after lighting", "the images that come in stay as they are")
    added = got - images
    flat = added - added[:, :, :1, :1]
    expect(
        flat,
        np.zeros_like(flat),
        "what lighting adds, less what it adds at the first pixel",
        "one shift for an image, the same at all its pixels",
    )
    moved = added[:, :, 0, 0]
    usually = (
        "shifts along the principal directions have the covariance of the pixels: direction and √λ belong together"
    )
    expect(
        moved.T @ moved / 6,
        covariance(before),
        "the covariance of the shifts of lighting(images, noise with covariance I)",
        usually,
    )
