import pytest
import torch
import torch.nn.functional as F
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from dlfs.grading import expect


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def test_rates_fall_in_a_straight_line(exercise):
    usually = (
        "l counts from 1, so that the last block survives with exactly p_L, and the first already a little less than 1"
    )
    expect(exercise.survival_rates(4, 0.5), [0.875, 0.75, 0.625, 0.5], "survival_rates(4, last=0.5)", usually)
    expect(exercise.survival_rates(1, 0.8), [0.8], "survival_rates(1, last=0.8)", usually)


def test_in_evaluation_nothing_is_left_out(exercise):
    x = torch.randn(8, 3, 2, 2)
    got = exercise.drop_path(x, 0.5, training=False)
    expect(
        got,
        x,
        "drop_path(branch (8, 3, 2, 2), survival=0.5, training=False)",
        "in evaluation the branch is used as it is",
    )


def test_each_example_is_kept_or_left_out_whole(exercise):
    got = exercise.drop_path(torch.ones(64, 3, 2, 2), 0.5, training=True)
    rows = got.reshape(64, 12)
    assert (rows == rows[:, :1]).all(), (
        "an example's branch is kept whole or left out whole: draw (B, 1, 1, 1), not each element"
    )
    assert 0 < (rows[:, 0] == 0).sum() < 64, (
        "of 64 examples all had one fate: each example gets its own draw, of shape (B, 1, 1, 1)"
    )


def test_what_survives_makes_up_for_what_does_not(exercise):
    x = torch.randn(4000, 1, 1, 1)
    got = exercise.drop_path(x, 0.8, training=True)
    kept = (got != 0).flatten()
    share = kept.float().mean().item()
    assert abs(share - 0.8) < 0.03, (
        f"with survival=0.8, {share:.0%} were kept: an example survives with probability `survival`"
    )
    called = "drop_path(branch (4000, 1, 1, 1), survival=0.8, training=True), where it is not 0"
    expect(
        got[kept],
        x[kept] / 0.8,
        called,
        "what is kept is divided: 1 / survival times the branch, so that the mean is right",
    )


@pytest.mark.parametrize("name", ["StochasticBasicBlock", "StochasticBottleneck"])
def test_only_the_branch_is_left_out(exercise, name):
    kind = BasicBlock if name == "StochasticBasicBlock" else Bottleneck
    block = getattr(exercise, name)(4 * kind.expansion, 4)
    block.survival = 0.5
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter)  # a bias in each BatchNorm, and no factor that is 1
    twin = kind(4 * kind.expansion, 4)
    twin.load_state_dict(block.state_dict())
    x = torch.randn(32, 4 * kind.expansion, 3, 3)

    block.eval(), twin.eval()
    expect(block(x), twin(x), f"{name}.eval()(x {tuple(x.shape)})", "in evaluation the block is torchvision's")

    shortcut_only, norm = F.relu(x), twin.bn2 if kind is BasicBlock else twin.bn3
    norm.register_forward_hook(lambda module, inputs, output: 2 * output)
    both = twin(x)  # 1 / 0.5 times the branch
    block.training = True  # and the BatchNorms in evaluation, so that examples do not mix
    got = block(x)
    for i in range(32):
        is_kept, is_dropped = torch.allclose(got[i], both[i]), torch.allclose(got[i], shortcut_only[i])
        assert is_kept or is_dropped, (
            f"{name}: example {i} is neither relu(shortcut + 2 branch) nor relu(shortcut): the shortcut always goes through, "
            "only the branch is dropped, before the addition"
        )


def test_the_state_dict_is_torchvision_s(exercise):
    model = exercise.stochastic_resnet(exercise.StochasticBasicBlock, [1, 1, 1, 1], num_classes=10)
    twin = ResNet(BasicBlock, [1, 1, 1, 1], num_classes=10)
    assert list(model.state_dict()) == list(twin.state_dict()), (
        "the names in the state dict changed, so that no checkpoint loads: do not wrap a layer, hook it"
    )


def test_each_block_has_its_rate(exercise):
    model = exercise.stochastic_resnet(exercise.StochasticBottleneck, [1, 2, 1, 1], last=0.5, num_classes=10)
    got = [block.survival for stage in (model.layer1, model.layer2, model.layer3, model.layer4) for block in stage]
    usually = "the rates fall over all blocks of the net, from layer1.0 to the end of layer4, not anew in each stage"
    expect(got, [0.9, 0.8, 0.7, 0.6, 0.5], "[block.survival for each block] of layers=[1, 2, 1, 1], last=0.5", usually)
