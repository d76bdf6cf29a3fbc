"""A head for timm's Vision Transformer that says of each pixel what it belongs to."""

import torch.nn as nn
import torch.nn.functional as F


class Segmenter(nn.Module):
    """A linear layer on each patch's token, and the map of it enlarged to the image."""

    def __init__(self, backbone, num_classes):
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(backbone.embed_dim, num_classes)

    def forward(self, x):  # (B, C, H, W)
        """The logits of each pixel, (B, K, H, W)."""
        tokens = self.backbone.forward_features(x)[:, self.backbone.num_prefix_tokens :]  # (B, N, D)
        scores = self.head(tokens).transpose(1, 2)  # (B, K, N)
        maps = scores.unflatten(2, self.backbone.patch_embed.grid_size)  # (B, K, n, m)
        return F.interpolate(maps, size=x.shape[2:], mode="bilinear", align_corners=False)  # (B, K, H, W)
