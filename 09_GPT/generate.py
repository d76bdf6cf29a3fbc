"""A trained GPT writes: one of `dlfs train 09`, or a checkpoint of GPT-2 as it is published.

    python -m 09_GPT.generate runs/09_GPT-shakespeare-… --prompt "ROMEO:"
    python -m 09_GPT.generate gpt2/model.safetensors --prompt "The meaning of life is" --top-p 0.9

A checkpoint may have the names of transformers, of nanoGPT or ours: `dlfs convert` says of each key what becomes of it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

from dlfs.convert import read_weights
from dlfs.levels import build_level
from dlfs.results import checkpoint_of
from dlfs.studies import find_study
from utils.data_loaders import load
from utils.data_sets.text import gpt2_tokenizer
from utils.errors import DLFSError
from utils.files import write_atomically

from .study import PUBLISHED, RECIPES


@click.command()
@click.argument("source", type=click.Path(path_type=Path, exists=True))
@click.option("--prompt", default="\n", help="What the text begins with; by default a new line.")
@click.option("--length", type=click.IntRange(min=1), default=500, show_default=True, help="How many tokens to write.")
@click.option(
    "--temperature", type=click.FloatRange(min=0), default=0.8, show_default=True, help="0: the likeliest always."
)
@click.option("--top-k", type=click.IntRange(min=1), help="Choose among the k likeliest tokens.")
@click.option(
    "--top-p", type=click.FloatRange(0, 1, min_open=True), help="Choose among the fewest of this probability."
)
@click.option("--level", type=click.Choice(["engine", "lowlevel", "paper"]), default="engine", show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the text here, too.")
def command(source, prompt, length, temperature, top_k, top_p, level, seed, out):
    """Let the model of SOURCE, a run's folder or a checkpoint's file, write after a prompt. The same seed gives the same text at every level."""
    try:
        text = write(source, prompt, length, temperature, top_k, top_p, level, seed)
    except DLFSError as error:
        raise click.ClickException(str(error)) from None
    click.echo(text)
    if out:
        write_atomically(out, text + "\n")


def write(source, prompt, length=500, temperature=0.8, top_k=None, top_p=None, level="engine", seed=0):
    """The prompt, and `length` tokens more."""
    study = find_study("09")
    fit = read_weights(study, *checkpoint_of(source))
    codec = codec_of(fit.variant)
    tokens = codec.encode(prompt)
    if not tokens:
        raise DLFSError("the prompt is empty, and the model goes on from a token")
    model = build_level(study, level, fit.config)
    model.load_state({name: array.astype(np.float32) for name, array in fit.state.items()})
    draws = np.random.default_rng(seed).random((length, 1))
    written = model.model.generate(model.tensor(np.array([tokens])), model.tensor(draws), temperature, top_k, top_p)
    return codec.decode(written.numpy()[0].tolist())


class Codec(NamedTuple):
    """Between text and tokens."""

    encode: Callable[[str], list[int]]
    decode: Callable[[list[int]], str]


def codec_of(variant: str) -> Codec:
    """The tokens that a variant was trained on: the characters of its recipe's text, or GPT-2's."""
    if variant in RECIPES:
        name = RECIPES[variant].get("data", variant)
        tokens = load(name).tokens
        index = {token: i for i, token in enumerate(tokens)}

        def encode(text):
            unknown = [character for character in text if character not in index]
            if unknown:
                raise DLFSError(f"--prompt: {name} has no {unknown[0]!r}. Its characters: {''.join(tokens)!r}")
            return [index[character] for character in text]

        return Codec(encode, lambda ids: "".join(tokens[i] for i in ids))
    if variant in PUBLISHED and variant != "gpt1":
        tokenizer = gpt2_tokenizer()
        return Codec(tokenizer.encode, tokenizer.decode)
    raise DLFSError(
        f"it is not known which tokens {variant} was trained on: here are those of {', '.join(RECIPES)} and of GPT-2"
    )


if __name__ == "__main__":
    command()
