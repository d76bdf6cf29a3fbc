"""WordPiece (Wu et al. 2016), as BERT cuts words."""

import unicodedata

UNKNOWN = "[UNK]"
LONGEST = 100  # characters of a word


def basic(text):
    """Words and punctuation marks, in small letters without accents."""
    letters = []
    for character in unicodedata.normalize("NFD", text.lower()):
        if unicodedata.category(character) == "Mn":  # an accent, parted from its letter by NFD
            continue
        is_mark = unicodedata.category(character).startswith("P")
        letters.append(f" {character} " if is_mark else character)
    return "".join(letters).split()


def pieces(word, vocab):
    """The longest pieces of the vocabulary from left to right; those inside the word begin with ##."""
    if len(word) > LONGEST:
        return [UNKNOWN]
    found, begin = [], 0
    while begin < len(word):
        end = len(word)
        mark = "##" if begin else ""
        while end > begin and mark + word[begin:end] not in vocab:
            end -= 1
        if end == begin:
            return [UNKNOWN]
        found.append(mark + word[begin:end])
        begin = end
    return found


def tokenize(text, vocab):
    """The tokens of a text."""
    return [piece for word in basic(text) for piece in pieces(word, vocab)]
