"""WordPiece (Schuster & Nakajima 2012; Wu et al. 2016, section 4.1), as BERT has it (Devlin et al. 2018)."""

import collections
import re

from .merging import learn_merges
from .words import basic_tokenize

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


class WordPieceTokenizer:
    """BERT's tokeniser: text is cut into words, and every word into the longest pieces that the vocabulary has, from left to right.

    vocab: token → id; a piece that continues a word is written with ## before it. lowercase: also strips accents. A word that
    cannot be pieced together, or is longer than max_input_chars_per_word, is [UNK].
    """

    def __init__(self, vocab, lowercase=True, max_input_chars_per_word=100):
        missing = [token for token in SPECIAL_TOKENS if token not in vocab]
        if missing:
            raise ValueError(f"WordPieceTokenizer: the vocabulary lacks {', '.join(missing)}")
        self.vocab, self.lowercase, self.max_input_chars_per_word = dict(vocab), lowercase, max_input_chars_per_word
        self._tokens = {index: token for token, index in self.vocab.items()}
        self.pad_token_id, self.unk_token_id, self.cls_token_id, self.sep_token_id, self.mask_token_id = map(
            vocab.get, SPECIAL_TOKENS
        )
        self._special = re.compile(f"({'|'.join(map(re.escape, SPECIAL_TOKENS))})")
        self._known_words = {}

    @classmethod
    def load(cls, vocab_file, lowercase=True):
        """From a file with one token a line, BERT's vocab.txt."""
        with open(vocab_file, encoding="utf-8") as file:
            return cls({token: index for index, token in enumerate(file.read().rstrip("\n").split("\n"))}, lowercase)

    def save(self, vocab_file):
        with open(vocab_file, "w", encoding="utf-8") as file:
            file.writelines(f"{token}\n" for token in sorted(self.vocab, key=self.vocab.get))

    @classmethod
    def train(cls, texts, vocab_size, min_frequency=2, lowercase=True):
        """Learn a vocabulary from texts: the special tokens, all characters at the start and within words, and merged pieces.

        The pieces merged are those most often together, as in byte-pair encoding and in the common implementations; the paper's own
        training, which was not published, maximises the likelihood of the texts.
        """
        counts = collections.Counter()
        for text in texts:
            counts.update(basic_tokenize(text, lowercase))
        words = {(word[0], *(f"##{character}" for character in word[1:])): count for word, count in counts.items()}
        alphabet = sorted({piece for word in words for piece in word}, key=lambda piece: (len(piece), piece))
        vocab = {token: index for index, token in enumerate((*SPECIAL_TOKENS, *alphabet))}
        if vocab_size < len(vocab):
            raise ValueError(
                f"WordPieceTokenizer.train: these texts' characters alone need a vocab_size of {len(vocab)}, got {vocab_size}"
            )
        learn_merges(words, vocab, vocab_size, min_frequency, lambda a, b: a + b.removeprefix("##"))
        return cls(vocab, lowercase)

    def __len__(self):
        return len(self.vocab)

    def tokenize(self, text):
        return [self._tokens[index] for index in self._encode(text)]

    def encode(self, text, text_pair=None, add_special_tokens=True, max_length=None):
        """Token ids: [CLS] text [SEP], or [CLS] text [SEP] text_pair [SEP]. The names of special tokens in a text stand for them.

        max_length: what is too long is cut at its end, of two texts the longer one first.
        """
        first, second = self._encode(text), None if text_pair is None else self._encode(text_pair)
        if max_length is not None:
            room = max_length - (add_special_tokens and (2 if second is None else 3))
            if room < 0:
                raise ValueError(
                    f"WordPieceTokenizer.encode: max_length {max_length} leaves no room for the special tokens"
                )
            short, long = sorted((first, second or []), key=len)
            kept = min(len(short), max(room // 2, room - len(long)))
            del short[kept:], long[room - kept :]
        if not add_special_tokens:
            return first + (second or [])
        ids = [self.cls_token_id, *first, self.sep_token_id]
        return ids if second is None else [*ids, *second, self.sep_token_id]

    def token_type_ids(self, ids):
        """0 for each token up to the first [SEP], 1 for those after it."""
        first = ids.index(self.sep_token_id) + 1 if self.sep_token_id in ids else len(ids)
        return [0] * first + [1] * (len(ids) - first)

    def _encode(self, text):
        ids = []
        for i, part in enumerate(self._special.split(text)):
            if i % 2:
                ids.append(self.vocab[part])
                continue
            for word in basic_tokenize(part, self.lowercase):
                ids.extend(self._known_words.get(word) or self._encode_word(word))
        return ids

    def _encode_word(self, word):
        """Greedy longest match first."""
        ids, start = [], 0
        while start < len(word) <= self.max_input_chars_per_word:
            for end in range(len(word), start, -1):
                piece = self.vocab.get(word[start:end] if start == 0 else f"##{word[start:end]}")
                if piece is not None:
                    break
            else:
                break
            ids.append(piece)
            start = end
        if start < len(word):
            ids = [self.unk_token_id]
        if len(self._known_words) < 200_000:
            self._known_words[word] = ids
        return ids

    def decode(self, ids, skip_special_tokens=False):
        """Text with the pieces of a word together and a space between words: case, accents and spacing are lost."""
        words = []
        for index in ids:
            token = self._tokens.get(index)
            if token is None:
                raise ValueError(f"WordPieceTokenizer.decode: {index} is none of the {len(self)} token ids")
            if skip_special_tokens and token in SPECIAL_TOKENS:
                continue
            if token.startswith("##") and words:
                words[-1] += token[2:]
            else:
                words.append(token)
        return " ".join(words)
