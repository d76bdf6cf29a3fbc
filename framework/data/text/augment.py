"""Text augmentation: words deleted, swapped, inserted, replaced ("EDA", Wei & Zou 2019, section 2).

A transform takes a list of tokens, words or ids, and gives a new list; or a string, which is cut at white space and joined by single
spaces. Random numbers come from the engine's default generator, which DataLoader seeds for each batch.
"""

from ... import backend
from ..transforms.image import Transform


class TextTransform(Transform):
    """Base class of transforms of text: `apply(tokens)` gets a list that it may change."""

    def __call__(self, text):
        return " ".join(self.apply(text.split())) if isinstance(text, str) else self.apply(list(text))

    def batch(self, texts):
        return [self(text) for text in texts]

    def part(self, name, value):
        """The value; ValueError where it is no part of a text."""
        if not 0 <= value <= 1:
            raise ValueError(f"{type(self).__name__}: {name} should be between 0 and 1, got {value}")
        return value


class RandomDeletion(TextTransform):
    """Each token goes with probability p. Where all would go, one stays."""

    def __init__(self, p=0.1):
        self.p = self.part("p", p)

    def apply(self, tokens):
        rng = backend.random()
        kept = [token for token, fate in zip(tokens, rng.random(len(tokens))) if fate >= self.p]
        return kept or ([tokens[rng.integers(len(tokens))]] if tokens else [])


class _Changes(TextTransform):
    """Base class of what changes a text of l tokens round(alpha · l) times, once at least, by `change(tokens, rng)`."""

    def __init__(self, alpha=0.1):
        self.alpha = self.part("alpha", alpha)

    def times(self, tokens):
        return max(1, round(self.alpha * len(tokens))) if self.alpha else 0


class RandomSwap(_Changes):
    """Two tokens change places, round(alpha · l) times."""

    def apply(self, tokens):
        if len(tokens) > 1:
            for _ in range(self.times(tokens)):
                i, j = backend.random().choice(len(tokens), 2, replace=False)
                tokens[i], tokens[j] = tokens[j], tokens[i]
        return tokens


class _WithSynonyms(_Changes):
    """Base class of what needs synonyms: {token: its synonyms}, each one token. A text none of whose tokens is in the table stays as it is."""

    def __init__(self, synonyms, alpha=0.1):
        super().__init__(alpha)
        wrong = [word for word, others in synonyms.items() if isinstance(others, str) or not len(others)]
        if wrong:
            raise ValueError(
                f"{type(self).__name__}: synonyms should map a token to a list of others, got {synonyms[wrong[0]]!r} for {wrong[0]!r}"
            )
        self.synonyms = synonyms

    def known(self, tokens):
        """The places of the tokens that have synonyms."""
        return [place for place, token in enumerate(tokens) if token in self.synonyms]

    def synonym(self, token):
        others = self.synonyms[token]
        return others[backend.random().integers(len(others))]


class SynonymReplacement(_WithSynonyms):
    """round(alpha · l) tokens that have synonyms, or all there are, become one of them."""

    def apply(self, tokens):
        known = self.known(tokens)
        for place in backend.random().choice(known, min(self.times(tokens), len(known)), replace=False):
            tokens[place] = self.synonym(tokens[place])
        return tokens


class RandomInsertion(_WithSynonyms):
    """A synonym of one of the tokens is put somewhere in the text, round(alpha · l) times."""

    def apply(self, tokens):
        rng, known = backend.random(), [tokens[place] for place in self.known(tokens)]
        for _ in range(self.times(tokens) if known else 0):
            tokens.insert(rng.integers(len(tokens) + 1), self.synonym(known[rng.integers(len(known))]))
        return tokens
