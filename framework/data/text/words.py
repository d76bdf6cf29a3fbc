"""Tokenisers whose tokens are characters, or words and punctuation marks; and how text is cut into words."""

import functools
import unicodedata

from .vocab import Vocab, build_vocab_from_iterator


def is_punctuation(character):
    """Unicode's punctuation, and all of ASCII that is neither letter, digit, space nor control: as BERT counts ^, $ and `."""
    return unicodedata.category(character).startswith("P") or ("!" <= character <= "~" and not character.isalnum())


def is_chinese(character):
    """Ideographs of the CJK blocks, which stand for words and are not set apart by spaces."""
    code = ord(character)
    return code >= 0x3400 and any(
        first <= code <= last
        for first, last in (
            (0x3400, 0x4DBF),
            (0x4E00, 0x9FFF),
            (0xF900, 0xFAFF),
            (0x20000, 0x2A6DF),
            (0x2A700, 0x2B73F),
            (0x2B740, 0x2B81F),
            (0x2B820, 0x2CEAF),
            (0x2F800, 0x2FA1F),
        )
    )


class _Table(dict):
    """What str.translate makes of each character; an entry is worked out when its character first comes."""

    def __init__(self, lowercase, strip_accents, clean, split_chinese):
        self.options = lowercase, strip_accents, clean, split_chinese

    def __missing__(self, code):
        self[code] = result = self._of(chr(code), *self.options)
        return result

    @staticmethod
    def _of(character, lowercase, strip_accents, clean, split_chinese):
        if character in "\t\n\r":
            return " "
        category = unicodedata.category(character)
        if clean and (category in ("Cc", "Cf", "Co", "Cs") or character == "\ufffd"):
            return ""
        if character.isspace():
            return " "
        if strip_accents and category == "Mn":
            return ""
        if is_punctuation(character) or (split_chinese and is_chinese(character)):
            return f" {character} "
        return character.lower() if lowercase else character


@functools.cache
def _table(*options):
    return _Table(*options)


def basic_tokenize(text, lowercase=True, strip_accents=None, clean=True, split_chinese=True):
    """Cut text at spaces and around every punctuation mark: the first half of BERT's tokeniser (Devlin et al. 2018).

    lowercase: character by character. strip_accents (None: as lowercase): decompose characters and drop what is not spacing.
    clean: drop control characters. split_chinese: every ideograph is a word.
    """
    strip_accents = lowercase if strip_accents is None else strip_accents
    if strip_accents:
        text = unicodedata.normalize("NFD", text)
    return text.translate(_table(lowercase, strip_accents, clean, split_chinese)).split()


class CharTokenizer:
    """Every character is a token."""

    def __init__(self, vocab):
        self.vocab = vocab

    @classmethod
    def train(cls, texts, specials=None):
        """The tokeniser of all characters in the texts, in the order of their code points, after the specials."""
        specials = list(specials or [])
        return cls(Vocab(specials + sorted(set().union(*texts) - set(specials))))

    def __len__(self):
        return len(self.vocab)

    def tokenize(self, text):
        return list(text)

    def encode(self, text):
        return self.vocab(text)

    def decode(self, ids):
        return "".join(self.vocab.lookup_tokens(ids))


class WordTokenizer:
    """Words and punctuation marks are tokens. Decoding puts spaces between them."""

    def __init__(self, vocab, lowercase=True):
        self.vocab, self.lowercase = vocab, lowercase

    @classmethod
    def train(cls, texts, min_freq=1, max_tokens=None, specials=("<pad>", "<unk>"), lowercase=True):
        """The tokeniser of the words in the texts, the most frequent first. A word it does not know is "<unk>", if that is one of the specials."""
        words = (basic_tokenize(text, lowercase, False, False, False) for text in texts)
        vocab = build_vocab_from_iterator(words, min_freq, specials, max_tokens=max_tokens)
        vocab.set_default_index(vocab.stoi.get("<unk>"))
        return cls(vocab, lowercase)

    def __len__(self):
        return len(self.vocab)

    def tokenize(self, text):
        return basic_tokenize(text, self.lowercase, False, False, False)

    def encode(self, text):
        return self.vocab(self.tokenize(text))

    def decode(self, ids):
        return " ".join(self.vocab.lookup_tokens(ids))
