from dlfs.exercises import Wrong

SCORES = '(q @ k.transpose(2, 3) + torch.einsum("bhtd,tsd->bhts", q, r)) / q.shape[3] ** 0.5'
LINE = "(places[None, :] - places[:, None]).clamp(-reach, reach) + reach"

WRONG = [
    Wrong(
        "the wrong way round",
        LINE,
        "(places[:, None] - places[None, :]).clamp(-reach, reach) + reach",
        "row t, column s",
    ),
    Wrong(
        "shifted, then clipped",
        LINE,
        "(places[None, :] - places[:, None] + reach).clamp(-reach, reach)",
        "clipped first",
    ),
    Wrong(
        "no distance is the same for both sides",
        LINE,
        "(places[None, :] - places[:, None]).abs().clamp(0, reach) + reach",
        "what follows is above reach",
    ),
    Wrong("a row too few", "2 * reach + 1", "2 * reach", "2R + 1"),
    Wrong("a table for all channels", "d_model // num_heads)", "d_model)", "heads share the table"),
    Wrong(
        "the root under one term only",
        SCORES,
        'q @ k.transpose(2, 3) / q.shape[3] ** 0.5 + torch.einsum("bhtd,tsd->bhts", q, r)',
        "BOTH terms",
    ),
    Wrong("the keys ask for the distance", 'bhtd,tsd->bhts", q, r', 'bhsd,tsd->bhts", k, r', "q_t · a"),
    Wrong(
        "padding asks, instead of being asked", "~keep[:, None, None, :]", "~keep[:, None, :, None]", "looks at padding"
    ),
    Wrong(
        "no mask",
        'scores.masked_fill(~keep[:, None, None, :], float("-inf")).softmax(-1)',
        "scores.softmax(-1)",
        "padding is −∞",
    ),
    Wrong("padding's score is 0", 'float("-inf")', "0.0", "padding is −∞"),
    Wrong(
        "the table out of the graph",
        "r = self.relative(distances(x.shape[1], self.reach))",
        "r = self.relative(distances(x.shape[1], self.reach)).detach()",
        "no gradient reaches",
    ),
]
