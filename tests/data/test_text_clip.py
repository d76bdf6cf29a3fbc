"""CLIP's byte pairs against transformers' CLIPTokenizer, and against the pattern of the authors' code."""

import importlib.util
import os
import pydoc_data.topics
import unicodedata
from pathlib import Path

import pytest
import regex
import transformers
from hypothesis import given, settings

from framework.data.text import CLIPTokenizer
from framework.data.text.clip import clip_words

_spec = importlib.util.spec_from_file_location("hard_text", Path(__file__).with_name("hard_text.py"))
hard_text = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(hard_text)

CLIP_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
CORPUS = [pydoc_data.topics.topics[name] for name in sorted(pydoc_data.topics.topics)[:10]] + hard_text.STRINGS
SIGMA = "Σ"  # Python, as the authors' code, writes ς at the end of a word; transformers' library looks at no neighbour


@pytest.fixture(scope="module", params=["trained", pytest.param("released", marks=pytest.mark.data)])
def ours(request):
    if request.param == "trained":
        return CLIPTokenizer.train(CORPUS, 1200)
    return CLIPTokenizer.load(Path(os.environ["DLFS_DATA"]) / "tokenizers" / "clip" / "bpe_simple_vocab_16e6.txt.gz")


@pytest.fixture(scope="module")
def theirs(ours):
    return transformers.CLIPTokenizer(vocab=dict(ours.vocab), merges=list(ours.merges))


def encode_as_ours(theirs, text):
    return theirs(text)["input_ids"][1:-1]


@pytest.mark.parametrize("text", [text for text in hard_text.STRINGS if SIGMA not in text])
def test_hard_strings_as_transformers(ours, theirs, text):
    assert ours.encode(text, allowed_special="all") == encode_as_ours(theirs, text)


@settings(max_examples=200, deadline=None)
@given(text=hard_text.texts())
def test_any_string_as_transformers(ours, theirs, text):
    text = text.replace(SIGMA, "S").replace("<|", "|")
    assert ours.encode(text) == encode_as_ours(theirs, text)


@settings(max_examples=200, deadline=None)
@given(text=hard_text.texts())
def test_any_string_is_cut_as_by_the_pattern_of_the_authors(text):
    assert clip_words(text) == regex.findall(CLIP_PATTERN, unicodedata.normalize("NFC", text).lower())


def test_a_sigma_at_the_end_of_a_word_is_the_final_one(ours):
    assert ours.decode(ours.encode("ΟΔΟΣ")) == "οδος"


def test_case_and_spaces_are_lost_and_words_come_back(ours):
    assert ours.decode(ours.encode("  A Photo\n of a  CAT")) == "a photo of a cat"
    start, end = ours.special_tokens.values()
    assert ours.decode([start, *ours.encode("a cat"), end]) == "a cat"


def test_numbers_of_the_tokens(ours):
    assert ours.vocab["!"] == 0 and ours.vocab["!</w>"] == 256
    assert list(ours.special_tokens.values()) == [len(ours) - 2, len(ours) - 1]


@pytest.mark.data
def test_the_released_vocabulary():
    released = CLIPTokenizer.load(Path(os.environ["DLFS_DATA"]) / "tokenizers/clip/bpe_simple_vocab_16e6.txt.gz")
    assert len(released) == 49408 and len(released.merges) == 48894
    # what clip.tokenize gives for the three texts of the authors' README, without start and end
    assert released.encode("a diagram") == [320, 22697]
    assert released.encode("a dog") == [320, 1929]
    assert released.encode("a cat") == [320, 2368]


def test_every_word_may_become_one_token():
    small = CLIPTokenizer.train(["a photo of a cat", "a photo of a dog"], 10_000, min_frequency=1)
    assert small.tokenize("A photo of a dog") == ["a</w>", "photo</w>", "of</w>", "a</w>", "dog</w>"]
    assert small.tokenize("god") == ["g", "o", "d</w>"]  # a word that it has never met


def test_errors():
    with pytest.raises(ValueError, match="vocab_size should be at least 514, got 500"):
        CLIPTokenizer.train(["a"], 500)
    with pytest.raises(ValueError, match="CLIPTokenizer.decode: 9999 is none of the 514 token ids"):
        CLIPTokenizer.of_merges([]).decode([9999])
