"""LSTM and GRU, level 1 on the engine: the paper file, unchanged, on `framework` instead of PyTorch.

    from importlib import import_module
    RNN = import_module("06_LSTM_GRU.numpy.rnn_framework").RNN

Step into `RNN(config).loss(x, lengths, state, targets).backward()` with a debugger: every line it reaches is NumPy.
"""

from pathlib import Path

from framework import drop_in

RNN = drop_in.load(Path(__file__).parents[1] / "paper" / "rnn_paper.py").RNN
