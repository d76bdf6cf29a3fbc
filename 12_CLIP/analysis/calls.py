"""What the guide traces: each tower of a CLIP of one block, with its projection; one image, and two texts."""

import torch

SIZES = dict(hidden_size=8, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, projection_dim=6)


def images():
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    config = CLIPVisionConfig(**SIZES, image_size=8, patch_size=4)
    return CLIPVisionModelWithProjection(config), (torch.zeros(1, 3, 8, 8),)


def texts():
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    ids = dict(bos_token_id=9, eos_token_id=10, pad_token_id=0)
    config = CLIPTextConfig(**SIZES, **ids, vocab_size=11, max_position_embeddings=6)
    return CLIPTextModelWithProjection(config), (torch.tensor([[9, 3, 10, 0], [9, 4, 5, 10]]),)
