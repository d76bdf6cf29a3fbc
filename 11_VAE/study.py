"""The facts about the variational autoencoder: its config, its named variants, and what the tools need to run it."""

from dataclasses import dataclass

import numpy as np

NAME = "Variational autoencoder"
TIER = 4
PREREQUISITES = ("02",)
PAPER = "Kingma & Welling 2013, Auto-Encoding Variational Bayes"

MODEL = "VAE"
LEVELS = {
    "by-hand": "numpy/vae_numpy.py",
    "engine": "paper/vae_paper.py",
    "lowlevel": "pytorch_lowlevel/vae_lowlevel.py",
    "paper": "paper/vae_paper.py",
}

HEADS = {"bernoulli": ("logits",), "gaussian": ("mean", "logvar")}  # what the decoder says of each pixel


@dataclass(frozen=True)
class VAEConfig:
    """The sizes, the nonlinearity and the likelihood of a VAE; and what it refuses to be fed."""

    in_features: int = 784  # D: the length of one input, 28 x 28 pixels flattened
    hidden_size: int = 500  # H: units of the encoder's hidden layer, and of the decoder's
    latent_size: int = 20  # J: the length of a code z
    activation: str = "tanh"  # of both hidden layers: the paper's, or "relu"
    likelihood: str = "bernoulli"  # of a pixel given z: its logit; or "gaussian": its mean and its log variance

    def __post_init__(self):
        for name in ("in_features", "hidden_size", "latent_size"):
            size = getattr(self, name)
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise ValueError(f"VAEConfig: {name} is an int of at least 1, got {size!r}")
        for name, values in dict(activation=("tanh", "relu"), likelihood=tuple(HEADS)).items():
            if getattr(self, name) not in values:
                raise ValueError(f"VAEConfig: {name} is {' or '.join(values)}, got {getattr(self, name)!r}")

    @property
    def heads(self):
        """The names of the decoder's outputs."""
        return HEADS[self.likelihood]

    @property
    def layers(self):
        """The linear layers in order, each with the shape of its weight."""
        D, H, J = self.in_features, self.hidden_size, self.latent_size
        encoder = {"encoder.fc": (H, D), "encoder.mean": (J, H), "encoder.logvar": (J, H)}
        return {**encoder, "decoder.fc": (H, J), **{f"decoder.{head}": (D, H) for head in self.heads}}

    def activation_after(self, layer):
        """The nonlinearity that follows a layer: "tanh" or "relu" after a hidden one, "linear" after a head."""
        return self.activation if layer.endswith("fc") else "linear"

    def check_input(self, x, eps):
        """Refuse an x that is no floating-point (B, D) of what the likelihood is for, and noise that is not one (B, J) for it."""
        shape, dtype = tuple(x.shape), dtype_name(x)
        if len(shape) != 2 or shape[1] != self.in_features or shape[0] == 0:
            raise ValueError(f"VAE.forward: expected x (B, {self.in_features}) of at least one row, got {shape}")
        if "float" not in dtype:
            raise TypeError(f"VAE.forward: expected floating-point x, got {dtype}; pixels 0..255 become x / 255")
        expected = (shape[0], self.latent_size)
        if tuple(eps.shape) != expected or dtype_name(eps) != dtype:
            raise ValueError(
                f"VAE.forward: expected eps {expected} of {dtype}, standard normal noise, "
                f"got {tuple(eps.shape)} of {dtype_name(eps)}"
            )

    def check_targets(self, x):
        """Refuse pixels that are not in [0, 1], of which a Bernoulli likelihood says nothing (and its loss has no floor)."""
        if self.likelihood == "bernoulli":
            low, high = x.min().item(), x.max().item()
            if not (low >= 0 and high <= 1):
                raise ValueError(f"VAE.loss: a Bernoulli likelihood is of pixels in [0, 1], got {low:g}..{high:g}")


def dtype_name(array):
    return str(array.dtype).removeprefix("torch.")


# ------------------------------------------------------------------------------------------- What the tools need

# What `dlfs compare 11` runs, each in float64 at every level.
VARIANTS = {
    "vae": VAEConfig(),
    "vae-relu": VAEConfig(in_features=64, hidden_size=40, latent_size=8, activation="relu"),
    "vae-2d": VAEConfig(in_features=64, hidden_size=40, latent_size=2),
    "vae-gaussian": VAEConfig(in_features=30, hidden_size=20, latent_size=5, likelihood="gaussian"),
}

ZERO_GRADIENTS = ()  # no parameter of a VAE has a gradient that is zero by mathematics
TWIN = None  # no library ships one: the many that are published are each someone's own
LOSS = "negative ELBO (nats)"  # the figure to judge by: the test set's, too; lower is better


def example_batch(config, rng):
    """One batch for `compare`: the image and the noise; there is nothing besides, the image is its own target."""
    B = 7
    eps = rng.standard_normal((B, config.latent_size))  # (B, J)
    if config.likelihood == "bernoulli":
        x = rng.random((B, config.in_features))  # (B, D)
        x[1] = x[1] > 0.5  # black and white
    else:
        x = rng.standard_normal((B, config.in_features))  # (B, D)
    x[0], eps[0] = (
        0,
        0,
    )  # while the biases are zero, this row is 0 exactly in every layer, logits and ReLU's corner included
    return (x, eps), ()


def kl(outputs):
    """The Kullback-Leibler term of the loss, in nats: the mean over the batch. What is left of the loss is reconstruction."""
    mean, logvar = outputs[-2:]  # (B, J)
    return float(0.5 * (mean**2 + np.exp(logvar) - 1 - logvar).sum(axis=1).mean())


def training_batch(config, x, y, rng):
    """One batch for `train`: images (B, 1, H, W) as rows (B, D), their grey levels taken as the means of Bernoulli
    variables; and noise."""
    return (x.reshape(len(x), -1), rng.standard_normal((len(x), config.latent_size), dtype=np.float32)), ()


def binarised_batch(config, x, y, rng):
    """The same with every pixel drawn as 0 or 1 with its grey level for probability, anew each time it is seen."""
    x = (rng.random(x.shape, dtype=np.float32) < x).astype(np.float32)
    return training_batch(config, x, y, rng)


def dequantised_batch(config, x, y, rng):
    """The same with each of the digits' 17 grey levels spread evenly over its seventeenth of [0, 1], so that pixels have a density."""
    x = (16 * x + rng.random(x.shape, dtype=np.float32)) / 17
    return training_batch(config, x, y, rng)


# What `dlfs train 11 --data …` does; the first is bundled and needs no download. All but mnist-paper are today's practice.
MODERN = dict(batch_size=100, lr=1e-3, optimizer="adam", metrics={"KL": kl})
RECIPES = {
    "digits": dict(config=VAEConfig(64, 128, 8, "relu"), epochs=60, **MODERN | {"batch_size": 32}),
    "mnist": dict(config=VAEConfig(activation="relu"), epochs=20, **MODERN),
    "mnist-paper": dict(
        data="mnist", config=VAEConfig(), epochs=20, **MODERN | {"lr": 0.02, "optimizer": "adagrad"}
    ),
    "mnist-binarised": dict(
        data="mnist", training_batch=binarised_batch, config=VAEConfig(activation="relu"), epochs=20, **MODERN
    ),
    "mnist-2d": dict(data="mnist", config=VAEConfig(latent_size=2, activation="relu"), epochs=20, **MODERN),
    "digits-gaussian": dict(
        data="digits", training_batch=dequantised_batch, config=VAEConfig(64, 128, 8, likelihood="gaussian"), epochs=60,
        **MODERN | {"batch_size": 32},
    ),
}  # fmt: skip
