"""What `dlfs pictures 08 RUN` draws of a trained BERT: where each head looks, and what it guesses for words that are hidden."""

import math

import numpy as np

from framework.curves import COLORS
from utils.data_sets.wordpieces import CLS, MASK, SEP
from utils.visualization import cosines, new_figure

EXCERPT = 22  # tokens in the attention patterns
GUESSES = 4  # words shown for a hidden one


def attention_weights(level, input_ids, token_type_ids):
    """The weights (L, N, T, T) of every head for one text without padding (T,), from the level's own layers."""
    model, take, found = level.model, level.library, []
    with take.no_grad():
        ids, types = level.tensor(input_ids[None]), level.tensor(token_type_ids[None])
        h = model.embeddings(ids, types)  # (1, T, C)
        for layer in model.layers:
            q, k = (layer.attn.split_heads(project(h)) for project in (layer.attn.q_proj, layer.attn.k_proj))
            found.append(take.softmax(q @ k.transpose(2, 3) / math.sqrt(q.shape[3]), dim=-1).numpy()[0])  # (N, T, T)
            h = layer(h, ids[:, None, None, :] >= 0)
    return np.array(found)


def attention(level, data):
    """For each head of each layer a square over the test passage with the most words, cut in two: row t, dark where token t looks."""
    is_word = np.array([token.removeprefix("##").isalpha() for token in data.tokens])
    excerpts = data.test.x[:, : EXCERPT - 3]
    text = excerpts[is_word[excerpts].sum(axis=1).argmax()]  # (EXCERPT - 3,)
    cut = len(text) // 2
    input_ids = np.array([CLS, *text[:cut], SEP, *text[cut:], SEP])
    token_type_ids = (np.arange(len(input_ids)) > cut + 1).astype(np.int64)
    words = [data.tokens[i] for i in input_ids]
    weights = attention_weights(level, input_ids, token_type_ids)
    L, N, T, _ = weights.shape
    figure = new_figure(3.6 * N + 0.4, 3.7 * L + 0.5, "Where each head looks: row t, dark where token t looks")
    for (i, n), axes in zip(np.ndindex(L, N), figure.subplots(L, N, squeeze=False).flat):
        axes.imshow(weights[i, n] ** 0.5, cmap="Greys", vmin=0, vmax=1, interpolation="nearest")
        axes.set_title(f"layer {i}, head {n}", fontsize=9)
        axes.set_xticks(range(T), words, fontsize=6, rotation=90)
        axes.set_yticks(range(T), words, fontsize=6)
        axes.tick_params(length=0, pad=1)
        axes.grid(False)
    return figure


def guesses(level, text, places):
    """The probabilities (len(places), V) of what stood at places of a text (T,), each hidden alone."""
    found = []
    for place in places:
        hidden = np.array([CLS, *text, SEP])
        hidden[place + 1] = MASK
        inputs = (hidden[None], np.zeros_like(hidden[None]), np.ones_like(hidden[None]), np.array([[place + 1]]))
        level.train(False)
        with level.library.no_grad():
            logits = level.model.forward(*level.tensors(inputs))[0].numpy()[0, 0].astype(np.float64)  # (V,)
        probs = np.exp(logits - logits.max())
        found.append(probs / probs.sum())
    return np.array(found)


def masked_words(level, data):
    """Passages of the test set word by word with one word hidden, and the likeliest guesses for it; green where the first is right."""
    rng, rows, shown = np.random.default_rng(2), [], 7
    for row in rng.permutation(len(data.test.x)):
        text = data.test.x[row][:30]
        whole = [
            t
            for t in range(6, min(len(text), 26))
            if data.tokens[text[t]].isalpha()
            and not data.tokens[text[t + 1]].startswith("##")
            and len(data.tokens[text[t]]) > 3
        ]
        if (text > MASK).all() and whole:
            rows.append((text, int(rng.choice(whole))))
        if len(rows) == shown:
            break
    figure = new_figure(11, 0.72 * len(rows) + 0.6, "One word hidden, and what the model takes it for")
    for axes, (text, place) in zip(np.atleast_1d(figure.subplots(len(rows), 1)), rows):
        probs = guesses(level, text, [place])[0]
        best = np.argsort(-probs)[:GUESSES]
        axes.set_axis_off()
        left, right = (words_of(data, part) for part in (text[max(0, place - 9) : place], text[place + 1 : place + 9]))
        axes.text(0, 0.75, f"{left}  [MASK]  {right}", fontsize=9.5, transform=axes.transAxes, va="center")
        x = 0.02
        for i in best:
            right_one = i == text[place]
            axes.text(
                x, 0.25, f"{data.tokens[i]}  {100 * probs[i]:.0f} %", fontsize=9, transform=axes.transAxes, va="center",
                weight="bold" if right_one else "normal", color=COLORS[2] if right_one else "black",
                bbox=dict(boxstyle="round,pad=0.25", facecolor="white", edgecolor=COLORS[2] if right_one else "0.75"),
            )  # fmt: skip
            x += 0.16
        truth = f"it was: {data.tokens[text[place]]}, {100 * probs[text[place]]:.1f} %"
        axes.text(x + 0.02, 0.25, truth, fontsize=9, transform=axes.transAxes, va="center", style="italic")
    return figure


def words_of(data, ids):
    """Pieces as text, those of one word together."""
    return " ".join(data.tokens[i] for i in ids).replace(" ##", "")


def positions(level, data):
    """How alike the embeddings of two places are."""
    return cosines(
        "How alike two places' embeddings are", level.state()["embeddings.position_embeddings.weight"], "place"
    )


def neighbours(level, data):
    """For some words those whose embeddings point in the most similar direction."""
    E = level.state()["embeddings.word_embeddings.weight"]
    E = E / np.linalg.norm(E, axis=1, keepdims=True)
    index = {token: i for i, token in enumerate(data.tokens)}
    asked = [word for word in ASKED if word in index]
    figure = new_figure(9, 0.34 * len(asked) + 0.9, "Words with the most similar embeddings, and the cosine")
    axes = figure.subplots()
    axes.set_axis_off()
    for i, word in enumerate(asked):
        cosines = E @ E[index[word]]
        nearest = [j for j in np.argsort(-cosines) if j != index[word] and data.tokens[j].isalpha()][:5]
        y = 1 - (i + 0.5) / len(asked)
        axes.text(0, y, word, fontsize=10, weight="bold", va="center")
        for place, j in enumerate(nearest):
            axes.text(0.15 + 0.175 * place, y, f"{data.tokens[j]}  {cosines[j]:.2f}", fontsize=9, va="center")
    return figure


ASKED = (
    "good",
    "terrible",
    "actress",
    "funny",
    "boring",
    "two",
    "was",
    "because",
    "film",
    "she",
    "function",
    "class",
    "string",
)
DRAWINGS = {"attention": attention, "masked-words": masked_words, "positions": positions, "neighbours": neighbours}
# minutes on Python's help are enough to learn where a token stands, and not what it means
PICTURES = {"pydoc": {name: DRAWINGS[name] for name in ("attention", "positions")}, "imdb-pretrain": DRAWINGS}
