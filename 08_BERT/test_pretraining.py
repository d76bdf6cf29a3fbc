"""What BERT is pre-trained on and how: masked words, pairs of passages, metrics, the optimizer; and the pictures of what was learnt."""

import dataclasses
import math
from functools import partial

import numpy as np
import pytest
import torch

import framework
from dlfs.levels import build_level, level_names, make_optimizer
from dlfs.studies import find_study
from tests.mutants import mutate
from utils.data_loaders import Dataset, Split, load
from utils.data_sets.wordpieces import CLS, MASK, PAD, SEP
from utils.visualization import save

STUDY = find_study("08")
BERTConfig, VARIANTS = STUDY.facts.BERTConfig, STUDY.facts.VARIANTS
KEYMAP, PRETRAINING, PICTURES = (STUDY.module(file) for file in ("keymap.py", "pretraining.py", "pictures.py"))
LEVELS = [name for name in level_names(STUDY) if name != "twin"]


@pytest.fixture(params=LEVELS)
def build(request):
    """build(config): the level with the weights that its own constructor draws. Arrays go in and come out at each level."""
    return partial(build_level, STUDY, request.param)


def texts(B, T, seed=0, vocab_size=500):
    """[CLS] … [SEP] … [SEP] and padding, (B, T)."""
    rng = np.random.default_rng(seed)
    input_ids = rng.integers(5, vocab_size, (B, T))
    lengths = rng.integers(T // 3, T + 1, B)
    for row, length in zip(input_ids, lengths):
        row[[0, length // 2, length - 1]] = CLS, SEP, SEP
        row[length:] = PAD
    return input_ids


def check_masking(module):
    """15 % of each text, at most 20; of these 80 % [MASK], 10 % any token, 10 % as they were; [CLS], [SEP] and padding never."""
    input_ids = texts(400, 160)
    inputs, positions, masked_ids = module.masked(input_ids, 500, np.random.default_rng(1))
    given = masked_ids != -100
    number = np.clip(np.rint(0.15 * (input_ids != PAD).sum(axis=1)), 1, 20)
    np.testing.assert_array_equal(given.sum(axis=1), number)
    assert given.sum(axis=1).max() == 20 and (positions[~given] == 0).all()
    original = np.take_along_axis(input_ids, positions, axis=1)[given]
    np.testing.assert_array_equal(masked_ids[given], original)
    assert not np.isin(original, (PAD, CLS, SEP)).any()
    found = np.take_along_axis(inputs, positions, axis=1)[given]
    fates = [(found == MASK).mean(), ((found != MASK) & (found != original)).mean(), (found == original).mean()]
    np.testing.assert_allclose(fates, [0.8, 0.1, 0.1], atol=0.015)
    changed = (inputs != input_ids).sum()
    assert changed == (found != original).sum()  # nothing but what was chosen
    for row, places in zip(given, positions):
        assert (np.diff(places[row]) > 0).all()
    spread = np.bincount(positions[given], minlength=160)[1:50]  # the start of a text is chosen as often as its middle
    assert spread.min() > 0.5 * spread.mean()


def check_pairs(module):
    """About half follow; the others are of another document, and no length tells the two kinds apart."""
    rng = np.random.default_rng(0)
    documents = np.repeat(np.arange(100), 10)
    passages = (
        documents[:, None] * 1000 + 10 + np.arange(60)[None, :] + 60 * np.tile(np.arange(10), 100)[:, None]
    )  # no two tokens alike
    passages[::2, 20:] = PAD
    pairs, labels = module.sentence_pairs(passages, documents, rng)
    assert 0.4 < labels.mean() < 0.6
    lengths = [[], []]
    for (a, b), label, passage, document in zip(pairs, labels, passages, documents):
        assert len(a) and len(b) and (a == passage[: len(a)]).all()
        assert (np.diff(b) == 1).all()
        if label == 0:
            assert b[0] == a[-1] + 1
        else:
            assert (b // 1000 != document).all()
        lengths[label].append(len(b) / (len(passage[passage != PAD]) - len(a)))
    assert abs(np.mean(lengths[0]) - np.mean(lengths[1])) < 0.05, lengths


def test_masking_as_in_the_paper():
    check_masking(PRETRAINING)


def check_rarer(module):
    """As many of each text as without `rarer`; a token that is in the batch n times is chosen with a chance in proportion to 1 / √n."""
    rng = np.random.default_rng(0)
    input_ids = np.full((200, 102), 5)  # token 5 is half of each text, of the others each is there once or 25 times
    input_ids[:, 0], input_ids[:, -1] = CLS, SEP
    input_ids[:, 1:51:2] = 6 + np.arange(200)[:, None]  # 25 times, in one text each
    input_ids[:, 2:51:2] = 1000 + np.arange(200 * 25).reshape(200, 25)  # once
    found = np.concatenate([module.masked(input_ids, 6000, rng, 1000, rarer=True)[2] for _ in range(20)], axis=1)
    assert (found != -100).sum() == 20 * 200 * 15
    often = np.array([(found == 5).sum() / 50, ((found > 5) & (found < 1000)).sum() / 25, (found >= 1000).sum() / 25])
    assert often[2] / often[1] == pytest.approx(5, rel=0.25)  # less, as what is chosen cannot be chosen again
    assert often[1] / often[0] == pytest.approx(math.sqrt(200 * 50 / 25), rel=0.25)


def test_rarer_words_are_chosen_more_often():
    check_rarer(PRETRAINING)


def test_a_recipe_may_train_on_the_first_so_many():
    x, y = np.arange(12).reshape(6, 2), np.arange(6)
    data = Dataset("some", *[Split(x, y)] * 3)
    config = BERTConfig(head="sequence")
    cut = STUDY.examples({"config": config, "examples": 4}, data)
    assert cut.train.y.tolist() == [0, 1, 2, 3] and cut.train.x.shape == (4, 2)
    assert len(cut.valid) == len(cut.test) == len(STUDY.examples({"config": config}, data).train) == 6
    few, all_ = (STUDY.recipe(name)[1] for name in ("imdb-few", "imdb"))
    assert few["config"] == all_["config"] and few["epochs"] * few["examples"] < all_["epochs"] * 22_500


def test_passages_in_parts():
    passages = np.arange(1, 21).reshape(2, 10)
    passages[1, 7:] = PAD
    parts, documents = PRETRAINING.in_parts(passages, np.array([4, 9]), 3)
    np.testing.assert_array_equal(parts, [[1, 2, 3], [4, 5, 6], [7, 8, 9], [11, 12, 13], [14, 15, 16]])
    np.testing.assert_array_equal(documents, [4, 4, 4, 9, 9])
    parts, documents = PRETRAINING.in_parts(np.pad(np.ones((1, 24), int), ((0, 0), (0, 56))), np.array([3]), 4)
    assert parts.shape == (1, 20) and (parts == 1).all()  # the four ones of the second part are too few


def test_pairs_of_passages():
    check_pairs(PRETRAINING)


def test_a_batch_of_one_document_has_no_other_to_take_from():
    _, labels = PRETRAINING.sentence_pairs(texts(4, 30), np.zeros(4, dtype=int), np.random.default_rng(0))
    assert (labels == 0).all()


def test_a_batch_of_the_default_recipe():
    """[CLS] A [SEP] B [SEP] with segments 0 and 1; what was chosen put back is the text; the same generator gives the same batch."""
    _, recipe = STUDY.recipe(None)
    config, data = recipe["config"], STUDY.examples(recipe, load(recipe["data"]))
    x, y = data.train.x[:300:10], data.train.y[:300:10]
    (input_ids, token_type_ids, attention_mask, positions), (masked_ids, next_sentence) = STUDY.facts.training_batch(
        config, x, y, np.random.default_rng(3)
    )
    again = STUDY.facts.training_batch(config, x, y, np.random.default_rng(3))
    np.testing.assert_array_equal(input_ids, again[0][0])
    assert len(data.tokens) == config.vocab_size and input_ids.shape[1] <= config.max_position_embeddings
    restored = input_ids.copy()
    for row, places, words in zip(restored, positions, masked_ids):
        row[places[words != -100]] = words[words != -100]
    for passage, row, types, mask, label in zip(x, restored, token_type_ids, attention_mask, next_sentence):
        text = row[mask == 1]
        first, last = np.flatnonzero(text == SEP)
        assert text[0] == CLS and last == len(text) - 1 and (row[mask == 0] == PAD).all()
        np.testing.assert_array_equal(types, (np.arange(len(row)) > first) & (mask == 1))
        a, b = text[1:first], text[first + 1 : last]
        np.testing.assert_array_equal(a, passage[: len(a)])
        assert label == 1 or (b == passage[len(a) : len(a) + len(b)]).all()


def test_a_review_is_one_segment_without_padding_columns():
    x = np.array([[CLS, 7, 8, SEP, 0, 0], [CLS, 9, SEP, 0, 0, 0]])
    config = BERTConfig(head="sequence")
    (input_ids, token_type_ids, attention_mask), (labels,) = STUDY.facts.training_batch(
        config, x, np.array([1, 0]), np.random.default_rng(0)
    )
    np.testing.assert_array_equal(input_ids, x[:, :4])
    assert (
        not token_type_ids.any()
        and attention_mask.tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]
        and labels.tolist() == [1, 0]
    )


def test_metrics_count_what_was_chosen():
    words = np.zeros((2, 3, 5))
    words[0, 0, 4] = words[0, 1, 2] = words[1, 0, 3] = 1
    masked_ids = np.array([[4, 1, -100], [3, -100, -100]])
    outputs = (words, np.array([[0.0, 1.0], [1.0, 0.0]]))
    assert STUDY.facts.mlm_accuracy(outputs, masked_ids, np.array([1, 1])) == pytest.approx(2 / 3)
    assert STUDY.facts.nsp_accuracy(outputs, masked_ids, np.array([1, 1])) == 0.5


@pytest.mark.parametrize(
    ("old", "new", "check"),
    [
        ("mlm_probability=1.0)", "mlm_probability=1.0, mask_replace_prob=1.0, random_replace_prob=0.0)", check_masking),
        ("mlm_probability=1.0)", "mlm_probability=1.0, mask_replace_prob=0.1, random_replace_prob=0.8)", check_masking),
        ("CHOSEN = 0.15", "CHOSEN = 0.2", check_masking),
        ("(PAD, CLS, SEP)", "(PAD, CLS)", check_masking),
        ("~chosen, mlm", "~words, mlm", check_masking),
        ("order = rng.random(input_ids.shape)", "order = 0 * input_ids + np.arange(input_ids.shape[1])", check_masking),
        ("1, max_predictions)", "1, 1000)", check_masking),
        ("documents != documents[i]", "np.arange(len(documents)) != i", check_pairs),
        ("b = b[:length] if", "b = b if", check_pairs),
        ("IS_NEXT, NOT_NEXT = 0, 1", "IS_NEXT, NOT_NEXT = 1, 0", check_pairs),
        ("if rarer:", "if not rarer:", check_rarer),
        (" * np.sqrt(times)", " * times", check_rarer),
        (" * np.sqrt(times)", " / np.sqrt(times)", check_rarer),
    ],
    ids=["all-mask", "exchanged", "a-fifth", "sep", "everything-masked", "first-words", "no-limit", "same-document", "length-tells", "labels",
         "rarer-ignored", "too-rare", "commoner"],
)  # fmt: skip
def test_mistakes_in_the_examples_are_caught(old, new, check):
    with pytest.raises(AssertionError):
        check(mutate("08_BERT.pretraining", old, new))


# -------------------------------------------------------------------------------------------------------- Training


def test_weight_decay_leaves_biases_and_layer_norm_alone(build):
    config, rng = VARIANTS["pretraining"], np.random.default_rng(0)
    level = build(config)
    level.load_state({name: rng.standard_normal(shape) for name, shape in config.shapes.items()})
    options = STUDY.recipe("pydoc")[1]["optimizer_options"]
    optimizer = make_optimizer(level.library, "adamw", level.parameters(), 0.1, options)
    before = level.state()
    for p in level.parameters().values():
        p.grad = level.library.zeros_like(p)
    optimizer.step()
    for name, p in level.state().items():
        decayed = not (name.endswith("bias") or "norm" in name)
        np.testing.assert_allclose(p, before[name] * (1 - 0.1 * 0.01 if decayed else 1), rtol=1e-12, err_msg=name)


def test_the_learning_rate_of_the_recipes():
    rates = [STUDY.facts.warm_up_and_linear(step, 200) for step in range(200)]
    assert rates[0] == 0.05 and rates[19] == rates[20] == 1 == max(rates)
    assert rates[110] == pytest.approx(0.5) and 0 < rates[-1] < 0.01
    assert min(STUDY.facts.warm_up_and_linear(step, 3) for step in range(3)) > 0


def test_adam_without_bias_correction_is_a_factor_on_the_learning_rate():
    """Equation 35: what Google's optimizer does in 30 steps, torch.optim.Adam does with another learning rate at each."""
    rng, p = np.random.default_rng(0), torch.zeros(7, dtype=torch.float64)
    optimizer, (m, v, ours) = torch.optim.Adam([p], lr=1, eps=1e-15), np.zeros((3, 7))
    for t in range(1, 31):
        g = rng.standard_normal(7)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        ours = ours - 1e-3 * m / np.sqrt(v)
        optimizer.param_groups[0]["lr"] = 1e-3 * (1 - 0.9**t) / math.sqrt(1 - 0.999**t)
        p.grad = torch.from_numpy(g)
        optimizer.step()
    np.testing.assert_allclose(p.numpy(), ours, rtol=1e-9)


@pytest.mark.parametrize("level", ["engine", "lowlevel", "paper"])
def test_fifty_steps_of_pretraining(level):
    """Of the recipe that needs no download, on the engine and on PyTorch: the loss falls from ln V + ln 2 and below a guess by frequency."""
    _, recipe = STUDY.recipe("pydoc")
    config = recipe["config"]
    data = STUDY.examples(recipe, load(recipe["data"]))
    framework.manual_seed(0)
    start = build_level(STUDY, "engine", config).state()
    trained, rng, losses = build_level(STUDY, level, config), np.random.default_rng(0), []
    trained.load_state(start)
    trained.use_optimizer("adamw", 3e-3, recipe["optimizer_options"])
    for _ in range(60):
        chosen = rng.choice(len(data.train), 12)
        inputs = STUDY.facts.training_batch(config, data.train.x[chosen], data.train.y[chosen], rng)
        losses.append(trained.step(*inputs))
    assert abs(losses[0] - math.log(2000) - math.log(2)) < 0.2
    assert np.mean(losses[-10:]) < np.mean(losses[:10]) - 1.4 and np.mean(losses[-10:]) < 6.4, losses


# -------------------------------------------------------------------------------------------------------- Pictures


def trained_and_data():
    """A small BERT on the engine with loud weights, and Python's help in passages of its length."""
    _, recipe = STUDY.recipe("pydoc")
    config = dataclasses.replace(recipe["config"], hidden_size=16, intermediate_size=16)
    rng, level = np.random.default_rng(0), build_level(STUDY, "engine", config)
    level.load_state({name: rng.standard_normal(shape).astype(np.float32) for name, shape in config.shapes.items()})
    return level, STUDY.examples(recipe, load(recipe["data"]))


def test_the_attention_in_the_picture_is_that_of_transformers():
    level, data = trained_and_data()
    input_ids = np.array([CLS, *data.test.x[0][:6], SEP, *data.test.x[0][6:11], SEP])
    token_type_ids = (np.arange(len(input_ids)) > 7).astype(np.int64)
    found = PICTURES.attention_weights(level, input_ids, token_type_ids)
    twin = build_level(STUDY, "twin", level.model.config)
    twin.load_state(level.state())
    twin.train(False)
    twin.model.set_attn_implementation("eager")
    kept = []
    for layer in twin.model.bert.encoder.layer:
        layer.attention.self.register_forward_hook(lambda module, inputs, output: kept.append(output[1]))
    with torch.no_grad():
        twin.model(
            *twin.tensors((input_ids[None], token_type_ids[None], np.ones_like(input_ids[None]), np.array([[1]])))
        )
    assert found.shape == (2, 2, 14, 14)
    np.testing.assert_allclose(found, np.stack([weights[0].numpy() for weights in kept]), atol=1e-5)


def test_guesses_are_the_models_for_each_word_hidden_alone():
    level, data = trained_and_data()
    text = data.test.x[3][:12]
    found = PICTURES.guesses(level, text, [0, 7])
    assert found.shape == (2, 2000)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    for place, probs in zip((0, 7), found):
        hidden = np.array([CLS, *text, SEP])[None]
        hidden[0, place + 1] = MASK
        targets = np.array([[text[place]]]), np.array([0])
        loss, (_, nsp) = level.predict(
            (hidden, np.zeros_like(hidden), np.ones_like(hidden), np.array([[place + 1]])), targets
        )
        nsp_loss = math.log(np.exp(nsp[0].astype(np.float64) - nsp[0, 0]).sum())
        assert -math.log(probs[text[place]]) == pytest.approx(loss - nsp_loss, rel=1e-4)


@pytest.mark.parametrize("name", PICTURES.DRAWINGS)
def test_every_picture_is_drawn(name, tmp_path):
    level, data = trained_and_data()
    save(tmp_path / f"{name}.png", lambda: PICTURES.DRAWINGS[name](level, data))
    assert (tmp_path / f"{name}.png").stat().st_size > 5000
