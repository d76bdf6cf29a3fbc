"""DeZero, the framework of "Deep Learning from Scratch 3" (Saito 2020), as a thin face of this project's engine.

The names, the order of arguments and the behaviour are the textbook's, so that what was written for it runs. What computes and
differentiates is `framework`. Where the original is known to go wrong, this does not: tests/dezero holds a test of each.
"""

from . import cuda, utils
from .core import (
    Config,
    Function,
    Parameter,
    Variable,
    as_array,
    as_variable,
    no_grad,
    setup_variable,
    test_mode,
    using_config,
)

setup_variable()

from . import dataloaders, datasets, functions, functions_conv, layers, models, optimizers, transforms  # noqa: E402
from .dataloaders import DataLoader, SeqDataLoader  # noqa: E402
from .datasets import Dataset  # noqa: E402
from .layers import Layer  # noqa: E402
from .models import Model  # noqa: E402

__all__ = [
    "Config", "using_config", "no_grad", "test_mode", "Variable", "Parameter", "Function", "as_variable", "as_array", "setup_variable",
    "Layer", "Model", "Dataset", "DataLoader", "SeqDataLoader",
    "cuda", "dataloaders", "datasets", "functions", "functions_conv", "layers", "models", "optimizers", "transforms", "utils",
]  # fmt: skip
