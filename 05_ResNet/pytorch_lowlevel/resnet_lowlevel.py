"""ResNet, level 2: tensors and autograd, parameters in a dict, no nn.Module.

He, Zhang, Ren & Sun 2015. `eq. n` is equation (n) of ../theory.md; the gradients are autograd's. Names are torchvision's.
Shapes: B batch, C channels in, M channels of a block's 3 x 3 convolution, E = M or 4 M channels out, H x W pixels in, H' x W'
out: with stride 2 half as many each way, rounded up; K classes.
"""

import math

import torch
import torch.nn.functional as F

from ..study import ResNetConfig

# ---------------------------------------------------------------------------------------------- Initialisation


def init_weight(shape, generator):
    """He et al. 2015, "Delving deep into rectifiers", section 2.2: what keeps the size of the signal before a ReLU."""
    std = math.sqrt(2 / math.prod(shape[1:]))  # eq. 32
    return std * torch.randn(shape, generator=generator)


def init_parameter(name, shape, generator):
    if len(shape) > 1:
        return init_weight(shape, generator)
    return torch.zeros(shape) if name.endswith(".bias") else torch.ones(shape)  # β = 0, γ = 1


# ------------------------------------------------------------------------------------------------------ Layers
# forward:  y = f(x).


def convolution_as_product(x, weight, stride=1, padding=0):  # (B, C, H, W), (E, C, k, k)
    """A convolution is one matrix product, once every window of x is written out as a column."""
    (B, _, H, W), (E, _, k, _) = x.shape, weight.shape
    columns = F.unfold(x, k, padding=padding, stride=stride)  # (B, C k k, H' W'), eq. 9
    H, W = ((size + 2 * padding - k) // stride + 1 for size in (H, W))  # eq. 8
    return (weight.reshape(E, -1) @ columns).reshape(B, E, H, W)  # (B, E, H', W'), eq. 7


convolution = F.conv2d  # the same function, several times as fast, and without the columns in memory


EPSILON, MOMENTUM = 1e-5, 0.1  # of BatchNorm


class BatchNorm2d:
    """Each channel with mean 0 and variance 1 over the batch, then scaled by γ and shifted by β.

    weight (C,) is γ, bias (C,) is β; in evaluation the running statistics stand in for those of the batch.
    """

    def __init__(self, model, name):
        self.model, self.name = model, name

    def forward(self, x):  # (B, C, H, W)
        p, buffers, name = self.model.params, self.model.buffers, self.name
        mean, var = buffers[f"{name}.running_mean"], buffers[f"{name}.running_var"]  # (C,), (C,)
        if self.model.training:
            count = x.numel() // x.shape[1]  # numbers in a channel: B H W
            if count == 1:
                raise ValueError(f"{name}: one number in a channel has no variance: x is {tuple(x.shape)}, in training")
            mean, var = x.mean(dim=(0, 2, 3)), x.var(dim=(0, 2, 3), correction=0)  # (C,), (C,), eq. 10
            with torch.no_grad():
                unbiased = var * (count / (count - 1))
                buffers[f"{name}.running_mean"] += MOMENTUM * (mean - buffers[f"{name}.running_mean"])  # eq. 13
                buffers[f"{name}.running_var"] += MOMENTUM * (unbiased - buffers[f"{name}.running_var"])  # eq. 13
                buffers[f"{name}.num_batches_tracked"] += 1
        scale = 1 / torch.sqrt(var + EPSILON)  # (C,)
        standard = (x - per_channel(mean)) * per_channel(scale)  # (B, C, H, W), eq. 11
        return per_channel(p[f"{name}.weight"]) * standard + per_channel(p[f"{name}.bias"])  # eq. 12


def per_channel(v):  # (C,)
    return v[:, None, None]  # (C, 1, 1)


# --------------------------------------------------------------------------------------------------- Shortcuts


class Shortcut:
    """What goes beside a block; a projection has the parameters downsample.0.weight, downsample.1.weight and .bias."""

    def __init__(self, model, name, in_channels, channels, stride):
        self.model, self.name, self.stride = model, name, stride
        self.kind = model.config.shortcut_kind(in_channels, channels, stride)
        self.new_channels = channels * model.config.expansion - in_channels
        if self.kind == "projection":
            self.bn = BatchNorm2d(model, f"{name}.1")

    def forward(self, x):  # (B, C, H, W)
        if self.kind == "projection":  # options B and C
            z = convolution(x, self.model.params[f"{self.name}.0.weight"], stride=self.stride)  # (B, E, H', W')
            return self.bn.forward(z)  # (B, E, H', W'), eq. 2
        if self.kind == "pad":  # option A: every second pixel, and zeros for the channels that are new
            kept = x[:, :, :: self.stride, :: self.stride]  # (B, C, H', W')
            return F.pad(kept, (0, 0, 0, 0, 0, self.new_channels))  # (B, E, H', W'), eq. 3
        return x if self.kind == "identity" else 0.0  # eq. 1, 6


# ------------------------------------------------------------------------------------------------------ Blocks


class BasicBlock:
    """Two 3 x 3 convolutions, and a shortcut around them."""

    def __init__(self, model, name, in_channels, channels, stride):
        self.model, self.name, self.stride = model, name, stride
        self.bn1 = BatchNorm2d(model, f"{name}.bn1")
        self.bn2 = BatchNorm2d(model, f"{name}.bn2")
        self.downsample = Shortcut(model, f"{name}.downsample", in_channels, channels, stride)
        if model.config.zero_gamma:
            model.params[f"{name}.bn2.weight"].zero_()  # eq. 33

    def forward(self, x):  # (B, C, H, W)
        p, name = self.model.params, self.name
        z1 = convolution(x, p[f"{name}.conv1.weight"], stride=self.stride, padding=1)  # (B, M, H', W'), eq. 7
        h1 = torch.relu(self.bn1.forward(z1))  # eq. 10-13
        z2 = convolution(h1, p[f"{name}.conv2.weight"], padding=1)  # (B, M, H', W'), eq. 7
        f = self.bn2.forward(z2)  # (B, E, H', W'), eq. 4
        s = self.downsample.forward(x)  # (B, E, H', W')
        h = torch.relu(f + s)  # (B, E, H', W'), eq. 1
        return h


class Bottleneck:
    """1 x 1 down to M channels, 3 x 3, 1 x 1 up to 4 M, and a shortcut around them."""

    def __init__(self, model, name, in_channels, channels, stride):
        self.model, self.name = model, name
        self.stride1, self.stride2 = (stride, 1) if model.config.stride_in == "conv1" else (1, stride)
        self.bn1 = BatchNorm2d(model, f"{name}.bn1")
        self.bn2 = BatchNorm2d(model, f"{name}.bn2")
        self.bn3 = BatchNorm2d(model, f"{name}.bn3")
        self.downsample = Shortcut(model, f"{name}.downsample", in_channels, channels, stride)
        if model.config.zero_gamma:
            model.params[f"{name}.bn3.weight"].zero_()  # eq. 33

    def forward(self, x):  # (B, C, H, W)
        p, name = self.model.params, self.name
        z1 = convolution(x, p[f"{name}.conv1.weight"], stride=self.stride1)  # (B, M, H, W) or (B, M, H', W'), eq. 7
        h1 = torch.relu(self.bn1.forward(z1))  # eq. 10-13
        z2 = convolution(h1, p[f"{name}.conv2.weight"], stride=self.stride2, padding=1)  # (B, M, H', W'), eq. 7
        h2 = torch.relu(self.bn2.forward(z2))  # eq. 10-13
        z3 = convolution(h2, p[f"{name}.conv3.weight"])  # (B, E, H', W'), eq. 7
        f = self.bn3.forward(z3)  # (B, E, H', W'), eq. 5
        s = self.downsample.forward(x)  # (B, E, H', W')
        h = torch.relu(f + s)  # (B, E, H', W'), eq. 1
        return h


BLOCKS = {"basic": BasicBlock, "bottleneck": Bottleneck}


def run(stage, x):
    """One block after the other."""
    for block in stage:
        x = block.forward(x)
    return x


# ------------------------------------------------------------------------------------------------------- Model


class ResNet:
    """x -> stem -> stages of residual blocks -> mean over the pixels -> fc -> logits; trained on softmax cross entropy.

    `params` is a dict of leaf tensors under the names conv1.weight, bn1.weight, bn1.bias, layer1.0.conv1.weight, …, fc.weight,
    fc.bias: see config.shapes; their gradients are `.grad`. `buffers` holds the running statistics.
    """

    def __init__(self, config: ResNetConfig, generator: torch.Generator | None = None):
        self.config = config
        self.training = True
        self.params = {name: init_parameter(name, shape, generator) for name, shape in config.shapes.items()}
        self.buffers = {}
        for name, shape in config.shapes.items():
            if len(shape) == 1 and name.endswith(".weight"):  # a BatchNorm's γ
                bn = name.removesuffix(".weight")
                self.buffers[f"{bn}.running_mean"] = torch.zeros(shape)  # (C,)
                self.buffers[f"{bn}.running_var"] = torch.ones(shape)  # (C,)
                self.buffers[f"{bn}.num_batches_tracked"] = torch.tensor(0)  # ()
        self.velocities = {}  # of the parameters, by name: what momentum remembers
        self.bn1 = BatchNorm2d(self, "bn1")
        block = BLOCKS[config.block]
        self.stages = [
            [block(self, f"layer{i}.{j}", *numbers) for j, numbers in enumerate(config.stage(i))]
            for i in range(1, config.num_stages + 1)
        ]
        for param in self.params.values():
            param.requires_grad_()

    def train(self, mode=True):
        """In training, BatchNorm takes its statistics from the batch, and remembers them for evaluation."""
        self.training = mode

    def forward(self, x):  # (B, C, H, W)
        """The logits (B, K) of the images x (B, C, H, W), of any size."""
        self.config.check_input(x)
        p = self.params
        stem = dict(padding=1) if self.config.stem == "cifar" else dict(stride=2, padding=3)
        z = convolution(x, p["conv1.weight"], **stem)  # (B, M, H', W'), eq. 7
        h = torch.relu(self.bn1.forward(z))  # eq. 10-13
        if self.config.stem == "imagenet":
            h = F.max_pool2d(h, kernel_size=3, stride=2, padding=1)  # (B, M, H', W'), eq. 14
        for stage in self.stages:
            h = run(stage, h)  # (B, E, H', W')
        features = h.mean(dim=(2, 3))  # (B, E), eq. 15
        logits = features @ p["fc.weight"].T + p["fc.bias"]  # (B, K), eq. 16
        return logits

    def loss(self, x, targets):  # (B, C, H, W), (B,)
        """The mean cross entropy () of the logits against the class indices targets (B,)."""
        logits = self.forward(x)  # (B, K)
        self.config.check_targets(targets, batch_size=len(x))
        log_probs = logits - torch.logsumexp(logits, dim=1, keepdim=True)  # (B, K)
        loss = -log_probs[torch.arange(len(x)), targets].mean()  # (), eq. 17
        return loss

    def train_step(self, x, targets, lr, momentum=0.0, weight_decay=0.0):  # (B, C, H, W), (B,)
        """One step of gradient descent, with the paper's momentum=0.9 and weight_decay=1e-4; returns the loss before it."""
        for param in self.params.values():
            param.grad = None
        loss = self.loss(x, targets)
        loss.backward()
        with torch.no_grad():
            for name, param in self.params.items():
                step = param.grad + weight_decay * param
                if momentum:
                    step = momentum * self.velocities.get(name, 0.0) + step  # eq. 34
                    self.velocities[name] = step
                param -= lr * step  # eq. 35
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
                raise RuntimeError(f"ResNet.load_state_dict: {name}: expected shape {expected}, got {got}")
        for own, tracked in ((self.params, True), (self.buffers, False)):
            for name in own:
                own[name] = torch.as_tensor(state[name]).detach().clone().requires_grad_(tracked)
        self.velocities.clear()
