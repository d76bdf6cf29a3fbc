"""CLIP, level 1 on the engine: the paper file, unchanged, on `framework` instead of PyTorch.

    from importlib import import_module
    CLIP = import_module("12_CLIP.numpy.clip_framework").CLIP

Step into `CLIP(config).loss(x, text).backward()` with a debugger: every line it reaches is NumPy.
"""

from pathlib import Path

from framework import drop_in

CLIP = drop_in.load(Path(__file__).parents[1] / "paper" / "clip_paper.py").CLIP
