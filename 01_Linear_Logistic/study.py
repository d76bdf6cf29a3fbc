"""The facts about linear, logistic and softmax regression: the config, its named variants, and what the tools need to run them."""

import math
from dataclasses import dataclass

import numpy as np

NAME = "Linear and logistic regression"
TIER = 1
PREREQUISITES = ()
PAPER = "Cox 1958, The Regression Analysis of Binary Sequences, J. R. Stat. Soc. B 20, 215-242"

MODEL = "LinearModel"
LEVELS = {
    "by-hand": "numpy/linear_numpy.py",
    "engine": "paper/linear_paper.py",
    "lowlevel": "pytorch_lowlevel/linear_lowlevel.py",
    "paper": "paper/linear_paper.py",
}

REGRESSIONS = ("linear", "logistic", "softmax")


@dataclass(frozen=True)
class LinearConfig:
    """The sizes of the one linear map, what its output is taken for, and the penalties on its weights."""

    in_features: int = 784  # D: the length of one input, 28 x 28 pixels flattened
    out_features: int = 10  # K: numbers to predict, or classes; 1 for "logistic"
    regression: str = "softmax"  # "linear": numbers; "logistic": yes or no; "softmax": one of K classes
    l1: float = 0.0  # adds l1 · Σ|W| to the loss (lasso); the bias is never penalised
    l2: float = 0.0  # adds l2 / 2 · ΣW² to the loss (ridge)

    def __post_init__(self):
        for name in ("in_features", "out_features"):
            size = getattr(self, name)
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise ValueError(f"LinearConfig: {name} is an int of at least 1, got {size!r}")
        if self.regression not in REGRESSIONS:
            raise ValueError(f"LinearConfig: regression is one of {', '.join(REGRESSIONS)}; got {self.regression!r}")
        if self.regression == "logistic" and self.out_features != 1:
            raise ValueError(
                f'LinearConfig: logistic has one output, got out_features={self.out_features}; several classes are "softmax"'
            )
        for name in ("l1", "l2"):
            strength = getattr(self, name)
            if not 0 <= strength < math.inf:
                raise ValueError(f"LinearConfig: {name} is a finite number of at least 0, got {strength!r}")

    def check_input(self, x):
        """Refuse an x that is not a floating-point (B, D). Images are flattened where the data is made, not here."""
        shape = tuple(x.shape)
        if len(shape) != 2 or shape[1] != self.in_features:
            raise ValueError(f"LinearModel.forward: expected (B, {self.in_features}), got {shape}")
        if "float" not in str(x.dtype):
            raise TypeError(f"LinearModel.forward: expected floating-point x, got {x.dtype}")

    def check_targets(self, targets, batch_size):
        """Refuse targets that are not B rows of K numbers, for "linear"; else not B int64 class indices."""
        shape, dtype = tuple(targets.shape), str(targets.dtype).removeprefix("torch.")
        numbers, classes = self.regression == "linear", max(2, self.out_features)
        expected = (batch_size, self.out_features) if numbers else (batch_size,)
        if shape != expected:
            meaning = "a number for each output" if numbers else "a class index for each row of x"
            raise ValueError(f"LinearModel.loss: expected targets {expected}, {meaning}, got {shape}")
        if batch_size == 0:
            raise ValueError("LinearModel.loss: the mean over an empty batch does not exist; x and targets have 0 rows")
        if numbers:
            if "float" not in dtype:
                raise TypeError(f"LinearModel.loss: expected floating-point targets, got {dtype}")
            return
        if dtype != "int64":
            raise TypeError(f"LinearModel.loss: expected targets of int64, got {dtype}")
        lowest, highest = int(targets.min()), int(targets.max())
        if lowest < 0 or highest >= classes:
            raise ValueError(f"LinearModel.loss: expected targets in 0..{classes - 1}, got {lowest}..{highest}")


# What `dlfs compare 01` runs, each in float64 at every level.
VARIANTS = {
    "linear": LinearConfig(10, 1, "linear"),
    "linear-ridge": LinearConfig(10, 1, "linear", l2=0.3),
    "linear-lasso": LinearConfig(10, 1, "linear", l1=0.3),
    "linear-several": LinearConfig(7, 3, "linear", l1=0.2, l2=0.1),
    "logistic": LinearConfig(30, 1, "logistic"),
    "logistic-ridge": LinearConfig(30, 1, "logistic", l2=0.3),
    "softmax": LinearConfig(),
    "softmax-elastic": LinearConfig(64, 10, "softmax", l1=0.02, l2=0.1),
}


def rmse(outputs, targets):
    """The root of the mean squared error, in the units of the data."""
    return float(np.sqrt(((outputs[0] - targets) ** 2).mean()))


def logistic_accuracy(outputs, targets):
    """The share of examples on the right side of z = 0, where both classes are equally likely."""
    return float(((outputs[0][:, 0] > 0) == targets).mean())


# What `dlfs train 01 --data …` does; the first three are bundled and need no download. All by plain gradient descent on
# batches: the losses have one minimum and no other trap.
RECIPES = {
    "digits": dict(
        config=LinearConfig(64, 10, "softmax", l2=1e-3), epochs=60, batch_size=32, lr=0.5, optimizer="sgd",
        schedule="cosine",
    ),
    "diabetes": dict(
        config=LinearConfig(10, 1, "linear"), epochs=100, batch_size=31, lr=0.1, optimizer="sgd", schedule="cosine",
        metrics={"rmse": rmse},
    ),
    "breast-cancer": dict(
        config=LinearConfig(30, 1, "logistic", l2=1 / 399), epochs=50, batch_size=21, lr=0.1, optimizer="sgd",
        schedule="cosine", metrics={"accuracy": logistic_accuracy},
    ),
    "mnist": dict(config=LinearConfig(), epochs=20, batch_size=128, lr=0.5, optimizer="sgd", schedule="cosine"),
}  # fmt: skip

ZERO_GRADIENTS = ()  # no parameter here has a gradient that is zero by mathematics
TWIN = "TorchLinear"  # torch.nn.Linear with torch.nn's losses; scikit-learn's estimators are met in against_sklearn.py


def example_batch(config, rng):
    """One batch for `compare`: the inputs of forward, and what loss takes besides."""
    B = 13
    x = rng.standard_normal((B, config.in_features))  # (B, D)
    if config.regression == "linear":
        targets = rng.standard_normal((B, config.out_features))  # (B, K)
    else:
        targets = rng.integers(0, max(2, config.out_features), size=B)  # (B,)
    return (x,), (targets,)


def training_batch(config, x, y, rng):
    """One batch for `train`: images or measurements as rows (B, D); numbers as (B, K), classes as (B,)."""
    return (x.reshape(len(x), -1),), (y.reshape(len(y), -1) if config.regression == "linear" else y,)
