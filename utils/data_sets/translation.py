"""Pairs of sequences: dates to be written in one form, and Multi30k's captions in German and English."""

import gzip
import hashlib
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Protocol

import numpy as np

from utils.data_loaders import Dataset, Split, cache_folder, dataset, find
from utils.errors import DLFSError
from utils.files import write_atomically

PAD, BOS, EOS = 0, 1, 2  # <pad>, <s>, </s>; the tokeniser's ids follow
SPECIALS = 3


class Tokenizer(Protocol):
    def encode(self, text: str) -> list[int]: ...
    def decode(self, ids: list[int]) -> str: ...


@dataclass(frozen=True)
class TranslationDataset(Dataset):
    """x (N, S) and y (N, T) int64 are token ids of one vocabulary for both languages; every y ends with </s>, and 0 pads."""

    tokenizer: Tokenizer

    def encode(self, text: str) -> list[int]:
        return [token + SPECIALS for token in self.tokenizer.encode(text)]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids; those of <pad>, <s> and </s> stand for none."""
        return self.tokenizer.decode([int(token) - SPECIALS for token in ids if token >= SPECIALS])


def padded(sequences: Sequence[Sequence[int]], length: int) -> np.ndarray:
    ids = np.full((len(sequences), length), PAD, dtype=np.int64)
    for row, tokens in zip(ids, sequences):
        row[: len(tokens)] = tokens
    return ids


# -------------------------------------------------------------------------------------------------------- Dates

MONTHS = "January February March April May June July August September October November December".split()
WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
ROMAN = "I II III IV V VI VII VIII IX X XI XII".split()
FIRST_DAY, DAYS = date(1950, 1, 1), 36_525  # up to 2049, so that two digits name a year


def date_forms(day: date) -> list[str]:
    """A day in all the forms that are known here. With slashes the month comes first, with dots the day."""
    d, m, yy = day.day, day.month, day.year % 100
    month, weekday = MONTHS[m - 1], WEEKDAYS[day.weekday()]
    ordinal = f"{d}{'th' if 11 <= d <= 13 else {1: 'st', 2: 'nd', 3: 'rd'}.get(d % 10, 'th')}"
    return [
        f"{d} {month} {day.year}",
        f"{month} {d}, {day.year}",
        f"{weekday}, {d} {month} {day.year}",
        f"{weekday[:3]} {month[:3]} {d} {day.year}",
        f"the {ordinal} of {month}, {day.year}",
        f"{month.lower()} {ordinal} {day.year}",
        f"{d:02}-{month[:3].upper()}-{day.year}",
        f"{d} {month[:3]} '{yy:02}",
        f"{m}/{d}/{day.year}",
        f"{m:02}/{d:02}/{yy:02}",
        f"{d}.{m}.{day.year}",
        f"{d:02}.{m:02}.{yy:02}",
        f"{d}. {ROMAN[m - 1]}. {day.year}",
        f"{day.year}, {month} {d}",
        f"{day.year}{m:02}{d:02}",
    ]


@dataset("dates")
def dates() -> TranslationDataset:
    """Dates from 1950 to 2049 in fifteen written forms, and in ISO's, 2026-11-27, character by character. Generated; 20,000 /
    1,000 / 2,000 pairs. A day of one split, in whatever form, is in no other.
    """
    from framework.data.text import CharTokenizer

    rng = np.random.default_rng(0)
    days = rng.permutation(DAYS)
    parts = {"train": days[:30_000], "valid": days[30_000:33_000], "test": days[33_000:]}
    sizes = {"train": 20_000, "valid": 1_000, "test": 2_000}
    pairs = {}
    for name, choice in parts.items():
        chosen = [FIRST_DAY + timedelta(days=int(day)) for day in rng.choice(choice, sizes[name])]
        forms = [date_forms(day) for day in chosen]
        pairs[name] = [
            (all_forms[rng.integers(len(all_forms))], day.isoformat()) for all_forms, day in zip(forms, chosen)
        ]
    characters = {form for month in range(1, 13) for day in range(1, 29) for form in date_forms(date(2000, month, day))}
    tokenizer = CharTokenizer.train(sorted(characters))
    longest = max(len(form) for examples in pairs.values() for form, _ in examples)

    def encode(texts: list[str], end: list[int]) -> list[list[int]]:
        return [[token + SPECIALS for token in tokenizer.encode(text)] + end for text in texts]

    splits = [
        Split(
            padded(encode([form for form, _ in examples], []), longest),
            padded(encode([iso for _, iso in examples], [EOS]), 11),
        )
        for examples in pairs.values()
    ]
    return TranslationDataset("dates", splits[0], splits[1], splits[2], tokenizer)


# ----------------------------------------------------------------------------------------------------- Multi30k

MULTI30K_URL = "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw/"
MULTI30K_FILES = {  # file: its sha256
    "train.de.gz": "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6",
    "train.en.gz": "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
    "val.de.gz": "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a",
    "val.en.gz": "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
    "test_2016_flickr.de.gz": "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
    "test_2016_flickr.en.gz": "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
}
MULTI30K_TOKENS = 4_000  # in the vocabulary, <pad>, <s> and </s> included


@dataset("multi30k")
def multi30k() -> TranslationDataset:
    """Captions of photographs in German, and their originals in English; 29,000 / 1,014 / 1,000 pairs, the test set of 2016.

    Elliott et al. 2016, "Multi30K: multilingual English-German image descriptions". The texts are as they were written, cut into
    the 4,000 byte pairs that are most frequent in both languages of the training split together.
    """
    from framework.data.text import BPETokenizer

    path = cache_folder() / f"multi30k-de-en-{MULTI30K_TOKENS}.npz"
    if not path.is_file():
        write_atomically(path, encode_multi30k())
    try:
        with np.load(path) as arrays:
            ids = {name: arrays[name].astype(np.int64) for name in arrays.files if name not in ("tokens", "merges")}
            tokens, merges = arrays["tokens"].tolist(), arrays["merges"].tolist()
        splits = [Split(ids[f"{name}_x"], ids[f"{name}_y"]) for name in ("train", "val", "test_2016_flickr")]
        tokenizer = BPETokenizer({token: i for i, token in enumerate(tokens)}, merges, special_tokens=())
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise DLFSError(f"{path} is damaged ({error}). Delete it to have it made again") from None
    return TranslationDataset("multi30k", splits[0], splits[1], splits[2], tokenizer)


def encode_multi30k() -> bytes:
    """The sentences as token ids, the tokens and their merges, in NumPy's npz format."""
    from framework.data.text import BPETokenizer

    texts = multi30k_texts()
    both = texts["train.de"] + texts["train.en"]
    tokenizer = BPETokenizer.train(both, MULTI30K_TOKENS - SPECIALS, special_tokens=())
    arrays: dict[str, Any] = {"tokens": np.array(list(tokenizer.vocab)), "merges": np.array(tokenizer.merges)}
    for name, sentences in texts.items():
        split, _, language = name.partition(".")
        end = [EOS] if language == "en" else []
        ids = [[token + SPECIALS for token in tokenizer.encode(sentence)] + end for sentence in sentences]
        key = f"{split}_{'y' if language == 'en' else 'x'}"
        arrays[key] = padded(ids, max(map(len, ids))).astype(np.uint16)
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def multi30k_texts() -> dict[str, list[str]]:
    """The sentences of each file: train.de, train.en, val.de, …"""
    texts = {}
    for name, sha256 in MULTI30K_FILES.items():
        path = find("multi30k", name, url=MULTI30K_URL + name, sha256=sha256)
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise DLFSError(
                f"{path} is not the original: delete it to have it fetched again. Works offline: --data dates"
            )
        sentences = gzip.decompress(content).decode("utf-8").split("\n")[:-1]
        texts[name.removesuffix(".gz")] = [sentence.strip() for sentence in sentences]
    return texts
