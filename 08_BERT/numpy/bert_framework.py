"""BERT, level 1 on the engine: the paper file, unchanged, on `framework` instead of PyTorch.

    from importlib import import_module
    BERT = import_module("08_BERT.numpy.bert_framework").BERT

Step into `BERT(config).loss(*batch).backward()` with a debugger: every line it reaches is NumPy.
"""

from pathlib import Path

from framework import drop_in

BERT = drop_in.load(Path(__file__).parents[1] / "paper" / "bert_paper.py").BERT
