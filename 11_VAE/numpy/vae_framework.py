"""Variational autoencoder, level 1 on the engine: the paper file, unchanged, on `framework` instead of PyTorch.

    from importlib import import_module
    VAE = import_module("11_VAE.numpy.vae_framework").VAE

Step into `VAE(config).loss(x, eps).backward()` with a debugger: every line it reaches is NumPy.
"""

from pathlib import Path

from framework import drop_in

VAE = drop_in.load(Path(__file__).parents[1] / "paper" / "vae_paper.py").VAE
