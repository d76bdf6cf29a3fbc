import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dlfs.grading import expect

SETTINGS = [(1, 0, 1), (1, 0, 2), (2, 0, 1), (1, 2, 1), (2, 3, 2), (3, 1, 3)]  # stride, padding, dilation


def problem(stride, padding, dilation):
    rng = np.random.default_rng(0)
    x, weight, bias = rng.standard_normal((2, 3, 9, 8)), rng.standard_normal((4, 3, 3, 3)), rng.standard_normal(4)
    tensors = [torch.tensor(a, requires_grad=True) for a in (x, weight, bias)]
    z = F.conv2d(*tensors, stride=stride, padding=padding, dilation=dilation)
    dz = rng.standard_normal(z.shape)
    z.backward(torch.tensor(dz))
    return x, weight, bias, z, dz, [t.grad for t in tensors]


def test_one_dilated_patch(exercise):
    x = np.arange(5.0).reshape(1, 1, 1, 5).repeat(5, axis=2)
    got = exercise.forward(x, np.ones((1, 1, 3, 3)), np.zeros(1), 1, 0, 2)
    expect(
        got,
        [[[[18.0]]]],
        "forward(x (1, 1, 5, 5), rows 0 1 2 3 4, weight of ones (1, 1, 3, 3), dilation=2)",
        "the taps lie dilation pixels apart, at s m + d i",
    )


@pytest.mark.parametrize(("stride", "padding", "dilation"), SETTINGS)
def test_forward(exercise, stride, padding, dilation):
    x, weight, bias, z, _, _ = problem(stride, padding, dilation)
    got = exercise.forward(x, weight, bias, stride, padding, dilation)
    called = f"forward(x (2, 3, 9, 8), weight (4, 3, 3, 3), bias (4,), stride={stride}, padding={padding}, dilation={dilation})"
    expect(
        got,
        z,
        called,
        "output (m, n) meets weight (i, j) at the input s m + d i, s n + d j: the kernel is not flipped, and the bias is added once",
    )


@pytest.mark.parametrize(("stride", "padding", "dilation"), SETTINGS)
def test_backward(exercise, stride, padding, dilation):
    x, weight, _, _, dz, (dx, dweight, dbias) = problem(stride, padding, dilation)
    got = exercise.backward(dz, x, weight, stride, padding, dilation)
    called = (
        f"backward(dz, x (2, 3, 9, 8), weight (4, 3, 3, 3), stride={stride}, padding={padding}, dilation={dilation})"
    )
    expect(got[2], dbias, called + "[2], dbias", "the bias was added to each pixel of each example: sum over both")
    expect(
        got[1],
        dweight,
        called + "[1], dweight",
        "each weight meets the slice of the PADDED input that it met in forward, at i · dilation, stride apart",
    )
    expect(
        got[0],
        dx,
        called + "[0], dx",
        "an input meets several weights: += into its slice; then cut the padding off, [p : p + H]",
    )
