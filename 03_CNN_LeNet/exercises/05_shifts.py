"""Random convolutions, pooling, and digits that were moved."""

import numpy as np


def canvas(images):  # (N, 8, 8)
    """The images in the middle of (N, 16, 16) zeros."""
    return np.pad(images, ((0, 0), (4, 4), (4, 4)))


def features(x, kernels, pool):  # (B, H, W), (K, 5, 5)
    """Convolution, ReLU and max pooling, flattened; (B, M)."""
    k = kernels.shape[-1]
    B, h, w = len(x), x.shape[1] - k + 1, x.shape[2] - k + 1
    z = np.zeros((B, len(kernels), h, w))
    for i in range(k):
        for j in range(k):
            z += kernels[:, i, j, None, None] * x[:, None, i : i + h, j : j + w]
    h, w = h // pool * pool, w // pool * pool
    blocks = np.maximum(z, 0)[:, :, :h, :w].reshape(B, len(kernels), h // pool, pool, w // pool, pool)
    return blocks.max(axis=(3, 5)).reshape(B, -1)


def ridge_classifier(F, y, lam):  # (N, M), (N,)
    """W (M, 10) of least squares on one-hot targets, with a ridge."""
    Y = np.eye(10)[y]  # (N, 10)
    return np.linalg.solve(F.T @ F + lam * np.eye(F.shape[1]), F.T @ Y)


def accuracy_under_shift(W, featurise, x, y, shift):  # (M, 10), …, (B, 16, 16), (B,)
    """The share of images, moved right by so many pixels, whose largest score is that of their class."""
    moved = np.roll(x, shift, axis=2)  # the margin is black: nothing comes round that is not 0
    return float(((featurise(moved) @ W).argmax(axis=1) == y).mean())


if __name__ == "__main__":
    from sklearn.datasets import load_digits

    digits = load_digits()
    x, y = canvas(digits.images / 16), digits.target
    kernels = np.random.default_rng(0).standard_normal((12, 5, 5)) / 5
    ways = {
        "pixels": lambda images: images.reshape(len(images), -1),
        "convolution": lambda images: features(images, kernels, pool=2),
        "with pooling": lambda images: features(images, kernels, pool=4),
    }
    print("moved by      ", *(f"{shift:6}" for shift in range(4)))
    for name, featurise in ways.items():
        W = ridge_classifier(featurise(x[:1200]), y[:1200], lam=1.0)
        print(
            f"{name:14}",
            *(f"{accuracy_under_shift(W, featurise, x[1200:], y[1200:], shift):6.2f}" for shift in range(4)),
        )
