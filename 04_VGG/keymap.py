"""The production twins: torchvision's VGGs.

Nothing is renamed: features.0.weight, features.1.running_mean, classifier.6.bias … are torchvision's names and ours, so that a state dict
of either loads into the other as it is.
"""

import torch.nn as nn
import torch.nn.functional as F
from torchvision.models import vgg


def production_twin(config):
    """torchvision's VGG for a config, with the same forward and loss; None where it has no such net: 1 x 1 convolutions, other channels in."""
    if config.in_channels != 3 or (config.third_1x1 and max(config.layers) > 2):
        return None
    is_vgg = config.hidden == (4096, 4096) and config.channels[-1] == 512 and config.map_size == 7
    return TorchvisionVGG(config) if is_vgg else TorchvisionLayers(config)


def torchvision_table(config):
    """The convolutions' channels, and "M" for a pooling: torchvision's way to write a net down."""
    return [entry for count, channels in zip(config.layers, config.channels) for entry in [*[channels] * count, "M"]]


class TorchvisionVGG(vgg.VGG):
    """torchvision.models.vgg11 … vgg19_bn."""

    def __init__(self, config):
        features = vgg.make_layers(torchvision_table(config), config.batch_norm)
        super().__init__(features, config.num_classes, dropout=config.dropout)

    def loss(self, x, targets):
        return F.cross_entropy(self(x), targets)


class TorchvisionLayers(TorchvisionVGG):
    """torchvision's VGG, its forward and its convolutions, with other linear layers, which it has no arguments for."""

    def __init__(self, config):
        nn.Module.__init__(self)
        self.features = vgg.make_layers(torchvision_table(config), config.batch_norm)
        self.avgpool = nn.AdaptiveAvgPool2d((config.map_size, config.map_size))
        *hidden, last = config.linear_sizes
        layers = []
        for sizes in hidden:
            layers += [nn.Linear(*sizes), nn.ReLU(True), nn.Dropout(config.dropout)]
        self.classifier = nn.Sequential(*layers, nn.Linear(*last))
