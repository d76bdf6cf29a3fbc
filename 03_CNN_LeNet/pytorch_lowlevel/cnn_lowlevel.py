"""A small CNN for colour photographs, level 2: tensors and autograd, parameters in a dict, no nn.Module.

LeNet-5's idea with today's parts: 3 x 3 convolutions, BatchNorm (Ioffe & Szegedy 2015), ReLU, max pooling.
`eq. n` is equation (n) of ../theory.md; the gradients are autograd's.
Shapes: B batch, C channels, H x W pixels, D features after the last block, K classes, N blocks.
"""

import math

import torch
import torch.nn.functional as F

from ..study import CNNConfig

# ---------------------------------------------------------------------------------------------- Initialisation


def init_weight(shape, generator):
    """He et al. 2015, section 2.2: what keeps the size of the signal before a ReLU."""
    std = math.sqrt(2 / math.prod(shape[1:]))  # eq. 46
    return std * torch.randn(shape, generator=generator)


# ------------------------------------------------------------------------------------------------------ Layers
# forward:  y = f(x).


def per_channel(v):  # (C,)
    return v[:, None, None]  # (C, 1, 1)


EPSILON, MOMENTUM = 1e-5, 0.1  # of BatchNorm


# ------------------------------------------------------------------------------------------------------- Model


class CNN:
    """x -> N times (conv -> max pooling -> bn -> relu) -> fc -> logits; trained on softmax cross entropy.

    `params` is a dict of leaf tensors under the names conv1.weight (C_1, C_0, 3, 3), bn1.weight (C_1), bn1.bias (C_1), …,
    fc.weight (K, D), fc.bias (K); their gradients are `.grad`. `buffers` holds the running statistics.
    """

    def __init__(self, config: CNNConfig, generator: torch.Generator | None = None):
        self.config = config
        self.params = {}
        self.buffers = {}
        self.training = True
        channels = (config.in_channels, *config.channels)
        for i, (fan_in, fan_out) in enumerate(zip(channels, channels[1:]), start=1):
            self.params[f"conv{i}.weight"] = init_weight(
                (fan_out, fan_in, 3, 3), generator
            )  # BatchNorm would take a bias out
            self.params[f"bn{i}.weight"] = torch.ones(fan_out)  # (C_i,)
            self.params[f"bn{i}.bias"] = torch.zeros(fan_out)  # (C_i,)
            self.buffers[f"bn{i}.running_mean"] = torch.zeros(fan_out)  # (C_i,)
            self.buffers[f"bn{i}.running_var"] = torch.ones(fan_out)  # (C_i,)
            self.buffers[f"bn{i}.num_batches_tracked"] = torch.tensor(0)  # ()
        self.params["fc.weight"] = init_weight((config.num_classes, config.in_features), generator)  # (K, D)
        self.params["fc.bias"] = torch.zeros(config.num_classes)  # (K,)
        for param in self.params.values():
            param.requires_grad_()

    def train(self, mode=True):
        """In training, BatchNorm takes its statistics from the batch, and remembers them for evaluation."""
        self.training = mode

    def batch_norm(self, name, m):  # (B, C, H, W)
        p, buffers = self.params, self.buffers
        mean, var = buffers[f"{name}.running_mean"], buffers[f"{name}.running_var"]  # (C,), (C,)
        if self.training:
            mean, var = m.mean(dim=(0, 2, 3)), m.var(dim=(0, 2, 3), correction=0)  # (C,), (C,), eq. 35
            count = m.numel() // len(mean)
            with torch.no_grad():
                unbiased = var * (count / (count - 1))
                buffers[f"{name}.running_mean"] += MOMENTUM * (mean - buffers[f"{name}.running_mean"])  # eq. 38
                buffers[f"{name}.running_var"] += MOMENTUM * (unbiased - buffers[f"{name}.running_var"])  # eq. 38
                buffers[f"{name}.num_batches_tracked"] += 1
        scale = 1 / torch.sqrt(var + EPSILON)  # (C,)
        standard = (m - per_channel(mean)) * per_channel(scale)  # (B, C, H, W), eq. 36
        return per_channel(p[f"{name}.weight"]) * standard + per_channel(p[f"{name}.bias"])  # eq. 37

    def forward(self, x):  # (B, C, H, W)
        """The logits (B, K) of the images x (B, C, H, W)."""
        self.config.check_input(x)
        p = self.params
        h = x
        for i in range(1, self.config.num_blocks + 1):
            z = F.conv2d(h, p[f"conv{i}.weight"], padding=1)  # (B, C_i, H, W), eq. 1, 33
            m = F.max_pool2d(z, 2)  # (B, C_i, H/2, W/2), eq. 34
            n = self.batch_norm(f"bn{i}", m)  # eq. 35-38
            h = torch.relu(n)  # eq. 39
        flat = h.reshape(len(x), -1)  # (B, D)
        logits = flat @ p["fc.weight"].T + p["fc.bias"]  # (B, K), eq. 7
        return logits

    def loss(self, x, targets):  # (B, C, H, W), (B,)
        """The mean cross entropy () of the logits against the class indices targets (B,)."""
        logits = self.forward(x)  # (B, K)
        self.config.check_targets(targets, batch_size=len(x))
        log_probs = logits - torch.logsumexp(logits, dim=1, keepdim=True)  # (B, K), eq. 11
        loss = -log_probs[torch.arange(len(x)), targets].mean()  # (), eq. 10 without a rubbish class
        return loss

    def train_step(self, x, targets, lr):  # (B, C, H, W), (B,)
        """One step of gradient descent; returns the loss before it."""
        for param in self.params.values():
            param.grad = None
        loss = self.loss(x, targets)
        loss.backward()
        with torch.no_grad():
            for param in self.params.values():
                param -= lr * param.grad  # eq. 32
        return loss.item()

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
                raise RuntimeError(f"CNN.load_state_dict: {name}: expected shape {expected}, got {got}")
        self.params = {name: torch.as_tensor(state[name]).detach().clone().requires_grad_() for name in self.params}
        self.buffers = {name: torch.as_tensor(state[name]).detach().clone() for name in self.buffers}
