"""The attention weights of timm's Vision Transformer, and their roll-out."""

import torch


def attention_maps(model, x):
    """The weights of every block and head, (L, B, h, T, T), in evaluation; the model stays as it was."""
    maps, handles = [], []
    training, fused = model.training, [block.attn.fused_attn for block in model.blocks]
    try:
        model.eval()
        for block in model.blocks:
            block.attn.fused_attn = False
            handles.append(
                block.attn.attn_drop.register_forward_hook(lambda module, inputs, output: maps.append(output))
            )
        with torch.no_grad():
            model(x)
    finally:
        model.train(training)
        for block, was in zip(model.blocks, fused):
            block.attn.fused_attn = was
        for handle in handles:
            handle.remove()
    return torch.stack(maps)


def rollout(maps):  # (L, B, h, T, T)
    """How much of each token's start is in each token at the end, (B, T, T)."""
    mixed = (maps.mean(dim=2) + torch.eye(maps.shape[-1], dtype=maps.dtype, device=maps.device)) / 2  # (L, B, T, T)
    result = mixed[0]
    for block in mixed[1:]:
        result = block @ result
    return result
