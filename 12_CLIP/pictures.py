"""What `dlfs pictures 12 RUN` draws of a trained CLIP: who is like whom, what it says of images, and what it finds for texts."""

import numpy as np

from utils.visualization import GREY, as_pixels, new_figure

from .prompts import prompts
from .scores import encode_images, encode_texts, ensemble, similarities

SHOWN = 8  # images in the examples


def matrix_panel(figure, values, rows, columns, ylabel, xlabel):
    """A square for each number, dark where it is high, with the number in it where there is room."""
    axes = figure.subplots()
    drawn = axes.imshow(values, cmap=GREY + "_r", interpolation="nearest")
    axes.grid(False)
    axes.set(ylabel=ylabel, xlabel=xlabel)
    axes.set_xticks(range(len(columns)), columns, rotation=40, ha="right")
    axes.set_yticks(range(len(rows)), rows)
    middle = (values.min() + values.max()) / 2
    if values.size <= 100:
        for (i, j), value in np.ndenumerate(values):
            axes.text(
                j, i, f"{value:.2f}", ha="center", va="center", fontsize=7, color="white" if value > middle else "black"
            )
    figure.colorbar(drawn, ax=axes, label="mean cosine" if values.size <= 100 else "cosine")


def class_similarity(level, data):
    """The mean cosine of the test images of each class with the ensemble of each class's prompts."""
    names = prompts(data.name).classes
    cosines = encode_images(level, data.test.x) @ ensemble(encode_texts(level, prompts(data.name).tokens)).T  # (N, K)
    values = np.stack([cosines[data.test.y == k].mean(axis=0) for k in range(len(names))])
    figure = new_figure(6.4, 5.6, "Images of each class beside the prompts of each class")
    matrix_panel(figure, values, names, names, "images of", "prompts with")
    return figure


def zero_shot_examples(level, data):
    """Some test images, half of them misread if there are so many, and the three classes that the ensemble finds most probable."""
    names, x, y = prompts(data.name).classes, data.test.x, data.test.y
    weights = ensemble(encode_texts(level, prompts(data.name).tokens))
    logits = float(np.exp(level.state()["logit_scale"])) * encode_images(level, x) @ weights.T  # (N, K)
    right = logits.argmax(axis=1) == y
    wrong = np.flatnonzero(~right)[: SHOWN // 2]
    shown = [*np.flatnonzero(right)[: SHOWN - len(wrong)], *wrong]
    probs = np.exp(logits[shown] - logits[shown].max(axis=1, keepdims=True))
    probs /= probs.sum(axis=1, keepdims=True)
    figure = new_figure(8.4, 5.2, "Zero-shot: the three most probable classes, the right one black")
    for part, image, row, label in zip(figure.subfigures(SHOWN // 2, 2).ravel(), x[shown], probs, y[shown]):
        left, right = part.subplots(1, 2, width_ratios=(1, 2.2))
        left.imshow(as_pixels(image), cmap=GREY, interpolation="nearest")
        left.grid(False)
        left.set(xticks=[], yticks=[])
        left.spines[:].set_visible(False)
        best = row.argsort()[::-1][:3]
        right.barh(range(3), row[best], color=["black" if k == label else "0.75" for k in best])
        right.set_yticks(range(3), [names[k] for k in best])
        right.set(xlim=(0, 1), xticks=(0, 0.5, 1))
        right.invert_yaxis()
        right.grid(False)
    return figure


def caption_similarity(level, data, N=24):
    """The cosines of some test photographs with the first caption of each: the diagonal belongs together."""
    images, texts = encode_images(level, data.test.x[:N]), encode_texts(level, data.test.y[:N, 0])
    figure = new_figure(5.6, 4.8, "Photographs and captions never seen: the diagonal are the pairs")
    ticks = [str(i + 1) if i % 4 == 3 else "" for i in range(N)]
    matrix_panel(figure, images @ texts.T, ticks, ticks, "photograph", "caption")
    return figure


def retrieval(level, data, queries=5, found=5):
    """For some test captions the photographs that are nearest; the caption's own has a frame."""
    similarity, _ = similarities(level, data)  # (N, N K)
    K, chosen = data.test.y.shape[1], range(0, len(data.test.x), len(data.test.x) // queries)[:queries]
    figure = new_figure(7.6, 1.75 * queries, "Test captions, and the photographs nearest to each; its own has a frame")
    for part, i in zip(figure.subfigures(queries, 1), chosen):
        tokens = data.test.y[i, 0]
        part.suptitle(data.tokenizer.decode(tokens[: tokens.argmax() + 1]), fontsize=8)
        order = similarity[:, i * K].argsort()[::-1]
        for axes, j in zip(part.subplots(1, found), order):
            axes.imshow(as_pixels(data.test.x[j]), interpolation="nearest")
            axes.grid(False)
            axes.set(xticks=[], yticks=[])
            for spine in axes.spines.values():
                spine.set(visible=j == i, linewidth=3)
    return figure


LABELLED = {"similarity": class_similarity, "zero-shot": zero_shot_examples}
CAPTIONED = {"similarity": caption_similarity, "retrieval": retrieval}
PICTURES = {
    "digits": LABELLED, "cifar10": LABELLED, "cifar10-vit": LABELLED, "flickr8k": CAPTIONED, "flickr8k-gpu": CAPTIONED
}  # fmt: skip
