"""Augmentation of images of digits: small shifts, and changes of contrast."""

import numpy as np


def shift(images, dy, dx):  # (B, H, W), (B,), (B,)
    """Each image moved down by its dy and right by its dx pixels, which may be negative; what enters is 0."""
    shifted = np.empty_like(images)
    margin = 2
    padded = np.pad(images, ((0, 0), (margin, margin), (margin, margin)))  # zeros: shifts are of `margin` at most
    H, W = images.shape[1:]
    for b in range(len(images)):
        top, left = margin - dy[b], margin - dx[b]
        shifted[b] = padded[b, top : top + H, left : left + W]
    return shifted


def contrast(images, factor):  # (B, H, W), (B,)
    """Each image's distance from its own mean times its factor, within 0 … 1."""
    mean = images.mean(axis=(1, 2), keepdims=True)  # (B, 1, 1)
    return np.clip((images - mean) * factor[:, None, None] + mean, 0, 1)


def augment(images, rng):  # (B, H, W)
    """A shift by -2 … 2 pixels each way and a contrast of 0.8 … 1.2, drawn for each image."""
    B = len(images)
    dy, dx = rng.integers(-2, 3, size=(2, B))
    return contrast(shift(images, dy, dx), rng.uniform(0.8, 1.2, size=B))
