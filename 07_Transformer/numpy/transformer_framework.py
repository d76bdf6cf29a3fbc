"""Transformer, level 1 on the engine: the paper file, unchanged, on `framework` instead of PyTorch.

    from importlib import import_module
    Transformer = import_module("07_Transformer.numpy.transformer_framework").Transformer

Step into `Transformer(config).loss(src, tgt, labels).backward()` with a debugger: every line it reaches is NumPy.
"""

from pathlib import Path

from framework import drop_in

Transformer = drop_in.load(Path(__file__).parents[1] / "paper" / "transformer_paper.py").Transformer
