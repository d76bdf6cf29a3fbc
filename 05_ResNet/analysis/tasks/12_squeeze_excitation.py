"""Squeeze and excitation in timm's ResNet: a gate for each channel, computed from the whole image."""

import timm
import torch
import torch.nn as nn
import torch.nn.functional as F


class SqueezeExcitation(nn.Module):
    """Hu et al. 2017. The parameters are fc1.weight (C/r, C, 1, 1), fc1.bias, fc2.weight (C, C/r, 1, 1), fc2.bias."""

    def __init__(self, channels, reduction=16, device=None, dtype=None):
        """Make fc1 and fc2; device and dtype are for both of them."""
        super().__init__()
        hidden = channels // reduction
        self.fc1 = nn.Conv2d(channels, hidden, kernel_size=1, device=device, dtype=dtype)
        self.fc2 = nn.Conv2d(hidden, channels, kernel_size=1, device=device, dtype=dtype)

    def forward(self, u):  # (B, C, H, W)
        """u, each channel times its gate; (B, C, H, W)."""
        z = u.mean(dim=(2, 3), keepdim=True)  # (B, C, 1, 1)
        h = F.relu(self.fc1(z))  # (B, C/r, 1, 1)
        gate = torch.sigmoid(self.fc2(h))  # (B, C, 1, 1)
        return u * gate


def se_resnet(name, **options):
    """timm's ResNet of that name with a SqueezeExcitation at the end of each block's branch."""
    return timm.create_model(name, block_args=dict(attn_layer=SqueezeExcitation), **options)
