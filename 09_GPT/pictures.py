"""What `dlfs pictures 09 RUN` draws of a trained GPT: where each head looks, and how the loss falls with what was read."""

import math

import numpy as np

from framework.curves import COLORS
from utils.visualization import cosines, new_figure

EXCERPT = 28  # characters of a text in the attention patterns


def attention_weights(level, x):
    """The weights (L, N, T, T) of every head for one text x (T,), from the level's own layers."""
    model, found = level.model, []
    take = level.library

    def head_weights(attn, h):
        q, k = attn.split_heads(attn.q_proj(h)), attn.split_heads(attn.k_proj(h))  # (1, N, T, D)
        T, D = q.shape[2:]
        past = take.ones(T, T, dtype=take.bool).tril()
        return take.softmax((q @ k.transpose(2, 3) / math.sqrt(D)).masked_fill(~past, -math.inf), dim=-1)

    with take.no_grad():
        x = level.tensor(x[None])
        h = model.wte(x) + model.wpe(take.arange(x.shape[1]))  # (1, T, C)
        for block in model.h:
            found.append(head_weights(block.attn, block.ln_1(h) if model.config.norm == "pre" else h).numpy()[0])
            h = block(h)
    return np.array(found)


def attention(level, data):
    """For each head of each block a square over the test excerpt with the most letters: row t, dark where character t looks."""
    is_letter = np.array([token.isalpha() for token in data.tokens])
    excerpts = data.test.x[:, :EXCERPT]
    x = excerpts[is_letter[excerpts].sum(axis=1).argmax()]  # (T,)
    characters = [{"\n": "↵", " ": "·"}.get(data.tokens[i], data.tokens[i]) for i in x]
    weights = attention_weights(level, x)
    L, N, T, _ = weights.shape
    figure = new_figure(2.9 * N + 0.4, 3 * L + 0.5, "Where each head looks: row t, dark where character t looks")
    for (i, n), axes in zip(np.ndindex(L, N), figure.subplots(L, N, squeeze=False).flat):
        axes.imshow(weights[i, n] ** 0.5, cmap="Greys", vmin=0, vmax=1, interpolation="nearest")
        axes.set_title(f"block {i}, head {n}", fontsize=9)
        axes.set_xticks(range(T), characters, fontsize=6)
        axes.set_yticks(range(T), characters, fontsize=6)
        axes.tick_params(length=0, pad=1)
        axes.grid(False)
    return figure


def by_position(level, data):
    """The test loss of each place in the window: what the characters before it are worth."""
    losses = []
    for start in range(0, len(data.test), 200):
        x, y = data.test.x[start : start + 200], data.test.y[start : start + 200]
        _, (logits,) = level.predict((x,), (y,))
        logits = logits.astype(np.float64)
        log_total = np.log(np.exp(logits - logits.max(-1, keepdims=True)).sum(-1)) + logits.max(-1)
        losses.append(log_total - np.take_along_axis(logits, y[..., None], axis=-1)[..., 0])
    mean = np.concatenate(losses).mean(axis=0)  # (T,)
    figure = new_figure(7, 3.6, "The test loss of each place in the window")
    axes = figure.subplots()
    axes.plot(range(1, len(mean) + 1), mean, color=COLORS[3], linewidth=1.6)
    axes.axhline(mean.mean(), color=COLORS[-1], linewidth=1, linestyle=":")
    axes.annotate(f"mean {mean.mean():.2f}", (len(mean), 0.88 * mean.mean()), ha="right", va="top", fontsize=9)
    axes.set(
        xlabel="characters of the window that are known",
        ylabel="test loss, nats a character",
        ylim=(0, 1.1 * mean.max()),
    )
    return figure


def positions(level, data):
    """How alike the embeddings of two places are."""
    return cosines("How alike two places' embeddings are", level.state()["wpe.weight"], "place")


DRAWINGS = {"attention": attention, "by-position": by_position, "positions": positions}
PICTURES = dict.fromkeys(("pydoc", "shakespeare", "shakespeare-gpu"), DRAWINGS)
