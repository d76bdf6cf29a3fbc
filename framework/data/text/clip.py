"""Byte-pair encoding as CLIP has it (Radford et al. 2021, section 2.4): small letters, and the end of a word is part of its last token."""

import collections
import functools
import gzip
import re
import unicodedata

from .bpe import SPACE, BPETokenizer, byte_characters, check_pairs, ranges
from .merging import learn_merges

START_OF_TEXT, END_OF_TEXT = "<|startoftext|>", "<|endoftext|>"
END_OF_WORD = "</w>"
VOCAB_SIZE = 49408


@functools.cache
def clip_word_pattern():
    """What CLIP never merges across: contractions, and runs of letters, single digits, runs of others. Spaces only part them."""
    letters, digits = ranges("L"), ranges("N")
    return re.compile(rf"'(?:[stmd]|re|ve|ll)|[{letters}]+|[{digits}]|[^{SPACE}{letters}{digits}]+")


def clip_words(text):
    """The words of a text, composed (NFC) and in small letters."""
    return clip_word_pattern().findall(unicodedata.normalize("NFC", text).lower())


def byte_tokens():
    """The first 512 tokens: every byte within a word, and at a word's end."""
    characters = list(byte_characters().values())
    return [*characters, *(character + END_OF_WORD for character in characters)]


class CLIPTokenizer(BPETokenizer):
    """CLIP's tokeniser: BPETokenizer with a vocabulary that has every byte twice, within a word and at its end.

    Texts are composed (NFC) and in small letters. The authors' code first repairs what is broken with ftfy and html.unescape; do so
    before where texts come from the web.
    """

    @classmethod
    def load(cls, file):
        """From the file that came with CLIP, bpe_simple_vocab_16e6.txt.gz, of whose merges the first 48,894 are used."""
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            merges = [tuple(line.split()) for line in lines.read().split("\n")[1 : VOCAB_SIZE - 512 - 2 + 1]]
        check_pairs(file, merges)
        return cls.of_merges(merges)

    @classmethod
    def train(cls, texts, vocab_size, min_frequency=2):
        """Learn merges from texts until there are vocab_size tokens, or no pair comes min_frequency times."""
        counts = collections.Counter()
        for text in texts:
            counts.update(clip_words(text))
        vocab = {token: index for index, token in enumerate(byte_tokens())}
        least = len(vocab) + 2
        if vocab_size < least:
            raise ValueError(f"CLIPTokenizer.train: vocab_size should be at least {least}, got {vocab_size}")
        characters = byte_characters()
        words = {}
        for word, count in counts.items():
            *first, last = (characters[byte] for byte in word.encode())
            words[*first, last + END_OF_WORD] = count
        return cls.of_merges(learn_merges(words, vocab, vocab_size - 2, min_frequency, lambda a, b: a + b))

    @classmethod
    def of_merges(cls, merges):
        """The tokeniser of these merges, numbered as CLIP's: bytes, bytes that end a word, merged tokens, start and end of a text."""
        tokens = [*byte_tokens(), *map("".join, merges), START_OF_TEXT, END_OF_TEXT]
        vocab = {token: index for index, token in enumerate(tokens)}
        return cls(vocab, merges, (START_OF_TEXT, END_OF_TEXT))

    def __init__(self, vocab, merges, special_tokens=(START_OF_TEXT, END_OF_TEXT)):
        super().__init__(vocab, merges, special_tokens)
        self._last_bytes = {byte: vocab[character + END_OF_WORD] for byte, character in byte_characters().items()}

    def _words(self, text):
        return clip_words(text)

    def _symbols(self, word):
        *first, last = word.encode()
        return [*(self._bytes[byte] for byte in first), self._last_bytes[last]]

    def decode_bytes(self, ids):
        """The bytes of the tokens, a space after each word; the start and the end of a text stand for none."""
        special = set(self.special_tokens.values())
        pieces = []
        for index in ids:
            if index in special:
                continue
            token = self._token(index)
            word = token.removesuffix(END_OF_WORD)
            pieces.append(bytes(self._byte_of[character] for character in word) + (b" " if word != token else b""))
        return b"".join(pieces).strip()
