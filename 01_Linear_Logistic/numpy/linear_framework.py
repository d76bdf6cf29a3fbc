"""Linear, logistic and softmax regression, level 1 on the engine: the paper file, unchanged, on `framework` instead of PyTorch.

    from importlib import import_module
    LinearModel = import_module("01_Linear_Logistic.numpy.linear_framework").LinearModel

Step into `LinearModel(config).loss(x, targets).backward()` with a debugger: every line it reaches is NumPy.
"""

from pathlib import Path

from framework import drop_in

LinearModel = drop_in.load(Path(__file__).parents[1] / "paper" / "linear_paper.py").LinearModel
