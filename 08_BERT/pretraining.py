"""What BERT is pre-trained on: pairs of passages, of which the second follows the first or does not; and words to be guessed.

Devlin et al. 2018, section 3.1 and appendix A.1. Both are drawn anew for every batch.
"""

import numpy as np

from framework.data.randomness import default_numpy_generator
from framework.data.text import mask_tokens
from utils.data_sets.wordpieces import CLS, MASK, PAD, SEP, SHORTEST

IS_NEXT, NOT_NEXT = 0, 1
CHOSEN = 0.15  # of the tokens are to be predicted,
MAX_PREDICTIONS = 20  # at most so many of a text


def in_parts(passages, documents, count):
    """Passages (B, S) cut into `count` shorter ones each, (up to B · count, S // count), and the documents that they are of.

    A part with fewer than SHORTEST pieces, and with less than a whole part's, is left out.
    """
    length = passages.shape[1] // count
    parts = passages[:, : count * length].reshape(-1, length)
    kept = (parts != PAD).sum(axis=1) >= min(SHORTEST, length)
    return parts[kept], documents.repeat(count)[kept]


def pretraining_batch(passages, documents, vocab_size, rng, max_predictions=MAX_PREDICTIONS, rarer=False):
    """Inputs and targets of BERT with the head pretraining.

    passages (B, S): text of one document, 0 after its end; documents (B,): which. Returns (input_ids, token_type_ids,
    attention_mask, all (B, T); masked_positions (B, M)), (masked_ids (B, M); next_sentence (B,)), with T up to S + 3. A text with fewer
    predictions than M has position 0 and masked_id -100 in place of the rest. rarer: see `masked`.
    """
    pairs, next_sentence = sentence_pairs(passages, documents, rng)
    T = max(len(a) + len(b) for a, b in pairs) + 3
    input_ids = np.full((len(pairs), T), PAD)
    token_type_ids, attention_mask = np.zeros_like(input_ids), np.zeros_like(input_ids)
    for i, (a, b) in enumerate(pairs):
        text = [CLS, *a, SEP, *b, SEP]
        input_ids[i, : len(text)] = text
        token_type_ids[i, len(a) + 2 : len(text)] = 1
        attention_mask[i, : len(text)] = 1
    input_ids, masked_positions, masked_ids = masked(input_ids, vocab_size, rng, max_predictions, rarer)
    return (input_ids, token_type_ids, attention_mask, masked_positions), (masked_ids, next_sentence)


def sentence_pairs(passages, documents, rng):
    """Every passage in two, [(A, B), …] and labels (B,): for about half of them B is from another document, and the label NOT_NEXT.

    Both kinds of B are equally long for the same A, so that their length tells nothing.
    """
    texts = [row[row != PAD] for row in passages]
    cuts = [int(rng.integers(len(text) // 4, len(text) - len(text) // 4)) for text in texts]
    labels = np.where(rng.random(len(texts)) < 0.5, IS_NEXT, NOT_NEXT)
    pairs = []
    for i, (text, cut) in enumerate(zip(texts, cuts)):
        others = np.flatnonzero(documents != documents[i])
        a, b = text[:cut], text[cut:]
        if not len(others):
            labels[i] = IS_NEXT  # a batch of one document alone has no other
        else:
            other = texts[rng.choice(others)]
            length = min(len(b), len(other))
            start = int(rng.integers(len(other) - length + 1))
            b = b[:length] if labels[i] == IS_NEXT else other[start : start + length]
        pairs.append((a, b))
    return pairs, labels


def masked(input_ids, vocab_size, rng, max_predictions=MAX_PREDICTIONS, rarer=False):  # (B, T)
    """Choose 15 % of each text's tokens, at most max_predictions; of these 80 % become [MASK], 10 % a random token, 10 % stay.

    rarer: not all with the same chance, but with one that falls as 1 / √n for a token that is in the batch n times, as word2vec
    thins out the common words (Mikolov et al. 2013, arXiv:1310.4546, section 2.3).
    Returns the changed input_ids (B, T), the chosen positions in their order (B, M), and what stood there (B, M), -100 beyond a
    text's own number.
    """
    words = ~np.isin(input_ids, (PAD, CLS, SEP))  # (B, T)
    number = np.clip(np.rint(CHOSEN * (input_ids != PAD).sum(axis=1)), 1, max_predictions).astype(np.int64)  # (B,)
    order = rng.random(input_ids.shape)
    if rarer:  # the smallest of exponential variables, each with a rate of its own
        times = np.bincount(input_ids.ravel(), minlength=vocab_size)[input_ids]  # (B, T)
        order = -np.log1p(-order) * np.sqrt(times)
    rank = np.where(words, order, np.inf).argsort(axis=1).argsort(axis=1)  # (B, T): words in random order
    chosen = (rank < number[:, None]) & words
    with default_numpy_generator(
        rng
    ):  # mask_tokens would choose each token by chance; what it may choose from is chosen already
        inputs, _ = mask_tokens(input_ids, MASK, vocab_size, ~chosen, mlm_probability=1.0)
    M = chosen.sum(axis=1).max()
    masked_positions = np.argsort(~chosen, axis=1, kind="stable")[:, :M]  # the chosen ones first
    given = np.take_along_axis(chosen, masked_positions, axis=1)
    masked_ids = np.where(given, np.take_along_axis(input_ids, masked_positions, axis=1), -100)
    return inputs, np.where(given, masked_positions, 0), masked_ids
