"""Vision Transformer, level 1 on the engine: the paper file, unchanged, on `framework` instead of PyTorch.

    from importlib import import_module
    VisionTransformer = import_module("10_ViT.numpy.vit_framework").VisionTransformer

Step into `VisionTransformer(config).loss(x, targets).backward()` with a debugger: every line it reaches is NumPy.
"""

from pathlib import Path

from framework import drop_in

VisionTransformer = drop_in.load(Path(__file__).parents[1] / "paper" / "vit_paper.py").VisionTransformer
