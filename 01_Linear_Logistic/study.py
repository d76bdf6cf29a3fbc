"""Linear and logistic regression: the facts that the tools read."""

NAME = "Linear and logistic regression"
TIER = 1
PREREQUISITES = ()
PAPER = "Cox 1958, The Regression Analysis of Binary Sequences"
LEVELS = {}  # none is written yet
