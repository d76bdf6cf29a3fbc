"""Linear, logistic and softmax regression: the facts that the tools read."""

NAME = "Linear, logistic and softmax regression"
TIER = 1
PREREQUISITES = ()
PAPER = "Cox 1958, The Regression Analysis of Binary Sequences"
LEVELS = {}  # none is written yet
