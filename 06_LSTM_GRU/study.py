"""LSTM and GRU: the facts that the tools read."""

NAME = "LSTM and GRU"
TIER = 2
PREREQUISITES = ("02",)
PAPER = (
    "Gers, Schmidhuber & Cummins 2000, Learning to Forget; "
    "Cho et al. 2014, Learning Phrase Representations using RNN Encoder-Decoder"
)
LEVELS = {}  # none is written yet
