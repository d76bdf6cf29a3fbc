"""The workloads, written once for PyTorch: run with PyTorch as they stand, and with the engine through `framework.drop_in`.

Each class is a model with its `batch(rng)` → NumPy arrays; `train_step(model, optimizer, batch)` is the whole step that is timed.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F


class MLP(nn.Module):
    """784-256-10, batch 128."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 256)
        self.fc2 = nn.Linear(256, 10)

    @staticmethod
    def batch(rng):
        return rng.standard_normal((128, 784), dtype="float32"), rng.integers(0, 10, 128)

    def loss(self, x, y):
        return F.cross_entropy(self.fc2(F.relu(self.fc1(x))), y)


class DeepMLP(nn.Module):
    """Twenty layers of 256 units, batch 256: for memory."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(*(layer for _ in range(20) for layer in (nn.Linear(256, 256), nn.ReLU())))
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

    def loss(self, x, y):
        x = F.avg_pool2d(F.relu(self.conv1(x)), 2)  # (B, 6, 14, 14)
        x = F.avg_pool2d(F.relu(self.conv2(x)), 2)  # (B, 16, 5, 5)
        x = F.relu(self.fc2(F.relu(self.fc1(x.flatten(1)))))
        return F.cross_entropy(self.fc3(x), y)


class CifarCNN(nn.Module):
    """Three 3×3 convolutions 32-64-64 on 32×32 colour images, batch 128."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
        self.conv3 = nn.Conv2d(64, 64, 3, padding=1)
        self.fc = nn.Linear(64 * 4 * 4, 10)

    @staticmethod
    def batch(rng):
        return rng.standard_normal((128, 3, 32, 32), dtype="float32"), rng.integers(0, 10, 128)

    def loss(self, x, y):
        for conv in (self.conv1, self.conv2, self.conv3):
            x = F.max_pool2d(F.relu(conv(x)), 2)
        return F.cross_entropy(self.fc(x.flatten(1)), y)


class LSTM(nn.Module):
    """One LSTM layer, 100 steps of 64 features to 128 units, batch 64, classified from the last step."""

    layer = nn.LSTM

    def __init__(self):
        super().__init__()
        self.rnn = self.layer(64, 128, batch_first=True)
        self.head = nn.Linear(128, 10)

    @staticmethod
    def batch(rng):
        return rng.standard_normal((64, 100, 64), dtype="float32"), rng.integers(0, 10, 64)

    def loss(self, x, y):
        h, _ = self.rnn(x)  # (B, T, 128)
        return F.cross_entropy(self.head(h[:, -1]), y)


class GRU(LSTM):
    """One GRU layer, 100 steps of 64 features to 128 units, batch 64, classified from the last step."""

    layer = nn.GRU


class Block(nn.Module):
    """A pre-norm transformer block with causal attention of four heads."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln_1 = nn.LayerNorm(width)
        self.c_attn = nn.Linear(width, 3 * width)
        self.c_proj = nn.Linear(width, width)
        self.ln_2 = nn.LayerNorm(width)
        self.c_fc = nn.Linear(width, 4 * width)
        self.c_out = nn.Linear(4 * width, width)

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.c_attn(self.ln_1(x)).split(C, dim=2)
        q, k, v = (t.view(B, T, self.heads, C // self.heads).transpose(1, 2) for t in (q, k, v))
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.c_proj(a.transpose(1, 2).reshape(B, T, C))
        return x + self.c_out(F.gelu(self.c_fc(self.ln_2(x)), approximate="tanh"))


class GPT(nn.Module):
    """A small GPT: 4 layers, 128 wide, 4 heads, 65 characters, block 64, batch 12."""

    def __init__(self):
        super().__init__()
        self.wte = nn.Embedding(65, 128)
        self.wpe = nn.Embedding(64, 128)
        self.blocks = nn.ModuleList(Block(128, 4) for _ in range(4))
        self.ln_f = nn.LayerNorm(128)
        self.head = nn.Linear(128, 65, bias=False)

    @staticmethod
    def batch(rng):
        return rng.integers(0, 65, (12, 64)), rng.integers(0, 65, (12, 64))

    def loss(self, x, y):
        h = self.wte(x) + self.wpe(torch.arange(x.size(1)))
        for block in self.blocks:
            h = block(h)
        return F.cross_entropy(self.head(self.ln_f(h)).view(-1, 65), y.view(-1))


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
    "mlp": MLP, "lenet": LeNet, "cifar-cnn": CifarCNN, "lstm": LSTM, "gru": GRU, "gpt": GPT, "chain": Chain, "adam": Adam,
}  # fmt: skip
MEMORY = {"deep-mlp": DeepMLP, "lenet": LeNet, "cifar-cnn": CifarCNN}


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
