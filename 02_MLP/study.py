"""The facts about the multilayer perceptron: its config, its named variants, and what the tools need to run it."""

from dataclasses import dataclass

from utils.checks import check_classes, check_pixels

NAME = "Multilayer perceptron"
TIER = 1
PREREQUISITES = ("01",)
PAPER = "Rumelhart, Hinton & Williams 1986, Learning representations by back-propagating errors, Nature 323, 533-536"

MODEL = "MLP"
LEVELS = {
    "by-hand": "numpy/mlp_numpy.py",
    "engine": "paper/mlp_paper.py",
    "lowlevel": "pytorch_lowlevel/mlp_lowlevel.py",
    "paper": "paper/mlp_paper.py",
}

ACTIVATION_NAMES = ("relu", "tanh", "sigmoid", "gelu")


@dataclass(frozen=True)
class MLPConfig:
    """The sizes and the nonlinearity of an MLP; and what such a network refuses to be fed."""

    in_features: int = 784  # D: the length of one input, 28 x 28 pixels flattened
    hidden_sizes: tuple[int, ...] = (256,)  # H_1, H_2, …: one hidden layer each; () is softmax regression
    num_classes: int = 10  # K
    activation: str = "relu"  # after every hidden layer, never after the last

    def __post_init__(self):
        if not isinstance(self.hidden_sizes, (tuple, list)):
            raise TypeError(
                f"MLPConfig: hidden_sizes is a tuple such as (256,) or (256, 128), got {self.hidden_sizes!r}"
            )
        object.__setattr__(self, "hidden_sizes", tuple(self.hidden_sizes))  # a list, as JSON gives it, is welcome
        named = [("in_features", self.in_features), ("num_classes", self.num_classes)]
        for name, size in named + [(f"hidden_sizes[{i}]", size) for i, size in enumerate(self.hidden_sizes)]:
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise ValueError(f"MLPConfig: {name} is an int of at least 1, got {size!r}")
        if self.activation not in ACTIVATION_NAMES:
            raise ValueError(f"MLPConfig: activation is one of {', '.join(ACTIVATION_NAMES)}; got {self.activation!r}")

    @property
    def sizes(self):
        """(D, H_1, …, K): layer i maps sizes[i - 1] features to sizes[i]."""
        return (self.in_features, *self.hidden_sizes, self.num_classes)

    @property
    def num_layers(self):
        """N, the number of layers that have weights: fc1 … fcN."""
        return len(self.hidden_sizes) + 1

    def check_input(self, x):
        """Refuse an x that is not a floating-point (B, D). Images are flattened where the data is made, not here."""
        shape = tuple(x.shape)
        if len(shape) != 2 or shape[1] != self.in_features:
            raise ValueError(f"MLP.forward: expected (B, {self.in_features}), got {shape}")
        check_pixels("MLP", x)

    def check_targets(self, targets, batch_size):
        """Refuse targets that are not B int64 class indices in 0..K-1."""
        check_classes("MLP", targets, batch_size, self.num_classes, "a class index for each row of x")


# What `dlfs compare 02` runs, each in float64 at every level.
VARIANTS = {
    "mlp": MLPConfig(),
    "mlp-tanh": MLPConfig(in_features=64, hidden_sizes=(32,), activation="tanh"),
    "mlp-sigmoid": MLPConfig(in_features=64, hidden_sizes=(32, 24), activation="sigmoid"),
    "mlp-deep-gelu": MLPConfig(in_features=64, hidden_sizes=(48, 40, 32), activation="gelu"),
}

# What `dlfs train 02 --data …` does; the first is bundled and needs no download.
RECIPES = {
    "digits": dict(
        config=MLPConfig(in_features=64, hidden_sizes=(64,)), epochs=30, batch_size=32, lr=1e-3, optimizer="adam"
    ),
    "mnist": dict(config=MLPConfig(), epochs=5, batch_size=128, lr=1e-3, optimizer="adam"),
    "fashion-mnist": dict(config=MLPConfig(), epochs=5, batch_size=128, lr=1e-3, optimizer="adam"),
}

ZERO_GRADIENTS = ()  # no parameter of an MLP has a gradient that is zero by mathematics
TWIN = None  # no library ships an MLP of its own: torch.nn.Linear is all of it


def example_batch(config, rng):
    """One batch for `compare`: the inputs of forward, and what loss takes besides."""
    x = rng.standard_normal((13, config.in_features))  # (B, D)
    x[0] = 0  # a blank image: while the biases are zero each of its z is exactly 0, where ReLU's slope is a convention
    targets = rng.integers(0, config.num_classes, size=13)  # (B,)
    return (x,), (targets,)


def training_batch(config, x, y, rng):
    """One batch for `train`: the images (B, 1, H, W) of a data set as rows (B, D), and their classes (B,)."""
    return (x.reshape(len(x), -1),), (y,)
