"""Texts in word pieces: streams of documents, to pre-train on; and IMDB's reviews with their labels, to fine-tune on.

Each set's pieces are learnt from its own training split by framework's WordPieceTokenizer, whose special tokens come first.
"""

import io
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from framework.data.text import WordPieceTokenizer
from utils.data_loaders import Dataset, Split, TextDataset, cache_folder, dataset, imdb_reviews
from utils.errors import DLFSError
from utils.files import write_atomically

PAD, UNK, CLS, SEP, MASK = range(5)  # as WordPieceTokenizer.train numbers the special tokens
PYDOC_PIECES, IMDB_PIECES = 2_000, 8_000
REVIEW_LENGTH = 128  # of a review to fine-tune on: [CLS], its last 126 pieces, [SEP]
SHORTEST = 16  # pieces in a passage; what is left of a document's end is left out


def documents(ids: Sequence[Iterable[int]]) -> Split:
    """Documents one after the other: x (N,) the pieces, y (N,) the number of the document that each belongs to."""
    arrays = [np.fromiter(each, dtype=np.int64) for each in ids]
    return Split(np.concatenate(arrays), np.repeat(np.arange(len(arrays)), [len(each) for each in arrays]))


def passages(data: Dataset, length: int) -> Dataset:
    """A stream of documents as passages: x (N, length), 0 after the end of a document; y (N,) the document's number."""

    def cut(split: Split) -> Split:
        starts = np.flatnonzero(np.diff(split.y, prepend=-1, append=-1))  # where a document begins; at last the end
        rows, numbers = [], []
        for first, end in zip(starts, starts[1:]):
            for start in range(first, end, length):
                piece = split.x[start : min(start + length, end)]
                if len(piece) >= min(SHORTEST, length):
                    rows.append(np.pad(piece, (0, length - len(piece)), constant_values=PAD))
                    numbers.append(split.y[first])
        if not rows:
            raise DLFSError(f"{data.name}: no document of a split has the {min(SHORTEST, length)} pieces of a passage")
        return Split(np.stack(rows), np.array(numbers))

    tokens = data.tokens if isinstance(data, TextDataset) else ()
    return TextDataset(data.name, cut(data.train), cut(data.valid), cut(data.test), tokens)


@dataset("pydoc-pieces")
def pydoc_pieces() -> TextDataset:
    """Python's own help, a topic a document, in 2,000 word pieces: see `documents`. The topics are shuffled once; then about nine
    tenths of the text train, a twentieth validates, and the last is for the test. Bundled with Python, on whose version it depends:
    about 130,000 pieces.
    """
    from pydoc_data.topics import topics

    names = sorted(topics)
    texts = [topics[names[i]] for i in np.random.default_rng(0).permutation(len(names))]
    read = np.cumsum([len(text) for text in texts])  # characters up to each topic's end
    first, second = (int(np.searchsorted(read, share * read[-1])) for share in (0.9, 0.95))
    tokenizer = WordPieceTokenizer.train(texts[:first], PYDOC_PIECES)
    ids = [tokenizer.encode(text, add_special_tokens=False) for text in texts]
    splits = documents(ids[:first]), documents(ids[first:second]), documents(ids[second:])
    return TextDataset("pydoc-pieces", *splits, tuple(tokenizer.vocab))


@dataset("imdb-pieces")
def imdb_pieces() -> TextDataset:
    """The text of IMDB's film reviews without their labels, in 8,000 word pieces: see `documents`. 22,500 / 250 / 250 reviews; the
    splits are those of `imdb`, of which every tenth is kept to validate on and every hundredth for the test.
    """
    reviews, tokens = encoded_reviews()
    splits = documents(reviews[:22500]), documents(reviews[22500:25000:10]), documents(reviews[25000::100])
    return TextDataset("imdb-pieces", *splits, tokens)


@dataset("imdb-reviews")
def imdb_reviews_in_pieces() -> TextDataset:
    """IMDB's film reviews, [CLS] and the last 126 word pieces of each and [SEP]: ids (N, 128) int64, 0 after the end; labels
    (N,) int64, 1 is praise. The reviews of the splits are those of `imdb`, 22,500 / 2,500 / 25,000.
    """
    reviews, tokens = encoded_reviews()
    ids = np.full((len(reviews), REVIEW_LENGTH), PAD)
    for row, review in zip(ids, reviews):
        kept = [CLS, *review[-(REVIEW_LENGTH - 2) :], SEP]
        row[: len(kept)] = kept
    labels = np.repeat(np.array([0, 1]), 12500)  # as imdb_reviews has them
    y = np.concatenate([labels[np.random.default_rng(0).permutation(25000)], labels])
    parts = slice(0, 22500), slice(22500, 25000), slice(25000, None)
    train, valid, test = (Split(ids[part], y[part]) for part in parts)
    return TextDataset("imdb-reviews", train, valid, test, tokens)


def encoded_reviews() -> tuple[list[np.ndarray], tuple[str, ...]]:
    """The 50,000 reviews as pieces, those to train on in the order of `imdb`, and the pieces; made once, and kept in the cache."""
    path = cache_folder() / f"imdb-pieces-{IMDB_PIECES}.npz"
    if not path.is_file():
        write_atomically(path, encode_reviews(imdb_reviews()))
    return read_reviews(path)


def read_reviews(path: Path) -> tuple[list[np.ndarray], tuple[str, ...]]:
    try:
        with np.load(path) as arrays:
            ids, lengths, tokens = arrays["ids"].astype(np.int64), arrays["lengths"], arrays["tokens"]
        return np.split(ids, np.cumsum(lengths)[:-1]), tuple(tokens.tolist())
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise DLFSError(f"{path} is damaged ({error}). Delete it to have it made again") from None


def encode_reviews(reviews: list[str], vocab_size: int = IMDB_PIECES) -> bytes:
    """The pieces of the reviews and of the vocabulary, in NumPy's npz format. The pieces are learnt from nine in ten of the first half."""
    half = len(reviews) // 2
    ordered = [reviews[i] for i in np.random.default_rng(0).permutation(half)] + reviews[half:]
    tokenizer = WordPieceTokenizer.train(ordered[: half * 9 // 10], vocab_size)
    ids = [np.array(tokenizer.encode(text, add_special_tokens=False), dtype=np.uint16) for text in ordered]
    arrays: dict[str, Any] = {
        "ids": np.concatenate(ids),
        "lengths": np.array([len(each) for each in ids]),
        "tokens": np.array(list(tokenizer.vocab)),
    }
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()
