import itertools

import torch
import torch.nn as nn


def test_output_size(exercise):
    for size, kernel, stride, padding, dilation in itertools.product((8, 13), (1, 2, 3), (1, 2, 3), (0, 1), (1, 2)):
        expected = nn.Conv1d(1, 1, kernel, stride, padding, dilation)(torch.zeros(1, 1, size)).shape[-1]
        got = exercise.output_size(size, kernel, stride, padding, dilation)
        assert got == expected, (
            f"called    output_size({size}, kernel={kernel}, stride={stride}, padding={padding}, dilation={dilation})\n"
            f"got       {got}\nexpected  {expected}\n"
            "usually   a dilated kernel covers dilation · (kernel - 1) + 1; padding is at both ends; round down before adding the first place"
        )


def test_receptive_field(exercise):
    lenet = [(5, 1, 1), (2, 2, 1), (5, 1, 1), (2, 2, 1)]
    for layers in (
        lenet[:1],
        lenet[:2],
        lenet[:3],
        lenet,
        [(3, 1, 1), (3, 1, 2), (3, 1, 4)],
        [(7, 2, 1), (3, 2, 1), (3, 1, 3)],
    ):
        convs = [nn.Conv1d(1, 1, k, s, dilation=d, bias=False).double() for k, s, d in layers]
        x = torch.zeros(1, 1, 101, dtype=torch.float64, requires_grad=True)
        h = x
        for conv in convs:
            nn.init.ones_(conv.weight)
            h = conv(h)
        (h[0, 0, 3] + 0 * h.sum()).backward()
        touched = x.grad[0, 0].nonzero()
        expected = int(touched.max() - touched.min()) + 1
        got = exercise.receptive_field(layers)
        assert got == expected, (
            f"called    receptive_field({layers}), of (kernel, stride, dilation)\ngot       {got}\nexpected  {expected}\n"
            "usually   a layer adds (kernel - 1) · dilation, times the strides of the layers BEFORE it"
        )


def test_parameter_count(exercise):
    for channels, kernels in ([[1, 6], [5]], [[3, 64, 64, 128], [3, 3, 1]]):
        net = nn.Sequential(*(nn.Conv2d(a, b, k) for a, b, k in zip(channels, channels[1:], kernels)))
        expected, got = sum(p.numel() for p in net.parameters()), exercise.parameter_count(channels, kernels)
        assert got == expected, (
            f"called    parameter_count({channels}, {kernels})\ngot       {got}\nexpected  {expected}\n"
            "usually   k × k weights for each pair of channels, and one bias for each output channel"
        )
