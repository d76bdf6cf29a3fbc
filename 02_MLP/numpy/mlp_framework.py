"""Multilayer perceptron, level 1 on the engine: the paper file, unchanged, on `framework` instead of PyTorch.

    from importlib import import_module
    MLP = import_module("02_MLP.numpy.mlp_framework").MLP

Step into `MLP(config).loss(x, targets).backward()` with a debugger: every line it reaches is NumPy.
"""

from pathlib import Path

from framework import drop_in

MLP = drop_in.load(Path(__file__).parents[1] / "paper" / "mlp_paper.py").MLP
