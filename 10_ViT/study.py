"""Vision Transformer: the facts that the tools read."""

NAME = "Vision Transformer"
TIER = 4
PREREQUISITES = ("05", "07")
PAPER = "Dosovitskiy et al. 2020, An Image is Worth 16x16 Words"
LEVELS = {}  # none is written yet
