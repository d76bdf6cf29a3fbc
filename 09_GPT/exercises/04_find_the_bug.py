"""A GPT of one block and one head in NumPy, that writes with a cache and without."""

import numpy as np


class Model:
    """tokens -> wte + wpe -> attention, added -> logits by wte. Random weights, large enough that everything matters."""

    def __init__(self, V=17, C=8, length=32, seed=0):
        rng = np.random.default_rng(seed)
        self.wte, self.wpe = rng.standard_normal((V, C)), rng.standard_normal((length, C))
        self.W_q, self.W_k, self.W_v, self.W_o = rng.standard_normal((4, C, C)) / C**0.5

    def forward(self, tokens, cache=None):  # (T,)
        """The logits (T, V). cache: keys and values of the tokens before, {} or {"k": (S, C), "v": (S, C)}; these tokens' are put in it."""
        past = len(cache["k"]) if cache else 0
        T = len(tokens)
        h = self.wte[tokens] + self.wpe[past : past + T]  # (T, C)
        q, k, v = h @ self.W_q, h @ self.W_k, h @ self.W_v  # (T, C)
        if cache is not None:
            if cache:
                k, v = np.concatenate((cache["k"], k)), np.concatenate((cache["v"], v))  # (S, C)
            cache["k"], cache["v"] = k, v
        S = len(k)
        scores = q @ k.T / np.sqrt(k.shape[1])  # (T, S)
        scores = np.where(np.tri(T, S, S - T, dtype=bool), scores, -np.inf)
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        weights = weights / weights.sum(axis=1, keepdims=True)
        h = h + weights @ v @ self.W_o  # (T, C)
        return h @ self.wte.T

    def generate(self, tokens, n, use_cache=True):
        """The tokens and n more, a list; the likeliest each time."""
        tokens, cache, seen = list(tokens), {} if use_cache else None, 0
        for _ in range(n):
            logits = self.forward(tokens[seen:], cache)[-1]  # (V,)
            seen = len(tokens) if use_cache else 0
            tokens.append(int(logits.argmax()))
        return tokens
