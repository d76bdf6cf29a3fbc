"""Texts as streams and windows: zero-copy, shifted by one, every character validated once; and GPT-2's tokenizer."""

import hashlib

import numpy as np
import pytest

from utils import data_loaders
from utils.data_loaders import Split, TextDataset, load
from utils.data_sets import text
from utils.errors import DLFSError


def test_pydoc_is_pythons_help_character_by_character():
    data = load("pydoc")
    assert len(data.tokens) == 97 and data.tokens[:3] == ("\ufffd", "\n", " ")
    content = data_loaders.TEXTS["pydoc"]()
    found = "".join(data.tokens[i] for i in data.train.x[:3000])
    assert found == content.translate(text.PLAIN)[:3000] and found.isascii()
    for split in (data.train, data.valid, data.test):
        assert split.x.dtype == np.int64 and split.x.min() >= 0 and split.x.max() < 97
        assert (split.x == 0).mean() < 1e-3  # characters that have no token are rare
        np.testing.assert_array_equal(split.x[1:], split.y[:-1])
    sizes = [len(split) + 1 for split in (data.train, data.valid, data.test)]
    assert sum(sizes) == len(content) and abs(sizes[0] / len(content) - 0.9) < 1e-4


@pytest.mark.data
def test_shakespeare_is_65_characters_in_their_order():
    data = load("shakespeare")
    assert len(data.tokens) == 65 and list(data.tokens) == sorted(data.tokens)
    assert "".join(data.tokens[i] for i in data.train.x[:13]) == "First Citizen"
    everything = [np.concatenate([split.x, split.y[-1:]]) for split in (data.train, data.valid, data.test)]
    content = "".join(data.tokens[i] for part in everything for i in part)
    assert hashlib.sha256(content.encode()).hexdigest() == data_loaders.SHAKESPEARE_SHA256


def stream(n=100):
    return text.stream("counting", np.arange(n), tuple("ab"))


def test_windows_slide_in_training_and_meet_in_validation():
    data = text.windows(stream(), 3)
    assert data.tokens == ("a", "b") and isinstance(data, TextDataset)
    assert data.train.x.shape == data.train.y.shape == (87, 3)  # of the 90 first characters
    np.testing.assert_array_equal(data.train.x[[0, 1, 86]], [[0, 1, 2], [1, 2, 3], [86, 87, 88]])
    np.testing.assert_array_equal(data.train.y, data.train.x + 1)
    np.testing.assert_array_equal(data.valid.x, [[90, 91, 92]])
    np.testing.assert_array_equal(text.windows(stream(1000), 7).test.x.ravel(), np.arange(950, 999))


def test_windows_copy_nothing():
    streams = stream(300)
    data = text.windows(streams, 8)
    assert np.shares_memory(data.train.x, streams.train.x) and np.shares_memory(data.valid.y, streams.valid.y)
    assert data.train.x.strides == (8, 8)


def test_a_window_longer_than_a_split():
    with pytest.raises(DLFSError, match="counting: a window of 8 is longer than the shortest split, of 4 characters"):
        text.windows(stream(), 8)


def test_windows_need_no_tokens():
    split = Split(np.arange(9), np.arange(1, 10))
    data = text.windows(data_loaders.Dataset("plain", split, split, split), 4)
    assert data.tokens == () and data.valid.x.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]


@pytest.mark.data
def test_gpt2_tokenizer_is_tiktokens():
    tokenizer = text.gpt2_tokenizer()
    assert len(tokenizer) == 50257
    assert tokenizer.encode("Hello world, it's <|endoftext|>") == [
        15496,
        995,
        11,
        340,
        338,
        1279,
        91,
        437,
        1659,
        5239,
        91,
        29,
    ]
    assert tokenizer.encode("<|endoftext|>", allowed_special="all") == [50256]


def test_files_that_are_not_gpt2s_are_refused(tmp_path, monkeypatch):
    folder = tmp_path / "tokenizers" / "gpt2"
    folder.mkdir(parents=True)
    for name in text.GPT2_FILES:
        (folder / name).write_text("{}")
    monkeypatch.setenv("DLFS_DATA", str(tmp_path))
    with pytest.raises(DLFSError, match=r"encoder.json is not the original: its sha256 is"):
        text.gpt2_tokenizer()
