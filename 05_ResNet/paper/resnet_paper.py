"""ResNet, level 3: nn.Module, as PyTorch code is written.

He, Zhang, Ren & Sun 2015. `eq. n` is equation (n) of ../theory.md; the gradients are autograd's. Names are torchvision's.
Shapes: B batch, C channels in, M channels of a block's 3 x 3 convolution, E = M or 4 M channels out, H x W pixels in, H' x W'
out: with stride 2 half as many each way, rounded up; K classes.
"""

import torch.nn as nn
import torch.nn.functional as F

from ..study import ResNetConfig

# ---------------------------------------------------------------------------------------------- Initialisation


def init_weight(weight):
    """He et al. 2015, "Delving deep into rectifiers", section 2.2: what keeps the size of the signal before a ReLU."""
    nn.init.kaiming_normal_(weight, nonlinearity="relu")  # eq. 32


# --------------------------------------------------------------------------------------------------- Shortcuts


class PadShortcut(nn.Module):
    """Option A: every second pixel, and zeros for the channels that are new; no parameters."""

    def __init__(self, new_channels, stride):
        super().__init__()
        self.new_channels, self.stride = new_channels, stride

    def forward(self, x):  # (B, C, H, W)
        kept = x[:, :, :: self.stride, :: self.stride]  # (B, C, H', W')
        return F.pad(kept, (0, 0, 0, 0, 0, self.new_channels))  # (B, E, H', W'), eq. 3


class NoShortcut(nn.Module):
    """A plain net's: nothing goes beside the block."""

    def forward(self, x):
        return 0.0  # eq. 6


def make_shortcut(config, in_channels, channels, stride):
    """What goes beside a block; a projection has the parameters downsample.0.weight, downsample.1.weight and .bias."""
    kind, out_channels = config.shortcut_kind(in_channels, channels, stride), channels * config.expansion
    if kind == "projection":
        conv = nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=stride, bias=False)
        return nn.Sequential(conv, nn.BatchNorm2d(out_channels))  # eq. 2
    if kind == "pad":
        return PadShortcut(out_channels - in_channels, stride)  # eq. 3
    return nn.Identity() if kind == "identity" else NoShortcut()  # eq. 1, 6


# ------------------------------------------------------------------------------------------------------ Blocks


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions, and a shortcut around them."""

    def __init__(self, config: ResNetConfig, in_channels, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = make_shortcut(config, in_channels, channels, stride)
        if config.zero_gamma:
            nn.init.zeros_(self.bn2.weight)  # eq. 33

    def forward(self, x):  # (B, C, H, W)
        z1 = self.conv1(x)  # (B, M, H', W'), eq. 7
        h1 = F.relu(self.bn1(z1))  # eq. 10-13
        z2 = self.conv2(h1)  # (B, M, H', W'), eq. 7
        f = self.bn2(z2)  # (B, E, H', W'), eq. 4
        s = self.downsample(x)  # (B, E, H', W')
        h = F.relu(f + s)  # (B, E, H', W'), eq. 1
        return h


class Bottleneck(nn.Module):
    """1 x 1 down to M channels, 3 x 3, 1 x 1 up to 4 M, and a shortcut around them."""

    def __init__(self, config: ResNetConfig, in_channels, channels, stride):
        super().__init__()
        stride1, stride2 = (stride, 1) if config.stride_in == "conv1" else (1, stride)
        out_channels = channels * config.expansion
        self.conv1 = nn.Conv2d(in_channels, channels, kernel_size=1, stride=stride1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, stride=stride2, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, out_channels, kernel_size=1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample = make_shortcut(config, in_channels, channels, stride)
        if config.zero_gamma:
            nn.init.zeros_(self.bn3.weight)  # eq. 33

    def forward(self, x):  # (B, C, H, W)
        z1 = self.conv1(x)  # (B, M, H, W) or (B, M, H', W'), eq. 7
        h1 = F.relu(self.bn1(z1))  # eq. 10-13
        z2 = self.conv2(h1)  # (B, M, H', W'), eq. 7
        h2 = F.relu(self.bn2(z2))  # eq. 10-13
        z3 = self.conv3(h2)  # (B, E, H', W'), eq. 7
        f = self.bn3(z3)  # (B, E, H', W'), eq. 5
        s = self.downsample(x)  # (B, E, H', W')
        h = F.relu(f + s)  # (B, E, H', W'), eq. 1
        return h


BLOCKS = {"basic": BasicBlock, "bottleneck": Bottleneck}

# ------------------------------------------------------------------------------------------------------- Model


class ResNet(nn.Module):
    """x -> stem -> stages of residual blocks -> mean over the pixels -> fc -> logits; trained on softmax cross entropy.

    The parameters are conv1.weight, bn1.weight, bn1.bias, layer1.0.conv1.weight, …, fc.weight, fc.bias: see config.shapes.
    """

    def __init__(self, config: ResNetConfig):
        super().__init__()
        self.config = config
        stem = dict(kernel_size=3, padding=1) if config.stem == "cifar" else dict(kernel_size=7, stride=2, padding=3)
        self.conv1 = nn.Conv2d(config.in_channels, config.channels[0], **stem, bias=False)
        self.bn1 = nn.BatchNorm2d(config.channels[0])
        for i in range(1, config.num_stages + 1):
            blocks = [BLOCKS[config.block](config, *numbers) for numbers in config.stage(i)]
            self.add_module(f"layer{i}", nn.Sequential(*blocks))
        self.fc = nn.Linear(config.out_features, config.num_classes)
        for param in self.parameters():
            if param.ndim > 1:
                init_weight(param)
        nn.init.zeros_(self.fc.bias)

    def forward(self, x):  # (B, C, H, W)
        """The logits (B, K) of the images x (B, C, H, W), of any size."""
        self.config.check_input(x)
        z = self.conv1(x)  # (B, M, H', W'), eq. 7
        h = F.relu(self.bn1(z))  # eq. 10-13
        if self.config.stem == "imagenet":
            h = F.max_pool2d(h, kernel_size=3, stride=2, padding=1)  # (B, M, H', W'), eq. 14
        for i in range(1, self.config.num_stages + 1):
            h = getattr(self, f"layer{i}")(h)  # (B, E, H', W')
        features = h.mean(dim=(2, 3))  # (B, E), eq. 15
        logits = self.fc(features)  # (B, K), eq. 16
        return logits

    def loss(self, x, targets):  # (B, C, H, W), (B,)
        """The mean cross entropy () of the logits against the class indices targets (B,)."""
        logits = self.forward(x)  # (B, K)
        self.config.check_targets(targets, batch_size=len(x))
        loss = F.cross_entropy(logits, targets)  # (), eq. 17
        return loss
