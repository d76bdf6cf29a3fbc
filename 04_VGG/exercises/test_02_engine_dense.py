import numpy as np

import framework as torch
import framework.nn as nn
from dlfs.grading import expect

LAID_OUT = (
    "the weight is (out, channels · size · size), channel by channel and row by row: reshape it, transpose nothing"
)


def net():
    """A small VGG on images of 8 × 8: features down to 4 maps of 2 × 2, and three linear layers."""
    torch.manual_seed(0)
    features = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), *[nn.Conv2d(4, 4, 2, 2) for _ in range(2)])
    return features, [nn.Linear(16, 6), nn.Linear(6, 5), nn.Linear(5, 3)]


def plain(features, linears, x):
    """The net as it was trained: maps laid out, linear layers with ReLUs between them."""
    h = features(x).flatten(1)
    for linear in linears[:-1]:
        h = linear(h).relu()
    return linears[-1](h)


def images(*shape):
    return torch.tensor(np.random.default_rng(1).standard_normal(shape).astype(np.float32))


def test_a_linear_layer_as_a_convolution(exercise):
    linear, m = nn.Linear(2 * 3 * 3, 5), images(4, 2, 3, 3)
    conv = exercise.to_convolution(linear, 2, 3)
    assert isinstance(conv, nn.Conv2d), f"to_convolution gave a {type(conv).__name__}, expected an nn.Conv2d"
    got = conv(m)
    assert tuple(got.shape) == (4, 5, 1, 1), (
        f"on maps (4, 2, 3, 3) it gives {tuple(got.shape)}, expected (4, 5, 1, 1): the kernel is as large as the map, no padding"
    )
    expected = linear(m.flatten(1))
    expect(
        got.flatten(1),
        expected,
        "to_convolution(Linear(18, 5), channels=2, size=3)(maps (4, 2, 3, 3))",
        LAID_OUT + "; the bias comes along",
        1e-5,
    )


def test_on_the_training_size_nothing_changes(exercise):
    features, linears = net()
    x = images(2, 3, 8, 8)
    got = exercise.DenseVGG(features, linears, 2)(x)
    usually = "a ReLU between any two of the linear layers, and none after the last"
    expect(
        got,
        plain(features, linears, x),
        "DenseVGG(…, size=2)(x (2, 3, 8, 8)), against the net as it was",
        usually,
        1e-5,
    )


def test_on_a_larger_image_it_is_the_mean_over_all_places(exercise):
    features, linears = net()
    x = images(2, 3, 12, 8)
    maps = features(x)  # (2, 4, 3, 2): two places for a window of 2 × 2
    windows = [plain(nn.Identity(), linears, maps[:, :, i : i + 2]) for i in range(2)]
    usually = "the classifier runs at every place, with its ReLUs, and the scores are averaged at the very end"
    got = exercise.DenseVGG(features, linears, 2)(x)
    expect(
        got,
        (windows[0] + windows[1]) / 2,
        "DenseVGG(…, size=2)(x (2, 3, 12, 8)), against both of its windows",
        usually,
        1e-5,
    )


def test_what_it_is_made_of(exercise):
    model = exercise.DenseVGG(*net(), 2)
    got = {name: tuple(p.shape) for name, p in model.named_parameters() if name.endswith("weight")}
    shapes = {"0": (6, 4, 2, 2), "1": (5, 6, 1, 1), "2": (3, 5, 1, 1)}
    expected = {f"classifier.{name}.weight": shape for name, shape in shapes.items()}
    got = {name: shape for name, shape in got.items() if not name.startswith("features.")}
    assert got == expected, (
        f"its classifier's parameters are {got}, expected {expected}: the first kernel is size × size, all others 1 × 1"
    )
    assert any(name.startswith("features.") for name, _ in model.named_parameters()), (
        "features is a part of it: self.features"
    )
    (model(images(1, 3, 8, 8)) ** 2).sum().backward()
    assert all(p.grad is not None for p in model.classifier.parameters()), (
        "no gradient reaches the classifier: its weights are parameters, copied into under no_grad"
    )
