"""Pictures, in one style that stays readable in grey and to the colour-blind: lines differ in width and marker too."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .serialization import replacing

# Okabe & Ito's colours, which the colour-blind can tell apart, from the lightest in grey to the darkest.
COLORS = ("#E69F00", "#56B4E9", "#009E73", "#0072B2", "#000000")
MARKERS = ("s", "o", "^", "D", "x")
STYLE: Any = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "savefig.dpi": 150,
}

Line = tuple[Sequence[float], Sequence[float]]  # x and y


def plot_curves(path: Path, title: str, panels: Mapping[str, Mapping[str, Line]], xlabel: str = "epoch") -> None:
    """Write a PNG with a panel for each quantity, and in it a line for each name.

    Lines that lie on each other all stay visible: each is darker and thinner than the one below it, and their markers
    take turns, some fifteen a line. A panel covers at least a tenth of its largest value, so that what is nearly equal looks so.
    """
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(1 + 4.4 * len(panels), 3.8), layout="constrained")
        figure.suptitle(title)
        for axes, (quantity, lines) in zip(figure.subplots(1, len(panels), squeeze=False).flat, panels.items()):
            first_color = len(COLORS) - min(len(lines), len(COLORS))
            longest = max((len(x) for x, _ in lines.values()), default=0)
            # points from one line's marker to the next line's
            turn = max(1, round(longest / (15 * max(1, len(lines)))))
            for number, (name, (x, y)) in enumerate(lines.items()):
                below = len(lines) - 1 - number  # how many lines are still to come on top of this one
                axes.plot(
                    x,
                    y,
                    label=name,
                    color=COLORS[(first_color + number) % len(COLORS)],
                    linewidth=1.2 + 1.9 * below,
                    marker=MARKERS[number % len(MARKERS)],
                    markersize=5 + 1.3 * below,
                    markevery=(number * turn, len(lines) * turn) if len(x) > len(lines) else 1,
                )
            axes.set(xlabel=xlabel, ylabel=quantity)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            left, right = axes.get_xlim()
            if right - left < 1:  # a single point: room for whole numbers
                axes.set_xlim(left - 1, right + 1)
            low, high = axes.get_ylim()
            lacking = max(0, 0.1 * abs(high) - (high - low))
            axes.set_ylim(low - 0.8 * lacking, high + 0.2 * lacking)
        figure.axes[0].legend()
        with replacing(path) as temporary:
            figure.savefig(temporary, format="png")
