"""What `dlfs pictures 07 RUN` draws: what a trained decoder looks at in the source, the positions' waves, and the learning rate."""

import numpy as np

from framework.curves import COLORS
from utils.visualization import new_figure

from .study import BASE, EOS, noam, training_batch

SENTENCES = {
    "dates": ("Thursday, 4 July 1996", "3. XI. 2021", "02/29/56"),
    "multi30k": (
        "Ein kleiner Junge mit einem roten Hut spielt am Strand.",
        "Zwei Hunde rennen durch den tiefen Schnee.",
    ),
}


def attention_weights(level, data, sentence):
    """A sentence, its greedy translation, both as tokens in words, and who looked at whom: N arrays (h, T, S)."""
    x = np.array([data.encode(sentence)])  # (1, S)
    said = level.model.greedy(level.tensor(x))[0]
    y = np.array([[*said, EOS]])  # (1, T)
    seen = []
    hooks = [
        layer.cross_attn.register_forward_hook(lambda module, inputs, output: seen.append(output[1].numpy()[0]))
        for layer in level.model.decoder
    ]
    (src, tgt), _ = training_batch(level.model.config, x, y, None)
    with level.library.no_grad():
        level.model.forward(level.tensor(src), level.tensor(tgt))
    for hook in hooks:
        hook.remove()
    return [[words(data, token) for token in tokens] for tokens in (x[0], y[0])], seen


def words(data, token):
    return "</s>" if token == EOS else data.decode([token]).strip(" ") or "␣"


def attention(name):
    def draw(level, data):
        """The last layer's cross-attention over some sentences, its heads averaged; below, each head of the first sentence."""
        found = [attention_weights(level, data, sentence) for sentence in SENTENCES[name]]
        heads = found[0][1][-1]  # (h, T, S)
        columns = max(len(found), len(heads))
        figure = new_figure(
            3.6 * columns, 8, "Where the decoder looks for each token that it writes (rows) in the source (columns)"
        )
        above, below = figure.subfigures(2, 1, hspace=0.03)
        for axes, ((source, target), weights) in zip(above.subplots(1, len(found), squeeze=False)[0], found):
            matrix(axes, weights[-1].mean(axis=0), source, target)
        above.supxlabel("last layer, mean of the heads", fontsize=10)
        for i, axes in enumerate(below.subplots(1, len(heads))):
            matrix(axes, heads[i], *found[0][0], title=f"head {i + 1}")
        below.supxlabel("last layer, each head", fontsize=10)
        return figure

    return draw


def matrix(axes, weights, source, target, title=""):
    """Weights (T, S) as darkness, white 0 and black 1."""
    axes.imshow(weights, cmap="Greys", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    long = max(map(len, source)) > 2
    axes.set_xticks(
        range(len(source)), source, rotation=60 if long else 0, ha="right" if long else "center", fontsize=8
    )
    axes.set_yticks(range(len(target)), target, fontsize=8)
    axes.set_title(title, fontsize=9)
    axes.grid(False)


def positions(level, data):
    """The sinusoids of the paper's d = 512 over 100 places; and how alike two places are by them, by their distance."""
    d, T = BASE.d_model, 100
    angles = np.arange(T)[:, None] / 10_000 ** (np.arange(0, d, 2) / d)  # (T, d/2)
    waves = np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(T, d)
    figure = new_figure(11, 4.2, "Positions of the paper's Transformer, d = 512")
    left, right = figure.subplots(1, 2, width_ratios=(1.4, 1))
    image = left.imshow(waves.T[:128], cmap="gray", vmin=-1, vmax=1, aspect="auto", interpolation="nearest")
    left.set(xlabel="place t", ylabel="number i of 512 (the first 128)", title="sin and cos take turns")
    left.grid(False)
    figure.colorbar(image, ax=left, pad=0.01)
    for place, color, width in ((20, COLORS[1], 4), (50, COLORS[3], 2.5), (80, COLORS[4], 1)):
        likeness = waves @ waves[place] / (d / 2)
        right.plot(np.arange(T) - place, likeness, color=color, linewidth=width, label=f"t = {place}")
    right.set(xlabel="distance k", ylabel="PE(t) · PE(t + k) / (d/2)", title="how alike: a matter of distance alone")
    right.legend()
    return figure


def schedule(level, data):
    """The learning rate of equation 31: the paper's, and with another width and another warm-up."""
    steps = np.arange(1, 30_001, 50)
    figure = new_figure(7, 4, "The learning rate of the paper, eq. 31")
    axes = figure.subplots()
    settings = ((512, 4000, COLORS[4], 3), (512, 8000, COLORS[3], 1.5), (256, 4000, COLORS[1], 1.5))
    for (d, warmup, color, width), style in zip(settings, ("-", "--", "-.")):
        rate = noam(d, warmup)
        rates = [rate(step - 1, len(steps)) for step in steps]
        axes.plot(steps, rates, color=color, linewidth=width, linestyle=style, label=f"d = {d}, warm-up {warmup}")
    axes.set(xlabel="step", ylabel="learning rate", ylim=(0, None))
    axes.legend()
    return figure


PICTURES = {
    "dates": {"attention": attention("dates"), "positions": positions, "schedule": schedule},
    "multi30k": {"attention": attention("multi30k")},
}
