"""What the guide traces: a CLIP of one block a tower, one image and two texts."""

import torch

IMAGE, TEXTS = torch.zeros(1, 3, 8, 8), torch.tensor([[9, 3, 10, 0], [9, 4, 5, 10]])


def small():
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    sizes = dict(hidden_size=8, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2)
    text = dict(**sizes, vocab_size=11, max_position_embeddings=6, bos_token_id=9, eos_token_id=10, pad_token_id=0)
    config = CLIPConfig(text_config=text, vision_config=dict(**sizes, image_size=8, patch_size=4), projection_dim=6)
    return CLIPModel(config)


def images():
    return small(), (IMAGE,), "get_image_features"


def texts():
    return small(), (TEXTS,), "get_text_features"
