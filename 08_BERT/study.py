"""BERT: the facts that the tools read."""

NAME = "BERT"
TIER = 3
PREREQUISITES = ("07",)
PAPER = "Devlin, Chang, Lee & Toutanova 2018, BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding"
LEVELS = {}  # none is written yet
