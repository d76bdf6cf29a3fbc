"""Dense evaluation (Simonyan & Zisserman 2014): linear layers as convolutions, so that an image may have any size."""

import framework as torch
import framework.nn as nn
import framework.nn.functional as F


def to_convolution(linear, channels, size):
    """The nn.Conv2d that does to maps (channels, size, size) what the linear layer does to them laid out as one row."""
    conv = nn.Conv2d(channels, linear.out_features, size)
    with torch.no_grad():
        conv.weight.copy_(linear.weight.reshape(linear.out_features, channels, size, size))
        conv.bias.copy_(linear.bias)
    return conv


class DenseVGG(nn.Module):
    """features, then the linear layers as convolutions; the scores are a mean over all places."""

    def __init__(self, features, linears, size):
        super().__init__()
        self.features = features
        channels, first, *others = linears[0].in_features // size**2, *linears
        convolutions = [to_convolution(first, channels, size)]
        convolutions += [to_convolution(linear, linear.in_features, 1) for linear in others]
        self.classifier = nn.ModuleList(convolutions)

    def forward(self, x):  # (B, 3, H, W)
        """The logits, (B, K)."""
        h = self.features(x)  # (B, C, H', W')
        *hidden, last = self.classifier
        for conv in hidden:
            h = F.relu(conv(h))
        return last(h).mean((2, 3))  # (B, K)
