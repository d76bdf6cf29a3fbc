"""GPT at every level: agreement with transformers, causality, cache, sampling, initialisation, errors; and the mutants that these must catch."""

import dataclasses
import math
from functools import partial

import numpy as np
import pytest
import torch
import transformers
from click.testing import CliRunner

import framework.nn
from dlfs.cli import main
from dlfs.compare import compare_study
from dlfs.levels import build_level, level_names, make_optimizer
from dlfs.studies import find_study
from dlfs.trace import record
from framework import serialization
from tests.model_checks import MISFITS, assert_agreement, assert_misfit_is_named
from tests.mutants import Mutant, assert_caught
from utils.data_loaders import load
from utils.data_sets.text import gpt2_tokenizer
from utils.errors import DLFSError

STUDY = find_study("09")
GPTConfig, VARIANTS, PUBLISHED = STUDY.facts.GPTConfig, STUDY.facts.VARIANTS, STUDY.facts.PUBLISHED
KEYMAP, GENERATE = STUDY.module("keymap.py"), STUDY.module("generate.py")
LEVELS = [name for name in level_names(STUDY) if name != "twin"]
GPT2, GPT1 = VARIANTS["gpt2-tiny"], VARIANTS["gpt1-tiny"]


@pytest.fixture(params=LEVELS)
def build(request):
    """build(config): the level with the weights that its own constructor draws. Arrays go in and come out at each level."""
    return partial(build_level, STUDY, request.param)


def loud_level(build, config, seed=0):
    """A level in float64 with large weights."""
    rng, level = np.random.default_rng(seed), build(config)
    level.load_state({name: 0.5 * rng.standard_normal(shape) for name, shape in config.shapes.items()})
    return level


def text(config, B, T, seed=0):
    return np.random.default_rng(seed).integers(0, config.vocab_size, (B, T))


def logits_of(level, x):
    return level.predict((x,), (np.zeros_like(x),))[1][0]


def generate(level, x, draws, **options):
    tokens = level.model.generate(level.tensor(x), level.tensor(draws), **options)
    return tokens.numpy()


# ---------------------------------------------------------------------------- Checks, which mutants must not survive


def check_agreement(variant, build):
    """With initial and with loud weights, in float64, the level computes what transformers' model computes."""
    assert_agreement(STUDY, build, [variant], ("twin",))


GPT2_AGREES, GPT1_AGREES = partial(check_agreement, "gpt2-tiny"), partial(check_agreement, "gpt1-tiny")


def check_causality(build):
    """What comes later changes no logit; what came before, and the token itself, change them all."""
    for config in (GPT2, GPT1):
        level = loud_level(build, config)
        x = text(config, 1, 8)
        before = logits_of(level, x)[0]
        for t in range(8):
            other = x.copy()
            other[0, t] = (x[0, t] + 1) % config.vocab_size
            changed = np.abs(logits_of(level, other)[0] - before).max(axis=-1) > 1e-9  # (T,)
            assert changed.tolist() == [s >= t for s in range(8)], f"token {t} changes the logits of {changed}"


def check_cache(build):
    """Piece by piece through the cache, in pieces of any length, a text gets the logits that it gets at once; and with draws the same tokens."""
    for config in (GPT2, GPT1):
        level = loud_level(build, config)
        x = text(config, 2, 10)
        expected = logits_of(level, x)
        for pieces in ([1] * 10, [4, 1, 1, 3, 1], [7, 3]):
            cache, found = level.model.new_cache(), []
            for piece in np.split(x, np.cumsum(pieces)[:-1], axis=1):
                found.append(level.model.forward(level.tensor(piece), cache).detach().numpy())
            np.testing.assert_allclose(np.concatenate(found, axis=1), expected, rtol=1e-9, atol=1e-9)
        draws = np.random.default_rng(1).random((7, 2))
        options = dict(temperature=3.0, top_k=15, top_p=0.95)
        with_cache = generate(level, x[:, :3], draws, **options)
        np.testing.assert_array_equal(with_cache, generate(level, x[:, :3], draws, use_cache=False, **options))
        assert len(np.unique(with_cache[:, 3:])) > 4  # a text of one token would prove nothing


def check_long_text(build):
    """Beyond block_size every token is drawn from the logits of the last block_size tokens."""
    level = loud_level(build, GPT2)
    draws, x = np.random.default_rng(1).random((9, 2)), text(GPT2, 2, 6)
    found = generate(level, x, draws, temperature=3.0)
    for draw in draws:
        last = logits_of(level, x[:, -10:])[:, -1]
        x = np.concatenate((x, sampler(level)(level.tensor(last), level.tensor(draw), 3.0).numpy()[:, None]), axis=1)
    np.testing.assert_array_equal(found, x)


def sampler(level):
    return type(level.model).generate.__globals__["sample"]


def check_sampling(build):
    """Over evenly spread draws, tokens come as often as transformers' temperature, top-k and top-p make them likely."""
    level, M = build(GPT2), 20_000
    logits = 2 * np.random.default_rng(0).standard_normal(12)
    spread = np.tile(logits, (M, 1)), (np.arange(M) + 0.5) / M
    settings = [(1.0, None, None), (0.5, None, None), (1.0, 4, None), (1.7, None, 0.8), (0.9, 6, 0.7), (1.0, 1, 0.5)]
    for temperature, top_k, top_p in [*settings, (1.0, None, 1e-9)]:
        warpers = [transformers.TemperatureLogitsWarper(temperature)]
        warpers += [transformers.TopKLogitsWarper(top_k)] if top_k else []
        warpers += [transformers.TopPLogitsWarper(top_p)] if top_p else []
        scores = torch.from_numpy(logits)[None]
        for warper in warpers:
            scores = warper(None, scores)
        expected = torch.softmax(scores, dim=-1)[0].numpy()
        tokens = sampler(level)(*(level.tensor(array) for array in spread), temperature, top_k, top_p).numpy()
        found = np.bincount(tokens, minlength=12) / M
        np.testing.assert_allclose(found, expected, atol=1.5 / M, err_msg=f"{temperature}, {top_k}, {top_p}")


def check_dropout(build):
    """In evaluation there is none, nor in generation; in training no two passes are alike."""
    config = dataclasses.replace(GPT2, dropout=0.4)
    level, x, plain = loud_level(build, config), text(GPT2, 2, 9), loud_level(build, GPT2)
    level.train(True)
    first, second = (level.model.forward(level.tensor(x)).detach().numpy() for _ in range(2))
    assert np.abs(first - second).max() > 1e-3
    np.testing.assert_array_equal(logits_of(level, x), logits_of(plain, x))
    draws = np.random.default_rng(0).random((5, 2))
    level.train(True)
    np.testing.assert_array_equal(generate(level, x[:, :4], draws), generate(plain, x[:, :4], draws))
    assert level.model.training


def check_dropout_keeps_the_mean(build):
    """Of the embeddings a quarter is 0, and what is left is 4 / 3 as large as without dropout."""
    config = dataclasses.replace(GPT2, n_embd=40, dropout=0.25)
    level, x = loud_level(build, config), text(config, 20, 10)
    state = level.state()
    passed = record(level, (x,), (x,)).activations["GPT.forward", "h", 0]
    without = state["wte.weight"][x] + state["wpe.weight"]
    assert abs((passed == 0).mean() - 0.25) < 0.03
    np.testing.assert_allclose(passed[passed != 0], (without / 0.75)[passed != 0])


def check_initialisation(build):
    """Matrices N(0, 0.02²), those into the residual stream 1/√(2 L) of that in GPT-2's paper alone; wpe 0.01 in the released code; γ 1, biases 0."""
    sizes = dict(vocab_size=300, block_size=200, n_layer=3, n_head=2, n_embd=64)
    paper, released = GPTConfig(**sizes), GPTConfig(**sizes, scale_residual=False, wpe_std=0.01)
    for config in (paper, released, GPTConfig(**sizes, norm="post", scale_residual=False)):
        for name, p in build(config).state().items():
            assert p.dtype == np.float32, name
            if p.ndim == 1:
                assert (p == (1 if "ln_" in name and name.endswith("weight") else 0)).all(), name
                continue
            std = 0.02
            if config is paper and name.endswith(("attn.out_proj.weight", "mlp.proj.weight")):
                std = 0.02 / math.sqrt(6)
            elif config is released and name == "wpe.weight":
                std = 0.01
            assert abs(p.std() / std - 1) < 0.08 and abs(p.mean()) < 0.1 * std, f"{name}: {p.std()}, expected {std}"


# ----------------------------------------------------------------------------------------------------- Every level


@pytest.mark.parametrize("variant", VARIANTS)
def test_all_levels_agree(variant):
    for comparison in compare_study(STUDY, variant):
        assert comparison.ok, f"{comparison.weights} weights: {comparison.worst}, noisy: {comparison.noisy}"
        assert list(comparison.titles) == ["engine", "engine-lowlevel", "lowlevel", "paper", "twin"]


@pytest.mark.parametrize("config", [GPT2, GPT1], ids=["gpt2", "gpt1"])
def test_the_hidden_states_of_every_layer_are_those_of_transformers(build, config):
    twin, level = build_level(STUDY, "twin", config), loud_level(build, config)
    twin.load_state(level.state())
    x, kept = text(config, 2, 9), []
    trunk = twin.model.transformer
    for module in (trunk.drop, *trunk.h, *([trunk.ln_f] if config.norm == "pre" else [])):
        module.register_forward_hook(lambda module, inputs, output: kept.append(output))
    twin.predict((x,), (x,))
    expected = [(each[0] if isinstance(each, (tuple, list)) else each).numpy() for each in kept[: len(kept) // 2]]
    found = record(level, (x,), (x,)).activations
    assert len(expected) == config.n_layer + (2 if config.norm == "pre" else 1)
    for i, wanted in enumerate(expected):
        got = found["GPT.forward", "h", i]
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-10 * np.abs(wanted).max(), err_msg=f"h {i}")


def test_no_token_sees_a_later_one(build):
    check_causality(build)


def test_the_cache_changes_nothing(build):
    check_cache(build)


def test_a_text_longer_than_the_window(build):
    check_long_text(build)


def test_sampling_as_transformers(build):
    check_sampling(build)


def test_extreme_draws_give_tokens_that_are_allowed(build):
    level = build(GPT2)
    logits = np.array([[0.0, 3.0, -1.0, 2.0]] * 2, dtype=np.float32)
    for draws in ([0.0, 0.0], [1.0, 1.0], [np.nextafter(1, 0)] * 2):
        for options in (dict(), dict(top_k=2), dict(top_p=0.9)):
            tokens = sampler(level)(level.tensor(logits), level.tensor(np.array(draws)), **options).numpy()
            assert set(tokens.tolist()) <= ({1, 3} if options else {0, 1, 2, 3}) and (draws[0] > 0 or tokens[0] == 1)
    greedy = sampler(level)(level.tensor(logits), level.tensor(np.array([0.99, 0.99])), temperature=0).numpy()
    assert greedy.tolist() == [1, 1]


def test_dropout_in_training_alone(build):
    check_dropout(build)


def test_dropout_keeps_the_mean(build):
    check_dropout_keeps_the_mean(build)


def test_statistics_at_initialisation(build):
    check_initialisation(build)


def test_it_learns_to_look_back(build):
    """Say the token before last again: what a model without attention gets right one time in eight."""
    config = GPTConfig(vocab_size=8, block_size=10, n_layer=2, n_head=2, n_embd=32)
    level, rng = build(config), np.random.default_rng(0)
    level.load_state(seeded(config))
    level.use_optimizer("adam", 1e-2, {})
    for _ in range(100):
        sequence = rng.integers(0, 8, (32, 12))
        loss = level.step((sequence[:, 2:],), (sequence[:, :-2],))
    predicted = logits_of(level, sequence[:, 2:]).argmax(axis=-1)
    assert (predicted[:, 2:] == sequence[:, 2:-2]).mean() > 0.9, loss


def seeded(config):
    framework.manual_seed(0)
    return build_level(STUDY, "engine", config).state()


# ------------------------------------------------------------------------------------------ The published models

COUNTS = {"gpt1": 116_534_784, "gpt2": 124_439_808, "gpt2-medium": 354_823_168, "gpt2-large": 774_030_080, "gpt2-xl": 1_557_611_200}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameter_counts_of_the_published_models(name):
    with torch.device("meta"):
        model = STUDY.module("paper/gpt_paper.py").GPT(PUBLISHED[name])
    assert {key: tuple(p.shape) for key, p in model.named_parameters()} == PUBLISHED[name].shapes
    assert sum(p.numel() for p in model.parameters()) == COUNTS[name]
    twin = meta_twin(PUBLISHED[name])
    assert sum(p.numel() for p in twin.parameters()) == COUNTS[name]


def meta_twin(config):
    with torch.device("meta"):
        return KEYMAP.transformers_gpt(config)


@pytest.mark.parametrize("config", [GPT2, GPT1], ids=["gpt2", "gpt1"])
def test_names_and_weights_go_to_transformers_and_back(config):
    twin = KEYMAP.transformers_gpt(config)
    rng = np.random.default_rng(0)
    state = {name: rng.standard_normal(shape) for name, shape in config.shapes.items()}
    theirs = KEYMAP.to_twin(state)
    assert {key: array.shape for key, array in theirs.items()} == {
        key: tuple(tensor.shape) for key, tensor in twin.state_dict().items()
    }
    for layout in (theirs, {key.removeprefix("transformer."): array for key, array in theirs.items()}):
        back = KEYMAP.from_twin(layout)
        assert set(back) == set(state)
        for name, array in state.items():
            np.testing.assert_array_equal(back[name], array, err_msg=name)
    theirs["lm_head.weight"] = theirs["lm_head.weight"] + 1
    assert "lm_head.weight" in KEYMAP.from_twin(theirs)  # a head of its own has no place here


def test_greedy_generation_is_that_of_transformers(build):
    level, x = loud_level(build, GPT2), text(GPT2, 2, 3)
    twin = build_level(STUDY, "twin", GPT2)
    twin.load_state(level.state())
    reference = transformers.GPT2LMHeadModel(twin.model.config).double()
    reference.load_state_dict(twin.model.state_dict())
    prompt = torch.from_numpy(x)
    options = dict(max_new_tokens=7, do_sample=False, eos_token_id=None, pad_token_id=0)
    expected = reference.generate(prompt, attention_mask=torch.ones_like(prompt), **options)
    np.testing.assert_array_equal(generate(level, x, np.zeros((7, 2)), temperature=0), expected.numpy())


# ---------------------------------------------------------------------------------------------------------- Errors


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.zeros(5, dtype=np.int64), ValueError, r"expected tokens \(B, T\), at least one, got \(5,\)"),
        (np.zeros((2, 0), dtype=np.int64), ValueError, r"at least one, got \(2, 0\)"),
        (np.zeros((2, 3)), TypeError, r"expected tokens of int64, got float64"),
        (np.zeros((2, 11), dtype=np.int64), ValueError, r"expected at most 10 tokens \(block_size\), got 11"),
        (np.array([[0, 23]]), ValueError, r"expected tokens in 0\.\.22, got 0\.\.23"),
        (np.array([[0, -1]]), ValueError, r"expected tokens in 0\.\.22, got -1\.\.0"),
    ],
    ids=["one-text", "empty", "floats", "too-long", "above", "below"],
)
def test_wrong_inputs(build, x, error, message):
    with pytest.raises(error, match=r"GPT\.forward: .*" + message):
        loud_level(build, GPT2).predict((x,), (x,))


def test_a_full_cache(build):
    level = loud_level(build, GPT2)
    cache = level.model.new_cache()
    level.model.forward(level.tensor(text(GPT2, 1, 9)), cache)
    with pytest.raises(
        ValueError, match=r"GPT\.forward: expected at most 10 tokens \(block_size\), got 2 after 9 in the cache"
    ):
        level.model.forward(level.tensor(text(GPT2, 1, 2)), cache)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (np.zeros((2, 4), dtype=np.int64), r"expected targets \(2, 5\) of int64, got \(2, 4\) of int64"),
        (np.zeros((2, 5)), r"expected targets \(2, 5\) of int64, got \(2, 5\) of float64"),
        (np.full((2, 5), 23), r"expected targets in 0\.\.22, got 23\.\.23"),
    ],
    ids=["shape", "floats", "above"],
)
def test_wrong_targets(build, targets, message):
    with pytest.raises(ValueError, match=r"GPT\.loss: " + message):
        loud_level(build, GPT2).predict((text(GPT2, 2, 5),), (targets,))


@pytest.mark.parametrize("misfit", MISFITS)
def test_load_state_dict_names_what_does_not_fit(build, misfit):
    assert_misfit_is_named(build(GPT2), misfit, "wte.weight", "lm_head.weight")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(norm="none"), r"norm is pre or post, got 'none'"),
        (dict(n_layer=0), r"n_layer is an int of at least 1, got 0"),
        (dict(n_embd=True), r"n_embd is an int of at least 1, got True"),
        (dict(n_head=5), r"n_embd is a multiple of n_head, got 768 and 5"),
        (dict(dropout=1.0), r"dropout is a probability below 1, got 1\.0"),
    ],
    ids=["norm", "size", "bool", "heads", "dropout"],
)
def test_a_bad_config_names_what_is_wrong_and_what_is_valid(options, message):
    with pytest.raises(ValueError, match="GPTConfig: " + message):
        GPTConfig(**options)


# -------------------------------------------------------------------------------------------------------- Training


def test_weight_decay_acts_on_matrices_alone(build):
    level = loud_level(build, GPT2)
    options = STUDY.recipe("shakespeare")[1]["optimizer_options"]
    optimizer = make_optimizer(level.library, "adamw", level.parameters(), 0.1, options)
    before = level.state()
    for p in level.parameters().values():
        p.grad = level.library.zeros_like(p)
    optimizer.step()
    for name, p in level.state().items():
        np.testing.assert_allclose(p, before[name] * (1 - 0.1 * 0.1 if p.ndim == 2 else 1), rtol=1e-12, err_msg=name)


@pytest.mark.parametrize(
    "name", ["pydoc", *(pytest.param(name, marks=pytest.mark.data) for name in ("shakespeare", "shakespeare-gpu"))]
)
def test_a_recipes_data_fit_its_config(name):
    _, recipe = STUDY.recipe(name)
    config, data = recipe["config"], STUDY.examples(recipe, load(recipe["data"]))
    assert len(data.tokens) == config.vocab_size and data.train.x.shape[1] == data.test.x.shape[1] == config.block_size
    loss, _ = build_level(STUDY, "engine", config).predict((data.train.x[:2],), (data.train.y[:2],))
    assert abs(loss - math.log(config.vocab_size)) < 0.4  # at the start every character is as likely as another


def test_the_learning_rate_of_the_recipes():
    rate = STUDY.facts.RECIPES["shakespeare"]["schedule"]
    rates = [rate(step, 2000) for step in range(2000)]
    assert rates[0] == pytest.approx(1 / 101) and max(rates) == rates[100] == 1
    assert rates[1050] == pytest.approx(0.55) and 0.1 <= rates[-1] < 0.1001
    assert min(rate(step, 5) for step in range(5)) > 0


def test_bits_per_character_is_the_loss_in_another_unit(build):
    level, x = loud_level(build, GPT2), text(GPT2, 2, 9)
    loss, outputs = level.predict((x[:, :-1],), (x[:, 1:],))
    assert STUDY.facts.bits_per_character(outputs, x[:, 1:]) == pytest.approx(loss / math.log(2), rel=1e-12)


@pytest.fixture
def small_run(tmp_path, monkeypatch):
    """A run of `dlfs train 09`, of a recipe that takes a second."""
    recipe = STUDY.facts.RECIPES["pydoc"]
    small = GPTConfig(vocab_size=97, block_size=32, n_layer=2, n_head=2, n_embd=8)
    monkeypatch.setitem(STUDY.facts.RECIPES, "pydoc", {**recipe, "config": small, "epochs": 1, "steps_per_epoch": 3})
    with pytest.raises(SystemExit, match="0"):
        main(["train", "09", "--level", "engine", "--save-dir", str(tmp_path / "run")])
    return tmp_path / "run"


def test_a_run_writes_the_same_text_at_every_level(small_run, tmp_path):
    texts = {
        level: GENERATE.write(small_run, "The ", 60, top_k=20, level=level) for level in ("engine", "lowlevel", "paper")
    }
    assert len(set(texts.values())) == 1 and len(texts["engine"]) == 64 and texts["engine"].startswith("The ")
    assert GENERATE.write(small_run, "The ", 60, top_k=20, seed=1) != texts["engine"]
    with pytest.raises(DLFSError, match="--prompt: pydoc has no 'é'. Its characters: "):
        GENERATE.write(small_run, "Thé")
    with pytest.raises(DLFSError, match="the prompt is empty"):
        GENERATE.write(small_run, "")
    out = tmp_path / "written.txt"
    done = CliRunner().invoke(GENERATE.command, [str(small_run), "--length", "5", "--prompt", "a", "--out", str(out)])
    assert done.exit_code == 0 and done.output == out.read_text() and len(done.output) == 7
    done = CliRunner().invoke(GENERATE.command, [str(small_run), "--prompt", "é"])
    assert done.exit_code == 1 and done.output.startswith("Error: --prompt: pydoc has no")


def test_pictures_of_a_run(small_run, tmp_path):
    with pytest.raises(SystemExit, match="0"):
        main(["pictures", "09", str(small_run), "--out", str(tmp_path / "pictures")])
    names = {path.name for path in (tmp_path / "pictures").iterdir()}
    assert names == {f"pydoc-{name}.png" for name in ("attention", "by-position", "positions")}


def test_the_pictures_weights_are_those_that_attention_uses():
    level, x = loud_level(partial(build_level, STUDY, "engine"), GPT2), text(GPT2, 1, 9)[0]
    twin = build_level(STUDY, "twin", GPT2)
    twin.load_state(level.state())
    twin.model.set_attn_implementation("eager")
    with torch.no_grad():
        expected = twin.model.transformer(torch.from_numpy(x[None]), output_attentions=True).attentions
    found = STUDY.module("pictures.py").attention_weights(level, x)
    np.testing.assert_allclose(found, np.concatenate([each.numpy() for each in expected]), atol=1e-12)


@pytest.mark.data
def test_a_checkpoint_of_transformers_writes_with_gpt2s_tokens(tmp_path, monkeypatch):
    small = GPTConfig(block_size=16, n_layer=1, n_head=1, n_embd=4)
    monkeypatch.setitem(PUBLISHED, "gpt2", small)
    twin = transformers.GPT2LMHeadModel(transformers.GPT2Config(n_positions=16, n_layer=1, n_head=1, n_embd=4)).eval()
    for p in twin.parameters():
        p.data.normal_(generator=torch.Generator().manual_seed(p.numel()))
    twin.save_pretrained(tmp_path)
    prompt = torch.tensor([[15496, 995]])  # "Hello world", by tiktoken
    options = dict(max_new_tokens=8, do_sample=False, eos_token_id=None, pad_token_id=0)
    expected = twin.generate(prompt, attention_mask=torch.ones_like(prompt), **options)[0].tolist()
    found = GENERATE.write(tmp_path / "model.safetensors", "Hello world", 8, temperature=0)
    assert found == gpt2_tokenizer().decode(expected) and found.startswith("Hello world")


def test_tokens_that_are_not_known(tmp_path):
    path = tmp_path / "tiny.safetensors"
    serialization.save({name: framework.zeros(shape) for name, shape in GPT2.shapes.items()}, path)
    with pytest.raises(DLFSError, match="it is not known which tokens gpt2-tiny was trained on"):
        GENERATE.write(path, "a")


def test_the_readme_quotes_what_the_recorded_run_wrote():
    readme = (STUDY.folder / "README.md").read_text(encoding="utf-8")
    quoted = readme.partition("```text\n")[2].partition("```")[0]
    assert len(quoted) > 200 and quoted in (STUDY.folder / "samples" / "shakespeare.txt").read_text(encoding="utf-8")


# ------------------------------------------------------------------------------------------- What theory.md says


def test_the_gradients_of_theory_are_those_of_autograd():
    """Equations 17, 19, 20 and 22 to 25, written out in NumPy, against autograd through level 2's own functions."""
    rng = np.random.default_rng(0)
    lowlevel = STUDY.module("pytorch_lowlevel/gpt_lowlevel.py")

    def leaf(*shape):
        return torch.from_numpy(rng.standard_normal(shape)).requires_grad_()

    x, gamma, beta, dy = leaf(3, 4, 6), leaf(6), leaf(6), rng.standard_normal((3, 4, 6))
    norm = lowlevel.LayerNorm(GPT2, {"ln.weight": gamma, "ln.bias": beta}, "ln")
    norm.forward(x).backward(torch.from_numpy(dy))
    a = x.detach().numpy()
    sigma = np.sqrt(a.var(axis=-1, keepdims=True) + 1e-5)
    x_hat = (a - a.mean(axis=-1, keepdims=True)) / sigma
    dx_hat = dy * gamma.detach().numpy()
    dx = (dx_hat - dx_hat.mean(-1, keepdims=True) - x_hat * (dx_hat * x_hat).mean(-1, keepdims=True)) / sigma  # eq. 20
    np.testing.assert_allclose(gamma.grad, (dy * x_hat).sum((0, 1)))  # eq. 19
    np.testing.assert_allclose(beta.grad, dy.sum((0, 1)))
    np.testing.assert_allclose(x.grad, dx, atol=1e-12)

    a, da = leaf(50), rng.standard_normal(50)
    lowlevel.gelu(a).backward(torch.from_numpy(da))
    z = a.detach().numpy()
    t = np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))
    slope = 0.5 * (1 + t) + 0.5 * z * (1 - t**2) * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * z**2)  # eq. 22
    np.testing.assert_allclose(a.grad, da * slope, atol=1e-12)

    q, k, v, dy = leaf(2, 5, 3), leaf(2, 5, 3), leaf(2, 5, 3), rng.standard_normal((2, 5, 3))
    scores = (q @ k.transpose(1, 2) / math.sqrt(3)).masked_fill(~torch.ones(5, 5, dtype=torch.bool).tril(), -math.inf)
    weights = torch.softmax(scores, dim=-1)
    (weights @ v).backward(torch.from_numpy(dy))
    A, Q, K, V = (each.detach().numpy() for each in (weights, q, k, v))
    dA = dy @ V.transpose(0, 2, 1)  # eq. 23
    dS = A * (dA - (A * dA).sum(-1, keepdims=True))  # eq. 24
    np.testing.assert_allclose(v.grad, A.transpose(0, 2, 1) @ dy, atol=1e-12)
    np.testing.assert_allclose(q.grad, dS @ K / math.sqrt(3), atol=1e-12)  # eq. 25
    np.testing.assert_allclose(k.grad, dS.transpose(0, 2, 1) @ Q / math.sqrt(3), atol=1e-12)
    np.testing.assert_allclose(dS.sum(axis=-1), 0, atol=1e-12)  # eq. 26


def test_the_tied_matrix_gets_both_gradients(build):
    """Equation 27: what the head says of wte, and what the embedding says, each taken alone, add up to its gradient."""
    level, x = loud_level(build, GPT2), text(GPT2, 2, 9)
    (x,), (targets,) = (x[:, :-1],), (x[:, 1:],)
    found = level.evaluate((x,), (targets,)).gradients["wte.weight"]
    state = level.state()
    record_ = record(level, (x,), (targets,))
    h = record_.activations["GPT.forward", "h", GPT2.n_layer + 1]  # after ln_f
    logits = logits_of(level, x)
    probs = np.exp(logits - logits.max(-1, keepdims=True))
    probs /= probs.sum(-1, keepdims=True)
    dlogits = (probs - np.eye(GPT2.vocab_size)[targets]) / targets.size  # eq. 17
    head = np.einsum("btv,btc->vc", dlogits, h)  # eq. 18
    embedding = np.zeros_like(state["wte.weight"])
    np.add.at(embedding, x, record_.gradients["GPT.forward", "h", 0])
    np.testing.assert_allclose(found, head + embedding, rtol=0, atol=1e-12 * np.abs(found).max())
    assert np.abs(head).max() > 0.01 * np.abs(found).max() < 100 * np.abs(embedding).max()


def test_residual_scaling_keeps_the_stream_as_large_as_it_was():
    """Section 5: at the start each of the 2 L additions adds to the variance; with scaling their sum is that of one unscaled addition."""
    sizes = dict(vocab_size=50, block_size=32, n_layer=12, n_head=2, n_embd=64)
    grown = {}
    for scaled in (True, False):
        config = GPTConfig(**sizes, scale_residual=scaled)
        framework.manual_seed(0)
        level = build_level(STUDY, "engine", config)
        x = text(config, 4, 32)
        found = record(level, (x,), (x,)).activations
        grown[scaled] = found["GPT.forward", "h", 12].var() - found["GPT.forward", "h", 0].var()
    assert 10 < grown[False] / grown[True] < 50  # 2 L = 24


# --------------------------------------------------------------------------------------------------------- Mutants

MASK = ".tril(S - T)"
GELU = "torch.tanh(math.sqrt(2 / math.pi) * (a + 0.044715 * a**3))"
SCALE = "math.sqrt(2 * config.n_layer)"
OFFSET, START = "torch.arange(past, past + x.shape[1]", "torch.arange(0, x.shape[1]"
HEADS, INTERLEAVED = (
    "x.unflatten(2, (self.config.n_head, -1))",
    "x.unflatten(2, (-1, self.config.n_head)).transpose(2, 3)",
)
SOFTMAX = "torch.softmax(scores.masked_fill(~mask, -math.inf), dim=-1)"
DROP = "self.config.dropout if self.training else 0.0"
TOP_P = "(before >= top_p) & (before > 0)"
VAR = "((x - mean) ** 2).mean(dim=-1, keepdim=True)"
SCALED = "draws[:, None].to(total.dtype) * total[:, -1:]"
PRE_NORM = "x + self.attn.forward(self.ln_1.forward(x), cache, dropout_p)"
EMBEDDED = 'dropout(p["wte.weight"][x] + '
WINDOW = "cache, seen = None, x.shape[1] - self.config.block_size"


def both(name, old, new, check):
    return [Mutant(name, level, old, new, check) for level in ("lowlevel", "paper")]


MUTANTS = [
    Mutant("causal mask off by one", "lowlevel", MASK, ".tril(S - T + 1)", GPT2_AGREES),
    Mutant("a token does not see itself but in the first place", "lowlevel", MASK, ".tril(S - T - 1) + (torch.arange(T) == 0)[:, None]", check_causality),
    Mutant("no causal mask", "paper", "is_causal=T == S", "is_causal=False", check_causality),
    Mutant("mask off by one under the cache", "paper", MASK, ".tril(S - T - 1)", check_cache),
    Mutant("mask as if there were no cache", "lowlevel", MASK, ".tril(0)", check_cache),
    Mutant("mask as if there were no cache", "paper", MASK, ".tril(0)", check_cache),
    Mutant("mask after the softmax", "lowlevel", SOFTMAX, "torch.softmax(scores, dim=-1).masked_fill(~mask, 0.0)", GPT2_AGREES),
    Mutant("softmax over the queries", "lowlevel", SOFTMAX, SOFTMAX.replace("dim=-1", "dim=-2"), GPT1_AGREES),
    Mutant("GELU by erf", "lowlevel", GELU, "torch.erf(a / math.sqrt(2))", GPT2_AGREES),
    Mutant("GELU by erf", "paper", 'approximate="tanh"', 'approximate="none"', GPT2_AGREES),
    *both("positions not offset under the cache", OFFSET, START, check_cache),
    Mutant("untied head", "lowlevel", 'h @ p["wte.weight"].T', 'h @ p["wte.weight"].detach().T', GPT2_AGREES),
    Mutant("untied head", "paper", "F.linear(h, self.wte.weight)", "F.linear(h, self.wte.weight.detach())", GPT1_AGREES),
    *both("residual scale of L additions", SCALE, "math.sqrt(config.n_layer)", check_initialisation),
    *both("no residual scale", "config.scale_residual and name", "False and name", check_initialisation),
    *both("residual scale in the released code", "config.scale_residual and name", "name", check_initialisation),
    *both("wpe as large as wte in the released code", "config.wpe_std if", "0.02 if", check_initialisation),
    Mutant("ε of LayerNorm", "lowlevel", "EPS = 1e-5", "EPS = 1e-6", GPT2_AGREES),
    Mutant("ε of LayerNorm", "paper", "self.ln_1 = nn.LayerNorm(config.n_embd)", "self.ln_1 = nn.LayerNorm(config.n_embd, eps=1e-6)", GPT1_AGREES),
    Mutant("ε outside the root", "lowlevel", "torch.sqrt(var + EPS)", "(torch.sqrt(var) + EPS)", GPT1_AGREES),
    Mutant("unbiased variance", "lowlevel", VAR, "x.var(dim=-1, keepdim=True)", GPT2_AGREES),
    Mutant("scores not divided by √D", "lowlevel", " / math.sqrt(D)", "", GPT2_AGREES),
    Mutant("scores divided by √C", "lowlevel", "math.sqrt(D)", "math.sqrt(x.shape[2])", GPT2_AGREES),
    Mutant("scores not divided by √D", "paper", "is_causal=T == S)", "is_causal=T == S, scale=1.0)", GPT2_AGREES),
    *both("heads interleaved", HEADS, INTERLEAVED, GPT2_AGREES),
    Mutant("no ln_f", "lowlevel", "h = self.ln_f.forward(h)", "h = h + 0 * self.ln_f.forward(h)", GPT2_AGREES),
    Mutant("no ln_f", "paper", "h = self.ln_f(h)", "h = h + 0 * self.ln_f(h)", GPT2_AGREES),
    Mutant("post-norm for pre-norm", "lowlevel", PRE_NORM, "self.ln_1.forward(x + self.attn.forward(x, cache, dropout_p))", GPT2_AGREES),
    Mutant("pre-norm for post-norm", "paper", "self.ln_2(x + self.mlp(x))", "x + self.mlp(self.ln_2(x))", GPT1_AGREES),
    Mutant("the residual is the normalised input", "paper", "x = x + self.mlp(self.ln_2(x))", "x = self.ln_2(x) + self.mlp(self.ln_2(x))", GPT2_AGREES),
    Mutant("embeddings times √C", "lowlevel", EMBEDDED, EMBEDDED.replace("[x]", "[x] * math.sqrt(self.config.n_embd)"), GPT2_AGREES),
    *both("dropout in evaluation", DROP, "self.config.dropout", check_dropout),
    Mutant("dropout in generation", "lowlevel", "self.train(False)", "pass", check_dropout),
    Mutant("dropout without 1 / (1 - p)", "lowlevel", " / (1 - p) if p", " if p", check_dropout_keeps_the_mean),
    *both("temperature multiplies", "logits / temperature", "logits * temperature", check_sampling),
    *both("top-k takes one more", ">= top_k", "> top_k", check_sampling),
    *both("top-p leaves out the token that reaches p", TOP_P, "(before + probs > top_p) & (before > 0)", check_sampling),
    *both("what is left of 1 is not scaled up", SCALED, "torch.minimum(draws[:, None].to(total.dtype), total[:, -1:])", check_sampling),
    *both("the window is a token short", WINDOW, WINDOW + " + 1", check_long_text),
]  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_mutant_is_caught(mutant):
    assert_caught(STUDY, mutant)
