"""Byte-level BPE against tiktoken, tokenizers and transformers."""

import collections
import importlib.util
import itertools
import json
import os
import pickle
import pydoc_data.topics
from pathlib import Path

import pytest
import regex
import tiktoken
import tokenizers
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from tiktoken.load import data_gym_to_mergeable_bpe_ranks

from framework.data.text import BPETokenizer
from framework.data.text.bpe import word_pattern

_spec = importlib.util.spec_from_file_location("hard_text", Path(__file__).with_name("hard_text.py"))
hard_text = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(hard_text)

GPT2_PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CORPUS = [pydoc_data.topics.topics[name] for name in sorted(pydoc_data.topics.topics)[:20]] + hard_text.STRINGS


@pytest.fixture(scope="module", params=["trained", pytest.param("gpt2", marks=pytest.mark.data)])
def files(request, tmp_path_factory):
    """A vocabulary and its merges: of a tokeniser trained here, and GPT-2's."""
    if request.param == "gpt2":
        folder = Path(os.environ["DLFS_DATA"]) / "tokenizers" / "gpt2"
        return folder / "encoder.json", folder / "vocab.bpe"
    folder = tmp_path_factory.mktemp("bpe")
    BPETokenizer.train(CORPUS, 700).save(folder / "encoder.json", folder / "vocab.bpe")
    return folder / "encoder.json", folder / "vocab.bpe"


@pytest.fixture(scope="module")
def ours(files):
    return BPETokenizer.load(*files)


@pytest.fixture(scope="module")
def reference(files):
    """tiktoken with the same files."""
    ranks = data_gym_to_mergeable_bpe_ranks(str(files[1]), str(files[0]))
    special = {"<|endoftext|>": json.loads(files[0].read_text())["<|endoftext|>"]}
    return tiktoken.Encoding("ours", pat_str=GPT2_PATTERN, mergeable_ranks=ranks, special_tokens=special)


@pytest.mark.parametrize("text", hard_text.STRINGS)
def test_hard_strings_as_tiktoken_and_back(ours, reference, text):
    ids = ours.encode(text)
    assert ids == reference.encode_ordinary(text)
    assert ours.decode(ids) == text
    assert ours.decode_bytes(ids) == text.encode()


@settings(max_examples=300, deadline=None)
@given(text=hard_text.texts())
def test_any_string_as_tiktoken_and_back(ours, reference, text):
    ids = ours.encode(text)
    assert ids == reference.encode_ordinary(text)
    assert ours.decode(ids) == text


@settings(max_examples=100, deadline=None)
@given(text=st.text(st.sampled_from("ab"), max_size=200))
def test_repeated_letters_merge_in_tiktokens_order(ours, reference, text):
    assert ours.encode(text) == reference.encode_ordinary(text)


def test_tokens_are_those_of_transformers(files, ours):
    vocab, merges = (
        json.loads(files[0].read_text()),
        [tuple(line.split()) for line in files[1].read_text().splitlines()[1:]],
    )
    theirs = transformers.GPT2Tokenizer(vocab=vocab, merges=merges)
    for text in hard_text.STRINGS[:-1]:  # in the last one transformers reads the special token's name as the token
        assert ours.tokenize(text) == theirs.tokenize(text)
        assert ours.encode(text) == theirs.encode(text)
    text = hard_text.STRINGS[-1]
    assert ours.encode(text, allowed_special="all") == theirs.encode(text)


def test_special_tokens_are_text_unless_allowed(ours, reference):
    text = "a<|endoftext|>b<|endoftext|><|endoftext|> c"
    for allowed in (set(), {"<|endoftext|>"}, "all"):
        ids = ours.encode(text, allowed_special=allowed)
        assert ids == reference.encode(text, allowed_special=allowed, disallowed_special=())
        assert ours.decode(ids) == text
    with pytest.raises(ValueError, match="'<x>' is none of the special tokens"):
        ours.encode("a", allowed_special={"<x>"})


def test_every_character_is_cut_as_by_the_pattern_of_gpt2():
    theirs = regex.compile(GPT2_PATTERN)
    wrong = [
        character
        for character in hard_text.spread_characters()
        for text in (
            f"a{character}1{character}{character} {character} !{character}",
            f" {character}'s  {character}\n{character}",
        )
        if word_pattern().findall(text) != theirs.findall(text)
    ]
    assert wrong == []


@settings(max_examples=300, deadline=None)
@given(text=hard_text.texts())
def test_any_string_is_cut_as_by_the_pattern_of_gpt2(text):
    words = word_pattern().findall(text)
    assert words == regex.findall(GPT2_PATTERN, text)
    assert "".join(words) == text


def test_a_very_long_word_takes_no_quadratic_time(ours):
    """Two hundred thousand letters: with a scan for every merge this would take many minutes."""
    text = "ab" * 100_000
    assert ours.decode(ours.encode(text)) == text


def test_half_surrogate_pairs_become_the_replacement_character(ours, reference):
    for text in ("\ud800", "a\udfffb", "\ud83d\ude00", "\ud83d x"):
        assert ours.encode(text) == reference.encode_ordinary(text)


def test_part_of_a_character_decodes_to_the_replacement_character(ours):
    ids = ours.encode("\U00010fff")
    assert ours.decode(ids[:1]) == "\ufffd"
    with pytest.raises(ValueError, match="10000000 is none of the"):
        ours.decode([10_000_000])


@pytest.mark.parametrize("vocab_size, min_frequency", [(260, 2), (400, 2), (1200, 3), (100_000, 2)])
def test_training_learns_the_merges_of_tokenizers(vocab_size, min_frequency):
    ours = BPETokenizer.train(CORPUS, vocab_size, min_frequency)
    theirs = tokenizers.ByteLevelBPETokenizer()
    theirs.train_from_iterator(CORPUS, vocab_size=vocab_size - 1, min_frequency=min_frequency, show_progress=False)
    merges = [tuple(pair) for pair in json.loads(theirs.to_str())["model"]["merges"]]
    assert ours.merges == merges
    assert {token: index for token, index in ours.vocab.items() if token != "<|endoftext|>"} == theirs.get_vocab()
    assert len(ours) <= vocab_size and ours.special_tokens == {"<|endoftext|>": len(ours) - 1}


@settings(max_examples=60, deadline=None)
@given(words=st.lists(st.text(st.sampled_from("abc"), min_size=1, max_size=8), min_size=1, max_size=12))
def test_each_merge_is_of_the_most_frequent_pair(words):
    """Recounted from nothing before each merge; equal counts go by the smaller ids."""
    tokenizer = BPETokenizer.train([" ".join(words)], 270, min_frequency=1)
    counts = collections.Counter(word_pattern().findall(" ".join(words)))
    split = {word: [*word.replace(" ", "Ġ")] for word in counts}
    for learnt in tokenizer.merges:
        pairs = collections.Counter()
        for word, symbols in split.items():
            for pair in itertools.pairwise(symbols):
                pairs[pair] += counts[word]
        best = min(pairs, key=lambda pair: (-pairs[pair], tokenizer.vocab[pair[0]], tokenizer.vocab[pair[1]]))
        assert learnt == best
        for word, symbols in split.items():
            joined, i = [], 0
            while i < len(symbols):
                step = 2 if tuple(symbols[i : i + 2]) == learnt else 1
                joined.append("".join(symbols[i : i + step]))
                i += step
            split[word] = joined


def test_a_saved_tokeniser_loads_the_same(tmp_path, ours):
    ours.save(tmp_path / "v.json", tmp_path / "m.txt")
    for again in (BPETokenizer.load(tmp_path / "v.json", tmp_path / "m.txt"), pickle.loads(pickle.dumps(ours))):
        assert (again.vocab, again.merges, again.special_tokens) == (ours.vocab, ours.merges, ours.special_tokens)


def test_damaged_files_are_named(tmp_path, files):
    vocab = json.loads(files[0].read_text())
    (tmp_path / "v.json").write_text(json.dumps({token: index for token, index in vocab.items() if token != "!"}))
    with pytest.raises(ValueError, match="1 tokens are not in the vocabulary, '!' first"):
        BPETokenizer.load(tmp_path / "v.json", files[1])
    (tmp_path / "m.txt").write_text("#version: 0.2\na b c\n")
    with pytest.raises(ValueError, match=r"m.txt: expected two tokens a line, found 'a b c'"):
        BPETokenizer.load(files[0], tmp_path / "m.txt")
    with pytest.raises(ValueError, match="vocab_size should be at least 257, got 256"):
        BPETokenizer.train(["a"], 256)
