"""LeNet-5: the facts that the tools read."""

NAME = "LeNet-5"
TIER = 1
PREREQUISITES = ("02",)
PAPER = "LeCun, Bottou, Bengio & Haffner 1998, Gradient-Based Learning Applied to Document Recognition"
LEVELS = {}  # none is written yet
