"""Beam search with a length penalty (Wu et al. 2016), as the Transformer's paper uses it."""

END = 0


def lp(n, alpha):
    """The length penalty of a text of n tokens, END among them."""
    return ((5 + n) / 6) ** alpha


def extended(beam, model):
    """Every beginning with every next token: [(log P, tokens), …], the likeliest first."""
    candidates = []
    for log_p, tokens in beam:
        for token, log_q in enumerate(model(tokens)):
            candidates.append((log_p + float(log_q), [*tokens, token]))
    return sorted(candidates, key=lambda candidate: -candidate[0])


def beam_search(model, beam=4, alpha=0.6, longest=50):
    """The best text that ends in END and its score, log P / lp."""
    open_, finished = [(0.0, [])], []
    for _ in range(longest):
        candidates = extended(open_, model)[: 2 * beam]  # at most half of them end
        finished += [(log_p, tokens) for log_p, tokens in candidates if tokens[-1] == END]
        open_ = [(log_p, tokens) for log_p, tokens in candidates if tokens[-1] != END][:beam]
    log_p, tokens = max(finished, key=lambda text: text[0] / lp(len(text[1]), alpha))
    return tokens, log_p / lp(len(tokens), alpha)
