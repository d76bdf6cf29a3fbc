"""What the guide traces: for each package a ResNet of one block a stage, but two in the first, on a small image."""

import torch

IMAGE = torch.zeros(1, 3, 64, 64)


def torchvision():
    from torchvision.models.resnet import BasicBlock, ResNet

    return ResNet(BasicBlock, [2, 1, 1, 1], num_classes=10), (IMAGE,)


def timm():
    from timm.models.resnet import Bottleneck, ResNet

    return ResNet(Bottleneck, (2, 1, 1, 1), num_classes=10), (IMAGE,)
