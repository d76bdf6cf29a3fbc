"""How good a trained Transformer's translations are: computed once, at the end of a training, as decoding takes long."""

import numpy as np

from utils.data_sets.translation import PAD
from utils.errors import DLFSError


def translations(level, data, beam_size=1, alpha=0.6, batch_size=100):
    """The texts that a level makes of the test set's sources: by greedy search, or by beam search with more than one beam."""
    lengths = (data.test.x != PAD).sum(axis=1)  # (N,)
    texts = {}
    for places in np.array_split(np.argsort(lengths), -(-len(lengths) // batch_size)):
        src = level.tensor(data.test.x[places, : lengths[places].max()])  # (B, S)
        found = level.model.greedy(src) if beam_size == 1 else level.model.beam_search(src, beam_size, alpha)
        texts |= dict(zip(places.tolist(), map(data.decode, found)))
    return [texts[place] for place in range(len(lengths))]


def references(data):
    return [data.decode(row) for row in data.test.y]


def exact_match(level, data):
    """The share of the test set's sources whose greedy translation is the reference, to the last token."""
    return float(np.mean([text == wanted for text, wanted in zip(translations(level, data), references(data))]))


def bleu(level, data):
    """sacreBLEU's score (Post 2018) of the greedy translations of the test set, 0 to 100."""
    return bleu_of(translations(level, data), data).score


def beam_bleu(level, data):
    """The same of beam search's, with the paper's 4 beams and length penalty 0.6."""
    return bleu_of(translations(level, data, beam_size=4), data).score


def bleu_of(texts, data):
    return sacrebleu().corpus_bleu(texts, [references(data)])


def sacrebleu():
    try:
        import sacrebleu
    except ImportError:
        raise DLFSError(
            'BLEU is computed by sacrebleu, which is not installed: pip install -c constraints.txt -e ".[models]"'
        ) from None
    return sacrebleu
