"""Texts in word pieces: streams of documents, passages of them, and IMDB's reviews."""

import numpy as np
import pytest

from framework.data.text import WordPieceTokenizer
from utils.data_loaders import TextDataset, load
from utils.data_sets import wordpieces
from utils.data_sets.wordpieces import CLS, PAD, SEP, documents, encode_reviews, passages, read_reviews
from utils.errors import DLFSError


@pytest.fixture(scope="module")
def pydoc():
    return load("pydoc-pieces")


def test_the_special_tokens_have_the_numbers_that_a_trained_tokenizer_gives_them():
    vocab = WordPieceTokenizer.train(["a b"], 10).vocab
    names = ("PAD", "UNK", "CLS", "SEP", "MASK")
    assert [vocab[f"[{name}]"] for name in names] == [getattr(wordpieces, name) for name in names]


def test_pydoc_is_pythons_help_topic_by_topic(pydoc):
    """Every topic is in one split, whole; its pieces spell it; and no piece is unknown where the vocabulary was learnt."""
    from pydoc_data.topics import topics

    tokenizer = WordPieceTokenizer({token: i for i, token in enumerate(pydoc.tokens)})
    expected = {tuple(tokenizer.encode(text, add_special_tokens=False)) for text in topics.values()}
    found = [
        tuple(split.x[split.y == number])
        for split in (pydoc.train, pydoc.valid, pydoc.test)
        for number in np.unique(split.y)
    ]
    assert len(found) == len(topics) and set(found) == expected
    assert len(pydoc.tokens) == 2000 and wordpieces.UNK not in pydoc.train.x
    sizes = np.array([len(split) for split in (pydoc.train, pydoc.valid, pydoc.test)])
    assert (sizes / sizes.sum() > [0.8, 0.03, 0.03]).all()


def test_passages_are_pieces_of_one_document_in_their_order():
    split = documents([range(100, 150), range(200, 215), range(300, 340)])
    data = passages(TextDataset("numbers", split, split, split, ("a", "b")), 20)
    assert data.tokens == ("a", "b")
    rows = [row[row != PAD].tolist() for row in data.train.x]
    assert rows == [list(range(100, 120)), list(range(120, 140)), list(range(300, 320)), list(range(320, 340))]
    assert data.train.y.tolist() == [0, 0, 2, 2]  # ends of fewer than 16 are left out


def test_a_document_that_is_not_full_is_padded():
    split = documents([range(100, 137)])
    row = passages(TextDataset("numbers", split, split, split), 20).train.x[1]
    assert row.tolist() == [*range(120, 137), 0, 0, 0]


def test_documents_too_short_for_a_passage_are_named():
    split = documents([range(5, 10)])
    with pytest.raises(DLFSError, match="numbers: no document of a split has the 16 pieces of a passage"):
        passages(TextDataset("numbers", split, split, split), 20)


def test_reviews_are_kept_in_the_order_of_the_splits(tmp_path):
    texts = ["it was " + "very " * i + ("good" if i % 2 else "bad") for i in range(20)]
    path = tmp_path / "reviews.npz"
    path.write_bytes(encode_reviews(texts, 60))
    ids, tokens = read_reviews(path)
    tokenizer = WordPieceTokenizer({token: i for i, token in enumerate(tokens)})
    order = [*np.random.default_rng(0).permutation(10), *range(10, 20)]
    assert [tokenizer.decode(review) for review in ids] == [texts[i] for i in order]
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DLFSError, match=r"reviews\.npz is damaged .* Delete it to have it made again"):
        read_reviews(path)


@pytest.mark.data
def test_imdb_for_both_uses():
    """The reviews to fine-tune on are the ends of those to pre-train on, and their labels those of `imdb`."""
    stream, reviews, words = load("imdb-pieces"), load("imdb-reviews"), load("imdb")
    for name, step in (("train", 1), ("valid", 10), ("test", 100)):
        texts, split = getattr(stream, name), getattr(reviews, name)
        assert len(split.x[::step]) == texts.y[-1] + 1
        np.testing.assert_array_equal(split.y, getattr(words, name).y)
        for number in (0, 7):
            last = texts.x[texts.y == number][-126:]
            np.testing.assert_array_equal(split.x[number * step][: len(last) + 2], [CLS, *last, SEP])
    assert (
        reviews.train.x.shape == (22500, 128) and reviews.test.x.shape == (25000, 128) and len(reviews.tokens) == 8000
    )
    assert 6.5e6 < len(stream.train) < 7.5e6
