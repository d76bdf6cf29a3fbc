"""CLIP's loss with hard negatives (Robinson et al. 2020) and a bounded temperature, on the engine."""

import math

import framework as torch
import framework.nn as nn
import framework.nn.functional as F

START, LARGEST = math.log(1 / 0.07), math.log(100)  # of the logarithm of the scale


def hardness(C, beta):  # (B, B)
    """How much each wrong answer counts, with mean 1 in a row, and 1 on the diagonal: (B, B), outside the graph."""
    with torch.no_grad():
        diagonal = torch.eye(len(C), dtype=torch.bool)
        w = (beta * (C - C.amax(1, keepdim=True))).exp().masked_fill(diagonal, 0.0)
        w = w * (len(C) - 1) / w.sum(1, keepdim=True)
        return w.masked_fill(diagonal, 1.0)


class HardContrastive(nn.Module):
    """The mean of both directions' losses; beta says how much harder the hard negatives count."""

    def __init__(self, beta):
        super().__init__()
        self.beta = beta
        self.logit_scale = nn.Parameter(torch.tensor(START))

    def forward(self, x, t):  # (B, E), (B, E)
        """A number."""
        C = F.normalize(x) @ F.normalize(t).T  # (B, B)
        Z = self.logit_scale.clamp(max=LARGEST).exp() * C
        right = torch.arange(len(C))
        rows = F.cross_entropy(Z + hardness(C, self.beta).log(), right)
        columns = F.cross_entropy(Z.T + hardness(C.T, self.beta).log(), right)
        return (rows + columns) / 2
