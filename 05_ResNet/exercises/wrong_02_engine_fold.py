from dlfs.exercises import Wrong

WRONG = [
    Wrong(
        "the input channels are scaled",
        "scale.reshape(-1, 1, 1, 1) * conv.weight",
        "scale.reshape(-1, 1, 1, 1)[:3].reshape(1, -1, 1, 1) * conv.weight if conv.weight.shape[1] == 3 else conv.weight",
        "each OUTPUT channel",
    ),
    Wrong(
        "the convolution's bias is forgotten",
        "scale * (bias - norm.running_mean)",
        "scale * (0 - norm.running_mean)",
        "(b - m)",
    ),
    Wrong(
        "the bias is not scaled",
        "scale * (bias - norm.running_mean) + norm.bias",
        "bias - scale * norm.running_mean + norm.bias",
        "(b - m)",
    ),
    Wrong(
        "divided by the variance", "(norm.running_var + norm.eps).sqrt()", "(norm.running_var + norm.eps)", "√(v + ε)"
    ),
    Wrong(
        "stride and padding are lost",
        "conv.kernel_size, conv.stride, conv.padding, dtype",
        "conv.kernel_size, (1, 1), conv.padding, dtype",
        "expected  shape",
    ),
    Wrong(
        "the old weight is written into",
        "        one.weight.copy_",
        "        conv.weight.mul_(1.5)\n        one.weight.copy_",
        "the old layers stay as they are",
    ),
    Wrong(
        "a norm that cannot be folded is dropped",
        "            layers.append(layer)\n",
        "            layers += [] if isinstance(layer, nn.BatchNorm2d) else [layer]\n",
        "AT ONCE",
    ),
    Wrong("left in training mode", "nn.Sequential(*layers).eval()", "nn.Sequential(*layers)", "in evaluation mode"),
]
