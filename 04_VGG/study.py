"""VGG: the facts that the tools read."""

NAME = "VGG"
TIER = 2
PREREQUISITES = ("03",)
PAPER = "Simonyan & Zisserman 2014, Very Deep Convolutional Networks for Large-Scale Image Recognition"
LEVELS = {}  # none is written yet
