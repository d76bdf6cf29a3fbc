"""VGG, level 3: nn.Module, as PyTorch code is written.

Simonyan & Zisserman 2014. `eq. n` is equation (n) of ../theory.md; the gradients are autograd's. Names are torchvision's.
Shapes: B batch, C channels in, M channels out, H x W pixels, H' x W' after pooling, S x S after the last; D inputs and E outputs
of a linear layer; K classes.
"""

import torch.nn as nn
import torch.nn.functional as F

from ..study import VGGConfig

# ---------------------------------------------------------------------------------------------- Initialisation


def init_parameters(layer, config):
    """Weights N(0, 0.01²) or He's, biases 0; BatchNorm starts with γ = 1, β = 0."""
    if hasattr(layer, "weight") and layer.weight.ndim > 1:
        nn.init.normal_(layer.weight, std=config.weight_std(layer.weight.shape))  # eq. 21, 22
        nn.init.zeros_(layer.bias)


# ------------------------------------------------------------------------------------------------------ Layers


def make_features(config):
    """The convolutions, each with its ReLU, and the poolings, in one row: features.0, features.1, …"""
    layers = []
    for kind, *numbers in config.features:
        if kind == "conv":
            in_channels, out_channels, kernel_size = numbers
            layers.append(nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2))  # eq. 1
        elif kind == "bn":
            layers.append(nn.BatchNorm2d(*numbers))  # eq. 4-6
        elif kind == "relu":
            layers.append(nn.ReLU())  # eq. 2
        else:
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2))  # eq. 3
    return nn.Sequential(*layers)


def make_classifier(config):
    """The linear layers, with a ReLU and dropout after each but the last: classifier.0, .3 and .6 in the paper's nets."""
    *hidden, last = config.linear_sizes
    layers = []
    for in_features, out_features in hidden:
        layers += [nn.Linear(in_features, out_features), nn.ReLU(), nn.Dropout(config.dropout)]  # eq. 7-9
    return nn.Sequential(*layers, nn.Linear(*last))  # eq. 7


# ------------------------------------------------------------------------------------------------------- Model


class VGG(nn.Module):
    """x -> stages of 3 x 3 convolutions and max pooling -> linear layers -> logits; trained on softmax cross entropy.

    The parameters are features.0.weight, features.0.bias, …, classifier.0.weight, …: see config.shapes.
    """

    def __init__(self, config: VGGConfig):
        super().__init__()
        self.config = config
        self.features = make_features(config)
        self.classifier = make_classifier(config)
        for layer in self.modules():
            init_parameters(layer, config)

    def forward(self, x):  # (B, C, H, W)
        """The logits (B, K) of the images x (B, C, H, W), of the config's size."""
        self.config.check_input(x)
        h = x
        for layer in self.features:
            h = layer(h)  # (B, M, H, W), or (B, M, H', W') after pooling
        h = h.flatten(1)  # (B, D): channel by channel, each row by row
        for layer in self.classifier:
            h = layer(h)  # (B, E)
        logits = h  # (B, K)
        return logits

    def loss(self, x, targets):  # (B, C, H, W), (B,)
        """The mean cross entropy () of the logits against the class indices targets (B,)."""
        logits = self.forward(x)  # (B, K)
        self.config.check_targets(targets, batch_size=len(x))
        loss = F.cross_entropy(logits, targets)  # (), eq. 10
        return loss
