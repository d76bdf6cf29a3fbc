import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dlfs.grading import expect


@pytest.mark.parametrize("pool", [1, 3, 4, 5])
def test_features(exercise, pool):
    rng = np.random.default_rng(0)
    x, kernels = rng.standard_normal((2, 16, 16)), rng.standard_normal((3, 5, 5))
    z = F.conv2d(torch.tensor(x)[:, None], torch.tensor(kernels)[:, None])
    expected = F.max_pool2d(torch.relu(z), pool).flatten(1)
    usually = (
        "ReLU, then the maximum of windows side by side; the kernel is not flipped; channels come first, then rows"
    )
    expect(
        exercise.features(x, kernels, pool),
        expected,
        f"features(x (2, 16, 16), kernels (3, 5, 5), pool={pool})",
        usually,
    )


def test_the_classifier(exercise):
    rng = np.random.default_rng(0)
    A, y = rng.standard_normal((30, 4)), rng.integers(0, 10, 30)
    W = exercise.ridge_classifier(A, y, 2.0)
    assert np.shape(W) == (4, 10), f"ridge_classifier(F (30, 4), y (30,), 2) has shape {np.shape(W)}, not (4, 10)"
    gradient = A.T @ (A @ W - np.eye(10)[y]) + 2 * W
    expect(
        gradient + 1,
        np.ones((4, 10)),
        "1 + Fᵀ(F W - Y) + λ W, the gradient at ridge_classifier(F (30, 4), y (30,), λ = 2)",
        "it is zero at the minimum: W = (FᵀF + λ I)⁻¹ Fᵀ Y, Y one-hot",
    )


def test_accuracy_sees_moved_images(exercise):
    x = np.zeros((10, 16, 16))
    x[np.arange(10), 8, np.arange(3, 13)] = 1  # a pixel in column 3 + class
    W = np.zeros((16, 10))
    W[np.arange(3, 13), np.arange(10)] = 1  # tells the class from the column
    columns = lambda images: images.sum(axis=1)
    usually = "all images move to the RIGHT by shift, before their features are taken"
    expect(
        exercise.accuracy_under_shift(W, columns, x, np.arange(10), 0),
        1.0,
        "accuracy_under_shift(W, …, shift=0) of a perfect classifier",
        usually,
    )
    got = exercise.accuracy_under_shift(W, columns, x, np.arange(10) + 2, 2)
    expect(
        got, 0.8, "accuracy_under_shift(W, …, shift=2), of pixels whose class is the column after the shift", usually
    )


def test_pooling_is_what_makes_it_tolerant(exercise):
    from sklearn.datasets import load_digits

    digits = load_digits()
    x, y = exercise.canvas(digits.images / 16), digits.target
    kernels = np.random.default_rng(0).standard_normal((8, 5, 5)) / 5
    pixels, pooled = (
        (lambda images: images.reshape(len(images), -1)),
        (lambda images: exercise.features(images, kernels, 4)),
    )
    scores = []
    for featurise in (pixels, pooled):
        W = exercise.ridge_classifier(featurise(x[:600]), y[:600], 1.0)
        scores.append([exercise.accuracy_under_shift(W, featurise, x[1200:], y[1200:], shift) for shift in (0, 1)])
    assert scores[1][1] > scores[0][1] + 0.2 and min(scores[0][0], scores[1][0]) > 0.75, (
        f"moved by 0 and 1: pixels {scores[0]}, pooled convolutions {scores[1]}; the pooled ones should lose far less"
    )
