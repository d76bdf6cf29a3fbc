"""CLIP, level 3: nn.Module, as PyTorch code is written.

Radford et al. 2021. `eq. n` is equation (n) of ../theory.md; the gradients are autograd's. Shapes: B images, B texts of T tokens,
E numbers in the space of both; in a tower C channels in N heads of D; images H x W, of P x P patches or H' x W' features.
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..study import CLIPConfig

MAX_LOGIT_SCALE = math.log(100)

# ---------------------------------------------------------------------------------------------- Initialisation


def init_parameter(name, parameter, config):
    """Matrices, kernels and embeddings normal, γ 1 but 0 in a bottleneck's last BatchNorm, biases and β 0, the temperature 0.07."""
    if name == "logit_scale":
        nn.init.constant_(parameter, math.log(1 / 0.07))  # eq. 4
    elif parameter.ndim > 1 or name == "visual.class_embedding":
        nn.init.normal_(parameter, std=config.initial_std(name, parameter.shape))  # eq. 33
    elif name.endswith("weight"):
        nn.init.constant_(parameter, 0.0 if "layer" in name and name.endswith("bn3.weight") else 1.0)
    else:
        nn.init.zeros_(parameter)


# ------------------------------------------------------------------------------------------ Transformer blocks


class Attention(nn.Module):
    """Every token looks at all, or, if causal, at itself and at those before it; in N heads."""

    def __init__(self, width, heads, causal):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(width, width) for _ in range(3))
        self.out_proj = nn.Linear(width, width)

    def forward(self, x):  # (B, T, C)
        q = split_heads(self.q_proj(x), self.heads)  # (B, N, T, D), eq. 14
        k = split_heads(self.k_proj(x), self.heads)
        v = split_heads(self.v_proj(x), self.heads)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)  # (B, N, T, D), eq. 15 to 17
        y = y.transpose(1, 2).flatten(2)  # (B, T, C)
        return self.out_proj(y)


def split_heads(x, heads):  # (B, T, C)
    return x.unflatten(2, (heads, -1)).transpose(1, 2)  # (B, N, T, D)


class MLP(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc = nn.Linear(width, 4 * width)
        self.proj = nn.Linear(4 * width, width)

    def forward(self, x):  # (B, T, C)
        a = self.fc(x)  # (B, T, 4C)
        y = quick_gelu(a)
        return self.proj(y)  # (B, T, C), eq. 19


def quick_gelu(a):
    """GELU approximated by the logistic function (Hendrycks & Gimpel 2016), as in all weights that OpenAI published."""
    return a * torch.sigmoid(1.702 * a)  # eq. 18


class Block(nn.Module):
    def __init__(self, width, heads, causal):
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = Attention(width, heads, causal)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = MLP(width)

    def forward(self, x):  # (B, T, C)
        x = x + self.attn(self.ln_1(x))  # (B, T, C), eq. 13
        x = x + self.mlp(self.ln_2(x))
        return x


# ------------------------------------------------------------------------------------------------ Image towers


class VisionTransformer(nn.Module):
    """Patches and a class token -> ln_pre -> blocks -> ln_post of the class token -> proj."""

    def __init__(self, config: CLIPConfig):
        super().__init__()
        C, P = config.image_width, config.patch_size
        self.class_embedding = nn.Parameter(torch.zeros(C))
        self.positional_embedding = nn.Parameter(torch.zeros(config.grid**2 + 1, C))
        self.conv1 = nn.Conv2d(config.in_channels, C, kernel_size=P, stride=P, bias=False)
        self.ln_pre = nn.LayerNorm(C)
        self.h = nn.ModuleList([Block(C, config.image_heads, causal=False) for _ in range(config.image_layers)])
        self.ln_post = nn.LayerNorm(C)
        self.proj = nn.Linear(C, config.embed_dim, bias=False)

    def forward(self, x):  # (B, in_channels, H, W)
        z = self.conv1(x).flatten(2).transpose(1, 2)  # (B, H/P W/P, C), eq. 20
        first = self.class_embedding.expand(len(x), 1, -1)  # (B, 1, C)
        z = torch.cat((first, z), dim=1) + self.positional_embedding  # (B, 1 + H/P W/P, C), eq. 21
        h = self.ln_pre(z)
        for block in self.h:
            h = block(h)  # (B, 1 + H/P W/P, C)
        pooled = self.ln_post(h[:, 0])  # (B, C), eq. 22
        return self.proj(pooled)  # (B, E)


class Bottleneck(nn.Module):
    """1 x 1 down to M channels, 3 x 3, 1 x 1 up to 4 M, and a shortcut; where it halves, it averages before it picks."""

    def __init__(self, in_channels, channels, stride):
        super().__init__()
        self.stride, out_channels = stride, 4 * channels
        self.conv1 = nn.Conv2d(in_channels, channels, kernel_size=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, out_channels, kernel_size=1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample = None
        if stride > 1 or in_channels != out_channels:
            conv = nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=False)
            self.downsample = nn.Sequential(conv, nn.BatchNorm2d(out_channels))

    def forward(self, x):  # (B, C, H, W)
        h1 = F.relu(self.bn1(self.conv1(x)))  # (B, M, H, W)
        h2 = F.relu(self.bn2(self.conv2(h1)))  # (B, M, H, W)
        h2 = blur(h2, self.stride)  # (B, M, H', W'), eq. 24
        f = self.bn3(self.conv3(h2))  # (B, 4M, H', W')
        s = x if self.downsample is None else self.downsample(blur(x, self.stride))  # (B, 4M, H', W'), eq. 25
        h = F.relu(f + s)
        return h


def blur(x, stride):
    """Anti-aliasing (Zhang 2019): a stride of s is the mean of every s x s."""
    return F.avg_pool2d(x, stride) if stride > 1 else x


class AttentionPool(nn.Module):
    """The mean of all positions asks, in N heads, and gets one vector for the image."""

    def __init__(self, config: CLIPConfig):
        super().__init__()
        self.heads, C = config.image_heads, config.pooled_width
        self.positional_embedding = nn.Parameter(torch.zeros(config.grid**2 + 1, C))
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(C, C) for _ in range(3))
        self.c_proj = nn.Linear(C, config.embed_dim)

    def forward(self, x):  # (B, C, H', W')
        z = x.flatten(2).transpose(1, 2)  # (B, H' W', C)
        z = torch.cat((z.mean(dim=1, keepdim=True), z), dim=1) + self.positional_embedding  # (B, 1 + H' W', C), eq. 26
        q = split_heads(self.q_proj(z[:, :1]), self.heads)  # (B, N, 1, D)
        k = split_heads(self.k_proj(z), self.heads)  # (B, N, 1 + H' W', D)
        v = split_heads(self.v_proj(z), self.heads)
        y = F.scaled_dot_product_attention(q, k, v)  # (B, N, 1, D), eq. 27
        pooled = y.transpose(1, 2).flatten(1)  # (B, C)
        return self.c_proj(pooled)  # (B, E)


class ModifiedResNet(nn.Module):
    """A stem of three convolutions -> stages of bottlenecks -> attention pooling."""

    def __init__(self, config: CLIPConfig):
        super().__init__()
        C = config.image_width
        self.conv1 = nn.Conv2d(config.in_channels, C // 2, kernel_size=3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(C // 2)
        self.conv2 = nn.Conv2d(C // 2, C // 2, kernel_size=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(C // 2)
        self.conv3 = nn.Conv2d(C // 2, C, kernel_size=3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(C)
        self.stages = len(config.image_layers)
        for i in range(1, self.stages + 1):
            self.add_module(f"layer{i}", nn.Sequential(*(Bottleneck(*numbers) for numbers in config.stage(i))))
        self.attnpool = AttentionPool(config)

    def forward(self, x):  # (B, in_channels, H, W)
        h = F.relu(self.bn1(self.conv1(x)))  # (B, C/2, H/2, W/2), eq. 23
        h = F.relu(self.bn2(self.conv2(h)))
        h = F.relu(self.bn3(self.conv3(h)))  # (B, C, H/2, W/2)
        h = blur(h, 2)  # (B, C, H/4, W/4)
        for i in range(1, self.stages + 1):
            h = getattr(self, f"layer{i}")(h)  # (B, 4M, H', W')
        return self.attnpool(h)  # (B, E)


# -------------------------------------------------------------------------------------------------- Text tower


class TextTransformer(nn.Module):
    """Tokens -> causal blocks -> ln_final of the token that ends the text -> proj."""

    def __init__(self, config: CLIPConfig):
        super().__init__()
        C = config.text_width
        self.positional_embedding = nn.Parameter(torch.zeros(config.context_length, C))
        self.token_embedding = nn.Embedding(config.vocab_size, C)
        self.h = nn.ModuleList([Block(C, config.text_heads, causal=True) for _ in range(config.text_layers)])
        self.ln_final = nn.LayerNorm(C)
        self.proj = nn.Linear(C, config.embed_dim, bias=False)

    def forward(self, text):  # (B, T)
        h = self.token_embedding(text) + self.positional_embedding[: text.shape[1]]  # (B, T, C), eq. 28
        for block in self.h:
            h = block(h)  # (B, T, C)
        end = text.argmax(dim=1)  # (B,): the end has the highest number; of several, the first
        pooled = self.ln_final(h[torch.arange(len(text), device=text.device), end])  # (B, C), eq. 29
        return self.proj(pooled)  # (B, E)


# ------------------------------------------------------------------------------------------------------- Model


class CLIP(nn.Module):
    """Images and texts -> unit vectors -> the cosine of each image with each text, over the temperature.

    config.shapes has the parameters' names and shapes.
    """

    def __init__(self, config: CLIPConfig):
        super().__init__()
        self.config = config
        self.logit_scale = nn.Parameter(torch.zeros(()))
        self.visual = ModifiedResNet(config) if config.is_resnet else VisionTransformer(config)
        self.text = TextTransformer(config)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                init_parameter(name, parameter, config)

    def encode_image(self, x):  # (B, in_channels, H, W)
        """The images as vectors (B, E) of length 1."""
        self.config.check_images(x)
        u = self.visual(x)  # (B, E)
        return u / u.norm(dim=1, keepdim=True)  # eq. 1

    def encode_text(self, text):  # (B, T)
        """The texts as vectors (B, E) of length 1."""
        self.config.check_text(text)
        v = self.text(text)  # (B, E)
        return v / v.norm(dim=1, keepdim=True)  # eq. 1

    def forward(self, x, text):  # (B, in_channels, H, W), (B', T)
        """The logits (B, B') of each image with each text."""
        with torch.no_grad():
            self.logit_scale.clamp_(max=MAX_LOGIT_SCALE)  # what the last step did beyond it is taken back, eq. 5
        image, caption = self.encode_image(x), self.encode_text(text)  # (B, E), (B', E)
        logits = self.logit_scale.exp() * image @ caption.T  # (B, B'), eq. 3
        return logits

    def loss(self, x, text):  # (B, in_channels, H, W), (B, T)
        """The mean cross entropy () of each image's text among the batch's texts, and of each text's image among the images."""
        logits = self.forward(x, text)  # (B, B)
        self.config.check_pairs(x, text)
        targets = torch.arange(len(x), device=x.device)  # (B,)
        loss = (F.cross_entropy(logits, targets) + F.cross_entropy(logits.T, targets)) / 2  # (), eq. 6
        return loss
