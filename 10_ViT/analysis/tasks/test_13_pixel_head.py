import pytest
import timm
import torch
import torch.nn.functional as F

from dlfs.grading import expect


def vit(**options):
    torch.manual_seed(0)
    small = dict(img_size=32, patch_size=8, embed_dim=16, depth=1, num_heads=2, num_classes=5)
    return timm.models.VisionTransformer(**{**small, **options}).eval()


@pytest.mark.parametrize("size", [(32, 32), (16, 40)], ids=["square", "wide"])
@pytest.mark.parametrize("registers", [0, 3])
def test_a_token_is_where_its_patch_is(exercise, size, registers):
    model = exercise.Segmenter(vit(img_size=size, reg_tokens=registers), 4)
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1))
    n, m = size[0] // 8, size[1] // 8
    with torch.no_grad():
        scores = model.head(model.backbone.forward_features(x)[:, -n * m :])  # (B, N, K)
        maps = torch.stack([torch.stack([scores[:, i * m + j] for j in range(m)], -1) for i in range(n)], -2)
        got = model(x)
    assert got.shape == (2, 4, *size), (
        f"the logits are {tuple(got.shape)}, expected (2, 4, {size[0]}, {size[1]}): a score of each class for each pixel"
    )
    expected = F.interpolate(maps, size=size, mode="bilinear", align_corners=False)
    what = f"Segmenter(…)(x (2, 3, {size[0]}, {size[1]})) with {registers} registers"
    expect(
        got,
        expected,
        what,
        "num_prefix_tokens come before the patches, which are row by row; enlarged bilinearly, align_corners=False",
        1e-4,
    )


def test_head_and_backbone_learn(exercise):
    model = exercise.Segmenter(vit(), 4)
    model(torch.randn(1, 3, 32, 32)).square().sum().backward()
    for name in ("head.weight", "backbone.patch_embed.proj.weight"):
        assert dict(model.named_parameters())[name].grad is not None, f"no gradient reaches {name}"
