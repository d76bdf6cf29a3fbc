import pytest
import torch
import torchvision
from timm.models.resnet import Bottleneck, ResNet

from dlfs.grading import expect


@pytest.fixture
def pair(exercise):
    """The layer under test, and torchvision's with the same weights, loud ones."""
    torch.manual_seed(0)
    layer, twin = exercise.SqueezeExcitation(32, reduction=8), torchvision.ops.SqueezeExcitation(32, 4)
    state = {name: 3 * torch.randn_like(value) for name, value in twin.state_dict().items()}
    twin.load_state_dict(state)
    layer.load_state_dict(state)
    return layer, twin


def test_names_and_shapes_of_the_parameters(exercise):
    got = {name: tuple(p.shape) for name, p in exercise.SqueezeExcitation(64).named_parameters()}
    expected = {"fc1.weight": (4, 64, 1, 1), "fc1.bias": (4,), "fc2.weight": (64, 4, 1, 1), "fc2.bias": (64,)}
    assert got == expected, f"SqueezeExcitation(64) has {got}; with a reduction of 16 they are {expected}"


def test_an_image_s_gate_depends_on_that_image_alone(pair):
    layer, _ = pair
    u = torch.randn(4, 32, 3, 5)
    got, alone = layer(u), torch.cat([layer(u[i : i + 1]) for i in range(4)])
    expect(
        got,
        alone,
        "forward(u (4, 32, 3, 5)), against its images one by one",
        "the mean is over the pixels, dims 2 and 3, only",
    )


def test_it_is_torchvision_s(pair):
    layer, twin = pair
    u = torch.randn(4, 32, 3, 5)
    got = layer(u)
    gates = got / u
    assert ((gates > -1e-6) & (gates < 1 + 1e-6)).all(), (
        f"out / u is a gate, between 0 and 1: got {gates.min():.3g} to {gates.max():.3g}. The last step is a sigmoid, and a product"
    )
    expect(
        got, twin(u), "forward(u (4, 32, 3, 5))", "mean over pixels, fc1, relu, fc2, sigmoid of each channel, times u"
    )


def test_device_and_dtype_reach_the_parameters(exercise):
    layer = exercise.SqueezeExcitation(32, device="meta", dtype=torch.float64)
    got = {(p.device.type, p.dtype) for p in layer.parameters()}
    assert got == {("meta", torch.float64)}, (
        f"SqueezeExcitation(32, device='meta', dtype=float64) has parameters on {got}"
    )


def test_every_block_has_one(exercise):
    model = exercise.se_resnet("resnet50", device="meta")
    blocks = [module for module in model.modules() if isinstance(module, Bottleneck)]
    count = sum(isinstance(block.se, exercise.SqueezeExcitation) for block in blocks)
    assert count == 16, f"{count} of resnet50's 16 blocks have your layer as .se: block_args reach every block"
    parameters = sum(p.numel() for p in model.parameters())
    assert parameters == 28_088_024, (
        f"se_resnet('resnet50') has {parameters:,} parameters, timm's seresnet50 28,088,024"
    )


def test_the_net_computes_what_timm_s_does(exercise, monkeypatch):
    import timm

    options = dict(layers=(1, 1, 1, 1), num_classes=10)
    twin = ResNet(Bottleneck, block_args=dict(attn_layer="se"), **options).eval()
    monkeypatch.setattr(timm, "create_model", lambda name, **given: ResNet(Bottleneck, **options, **given))
    with torch.no_grad():  # timm starts each branch's last γ at 0, and nothing would reach the output
        for parameter in twin.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    model = exercise.se_resnet("a small one").eval()
    model.load_state_dict(twin.state_dict())
    x = torch.randn(2, 3, 64, 64)
    expect(
        model(x),
        twin(x),
        "se_resnet(…)(x (2, 3, 64, 64))",
        "the layer belongs at the end of the branch: timm puts it there",
        1e-5,
    )
