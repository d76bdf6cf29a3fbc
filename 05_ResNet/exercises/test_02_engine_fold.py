import numpy as np
import pytest

import framework as torch
from dlfs.grading import expect
from framework import nn


def trained(*layers):
    """A Sequential in float64 whose BatchNorms have loud parameters and running statistics."""
    rng = np.random.default_rng(0)
    net = nn.Sequential(*layers).double()
    with torch.no_grad():
        for layer in net:
            if isinstance(layer, nn.BatchNorm2d):
                for tensor in (layer.weight, layer.bias, layer.running_mean):
                    tensor.copy_(torch.tensor(rng.standard_normal(tensor.shape)))
                layer.running_var.copy_(torch.tensor(rng.uniform(0.2, 4, layer.running_var.shape)))
    return net


def image():
    return torch.tensor(np.random.default_rng(1).standard_normal((2, 3, 7, 8)))


@pytest.mark.parametrize("bias", [False, True])
def test_fold(exercise, bias):
    conv, norm = trained(nn.Conv2d(3, 4, 3, stride=2, padding=1, bias=bias), nn.BatchNorm2d(4))
    before = conv.weight.numpy(force=True).copy()
    one = exercise.fold(conv, norm)
    expected = norm.eval()(conv(image()))
    usually = "W' = γ/√(v + ε) · W for each OUTPUT channel; b' = γ/√(v + ε) · (b - m) + β; stride and padding are those of the old one"
    expect(
        one(image()),
        expected,
        f"fold(Conv2d(3, 4, 3, stride=2, padding=1, bias={bias}), norm)(x (2, 3, 7, 8))",
        usually,
        1e-9,
    )
    expect(conv.weight, before, "conv.weight after fold(conv, norm)", "the old layers stay as they are: make a new one")


def test_a_network(exercise):
    net = trained(
        nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 5, 1), nn.ReLU(), nn.BatchNorm2d(5)
    )
    net.train()
    short = exercise.folded(net)
    kinds = [type(layer).__name__ for layer in short]
    expected = ["Conv2d", "ReLU", "Conv2d", "ReLU", "BatchNorm2d"]
    assert kinds == expected, (
        f"folded(…) has the layers {kinds}; {expected} were expected: only a norm that follows a convolution AT ONCE can be folded"
    )
    expect(
        short(image()),
        net.eval()(image()),
        "folded(net)(x (2, 3, 7, 8)) against net.eval()(x)",
        "a BatchNorm that stays must be in evaluation mode",
        1e-9,
    )
    assert len(net) == 6, "net itself has changed: make a new Sequential"
