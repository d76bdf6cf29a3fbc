"""Texts as streams of characters, to predict the next one; and GPT-2's tokenizer, for texts of one's own."""

import numpy as np

from framework.data.text import BPETokenizer, CharTokenizer
from utils.data_loaders import TEXTS, Dataset, Split, TextDataset, check_hash, dataset, find
from utils.errors import DLFSError

UNKNOWN = "\N{REPLACEMENT CHARACTER}"
PYDOC_CHARACTERS = (
    UNKNOWN,
    "\n",
    *map(chr, range(ord(" "), ord("~") + 1)),
)  # 97: no version of Python's help changes them
PLAIN = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-"})


def stream(name: str, tokens: np.ndarray, characters: tuple[str, ...]) -> TextDataset:
    """A text as a data set: x[i] (N,) int64 is a character, y[i] the one after it. The splits are its first 90 %, 5 %, and the last 5 %."""
    parts = np.split(tokens, [int(0.9 * len(tokens)), int(0.95 * len(tokens))])
    train, valid, test = (Split(part[:-1], part[1:]) for part in parts)
    return TextDataset(name, train, valid, test, characters)


@dataset("pydoc")
def pydoc() -> TextDataset:
    """Python's own help, character by character: see `stream`. 97 characters: the printable ones of ASCII, the new line, and 0 for others.

    Bundled with Python, on whose version it depends: about 465,000 characters.
    """
    index = {character: i for i, character in enumerate(PYDOC_CHARACTERS)}
    text = TEXTS["pydoc"]().translate(PLAIN)
    return stream("pydoc", np.array([index.get(character, 0) for character in text], dtype=np.int64), PYDOC_CHARACTERS)


@dataset("shakespeare")
def shakespeare() -> TextDataset:
    """tiny-shakespeare (Karpathy 2015), character by character: see `stream`. 1,115,394 of them, 65 different ones in their order."""
    text = TEXTS["shakespeare"]()
    tokenizer = CharTokenizer.train([text])
    tokens = np.array(tokenizer.encode(text), dtype=np.int64)
    return stream("shakespeare", tokens, tuple(tokenizer.decode([i]) for i in range(len(tokenizer))))


def windows(data: Dataset, length: int) -> Dataset:
    """The streams of a text as windows: x (N, length), and y (N, length) the same one step further on; nothing is copied.

    To train on, a window starts at every character; to validate and test on, one starts where the last one ended, so that every
    character is predicted once. What is left at the end is left out.
    """

    shortest = min(len(split) for split in (data.train, data.valid, data.test))
    if length > shortest:
        raise DLFSError(
            f"{data.name}: a window of {length} is longer than the shortest split, of {shortest} characters"
        )

    def cut(split: Split, step: int) -> Split:
        x, y = (np.lib.stride_tricks.sliding_window_view(part, length)[::step] for part in (split.x, split.y))
        return Split(x, y)

    tokens = data.tokens if isinstance(data, TextDataset) else ()
    return TextDataset(data.name, cut(data.train, 1), cut(data.valid, length), cut(data.test, length), tokens)


GPT2_URL = "https://openaipublic.blob.core.windows.net/gpt-2/encodings/main/"
GPT2_FILES = {
    "encoder.json": "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783",
    "vocab.bpe": "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5",
}


def gpt2_tokenizer() -> BPETokenizer:
    """GPT-2's tokenizer, of OpenAI's two files (Radford et al. 2019): tokenizers/gpt2/encoder.json and vocab.bpe in DLFS_DATA or the cache."""
    paths = []
    for name, sha256 in GPT2_FILES.items():
        paths.append(find("tokenizers", "gpt2", name, url=GPT2_URL + name, sha256=sha256))
        check_hash(paths[-1], sha256)
    return BPETokenizer.load(*paths)
