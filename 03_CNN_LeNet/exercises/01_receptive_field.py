"""Sizes, receptive fields and parameter counts of convolutional nets."""


def output_size(size, kernel, stride=1, padding=0, dilation=1):
    """How many outputs a convolution has along a side of so many inputs."""
    covered = dilation * (kernel - 1) + 1
    return (size + 2 * padding - covered) // stride + 1


def receptive_field(layers):
    """How many inputs, along a side, lie from the first to the last that one output depends on.

    layers: (kernel, stride, dilation) of each, first layer first.
    """
    field, jump = 1, 1
    for kernel, stride, dilation in layers:
        field += (kernel - 1) * dilation * jump
        jump *= stride
    return field


def parameter_count(channels, kernels):
    """Weights and biases of dense convolutions from channels[i] to channels[i + 1] with kernels[i] × kernels[i]."""
    return sum((before * k * k + 1) * after for before, after, k in zip(channels, channels[1:], kernels))
