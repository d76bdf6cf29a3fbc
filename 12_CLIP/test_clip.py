"""CLIP at every level: agreement with transformers and timm, padding, temperature, gradients in closed form, layouts, zero-shot; and the mutants."""

import math
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn as nn
from click.testing import CliRunner

import framework.nn
from dlfs.commands.convert import command as convert
from dlfs.compare import compare_study
from dlfs.levels import build_level, level_names
from dlfs.studies import find_study
from dlfs.trace import record
from framework import serialization
from tests.model_checks import assert_agreement
from tests.mutants import Mutant, assert_caught
from utils.data_loaders import Dataset, Split, load
from utils.errors import DLFSError

STUDY = find_study("12")
CLIPConfig, VARIANTS, PUBLISHED, RECIPES = (
    getattr(STUDY.facts, name) for name in ("CLIPConfig", "VARIANTS", "PUBLISHED", "RECIPES")
)
KEYMAP, SCORES, PROMPTS = (STUDY.module(file) for file in ("keymap.py", "scores.py", "prompts.py"))
LEVELS = [name for name in level_names(STUDY) if name != "twin"]
VIT, RESNET = VARIANTS["vit-tiny"], VARIANTS["resnet-tiny"]


@pytest.fixture(params=LEVELS)
def build(request):
    """build(config): the level with the weights that its own constructor draws. Arrays go in and come out at each level."""
    return partial(build_level, STUDY, request.param)


def loud_level(build, config, seed=0):
    """A level in float64 with large weights."""
    rng, level = np.random.default_rng(seed), build(config)
    shapes = config.shapes
    state = {
        name: array.astype(np.float64) if array.dtype.kind == "f" else array for name, array in level.state().items()
    }
    level.load_state(state | {name: 0.5 * rng.standard_normal(shape) for name, shape in shapes.items()})
    return level


def batch(config, seed=0):
    return STUDY.facts.example_batch(config, np.random.default_rng(seed))[0]


def logits_of(level, x, text):
    level.train(False)
    with level.library.no_grad():
        return level.model.forward(level.tensor(x), level.tensor(text)).numpy()


def softmax(logits, axis):
    e = np.exp(logits - logits.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


# ---------------------------------------------------------------------------- Checks, which mutants must not survive


def check_agreement(variant, build):
    """With initial and with loud weights, in float64, the level computes what the production twin computes."""
    assert_agreement(STUDY, build, [variant], ("twin",))


VIT_AGREES, RESNET_AGREES = partial(check_agreement, "vit-tiny"), partial(check_agreement, "resnet-tiny")


def check_padding(build):
    """What stands behind the end of a text changes nothing, be it another end; what stands before it does."""
    level = loud_level(build, VIT)
    x, text = batch(VIT)
    expected, ends = logits_of(level, x, text), text.argmax(axis=1)
    behind = np.arange(text.shape[1]) > ends[:, None]
    for other in (np.where(behind, 0, text), np.where(behind, VIT.end_of_text, text)):
        np.testing.assert_allclose(logits_of(level, x, other), expected, rtol=1e-9)
    np.testing.assert_allclose(logits_of(level, x, text[:, : ends.max() + 1]), expected, rtol=1e-9)
    changed, before = text.copy(), (np.arange(5), ends - 1)
    changed[before] = (text[before] + 1) % VIT.end_of_text
    assert (np.abs(logits_of(level, x, changed) - expected).max(axis=0) > 1e-6).all()


def check_temperature(build):
    """A temperature beyond 1/100 is taken back before it counts, and is free to fall again; below, it is left alone."""
    x, text = batch(VIT)
    for logit_scale, factor in ((7.0, 100.0), (math.log(100), 100.0), (3.0, math.exp(3.0)), (-1.0, math.exp(-1.0))):
        level = loud_level(build, VIT)
        level.load_state({**level.state(), "logit_scale": np.array(logit_scale)})
        evaluation = level.evaluate((x, text), ())
        cosines = level.model.encode_image(level.tensor(x)) @ level.model.encode_text(level.tensor(text)).T
        np.testing.assert_allclose(evaluation.outputs[0], factor * cosines.detach().numpy(), rtol=1e-9)
        np.testing.assert_allclose(level.state()["logit_scale"], min(logit_scale, math.log(100)))
        assert evaluation.gradients["logit_scale"] != 0


def check_cosines(build):
    """Whatever the towers are multiplied by, the logits stay; none is larger than the inverse temperature."""
    for config in (VIT, RESNET):
        level = loud_level(build, config)
        x, text = batch(config)
        expected, state = logits_of(level, x, text), level.state()
        assert np.abs(expected).max() <= math.exp(state["logit_scale"]) + 1e-9
        image_side = (
            ["visual.attnpool.c_proj.weight", "visual.attnpool.c_proj.bias"]
            if config.is_resnet
            else ["visual.proj.weight"]
        )
        for names in (image_side, ["text.proj.weight"]):
            level.load_state({**state, **{name: 3 * state[name] for name in names}})
            np.testing.assert_allclose(logits_of(level, x, text), expected, rtol=1e-8)


def check_initialisation(build):
    """The standard deviations of the authors' code, temperature 0.07, γ 1 but 0 where a bottleneck ends, biases 0."""
    sizes = dict(embed_dim=64, vocab_size=300, context_length=50, text_layers=3, text_width=64, text_heads=2)
    vit = CLIPConfig(image_size=32, patch_size=8, image_layers=2, image_width=128, image_heads=4, **sizes)
    resnet = CLIPConfig(image_size=64, image_layers=(1, 1), image_width=32, image_heads=4, **sizes)
    expected = {
        "text.token_embedding.weight": 0.02, "text.positional_embedding": 0.01, "text.proj.weight": 64**-0.5,
        "text.h.1.attn.q_proj.weight": 64**-0.5, "text.h.1.attn.out_proj.weight": 64**-0.5 * 6**-0.5,
        "text.h.2.mlp.fc.weight": 128**-0.5, "text.h.2.mlp.proj.weight": 64**-0.5 * 6**-0.5,
        "visual.class_embedding": 128**-0.5, "visual.positional_embedding": 128**-0.5, "visual.proj.weight": 128**-0.5,
        "visual.conv1.weight": (3 * 3 * 64) ** -0.5, "visual.h.1.mlp.proj.weight": 128**-0.5 * 4**-0.5,
        "visual.attnpool.q_proj.weight": 256**-0.5, "visual.attnpool.positional_embedding": 256**-0.5,
        "visual.layer2.0.conv2.weight": (3 * 64 * 9) ** -0.5,
    }  # fmt: skip
    seen = set()
    for config in (vit, resnet):
        for name, array in build(config).state().items():
            if name == "logit_scale":
                assert array.shape == () and abs(array - math.log(1 / 0.07)) < 1e-6
            elif name in expected and not (config.is_resnet and name == "visual.conv1.weight"):
                seen.add(name)
                assert abs(array.std() / expected[name] - 1) < 0.25 and abs(array.mean()) < 0.3 * expected[name], name
            elif name.endswith("bias"):
                assert (array == 0).all(), name
            elif array.ndim == 1 and name.endswith("weight"):
                assert (array == (0 if ".layer" in name and "bn3" in name else 1)).all(), name
    assert seen == set(expected)


def check_order(build):
    """Images and texts in another order have their logits in that order: none looks at its neighbour in the batch."""
    for config in (VIT, RESNET):
        level = loud_level(build, config)
        x, text = batch(config)
        rows, columns = [3, 1, 4, 0, 2], [2, 0, 1]
        expected = logits_of(level, x, text)[rows][:, columns]
        np.testing.assert_allclose(logits_of(level, x[rows], text[columns]), expected, rtol=1e-8)


# ----------------------------------------------------------------------------------------------------- Every level


@pytest.mark.parametrize("variant", VARIANTS)
def test_all_levels_agree(variant):
    for comparison in compare_study(STUDY, variant):
        assert comparison.ok, f"{comparison.weights} weights: {comparison.worst}, noisy: {comparison.noisy}"
        assert list(comparison.titles) == ["engine", "engine-lowlevel", "lowlevel", "paper", "twin"]


def test_the_hidden_states_of_every_layer_are_those_of_transformers(build):
    twin, level = build_level(STUDY, "twin", VIT), loud_level(build, VIT)
    twin.load_state(level.state())
    x, text = batch(VIT)
    kept = {}
    for tower in ("vision_model", "text_model"):
        model = getattr(twin.model, tower)
        for i, layer in enumerate(model.encoder.layers):
            layer.register_forward_hook(lambda module, inputs, output, key=(tower, i): kept.__setitem__(key, output))
    twin.model.vision_model.pre_layrnorm.register_forward_hook(
        lambda module, inputs, output: kept.__setitem__(("vision_model", -1), output)
    )
    twin.model.text_model.embeddings.register_forward_hook(
        lambda module, inputs, output: kept.__setitem__(("text_model", -1), output)
    )
    twin.predict((x, text), ())
    found = record(level, (x, text), ()).activations
    for (tower, i), wanted in kept.items():
        wanted = (wanted[0] if isinstance(wanted, tuple) else wanted).numpy()
        name = "VisionTransformer.forward" if tower == "vision_model" else "TextTransformer.forward"
        np.testing.assert_allclose(found[name, "h", i + 1], wanted, rtol=0, atol=1e-10 * np.abs(wanted).max())
    assert len(kept) == 6


def test_the_gradients_are_those_of_the_theory(build):
    """Equations (8) to (11), from the logits and the unit vectors alone."""
    level = loud_level(build, VIT)
    x, text = batch(VIT)
    recorded = record(level, (x, text), ())
    logits = recorded.activations["CLIP.forward", "logits", 0]
    B = len(logits)
    d_logits = (softmax(logits, 1) + softmax(logits, 0) - 2 * np.eye(B)) / (2 * B)  # eq. 8
    np.testing.assert_allclose(recorded.gradients["CLIP.forward", "logits", 0], d_logits, atol=1e-12)
    gradients = level.evaluate((x, text), ()).gradients
    np.testing.assert_allclose(gradients["logit_scale"], (d_logits * logits).sum(), rtol=1e-9)  # eq. 9
    image, caption = (recorded.activations["CLIP.forward", name, 0] for name in ("image", "caption"))
    d_image = math.exp(level.state()["logit_scale"]) * d_logits @ caption  # eq. 10
    np.testing.assert_allclose(recorded.gradients["CLIP.forward", "image", 0], d_image, atol=1e-12)
    u = recorded.activations["CLIP.encode_image", "u", 0]
    length = np.linalg.norm(u, axis=1, keepdims=True)
    d_u = (d_image - image * (image * d_image).sum(axis=1, keepdims=True)) / length  # eq. 11
    np.testing.assert_allclose(recorded.gradients["CLIP.encode_image", "u", 0], d_u, atol=1e-12)
    np.testing.assert_allclose((d_u * u).sum(axis=1), 0, atol=1e-12)  # nothing pulls along u


def test_padding_changes_nothing(build):
    check_padding(build)


def test_the_temperature_is_clamped(build):
    check_temperature(build)


def test_logits_are_cosines_over_the_temperature(build):
    check_cosines(build)


def test_statistics_at_initialisation(build):
    check_initialisation(build)


def test_the_order_in_the_batch(build):
    check_order(build)


def test_the_loss_of_a_guess_is_the_logarithm_of_the_batch(build):
    """Where all texts are alike and all images are, every choice is among B equals."""
    level = loud_level(build, VIT)
    x, text = batch(VIT)
    loss, _ = level.predict((np.repeat(x[:1], 5, axis=0), np.repeat(text[:1], 5, axis=0)), ())
    np.testing.assert_allclose(loss, math.log(5), rtol=1e-12)


@pytest.mark.parametrize("tower", ["vit", "resnet"])
def test_it_learns_to_tell_images_apart_by_their_captions(build, tower):
    """Sixty steps on patterns of four classes: the loss falls to what twins in the batch leave, and zero-shot names new ones."""
    sizes = dict(
        embed_dim=16, in_channels=1, vocab_size=20, context_length=6, text_layers=1, text_width=16, text_heads=2
    )
    if tower == "vit":
        config = CLIPConfig(image_size=8, patch_size=4, image_layers=1, image_width=16, image_heads=2, **sizes)
    else:
        config = CLIPConfig(image_size=8, image_layers=(1,), image_width=8, image_heads=2, **sizes)
    rng = np.random.default_rng(0)
    patterns = rng.standard_normal((4, 1, 8, 8))
    words = np.array([[17, 3 + k, 18 - k, 19, 0, 0] for k in range(4)])

    def draw(B):
        labels = rng.integers(0, 4, B)
        return (patterns[labels] + 0.3 * rng.standard_normal((B, 1, 8, 8))).astype(np.float32), labels

    framework.manual_seed(0)
    level = build(config)
    level.load_state(build_level(STUDY, "engine", config).state())
    level.use_optimizer("adam", 1e-2, {})
    losses = []
    for _ in range(60):
        x, labels = draw(16)
        losses.append(level.step((x, words[labels]), ()))
    assert np.mean(losses[-10:]) < np.mean(losses[:5]) - 0.5, losses
    x, labels = draw(40)
    found = SCORES.classify(SCORES.encoded(level, level.model.encode_image, x), SCORES.encode_texts(level, words))
    assert (found == labels).mean() > 0.9


# ------------------------------------------------------------------------------------ The published models, layouts

COUNTS = {"vit-b-32": 151_277_313, "vit-b-16": 149_620_737, "vit-l-14": 427_616_513,
          "rn50": 102_007_137, "rn101": 119_688_033, "rn50x4": 178_300_601}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameter_counts_of_the_published_models(name):
    with torch.device("meta"):
        model = STUDY.module("paper/clip_paper.py").CLIP(PUBLISHED[name])
    assert {key: tuple(p.shape) for key, p in model.named_parameters()} == PUBLISHED[name].shapes
    assert sum(p.numel() for p in model.parameters()) == COUNTS[name]


def meta_twin(config):
    with torch.device("meta"):
        return KEYMAP.production_twin(config)


def test_the_published_vit_has_the_keys_of_transformers():
    twin = meta_twin(PUBLISHED["vit-b-32"])
    assert len(twin.state_dict()) == 398
    assert sum(p.numel() for p in twin.parameters()) == COUNTS["vit-b-32"]
    shapes = {
        name: np.lib.stride_tricks.as_strided(np.zeros(1), shape, (0,) * len(shape))
        for name, shape in PUBLISHED["vit-b-32"].shapes.items()
    }
    assert {name: array.shape for name, array in KEYMAP.to_twin(shapes).items()} == {
        name: tuple(tensor.shape) for name, tensor in twin.state_dict().items()
    }


def test_the_published_resnets_image_tower_is_timms():
    import timm

    with torch.device("meta"):
        theirs = timm.create_model("resnet50_clip", num_classes=1024)
        ours = STUDY.module("paper/clip_paper.py").CLIP(PUBLISHED["rn50"])
    assert sum(p.numel() for p in ours.visual.parameters()) == sum(p.numel() for p in theirs.parameters())


@pytest.mark.parametrize("config", [VIT, RESNET], ids=["vit", "resnet"])
def test_names_go_to_the_twin_and_back(config):
    state = build_level(STUDY, "paper", config).state()
    theirs = KEYMAP.to_twin(state)
    assert {key: array.shape for key, array in theirs.items()} == {
        key: tuple(tensor.shape) for key, tensor in KEYMAP.production_twin(config).state_dict().items()
    }
    back = KEYMAP.from_twin(theirs)
    assert set(back) == set(state) and all(np.array_equal(back[name], array) for name, array in state.items())
    assert KEYMAP.from_twin({"unknown.weight": 1}) == {"unknown.weight": 1}


class OpenAIBlock(nn.Module):
    """A block as the authors' code has it: torch's own attention, whose three matrices are one."""

    def __init__(self, width, heads):
        super().__init__()
        self.attn = nn.MultiheadAttention(width, heads)
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mlp = nn.Sequential()
        self.mlp.add_module("c_fc", nn.Linear(width, 4 * width))
        self.mlp.add_module("c_proj", nn.Linear(4 * width, width))

    def forward(self, x, mask=None):  # (T, B, C)
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False, attn_mask=mask)[0]
        a = self.mlp.c_fc(self.ln_2(x))
        return x + self.mlp.c_proj(a * torch.sigmoid(1.702 * a))


class OpenAITower(nn.Module):
    def __init__(self, width, heads, layers):
        super().__init__()
        self.resblocks = nn.ModuleList([OpenAIBlock(width, heads) for _ in range(layers)])

    def forward(self, x, mask=None):
        for block in self.resblocks:
            x = block(x, mask)
        return x


class OpenAICLIP(nn.Module):
    """The names and shapes of the authors' checkpoints, with a forward of the same meaning."""

    def __init__(self, config):
        super().__init__()
        C, T = config.image_width, config.text_width
        self.visual = nn.Module()
        self.visual.class_embedding = nn.Parameter(torch.randn(C))
        self.visual.positional_embedding = nn.Parameter(torch.randn(config.grid**2 + 1, C))
        self.visual.proj = nn.Parameter(torch.randn(C, config.embed_dim))
        self.visual.conv1 = nn.Conv2d(config.in_channels, C, config.patch_size, config.patch_size, bias=False)
        self.visual.ln_pre, self.visual.ln_post = nn.LayerNorm(C), nn.LayerNorm(C)
        self.visual.transformer = OpenAITower(C, config.image_heads, config.image_layers)
        self.transformer = OpenAITower(T, config.text_heads, config.text_layers)
        self.token_embedding = nn.Embedding(config.vocab_size, T)
        self.positional_embedding = nn.Parameter(torch.randn(config.context_length, T))
        self.ln_final = nn.LayerNorm(T)
        self.text_projection = nn.Parameter(torch.randn(T, config.embed_dim))
        self.logit_scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, x, text):
        z = self.visual.conv1(x).flatten(2).permute(2, 0, 1)  # (N, B, C)
        z = (
            torch.cat((self.visual.class_embedding.expand(1, len(x), -1), z))
            + self.visual.positional_embedding[:, None]
        )
        image = self.visual.ln_post(self.visual.transformer(self.visual.ln_pre(z))[0]) @ self.visual.proj
        h = (self.token_embedding(text) + self.positional_embedding[: text.shape[1]]).transpose(0, 1)
        mask = torch.full((text.shape[1],) * 2, -math.inf, dtype=x.dtype).triu(1)
        h = self.ln_final(self.transformer(h, mask)).transpose(0, 1)
        caption = h[torch.arange(len(text)), text.argmax(1)] @ self.text_projection
        image, caption = (features / features.norm(dim=1, keepdim=True) for features in (image, caption))
        return self.logit_scale.exp() * image @ caption.T


def test_the_authors_own_layout(build):
    """A checkpoint in OpenAI's layout gives the logits that it gives there."""
    torch.manual_seed(0)
    theirs, level = OpenAICLIP(VIT).double(), build(VIT)
    level.load_state(KEYMAP.from_openai({name: tensor.numpy() for name, tensor in theirs.state_dict().items()}))
    x, text = batch(VIT)
    expected = theirs(torch.from_numpy(x), torch.from_numpy(text)).detach().numpy()
    np.testing.assert_allclose(logits_of(level, x, text), expected, rtol=1e-9)


def test_the_authors_layout_has_302_keys():
    with torch.device("meta"):
        theirs = OpenAICLIP(PUBLISHED["vit-b-32"])
    assert len(theirs.state_dict()) == 302
    assert sum(p.numel() for p in theirs.parameters()) == COUNTS["vit-b-32"]


def test_dlfs_convert_reads_the_authors_checkpoints(tmp_path):
    torch.manual_seed(0)
    state = OpenAICLIP(VIT).state_dict()
    numbers = {"input_resolution": 12, "context_length": 9, "vocab_size": 29}
    torch.save({**state, **{name: torch.tensor(n) for name, n in numbers.items()}}, tmp_path / "clip.pt")
    out = tmp_path / "ours.safetensors"
    result = CliRunner().invoke(convert, [str(tmp_path / "clip.pt"), "--model", "12", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "vit-tiny, read as OpenAI's" in result.output and "a number of the config" in result.output
    ours = serialization.load(out)
    np.testing.assert_array_equal(ours["text.proj.weight"].numpy(), state["text_projection"].numpy().T)
    assert {name: tuple(tensor.shape) for name, tensor in ours.items()} == VIT.shapes
    twin = tmp_path / "twin.safetensors"
    result = CliRunner().invoke(convert, [str(out), "--model", "12", "--to", "twin", "--out", str(twin)])
    assert result.exit_code == 0, result.output
    KEYMAP.production_twin(VIT).load_state_dict(
        {n: torch.from_numpy(t.numpy()) for n, t in serialization.load(twin).items()}
    )


# ------------------------------------------------------------------------------------- Zero-shot, retrieval, recipes


def test_an_ensemble_is_the_mean_of_directions():
    texts = np.array([[[1.0, 0.0], [0.0, 1.0]], [[-1.0, 0.0], [-1.0, 0.0]]])
    np.testing.assert_allclose(SCORES.ensemble(texts), [[0.5**0.5, 0.5**0.5], [-1, 0]])
    assert SCORES.classify(np.array([[0.0, 2.0], [-3.0, 0.1]]), SCORES.ensemble(texts)).tolist() == [0, 1]


def test_recall_counts_the_queries_that_find_what_they_should():
    similarity = np.array([[0.9, 0.1, 0.5], [0.2, 0.3, 0.8], [0.7, 0.6, 0.1]])
    relevant = np.eye(3, dtype=bool)
    assert [SCORES.recall(similarity, relevant, k) for k in (1, 2, 3)] == [pytest.approx(n) for n in (1 / 3, 2 / 3, 1)]


@pytest.mark.parametrize("name", ["digits", "cifar10"])
def test_captions_are_generated_from_the_labels(name):
    prompts = PROMPTS.prompts(name)
    config = RECIPES[name]["config"]
    assert len(prompts.tokenizer) == config.vocab_size and prompts.tokens.shape[2] <= config.context_length
    labels = np.array([3, 3, 7])
    (_, text), targets = RECIPES[name]["training_batch"](
        config, np.zeros((3, config.in_channels, 8, 8)), labels, np.random.default_rng(0)
    )
    words = [prompts.tokenizer.decode(row[: row.argmax() + 1]) for row in text]
    assert all(prompts.classes[label] in text for label, text in zip(labels, words)) and targets == ()
    assert (
        len({tuple(row) for row in prompts.tokens.reshape(-1, prompts.tokens.shape[2])})
        == prompts.tokens.shape[0] * prompts.tokens.shape[1]
    )


def test_every_recipes_batch_fits_its_model():
    rng = np.random.default_rng(0)
    for name, recipe in RECIPES.items():
        config = recipe["config"]
        x = rng.random((4, config.in_channels, config.image_size, config.image_size), dtype=np.float32)
        y = (
            np.full((4, 5, config.context_length), config.end_of_text)
            if name.startswith("flickr")
            else rng.integers(0, 10, 4)
        )
        if "augment" in recipe:
            x = recipe["augment"](x)
        (x, text), _ = recipe["training_batch"](config, x, y, rng)
        config.check_images(x)
        config.check_text(framework.from_numpy(text))
        assert x.dtype == np.float32, name


def test_zero_shot_and_retrieval_of_a_perfect_model():
    """A level whose images and texts are the same vectors finds everything; one with its classes shifted finds nothing."""

    class Perfect:
        library, shift = torch, 0

        def __init__(self):
            self.model = self

        def tensor(self, array):
            return torch.from_numpy(np.array(array))

        def train(self, mode):
            pass

        def encode_image(self, x):
            return nn.functional.one_hot(torch.round(x[:, 0, 0, 0] * 0.375 + 0.3).long(), 10).double()

        def encode_text(self, text):
            known = PROMPTS.prompts("digits").tokens
            labels = [(known == row.numpy()).all(-1).any(1).argmax() + self.shift for row in text]
            return nn.functional.one_hot(torch.tensor(labels) % 10, 10).double()

    y = np.arange(10)
    split = Split(np.ones((10, 1, 8, 8)) * y[:, None, None, None], y)
    data, level = Dataset("digits", split, split, split), Perfect()
    assert SCORES.zero_shot_accuracy(level, data) == SCORES.one_prompt_accuracy(level, data) == 1
    captions = Split(split.x, PROMPTS.prompts("digits").tokens[:, :5])
    data = Dataset("captions", captions, captions, captions)
    assert (
        SCORES.image_recall_at_1(level, data)
        == SCORES.image_recall_at_10(level, data)
        == SCORES.text_recall_at_10(level, data)
        == 1
    )
    level.shift = 1
    assert (
        SCORES.image_recall_at_1(level, data) == 0
        and SCORES.zero_shot_accuracy(level, Dataset("digits", split, split, split)) == 0
    )


def test_the_command_chooses_texts_for_images_and_tests_each_prompt(tmp_path):
    from PIL import Image

    command = STUDY.module("zero_shot.py")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    level = build_level(STUDY, "engine", RECIPES["digits"]["config"])
    head, rows = command.choose(level, "digits", [tmp_path / "a.png"], ["the digit one", "the digit two"])
    assert head == ["image", "the digit one", "the digit two"] and rows[0][0] == "a.png"
    assert sum(float(cell.removesuffix(" %")) for cell in rows[0][1:]) == pytest.approx(100, abs=0.11)
    head, rows = command.on_the_test_set(level, "digits")
    assert [row[0] for row in rows] == [*PROMPTS.TEMPLATES["digits"], "all of them, their mean"]
    assert rows[-1][1] == f"{100 * SCORES.zero_shot_accuracy(level, load('digits')):.2f} %"
    with pytest.raises(DLFSError, match="at least two --text"):
        command.choose(level, "digits", [tmp_path / "a.png"], ["the digit one"])
    with pytest.raises(DLFSError, match="not known which tokens vit-tiny was trained on"):
        command.tokenizer_of("vit-tiny")
    with pytest.raises(DLFSError, match="rn50 has no test set here"):
        command.on_the_test_set(level, "rn50")


# ---------------------------------------------------------------------------------------------------------- Errors


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (dict(x=np.zeros((2, 3, 12, 13))), ValueError, r"expected images \(B, 3, 12, 12\), at least one, got \(2, 3, 12, 13\)"),
        (dict(x=np.zeros((0, 3, 12, 12))), ValueError, r"at least one"),
        (dict(x=np.zeros((2, 3, 12, 12), dtype=np.uint8)), TypeError, r"expected floating-point images, got uint8"),
        (dict(text=np.zeros(5, dtype=np.int64)), ValueError, r"expected texts \(B, T\), at least one token, got \(5,\)"),
        (dict(text=np.zeros((2, 3))), TypeError, r"expected texts of int64, got float64"),
        (dict(text=np.zeros((2, 10), dtype=np.int64)), ValueError, r"at most 9 tokens \(context_length\), got 10"),
        (dict(text=np.array([[1, 29], [28, 1]])), ValueError, r"expected tokens in 0..28, got 1..29"),
        (dict(text=np.array([[28, 1], [3, 1]])), ValueError, r"text 1 has no end: the token 28"),
        (dict(text=np.array([[28, 1]])), ValueError, r"a text for each image, got 2 images and 1 texts"),
    ],
)  # fmt: skip
def test_wrong_batches_are_refused(build, change, error, message):
    given = {"x": np.zeros((2, 3, 12, 12), dtype=np.float32), "text": np.array([[28, 1], [1, 28]])} | change
    level = build(VIT)
    with pytest.raises(error, match=message):
        level.model.loss(level.tensor(given["x"]), level.tensor(given["text"]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(embed_dim=0), "embed_dim is an int of at least 1, got 0"),
        (dict(image_heads=7), "image_width is a multiple of image_heads, got 768 and 7"),
        (dict(patch_size=15), "image_size is a multiple of patch_size, got 224 and 15"),
        (dict(image_layers=()), "a number of blocks for each stage, got none"),
        (dict(image_layers=(1, 0)), r"image_layers\[1\] is an int of at least 1, got 0"),
        (dict(image_layers=(1, 1), image_width=63), "image_width is even"),
        (
            dict(image_layers=(1, 1, 1, 1), image_width=64, image_heads=32, image_size=16),
            "halved away to nothing by 4 stages",
        ),
    ],
)
def test_wrong_configs_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        CLIPConfig(**options)


def test_wrong_weights_are_refused(build):
    level = build(VIT)
    state = level.state()
    with pytest.raises(RuntimeError, match="visual.proj.weight"):
        level.load_state({**state, "visual.proj.weight": np.zeros((2, 2))})


# --------------------------------------------------------------------------------------------------------- Mutants

LAST = "end = torch.full((len(text),), text.shape[1] - 1, device=text.device)"
FINAL = "self.ln_final.forward(h[torch.arange(len(text), device=text.device), end])"
NOT_FINAL = "h[torch.arange(len(text), device=text.device), end] + 0 * self.ln_final.forward(h[:, 0])"
EVERY_SECOND = (
    "h2[:, :, :: self.stride, :: self.stride][:, :, : h2.shape[2] // self.stride, : h2.shape[3] // self.stride]"
)
SHORTCUT = "self.downsample(x[:, :, :: self.stride, :: self.stride][:, :, : f.shape[2], : f.shape[3]])"
MUTANTS = [
    Mutant("GELU for QuickGELU", "lowlevel", "a * torch.sigmoid(1.702 * a)", "F.gelu(a)", VIT_AGREES),
    Mutant("GELU for QuickGELU", "paper", "a * torch.sigmoid(1.702 * a)", "F.gelu(a)", VIT_AGREES),
    Mutant("SiLU for QuickGELU", "lowlevel", "torch.sigmoid(1.702 * a)", "torch.sigmoid(a)", VIT_AGREES),
    Mutant("loss of the images' texts alone", "lowlevel", "(of_texts + of_images) / 2", "of_texts", VIT_AGREES),
    Mutant("loss in one direction, twice", "paper",
           "F.cross_entropy(logits.T, targets)", "F.cross_entropy(logits, targets)", VIT_AGREES),
    Mutant("losses added, not averaged", "lowlevel", "(of_texts + of_images) / 2", "of_texts + of_images", VIT_AGREES),
    Mutant("images not normalised", "lowlevel", "u / torch.sqrt((u**2).sum(dim=1, keepdim=True))", "u", check_cosines),
    Mutant("texts not normalised", "lowlevel", "v / torch.sqrt((v**2).sum(dim=1, keepdim=True))", "v", check_cosines),
    Mutant("images not normalised", "paper", "u / u.norm(dim=1, keepdim=True)", "u", VIT_AGREES),
    Mutant("normalised over the batch", "paper",
           "v / v.norm(dim=1, keepdim=True)", "v / v.norm(dim=0, keepdim=True)", check_order),
    Mutant("pooling the last token", "lowlevel", "end = text.argmax(dim=1)", LAST, check_padding),
    Mutant("pooling the last token", "paper", "end = text.argmax(dim=1)", LAST, VIT_AGREES),
    Mutant("pooling the first token", "lowlevel", "end = text.argmax(dim=1)", "end = 0 * text.argmax(dim=1)", check_padding),
    Mutant("texts without a causal mask", "lowlevel",
           "config.text_heads, causal=True", "config.text_heads, causal=False", check_padding),
    Mutant("texts without a causal mask", "paper",
           "config.text_heads, causal=True", "config.text_heads, causal=False", VIT_AGREES),
    Mutant("images with a causal mask", "paper",
           "config.image_heads, causal=False", "config.image_heads, causal=True", VIT_AGREES),
    Mutant("mask off by one", "lowlevel", ".triu(1)", ".triu(2)", VIT_AGREES),
    Mutant("no ln_pre", "lowlevel", "h = self.ln_pre.forward(z)", "h = z + 0 * self.ln_pre.forward(z)", VIT_AGREES),
    Mutant("class token behind the patches", "lowlevel",
           "torch.cat((first, z), dim=1)", "torch.cat((z, first), dim=1)", VIT_AGREES),
    Mutant("mean of the patches for the class token", "paper",
           "self.ln_post(h[:, 0])", "self.ln_post(h.mean(dim=1))", VIT_AGREES),
    Mutant("texts without ln_final", "lowlevel", FINAL, NOT_FINAL, VIT_AGREES),
    Mutant("temperature without exp", "lowlevel",
           "torch.exp(logit_scale) * image", "logit_scale * image", check_temperature),
    Mutant("temperature that divides", "paper",
           "self.logit_scale.exp() * image", "(-self.logit_scale).exp() * image", VIT_AGREES),
    Mutant("temperature 0.07 itself", "lowlevel", "math.log(1 / 0.07)", "0.07", check_initialisation),
    Mutant("temperature not clamped", "lowlevel", "logit_scale.clamp_(max=MAX_LOGIT_SCALE)", "pass", check_temperature),
    Mutant("temperature clamped in the logarithm at 100", "paper",
           "MAX_LOGIT_SCALE = math.log(100)", "MAX_LOGIT_SCALE = 100", check_temperature),
    Mutant("heads scaled as one", "lowlevel", "math.sqrt(q.shape[-1])", "math.sqrt(q.shape[-1] * q.shape[1])", VIT_AGREES),
    Mutant("LayerNorm and BatchNorm with ε 1e-6", "lowlevel",
           "EPSILON, MOMENTUM = 1e-5", "EPSILON, MOMENTUM = 1e-6", VIT_AGREES),
    Mutant("one sum around both sublayers", "lowlevel",
           "x = x + self.mlp.forward(self.ln_2.forward(x))", "x = self.mlp.forward(self.ln_2.forward(x))", VIT_AGREES),
    Mutant("positions of the wrong end", "paper",
           "self.positional_embedding[: text.shape[1]]", "self.positional_embedding[-text.shape[1] :]", VIT_AGREES),
    Mutant("stride without averaging", "lowlevel", "blur(h2, self.stride)", EVERY_SECOND, RESNET_AGREES),
    Mutant("shortcut without averaging", "paper", "self.downsample(blur(x, self.stride))", SHORTCUT, RESNET_AGREES),
    Mutant("max pooling in the stem", "lowlevel", "h = blur(h, 2)", "h = F.max_pool2d(h, 2)", RESNET_AGREES),
    Mutant("the first position asks, not the mean", "lowlevel",
           "mean = z.mean(dim=1, keepdim=True)", "mean = z[:, :1]", RESNET_AGREES),
    Mutant("pooling without positions", "lowlevel",
           '+ self.param("positional_embedding")  # (B, 1 + H\' W\', C), eq. 26', '+ 0 * self.param("positional_embedding")', RESNET_AGREES),
    Mutant("all positions ask", "paper",
           "pooled = y.transpose(1, 2).flatten(1)", "pooled = y.transpose(1, 2).flatten(1) * 0 + self.q_proj(z).mean(dim=1)", RESNET_AGREES),
    Mutant("ReLU before the sum", "lowlevel", "h = torch.relu(f + s)", "h = torch.relu(f) + s", RESNET_AGREES),
    Mutant("biased variance in the running statistics", "lowlevel",
           "unbiased = var * (count / (count - 1))", "unbiased = var", RESNET_AGREES),
    Mutant("bottlenecks that start as something", "lowlevel", "0.0 if", "1.0 if", check_initialisation),
    Mutant("matrices into the residual stream as large as others", "paper",
           "config.initial_std(name, parameter.shape)", "parameter.shape[-1] ** -0.5", check_initialisation),
    Mutant("biases that start as the gains", "paper",
           "nn.init.zeros_(parameter)", "nn.init.ones_(parameter)", check_initialisation),
]  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_mutant_is_caught(mutant):
    assert_caught(STUDY, mutant)
