"""What `dlfs pictures 04 RUN` draws of a trained VGG: what it sees, and what it looked at; and what the paper's nets start as."""

from functools import partial

import numpy as np

import framework
from utils.data_loaders import Split, class_names
from utils.training_utils import outputs_of
from utils.visualization import as_pixels, by_layer, confusion_matrix, image_rows

from .numpy.vgg_framework import VGG
from .study import VGGConfig, training_batch

SHOWN = 12  # images, or channels, in a row


def layer_outputs(model, x):
    """What each layer before the linear ones puts out for a batch: [(kind, (B, C, H, W)), …]."""
    outputs, h = [], x
    for (kind, *_), layer in zip(model.config.features, model.features):
        h = layer(h)
        outputs.append((kind, h))
    return outputs


def filters(level, data):
    """The first convolution's kernels as small colour pictures, each stretched to its own range."""
    kernels = level.state()["features.0.weight"].transpose(0, 2, 3, 1)  # (M, 3, 3, C), colours last
    low, high = (reduce(axis=(1, 2, 3), keepdims=True) for reduce in (kernels.min, kernels.max))
    kernels = list((kernels - low) / (high - low))
    return image_rows("Kernels of the first convolution", [("", kernels[i : i + 16]) for i in range(0, len(kernels), 16)])  # fmt: skip


def feature_maps(level, data):
    """One test image through the net: the first channels of what comes out of each stage, after its pooling."""
    (x,), _ = training_batch(level.model.config, data.test.x[[1]], data.test.y[[1]], None)
    level.train(False)
    with level.library.no_grad():
        outputs = layer_outputs(level.model, level.tensor(x))
    rows, stage = [("image", [as_pixels(data.test.x[1])])], 0
    for i, (kind, h) in enumerate(outputs):
        last_before_pooling = kind == "relu" and outputs[i + 1][0] == "pool"
        if last_before_pooling:
            stage += 1
            h = h.numpy()[0]
            rows.append((f"stage {stage}: {h.shape[1]} × {h.shape[2]}", list(h[:SHOWN])))
    return image_rows("A test image after the last convolution of each stage: black is 0", rows)


def saliency_maps(level, x, y):
    """For each image of a batch, how much each pixel would change the score of class y: (B, H, W), theory.md's eq. 26."""
    (inputs,), _ = training_batch(level.model.config, x, y, None)
    level.train(False)
    tensor = level.tensor(inputs).requires_grad_()
    scores = level.model.forward(tensor)  # (B, K)
    scores[list(range(len(y))), y.tolist()].sum().backward()
    return np.abs(tensor.grad.numpy()).max(axis=1)


def saliency(level, data):
    """A test image of each class, that the net gets right, and below it where its score would change most."""
    found = predictions(level, Split(data.test.x[:1000], data.test.y[:1000]))
    right = [np.flatnonzero((data.test.y[:1000] == k) & (found == k)) for k in range(10)]
    chosen = np.array([indices[0] for indices in right if len(indices)])
    x, y = data.test.x[chosen], data.test.y[chosen]
    maps = [m / m.max() for m in saliency_maps(level, x, y)]
    captions = [[class_names(data)[k] for k in y], [""] * len(y)]
    rows = [("image", [as_pixels(image) for image in x]), ("saliency", maps)]
    return image_rows("Where a change would change the score of the class most", rows, captions)


def signal(level, data):
    """How large the numbers are after each convolution of the paper's nets before training, for two ways to start them."""
    lines = {}
    x = np.random.default_rng(0).standard_normal((1, 3, 32, 32)).astype(np.float32)
    for init, label in (("he", "He's"), ("normal", "N(0, 0.01²)")):
        for net in "ADE":
            framework.manual_seed(0)
            config = VGGConfig.table1(net, image_size=32, hidden=(), num_classes=10, init=init)
            with framework.no_grad():
                outputs = layer_outputs(VGG(config), framework.from_numpy(x))
            sizes = [float((h * h).mean()) ** 0.5 for kind, h in outputs if kind == "relu"]
            lines[f"net {net}, {label}"] = sizes
    return by_layer("The signal before the first step", lines, "root mean square after the ReLU", "convolution", log=True)  # fmt: skip


def predictions(level, split):
    """The class (N,) that each example of a split is taken for."""
    return outputs_of(level, split, partial(training_batch, level.model.config)).argmax(axis=1)


def confusion(level, data):
    taken = predictions(level, data.test)
    right = 100 * (taken == data.test.y).mean()
    return confusion_matrix(f"{right:.1f} % of the test images are right", data.test.y, taken, class_names(data))


CIFAR10 = {
    "filters": filters,
    "feature-maps": feature_maps,
    "saliency": saliency,
    "signal": signal,
    "confusion": confusion,
}
PICTURES = {
    "digits": {name: CIFAR10[name] for name in ("feature-maps", "saliency", "signal", "confusion")},
    "cifar10": CIFAR10,
    "cifar10-full": CIFAR10,
}
