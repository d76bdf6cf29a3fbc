"""Tokens and their numbers."""

import collections
import json


class Vocab:
    """A list of different tokens; a token's index is its place. Under torchtext's names.

    default_index: the index of every unknown token; None makes them an error.
    """

    def __init__(self, tokens, default_index=None):
        self.itos = list(tokens)
        self.stoi = {token: index for index, token in enumerate(self.itos)}
        if len(self.stoi) < len(self.itos):
            twice = [token for token, count in collections.Counter(self.itos).items() if count > 1]
            raise ValueError(f"Vocab: tokens should differ, {', '.join(map(repr, twice[:5]))} came more than once")
        self.set_default_index(default_index)

    def __len__(self):
        return len(self.itos)

    def __contains__(self, token):
        return token in self.stoi

    def __getitem__(self, token):
        index = self.stoi.get(token, self.default_index)
        if index is None:
            raise KeyError(f"Vocab: {token!r} is not one of the {len(self)} tokens, and no default index is set")
        return index

    def __call__(self, tokens):
        return [self[token] for token in tokens]

    lookup_indices = __call__

    def lookup_token(self, index):
        if not 0 <= index < len(self):
            raise IndexError(f"Vocab: index {index} is out of range for {len(self)} tokens")
        return self.itos[index]

    def lookup_tokens(self, indices):
        return [self.lookup_token(index) for index in indices]

    def get_itos(self):
        return self.itos

    def get_stoi(self):
        return self.stoi

    def get_default_index(self):
        return self.default_index

    def set_default_index(self, index):
        if index is not None and not 0 <= index < len(self):
            raise ValueError(f"Vocab: default index {index} is out of range for {len(self)} tokens")
        self.default_index = index

    def save(self, path):
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"tokens": self.itos, "default_index": self.default_index}, file, ensure_ascii=False)

    @classmethod
    def load(cls, path):
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        return cls(content["tokens"], content["default_index"])


def build_vocab_from_iterator(iterator, min_freq=1, specials=None, special_first=True, max_tokens=None):
    """The Vocab of all tokens in an iterator of token lists that come at least min_freq times, the most frequent first, equals by alphabet.

    specials are put before them (or after); max_tokens counts them too.
    """
    specials = list(specials or [])
    counts = collections.Counter(token for tokens in iterator for token in tokens)
    frequent = [
        token
        for token in sorted(counts, key=lambda token: (-counts[token], token))
        if counts[token] >= min_freq and token not in specials
    ]
    if max_tokens is not None:
        if max_tokens < len(specials):
            raise ValueError(
                f"build_vocab_from_iterator: max_tokens {max_tokens} leaves no room for {len(specials)} specials"
            )
        frequent = frequent[: max_tokens - len(specials)]
    return Vocab(specials + frequent if special_first else frequent + specials)
