"""Classes in words: their names, and templates to put them in. Of both the captions are generated that the labelled sets lack."""

import functools
from dataclasses import dataclass

import numpy as np

from framework.data.text import CLIPTokenizer
from utils.data_loaders import CIFAR10_CLASSES
from utils.data_sets.captions import text_rows

CLASSES = {"digits": "zero one two three four five six seven eight nine".split(), "cifar10": CIFAR10_CLASSES}
TEMPLATES = {
    "digits": (
        "a photo of the number {}",
        "the digit {}",
        "a handwritten {}",
        "a small picture of the number {}",
        "somebody wrote a {}",
        "this is the digit {}, written by hand",
    ),
    "cifar10": (
        "a photo of a {}",
        "a blurry photo of a {}",
        "a low resolution photo of the {}",
        "a small picture of a {}",
        "a good photo of the {}",
        "the {} in a tiny image",
        "there is a {} in this picture",
        "this is a {}",
    ),
}
LENGTH = 16  # tokens in a prompt, at most


@dataclass(frozen=True)
class Prompts:
    """Every class in every template: tokens (K, M, T) int64, of K classes and M templates."""

    classes: tuple[str, ...]
    tokens: np.ndarray
    tokenizer: CLIPTokenizer

    def captions(self, labels, rng):  # (B,)
        """Captions (B, T) of classes, each in a template drawn at random."""
        return self.tokens[labels, rng.integers(self.tokens.shape[1], size=len(labels))]


def rows(tokenizer, classes, templates, length=LENGTH):
    """The tokens (K, M, T) of every class in every template."""
    return np.stack([text_rows(tokenizer, [t.format(name) for t in templates], length) for name in classes])


@functools.cache
def prompts(data):
    """The prompts of a data set, digits or cifar10, in byte pairs learnt from these prompts: every word becomes one token."""
    classes, templates = CLASSES[data], TEMPLATES[data]
    tokenizer = CLIPTokenizer.train((t.format(name) for t in templates for name in classes), 10_000, min_frequency=1)
    return Prompts(tuple(classes), rows(tokenizer, classes, templates), tokenizer)
