"""LoRA for transformers' GPT-2: a low-rank change beside each frozen Conv1D, and how to add it in."""

import torch
import torch.nn as nn
from transformers.pytorch_utils import Conv1D


class LoRA(nn.Module):
    """A frozen Conv1D and a trained change of low rank: x W + b + alpha / rank · x A B. Hu et al. 2021."""

    def __init__(self, base, rank, alpha):
        super().__init__()
        self.base = base
        self.scale = alpha / rank
        weight = base.weight  # (C_in, C_out)
        self.A = nn.Parameter(torch.randn(weight.shape[0], rank).to(weight) / weight.shape[0] ** 0.5)
        self.B = nn.Parameter(weight.new_zeros(rank, weight.shape[1]))

    def forward(self, x):  # (…, C_in)
        """(…, C_out)"""
        return self.base(x) + self.scale * (x @ self.A @ self.B)


def add_lora(model, layers, rank, alpha):
    """The same model, frozen, with a LoRA around every Conv1D whose name ends in one of `layers`."""
    model.requires_grad_(False)
    for name, module in list(model.named_modules()):
        if isinstance(module, Conv1D) and any(f".{name}".endswith(f".{layer}") for layer in layers):
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, LoRA(module, rank, alpha))
    return model


def adapter_state(model):
    """The A and B of every LoRA, by their names in the model."""
    adapters = {name for name, module in model.named_modules() if isinstance(module, LoRA)}
    return {name: value for name, value in model.state_dict().items() if name.rpartition(".")[0] in adapters}


def merge(model):
    """The same model with each change added to its weight, and no LoRA in it; everything can be trained again."""
    for name, module in list(model.named_modules()):
        if isinstance(module, LoRA):
            with torch.no_grad():
                module.base.weight += module.scale * (module.A @ module.B)
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, module.base)
    return model.requires_grad_(True)
