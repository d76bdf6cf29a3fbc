"""Variational autoencoder: the facts that the tools read."""

NAME = "Variational autoencoder"
TIER = 4
PREREQUISITES = ("02",)
PAPER = "Kingma & Welling 2013, Auto-Encoding Variational Bayes"
LEVELS = {}  # none is written yet
