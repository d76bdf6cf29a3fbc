"""ResNet: the facts that the tools read."""

NAME = "ResNet"
TIER = 2
PREREQUISITES = ("04",)
PAPER = "He, Zhang, Ren & Sun 2015, Deep Residual Learning for Image Recognition"
LEVELS = {}  # none is written yet
