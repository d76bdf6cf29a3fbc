"""The small CNN, level 1 on the engine: the paper file, unchanged, on `framework` instead of PyTorch.

    from importlib import import_module
    CNN = import_module("03_CNN_LeNet.numpy.cnn_framework").CNN

Step into `CNN(config).loss(x, targets).backward()` with a debugger: every line it reaches is NumPy.
"""

from pathlib import Path

from framework import drop_in

CNN = drop_in.load(Path(__file__).parents[1] / "paper" / "cnn_paper.py").CNN
