"""A character model, trained by truncated backpropagation through time; then it writes.

    python -m 06_LSTM_GRU.characters                                # Python's own help, which comes with Python
    python -m 06_LSTM_GRU.characters --text shakespeare

The text is read as parallel streams, window by window; the state at the end of a window is where the next one starts, and the
way back ends at the window's first character. That is why it is a loop of its own beside `dlfs train`, whose batches stand alone.
"""

import json
import time
from pathlib import Path

import click
import numpy as np

import framework
from dlfs.commands.train import machine, versions
from dlfs.levels import build_level, initial_level
from dlfs.studies import find_study
from framework.data import BPTTDataLoader
from framework.data.text import CharTokenizer
from utils.data_loaders import TEXTS
from utils.errors import DLFSError
from utils.files import write_atomically

from .study import RNNConfig


@click.command()
@click.option("--text", type=click.Choice(list(TEXTS)), default="pydoc", show_default=True)
@click.option(
    "--level", type=click.Choice(["by-hand", "engine", "lowlevel", "paper"]), default="engine", show_default=True
)
@click.option("--cell", type=click.Choice(["lstm", "gru"]), default="lstm", show_default=True)
@click.option("--epochs", type=click.IntRange(min=1), default=6, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--record", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures and the text here, as JSON."
)
def command(text: str, level: str, cell: str, epochs: int, seed: int, record: Path | None) -> None:
    """Train a character model on a text, say how well it predicts, and let it write."""
    try:
        content = TEXTS[text]()
    except DLFSError as error:
        raise click.ClickException(str(error)) from None
    tokenizer = CharTokenizer.train([content])
    tokens = np.array(tokenizer.encode(content))
    train, valid = np.split(tokens, [int(0.95 * len(tokens))])
    config = character_config(len(tokenizer), cell, fused=level == "engine")
    study = find_study("06")
    model = build_level(study, level, config)
    model.load_state(initial_level(study, character_config(len(tokenizer), cell), seed).state())
    model.use_optimizer("adam", 0, {})
    click.echo(
        f"{text}: {len(train):,} characters to learn from, {len(tokenizer)} different ones; {level}, {cell}, seed {seed}"
    )
    rows = []
    for epoch in range(1, epochs + 1):
        start = time.perf_counter()
        lrs = 4e-3 * (0.5 + 0.5 * np.cos(np.pi * (epoch - 1 + np.linspace(0, 1, 10_000)) / epochs))
        loss = train_epoch(model, train, lrs)
        row = {"epoch": epoch, "train_loss": loss, "valid_loss": evaluate(model, valid)}
        rows.append(row | {"seconds": round(time.perf_counter() - start, 1)})
        click.echo("  ".join(f"{name} {value:.4g}" for name, value in rows[-1].items()))
    rng = np.random.default_rng(seed)
    samples = {str(t): tokenizer.decode(write(model, tokenizer.encode("\n"), 500, t, rng)) for t in (0.5, 0.8)}
    for temperature, sample in samples.items():
        click.echo(f"\n--- temperature {temperature} ---\n{sample}")
    if record:
        facts = dict(text=text, level=level, cell=cell, seed=seed, versions=versions([level]), machine=machine())
        write_atomically(
            record, json.dumps(facts | {"rows": rows, "samples": samples}, indent=1, ensure_ascii=False) + "\n"
        )


def character_config(vocab_size, cell="lstm", fused=False):
    """128 units over embeddings of 32, an output for every character."""
    return RNNConfig(vocab_size, 32, 128, vocab_size, cell, readout="steps", loss="cross_entropy", fused=fused)


def start_state(config, B):
    return np.zeros(config.state_shape(B), dtype=np.float32)


def train_epoch(level, tokens, lrs, batch_size=32, bptt=64, max_norm=1.0):
    """Once through the text; the mean loss in nats a character. lrs: the learning rates on the way, first to last."""
    loader = BPTTDataLoader(tokens, batch_size, bptt, batch_first=True)
    state, total, count = start_state(level.model.config, batch_size), 0.0, 0
    parameters = list(level.tensors.values() if hasattr(level.model, "grads") else level.parameters().values())
    clip_grad_norm_ = (getattr(level, "library", None) or framework).nn.utils.clip_grad_norm_
    for window, (x, y) in enumerate(loader):
        x, y = x.array, y.array  # (B, T)
        level.set_lr(float(lrs[window * len(lrs) // len(loader)]))
        level.optimizer.zero_grad()
        loss = level.loss((x, np.full(len(x), x.shape[1]), state), (y,))
        loss.backward()
        clip_grad_norm_(parameters, max_norm)
        level.optimizer.step()
        carry = level.model.carry
        state = carry.numpy() if hasattr(carry, "numpy") else carry  # without a past: the next way back ends here
        total, count = total + loss.item() * y.size, count + y.size
    return total / count


def evaluate(level, tokens, batch_size=16, bptt=256):
    """The mean loss in nats a character on a text that goes on as it was trained, the state carried."""
    state, total, count = start_state(level.model.config, batch_size), 0.0, 0
    for x, y in BPTTDataLoader(tokens, batch_size, bptt, batch_first=True):
        loss, outputs = level.predict((x.array, np.full(batch_size, x.shape[1]), state), (y.array,))
        state = outputs[1]
        total, count = total + loss * y.array.size, count + y.array.size
    return total / count


def write(level, prompt, length, temperature, rng):
    """`length` characters after the prompt, each drawn from the model's probabilities: one step at a time, the state carried."""
    written, x, state = [], np.array([prompt]), start_state(level.model.config, 1)
    for _ in range(length):
        lengths, nothing = np.array([x.shape[1]]), np.zeros_like(x)
        _, (output, state) = level.predict((x, lengths, state), (nothing,))
        logits = output[0, -1].astype(np.float64) / temperature  # (V,)
        probs = np.exp(logits - logits.max())
        written.append(int(rng.choice(len(probs), p=probs / probs.sum())))
        x = np.array([written[-1:]])
    return written


if __name__ == "__main__":
    command()
