"""The workloads, written once for PyTorch: run with PyTorch as they stand, and with the engine through `framework.drop_in`.

Each class is a model with its `batch(rng)` → NumPy arrays; `train_step(model, optimizer, batch)` is the whole step that is timed.
"""

import numpy
import torch
import torch.nn as nn
import torch.nn.functional as F

from .sizes import HEADS


class Softmax(nn.Module):
    """Softmax regression 784-10, batch 128."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(784, 10)

    @staticmethod
    def batch(rng):
        return rng.standard_normal((128, 784), dtype="float32"), rng.integers(0, 10, 128)

    def loss(self, x, y):
        return F.cross_entropy(self.linear(x), y)


class MLP(nn.Module):
    """784-256-10, batch 128."""

    def __init__(self, width=256):
        super().__init__()
        self.fc1 = nn.Linear(784, width)
        self.fc2 = nn.Linear(width, 10)

    @staticmethod
    def batch(rng):
        return rng.standard_normal((128, 784), dtype="float32"), rng.integers(0, 10, 128)

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(x)))

    def loss(self, x, y):
        return F.cross_entropy(self(x), y)


class DeepMLP(nn.Module):
    """Twenty layers of 256 units, batch 256: for memory."""

    def __init__(self, depth=20):
        super().__init__()
        self.layers = nn.Sequential(*(layer for _ in range(depth) for layer in (nn.Linear(256, 256), nn.ReLU())))
        self.head = nn.Linear(256, 10)

    @staticmethod
    def batch(rng):
        return rng.standard_normal((256, 256), dtype="float32"), rng.integers(0, 10, 256)

    def loss(self, x, y):
        return F.cross_entropy(self.head(self.layers(x)), y)


class LeNet(nn.Module):
    """The modern LeNet-5 (dense C3, plain average pooling, 61,706 parameters) on 28×28 images, batch 128."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    @staticmethod
    def batch(rng):
        return rng.standard_normal((128, 1, 28, 28), dtype="float32"), rng.integers(0, 10, 128)

    def forward(self, x):
        x = F.avg_pool2d(F.relu(self.conv1(x)), 2)  # (B, 6, 14, 14)
        x = F.avg_pool2d(F.relu(self.conv2(x)), 2)  # (B, 16, 5, 5)
        x = F.relu(self.fc2(F.relu(self.fc1(x.flatten(1)))))
        return self.fc3(x)

    def loss(self, x, y):
        return F.cross_entropy(self(x), y)


class CifarCNN(nn.Module):
    """Three 3×3 convolutions 32-64-64 on 32×32 colour images, batch 128."""

    def __init__(self, batch_size=128):
        super().__init__()
        self.batch_size = batch_size
        self.conv1 = nn.Conv2d(3, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
        self.conv3 = nn.Conv2d(64, 64, 3, padding=1)
        self.fc = nn.Linear(64 * 4 * 4, 10)

    def batch(self, rng):
        return rng.standard_normal((self.batch_size, 3, 32, 32), dtype="float32"), rng.integers(0, 10, self.batch_size)

    def loss(self, x, y):
        for conv in (self.conv1, self.conv2, self.conv3):
            x = F.max_pool2d(F.relu(conv(x)), 2)
        return F.cross_entropy(self.fc(x.flatten(1)), y)


class LSTM(nn.Module):
    """One LSTM layer, 100 steps of 64 features to 128 units, batch 64, classified from the last step."""

    layer = nn.LSTM

    def __init__(self, features=64):
        super().__init__()
        self.rnn = self.layer(features, 128, batch_first=True)
        self.fc = nn.Linear(128, 10)

    def batch(self, rng):
        return rng.standard_normal((64, 100, self.rnn.input_size), dtype="float32"), rng.integers(0, 10, 64)

    def forward(self, x):
        h, _ = self.rnn(x)  # (B, T, 128)
        return self.fc(h[:, -1])

    def loss(self, x, y):
        return F.cross_entropy(self(x), y)


class GRU(LSTM):
    """One GRU layer, 100 steps of 64 features to 128 units, batch 64, classified from the last step."""

    layer = nn.GRU


class Encoder(nn.Module):
    """784 pixels → mean and log variance of 20 latents, through 500 units."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(784, 500)
        self.mean = nn.Linear(500, 20)
        self.logvar = nn.Linear(500, 20)

    def forward(self, x):
        h = torch.tanh(self.fc(x))
        return self.mean(h), self.logvar(h)


class Decoder(nn.Module):
    """20 latents → a logit for each of 784 pixels, through 500 units."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(20, 500)
        self.logits = nn.Linear(500, 784)

    def forward(self, z):
        return self.logits(torch.tanh(self.fc(z)))


class VAE(nn.Module):
    """The paper's variational autoencoder, 784-500-20-500-784, batch 128; its noise is part of the batch."""

    def __init__(self):
        super().__init__()
        self.encoder = Encoder()
        self.decoder = Decoder()

    @staticmethod
    def batch(rng):
        return rng.random((128, 784), dtype="float32"), rng.standard_normal((128, 20), dtype="float32")

    def loss(self, x, eps):
        mean, logvar = self.encoder(x)
        logits = self.decoder(mean + torch.exp(0.5 * logvar) * eps)
        nll = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        kl = 0.5 * (mean * mean + torch.exp(logvar) - logvar - 1).sum()
        return (nll + kl) / x.size(0)


class Block(nn.Module):
    """A transformer block of four heads: a norm before each half, as GPT and ViT have it, or after, as BERT."""

    def __init__(self, width, norm_first, causal, gelu):
        super().__init__()
        self.norm_first, self.causal, self.gelu = norm_first, causal, gelu
        self.ln_1 = nn.LayerNorm(width)
        self.c_attn = nn.Linear(width, 3 * width)
        self.c_proj = nn.Linear(width, width)
        self.ln_2 = nn.LayerNorm(width)
        self.c_fc = nn.Linear(width, 4 * width)
        self.c_out = nn.Linear(4 * width, width)

    def attention(self, x, mask):
        B, T, C = x.shape
        q, k, v = self.c_attn(x).split(C, dim=2)
        q, k, v = (t.view(B, T, HEADS, C // HEADS).transpose(1, 2) for t in (q, k, v))
        a = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=self.causal)
        return self.c_proj(a.transpose(1, 2).reshape(B, T, C))

    def feed_forward(self, x):
        return self.c_out(F.gelu(self.c_fc(x), approximate=self.gelu))

    def forward(self, x, mask=None):
        if self.norm_first:
            x = x + self.attention(self.ln_1(x), mask)
            return x + self.feed_forward(self.ln_2(x))
        x = self.ln_1(x + self.attention(x, mask))
        return self.ln_2(x + self.feed_forward(x))


class GPT(nn.Module):
    """A small GPT: 4 layers, 128 wide, 4 heads, 65 characters, block 64, batch 12."""

    def __init__(self, length=64):
        super().__init__()
        self.length = length
        self.wte = nn.Embedding(65, 128)
        self.wpe = nn.Embedding(length, 128)
        self.blocks = nn.ModuleList(Block(128, norm_first=True, causal=True, gelu="tanh") for _ in range(4))
        self.ln_f = nn.LayerNorm(128)
        self.head = nn.Linear(128, 65, bias=False)

    def batch(self, rng):
        return rng.integers(0, 65, (12, self.length)), rng.integers(0, 65, (12, self.length))

    def loss(self, x, y):
        h = self.wte(x) + self.wpe(torch.arange(x.size(1)))
        for block in self.blocks:
            h = block(h)
        return F.cross_entropy(self.head(self.ln_f(h)).view(-1, 65), y.view(-1))


class BERT(nn.Module):
    """A small BERT: 4 layers, 128 wide, 4 heads, 1000 words, 16 padded sequences of up to 64, ten words of each to be guessed."""

    def __init__(self):
        super().__init__()
        self.wte = nn.Embedding(1000, 128)
        self.wpe = nn.Embedding(64, 128)
        self.wse = nn.Embedding(2, 128)
        self.ln = nn.LayerNorm(128)
        self.blocks = nn.ModuleList(Block(128, norm_first=False, causal=False, gelu="none") for _ in range(4))
        self.dense = nn.Linear(128, 128)
        self.ln_f = nn.LayerNorm(128)
        self.head = nn.Linear(128, 1000)

    @staticmethod
    def batch(rng):
        """tokens and segments (16, 64); kept (16, 1, 1, 64), False at padding; what to guess (160,), as rows of the 16 · 64; and the words."""
        lengths = rng.integers(48, 65, 16)
        masked = [64 * i + rng.choice(length, 10, replace=False) for i, length in enumerate(lengths)]
        return (
            rng.integers(0, 1000, (16, 64)),
            (numpy.arange(64) >= lengths[:, None] // 2).astype("int64"),
            (numpy.arange(64) < lengths[:, None])[:, None, None],
            numpy.concatenate(masked),
            rng.integers(0, 1000, 160),
        )

    def loss(self, x, segments, kept, masked, y):
        h = self.ln(self.wte(x) + self.wpe(torch.arange(x.size(1))) + self.wse(segments))
        for block in self.blocks:
            h = block(h, kept)
        h = h.view(-1, 128)[masked]  # (160, 128)
        return F.cross_entropy(self.head(self.ln_f(F.gelu(self.dense(h)))), y)


class ViT(nn.Module):
    """A small ViT: patches of 4×4 of 32×32 colour images, 4 layers, 128 wide, 4 heads, batch 16."""

    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, 128, 4, stride=4)
        self.cls = nn.Parameter(0.02 * torch.randn(1, 1, 128))
        self.pos = nn.Parameter(0.02 * torch.randn(1, 65, 128))
        self.blocks = nn.ModuleList(Block(128, norm_first=True, causal=False, gelu="none") for _ in range(4))
        self.ln_f = nn.LayerNorm(128)
        self.head = nn.Linear(128, 10)

    @staticmethod
    def batch(rng):
        return rng.standard_normal((16, 3, 32, 32), dtype="float32"), rng.integers(0, 10, 16)

    def loss(self, x, y):
        h = self.patch(x).flatten(2).transpose(1, 2)  # (B, 64, 128)
        h = torch.cat([self.cls.expand(x.size(0), 1, 128), h], dim=1) + self.pos
        for block in self.blocks:
            h = block(h)
        return F.cross_entropy(self.head(self.ln_f(h)[:, 0]), y)


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions with BatchNorm, and the input beside them, through a 1×1 convolution where its shape changes."""

    def __init__(self, channels_in, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = None
        if stride > 1:
            self.shortcut = nn.Conv2d(channels_in, channels, 1, stride=stride, bias=False)

    def forward(self, x):
        h = F.relu(self.bn1(self.conv1(x)))
        h = self.bn2(self.conv2(h))
        return F.relu(h + (x if self.shortcut is None else self.shortcut(x)))


class ResNet20(nn.Module):
    """ResNet-20 on 32×32 colour images, batch 32."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(16)
        sizes = [(16, 16, 1)] * 3 + [(16, 32, 2)] + [(32, 32, 1)] * 2 + [(32, 64, 2)] + [(64, 64, 1)] * 2
        self.blocks = nn.ModuleList(ResidualBlock(*size) for size in sizes)
        self.fc = nn.Linear(64, 10)

    @staticmethod
    def batch(rng):
        return rng.standard_normal((32, 3, 32, 32), dtype="float32"), rng.integers(0, 10, 32)

    def loss(self, x, y):
        h = F.relu(self.bn(self.conv(x)))
        for block in self.blocks:
            h = block(h)
        return F.cross_entropy(self.fc(h.mean((2, 3))), y)


class Chain(nn.Module):
    """Three hundred tiny elementwise ops on three numbers: the cost of an op itself."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.full((3,), 0.5))

    @staticmethod
    def batch(rng):
        return (rng.standard_normal(3, dtype="float32"),)

    def loss(self, x):
        for _ in range(100):
            x = torch.tanh(x * self.w + self.w)
        return x.sum()


class Adam(nn.Module):
    """No model: one step of Adam on a million parameters in twenty tensors, with gradients given."""

    def __init__(self):
        super().__init__()
        self.weights = nn.ParameterList(nn.Parameter(torch.randn(100, 500)) for _ in range(20))

    @staticmethod
    def batch(rng):
        return ()


STEP = {
    "softmax": Softmax, "mlp": MLP, "lenet": LeNet, "cifar-cnn": CifarCNN, "lstm": LSTM, "gru": GRU, "vae": VAE, "gpt": GPT,
    "bert": BERT, "vit": ViT, "resnet20": ResNet20, "chain": Chain, "adam": Adam,
}  # fmt: skip
WORKLOADS = {**STEP, "deep-mlp": DeepMLP}
MEMORY = {"deep-mlp": DeepMLP, "lenet": LeNet, "cifar-cnn": CifarCNN}


def make(name):
    """The model of a workload: "gpt", or with settings of its own, "gpt length=256"."""
    base, *settings = name.split()
    return WORKLOADS[base](**{key: int(value) for key, _, value in (setting.partition("=") for setting in settings)})


def tensors(batch):
    return tuple(torch.from_numpy(array) for array in batch)


def make_step(model, batch):
    """step() → the loss of one whole training step of SGD; for Adam, an optimizer step alone, with the sum of a weight as its "loss"."""
    inputs = tensors(batch)
    if isinstance(model, Adam):
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        for p in model.parameters():
            p.grad = p.detach() * 0.1

        def step():
            optimizer.step()
            return model.weights[0].detach()[0, 0]

        return step
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def step():
        loss = model.loss(*inputs)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step
