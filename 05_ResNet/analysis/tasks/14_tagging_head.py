"""Another head for timm's ResNet: generalised-mean pooling, and a yes or no for each of many labels."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class GeM(nn.Module):
    """Radenović et al. 2017: the mean of the p-th powers, and of that the p-th root; p is learnt."""

    def __init__(self, p=3.0, eps=1e-6):
        super().__init__()
        self.p = nn.Parameter(torch.tensor(p))
        self.eps = eps

    def forward(self, x):  # (B, C, H, W)
        """The pooled map, (B, C)."""
        powers = x.clamp(min=self.eps) ** self.p  # (B, C, H, W)
        return powers.mean(dim=(2, 3)) ** (1 / self.p)  # (B, C)


def tagger(model, num_labels):
    """The same model with GeM for its pooling and a new fc (num_labels, C), where and as its weights are."""
    model.reset_classifier(num_labels)
    model.global_pool = GeM().to(device=model.fc.weight.device, dtype=model.fc.weight.dtype)
    return model


def tagging_loss(logits, labels):  # (B, K), (B, K)
    """The mean binary cross entropy of each label; ()."""
    return F.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))
