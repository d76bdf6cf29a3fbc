"""GPT, level 1 on the engine: the paper file, unchanged, on `framework` instead of PyTorch.

    from importlib import import_module
    GPT = import_module("09_GPT.numpy.gpt_framework").GPT

Step into `GPT(config).loss(x, targets).backward()` with a debugger: every line it reaches is NumPy.
"""

from pathlib import Path

from framework import drop_in

GPT = drop_in.load(Path(__file__).parents[1] / "paper" / "gpt_paper.py").GPT
