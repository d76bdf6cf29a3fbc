"""Transformer: the facts that the tools read."""

NAME = "Transformer"
TIER = 3
PREREQUISITES = ("06",)
PAPER = "Vaswani et al. 2017, Attention Is All You Need"
LEVELS = {}  # none is written yet
