"""Token ids into batches: padding, and BERT's masking."""

import numpy as np

from ... import backend

IGNORED = -100  # the label that cross_entropy ignores


def pad_batch(sequences, padding_value=0, max_length=None, padding="longest", padding_side="right"):
    """Sequences of different lengths as one array.

    Returns (batch, attention_mask), int64 (N, T): the mask is 1 for tokens and 0 for padding. T is the longest sequence's length,
    or with padding="max_length" exactly max_length. What is longer than max_length is cut at its end.
    """
    if padding not in ("longest", "max_length") or (padding == "max_length" and max_length is None):
        raise ValueError(f'pad_batch: padding should be "longest", or "max_length" with a max_length, got {padding!r}')
    if padding_side not in ("right", "left"):
        raise ValueError(f'pad_batch: padding_side should be "right" or "left", got {padding_side!r}')
    sequences = [np.asarray(sequence, np.int64)[:max_length] for sequence in sequences]
    length = max_length if padding == "max_length" else max(map(len, sequences), default=0)
    batch = np.full((len(sequences), length), padding_value, np.int64)
    attention_mask = np.zeros_like(batch)
    for row, sequence in enumerate(sequences):
        place = slice(0, len(sequence)) if padding_side == "right" else slice(length - len(sequence), length)
        batch[row, place] = sequence
        attention_mask[row, place] = 1
    return batch, attention_mask


def mask_tokens(
    input_ids,
    mask_token_id,
    vocab_size,
    special_tokens_mask,
    mlm_probability=0.15,
    mask_replace_prob=0.8,
    random_replace_prob=0.1,
):
    """The masked language model's task (Devlin et al. 2018, section 3.1).

    Each token that is not special is chosen with mlm_probability. Of the chosen, 80 % become [MASK], 10 % a random token, and
    10 % stay. input_ids: int64, any shape; special_tokens_mask: of that shape, true for [CLS], [SEP] and padding.
    Returns (inputs, labels): labels hold the original token where one was chosen, and -100 elsewhere.
    """
    rng = backend.random()
    input_ids, special = np.asarray(input_ids), np.asarray(special_tokens_mask, bool)
    if input_ids.shape != special.shape:
        raise ValueError(
            f"mask_tokens: input_ids {input_ids.shape} and special_tokens_mask {special.shape} differ in shape"
        )
    if mask_replace_prob + random_replace_prob > 1:
        raise ValueError(
            f"mask_tokens: mask_replace_prob {mask_replace_prob} + random_replace_prob {random_replace_prob} exceed 1"
        )
    chosen = (rng.random(input_ids.shape) < mlm_probability) & ~special
    fate = rng.random(input_ids.shape)
    masked = chosen & (fate < mask_replace_prob)
    randomised = chosen & ~masked & (fate < mask_replace_prob + random_replace_prob)
    inputs = np.where(
        masked, mask_token_id, np.where(randomised, rng.integers(vocab_size, size=input_ids.shape), input_ids)
    )
    return inputs, np.where(chosen, input_ids, IGNORED)
