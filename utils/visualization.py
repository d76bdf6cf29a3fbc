"""Pictures, in the one style of framework.curves: readable in grey and to the colour-blind.

A function here returns a matplotlib Figure, or draws into a panel of one that it is given (`axes`); `save` draws it in the style and writes the PNG.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from framework.curves import COLORS, MARKERS, STYLE, Line, plot_curves
from framework.serialization import replacing

__all__ = [
    "as_pixels",
    "by_layer",
    "confusion_matrix",
    "cosines",
    "decision_boundary",
    "image_rows",
    "image_sheet",
    "lines",
    "plot_curves",
    "save",
    "scatter_by_class",
]

GREY = "gray"  # darkness is the one thing that every printer and every eye has


def save(path: Path, draw: Callable[[], Any]) -> None:
    """Write the Figure that draw() returns as a PNG, whole or not at all."""
    import matplotlib

    path.parent.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(STYLE):
        figure = draw()
        with replacing(path) as temporary:
            figure.savefig(temporary, format="png")


def new_figure(width: float, height: float, title: str) -> Any:
    """An empty Figure of so many inches; its parts find their places by themselves."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(title)
    return figure


def as_pixels(image: np.ndarray) -> np.ndarray:
    """An image (C, H, W) as pictures take it: (H, W) in grey, or (H, W, 3)."""
    return image[0] if len(image) == 1 else image.transpose(1, 2, 0)


def image_rows(
    title: str,
    rows: Sequence[tuple[str, Sequence[np.ndarray | None]]],
    captions: Sequence[Sequence[str]] | None = None,
    signed: bool = False,
) -> Any:
    """A Figure with a labelled row of small images for each (label, images); captions stand above the images.

    An image is (H, W) in grey or (H, W, 3) in [0, 1]; None leaves a gap. A grey row shares one scale, black its lowest value,
    white its highest; signed: the scale is as wide on both sides of 0, which is the middle grey.
    """
    columns = max(len(images) for _, images in rows)
    figure = new_figure(1.2 + 0.85 * columns, 0.5 + (1.1 if captions else 0.9) * len(rows), title)
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for r, (label, images) in enumerate(rows):
        drawn = [image for image in images if image is not None]
        low, high = min(map(np.min, drawn)), max(map(np.max, drawn))
        if signed:
            low, high = -max(-low, high), max(-low, high)
        for c, axes in enumerate(grid[r]):
            axes.set(xticks=[], yticks=[])
            axes.grid(False)
            axes.spines[:].set_visible(False)
            image = images[c] if c < len(images) else None
            if image is not None:
                axes.imshow(image, cmap=GREY, vmin=low, vmax=high, interpolation="nearest")
                if captions:
                    axes.set_title(captions[r][c], fontsize=8)
        grid[r][0].set_ylabel(label, rotation=0, ha="right", va="center")
    return figure


def by_layer(
    title: str, lines: Mapping[str, Sequence[float]], ylabel: str, xlabel: str = "layer", log: bool = False
) -> Any:
    """A Figure with one figure for each layer, from the input to the output; a line for each name, such as gradients' norms.

    log: on a logarithmic scale, on which what grows by a factor a layer is straight.
    """
    figure = new_figure(8, 4.5, title)
    axes = figure.subplots()
    for number, (name, values) in enumerate(lines.items()):
        axes.plot(
            range(1, len(values) + 1),
            values,
            label=name,
            color=COLORS[-1 - number % len(COLORS)],
            linestyle=("-", "--", "-.", ":")[number % 4],
            marker=MARKERS[number % len(MARKERS)],
            markersize=5,
        )
    axes.set(xlabel=xlabel, ylabel=ylabel, yscale="log" if log else "linear")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend()
    return figure


def image_sheet(title: str, images: np.ndarray, gap: int = 0, size: float = 7.0) -> Any:
    """A Figure of images (rows, columns, H, W), each in [0, 1], edge to edge on one sheet, or `gap` pixels apart. 1 is black: ink."""
    rows, columns, height, width = images.shape
    padded = np.pad(images, ((0, 0), (0, 0), (0, gap), (0, gap)))
    sheet = padded.transpose(0, 2, 1, 3).reshape(rows * (height + gap), columns * (width + gap))
    figure = new_figure(size, 0.5 + size * sheet.shape[0] / sheet.shape[1], title)
    axes = figure.subplots()
    axes.imshow(sheet, cmap="Greys", vmin=0, vmax=1, interpolation="nearest")
    axes.set_axis_off()
    return figure


def scatter_by_class(title: str, points: np.ndarray, classes: np.ndarray, names: Sequence[str]) -> Any:
    """A Figure with a panel for each class: its points (N, 2) in black, all others in grey behind them."""
    columns = min(len(names), 5)
    rows = -(-len(names) // columns)
    figure = new_figure(2.2 * columns, 0.5 + 2.2 * rows, title)
    for index, axes in enumerate(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat):
        if index >= len(names):
            axes.set_axis_off()
            continue
        axes.scatter(*points.T, s=2, color="0.85", linewidths=0)
        axes.scatter(*points[classes == index].T, s=4, color="k", linewidths=0)
        axes.set_title(names[index])
    return figure


def cosines(title: str, vectors: np.ndarray, label: str) -> Any:
    """A Figure of the cosine of the angle between any two of the vectors (N, C); label says what a vector belongs to."""
    directions = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    figure = new_figure(4.6, 4, title)
    axes = figure.subplots()
    image = axes.imshow(directions @ directions.T, cmap=GREY + "_r", vmin=-1, vmax=1, interpolation="nearest")
    axes.set(xlabel=label, ylabel=label)
    axes.grid(False)
    figure.colorbar(image, ax=axes, label="cosine")
    return figure


def confusion_matrix(title: str, targets: np.ndarray, predictions: np.ndarray, names: Sequence[str]) -> Any:
    """A Figure that counts, for each true class (row), what it was taken for (column).

    Darkness shows the mistakes alone, which the many right answers would drown.
    """
    counts = np.zeros((len(names), len(names)), dtype=int)
    np.add.at(counts, (targets, predictions), 1)
    mistakes = counts * (1 - np.eye(len(names), dtype=int))
    size = 2.2 + 0.5 * len(names)
    figure = new_figure(size, size, title)
    axes = figure.subplots()
    axes.imshow(mistakes, cmap="Greys", vmin=0, vmax=max(1, mistakes.max()) * 1.3)
    for (true, predicted), count in np.ndenumerate(counts):
        if count:
            dark = mistakes[true, predicted] > 0.65 * mistakes.max()
            weight = "bold" if true == predicted else "normal"
            axes.text(predicted, true, count, ha="center", va="center", fontsize=8, weight=weight, color="w" if dark else "k")  # fmt: skip
    ticks = range(len(names))
    axes.set(xlabel="taken for", ylabel="true class")
    axes.set_xticks(ticks, names, rotation=45 if max(map(len, names)) > 2 else 0, ha="center")
    axes.set_yticks(ticks, names)
    axes.grid(False)
    return figure


def lines(
    axes: Any, curves: Mapping[str, Line], xlabel: str, ylabel: str, xscale: str = "linear", yscale: str = "linear"
) -> None:
    """Draw a line for each name into a panel, each with its name at its right end, where none covers another."""
    axes.set(xlabel=xlabel, ylabel=ylabel, xscale=xscale, yscale=yscale)
    for number, (x, y) in enumerate(curves.values()):
        axes.plot(x, y, color=COLORS[number % len(COLORS)], linestyle=DASHES[number // len(COLORS) % len(DASHES)])
    axes.autoscale_view()  # else the panel's limits are set when it is drawn, and not known here
    height = axes.bbox.height * 72 / axes.figure.dpi  # in points, as far as it is known before the layout
    ends = axes.transData.transform([(x[-1], y[-1]) for x, y in curves.values()])
    places = axes.transAxes.inverted().transform(ends)[:, 1]  # 0 is the panel's lower edge, 1 its upper
    gap = 11 / height  # a line of text of 8 points, and some air
    for previous, this in zip(order := np.argsort(places), order[1:]):
        places[this] = max(places[this], places[previous] + gap)
    places -= max(0, places.max() - 1)
    for previous, this in zip(order := np.argsort(-places), order[1:]):
        places[this] = min(places[this], places[previous] - gap)
    for number, (name, (x, y)) in enumerate(curves.items()):
        axes.annotate(
            name, (x[-1], y[-1]), (1.04, places[number]), textcoords="axes fraction", va="center", fontsize=8,
            arrowprops=dict(arrowstyle="-", color=COLORS[number % len(COLORS)], linewidth=0.7, shrinkA=1, shrinkB=0),
        )  # fmt: skip


DASHES = ("-", (0, (5, 2)), (0, (1, 1)))


def decision_boundary(
    axes: Any, scores: Callable[[np.ndarray], np.ndarray], x: np.ndarray, y: np.ndarray, names: Sequence[str]
) -> None:
    """Draw points x (N, 2) of classes y (N,) into a panel, and in grey how sure a model is of the class it takes a place for.

    scores: points (M, 2) -> probabilities of the classes (M, K). White is where no class is likelier than another.
    """
    margin = 0.05 * np.ptp(x, axis=0)
    (left, bottom), (right, top) = x.min(axis=0) - margin, x.max(axis=0) + margin
    grid = np.meshgrid(np.linspace(left, right, 300), np.linspace(bottom, top, 300))
    p = scores(np.stack([axis.ravel() for axis in grid], axis=1)).reshape(300, 300, -1)  # (300, 300, K)
    greys = [str(1 - 0.05 * step) for step in range(10)]
    shade = axes.contourf(*grid, p.max(axis=2), levels=np.linspace(1 / p.shape[2], 1, 11), colors=greys)
    for k in range(p.shape[2]):
        ahead = p[..., k] - np.delete(p, k, axis=2).max(axis=2)
        axes.contour(*grid, ahead, levels=[0], colors="k", linewidths=1.5)
        axes.scatter(
            *x[y == k].T, marker=MARKERS[k % len(MARKERS)], s=22, label=names[k],
            facecolor=COLORS[(2 * k) % len(COLORS)], edgecolor="white", linewidth=0.6,
        )  # fmt: skip
    axes.figure.colorbar(shade, ax=axes, label="probability of the likeliest class")
    axes.grid(False)
    axes.legend(frameon=True)
