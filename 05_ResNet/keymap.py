"""The production twins: torchvision's ResNets and timm's.

Nothing is renamed: conv1.weight, bn1.running_mean, layer1.0.downsample.0.weight … fc.bias are torchvision's names, timm's, and ours,
so that a state dict of any of the three loads into the others as it is.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torchvision.models import resnet


def production_twin(config):
    """torchvision's ResNet for a config, with the same forward and loss.

    For other widths, and for the CIFAR nets, it is put together from torchvision's own blocks. None where torchvision has no such
    block: stride in a bottleneck's first convolution, option C, no shortcut.
    """
    if config.shortcut in ("C", "none") or (config.block == "bottleneck" and config.stride_in == "conv1"):
        return None
    is_table1 = config.stem == "imagenet" and config.shortcut == "B" and config.channels == (64, 128, 256, 512)
    return TorchvisionResNet(config) if is_table1 and config.in_channels == 3 else TorchvisionBlocks(config)


class TorchvisionResNet(resnet.ResNet):
    """torchvision.models.resnet18 … resnet152."""

    def __init__(self, config):
        block = resnet.BasicBlock if config.block == "basic" else resnet.Bottleneck
        super().__init__(
            block, list(config.layers), num_classes=config.num_classes, zero_init_residual=config.zero_gamma
        )

    def loss(self, x, targets):
        return F.cross_entropy(self(x), targets)


class TorchvisionBlocks(TorchvisionResNet):
    """torchvision's ResNet, its forward and its blocks, with another stem, other stages and widths."""

    def __init__(self, config):
        nn.Module.__init__(self)
        self._norm_layer, self.groups, self.base_width, self.dilation = nn.BatchNorm2d, 1, 64, 1
        block = resnet.BasicBlock if config.block == "basic" else resnet.Bottleneck
        width, is_cifar = config.channels[0], config.stem == "cifar"
        self.conv1 = nn.Conv2d(config.in_channels, width, *((3, 1, 1) if is_cifar else (7, 2, 3)), bias=False)
        self.bn1, self.relu = nn.BatchNorm2d(width), nn.ReLU()
        self.maxpool = nn.Identity() if is_cifar else nn.MaxPool2d(3, 2, 1)
        self.inplanes = width
        for i in range(1, 5):
            stage = nn.Identity()
            if i <= config.num_stages:
                stage = self._make_layer(block, config.channels[i - 1], config.layers[i - 1], stride=1 if i == 1 else 2)
                if config.shortcut == "A" and stage[0].downsample is not None:
                    stage[0].downsample = PadWithZeros(stage[0].downsample[0])
            self.add_module(f"layer{i}", stage)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(config.out_features, config.num_classes)


class PadWithZeros(nn.Module):
    """Option A as fb.resnet.torch (Gross & Wilber 2016) has it: average pooling 1 x 1 with the stride, zeros joined behind the channels."""

    def __init__(self, conv):
        super().__init__()
        self.stride, self.new_channels = conv.stride, conv.out_channels - conv.in_channels

    def forward(self, x):
        kept = F.avg_pool2d(x, 1, stride=self.stride)
        return torch.cat([kept, kept.new_zeros(len(kept), self.new_channels, *kept.shape[2:])], dim=1)


def timm_twin(config):
    """timm.models.resnet18 … resnet152."""
    from timm.models import resnet

    class TimmResNet(resnet.ResNet):
        def loss(self, x, targets):
            return F.cross_entropy(self(x), targets)

    block = resnet.BasicBlock if config.block == "basic" else resnet.Bottleneck
    return TimmResNet(block, config.layers, num_classes=config.num_classes, zero_init_last=config.zero_gamma)
