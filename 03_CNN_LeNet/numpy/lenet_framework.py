"""LeNet-5, level 1 on the engine: the paper file, unchanged, on `framework` instead of PyTorch.

    from importlib import import_module
    LeNet5 = import_module("03_CNN_LeNet.numpy.lenet_framework").LeNet5

Step into `LeNet5(config).loss(x, targets).backward()` with a debugger: every line it reaches is NumPy.
"""

from pathlib import Path

from framework import drop_in

LeNet5 = drop_in.load(Path(__file__).parents[1] / "paper" / "lenet_paper.py").LeNet5
