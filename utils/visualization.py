"""Pictures, in one style that stays readable in grey and to the colour-blind: lines differ in stroke and marker too."""

import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from utils.files import write_atomically

# Okabe & Ito's colours, which the colour-blind can tell apart, in an order of growing lightness in grey.
STROKES = [
    {"color": "#000000", "linestyle": "-", "marker": "o"},
    {"color": "#0072B2", "linestyle": "--", "marker": "s"},
    {"color": "#D55E00", "linestyle": ":", "marker": "^"},
    {"color": "#009E73", "linestyle": "-.", "marker": "D"},
    {"color": "#CC79A7", "linestyle": (0, (5, 1, 1, 1, 1, 1)), "marker": "v"},
    {"color": "#E69F00", "linestyle": (0, (1, 3)), "marker": "P"},
]
STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "figure.dpi": 100,
    "savefig.dpi": 150,
}


def plot_curves(path: Path, title: str, panels: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[float]]]]) -> None:
    """Write a PNG: a panel for each quantity, in it a line (epochs, values) for each name.

    Lines that lie on each other all stay visible: each is drawn thinner than the one below it.
    """
    import matplotlib

    with matplotlib.rc_context(STYLE):
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator

        figure = Figure(figsize=(4.8 * len(panels), 3.6), layout="constrained")
        figure.suptitle(title, fontsize=11)
        for axes, (quantity, lines) in zip(as_list(figure.subplots(1, len(panels))), panels.items()):
            for number, (name, (x, y)) in enumerate(lines.items()):
                width = 1.4 + 1.8 * (len(lines) - 1 - number)
                axes.plot(x, y, label=name, linewidth=width, markersize=3 + width, zorder=2 + number, **stroke(number, len(lines)))
            axes.set(xlabel="epoch", ylabel=quantity)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.legend()
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
    write_atomically(path, buffer.getvalue())
