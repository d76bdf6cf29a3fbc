"""The entrance of a Vision Transformer (Dosovitskiy et al. 2020) on the engine, for images of any size."""

import framework as torch
import framework.nn as nn
import framework.nn.functional as F


def patchify(images, P):  # (B, C, H, W)
    """The patches row by row, each laid out channel by channel: (B, N, C P P)."""
    B, C, H, W = images.shape
    patches = images.reshape(B, C, H // P, P, W // P, P).permute(0, 2, 4, 1, 3, 5)  # (B, gh, gw, C, P, P)
    return patches.reshape(B, (H // P) * (W // P), C * P * P)


def to_linear(conv):
    """The nn.Linear that does to patches what a convolution with stride = kernel size does to images."""
    linear = nn.Linear(conv.weight[0].numel(), conv.out_channels)
    with torch.no_grad():
        linear.weight.copy_(conv.weight.reshape(conv.out_channels, -1))
        linear.bias.copy_(conv.bias)
    return linear


def resized(table, old, new):  # (1 + gh gw, D), (gh, gw), (gh', gw')
    """The table of positions for another grid, (1 + gh' gw', D); the class token's row stays."""
    if tuple(old) == tuple(new):
        return table
    D = table.shape[1]
    picture = table[1:].T.reshape(1, D, *old)  # (1, D, gh, gw)
    picture = F.interpolate(picture, size=tuple(new), mode="bilinear", align_corners=False)
    return torch.cat((table[:1], picture.reshape(D, -1).T))


class Embedding(nn.Module):
    """Images to tokens: a class token, and a token for each patch, each with its place."""

    def __init__(self, grid, P, C, D):
        super().__init__()
        self.grid, self.P = grid, P
        self.proj = nn.Linear(C * P * P, D)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, D))
        self.pos_embed = nn.Parameter(torch.randn(1 + grid[0] * grid[1], D) * 0.02)

    def forward(self, images):  # (B, C, H, W)
        """(B, 1 + N, D)."""
        B, _, H, W = images.shape
        x = self.proj(patchify(images, self.P))  # (B, N, D)
        x = torch.cat((self.cls_token.expand(B, -1, -1), x), dim=1)  # (B, 1 + N, D)
        return x + resized(self.pos_embed, self.grid, (H // self.P, W // self.P))
