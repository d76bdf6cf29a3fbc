"""The production twins: torchvision's ResNets, and timm's for nets of other widths.

Nothing is renamed: conv1.weight, bn1.running_mean, layer1.0.downsample.0.weight … fc.bias are torchvision's names, timm's, and ours,
so that a state dict of any of the three loads into the others as it is.
"""

import torch.nn.functional as F


def production_twin(config):
    """The twin of a config, with the same forward and loss; None where no library has it: the CIFAR nets, stride in conv1."""
    if config.stem != "imagenet" or config.shortcut != "B":
        return None
    if config.block == "bottleneck" and config.stride_in == "conv1":
        return None
    twin = torchvision_twin if config.channels == (64, 128, 256, 512) and config.in_channels == 3 else timm_twin
    return twin(config)


def torchvision_twin(config):
    """torchvision.models.resnet18 … resnet152."""
    from torchvision.models import resnet

    class Twin(resnet.ResNet):
        loss = mean_cross_entropy

    block = resnet.BasicBlock if config.block == "basic" else resnet.Bottleneck
    return Twin(block, list(config.layers), num_classes=config.num_classes, zero_init_residual=config.zero_gamma)


def timm_twin(config):
    """timm.models.resnet18 … resnet152, and with any channels."""
    from timm.models import resnet

    class Twin(resnet.ResNet):
        loss = mean_cross_entropy

    return Twin(
        resnet.BasicBlock if config.block == "basic" else resnet.Bottleneck,
        list(config.layers),
        channels=config.channels,
        stem_width=config.channels[0],
        in_chans=config.in_channels,
        num_classes=config.num_classes,
        zero_init_last=config.zero_gamma,
    )


def mean_cross_entropy(self, x, targets):
    return F.cross_entropy(self(x), targets)
