"""Attention pictures of transformers' CLIP: what the class token fetches from each patch."""

import torch


@torch.no_grad()
def class_attention(model, pixel_values, block=-1):  # (B, 3, H, W)
    """The share of each patch in what the class token fetches from patches, for each head of a block; (B, N, g, g)."""
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        attentions = model.vision_model(pixel_values, output_attentions=True).attentions
    finally:
        model.set_attn_implementation(before)
    weights = attentions[block][:, :, 0, 1:]  # (B, N, M)
    weights = weights / weights.sum(dim=-1, keepdim=True)
    g = model.config.vision_config.image_size // model.config.vision_config.patch_size
    return weights.unflatten(-1, (g, g))  # (B, N, g, g)
