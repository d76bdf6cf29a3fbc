"""Random shifts of colour along the principal components of pixels (Krizhevsky et al. 2012), as VGG is trained with."""

import numpy as np


def components(images):  # (B, 3, H, W)
    """The variances of colours along their principal directions, (3,), the largest first; and those, (3, 3), one in each row."""
    pixels = images.transpose(0, 2, 3, 1).reshape(-1, 3)
    centred = pixels - pixels.mean(axis=0)
    covariance = centred.T @ centred / len(centred)  # (3, 3)
    values, vectors = np.linalg.eigh(covariance)  # ascending
    order = np.argsort(values)[::-1]
    return np.maximum(values[order], 0), vectors.T[order]


def shifts(variances, directions, noise):  # (3,), (3, 3), (B, 3)
    """What is added to each image: Σ_i noise_i √variance_i direction_i, (B, 3)."""
    return (noise * np.sqrt(variances)) @ directions


def lighting(images, noise):  # (B, 3, H, W), (B, 3)
    """Each image with all its pixels shifted alike; noise is drawn from N(0, alpha²)."""
    variances, directions = components(images)
    return images + shifts(variances, directions, noise)[:, :, None, None]
