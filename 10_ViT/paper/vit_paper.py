"""Vision Transformer, level 3: nn.Module, as PyTorch code is written.

Dosovitskiy et al. 2020. `eq. n` is equation (n) of ../theory.md; the gradients are autograd's. Names are timm's.
Shapes: B images of C channels, H x W pixels; N patches of P x P pixels, T = N + 1 tokens with the class token; D channels of a token, in
h heads of d; M = mlp_ratio D; K classes.
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..study import ViTConfig

EPS = 1e-6  # of LayerNorm

# ---------------------------------------------------------------------------------------------- Initialisation


def init_parameter(name, parameter, config):
    """The head, the class token and all biases 0, γ 1; positions N(0, 0.02²), patches by their fan-in, matrices as Glorot has it."""
    D = config.embed_dim
    if name == "pos_embed":
        nn.init.normal_(parameter, std=0.02)
    elif name == "patch_embed.proj.weight":
        nn.init.normal_(parameter, std=1 / math.sqrt(parameter[0].numel()))  # eq. 29
    elif name.endswith(("attn.qkv.weight", "attn.proj.weight")):
        nn.init.uniform_(parameter, -math.sqrt(6 / (D + D)), math.sqrt(6 / (D + D)))  # eq. 28, q, k and v each
    elif name.endswith(("mlp.fc1.weight", "mlp.fc2.weight")):
        nn.init.xavier_uniform_(parameter)  # eq. 28
    elif name.endswith("weight") and parameter.ndim == 1:
        nn.init.ones_(parameter)
    else:
        nn.init.zeros_(parameter)


# ------------------------------------------------------------------------------------------------------ Layers


class PatchEmbed(nn.Module):
    """Each patch of P x P pixels becomes a token: a convolution whose stride is its kernel's size."""

    def __init__(self, config: ViTConfig):
        super().__init__()
        P = config.patch_size
        self.proj = nn.Conv2d(config.in_channels, config.embed_dim, kernel_size=P, stride=P)

    def forward(self, x):  # (B, C, H, W)
        tokens = self.proj(x)  # (B, D, H / P, W / P), eq. 1, 2
        return tokens.flatten(2).transpose(1, 2)  # (B, N, D): row by row


class Attention(nn.Module):
    """Every token looks at all tokens, in h heads."""

    def __init__(self, config: ViTConfig):
        super().__init__()
        self.config = config
        D = config.embed_dim
        self.qkv = nn.Linear(D, 3 * D)
        self.proj = nn.Linear(D, D)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x):  # (B, T, D)
        q, k, v = self.split_heads(self.qkv(x))  # (B, h, T, d) each, eq. 7
        y = F.scaled_dot_product_attention(q, k, v)  # (B, h, T, d), eq. 8 to 10
        y = y.transpose(1, 2).flatten(2)  # (B, T, D)
        y = self.proj(y)  # (B, T, D), eq. 11
        return self.dropout(y)

    def split_heads(self, qkv):  # (B, T, 3 D): q's heads first, then k's, then v's
        return qkv.unflatten(2, (3, self.config.num_heads, -1)).permute(2, 0, 3, 1, 4)  # (3, B, h, T, d)


class MLP(nn.Module):
    def __init__(self, config: ViTConfig):
        super().__init__()
        D, M = config.embed_dim, config.mlp_ratio * config.embed_dim
        self.fc1 = nn.Linear(D, M)
        self.fc2 = nn.Linear(M, D)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x):  # (B, T, D)
        a = self.fc1(x)  # (B, T, M), eq. 12
        y = F.gelu(a)  # eq. 13
        y = self.dropout(y)
        y = self.fc2(y)  # (B, T, D), eq. 14
        return self.dropout(y)


class Block(nn.Module):
    def __init__(self, config: ViTConfig):
        super().__init__()
        self.norm1 = nn.LayerNorm(config.embed_dim, eps=EPS)  # eq. 6
        self.attn = Attention(config)
        self.norm2 = nn.LayerNorm(config.embed_dim, eps=EPS)
        self.mlp = MLP(config)

    def forward(self, x):  # (B, T, D)
        x = x + self.attn(self.norm1(x))  # (B, T, D), eq. 4
        x = x + self.mlp(self.norm2(x))  # eq. 5
        return x


# ------------------------------------------------------------------------------------------------------- Model


class VisionTransformer(nn.Module):
    """image -> patches as tokens, a class token, positions -> depth blocks -> norm -> the class token's logits.

    config.shapes has the parameters' names and shapes.
    """

    def __init__(self, config: ViTConfig):
        super().__init__()
        self.config = config
        D = config.embed_dim
        self.cls_token = nn.Parameter(torch.zeros(1, 1, D))
        self.pos_embed = nn.Parameter(torch.zeros(1, config.num_patches + 1, D))
        self.patch_embed = PatchEmbed(config)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList([Block(config) for _ in range(config.depth)])
        self.norm = nn.LayerNorm(D, eps=EPS)
        self.head = nn.Linear(D, config.num_classes)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                init_parameter(name, parameter, config)

    def forward(self, x):  # (B, C, H, W)
        """The logits (B, K) of the images x (B, C, H, W), of the config's size."""
        self.config.check_input(x)
        tokens = self.patch_embed(x)  # (B, N, D)
        cls_token = self.cls_token.expand(len(x), -1, -1)  # (B, 1, D)
        h = torch.cat([cls_token, tokens], dim=1) + self.pos_embed  # (B, T, D), eq. 3
        h = self.dropout(h)
        for block in self.blocks:
            h = block(h)  # (B, T, D)
        h = self.norm(h)  # (B, T, D), eq. 15
        logits = self.head(h[:, 0])  # (B, K), eq. 16
        return logits

    def loss(self, x, targets):  # (B, C, H, W), (B,)
        """The mean cross entropy () of the logits against the class indices targets (B,)."""
        logits = self.forward(x)  # (B, K)
        self.config.check_targets(targets, batch_size=len(x))
        loss = F.cross_entropy(logits, targets)  # (), eq. 17
        return loss
