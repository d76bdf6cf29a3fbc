"""Text: tokenisers that are trained or loaded, vocabularies, padding and masking, augmentation."""

from .augment import RandomDeletion, RandomInsertion, RandomSwap, SynonymReplacement
from .batching import mask_tokens, pad_batch
from .bpe import BPETokenizer
from .clip import CLIPTokenizer
from .vocab import Vocab, build_vocab_from_iterator
from .wordpiece import WordPieceTokenizer
from .words import CharTokenizer, WordTokenizer, basic_tokenize

__all__ = [
    "BPETokenizer",
    "CLIPTokenizer",
    "CharTokenizer",
    "RandomDeletion",
    "RandomInsertion",
    "RandomSwap",
    "SynonymReplacement",
    "Vocab",
    "WordPieceTokenizer",
    "WordTokenizer",
    "basic_tokenize",
    "build_vocab_from_iterator",
    "mask_tokens",
    "pad_batch",
]
