"""Where a BERT of transformers looks: every head's weights, and what they come to through all layers."""

import torch


def attention_maps(model, input_ids, attention_mask):  # (B, T), (B, T)
    """The weights of every layer and head, (B, L, N, T, T); the model is afterwards as it was."""
    implementation, training = model.config._attn_implementation, model.training
    try:
        model.set_attn_implementation("eager")  # the one that returns its weights
        model.eval()
        with torch.no_grad():
            outputs = model(input_ids=input_ids, attention_mask=attention_mask, output_attentions=True)
    finally:
        model.set_attn_implementation(implementation)
        model.train(training)
    return torch.stack(outputs.attentions, dim=1)  # (B, L, N, T, T)


def rollout(maps):  # (B, L, N, T, T)
    """From which words each token has its contents, attention and residual connections counting alike: (B, T, T)."""
    identity = torch.eye(maps.shape[-1], dtype=maps.dtype, device=maps.device)  # (T, T)
    layers = (maps.mean(dim=2) + identity) / 2  # (B, L, T, T)
    result = layers[:, 0]  # (B, T, T)
    for layer in range(1, layers.shape[1]):
        result = layers[:, layer] @ result
    return result
