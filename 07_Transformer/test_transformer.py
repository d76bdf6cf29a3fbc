"""Transformer at every level: agreement, masks, decoding, initialisation, errors; and the mutants that these must catch."""

import dataclasses
import itertools
import math
from functools import partial

import numpy as np
import pytest
import torch

import framework.nn
from dlfs.compare import compare_study
from dlfs.levels import build_level, level_names
from dlfs.studies import find_study
from tests.model_checks import MISFITS, assert_agreement, assert_misfit_is_named
from tests.mutants import Mutant, assert_caught, mutate
from utils.data_loaders import load

STUDY = find_study("07")
facts = STUDY.facts
Config, VARIANTS, example_batch = facts.TransformerConfig, facts.VARIANTS, facts.example_batch
PAD, BOS, EOS = facts.PAD, facts.BOS, facts.EOS
LEVELS = [name for name in level_names(STUDY) if name != "twin"]
PAPER = VARIANTS["paper"]


@pytest.fixture(params=LEVELS)
def build(request):
    """build(config): the level with the weights that its own constructor draws. Arrays go in and come out at each level."""
    return partial(build_level, STUDY, request.param)


def strong_level(build, config, seed=0, size=2.0):
    """A level in float64 with weights at which nothing is small: matrices of `size` times the usual, biases not 0, γ not 1."""
    rng, level = np.random.default_rng(seed), build(config)
    state = {
        name: rng.standard_normal(shape) * (size / math.sqrt(shape[-1]) if len(shape) == 2 else 0.3)
        for name, shape in config.shapes.items()
    }
    level.load_state({name: a + (".norm" in name and name.endswith("weight")) for name, a in state.items()})
    return level


def logits_of(level, src, tgt):
    _, (logits,) = level.predict((src, tgt), (np.full_like(tgt, EOS),))
    return logits


def batch(config, seed=0):
    return example_batch(config, np.random.default_rng(seed))


# ---------------------------------------------------------------------------- Checks, which mutants must not survive


def check_agreement(variant, build):
    """With initial and with loud weights, in float64, the level computes what torch.nn.Transformer computes."""
    assert_agreement(STUDY, build, [variant], ("twin",))


AGREES, SMOOTH_AGREES = partial(check_agreement, "paper"), partial(check_agreement, "no-smoothing")


def check_padding(build):
    """More padding at the end of src, or of tgt and its labels, changes no logit, no loss and no gradient; and a sentence gets
    in a batch what it gets alone."""
    level = strong_level(build, PAPER)
    (src, tgt), (labels,) = batch(PAPER)
    wider = [np.pad(tokens, ((0, 0), (0, 3))) for tokens in (src, tgt, labels)]
    narrow, wide = level.evaluate((src, tgt), (labels,)), level.evaluate(tuple(wider[:2]), (wider[2],))
    T = tgt.shape[1]
    np.testing.assert_allclose(wide.outputs[0][:, :T], narrow.outputs[0], rtol=1e-9, atol=1e-11)
    assert wide.loss == pytest.approx(narrow.loss, rel=1e-12)
    for name, gradient in narrow.gradients.items():
        np.testing.assert_allclose(wide.gradients[name], gradient, rtol=1e-9, atol=1e-11, err_msg=name)
    losses, counts = [], (labels != PAD).sum(axis=1)
    for i, count in enumerate(counts):
        s = int((src[i] != PAD).sum())
        alone = (src[[i], :s], tgt[[i], :count]), (labels[[i], :count],)
        loss, (logits,) = level.predict(*alone)
        np.testing.assert_allclose(
            narrow.outputs[0][i, :count], logits[0], rtol=1e-9, atol=1e-11, err_msg=f"sentence {i}"
        )
        losses.append(loss)
    assert narrow.loss == pytest.approx(np.average(losses, weights=counts), rel=1e-9)


def check_causality(build):
    """A token of tgt moves the logits at its own place and behind it, and none before; a token of src moves all."""
    level = strong_level(build, PAPER)
    (src, tgt), _ = batch(PAPER)
    src, tgt = src[-1:] + (src[-1:] == PAD), tgt[-1:] + 3 * (tgt[-1:] == PAD)
    before = logits_of(level, src, tgt)[0]
    for t in range(1, tgt.shape[1]):
        other = tgt.copy()
        other[0, t] = (tgt[0, t] + 5) % 17 + 3
        moved = np.abs(logits_of(level, src, other)[0] - before).max(axis=1)  # (T,)
        assert (moved[:t] == 0).all(), f"tgt {t} is seen from {np.flatnonzero(moved[:t])}"
        assert (moved[t:] > 1e-6).all(), f"tgt {t} is not seen from {t + np.flatnonzero(moved[t:] <= 1e-6)}"
    for s in range(src.shape[1]):
        other = src.copy()
        other[0, s] = (src[0, s] + 5) % 17 + 3
        assert (np.abs(logits_of(level, other, tgt)[0] - before).max(axis=1) > 1e-6).all(), f"src {s} is not seen"


def check_positions(build):
    """Against the paper's formula, entry by entry; and the vector k places on is the same rotation of every place's vector."""
    config = dataclasses.replace(PAPER, d_model=6, num_heads=1)
    level = build(config)
    d, T = 6, 9
    found = positions_of(level, T)
    expected = np.zeros((T, d))
    for t, i in itertools.product(range(T), range(d // 2)):
        expected[t, 2 * i] = math.sin(t / 10_000 ** (2 * i / d))
        expected[t, 2 * i + 1] = math.cos(t / 10_000 ** (2 * i / d))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    rotation, *_ = np.linalg.lstsq(found[:-2], found[2:])
    np.testing.assert_allclose(found[:-2] @ rotation, found[2:], atol=1e-9)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(d), atol=1e-9)


def positions_of(level, T):
    """What embed adds to an embedding of zeros (T, d)."""
    level.load_state({name: np.zeros(p.shape) for name, p in level.state().items()})
    return level.model.embed(level.tensor(np.full((1, T), 3))).detach().numpy()[0]


def check_post_norm(build):
    """At initialisation γ = 1 and β = 0: what leaves a stack has mean 0 and, divided by d, variance 1 at every place."""
    for seed in range(2):
        level = build(PAPER)
        (src, tgt), _ = batch(PAPER, seed)
        src, tgt = level.tensor(src), level.tensor(tgt)
        mask = (src != PAD)[:, None, None, :]
        memory = level.model.encode(src, mask)
        for x in (memory, level.model.decode(tgt, memory, mask)):
            x = x.detach().numpy()
            np.testing.assert_allclose(x.mean(axis=-1), 0, atol=1e-6)
            np.testing.assert_allclose((x * x).mean(axis=-1), 1, atol=1e-3)


def check_loss(build):
    """Against the definition: the mean cross entropy between (1 − ε) one-hot + ε/V and softmax(logits), over labels ≠ padding."""
    for variant in ("paper", "no-smoothing"):
        config = VARIANTS[variant]
        level = strong_level(build, config)
        inputs, (labels,) = batch(config)
        loss, (logits,) = level.predict(inputs, (labels,))
        probs = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
        wanted = (1 - config.label_smoothing) * np.eye(config.vocab_size)[
            labels
        ] + config.label_smoothing / config.vocab_size
        cross_entropy = -(wanted * np.log(probs)).sum(axis=-1)  # (B, T)
        assert loss == pytest.approx(cross_entropy[labels != PAD].mean(), rel=1e-9)


def check_tying(build):
    """One matrix embeds both languages and makes the logits: there is no other, and its gradient is that of all three uses."""
    assert build(PAPER).parameter_names() == list(PAPER.shapes)
    level = strong_level(build, PAPER)
    inputs, targets = batch(PAPER)
    gradient = level.evaluate(inputs, targets).gradients["embedding.weight"]
    state, rng = level.state(), np.random.default_rng(1)
    direction = rng.standard_normal(gradient.shape)
    losses = []
    for step in (1e-7, -1e-7):
        level.load_state(state | {"embedding.weight": state["embedding.weight"] + step * direction})
        losses.append(level.predict(inputs, targets)[0])
    assert (losses[0] - losses[1]) / 2e-7 == pytest.approx((gradient * direction).sum(), rel=1e-4)


def check_initialisation(build):
    """Glorot's bounds; embeddings that √d brings to variance 1; γ = 1, all biases 0; all float32."""
    config = Config(vocab_size=500, d_model=64, num_layers=1, num_heads=2, d_ff=192, attention_bias=True)
    for name, p in build(config).state().items():
        assert p.dtype == np.float32, name
        if name == "embedding.weight":
            assert abs(p.std() * 8 - 1) < 0.02, name
        elif p.ndim == 1:
            assert (p == (1 if ".norm" in name and name.endswith("weight") else 0)).all(), name
        else:
            fan = 3 + 1 if name.split(".")[-2] in ("q_proj", "k_proj", "v_proj") else sum(p.shape) / 64
            bound = math.sqrt(6 / (64 * fan))  # the three input projections as one matrix (3d, d)
            assert 0.99 * bound < np.abs(p).max() <= bound * (1 + 1e-6), name
            assert abs(p.std() / (bound / math.sqrt(3)) - 1) < 0.05, name


def check_dropout(build):
    """In evaluation dropout does nothing; in training half of the embeddings' numbers are 0, and the others twice as large."""
    config = dataclasses.replace(PAPER, dropout=0.5)
    level = build(config)
    tokens = level.tensor(np.full((40, 25), 7))
    level.manual_seed(0)
    level.train(False)
    full = level.model.embed(tokens).detach().numpy()
    level.train()
    dropped = level.model.embed(tokens).detach().numpy()
    level.train(False)
    np.testing.assert_array_equal(level.model.embed(tokens).detach().numpy(), full)
    kept = dropped != 0
    assert abs(kept.mean() - 0.5) < 0.02
    np.testing.assert_allclose(dropped[kept], 2 * full[kept], rtol=1e-6)
    inputs, targets = batch(config)
    assert level.predict(inputs, targets)[0] == level.predict(inputs, targets)[0]


def check_greedy(build):
    """Each token is the likeliest one after those before it, for every sentence as if it were alone; nothing follows </s>."""
    for seed in (6, 9, 38):
        level = strong_level(build, FEW, seed, size=1)
        (src, _), _ = batch(FEW)
        level.train(False)
        found = level.model.greedy(level.tensor(src), 8)
        for i, tokens in enumerate(found):
            tgt = [BOS]
            for _ in range(8):
                token = int(logits_of(level, src[[i]], np.array([tgt]))[0, -1].argmax())
                if token == EOS:
                    break
                tgt.append(token)
            assert tokens == [token for token in tgt[1:] if token != PAD], f"seed {seed}, sentence {i}"
        assert len({len(tokens) for tokens in found}) > 1, "the sentences should end at different places"


FEW = dataclasses.replace(PAPER, vocab_size=5)  # with <pad>, <s> and </s>


def check_beam_search(build):
    """With beams for every sequence there is, it finds the best of all by log P / ((5 + length) / 6)^α; α decides how long that is."""
    length = 3
    chosen = set()  # lengths
    for seed in (1, 8, 9, 10):
        level = strong_level(build, FEW, seed, size=1)
        (src, _), _ = batch(FEW)
        for alpha in (0.0, 0.6, 3.0, 6.0):
            best = [exhaustive(level, src[[i]], alpha, length) for i in range(len(src))]
            level.train(False)
            assert level.model.beam_search(level.tensor(src), 200, alpha, length) == best, f"α = {alpha}, seed {seed}"
            chosen |= {len(tokens) for tokens in best}
    assert chosen == {0, 2, 3}


def exhaustive(level, src, alpha, length):
    """The best of all token sequences that end within `length` tokens or are cut off there."""
    others = [token for token in range(FEW.vocab_size) if token != EOS]
    every = np.array(list(itertools.product(others, repeat=length)))  # (N, length)
    tgt = np.concatenate([np.full((len(every), 1), BOS), every], axis=1)[:, :-1]
    logits = logits_of(level, np.repeat(src, len(every), axis=0), tgt)  # (N, length, V)
    log_probs = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    found = {}
    for row, sequence in zip(log_probs, every.tolist()):
        so_far = 0.0
        for n, token in enumerate(sequence):
            found[tuple(sequence[:n])] = (so_far + row[n, EOS]) / ((5 + n + 1) / 6) ** alpha
            so_far += row[n, token]
        found[tuple(sequence)] = so_far / ((5 + length) / 6) ** alpha
    return list(max(found, key=found.get))


def check_shift(study):
    """What predicts a label has not seen it: with a batch as training makes it, no label moves the logits that predict it."""
    level = strong_level(partial(build_level, STUDY, "paper"), PAPER)
    x, y = np.array([[5, 6, 7, 0]]), np.array([[8, 9, 10, EOS, 0, 0]])
    (src, tgt), (labels,) = study.training_batch(PAPER, x, y, None)
    assert src.shape == (1, 3) and labels.tolist() == [[8, 9, 10, EOS]]
    before = logits_of(level, src, tgt)
    for t in range(3):
        other = y.copy()
        other[0, t] = 15
        moved = np.abs(logits_of(level, *study.training_batch(PAPER, x, other, None)[0]) - before).max(axis=2)[0]
        assert (moved[: t + 1] == 0).all() and moved[t + 1] > 0, f"label {t}"


# ----------------------------------------------------------------------------------------------------- Every level


@pytest.mark.parametrize("variant", VARIANTS)
def test_all_levels_agree(variant):
    for comparison in compare_study(STUDY, variant):
        assert comparison.ok, f"{comparison.weights} weights: {comparison.worst}, noisy: {comparison.noisy}"
        assert "twin" in comparison.titles


@pytest.mark.parametrize(
    "check",
    [
        check_padding, check_causality, check_positions, check_post_norm, check_loss, check_tying, check_initialisation,
        check_dropout, check_greedy, check_beam_search,
    ],
)  # fmt: skip
def test_every_level_passes(build, check):
    check(build)


def test_the_decoder_reads_the_labels_one_place_to_the_right():
    check_shift(facts)


def test_beam_search_with_one_beam_and_no_penalty_is_greedy_search(build):
    level = strong_level(build, PAPER, seed=3)
    level.train(False)
    src = level.tensor(batch(PAPER)[0][0])
    greedy = level.model.greedy(src, 8)
    beams = level.model.beam_search(src, 1, 0.0, 8)
    assert [[token for token in tokens if token != PAD] for tokens in beams] == greedy


def test_a_short_text_may_be_padded_at_will_in_decoding(build):
    level = strong_level(build, PAPER)
    level.train(False)
    (src, _), _ = batch(PAPER)
    wide = np.pad(src, ((0, 0), (0, 4)))
    for search in (level.model.greedy, level.model.beam_search):
        assert search(level.tensor(src), max_length=4) == search(level.tensor(wide), max_length=4)


# -------------------------------------------------------------------------------------------- Figures of the paper


@pytest.mark.parametrize(
    ("config", "count"),
    [
        (facts.BASE, 63_045_632),  # the paper rounds to 65 million
        (dataclasses.replace(facts.BASE, attention_bias=True), 63_082_496),
        (facts.BIG, 214_171_648),  # 213 million in the paper
    ],
    ids=["base", "base with biases in attention", "big"],
)
def test_the_papers_parameter_counts(config, count):
    assert sum(math.prod(shape) for shape in config.shapes.values()) == count


def test_the_parameters_are_those_of_torch_nn_transformer_and_one_embedding():
    config = VARIANTS["attention-bias"]
    reference = torch.nn.Transformer(16, 4, 2, 2, 24)
    final_norms = sum(p.numel() for stack in (reference.encoder, reference.decoder) for p in stack.norm.parameters())
    expected = 20 * 16 + sum(p.numel() for p in reference.parameters()) - final_norms
    for level in ("paper", "lowlevel"):
        assert sum(p.size for p in build_level(STUDY, level, config).state().values()) == expected


def test_noams_learning_rate():
    rate = facts.noam(512, 4000)
    assert rate(3999, 100_000) == pytest.approx(512**-0.5 * 4000**-0.5)  # the peak, some 7e-4
    assert rate(1999, 100_000) == pytest.approx(rate(3999, 100_000) / 2)
    assert rate(15_999, 100_000) == pytest.approx(rate(3999, 100_000) / 2)
    assert max(range(20_000), key=lambda step: rate(step, 20_000)) == 3999


def test_tensor2tensors_positions(build):
    config = dataclasses.replace(PAPER, d_model=6, num_heads=1, positions="concatenated")
    angles = np.arange(9)[:, None] * np.array([1, 1e-2, 1e-4])  # the longest wave is 10,000 times the shortest, exactly
    expected = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    np.testing.assert_allclose(positions_of(build(config), 9), expected, rtol=1e-9, atol=1e-12)


# ---------------------------------------------------------------------------------------------------------- Learning


@pytest.mark.parametrize("level", ["engine", "lowlevel"])
def test_the_loss_falls_on_dates(level):
    """Sixty steps of the recipe, level 1 on the engine among them: from log V to less than half."""
    data, recipe = load("dates"), facts.RECIPES["dates"]
    framework.manual_seed(0)
    level = build_level(STUDY, level, recipe["config"])
    level.use_optimizer("adam", 0.0, recipe["optimizer_options"])
    rng, losses = np.random.default_rng(0), []
    for step in range(60):
        level.set_lr(facts.noam(64, 60)(step, 60) / 4)
        rows = rng.choice(len(data.train), 32)
        losses.append(level.step(*facts.training_batch(recipe["config"], data.train.x[rows], data.train.y[rows], rng)))
    parts = [np.mean(losses[start : start + 15]) for start in range(0, 60, 15)]
    assert all(later < earlier for earlier, later in itertools.pairwise(parts)), parts
    assert parts[-1] < 0.6 * losses[0]


@pytest.mark.parametrize("level", ["engine", "paper"])
def test_scores_of_a_model_that_knows_the_answers(level):
    """Scores are 1 and 100 where the translations are the references, whatever the order in which they are decoded."""
    scores, data = STUDY.module("scores.py"), load("dates")
    data = dataclasses.replace(data, test=dataclasses.replace(data.test, x=data.test.x[:7], y=data.test.y[:7]))
    level = build_level(STUDY, level, facts.RECIPES["dates"]["config"])
    answers = {tuple(x[x != PAD]): [int(t) for t in y if t not in (PAD, EOS)] for x, y in zip(data.test.x, data.test.y)}

    def greedy(src):
        return [answers[tuple(row[row != PAD])] for row in src.numpy()]

    level.model.greedy = greedy
    assert scores.translations(level, data, batch_size=3) == scores.references(data)
    assert scores.exact_match(level, data) == 1
    answers[tuple(data.test.x[0][data.test.x[0] != PAD])].pop()
    assert scores.exact_match(level, data) == pytest.approx(6 / 7)


def test_bleu_is_100_for_the_references_themselves():
    pytest.importorskip("sacrebleu")
    scores, data = STUDY.module("scores.py"), load("dates")
    assert scores.bleu_of(scores.references(data), data).score == pytest.approx(100)


# ---------------------------------------------------------------------------------------------------------- Errors


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (dict(src=np.zeros((4, 5))), TypeError, r"expected src of int64, got float64"),
        (dict(src=np.ones(5, dtype=np.int64)), ValueError, r"expected src of shape \(B, T\), .*, got \(5,\)"),
        (
            dict(tgt=np.ones((4, 0), dtype=np.int64)),
            ValueError,
            r"expected tgt .* at least one token each, got \(4, 0\)",
        ),
        (dict(tgt=np.ones((3, 5), dtype=np.int64)), ValueError, r"expected as many tgt as src, got 3 and 4 sequences"),
        (dict(src=np.full((4, 5), 20)), ValueError, r"expected src in 0\.\.19, got 20\.\.20"),
        (dict(src=np.zeros((4, 5), dtype=np.int64)), ValueError, r"expected a token in every src sequence"),
    ],
    ids=["floats", "one sequence", "empty", "batches differ", "unknown token", "padding alone"],
)
def test_wrong_inputs(build, change, error, message):
    (src, tgt), _ = batch(PAPER)
    level = build(PAPER)
    given = dict(src=src, tgt=tgt) | change
    with pytest.raises(error, match=r"Transformer\.forward: " + message):
        level.model.forward(*level.tensors(tuple(given.values())))


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (np.ones((4, 2), dtype=np.int64), ValueError, r"expected labels \(4, \d\), as tgt, got \(4, 2\)"),
        (np.zeros(1), ValueError, r"expected labels of shape"),
        ("nothing", ValueError, r"expected at least one label"),
    ],
    ids=["shape", "dimensions", "padding alone"],
)
def test_wrong_labels(build, labels, error, message):
    inputs, (right,) = batch(PAPER)
    with pytest.raises(error, match=r"Transformer\.loss: " + message):
        build(PAPER).predict(inputs, (np.zeros_like(right) if isinstance(labels, str) else labels,))


@pytest.mark.parametrize("misfit", MISFITS)
def test_load_state_dict_names_what_does_not_fit(build, misfit):
    assert_misfit_is_named(build(PAPER), misfit, "decoder.1.linear1.weight", "decoder.2.linear1.weight")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(d_model=0), r"d_model is an int of at least 1, got 0"),
        (dict(num_layers=True), r"num_layers is an int of at least 1, got True"),
        (dict(d_model=36), r"d_model is even and a multiple of num_heads=8, got 36"),
        (dict(d_model=5, num_heads=5), r"d_model is even"),
        (dict(dropout=1.0), r"dropout is at least 0 and less than 1, got 1\.0"),
        (dict(label_smoothing=-0.1), r"label_smoothing is at least 0"),
        (dict(positions="learnt"), r"positions is interleaved or concatenated, got 'learnt'"),
    ],
)
def test_a_bad_config_names_what_is_wrong_and_what_is_valid(options, message):
    with pytest.raises(ValueError, match="TransformerConfig: " + message):
        Config(**options)


# ------------------------------------------------------------------------------------------- What theory.md says

LOWLEVEL = STUDY.module("pytorch_lowlevel/transformer_lowlevel.py")


def gradients(function, *arrays, upstream=None):
    """What autograd says: the value of function, and the gradients of its arguments."""
    tensors = [torch.from_numpy(array).requires_grad_() for array in arrays]
    value = function(*tensors)
    value.backward(None if upstream is None else torch.from_numpy(upstream))
    return value.detach().numpy(), [tensor.grad.numpy() for tensor in tensors]


def test_what_theory_says_of_gradients():
    rng = np.random.default_rng(0)
    T, S, d_k = 5, 6, 4
    q, k, v, dY = (rng.standard_normal(shape) for shape in ((T, d_k), (S, d_k), (S, d_k), (T, d_k)))
    M = rng.random((T, S)) < 0.7
    M[:, 0] = True
    _, (dq, dk, dv) = gradients(lambda *qkv: LOWLEVEL.attention(*qkv, torch.from_numpy(M))[0], q, k, v, upstream=dY)
    A = np.where(M, q @ k.T / math.sqrt(d_k), -np.inf)
    P = np.exp(A) / np.exp(A).sum(axis=1, keepdims=True)
    dP = dY @ v.T  # eq. 20
    dA = P * (dP - (P * dP).sum(axis=1, keepdims=True))  # eq. 21
    np.testing.assert_allclose(dv, P.T @ dY)  # eq. 19
    np.testing.assert_allclose(dq, dA @ k / math.sqrt(d_k))  # eq. 22
    np.testing.assert_allclose(dk, dA.T @ q / math.sqrt(d_k))  # eq. 22
    np.testing.assert_allclose(dk.sum(axis=0), 0, atol=1e-14)  # eq. 23

    z, gamma, beta, dy = (
        rng.standard_normal((T, 8)),
        rng.standard_normal(8),
        rng.standard_normal(8),
        rng.standard_normal((T, 8)),
    )

    def layer_norm(z, gamma, beta):
        return LOWLEVEL.Layer(None, {"x.norm.weight": gamma, "x.norm.bias": beta}, "x").layer_norm("norm", z)

    _, (dz, dgamma, dbeta) = gradients(layer_norm, z, gamma, beta, upstream=dy)
    s = np.sqrt(z.var(axis=1, keepdims=True) + 1e-5)
    z_hat, g_hat = (z - z.mean(axis=1, keepdims=True)) / s, gamma * dy
    along = (g_hat * z_hat).mean(axis=1, keepdims=True)
    np.testing.assert_allclose(dz, (g_hat - g_hat.mean(axis=1, keepdims=True) - z_hat * along) / s)  # eq. 26
    np.testing.assert_allclose(dgamma, (dy * z_hat).sum(axis=0))  # eq. 27
    np.testing.assert_allclose(dbeta, dy.sum(axis=0))  # eq. 27

    logits, y = rng.standard_normal((T, 9)), rng.integers(0, 9, T)
    _, (dlogits,) = gradients(
        lambda logits: torch.nn.functional.cross_entropy(logits, torch.from_numpy(y), label_smoothing=0.1), logits
    )
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(dlogits, (p - (0.9 * np.eye(9)[y] + 0.1 / 9)) / T)  # eq. 29


def test_the_loss_cannot_fall_below_the_entropy_of_its_labels():
    """Section 1.6: 0.73 for the dates' 62 characters, 1.15 for 4,000 tokens, 1.38 for the paper's 37,000."""
    for V, entropy in ((62, 0.73), (4000, 1.15), (37_000, 1.38)):
        q = np.full(V, 0.1 / V)
        q[0] += 0.9
        assert -(q * np.log(q)).sum() == pytest.approx(entropy, abs=0.005)
        logits = torch.from_numpy(np.log(q))[None]
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor([0]), label_smoothing=0.1).item()
        assert loss == pytest.approx(-(q * np.log(q)).sum())


# --------------------------------------------------------------------------------------------------------- Mutants

L2_POST = """        gathered, _ = self.self_attn.forward(x, x, mask)
        x = self.layer_norm("norm1", x + dropout(gathered, p, training))  # eq. 10
        ff ="""
L2_PRE = """        y = self.layer_norm("norm1", x)
        x = x + dropout(self.self_attn.forward(y, y, mask)[0], p, training)
        ff ="""
L3_POST = """        gathered, _ = self.self_attn(x, x, mask)
        x = self.norm1(x + self.dropout(gathered))  # eq. 10
        ff ="""
L3_PRE = """        y = self.norm1(x)
        x = x + self.dropout(self.self_attn(y, y, mask)[0])
        ff ="""
BIASED = "variance = ((x - mean) ** 2).mean(dim=-1, keepdim=True)"
ROOT, NO_ROOT = "torch.sqrt(variance + 1e-5)", "(torch.sqrt(variance) + 1e-5)"
RESIDUAL_L3 = "self.norm3(x + self.dropout(ff))"
PLACES = "torch.arange(T, dtype=like.dtype, device=like.device)"
TIED = "        with torch.no_grad():\n            for name, parameter in self.named"
FINISHED = "finished.append((score / length_penalty(length, alpha), tokens[1:]))"


def both(name, old, new, check):
    """The same mistake in both files, where the code is the same."""
    return [Mutant(name, level, old, new, check) for level in ("lowlevel", "paper")]


MUTANTS = [
    Mutant("pre-norm", "lowlevel", L2_POST, L2_PRE, AGREES),
    Mutant("pre-norm", "paper", L3_POST, L3_PRE, AGREES),
    Mutant("pre-norm", "paper", RESIDUAL_L3, "x + self.dropout(self.norm3(ff))", check_post_norm),
    Mutant("no residual connection", "paper", RESIDUAL_L3, "self.norm3(self.dropout(ff))", AGREES),
    *both("no √d in the embedding", " * math.sqrt(self.config.d_model)", "", AGREES),
    *both("no √d in attention", " / math.sqrt(q.shape[-1])", "", AGREES),
    *both("d for √d in attention", "math.sqrt(q.shape[-1])", "q.shape[-1]", AGREES),
    *both("mask leaks by one", "<= place[:, None]", "<= place[:, None] + 1", check_causality),
    *both("mask too tight by one", "<= place[:, None]", "<= (place[:, None] - 1).clamp(min=0)", AGREES),
    *both("no causal mask", "place[None, :] <= place[:, None]", "place[None, :] >= 0 * place[:, None]", check_causality),
    *both("padding attended to", "(src != PAD)[:", "(src >= PAD)[:", check_padding),
    *both("padding attended to", "(src != PAD)[:", "(src >= PAD)[:", AGREES),
    Mutant("unbiased variance in LayerNorm", "lowlevel", BIASED, "variance = x.var(dim=-1, keepdim=True)", check_post_norm),
    Mutant("unbiased variance in LayerNorm", "lowlevel", BIASED, "variance = x.var(dim=-1, keepdim=True)", AGREES),
    Mutant("ε outside the root", "lowlevel", ROOT, NO_ROOT, AGREES),
    Mutant("ε of 1e-6", "paper", "self.norm3 = nn.LayerNorm(config.d_model)", "self.norm3 = nn.LayerNorm(config.d_model, eps=1e-6)", AGREES),
    *both("what is masked gets a score of -1", "masked_fill(~mask, -math.inf)", "masked_fill(~mask, -1.0)", check_causality),
    Mutant("softmax over the queries", "paper", "torch.softmax(scores, dim=-1)", "torch.softmax(scores, dim=-2)", check_causality),
    Mutant("heads interleaved", "paper", "x.unflatten(2, (self.num_heads, -1)).transpose(1, 2)",
           "x.unflatten(2, (-1, self.num_heads)).permute(0, 3, 1, 2)", AGREES),
    Mutant("heads interleaved", "lowlevel", "x.unflatten(2, (self.config.num_heads, -1)).transpose(1, 2)",
           "x.unflatten(2, (-1, self.config.num_heads)).permute(0, 3, 1, 2)", AGREES),
    Mutant("cross-attention reads the target", "paper", "self.cross_attn(x, memory, memory_mask)", "self.cross_attn(x, x, mask)", check_causality),
    Mutant("cross-attention reads the target", "lowlevel", "self.cross_attn.forward(x, memory, memory_mask)",
           "self.cross_attn.forward(x, x, mask)", check_causality),
    *both("sin and cos side by side", 'if config.positions == "interleaved":', "if False:", check_positions),
    *both("positions from 1 on", f"{PLACES}[:, None]", f"(1 + {PLACES}[:, None])", check_positions),
    *both("positions missing", " + sinusoids(tokens.shape[1], self.config, like=x)", "", AGREES),
    *both("10,000 reached in the paper's form too", 'last = half if config.positions == "interleaved" else', "last =", check_positions),
    *both("loss over padding too", "present = labels != PAD", "present = labels >= PAD", check_padding),
    *both("loss over padding too", "present = labels != PAD", "present = labels >= PAD", check_loss),
    Mutant("smoothing over padding too", "lowlevel", "smoothing * log_probs.mean(dim=-1)).mean()",
           "smoothing * torch.log_softmax(self.forward(src, tgt), dim=-1).mean()).mean()", check_padding),
    Mutant("smoothing adds to the whole", "lowlevel", "(1 - smoothing) * picked", "picked", check_loss),
    Mutant("no smoothing", "paper", ", label_smoothing=self.config.label_smoothing", "", check_loss),
    Mutant("untied", "paper", TIED, f"        self.out = nn.Linear(config.d_model, config.vocab_size)\n{TIED}", check_tying),
    Mutant("logits teach the embedding nothing", "paper", "F.linear(x, self.embedding.weight)", "F.linear(x, self.embedding.weight.detach())", check_tying),
    Mutant("logits teach the embedding nothing", "lowlevel", 'x @ self.params["embedding.weight"].T',
           'x @ self.params["embedding.weight"].detach().T', check_tying),
    Mutant("dropout in evaluation", "lowlevel", "if not training or p == 0", "if p == 0", check_dropout),
    Mutant("dropout without its scale", "lowlevel", ">= p) / (1 - p)", ">= p)", check_dropout),
    Mutant("no dropout of the embeddings", "paper", "self.dropout(x + sinusoids", "(x + sinusoids", check_dropout),
    Mutant("embeddings of variance 1", "lowlevel", "config.d_model**-0.5 * torch.randn", "torch.randn", check_initialisation),
    Mutant("embeddings of variance 1", "paper", "std=config.d_model**-0.5", "std=1.0", check_initialisation),
    Mutant("Glorot for each projection by itself", "paper", "math.sqrt(0.5) if in_proj else 1.0", "1.0", check_initialisation),
    Mutant("He for Glorot", "lowlevel", "(shape[0] + shape[1])", "shape[1]", check_initialisation),
    *both("greedy search goes on behind </s>", ".masked_fill(finished, PAD)", "", check_greedy),
    *both("greedy search without the source's mask", "memory = self.encode(src, mask)\n        tgt",
          "memory = self.encode(src, mask | True)\n        tgt", check_greedy),
    *both("no length penalty", "((5 + length) / 6) ** alpha", "1.0", check_beam_search),
    *both("penalty of the length before </s>", FINISHED, FINISHED.replace("length_penalty(length,", "length_penalty(length - 1,"), check_beam_search),
    *both("beams forget what led to them", "+ torch.tensor(scores, device=src.device)[:, None]", "", check_beam_search),
    *both("the first end is taken", "if finished and max(finished)[0] >= bound:", "if finished:", check_beam_search),
    *both("what is cut off does not count", "finished += [(score / length_penalty(longest, alpha), beam[1:])",
          "finished = finished or [(score / length_penalty(longest, alpha), beam[1:])", check_beam_search),
]  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_mutant_is_caught(mutant):
    assert_caught(STUDY, mutant)


def test_a_decoder_that_reads_its_labels_unshifted_is_caught():
    mutant = mutate(facts.__name__, "labels[:, :-1]], axis=1)", "labels[:, :-1]], axis=1)\n    tgt = labels")
    with pytest.raises(AssertionError):
        check_shift(mutant)
