"""VGG, level 1 on the engine: the paper file, unchanged, on `framework` instead of PyTorch.

    from importlib import import_module
    VGG = import_module("04_VGG.numpy.vgg_framework").VGG

Step into `VGG(config).loss(x, targets).backward()` with a debugger: every line it reaches is NumPy.
"""

from pathlib import Path

from framework import drop_in

VGG = drop_in.load(Path(__file__).parents[1] / "paper" / "vgg_paper.py").VGG
