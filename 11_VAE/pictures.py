"""What `dlfs pictures 11 RUN` draws of a trained VAE: what comes back, what it makes up, and where it keeps what."""

import math

import numpy as np
from scipy.stats import norm

from utils.visualization import image_rows, image_sheet, scatter_by_class

DIGITS = [str(digit) for digit in range(10)]


def means(level, z):
    """The mean image (B, H, W) of p(x|z) for codes z (B, J)."""
    model = level.model
    heads = model.decode(z.astype(np.float32))  # (B, D) each
    pixels = 0.5 * np.tanh(0.5 * heads[0]) + 0.5 if model.config.likelihood == "bernoulli" else heads[0]
    side = math.isqrt(model.config.in_features)
    return pixels.clip(0, 1).reshape(-1, side, side)


def codes(level, x):
    """The mean of q(z|x) (B, J) for images x (B, 1, H, W)."""
    return level.model.encode(x.reshape(len(x), -1))[0]


def reconstructions(level, data):
    """Ten test digits, one of each; the image that their code stands for; and three that were drawn from q(z|x)."""
    x = data.test.x[[int(np.flatnonzero(data.test.y == digit)[0]) for digit in range(10)]]
    mean, logvar = level.model.encode(x.reshape(len(x), -1))
    rng = np.random.default_rng(0)
    rows = [("image", 1 - x[:, 0]), ("at q's mean", 1 - means(level, mean))]
    for i in range(3):
        z = mean + np.exp(0.5 * logvar) * rng.standard_normal(mean.shape)
        rows.append((f"sample {i + 1} of q", 1 - means(level, z)))
    return image_rows(
        "Test digits, and what the decoder makes of their codes", [(name, list(row)) for name, row in rows]
    )


def samples(level, data):
    """Codes drawn from the prior: digits that nobody wrote."""
    z = np.random.default_rng(0).standard_normal((10 * 14, level.model.config.latent_size))
    images = means(level, z)
    return image_sheet("Drawn from the prior", images.reshape(10, 14, *images.shape[1:]), gap=1)


def interpolation(level, data):
    """From one test digit to another, along the straight line between their codes."""
    first = [int(np.flatnonzero(data.test.y == digit)[1]) for digit in range(10)]
    z = codes(level, data.test.x[first])
    steps = np.linspace(0, 1, 11)[:, None]
    rows = [means(level, (1 - steps) * z[a] + steps * z[b]) for a, b in ((0, 1), (2, 7), (3, 8), (4, 9), (5, 6))]
    return image_sheet("From one test digit (left) to another (right)", np.stack(rows), gap=1)


def manifold(level, data):
    """All of a two-dimensional code: a grid that is even in the prior's probability, from 1 % to 99 % on each axis."""
    at = norm.ppf(np.linspace(0.01, 0.99, 20))
    z = np.stack(np.meshgrid(at, at[::-1]), axis=-1).reshape(-1, 2)  # z_1 to the right, z_2 upwards
    images = means(level, z)
    return image_sheet("The manifold: z₁ to the right, z₂ upwards, each from 1 % to 99 % of the prior", images.reshape(20, 20, *images.shape[1:]))  # fmt: skip


def latent_scatter(level, data):
    """Where the encoder puts 2,000 test digits: the first two latent variables that carry anything."""
    x, y = data.test.x[:2000], data.test.y[:2000]
    z = codes(level, x)
    most = np.sort(
        np.argsort(-z.var(axis=0))[:2]
    )  # where the means hardly vary, the code is the prior's, whatever the image
    figure = scatter_by_class("The means of q(z|x) of test digits, by class", z[:, most], y, DIGITS)
    figure.supxlabel(f"z[{most[0]}]")
    figure.supylabel(f"z[{most[1]}]")
    return figure


EVERY = {"reconstructions": reconstructions, "samples": samples, "interpolation": interpolation}
FLAT = EVERY | {"manifold": manifold, "scatter": latent_scatter}
PICTURES = {
    "digits": EVERY,
    "digits-gaussian": EVERY,
    "mnist": EVERY,
    "mnist-paper": EVERY,
    "mnist-binarised": EVERY,
    "mnist-2d": FLAT,
}
