"""GPT: the facts that the tools read."""

NAME = "GPT"
TIER = 3
PREREQUISITES = ("07",)
PAPER = (
    "Radford et al. 2018, Improving Language Understanding by Generative Pre-Training; "
    "Radford et al. 2019, Language Models are Unsupervised Multitask Learners"
)
LEVELS = {}  # none is written yet
