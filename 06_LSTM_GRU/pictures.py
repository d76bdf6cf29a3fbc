"""What `dlfs pictures 06 RUN` draws of a trained network: waves that it carries on, and its gates over a review."""

from functools import partial

import numpy as np

from framework.curves import COLORS
from utils.training_utils import outputs_of
from utils.visualization import confusion_matrix, new_figure

from .study import training_batch


def forecasts(level, data):
    """Four test waves: 50 steps are read, then the network carries on for 100 steps with what it said itself."""
    x = data.test.x[:4]  # (B, T, 1)
    inputs, targets = training_batch(level.model.config, x, data.test.y[:4], None)
    _, (output, state) = level.predict(inputs, targets)
    said, step = [], output[:, -1:]  # (B, 1, 1)
    for _ in range(100):
        said.append(step[:, 0, 0])
        _, (step, state) = level.predict((step, np.ones(len(x), dtype=np.int64), state), (np.zeros_like(step),))
    figure = new_figure(9, 6, "Read for 50 steps, then carried on from its own output")
    for i, axes in enumerate(figure.subplots(4, 1, sharex=True)):
        axes.plot(range(50), x[i, :, 0], color=COLORS[-1], linewidth=1.5, label="read")
        axes.plot(range(50, 150), np.array(said)[:, i], color=COLORS[0], linewidth=3, label="carried on")
        axes.plot(
            range(50, 150),
            continuation(x[i, :, 0]),
            color=COLORS[-1],
            linewidth=1,
            linestyle=":",
            label="the sine that fits",
        )
        axes.set(ylim=(-1.2, 1.2))
    figure.axes[0].set_ylim(-1.2, 2)  # room for the legend above the wave
    figure.axes[0].legend(ncols=3, loc="upper right", fontsize=8)
    figure.axes[-1].set(xlabel="step")
    return figure


def continuation(wave):
    """The next 100 steps of the sine that fits a wave best: of all periods tried, the one whose least squares are least."""
    t, best = np.arange(150), None
    for period in np.linspace(9, 41, 1601):
        basis = np.stack([np.sin(2 * np.pi * t / period), np.cos(2 * np.pi * t / period)], axis=1)  # (150, 2)
        coefficients, residual, *_ = np.linalg.lstsq(basis[:50], wave)
        if best is None or residual[0] < best[0]:
            best = residual[0], basis[50:] @ coefficients
    return best[1]


SENTENCE = (
    "the first half is a clever and moving film , but the second half is dull and the ending is a terrible waste ."
)


def gates(level, data):
    """Over a sentence, word by word: the gates and the cell of the units that weigh most in the verdict, and the verdict so far."""
    config, index = level.model.config, {token: i for i, token in enumerate(data.tokens)}
    words = SENTENCE.split()
    x = np.array([[index.get(word, 1) for word in words]])
    level.predict(*training_batch(config, x, np.array([0]), None))
    _, saved, _ = level.model.rnn.cache["l0"]
    _, _, i, f, _, o, c = (np.concatenate([saved[t][k] for t in range(len(words))]) for k in range(7))  # (T, H) each
    h = o * np.tanh(c)
    weight = level.model.params["fc.weight"]
    praise = weight[1] - weight[0]  # (H,): what a unit's h adds to "good" over "bad"
    bias = level.model.params["fc.bias"]
    verdict = np.cumsum(h, axis=0) / np.arange(1, len(words) + 1)[:, None] @ praise + bias[1] - bias[0]
    units = np.argsort(-np.abs(praise) * h.std(axis=0))[:10]
    figure = new_figure(11, 10, "Gates of an LSTM over a sentence (the ten units that move the verdict most)")
    parts = [("input gate i", i, 0, 1), ("forget gate f", f, 0, 1), ("output gate o", o, 0, 1)]
    parts += [("cell c × its weight for praise", c * np.sign(praise), -2, 2)]
    panels = figure.subplots(5, 1, sharex=True, height_ratios=(2, 2, 2, 2, 1.4))
    for axes, (label, values, low, high) in zip(panels, parts):
        image = axes.imshow(
            values[:, units].T, cmap="Greys", vmin=low, vmax=high, aspect="auto", interpolation="nearest"
        )
        axes.set(ylabel="unit", title=label, yticks=range(len(units)), yticklabels=[str(u) for u in units])
        axes.tick_params(labelsize=7)
        axes.grid(False)
        figure.colorbar(image, ax=axes, pad=0.01)
    panels[-1].bar(range(len(words)), verdict, color=["white" if v < 0 else "0.3" for v in verdict], edgecolor="k")
    panels[-1].axhline(0, color="k", linewidth=0.8)
    panels[-1].set(title="verdict so far, log odds of praise: dark is praise, white is blame")
    panels[-1].set_xticks(range(len(words)), words, rotation=60, ha="right", fontsize=9)
    return figure


def verdicts(level, data):
    """The test reviews by what they are and what they are taken for."""
    taken = outputs_of(level, data.test, partial(training_batch, level.model.config)).argmax(axis=1)
    right = 100 * (taken == data.test.y).mean()
    return confusion_matrix(f"{right:.1f} % of the reviews are right", data.test.y, taken, ["blame", "praise"])


PICTURES = {
    "sine": {"forecasts": forecasts},
    "imdb": {"gates": gates, "confusion": verdicts},
}
