"""The production twin: torch.nn.Transformer, with the embedding, the positions and the loss around it that it leaves to its user.

Where the two deviate:
    nn.Transformer puts one more LayerNorm behind each stack, a habit of pre-norm networks: the twin hands it stacks with none.
    It fuses W^Q, W^K and W^V into in_proj_weight (3d, d): here they are put together, and taken apart again.
    Its bias=False would take the biases of linear1, linear2 and the norms as well: without attention_bias only those of attention go.
    It calls the cross-attention multihead_attn.
    In evaluation its encoder would pack the sentences without their padding (a nested tensor), for which attention must have biases.
"""

import math

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


def torch_transformer(config):
    return TorchTransformer(config)


class TorchTransformer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        d, h, N = config.d_model, config.num_heads, config.num_layers
        self.embedding = nn.Embedding(config.vocab_size, d)
        encoder, decoder = (
            layer(d, h, config.d_ff, config.dropout, batch_first=True)
            for layer in (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)
        )
        self.transformer = nn.Transformer(
            d, h, batch_first=True,
            custom_encoder=nn.TransformerEncoder(encoder, N, norm=None, enable_nested_tensor=False),
            custom_decoder=nn.TransformerDecoder(decoder, N, norm=None),
        )  # fmt: skip
        if not config.attention_bias:
            for module in self.modules():
                if isinstance(module, nn.MultiheadAttention):
                    module.in_proj_bias = module.out_proj.bias = None
        self.dropout = nn.Dropout(config.dropout)

    def embed(self, tokens):
        d, T = self.config.d_model, tokens.shape[1]
        place = torch.arange(T, dtype=self.embedding.weight.dtype)[:, None]
        if self.config.positions == "interleaved":
            angles = place / 10_000 ** (torch.arange(0, d, 2, dtype=place.dtype) / d)
            positions = torch.zeros(T, d, dtype=place.dtype)
            positions[:, 0::2], positions[:, 1::2] = angles.sin(), angles.cos()
        else:
            angles = place * torch.logspace(0, -4, d // 2, dtype=place.dtype)
            positions = torch.cat((angles.sin(), angles.cos()), dim=1)
        return self.dropout(self.embedding(tokens) * math.sqrt(d) + positions)

    def forward(self, src, tgt):
        padding = src == 0
        x = self.transformer(
            self.embed(src), self.embed(tgt), src_key_padding_mask=padding, memory_key_padding_mask=padding,
            tgt_mask=self.transformer.generate_square_subsequent_mask(tgt.shape[1], dtype=self.embedding.weight.dtype),
        )  # fmt: skip
        return x @ self.embedding.weight.T

    def loss(self, src, tgt, labels):
        logits = self.forward(src, tgt).transpose(1, 2)  # (B, V, T)
        return F.cross_entropy(logits, labels, ignore_index=0, label_smoothing=self.config.label_smoothing)


PARTS = ("q_proj", "k_proj", "v_proj")


def to_twin(state):
    """Our state dict under the twin's names, the three projections fused."""
    result = {}
    for name, array in state.items():
        if ".k_proj." in name or ".v_proj." in name:
            continue
        if ".q_proj." in name:
            array = np.concatenate([state[name.replace("q_proj", part)] for part in PARTS])
            name = name.replace("q_proj.", "in_proj_")
        result[twin_name(name)] = array
    return result


def from_twin(state):
    """The twin's state dict, or its gradients, under our names."""
    result = {}
    for name, array in state.items():
        name = our_name(name)
        if "in_proj_" in name:
            for part, rows in zip(PARTS, np.split(array, 3)):
                result[name.replace("in_proj_", f"{part}.")] = rows
        else:
            result[name] = array
    return result


def twin_name(name):
    """encoder.0.norm1.weight -> transformer.encoder.layers.0.norm1.weight"""
    if name == "embedding.weight":
        return name
    stack, rest = name.split(".", 1)
    return f"transformer.{stack}.layers.{rest.replace('cross_attn', 'multihead_attn')}"


def our_name(name):
    return name.removeprefix("transformer.").replace(".layers.", ".").replace("multihead_attn", "cross_attn")
