"""Vision Transformer at every level: agreement, parity with timm, counts, other image sizes, initialisation, errors; and the mutants that these must catch."""

import math
import re
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import timm
import torch
from timm.layers import resample_abs_pos_embed

from dlfs.compare import BOUND, as_float64, compare_study, loud, relative
from dlfs.levels import TensorLevel, build_level, initial_level, level_names
from dlfs.studies import find_study
from dlfs.trace import record
from tests.model_checks import assert_agreement, assert_evaluations_agree
from tests.mutants import Mutant, assert_caught
from utils.data_loaders import load
from utils.errors import DLFSError
from utils.visualization import save

STUDY = find_study("10")
ViTConfig, VARIANTS, TINY = STUDY.facts.ViTConfig, STUDY.facts.VARIANTS, STUDY.facts.TINY
PUBLISHED = STUDY.facts.PUBLISHED
KEYMAP, PICTURES = STUDY.module("keymap.py"), STUDY.module("pictures.py")
LEVELS = [name for name in level_names(STUDY) if name != "twin"]
NAME = STUDY.facts.MODEL


@pytest.fixture(params=LEVELS)
def build(request):
    """build(config): the level with the weights that its own constructor draws. Arrays go in and come out at each level."""
    return partial(build_level, STUDY, request.param)


def batch_of(config, dtype=np.float64):
    (x,), (targets,) = STUDY.facts.example_batch(config, np.random.default_rng(0))
    return x.astype(dtype), targets


def loud_level(build, config, seed=0):
    """A level in float64 with large weights."""
    rng, level = np.random.default_rng(seed), build(config)
    level.load_state({name: 0.5 * rng.standard_normal(shape) for name, shape in config.shapes.items()})
    return level


def logits_of(level, x):
    return level.predict((x,), (np.zeros(len(x), dtype=np.int64),))[1][0]


# ---------------------------------------------------------------------------- Checks, which mutants must not survive


def check_agreement(build, variant="tiny"):
    """With initial and with loud weights, in float64, the level computes what timm's model computes."""
    assert_agreement(STUDY, build, [variant], ("twin",))


def check_names_and_shapes(build):
    """Names, shapes and their order are those of config.shapes, which test_the_keys_are_timms holds against timm."""
    for config in map(VARIANTS.get, ("tiny", "tiny-grey")):
        level = build(config)
        assert {name: level.state()[name].shape for name in level.parameter_names()} == config.shapes
        assert level.parameter_names() == list(config.shapes)


def check_patches(build):
    """Token (i, j) is made of the pixels of patch (i, j) alone, by eq. 1 and 2."""
    level = loud_level(build, TINY)
    x, targets = batch_of(TINY)
    state, found = level.state(), record(level, (x,), (targets,)).activations[f"{NAME}.forward", "tokens", 0]
    n, P = TINY.grid_size, TINY.patch_size
    assert found.shape == (3, n * n, TINY.embed_dim)
    for i, j in np.ndindex(n, n):
        patch = x[:, :, i * P : (i + 1) * P, j * P : (j + 1) * P]
        expected = np.einsum("bcuv,dcuv->bd", patch, state["patch_embed.proj.weight"]) + state["patch_embed.proj.bias"]
        np.testing.assert_allclose(found[:, i * n + j], expected, rtol=1e-12, atol=1e-12)


def check_positions(build):
    """The class token has a position too; and without positions the patches are a set, whose order changes nothing."""
    level = loud_level(build, TINY)
    x, _ = batch_of(TINY)
    state, before = level.state(), logits_of(level, x)
    moved = {**state, "pos_embed": state["pos_embed"].copy()}
    moved["pos_embed"][:, 0] += np.linspace(-1, 1, TINY.embed_dim)
    level.load_state(moved)
    assert np.abs(logits_of(level, x) - before).max() > 1e-3
    level.load_state({**state, "pos_embed": np.zeros_like(state["pos_embed"])})
    P = TINY.patch_size
    rows = np.concatenate([x[:, :, P:], x[:, :, :P]], axis=2)  # the first row of patches at the end
    np.testing.assert_allclose(logits_of(level, rows), logits_of(level, x), rtol=1e-9)
    level.load_state(state)
    assert np.abs(logits_of(level, rows) - before).max() > 1e-3


def check_initialisation(build):
    """Head, class token and biases 0, γ 1, positions 0.02; matrices uniform by Glorot, q, k and v each; patches by their fan-in."""
    config = replace(TINY, image_size=32, embed_dim=64, depth=2, num_classes=10)
    state = build(config).state()
    assert not logits_of(build(config), batch_of(config, np.float32)[0]).any()
    for name, p in state.items():
        assert p.dtype == np.float32, name
        if name in ("cls_token", "head.weight") or (p.ndim == 1 and name.endswith("bias")):
            assert not p.any(), name
        elif p.ndim == 1:
            assert (p == 1).all(), name
        else:
            limit = None
            if name == "pos_embed":
                std = 0.02
            elif name == "patch_embed.proj.weight":
                std = 1 / math.sqrt(3 * 4 * 4)
            else:
                fans = (64, 64) if "attn" in name else (64, 256)
                limit = math.sqrt(6 / sum(fans))
                std = limit / math.sqrt(3)
            assert abs(p.std() / std - 1) < 0.05 and abs(p.mean()) < 0.1 * std, f"{name}: {p.std()}, expected {std}"
            if limit:
                assert 0.98 * limit < np.abs(p).max() <= limit, name
            else:
                assert np.abs(p).max() > 2.5 * std, name


def check_dropout(build):
    """In evaluation there is none; in training no two passes are alike, and of the embeddings a quarter is 0, the rest 4 / 3 as large."""
    config = replace(TINY, embed_dim=40, dropout=0.25)
    level, plain = loud_level(build, config), loud_level(build, replace(config, dropout=0.0))
    x, targets = batch_of(config)
    np.testing.assert_array_equal(logits_of(level, x), logits_of(plain, x))
    level.train(True)
    first, second = (level.model.forward(level.tensor(x)).detach().numpy() for _ in range(2))
    assert np.abs(first - second).max() > 1e-3
    passed, without = (
        record(one, (x,), (targets,)).activations[f"{NAME}.forward", "h", i] for one, i in ((level, 1), (plain, 0))
    )
    assert abs((passed == 0).mean() - 0.25) < 0.05
    np.testing.assert_allclose(passed[passed != 0], (without / 0.75)[passed != 0])


def check_dropout_places(build):
    """After the attention's output and after both layers of the MLP: four masks with the one of the embeddings, in each block three."""
    config = replace(TINY, embed_dim=40, depth=1, dropout=0.5)
    level = loud_level(build, config)
    x, targets = batch_of(config)
    state = {name: np.zeros_like(array) for name, array in level.state().items()}
    for layer, key in (("attn.proj", "attn"), ("mlp.fc2", "mlp")):
        level.load_state({**state, f"blocks.0.{layer}.bias": np.ones(40)})
        found = record(level, (x,), (targets,)).activations
        added = [value for (function, name, _), value in found.items() if (function, name) == ("Block.forward", "x")][
            -1
        ]
        assert set(np.unique(added)) == {0.0, 2.0}, key
    ones = {"blocks.0.mlp.fc1.bias": np.full(160, 50.0), "blocks.0.mlp.fc2.weight": np.eye(40, 160)}
    level.load_state(state | ones)
    found = record(level, (x,), (targets,)).activations
    added = [value for (function, name, _), value in found.items() if (function, name) == ("Block.forward", "x")][-1]
    assert set(np.unique(added)) == {0.0, 200.0}  # 50 through two masks, each of which doubles


# ----------------------------------------------------------------------------------------------------- Every level


@pytest.mark.parametrize("variant", VARIANTS)
def test_all_levels_agree(variant):
    for comparison in compare_study(STUDY, variant):
        assert comparison.ok, f"{comparison.weights} weights: {comparison.worst}, noisy: {comparison.noisy}"
        assert list(comparison.titles) == ["engine", "engine-lowlevel", "lowlevel", "paper", "twin"]


def test_names_shapes_and_order(build):
    check_names_and_shapes(build)


def test_a_token_is_made_of_its_patch(build):
    check_patches(build)


def test_positions(build):
    check_positions(build)


def test_statistics_at_initialisation(build):
    check_initialisation(build)


def test_dropout(build):
    check_dropout(build)


def test_where_dropout_stands(build):
    check_dropout_places(build)


def test_every_level_learns_the_digits(build):
    """60 steps on the engine and on PyTorch, from the same weights on the same batches."""
    data, recipe = load("digits"), STUDY.facts.RECIPES["digits"]
    config, rng = recipe["config"], np.random.default_rng(0)
    level, losses = build(config), []
    level.load_state(initial_level(STUDY, config, seed=0).state())
    level.use_optimizer("adamw", recipe["lr"], recipe["optimizer_options"])
    for _ in range(60):
        batch = rng.integers(0, len(data.train), size=32)
        losses.append(level.step(*STUDY.facts.training_batch(config, data.train.x[batch], data.train.y[batch], rng)))
    assert losses[0] == pytest.approx(math.log(10), abs=1e-4)  # a head of zeros
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10]), losses


def test_a_key_s_bias_has_no_gradient(build):
    """The second third of qkv.bias, whose other parts have one: theory.md, section 3.4."""
    level = loud_level(build, TINY)
    x, targets = batch_of(TINY)
    for name, gradient in level.evaluate((x,), (targets,)).gradients.items():
        if name.endswith("qkv.bias"):
            of_q, of_k, of_v = np.abs(gradient.reshape(3, -1)).max(axis=1)
            assert of_k < 1e-12 * of_v and of_q > 1e-6 * of_v


# ------------------------------------------------------------------------------------------- Production parity


@pytest.mark.parametrize("variant", ["tiny", "tiny-narrow-mlp"])
def test_production_parity(variant):
    """Every level with timm's own weights, initial and loud: output, hidden states, all gradients, in float64."""
    config = VARIANTS[variant]
    torch.manual_seed(0)
    x, targets = batch_of(config)
    twin = TensorLevel(KEYMAP.timm_vit(config), torch, "timm")
    initial = {name: as_float64(array) for name, array in twin.state().items()}
    states = {"initial": initial, "loud": loud(initial, twin.parameter_names(), np.random.default_rng(0))}
    kept, model = [], twin.model
    for module in (model.pos_drop, *model.blocks, model.norm):
        module.register_forward_hook(lambda module, inputs, output: kept.append(output.detach().numpy()))
    reference = {}
    for weights, state in states.items():
        twin.load_state(state)
        kept.clear()
        twin.predict((x,), (targets,))
        reference[weights] = twin.evaluate((x,), (targets,)), kept[: config.depth + 2]
    for name in LEVELS:
        level = build_level(STUDY, name, config)
        for weights, state in states.items():
            level.load_state(state)
            found = level.evaluate((x,), (targets,))
            theirs, hidden = reference[weights]
            place = f"{level.title}, {weights} weights"
            assert_evaluations_agree(found, theirs, place)
            assert len(found.gradients) == len(config.shapes)
            seen = record(level, (x,), (targets,)).activations
            own = [seen[f"{NAME}.forward", "h", i] for i in range(config.depth + 2)]
            for i, (ours, wanted) in enumerate(zip(own, hidden, strict=True)):
                assert relative(ours, wanted) <= BOUND, f"{place}: h {i}"


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_keys_are_timms(name):
    """timm's own models, whole; nothing is allocated."""
    with torch.device("meta"):
        ours = STUDY.module("paper/vit_paper.py").VisionTransformer(PUBLISHED[name])
        theirs = [timm.create_model(name, num_classes=1000), KEYMAP.timm_vit(PUBLISHED[name])]
    for other in theirs:
        assert {key: tensor.shape for key, tensor in ours.state_dict().items()} == {
            key: tensor.shape for key, tensor in other.state_dict().items()
        }
    assert len(ours.state_dict()) == 8 + 12 * PUBLISHED[name].depth  # 152 of ViT-B


def test_eps_and_gelu_are_those_of_timm_s_vit_base():
    """Of the model as timm makes it by name, which a config of ours must not miss: ε 1e-6, GELU by erf, biases in qkv."""
    with torch.device("meta"):
        theirs = timm.create_model("vit_base_patch16_224")
    assert {m.eps for m in theirs.modules() if isinstance(m, torch.nn.LayerNorm)} == {1e-6}
    assert all(block.mlp.act.approximate == "none" and block.attn.qkv.bias is not None for block in theirs.blocks)
    assert {module.EPS for module in map(STUDY.module, ("paper/vit_paper.py", "pytorch_lowlevel/vit_lowlevel.py"))} == {
        1e-6
    }


# --------------------------------------------------------------------------------------------- Other image sizes


@pytest.mark.parametrize("size", [8, 12, 20, 32])
def test_position_embeddings_for_other_image_sizes_are_timms(size):
    state = build_level(STUDY, "paper", TINY).state()
    config, new = STUDY.facts.resized(state, TINY, size)
    expected = resample_abs_pos_embed(torch.from_numpy(state["pos_embed"]), [size // 4, size // 4])
    np.testing.assert_allclose(new["pos_embed"], expected.numpy(), rtol=0, atol=1e-7)
    assert config == replace(TINY, image_size=size)
    assert all(new[name] is state[name] for name in state if name != "pos_embed")
    level = build_level(STUDY, "paper", config)
    level.load_state(new)
    assert logits_of(level, batch_of(config, np.float32)[0]).shape == (3, 5)


def test_a_model_on_larger_images_is_timms_on_larger_images(build):
    """timm's dynamic_img_size resamples its positions at every call; ours are resampled once."""
    torch.manual_seed(0)
    level = loud_level(build, TINY)
    config, state = STUDY.facts.resized(level.state(), TINY, 24)
    theirs = timm.models.VisionTransformer(
        12, 4, num_classes=5, embed_dim=8, depth=2, num_heads=2, dynamic_img_size=True
    ).double()
    theirs.load_state_dict({name: torch.from_numpy(array) for name, array in level.state().items()})
    larger = build(config)
    larger.load_state(state)
    x, _ = batch_of(config)
    with torch.no_grad():
        expected = theirs(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(logits_of(larger, x), expected, rtol=1e-5, atol=1e-5)  # timm resamples in float32


# --------------------------------------------------------------------------------------------- What the papers say

COUNTS = {
    "vit_tiny_patch16_224": 5_717_416, "vit_small_patch16_224": 22_050_664, "vit_base_patch16_224": 86_567_656,
    "vit_base_patch16_384": 86_859_496, "vit_base_patch32_224": 88_224_232, "vit_large_patch16_224": 304_326_632,
    "vit_large_patch32_224": 306_535_400, "vit_huge_patch14_224": 632_045_800,
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_counts(name):
    """Exactly, of the shapes, ours and timm's; nothing is allocated. The paper rounds: 86, 307 and 632 million."""
    config = PUBLISHED[name]
    assert sum(math.prod(shape) for shape in config.shapes.values()) == COUNTS[name]
    with torch.device("meta"):
        theirs = timm.create_model(name, num_classes=1000)
    assert sum(param.numel() for param in theirs.parameters()) == COUNTS[name]


def test_the_recipes():
    schedule = STUDY.facts.RECIPES["cifar10"]["schedule"]
    factors = [schedule(step, 1000) for step in range(1000)]
    assert 0 < factors[0] < 0.02 and max(factors) == pytest.approx(1) and factors.index(max(factors)) == 100
    assert 0 < factors[-1] < 1e-4
    for recipe in STUDY.facts.RECIPES.values():
        weights = [name for name, shape in recipe["config"].shapes.items() if STUDY.facts.is_weight(name, np.empty(shape))]  # fmt: skip
        assert "cls_token" not in weights and "pos_embed" not in weights
        assert len(weights) == 4 * recipe["config"].depth + 2 and all(name.endswith("weight") for name in weights)
    full = STUDY.facts.RECIPES["cifar10-full"]
    assert sum(math.prod(shape) for shape in full["config"].shapes.values()) == pytest.approx(6.3e6, rel=0.02)
    x = full["augment"](np.random.default_rng(0).random((4, 3, 32, 32), dtype=np.float32))
    assert x.shape == (4, 3, 32, 32) and x.dtype == np.float32 and 0 <= x.min() and x.max() <= 1


# ---------------------------------------------------------------------------------------------------------- Pictures


def test_attention_weights_are_those_that_the_model_used():
    """By the layers' own q and k: rows add up to 1, and weights @ v is what scaled_dot_product_attention gave."""
    level = loud_level(partial(build_level, STUDY, "lowlevel"), TINY)
    x, targets = batch_of(TINY)
    seen = record(level, (x,), (targets,)).activations
    expected = [seen["Attention.forward", "weights", i] for i in range(TINY.depth)]
    for name in ("paper", "engine"):
        other = build_level(STUDY, name, TINY)
        other.load_state(level.state())
        found = PICTURES.attention_weights(other, x)  # (L, B, h, T, T)
        np.testing.assert_allclose(found.sum(axis=-1), 1)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_attention_rollout():
    """Of one block: the mean of attention and identity. Of blocks that only look at themselves: the identity. Rows add up to 1."""
    rng = np.random.default_rng(0)
    weights = rng.random((3, 2, 4, 5, 5))
    weights /= weights.sum(axis=-1, keepdims=True)
    rollout = PICTURES.attention_rollout(weights)  # (B, T, T)
    assert rollout.shape == (2, 5, 5)
    np.testing.assert_allclose(rollout.sum(axis=-1), 1)
    np.testing.assert_allclose(PICTURES.attention_rollout(weights[:1]), (weights[0].mean(axis=1) + np.eye(5)) / 2)
    half = [(w.mean(axis=1) + np.eye(5)) / 2 for w in weights]
    np.testing.assert_allclose(rollout, half[2] @ half[1] @ half[0])


@pytest.mark.parametrize("picture", ["rollout", "heads", "positions", "filters", "confusion"])
def test_pictures_of_digits(picture, tmp_path):
    level = initial_level(STUDY, STUDY.facts.RECIPES["digits"]["config"], 0)
    draw = PICTURES.DRAWINGS[picture]
    save(tmp_path / "picture.png", lambda: draw(level, load("digits")))
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


# ---------------------------------------------------------------------------------------------------------- Errors


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ViTConfig.published("G", 14), "the sizes are Ti, S, B, L, H; got 'G'"),
        (lambda: ViTConfig(image_size=225), "image_size is a multiple of patch_size, got 225 and 16"),
        (lambda: ViTConfig(embed_dim=770), "embed_dim is a multiple of num_heads, got 770 and 12"),
        (lambda: ViTConfig(depth=0), "depth is an int of at least 1, got 0"),
        (lambda: ViTConfig(mlp_ratio=2.5), "mlp_ratio is an int of at least 1, got 2.5"),
        (lambda: ViTConfig(dropout=1.0), "dropout is a probability below 1, got 1.0"),
    ],
)
def test_a_config_refuses_what_is_no_vit(make, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        make()


def test_forward_and_loss_refuse_what_they_do_not_take(build):
    level = build(TINY)
    x, targets = batch_of(TINY, np.float32)
    with pytest.raises(ValueError, match=r"expected \(B, 3, 12, 12\), got \(3, 3, 8, 12\); study\.resized"):
        level.model.forward(level.tensor(x[:, :, :8]))
    with pytest.raises(TypeError, match="floating-point x"):
        level.model.forward(level.tensor((255 * x).astype(np.uint8)))
    with pytest.raises(ValueError, match=r"expected targets in 0\.\.4, got"):
        level.model.loss(level.tensor(x), level.tensor(targets + 5))
    with pytest.raises(TypeError, match="expected targets of int64, got float32"):
        level.model.loss(level.tensor(x), level.tensor(targets.astype(np.float32)))
    with pytest.raises(ValueError, match=r"expected targets \(3,\), a class for each image, got \(2,\)"):
        level.model.loss(level.tensor(x), level.tensor(targets[:2]))


@pytest.mark.parametrize("level", ["lowlevel", "engine-lowlevel"])
def test_level_2_names_what_does_not_fit_when_loading(level):
    level = build_level(STUDY, level, TINY)
    state = level.model.state_dict()
    with pytest.raises(RuntimeError, match=r"head\.bias: expected shape \(5,\), got None"):
        level.model.load_state_dict({name: tensor for name, tensor in state.items() if name != "head.bias"})
    with pytest.raises(RuntimeError, match=r"blocks\.9\.norm1\.bias: expected shape None, got \(5,\)"):
        level.model.load_state_dict({**state, "blocks.9.norm1.bias": state["head.bias"]})


def test_a_missing_timm_is_said_with_the_install_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm.models.vision_transformer", None)
    with pytest.raises(DLFSError, match=r"the production twin needs timm, .*: pip install .*\[models\]"):
        build_level(STUDY, "twin", TINY)


# --------------------------------------------------------------------------------------------------------- Mutants

SUM = "h = torch.cat([cls_token, tokens], dim=1) + self.pos_embed"
SUM_2 = 'h = torch.cat([cls_token, tokens], dim=1) + p["pos_embed"]'
HEADS = "qkv.unflatten(2, (3, self.config.num_heads, -1)).permute(2, 0, 3, 1, 4)"

MUTANTS = [
    # patches
    Mutant("patch order (p1 p2 c)", "lowlevel", ".permute(0, 2, 4, 1, 3, 5)", ".permute(0, 2, 4, 3, 5, 1)", check_patches),
    Mutant("patches turned on their side", "lowlevel", ".permute(0, 2, 4, 1, 3, 5)", ".permute(0, 2, 4, 1, 5, 3)", check_patches),
    Mutant("patches column by column", "lowlevel", ".permute(0, 2, 4, 1, 3, 5)", ".permute(0, 4, 2, 1, 3, 5)", check_patches),
    Mutant("patches column by column", "paper", "return tokens.flatten(2)", "return tokens.transpose(2, 3).flatten(2)", check_agreement),
    Mutant("no bias of the patches", "paper", "kernel_size=P, stride=P)", "kernel_size=P, stride=P, bias=False)", check_names_and_shapes),
    # class token and positions
    Mutant("class token after the positions are added", "paper", SUM,
           "h = torch.cat([cls_token, tokens + self.pos_embed[:, 1:]], dim=1)", check_positions),
    Mutant("class token after the positions are added", "lowlevel", SUM_2,
           'h = torch.cat([cls_token, tokens + p["pos_embed"][:, 1:]], dim=1)', check_positions),
    Mutant("class token at the end", "paper", SUM, "h = torch.cat([tokens, cls_token], dim=1) + self.pos_embed", check_agreement),
    Mutant("positions shifted by one", "lowlevel", SUM_2, SUM_2.replace('p["pos_embed"]', 'p["pos_embed"].roll(1, 1)'), check_agreement),
    Mutant("no positions", "lowlevel", SUM_2, SUM_2.replace('p["pos_embed"]', '0 * p["pos_embed"]'), check_positions),
    Mutant("mean of the tokens for the class token", "paper", "self.head(h[:, 0])", "self.head(h.mean(dim=1))", check_agreement),
    Mutant("the last token for the class token", "lowlevel", "logits = h[:, 0] @", "logits = h[:, -1] @", check_agreement),
    # blocks
    Mutant("post-norm", "paper", "x = x + self.attn(self.norm1(x))", "x = self.norm1(x + self.attn(x))", check_agreement),
    Mutant("post-norm", "lowlevel", "x = x + self.mlp.forward(self.norm2.forward(x), dropout_p)",
           "x = self.norm2.forward(x + self.mlp.forward(x, dropout_p))", check_agreement),
    Mutant("no last norm", "lowlevel", "h = self.norm.forward(h)", "h = h + 0 * self.norm.forward(h)", check_agreement),
    Mutant("the stream normalised before the sum", "paper", "x = x + self.mlp(self.norm2(x))", "x = self.norm2(x) + self.mlp(self.norm2(x))", check_agreement),
    Mutant("epsilon 1e-12", "paper", "EPS = 1e-6", "EPS = 1e-12", check_agreement),
    Mutant("epsilon 1e-12", "lowlevel", "EPS = 1e-6", "EPS = 1e-12", check_agreement),
    Mutant("epsilon 1e-5", "lowlevel", "EPS = 1e-6", "EPS = 1e-5", check_agreement),
    Mutant("epsilon outside the root", "lowlevel", "torch.sqrt(var + EPS)", "(torch.sqrt(var) + EPS)", check_agreement),
    Mutant("unbiased variance", "lowlevel", "var = ((x - mean) ** 2).mean(dim=-1, keepdim=True)",
           "var = x.var(dim=-1, keepdim=True)", check_agreement),
    # attention
    Mutant("qkv without bias", "paper", "nn.Linear(D, 3 * D)", "nn.Linear(D, 3 * D, bias=False)", check_names_and_shapes),
    Mutant("qkv without bias", "lowlevel", 'self.linear(x, "qkv")', 'self.linear(x, "qkv") - self.params[f"{self.name}.qkv.bias"]', check_agreement),
    Mutant("heads first, then q, k, v", "paper", HEADS, "qkv.unflatten(2, (self.config.num_heads, 3, -1)).permute(3, 0, 2, 1, 4)", check_agreement),
    Mutant("heads first, then q, k, v", "lowlevel", HEADS, "qkv.unflatten(2, (self.config.num_heads, 3, -1)).permute(3, 0, 2, 1, 4)", check_agreement),
    Mutant("not divided by √d", "lowlevel", " / math.sqrt(q.shape[-1])", "", check_agreement),
    Mutant("divided by √D", "lowlevel", "math.sqrt(q.shape[-1])", "math.sqrt(self.config.embed_dim)", check_agreement),
    Mutant("softmax over the queries", "lowlevel", "torch.softmax(scores, dim=-1)", "torch.softmax(scores, dim=-2)", check_agreement),
    Mutant("a causal mask, as in GPT", "paper", "F.scaled_dot_product_attention(q, k, v)",
           "F.scaled_dot_product_attention(q, k, v, is_causal=True)", check_agreement),
    Mutant("heads not put side by side", "paper", "y = y.transpose(1, 2).flatten(2)", "y = y.reshape(x.shape)", check_agreement),
    # MLP
    Mutant("tanh-GELU", "paper", "F.gelu(a)", 'F.gelu(a, approximate="tanh")', check_agreement),
    Mutant("tanh-GELU", "lowlevel", "0.5 * a * (1 + torch.erf(a / math.sqrt(2)))",
           "0.5 * a * (1 + torch.tanh(math.sqrt(2 / math.pi) * (a + 0.044715 * a**3)))", check_agreement),
    Mutant("erf of a, not of a / √2", "lowlevel", "torch.erf(a / math.sqrt(2))", "torch.erf(a)", check_agreement),
    # dropout
    Mutant("dropout in evaluation", "lowlevel", "self.config.dropout if self.training else 0.0", "self.config.dropout", check_dropout),
    Mutant("not scaled", "lowlevel", " / (1 - p) if p else x", " if p else x", check_dropout),
    Mutant("none of the embeddings", "paper", "h = self.dropout(h)", "h = 1 * h", check_dropout),
    Mutant("none between the MLP's layers", "paper", "y = self.dropout(y)\n        y = self.fc2(y)", "y = self.fc2(y)", check_dropout_places),
    Mutant("none after attention", "lowlevel", 'y = self.linear(y, "proj")  # (B, T, D), eq. 11\n        return dropout(y, dropout_p)',
           'y = self.linear(y, "proj")  # (B, T, D), eq. 11\n        return y', check_dropout_places),
    # initialisation
    Mutant("a head that is not 0", "paper", 'elif name == "patch_embed.proj.weight":',
           'elif name == "head.weight":\n        nn.init.normal_(parameter, std=0.02)\n    elif name == "patch_embed.proj.weight":',
           check_initialisation),
    Mutant("a class token that is not 0", "lowlevel", 'if name == "pos_embed":', 'if name in ("pos_embed", "cls_token"):', check_initialisation),
    Mutant("positions N(0, 1)", "paper", "nn.init.normal_(parameter, std=0.02)", "nn.init.normal_(parameter)", check_initialisation),
    Mutant("Glorot for q, k and v together", "paper", "nn.init.uniform_(parameter, -math.sqrt(6 / (D + D)), math.sqrt(6 / (D + D)))",
           "nn.init.xavier_uniform_(parameter)", check_initialisation),
    Mutant("normal for uniform", "lowlevel", "math.sqrt(6 / sum(shape)) * (2 * torch.rand(shape, generator=generator) - 1)",
           "math.sqrt(2 / sum(shape)) * torch.randn(shape, generator=generator)", check_initialisation),
    # the loss
    Mutant("sum over the batch", "lowlevel", "targets].mean()", "targets].sum()", check_agreement),
]  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_mutant_is_caught(mutant):
    assert_caught(STUDY, mutant)
