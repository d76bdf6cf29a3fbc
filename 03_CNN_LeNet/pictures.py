"""What `dlfs pictures 03 RUN` draws of a trained LeNet-5, and of the small CNN."""

from functools import partial

import numpy as np

from utils.data_loaders import CIFAR10_CLASSES, CIFAR10_MEAN, CIFAR10_STD
from utils.training_utils import outputs_of
from utils.visualization import confusion_matrix, image_rows

from .study import RBF_CODES, training_batch

DIGITS = [str(digit) for digit in range(10)]


def predict(level, split):
    """The logits (N, 10) of a split."""
    return outputs_of(level, split, partial(training_batch, level.model.config))


def filters(level, data):
    """C1's six kernels, and the sixty of C3 in the places that the paper's table gives them."""
    p = level.model.params
    kernels = level.model.c3_kernels()
    rows = [("C1", list(p["c1.weight"][:, 0]))]
    rows += [(f"C3 from {c}", [kernel if kernel.any() else None for kernel in kernels[:, c]]) for c in range(6)]
    return image_rows("Kernels of C1, and of C3 by the map of S2 that they look at", rows)


def feature_maps(level, data):
    """One test digit in each layer; and beside F6, as a bitmap, the code of its class."""
    index = int(np.flatnonzero(data.test.y == 3)[0])
    inputs, targets = training_batch(level.model.config, data.test.x[[index]], data.test.y[[index]], None)
    level.predict(inputs, targets)
    cache = level.model.cache
    rows = [("input", [cache["x"][0, 0]])]
    rows += [(name, list(cache[h][0])) for name, h in (("C1", "h1"), ("S2", "h2"), ("C3", "h3"), ("S4", "h4"))]
    rows += [("C5", [cache["h5"][0].reshape(12, 10)])]
    rows += [("F6, code", [cache["h6"][0].reshape(12, 7), RBF_CODES[targets[0][0]].reshape(12, 7)])]
    return image_rows("A 3 on its way through LeNet-5: black is low, white is high", rows)


def codes(level, data):
    """The ten codes, and below each what F6 shows for a test digit, and what it shows on average."""
    shown, means = [], []
    for digit in range(10):
        split = np.flatnonzero(data.test.y == digit)[:200]
        inputs, targets = training_batch(level.model.config, data.test.x[split], data.test.y[split], None)
        level.predict(inputs, targets)
        h6 = level.model.cache["h6"].reshape(-1, 12, 7)
        shown.append(h6[0])
        means.append(h6.mean(axis=0))
    rows = [("code", list(RBF_CODES.reshape(10, 12, 7))), ("F6, one digit", shown), ("F6, mean", means)]
    return image_rows("What F6 is asked to draw, and what it draws", rows)


def digit_confusion(level, data):
    logits = predict(level, data.test)
    wrong = int((logits.argmax(axis=1) != data.test.y).sum())
    return confusion_matrix(
        f"{wrong} of {len(data.test):,} test digits are taken for another", data.test.y, logits.argmax(axis=1), DIGITS
    )


def worst_digits(level, data):
    """The mistakes that the network is surest of."""
    logits = predict(level, data.test)
    taken, true = logits.argmax(axis=1), data.test.y
    sureness = logits.max(axis=1) - logits[np.arange(len(true)), true]
    worst = np.argsort(-sureness)[:30]
    worst = worst[taken[worst] != true[worst]]
    rows = [("", [1 - data.test.x[i, 0] for i in worst[start : start + 10]]) for start in range(0, len(worst), 10)]
    captions = [[f"{true[i]} → {taken[i]}" for i in worst[start : start + 10]] for start in range(0, len(worst), 10)]
    return image_rows("Test digits furthest on the wrong side: true → taken for", rows, captions)


def colour_filters(level, data):
    """conv1's kernels as small colour pictures, each stretched to its own range."""
    kernels = level.model.params["conv1.weight"].transpose(0, 2, 3, 1)  # (O, 3, 3, 3), colours last
    low, high = (reduce(axis=(1, 2, 3), keepdims=True) for reduce in (kernels.min, kernels.max))
    kernels = (kernels - low) / (high - low)
    rows = [("conv1" if start == 0 else "", list(kernels[start : start + 16])) for start in range(0, len(kernels), 16)]
    return image_rows("Kernels of the first convolution", rows)


def photograph_maps(level, data):
    """One test photograph after each block."""
    inputs, targets = training_batch(level.model.config, data.test.x[[1]], data.test.y[[1]], None)
    level.predict(inputs, targets)
    cache = level.model.cache
    picture = (cache["h0"][0] * CIFAR10_STD + CIFAR10_MEAN).transpose(1, 2, 0).clip(0, 1)
    rows = [("photograph", [picture])]
    rows += [(f"block {i}", list(cache[f"h{i}"][0, :16])) for i in range(1, level.model.config.num_blocks + 1)]
    return image_rows("A ship, and the first 16 channels after each block", rows)


def photograph_confusion(level, data):
    taken = predict(level, data.test).argmax(axis=1)
    right = 100 * (taken == data.test.y).mean()
    return confusion_matrix(f"{right:.1f} % of the test photographs are right", data.test.y, taken, CIFAR10_CLASSES)


MNIST = {
    "filters": filters,
    "feature-maps": feature_maps,
    "codes": codes,
    "confusion": digit_confusion,
    "worst": worst_digits,
}
PICTURES = {
    "digits": MNIST,
    "mnist": MNIST,
    "cifar10": {"filters": colour_filters, "feature-maps": photograph_maps, "confusion": photograph_confusion},
}
