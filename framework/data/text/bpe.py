"""Byte-pair encoding on bytes, as GPT-2 has it (Radford et al. 2019, section 2.2): any text has tokens, and they give it back."""

import collections
import functools
import itertools
import json
import re
import sys
import unicodedata

from .merging import learn_merges, merge

END_OF_TEXT = "<|endoftext|>"
SPACE = "\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000"  # Unicode's White_Space: Python's \s has four more


def ranges(category):
    """The characters of a major category of Unicode, as the inside of a regular expression's class."""
    codes = (code for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code))[0] == category)
    groups = itertools.groupby(enumerate(codes), lambda pair: pair[1] - pair[0])
    runs = ([code for _, code in group] for _, group in groups)
    return "".join(f"\\U{run[0]:08x}-\\U{run[-1]:08x}" for run in runs)


@functools.cache
def word_pattern():
    """What GPT-2 never merges across: contractions, and runs of letters, of digits or of others with the space before them."""
    letters, digits = ranges("L"), ranges("N")
    return re.compile(
        rf"'(?:[sdmt]|ll|ve|re)| ?[{letters}]+| ?[{digits}]+| ?[^{SPACE}{letters}{digits}]+|[{SPACE}]+(?![^{SPACE}])|[{SPACE}]+"
    )


@functools.cache
def byte_characters():
    """A printable character for each byte, in the order of GPT-2's first 256 tokens: itself where it prints, else one from U+0100 on."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {**{byte: chr(byte) for byte in printable}, **{byte: chr(256 + i) for i, byte in enumerate(others)}}


def check_pairs(file, merges):
    """ValueError where one of the merges that a file holds is no pair."""
    wrong = [pair for pair in merges if len(pair) != 2]
    if wrong:
        raise ValueError(f"{file}: expected two tokens a line, found {' '.join(wrong[0])!r}")


class BPETokenizer:
    """GPT-2's tokeniser.

    vocab: token → id, tokens written in `byte_characters`; merges: the pairs of tokens in the order learnt; special_tokens: those of
    vocab that stand for no text.
    """

    def __init__(self, vocab, merges, special_tokens=(END_OF_TEXT,)):
        characters = byte_characters()
        missing = [token for token in (*characters.values(), *map("".join, merges)) if token not in vocab]
        if missing:
            raise ValueError(f"BPETokenizer: {len(missing)} tokens are not in the vocabulary, {missing[0]!r} first")
        self.vocab, self.merges = dict(vocab), [tuple(pair) for pair in merges]
        self.special_tokens = {token: vocab[token] for token in special_tokens if token in vocab}
        self._tokens = {index: token for token, index in self.vocab.items()}
        self._bytes = [vocab[characters[byte]] for byte in range(256)]
        self._merges = {(vocab[a], vocab[b]): (rank, vocab[a + b]) for rank, (a, b) in enumerate(self.merges)}
        self._byte_of = {character: byte for byte, character in characters.items()}
        self._known_words = {}

    @classmethod
    def load(cls, vocab_file, merges_file, special_tokens=(END_OF_TEXT,)):
        """From the files that came with GPT-2: encoder.json (or vocab.json) and vocab.bpe (or merges.txt)."""
        with open(vocab_file, encoding="utf-8") as file:
            vocab = json.load(file)
        with open(merges_file, encoding="utf-8") as file:
            lines = file.read().split("\n")
        merges = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]
        check_pairs(merges_file, merges)
        return cls(vocab, merges, special_tokens)

    def save(self, vocab_file, merges_file):
        with open(vocab_file, "w", encoding="utf-8") as file:
            json.dump(self.vocab, file, ensure_ascii=True)
        with open(merges_file, "w", encoding="utf-8") as file:
            file.write("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in self.merges))

    @classmethod
    def train(cls, texts, vocab_size, min_frequency=2, special_tokens=(END_OF_TEXT,)):
        """Learn merges from texts until there are vocab_size tokens: the bytes, the merged ones, and the special ones at the end."""
        characters, counts = byte_characters(), collections.Counter()
        for text in texts:
            counts.update(word_pattern().findall(text))
        words = {tuple(characters[byte] for byte in word.encode()): count for word, count in counts.items()}
        vocab = {character: index for index, character in enumerate(characters.values())}
        if vocab_size < len(vocab) + len(special_tokens):
            raise ValueError(
                f"BPETokenizer.train: vocab_size should be at least {len(vocab) + len(special_tokens)}, got {vocab_size}"
            )
        merges = learn_merges(words, vocab, vocab_size - len(special_tokens), min_frequency, lambda a, b: a + b)
        for token in special_tokens:
            vocab[token] = len(vocab)
        return cls(vocab, merges, special_tokens)

    def __len__(self):
        return len(self.vocab)

    def encode(self, text, allowed_special=()):
        """Token ids. A special token's name in the text is text like any other, unless it is among allowed_special ("all" for all of them)."""
        allowed = self.special_tokens if allowed_special == "all" else allowed_special
        if not allowed:
            return self._encode_ordinary(text)
        unknown = [token for token in allowed if token not in self.special_tokens]
        if unknown:
            raise ValueError(
                f"BPETokenizer.encode: {unknown[0]!r} is none of the special tokens {list(self.special_tokens)}"
            )
        longest_first = sorted(allowed, key=len, reverse=True)
        parts = re.split(f"({'|'.join(map(re.escape, longest_first))})", text)
        ids = ([self.special_tokens[part]] if i % 2 else self._encode_ordinary(part) for i, part in enumerate(parts))
        return list(itertools.chain.from_iterable(ids))

    def _encode_ordinary(self, text):
        try:
            text.encode()
        except UnicodeEncodeError:  # half a surrogate pair has no bytes: it becomes U+FFFD, whole pairs one character
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        ids = []
        for word in self._words(text):
            ids.extend(self._known_words.get(word) or self._encode_word(word))
        return ids

    def _words(self, text):
        return word_pattern().findall(text)

    def _symbols(self, word):
        return [self._bytes[byte] for byte in word.encode()]

    def _encode_word(self, word):
        ids = merge(self._symbols(word), self._merges)
        if len(word) < 32 and len(self._known_words) < 200_000:
            self._known_words[word] = ids
        return ids

    def tokenize(self, text):
        return [self._tokens[index] for index in self._encode_ordinary(text)]

    def _token(self, index):
        token = self._tokens.get(index)
        if token is None:
            raise ValueError(f"{type(self).__name__}.decode: {index} is none of the {len(self)} token ids")
        return token

    def decode_bytes(self, ids):
        """The bytes of the tokens; those of a single token may be only a part of a character."""
        pieces = []
        for index in ids:
            token = self._token(index)
            pieces.append(
                token.encode()
                if token in self.special_tokens
                else bytes(self._byte_of[character] for character in token)
            )
        return b"".join(pieces)

    def decode(self, ids):
        """The text of the tokens; bytes that are no character become U+FFFD."""
        return self.decode_bytes(ids).decode("utf-8", "replace")
