import pytest
import timm
import torch

from dlfs.grading import expect


def vit(**options):
    torch.manual_seed(0)
    small = dict(img_size=32, patch_size=8, embed_dim=16, depth=3, num_heads=2, num_classes=5)
    return timm.models.VisionTransformer(**{**small, **options})


def images():
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def by_hand(model, x):
    """The weights from each block's input, by the layers' own parameters."""
    found = []
    h = model._pos_embed(model.patch_embed(x))
    for block in model.blocks:
        a = block.attn
        q, k, _ = a.qkv(block.norm1(h)).unflatten(2, (3, a.num_heads, -1)).permute(2, 0, 3, 1, 4)
        found.append(torch.softmax(a.q_norm(q) @ a.k_norm(k).transpose(2, 3) * a.scale, dim=-1))
        h = block(h)
    return torch.stack(found)


@pytest.mark.parametrize("options", [{}, dict(qk_norm=True), dict(reg_tokens=2)], ids=["plain", "qk_norm", "registers"])
def test_the_weights_are_those_that_the_model_uses(exercise, options):
    model, x = vit(**options).eval(), images()
    with torch.no_grad():
        expected = by_hand(model, x)
    expect(
        exercise.attention_maps(model, x),
        expected,
        "attention_maps(model, x (2, 3, 32, 32))",
        "after the softmax, block by block",
        1e-4,
    )


def test_of_the_model_in_evaluation(exercise):
    model, x = vit(attn_drop_rate=0.5), images()
    model.train()
    got = exercise.attention_maps(model, x)
    expect(
        got.sum(-1),
        torch.ones(got.shape[:-1]),
        "the rows of attention_maps(a model in training with dropout)",
        "in evaluation there is no dropout, and rows add up to 1",
        1e-4,
    )
    assert not got.requires_grad, "the maps hold a graph: compute them without gradient"


def test_the_model_is_left_as_it_was(exercise):
    model, x = vit(), images()
    for training in (True, False):
        model.train(training)
        exercise.attention_maps(model, x)
        assert model.training is training, f"model.training was {training} and is {model.training}: put the mode back"
    switches = [block.attn.fused_attn for block in model.blocks]
    assert all(switches), f"fused_attn is {switches}: put the switch back, or the model stays slow"
    hooks = [len(module._forward_hooks) for module in model.modules() if module._forward_hooks]
    assert not hooks, f"{len(hooks)} modules keep a hook: remove the handles"


def test_it_is_left_so_after_an_error_too(exercise):
    model = vit()
    with pytest.raises(AssertionError):
        exercise.attention_maps(model, torch.zeros(1, 3, 31, 31))
    clean = model.training and all(b.attn.fused_attn and not b.attn.attn_drop._forward_hooks for b in model.blocks)
    assert clean, "after an image of the wrong size the model is not as it was: restore it in a finally"


def test_rollout(exercise):
    maps = torch.rand(3, 2, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    maps = maps / maps.sum(-1, keepdim=True)
    half = [(m.mean(1) + torch.eye(5)) / 2 for m in maps]
    expect(exercise.rollout(maps[:1]), half[0], "rollout of one block", "half the heads' mean, half the identity", 1e-5)
    expect(
        exercise.rollout(maps),
        half[2] @ half[1] @ half[0],
        "rollout of three blocks",
        "the later block stands on the left",
        1e-5,
    )
