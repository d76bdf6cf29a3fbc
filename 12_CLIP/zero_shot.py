"""What a trained CLIP can do: name what is in images that it was never given the classes of, and find images and texts of each other.

    python -m 12_CLIP.zero_shot runs/12_CLIP-cifar10-…                       # each template, and their ensemble, on the test set
    python -m 12_CLIP.zero_shot runs/12_CLIP-flickr8k-…                      # recall at 1, 5 and 10, both ways, on the test set
    python -m 12_CLIP.zero_shot runs/… --image dog.jpg --text "a photo of a dog" --text "a photo of a cat"
    python -m 12_CLIP.zero_shot ViT-B-32.pt --image dog.jpg --text "a dog" --text "a cat"       # a published checkpoint

A checkpoint may have the names of transformers, of OpenAI's code or ours: `dlfs convert` says of each key what becomes of it.
"""

from pathlib import Path

import click
import numpy as np
from rich.console import Console

from dlfs.convert import read_weights
from dlfs.levels import build_level
from dlfs.results import checkpoint_of
from dlfs.studies import find_study
from dlfs.terminal import table
from utils.data_loaders import load
from utils.data_sets.captions import clip_tokenizer, square, text_rows
from utils.errors import DLFSError

from .prompts import CLASSES, TEMPLATES, prompts
from .scores import classify, encode_images, encode_texts, ensemble, recall, similarities
from .study import PUBLISHED, RECIPES


@click.command()
@click.argument("source", type=click.Path(path_type=Path, exists=True))
@click.option("--image", "images", multiple=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--text", "texts", multiple=True, help="What may be in the images; give at least two.")
@click.option("--level", type=click.Choice(["engine", "lowlevel", "paper"]), default="engine", show_default=True)
def command(source, images, texts, level):
    """Test the model of SOURCE, a run's folder or a checkpoint's file, on its own test set; or choose a text for each image."""
    try:
        loaded, variant = load_level(source, level)
        if images or texts:
            head, rows = choose(loaded, variant, images, texts)
        else:
            head, rows = on_the_test_set(loaded, variant)
    except DLFSError as error:
        raise click.ClickException(str(error)) from None
    shown = table(*head, whole=head[0])
    for row in rows:
        shown.add_row(*row)
    Console().print(shown)


def load_level(source, level):
    """The level with the weights of a run or a file, and the variant that they are of."""
    study = find_study("12")
    fit = read_weights(study, *checkpoint_of(source))
    loaded = build_level(study, level, fit.config)
    loaded.load_state(
        {
            name: np.asarray(array, dtype=np.float32) if array.dtype.kind == "f" else array
            for name, array in fit.state.items()
        }
    )
    return loaded, fit.variant


def data_of(variant):
    """The data set that a recipe's model was trained on; None of a published model."""
    return RECIPES[variant].get("data", variant) if variant in RECIPES else None


def tokenizer_of(variant):
    """The tokeniser that a variant was trained with."""
    if variant in PUBLISHED:
        return clip_tokenizer()
    data = data_of(variant)
    if data is None:
        raise DLFSError(f"it is not known which tokens {variant} was trained on")
    return prompts(data).tokenizer if data in CLASSES else load(data).tokenizer


def choose(level, variant, images, texts):
    """For each image the probability of each text, by the softmax over the texts."""
    if not images or len(texts) < 2:
        raise DLFSError("give at least one --image, and at least two --text to choose from")
    config = level.model.config
    x = np.stack([square(path, config.image_size) for path in images]).astype(np.float32) / 255
    if config.in_channels == 1:
        x = x.mean(axis=1, keepdims=True)
    rows = text_rows(tokenizer_of(variant), texts, config.context_length)
    scale = float(np.exp(level.state()["logit_scale"]))
    logits = scale * encode_images(level, x) @ encode_texts(level, rows).T  # (N, M)
    probs = np.exp(logits - logits.max(axis=1, keepdims=True))
    probs /= probs.sum(axis=1, keepdims=True)
    return ["image", *texts], [[path.name, *(f"{100 * p:.1f} %" for p in row)] for path, row in zip(images, probs)]


def on_the_test_set(level, variant):
    """The accuracy with each template and with their ensemble; or recall, where the set has captions of its own."""
    name = data_of(variant)
    if name is None:
        raise DLFSError(f"{variant} has no test set here: give --image and --text")
    data = load(name)
    if name not in CLASSES:
        similarity, relevant = similarities(level, data)
        ways = {"a text's image": (similarity.T, relevant.T), "an image's text": (similarity, relevant)}
        rows = [
            [way, str(matrix.shape[1]), *(f"{100 * recall(matrix, right, k):.1f} %" for k in (1, 5, 10))]
            for way, (matrix, right) in ways.items()
        ]
        return ["looked for", "among", "recall at 1", "at 5", "at 10"], rows
    images = encode_images(level, data.test.x)
    texts = encode_texts(level, prompts(name).tokens)  # (K, M, E)
    found = {template: texts[:, m] for m, template in enumerate(TEMPLATES[name])}
    found["all of them, their mean"] = ensemble(texts)
    rows = [[prompt, f"{100 * (classify(images, w) == data.test.y).mean():.2f} %"] for prompt, w in found.items()]
    return ["prompt", "test accuracy"], rows


if __name__ == "__main__":
    command()
