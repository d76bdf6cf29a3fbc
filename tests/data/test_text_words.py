"""Characters, words, vocabularies, padding and masking."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import tokenizers
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import DataCollatorForLanguageModeling

from framework import backend
from framework.data.text import CharTokenizer, Vocab, WordTokenizer, build_vocab_from_iterator, mask_tokens, pad_batch

_spec = importlib.util.spec_from_file_location("hard_text", Path(__file__).with_name("hard_text.py"))
hard_text = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(hard_text)


# --- characters and words ---------------------------------------------------------------------------------------------


@given(text=hard_text.texts())
@settings(max_examples=50, deadline=None)
def test_characters_come_back(text):
    tokenizer = CharTokenizer.train([text])
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.vocab.get_itos() == sorted(set(text))


def test_an_unknown_character_is_named_or_the_default():
    tokenizer = CharTokenizer.train(["abc"], specials=["<unk>"])
    with pytest.raises(KeyError, match="'x' is not one of the 4 tokens"):
        tokenizer.encode("axe")
    tokenizer.vocab.set_default_index(0)
    assert tokenizer.encode("axb") == [1, 0, 2]


@given(text=hard_text.texts())
@settings(max_examples=200, deadline=None)
def test_words_are_cut_as_by_tokenizers(text):
    text = text.translate(dict.fromkeys(range(0x1C, 0x20)))  # separators to Python, but not to Unicode
    theirs = tokenizers.pre_tokenizers.BertPreTokenizer().pre_tokenize_str(text)
    assert WordTokenizer(Vocab([]), lowercase=False).tokenize(text) == [word for word, _ in theirs]


def test_words_are_numbered_by_frequency():
    tokenizer = WordTokenizer.train(["The cat, the dog.", "A cat!"], min_freq=2)
    assert tokenizer.vocab.get_itos() == ["<pad>", "<unk>", "cat", "the"]
    assert tokenizer.encode("The CAT sat") == [3, 2, 1]
    assert tokenizer.decode([3, 2, 1]) == "the cat <unk>"
    assert len(WordTokenizer.train(["a b c d"], max_tokens=4)) == 4
    assert WordTokenizer.train(["The the"], lowercase=False).encode("THE") == [1]


# --- vocabularies -----------------------------------------------------------------------------------------------------


def test_a_vocabulary_orders_by_frequency_then_alphabet():
    tokens = [["b", "a", "c"], ["b", "c"], ["d", "<s>"]]
    assert build_vocab_from_iterator(tokens, specials=["<s>", "<e>"]).get_itos() == ["<s>", "<e>", "b", "c", "a", "d"]
    assert build_vocab_from_iterator(tokens, min_freq=2, specials=["<s>"], special_first=False).get_itos() == [
        "b",
        "c",
        "<s>",
    ]
    assert build_vocab_from_iterator(tokens, specials=["<s>"], max_tokens=3).get_itos() == ["<s>", "b", "c"]


def test_vocabulary_looks_up_both_ways(tmp_path):
    vocab = Vocab(["<unk>", "a", "\n"])
    assert len(vocab) == 3 and "a" in vocab and "x" not in vocab
    assert vocab(["a", "\n"]) == vocab.lookup_indices(["a", "\n"]) == [1, 2]
    assert vocab.lookup_tokens([2, 0]) == ["\n", "<unk>"]
    with pytest.raises(KeyError, match="'x' is not one of the 3 tokens, and no default index is set"):
        vocab["x"]
    vocab.set_default_index(0)
    assert vocab["x"] == 0
    vocab.save(tmp_path / "vocab.json")
    again = Vocab.load(tmp_path / "vocab.json")
    assert again.get_itos() == vocab.get_itos() and again["x"] == 0
    for index in (3, -1):
        with pytest.raises(IndexError, match="out of range for 3 tokens"):
            vocab.lookup_token(index)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Vocab(["a", "b", "a"]), "'a' came more than once"),
        (lambda: Vocab(["a"], default_index=1), "default index 1 is out of range"),
        (lambda: build_vocab_from_iterator([], specials=["a", "b"], max_tokens=1), "leaves no room for 2 specials"),
        (lambda: pad_batch([[1]], padding="max_length"), "with a max_length"),
        (lambda: pad_batch([[1]], padding_side="middle"), 'should be "right" or "left"'),
        (lambda: mask_tokens([1, 2], 0, 5, [False]), "differ in shape"),
        (lambda: mask_tokens([1], 0, 5, [False], 0.15, 0.8, 0.3), "exceed 1"),
    ],
)
def test_wrong_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# --- batches ----------------------------------------------------------------------------------------------------------

ragged = st.lists(st.lists(st.integers(1, 99), max_size=9), min_size=1, max_size=5)


@given(sequences=ragged, length=st.none() | st.integers(1, 12), side=st.sampled_from(["left", "right"]))
@settings(max_examples=100, deadline=None)
def test_padding_is_pytorchs_and_the_mask_tells_it_from_tokens(sequences, length, side):
    batch, mask = pad_batch(sequences, -1, max_length=length, padding_side=side)
    cut = [torch.tensor(sequence[:length], dtype=torch.int64) for sequence in sequences]
    expected = torch.nn.utils.rnn.pad_sequence(cut, batch_first=True, padding_value=-1, padding_side=side).numpy()
    np.testing.assert_array_equal(batch, expected)
    np.testing.assert_array_equal(mask, expected != -1)
    if length:
        fixed, mask = pad_batch(sequences, -1, length, "max_length", side)
        assert fixed.shape == (len(sequences), length)
        assert [row[kept == 1].tolist() for row, kept in zip(fixed, mask)] == [sequence.tolist() for sequence in cut]


class NoTokenizer:
    mask_token, mask_token_id, pad_token = "m", 4, "p"
    _pad_token = "p"

    def __len__(self):
        return 1000

    def convert_tokens_to_ids(self, token):
        return 4


def test_masking_follows_bert_and_transformers():
    """Of 200,000 tokens: 15 % chosen; of these 80 % masked, 10 % random, 10 % kept. The same shares as transformers' collator."""
    backend.manual_seed(0)
    torch.manual_seed(0)
    ids = np.random.default_rng(0).integers(5, 1000, (400, 500))
    special = np.zeros(ids.shape, bool)
    special[:, 0] = True
    before = ids.copy()
    inputs, labels = mask_tokens(ids, 4, 1000, special)
    np.testing.assert_array_equal(ids, before)

    collator = DataCollatorForLanguageModeling(NoTokenizer(), mlm_probability=0.15)
    theirs = collator.torch_mask_tokens(torch.from_numpy(ids.copy()), torch.from_numpy(special))

    def shares(inputs, labels):
        chosen = labels != -100
        assert not chosen[special].any()
        assert (inputs[~chosen] == before[~chosen]).all() and (labels[chosen] == before[chosen]).all()
        return (
            chosen.mean(),
            (inputs == 4)[chosen].mean(),
            (inputs == before)[chosen].mean(),
            inputs[chosen & (inputs != 4)].std(),
        )

    ours, expected = shares(inputs, labels), shares(*(tensor.numpy() for tensor in theirs))
    assert ours[:3] == pytest.approx((0.15 * 499 / 500, 0.8, 0.1), abs=0.008)
    assert expected[:3] == pytest.approx((0.15 * 499 / 500, 0.8, 0.1), abs=0.008)
    assert ours[3] == pytest.approx(expected[3], rel=0.02)


def test_masking_depends_on_the_seed_alone():
    results = []
    for seed in (1, 1, 2):
        backend.manual_seed(seed)
        results.append(mask_tokens(np.arange(100), 0, 100, np.zeros(100, bool))[0].tolist())
    assert results[0] == results[1] != results[2]
