"""A linear head made of prompts, and models half-way between two."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F


def text_head(model, input_ids):  # (K, M, T)
    """An nn.Linear without a bias whose weight (K, E) is the ensemble of each class's prompts, over the temperature."""
    with torch.no_grad():
        texts = model.get_text_features(input_ids.flatten(0, 1)).pooler_output  # (K M, E)
        texts = F.normalize(texts, dim=-1).unflatten(0, input_ids.shape[:2])  # (K, M, E)
        weight = model.logit_scale.exp() * F.normalize(texts.mean(dim=1), dim=-1)  # (K, E)
    head = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    head.weight = nn.Parameter(weight)
    return head


@torch.no_grad()
def interpolated(a, b, alpha):
    """A new model whose every parameter is (1 - alpha) of a's and alpha of b's."""
    between = copy.deepcopy(a)
    for p, q in zip(between.parameters(), b.parameters(), strict=True):
        p.lerp_(q, alpha)
    return between
