"""ResNet, level 1 on the engine: the paper file, unchanged, on `framework` instead of PyTorch.

    from importlib import import_module
    ResNet = import_module("05_ResNet.numpy.resnet_framework").ResNet

Step into `ResNet(config).loss(x, targets).backward()` with a debugger: every line it reaches is NumPy.
"""

from pathlib import Path

from framework import drop_in

ResNet = drop_in.load(Path(__file__).parents[1] / "paper" / "resnet_paper.py").ResNet
