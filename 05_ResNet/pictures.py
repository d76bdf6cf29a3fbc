"""What `dlfs pictures 05 RUN` draws of a trained ResNet, and of deep nets that nobody has trained yet."""

from functools import partial

import numpy as np

import framework
from utils.data_loaders import CIFAR10_MEAN, CIFAR10_STD, class_names
from utils.training_utils import outputs_of
from utils.visualization import as_pixels, by_layer, confusion_matrix, image_rows

from .numpy.resnet_framework import ResNet
from .study import ResNetConfig, training_batch


def named_blocks(model):
    """The residual blocks in order: ("layer1.0", …), …"""
    return [
        (name, module) for name, module in model.named_modules() if name.startswith("layer") and name.count(".") == 1
    ]


def activations(level, x, y):
    """What each module put out for a batch: {"bn1": (B, C, H, W), "layer1.0": …, "layer1.0.bn2": …}, in evaluation mode."""
    outputs = {}

    def keep(name):
        return lambda module, inputs, output: outputs.__setitem__(name, np.array(output.detach().numpy()))

    hooks = [module.register_forward_hook(keep(name)) for name, module in level.model.named_modules() if name]
    level.predict(*training_batch(level.model.config, x, y, None))
    for hook in hooks:
        hook.remove()
    return outputs


def filters(level, data):
    """The stem's kernels as small colour pictures, each stretched to its own range."""
    kernels = level.model.conv1.weight.detach().numpy().transpose(0, 2, 3, 1)  # (O, 3, 3, 3), colours last
    low, high = (reduce(axis=(1, 2, 3), keepdims=True) for reduce in (kernels.min, kernels.max))
    return image_rows("Kernels of the stem", [("conv1", list((kernels - low) / (high - low)))])


def feature_maps(level, data):
    """One test image through the net: after the stem and each block, the first channels."""
    x, y = data.test.x[[1]], data.test.y[[1]]
    found = activations(level, x, y)
    (image,), _ = training_batch(level.model.config, x, y, None)
    shown = image[0, 0] if len(image[0]) == 1 else as_pixels((image[0] * CIFAR10_STD + CIFAR10_MEAN).clip(0, 1))
    rows = [("image", [shown]), ("stem", list(np.maximum(found["bn1"][0, :12], 0)))]
    rows += [(name, list(found[name][0, :12])) for name, _ in named_blocks(level.model)]
    return image_rows("A test image after the stem and after each block: black is 0", rows)


def one_block(level, data):
    """What the first two blocks add: their input, the residual, and the rectified sum, which is the next block's input."""
    found = activations(level, data.test.x[[1]], data.test.y[[1]])
    rows = [("x", list(np.maximum(found["bn1"][0, :12], 0)))]
    for name, _ in named_blocks(level.model)[:2]:
        rows += [
            (f"{name}: F(x)", list(found[f"{name}.bn2"][0, :12])),
            ("relu(F(x) + S(x))", list(found[name][0, :12])),
        ]
    return image_rows("What the first two blocks add to their input", rows)


def responses(level, data):
    """The deviation of what each block adds, beside that of what it adds it to (after the paper's figure 7)."""
    found = activations(level, data.test.x[:200], data.test.y[:200])
    names = [name for name, _ in named_blocks(level.model)]
    sums = [np.maximum(found["bn1"], 0), *(found[name] for name in names)]
    lines = {
        "block's input x": [float(x.std()) for x in sums[:-1]],
        "residual F(x)": [float(found[f"{name}.bn2"].std()) for name in names],
    }
    return by_layer("How much each block adds", lines, "standard deviation", "block")


def gradient_flow(level, data):
    """How large the loss's gradient is at each block of nets that are 20 and 56 deep, with and without shortcuts, before training."""
    lines = {}
    for depth in (20, 56):
        for label, shortcut in (("ResNet", "A"), ("plain net", "none")):
            config = ResNetConfig.cifar(depth, shortcut=shortcut, in_channels=level.model.config.in_channels)
            framework.manual_seed(0)
            model, outputs = ResNet(config), []
            for _, block in named_blocks(model):
                block.register_forward_hook(lambda module, inputs, output, kept=outputs: kept.append(output))
            inputs, targets = training_batch(config, data.train.x[:32], data.train.y[:32], None)
            loss = model.loss(*map(framework.from_numpy, (*inputs, *targets)))
            for output in outputs:
                output.retain_grad()
            loss.backward()
            norms = [float(output.grad.norm()) for output in outputs]
            lines[f"{label}, {depth} layers: first / last {norms[0] / norms[-1]:,.0f}"] = norms
    return by_layer(
        "Gradients before the first step", lines, "norm of the gradient at the block's output", "block", log=True
    )


def confusion(level, data):
    taken = outputs_of(level, data.test, partial(training_batch, level.model.config)).argmax(axis=1)
    right = 100 * (taken == data.test.y).mean()
    return confusion_matrix(f"{right:.1f} % of the test images are right", data.test.y, taken, class_names(data))


CIFAR10 = {
    "filters": filters,
    "feature-maps": feature_maps,
    "one-block": one_block,
    "responses": responses,
    "gradient-flow": gradient_flow,
    "confusion": confusion,
}
PICTURES = {
    "digits": {name: CIFAR10[name] for name in ("feature-maps", "one-block", "gradient-flow", "confusion")},
    "cifar10": CIFAR10,
    "cifar10-full": CIFAR10,
    "cifar10-small": CIFAR10,
}
