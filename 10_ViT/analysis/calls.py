"""What the guide traces: a Vision Transformer of two blocks, on a small image."""

import torch

IMAGE = torch.zeros(1, 3, 32, 32)


def timm():
    from timm.models.vision_transformer import VisionTransformer

    return VisionTransformer(img_size=32, patch_size=8, embed_dim=16, depth=2, num_heads=2, num_classes=10), (IMAGE,)
