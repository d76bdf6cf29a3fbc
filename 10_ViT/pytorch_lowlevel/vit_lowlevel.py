"""Vision Transformer, level 2: tensors and autograd, parameters in a dict, no nn.Module.

Dosovitskiy et al. 2020. `eq. n` is equation (n) of ../theory.md; the gradients are autograd's. Names are timm's.
Shapes: B images of C channels, H x W pixels; N patches of P x P pixels, T = N + 1 tokens with the class token; D channels of a token, in
h heads of d; M = mlp_ratio D; K classes.
"""

import math

import torch

from ..study import ViTConfig

EPS = 1e-6  # of LayerNorm

# ---------------------------------------------------------------------------------------------- Initialisation


def init_parameter(name, shape, config, generator):
    """The head, the class token and all biases 0, γ 1; positions N(0, 0.02²), patches by their fan-in, matrices as Glorot has it."""
    D = config.embed_dim
    if name == "pos_embed":
        parameter = 0.02 * torch.randn(shape, generator=generator)
    elif name == "patch_embed.proj.weight":
        parameter = torch.randn(shape, generator=generator) / math.sqrt(math.prod(shape[1:]))  # eq. 29
    elif name.endswith(("attn.qkv.weight", "attn.proj.weight")):
        parameter = math.sqrt(6 / (D + D)) * (2 * torch.rand(shape, generator=generator) - 1)  # eq. 28, q, k and v each
    elif name.endswith(("mlp.fc1.weight", "mlp.fc2.weight")):
        parameter = math.sqrt(6 / sum(shape)) * (2 * torch.rand(shape, generator=generator) - 1)  # eq. 28
    elif name.endswith("weight") and len(shape) == 1:
        parameter = torch.ones(shape)
    else:
        parameter = torch.zeros(shape)
    return parameter


# ------------------------------------------------------------------------------------------------------ Layers


class Layer:
    """A layer or a group of layers: it finds its parameters in the model's dict, under its own name."""

    def __init__(self, config: ViTConfig, params, name):
        self.config, self.params, self.name = config, params, name

    def linear(self, x, layer):  # (…, fan in)
        weight, bias = (self.params[f"{self.name}.{layer}.{kind}"] for kind in ("weight", "bias"))
        return x @ weight.T + bias  # (…, fan out)


class PatchEmbed(Layer):
    """Each patch of P x P pixels becomes a token: its C P P numbers, times one matrix."""

    def forward(self, x):  # (B, C, H, W)
        C, P, n = self.config.in_channels, self.config.patch_size, self.config.grid_size
        weight, bias = (self.params[f"{self.name}.proj.{kind}"] for kind in ("weight", "bias"))
        patches = x.reshape(len(x), C, n, P, n, P).permute(0, 2, 4, 1, 3, 5)  # (B, H / P, W / P, C, P, P), eq. 1
        patches = patches.reshape(len(x), n * n, C * P * P)  # (B, N, C P P): row by row
        tokens = patches @ weight.reshape(len(weight), -1).T + bias  # (B, N, D), eq. 2
        return tokens


class LayerNorm(Layer):
    def forward(self, x):  # (B, T, D)
        mean = x.mean(dim=-1, keepdim=True)  # (B, T, 1)
        var = ((x - mean) ** 2).mean(dim=-1, keepdim=True)  # (B, T, 1): the biased one
        x_hat = (x - mean) / torch.sqrt(var + EPS)  # (B, T, D)
        return x_hat * self.params[f"{self.name}.weight"] + self.params[f"{self.name}.bias"]  # eq. 6


class Attention(Layer):
    """Every token looks at all tokens, in h heads."""

    def forward(self, x, dropout_p=0.0):  # (B, T, D)
        q, k, v = self.split_heads(self.linear(x, "qkv"))  # (B, h, T, d) each, eq. 7
        scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[-1])  # (B, h, T, T), eq. 8
        weights = torch.softmax(scores, dim=-1)  # (B, h, T, T), eq. 9
        y = weights @ v  # (B, h, T, d), eq. 10
        y = y.transpose(1, 2).flatten(2)  # (B, T, D)
        y = self.linear(y, "proj")  # (B, T, D), eq. 11
        return dropout(y, dropout_p)

    def split_heads(self, qkv):  # (B, T, 3 D): q's heads first, then k's, then v's
        return qkv.unflatten(2, (3, self.config.num_heads, -1)).permute(2, 0, 3, 1, 4)  # (3, B, h, T, d)


class MLP(Layer):
    def forward(self, x, dropout_p=0.0):  # (B, T, D)
        a = self.linear(x, "fc1")  # (B, T, M), eq. 12
        y = gelu(a)  # eq. 13
        y = dropout(y, dropout_p)
        y = self.linear(y, "fc2")  # (B, T, D), eq. 14
        return dropout(y, dropout_p)


def gelu(a):
    """a times the probability that a standard normal number is below a (Hendrycks & Gimpel 2016): the exact form, by erf."""
    return 0.5 * a * (1 + torch.erf(a / math.sqrt(2)))  # eq. 13


def dropout(x, p):
    """Each element 0 with probability p, else 1 / (1 - p) as large, so that the mean stays."""
    return x * (torch.rand_like(x) >= p).to(x.dtype) / (1 - p) if p else x  # eq. 18


class Block(Layer):
    def __init__(self, config: ViTConfig, params, name):
        super().__init__(config, params, name)
        self.norm1 = LayerNorm(config, params, f"{name}.norm1")  # eq. 6
        self.attn = Attention(config, params, f"{name}.attn")
        self.norm2 = LayerNorm(config, params, f"{name}.norm2")
        self.mlp = MLP(config, params, f"{name}.mlp")

    def forward(self, x, dropout_p=0.0):  # (B, T, D)
        x = x + self.attn.forward(self.norm1.forward(x), dropout_p)  # (B, T, D), eq. 4
        x = x + self.mlp.forward(self.norm2.forward(x), dropout_p)  # eq. 5
        return x


# ------------------------------------------------------------------------------------------------------- Model


class VisionTransformer:
    """image -> patches as tokens, a class token, positions -> depth blocks -> norm -> the class token's logits.

    `params` is a dict of leaf tensors; config.shapes has their names and shapes; their gradients are `.grad`.
    """

    def __init__(self, config: ViTConfig, generator: torch.Generator | None = None):
        self.config, self.training = config, True
        self.params = {name: init_parameter(name, shape, config, generator) for name, shape in config.shapes.items()}
        for param in self.params.values():
            param.requires_grad_()
        self.patch_embed = PatchEmbed(config, self.params, "patch_embed")
        self.blocks = [Block(config, self.params, f"blocks.{i}") for i in range(config.depth)]
        self.norm = LayerNorm(config, self.params, "norm")

    def forward(self, x):  # (B, C, H, W)
        """The logits (B, K) of the images x (B, C, H, W), of the config's size."""
        self.config.check_input(x)
        p, dropout_p = self.params, self.config.dropout if self.training else 0.0
        tokens = self.patch_embed.forward(x)  # (B, N, D)
        cls_token = p["cls_token"].expand(len(x), -1, -1)  # (B, 1, D)
        h = torch.cat([cls_token, tokens], dim=1) + p["pos_embed"]  # (B, T, D), eq. 3
        h = dropout(h, dropout_p)
        for block in self.blocks:
            h = block.forward(h, dropout_p)  # (B, T, D)
        h = self.norm.forward(h)  # (B, T, D), eq. 15
        logits = h[:, 0] @ p["head.weight"].T + p["head.bias"]  # (B, K), eq. 16
        return logits

    def loss(self, x, targets):  # (B, C, H, W), (B,)
        """The mean cross entropy () of the logits against the class indices targets (B,)."""
        logits = self.forward(x)  # (B, K)
        self.config.check_targets(targets, batch_size=len(x))
        log_probs = logits - torch.logsumexp(logits, dim=-1, keepdim=True)  # (B, K)
        loss = -log_probs[torch.arange(len(x)), targets].mean()  # (), eq. 17
        return loss

    def train_step(self, x, targets, lr):
        """One step of gradient descent; returns the loss before it."""
        for param in self.params.values():
            param.grad = None
        loss = self.loss(x, targets)
        loss.backward()
        with torch.no_grad():
            for param in self.params.values():
                param -= lr * param.grad  # eq. 30
        return loss.item()

    def train(self, mode=True):
        """With dropout, or without."""
        self.training = mode

    def parameters(self):
        return list(self.params.values())

    def state_dict(self):
        """The parameters by name; as in PyTorch they share the model's memory."""
        return {name: param.detach() for name, param in self.params.items()}

    def load_state_dict(self, state):
        """Copy in every parameter, dtype included; refuse a missing, an unknown and a wrongly shaped one."""
        for name in {**self.params, **state}:
            expected, got = (tuple(d[name].shape) if name in d else None for d in (self.params, state))
            if expected != got:
                raise RuntimeError(f"VisionTransformer.load_state_dict: {name}: expected shape {expected}, got {got}")
        self.params.update(
            {name: torch.as_tensor(state[name]).detach().clone().requires_grad_() for name in self.params}
        )
