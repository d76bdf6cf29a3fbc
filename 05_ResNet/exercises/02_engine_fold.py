"""BatchNorm folded into the convolution before it, on the engine."""

import framework as torch
from framework import nn


def fold(conv, norm):
    """One convolution that computes what norm(conv(x)) does in evaluation."""
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()  # (O,)
    bias = torch.zeros_like(scale) if conv.bias is None else conv.bias  # (O,)
    one = nn.Conv2d(conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding, dtype=scale.dtype)
    with torch.no_grad():
        one.weight.copy_(scale.reshape(-1, 1, 1, 1) * conv.weight)  # (O, C, k, k)
        one.bias.copy_(scale * (bias - norm.running_mean) + norm.bias)
    return one


def folded(net):
    """The network in evaluation mode, with each BatchNorm that follows a convolution folded into it."""
    layers = []
    for layer in net:
        if isinstance(layer, nn.BatchNorm2d) and layers and isinstance(layers[-1], nn.Conv2d):
            layers[-1] = fold(layers[-1], layer)
        else:
            layers.append(layer)
    return nn.Sequential(*layers).eval()
