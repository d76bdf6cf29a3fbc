"""A feature pyramid on timm's ResNet: the coarse maps, sent back down and added to the fine ones."""

import timm
import torch.nn as nn
import torch.nn.functional as F


class FeaturePyramid(nn.Module):
    """Lin et al. 2016, on any of timm's `features_only` models."""

    def __init__(self, backbone, channels=256):
        """Make `inner`, a 1 x 1 convolution for each of the backbone's maps, and `smooth`, a 3 x 3 one for each."""
        super().__init__()
        self.backbone = backbone
        widths = backbone.feature_info.channels()
        self.inner = nn.ModuleList(nn.Conv2d(width, channels, kernel_size=1) for width in widths)
        self.smooth = nn.ModuleList(nn.Conv2d(channels, channels, kernel_size=3, padding=1) for _ in widths)

    def forward(self, x):  # (B, 3, H, W)
        """The maps of the pyramid, finest first, each (B, channels, H_i, W_i)."""
        laterals = [inner(c) for inner, c in zip(self.inner, self.backbone(x))]
        top_down = laterals[-1]  # T_5
        pyramid = [self.smooth[-1](top_down)]  # P_5
        for i in reversed(range(len(laterals) - 1)):
            enlarged = F.interpolate(top_down, size=laterals[i].shape[-2:], mode="nearest")
            top_down = laterals[i] + enlarged  # T_i
            pyramid.insert(0, self.smooth[i](top_down))  # P_i
        return pyramid


def resnet_pyramid(name, channels=256, **options):
    """The pyramid on layer1 … layer4 of timm's ResNet of that name."""
    backbone = timm.create_model(name, features_only=True, out_indices=(1, 2, 3, 4), **options)
    return FeaturePyramid(backbone, channels)
