"""CLIP: the facts that the tools read."""

NAME = "CLIP"
TIER = 4
PREREQUISITES = ("09", "10")
PAPER = "Radford et al. 2021, Learning Transferable Visual Models From Natural Language Supervision"
LEVELS = {}  # none is written yet
