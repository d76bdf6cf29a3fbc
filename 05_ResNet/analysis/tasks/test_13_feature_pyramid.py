import pytest
import torch
import torch.nn as nn
import torchvision

from dlfs.grading import expect

WIDTHS = (4, 6, 8, 10)


class Backbone(nn.Module):
    """Stands for a features_only model: four maps, of an odd image's sizes if the image is odd."""

    class feature_info:
        @staticmethod
        def channels():
            return list(WIDTHS)

    def forward(self, x):
        maps = []
        for width in WIDTHS:
            x = nn.functional.max_pool2d(x, 3, stride=2, padding=1)
            maps.append(x.mean(dim=1, keepdim=True) * torch.arange(1.0, width + 1)[:, None, None])
        return maps


@pytest.fixture
def pair(exercise):
    """The pyramid under test on that backbone, and torchvision's with the same weights."""
    torch.manual_seed(0)
    pyramid = exercise.FeaturePyramid(Backbone(), channels=5)
    twin = torchvision.ops.FeaturePyramidNetwork(list(WIDTHS), 5)
    for ours, theirs in ((pyramid.inner, twin.inner_blocks), (pyramid.smooth, twin.layer_blocks)):
        for convolution, block in zip(ours, theirs):
            block[0].load_state_dict(convolution.state_dict())
    return pyramid, lambda x: list(twin(dict(enumerate(Backbone()(x)))).values())


def test_the_convolutions(exercise):
    pyramid = exercise.FeaturePyramid(Backbone(), channels=5)
    inner = [tuple(convolution.weight.shape) for convolution in pyramid.inner]
    smooth = [tuple(convolution.weight.shape) for convolution in pyramid.smooth]
    assert inner == [(5, width, 1, 1) for width in WIDTHS], (
        f"inner has the shapes {inner}: a 1 × 1 convolution for each map"
    )
    assert smooth == [(5, 5, 3, 3)] * 4, f"smooth has the shapes {smooth}: a 3 × 3 convolution for each map"


@pytest.mark.parametrize("size", [(64, 64), (67, 45)], ids=["even", "odd"])
def test_it_is_torchvision_s(pair, size):
    pyramid, twin = pair
    x = torch.randn(2, 3, *size)
    try:
        got = pyramid(x)
    except RuntimeError as error:
        raise AssertionError(
            f"forward(x {tuple(x.shape)}): {error}\nwhere a size is odd, twice the coarser map is not the finer one's size"
        ) from None
    expected = twin(x)
    sizes, right = [tuple(p.shape[-2:]) for p in got], [tuple(p.shape[-2:]) for p in expected]
    assert sizes == right, (
        f"forward(x {tuple(x.shape)}) returns maps of {sizes}, expected {right}: four, the finest first"
    )
    usually = "each level adds the lateral and the map above, nearest neighbour, as it was before it was smoothed"
    for i in reversed(range(4)):
        expect(got[i], expected[i], f"forward(x {tuple(x.shape)})[{i}], which is P{i + 2}", usually, tolerance=1e-5)


def test_it_stands_on_the_four_stages(exercise):
    pyramid = exercise.resnet_pyramid("resnet18", channels=8)
    got = [tuple(p.shape) for p in pyramid(torch.zeros(1, 3, 64, 96))]
    expected = [(1, 8, 16, 24), (1, 8, 8, 12), (1, 8, 4, 6), (1, 8, 2, 3)]
    assert got == expected, (
        f"resnet_pyramid('resnet18', 8)(x (1, 3, 64, 96)): {got}, expected {expected}: strides 4, 8, 16, 32"
    )
    names = [name for name, _ in pyramid.backbone.named_parameters()]
    assert not any(name.startswith("fc") for name in names), (
        "the classifier fc is still there: features_only leaves it out"
    )


def test_gradients_reach_every_parameter(exercise):
    pyramid = exercise.resnet_pyramid("resnet18", channels=8)
    sum(p.square().mean() for p in pyramid(torch.randn(1, 3, 64, 64))).backward()
    without = [name for name, p in pyramid.named_parameters() if p.grad is None]
    assert not without, f"no gradient reaches {', '.join(without)}: are they registered and used?"
