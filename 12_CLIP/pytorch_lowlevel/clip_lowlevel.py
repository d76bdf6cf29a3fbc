"""CLIP, level 2: tensors and autograd, parameters in a dict, no nn.Module.

Radford et al. 2021. `eq. n` is equation (n) of ../theory.md; the gradients are autograd's. Shapes: B images, B texts of T tokens,
E numbers in the space of both; in a tower C channels in N heads of D; images H x W, of P x P patches or H' x W' features.
"""

import math

import torch
import torch.nn.functional as F

from ..study import CLIPConfig

MAX_LOGIT_SCALE = math.log(100)
EPSILON, MOMENTUM = 1e-5, 0.1  # of LayerNorm and BatchNorm; of BatchNorm's running statistics

# ---------------------------------------------------------------------------------------------- Initialisation


def init_parameter(name, shape, config, generator):
    """Matrices, kernels and embeddings normal, γ 1 but 0 in a bottleneck's last BatchNorm, biases and β 0, the temperature 0.07."""
    if name == "logit_scale":
        return torch.full(shape, math.log(1 / 0.07))  # eq. 4
    if len(shape) > 1 or name == "visual.class_embedding":
        return config.initial_std(name, shape) * torch.randn(shape, generator=generator)  # eq. 33
    if name.endswith("weight"):
        return torch.full(shape, 0.0 if "layer" in name and name.endswith("bn3.weight") else 1.0)
    return torch.zeros(shape)


# ------------------------------------------------------------------------------------------------------ Layers


class Layer:
    """A layer or a group of layers: it finds its parameters in the model's dict, under its own name."""

    def __init__(self, model, name):
        self.model, self.name = model, name

    def param(self, name):
        return self.model.params[f"{self.name}.{name}"]

    def linear(self, x, layer):  # (…, fan in)
        return x @ self.param(f"{layer}.weight").T + self.param(f"{layer}.bias")  # (…, fan out)


class LayerNorm(Layer):
    def forward(self, x):  # (…, C)
        mean = x.mean(dim=-1, keepdim=True)  # (…, 1)
        var = ((x - mean) ** 2).mean(dim=-1, keepdim=True)  # (…, 1): the biased one
        standard = (x - mean) / torch.sqrt(var + EPSILON)  # (…, C)
        return standard * self.param("weight") + self.param("bias")


class BatchNorm2d(Layer):
    """Each channel with mean 0 and variance 1 over the batch, or, in evaluation, over what the training has seen: see 05_ResNet."""

    def forward(self, x):  # (B, C, H, W)
        buffers, name = self.model.buffers, self.name
        mean, var = buffers[f"{name}.running_mean"], buffers[f"{name}.running_var"]  # (C,), (C,)
        if self.model.training:
            count = x.numel() // x.shape[1]  # numbers in a channel: B H W
            if count == 1:
                raise ValueError(f"{name}: one number in a channel has no variance: x is {tuple(x.shape)}, in training")
            mean, var = x.mean(dim=(0, 2, 3)), x.var(dim=(0, 2, 3), correction=0)  # (C,), (C,)
            with torch.no_grad():
                unbiased = var * (count / (count - 1))
                buffers[f"{name}.running_mean"] += MOMENTUM * (mean - buffers[f"{name}.running_mean"])
                buffers[f"{name}.running_var"] += MOMENTUM * (unbiased - buffers[f"{name}.running_var"])
                buffers[f"{name}.num_batches_tracked"] += 1
        scale = 1 / torch.sqrt(var + EPSILON)  # (C,)
        standard = (x - per_channel(mean)) * per_channel(scale)  # (B, C, H, W)
        return per_channel(self.param("weight")) * standard + per_channel(self.param("bias"))


def per_channel(v):  # (C,)
    return v[:, None, None]  # (C, 1, 1)


# ------------------------------------------------------------------------------------------ Transformer blocks


class Attention(Layer):
    """Every token looks at all, or, if causal, at itself and at those before it; in N heads."""

    def __init__(self, model, name, heads, causal):
        super().__init__(model, name)
        self.heads, self.causal = heads, causal

    def forward(self, x):  # (B, T, C)
        q = split_heads(self.linear(x, "q_proj"), self.heads)  # (B, N, T, D), eq. 14
        k = split_heads(self.linear(x, "k_proj"), self.heads)
        v = split_heads(self.linear(x, "v_proj"), self.heads)
        y = attend(q, k, v, self.causal)  # (B, N, T, D), eq. 15 to 17
        y = y.transpose(1, 2).flatten(2)  # (B, T, C)
        return self.linear(y, "out_proj")


def split_heads(x, heads):  # (B, T, C)
    return x.unflatten(2, (heads, -1)).transpose(1, 2)  # (B, N, T, D)


def attend(q, k, v, causal=False):  # (B, N, T, D), (B, N, S, D), (B, N, S, D)
    scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[-1])  # (B, N, T, S), eq. 15
    if causal:
        later = torch.ones(scores.shape[2:], dtype=torch.bool, device=q.device).triu(1)  # (T, S)
        scores = scores.masked_fill(later, -math.inf)  # eq. 16
    return torch.softmax(scores, dim=-1) @ v  # (B, N, T, D), eq. 17


class MLP(Layer):
    def forward(self, x):  # (B, T, C)
        a = self.linear(x, "fc")  # (B, T, 4C)
        y = quick_gelu(a)
        return self.linear(y, "proj")  # (B, T, C), eq. 19


def quick_gelu(a):
    """GELU approximated by the logistic function (Hendrycks & Gimpel 2016), as in all weights that OpenAI published."""
    return a * torch.sigmoid(1.702 * a)  # eq. 18


class Block(Layer):
    def __init__(self, model, name, heads, causal):
        super().__init__(model, name)
        self.ln_1 = LayerNorm(model, f"{name}.ln_1")
        self.attn = Attention(model, f"{name}.attn", heads, causal)
        self.ln_2 = LayerNorm(model, f"{name}.ln_2")
        self.mlp = MLP(model, f"{name}.mlp")

    def forward(self, x):  # (B, T, C)
        x = x + self.attn.forward(self.ln_1.forward(x))  # (B, T, C), eq. 13
        x = x + self.mlp.forward(self.ln_2.forward(x))
        return x


# ------------------------------------------------------------------------------------------------ Image towers


class VisionTransformer(Layer):
    """Patches and a class token -> ln_pre -> blocks -> ln_post of the class token -> proj."""

    def __init__(self, model, name="visual"):
        super().__init__(model, name)
        config = model.config
        self.patch_size = config.patch_size
        self.ln_pre = LayerNorm(model, f"{name}.ln_pre")
        self.h = [Block(model, f"{name}.h.{i}", config.image_heads, causal=False) for i in range(config.image_layers)]
        self.ln_post = LayerNorm(model, f"{name}.ln_post")

    def forward(self, x):  # (B, in_channels, H, W)
        columns = F.unfold(x, self.patch_size, stride=self.patch_size).transpose(1, 2)  # (B, H/P W/P, in_channels P P)
        z = columns @ self.param("conv1.weight").flatten(1).T  # (B, H/P W/P, C), eq. 20
        first = self.param("class_embedding").expand(len(x), 1, -1)  # (B, 1, C)
        z = torch.cat((first, z), dim=1) + self.param("positional_embedding")  # (B, 1 + H/P W/P, C), eq. 21
        h = self.ln_pre.forward(z)
        for block in self.h:
            h = block.forward(h)  # (B, 1 + H/P W/P, C)
        pooled = self.ln_post.forward(h[:, 0])  # (B, C), eq. 22
        return pooled @ self.param("proj.weight").T  # (B, E)


class Bottleneck(Layer):
    """1 x 1 down to M channels, 3 x 3, 1 x 1 up to 4 M, and a shortcut; where it halves, it averages before it picks."""

    def __init__(self, model, name, in_channels, channels, stride):
        super().__init__(model, name)
        self.stride = stride
        self.bn1, self.bn2, self.bn3 = (BatchNorm2d(model, f"{name}.bn{k}") for k in (1, 2, 3))
        self.downsample = None
        if stride > 1 or in_channels != 4 * channels:
            self.downsample = BatchNorm2d(model, f"{name}.downsample.1")

    def forward(self, x):  # (B, C, H, W)
        h1 = torch.relu(self.bn1.forward(F.conv2d(x, self.param("conv1.weight"))))  # (B, M, H, W)
        h2 = torch.relu(self.bn2.forward(F.conv2d(h1, self.param("conv2.weight"), padding=1)))  # (B, M, H, W)
        h2 = blur(h2, self.stride)  # (B, M, H', W'), eq. 24
        f = self.bn3.forward(F.conv2d(h2, self.param("conv3.weight")))  # (B, 4M, H', W')
        s = x if self.downsample is None else self.shortcut(blur(x, self.stride))  # (B, 4M, H', W'), eq. 25
        h = torch.relu(f + s)
        return h

    def shortcut(self, x):  # (B, C, H', W')
        return self.downsample.forward(F.conv2d(x, self.param("downsample.0.weight")))  # (B, 4M, H', W')


def blur(x, stride):
    """Anti-aliasing (Zhang 2019): a stride of s is the mean of every s x s."""
    return F.avg_pool2d(x, stride) if stride > 1 else x


class AttentionPool(Layer):
    """The mean of all positions asks, in N heads, and gets one vector for the image."""

    def __init__(self, model, name):
        super().__init__(model, name)
        self.heads = model.config.image_heads

    def forward(self, x):  # (B, C, H', W')
        z = x.flatten(2).transpose(1, 2)  # (B, H' W', C)
        mean = z.mean(dim=1, keepdim=True)  # (B, 1, C)
        z = torch.cat((mean, z), dim=1) + self.param("positional_embedding")  # (B, 1 + H' W', C), eq. 26
        q = split_heads(self.linear(z[:, :1], "q_proj"), self.heads)  # (B, N, 1, D)
        k = split_heads(self.linear(z, "k_proj"), self.heads)  # (B, N, 1 + H' W', D)
        v = split_heads(self.linear(z, "v_proj"), self.heads)
        y = attend(q, k, v)  # (B, N, 1, D), eq. 27
        pooled = y.transpose(1, 2).flatten(1)  # (B, C)
        return self.linear(pooled, "c_proj")  # (B, E)


class ModifiedResNet(Layer):
    """A stem of three convolutions -> stages of bottlenecks -> attention pooling."""

    def __init__(self, model, name="visual"):
        super().__init__(model, name)
        self.bn1, self.bn2, self.bn3 = (BatchNorm2d(model, f"{name}.bn{k}") for k in (1, 2, 3))
        self.stages = [
            [Bottleneck(model, f"{name}.layer{i}.{j}", *numbers) for j, numbers in enumerate(model.config.stage(i))]
            for i in range(1, len(model.config.image_layers) + 1)
        ]
        self.attnpool = AttentionPool(model, f"{name}.attnpool")

    def forward(self, x):  # (B, in_channels, H, W)
        h = F.conv2d(x, self.param("conv1.weight"), stride=2, padding=1)
        h = torch.relu(self.bn1.forward(h))  # (B, C/2, H/2, W/2), eq. 23
        h = torch.relu(self.bn2.forward(F.conv2d(h, self.param("conv2.weight"), padding=1)))
        h = torch.relu(self.bn3.forward(F.conv2d(h, self.param("conv3.weight"), padding=1)))  # (B, C, H/2, W/2)
        h = blur(h, 2)  # (B, C, H/4, W/4)
        for stage in self.stages:
            for block in stage:
                h = block.forward(h)  # (B, 4M, H', W')
        return self.attnpool.forward(h)  # (B, E)


# -------------------------------------------------------------------------------------------------- Text tower


class TextTransformer(Layer):
    """Tokens -> causal blocks -> ln_final of the token that ends the text -> proj."""

    def __init__(self, model, name="text"):
        super().__init__(model, name)
        config = model.config
        self.h = [Block(model, f"{name}.h.{i}", config.text_heads, causal=True) for i in range(config.text_layers)]
        self.ln_final = LayerNorm(model, f"{name}.ln_final")

    def forward(self, text):  # (B, T)
        positions = self.param("positional_embedding")[: text.shape[1]]  # (T, C)
        h = self.param("token_embedding.weight")[text] + positions  # (B, T, C), eq. 28
        for block in self.h:
            h = block.forward(h)  # (B, T, C)
        end = text.argmax(dim=1)  # (B,): the end has the highest number; of several, the first
        pooled = self.ln_final.forward(h[torch.arange(len(text), device=text.device), end])  # (B, C), eq. 29
        return pooled @ self.param("proj.weight").T  # (B, E)


# ------------------------------------------------------------------------------------------------------- Model


class CLIP:
    """Images and texts -> unit vectors -> the cosine of each image with each text, over the temperature.

    `params` is a dict of leaf tensors; config.shapes has their names and shapes; their gradients are `.grad`. `buffers` has the
    running statistics of BatchNorm, if there is any.
    """

    def __init__(self, config: CLIPConfig, generator: torch.Generator | None = None):
        self.config, self.training = config, True
        self.params = {name: init_parameter(name, shape, config, generator) for name, shape in config.shapes.items()}
        for param in self.params.values():
            param.requires_grad_()
        self.buffers = {}
        for name, param in self.params.items():
            layer = name.removesuffix(".weight")
            if name != layer and (".bn" in layer or layer.endswith("downsample.1")):
                self.buffers[f"{layer}.running_mean"] = torch.zeros(param.shape)
                self.buffers[f"{layer}.running_var"] = torch.ones(param.shape)
                self.buffers[f"{layer}.num_batches_tracked"] = torch.tensor(0)
        self.visual = ModifiedResNet(self) if config.is_resnet else VisionTransformer(self)
        self.text = TextTransformer(self)

    def encode_image(self, x):  # (B, in_channels, H, W)
        """The images as vectors (B, E) of length 1."""
        self.config.check_images(x)
        u = self.visual.forward(x)  # (B, E)
        return u / torch.sqrt((u**2).sum(dim=1, keepdim=True))  # eq. 1

    def encode_text(self, text):  # (B, T)
        """The texts as vectors (B, E) of length 1."""
        self.config.check_text(text)
        v = self.text.forward(text)  # (B, E)
        return v / torch.sqrt((v**2).sum(dim=1, keepdim=True))  # eq. 1

    def forward(self, x, text):  # (B, in_channels, H, W), (B', T)
        """The logits (B, B') of each image with each text."""
        logit_scale = self.params["logit_scale"]
        with torch.no_grad():
            logit_scale.clamp_(max=MAX_LOGIT_SCALE)  # what the last step did beyond it is taken back, eq. 5
        image, caption = self.encode_image(x), self.encode_text(text)  # (B, E), (B', E)
        logits = torch.exp(logit_scale) * image @ caption.T  # (B, B'), eq. 3
        return logits

    def loss(self, x, text):  # (B, in_channels, H, W), (B, T)
        """The mean cross entropy () of each image's text among the batch's texts, and of each text's image among the images."""
        logits = self.forward(x, text)  # (B, B)
        self.config.check_pairs(x, text)
        matching = logits.diagonal()  # (B,)
        of_texts = (torch.logsumexp(logits, dim=1) - matching).mean()  # ()
        of_images = (torch.logsumexp(logits, dim=0) - matching).mean()  # ()
        loss = (of_texts + of_images) / 2  # (), eq. 6
        return loss

    def train_step(self, x, text, lr):
        """One step of gradient descent; returns the loss before it."""
        for param in self.params.values():
            param.grad = None
        loss = self.loss(x, text)
        loss.backward()
        with torch.no_grad():
            for param in self.params.values():
                param -= lr * param.grad  # eq. 34
        return loss.item()

    def train(self, mode=True):
        """BatchNorm with the batch's statistics, or with the running ones."""
        self.training = mode

    def parameters(self):
        return list(self.params.values())

    def state_dict(self):
        """The parameters and the running statistics by name; as in PyTorch they share the model's memory."""
        return {**{name: param.detach() for name, param in self.params.items()}, **self.buffers}

    def load_state_dict(self, state):
        """Copy in every parameter and buffer, dtype included; refuse a missing, an unknown and a wrongly shaped one."""
        own = self.state_dict()
        for name in {**own, **state}:
            expected, got = (tuple(d[name].shape) if name in d else None for d in (own, state))
            if expected != got:
                raise RuntimeError(f"CLIP.load_state_dict: {name}: expected shape {expected}, got {got}")
        for own, tracked in ((self.params, True), (self.buffers, False)):
            for name in own:
                own[name] = torch.as_tensor(state[name]).detach().clone().requires_grad_(tracked)
