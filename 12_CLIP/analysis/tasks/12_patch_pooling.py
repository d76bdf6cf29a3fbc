"""Pooling transformers' CLIP over the patches, in the space of the texts."""

import torch
import torch.nn.functional as F


def patch_features(model, pixel_values, mask=None):  # (B, 3, H, W), (B, M)
    """Each patch, and the mean direction of all, or of those that the mask weights, as unit vectors: (B, M, E), (B, E)."""
    hidden = model.vision_model(pixel_values).last_hidden_state[:, 1:]  # (B, M, C)
    hidden = model.vision_model.post_layernorm(hidden)
    patches = F.normalize(model.visual_projection(hidden), dim=-1)  # (B, M, E)
    weights = torch.ones_like(patches[..., 0]) if mask is None else mask.to(patches.dtype)  # (B, M)
    return patches, F.normalize((weights[..., None] * patches).sum(dim=1), dim=-1)
