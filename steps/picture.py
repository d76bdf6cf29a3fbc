"""Pictures, for the steps that are about one: `python steps/step26.py --pictures` writes them into steps/pictures/."""

import sys
from pathlib import Path

FOLDER = Path(__file__).parent / "pictures"


def save(name, draw):
    """Call draw(path) where pictures are asked for; say how to ask otherwise."""
    if "--pictures" in sys.argv:
        FOLDER.mkdir(exist_ok=True)
        draw(FOLDER / name)
        print("drawn:", FOLDER / name)
    else:
        print(f"(--pictures draws {name})")


def plot(name, fill, size=(6, 4)):
    """A figure with one pair of axes, which fill(axes) draws on."""

    def draw(path):
        from matplotlib.figure import Figure

        figure = Figure(figsize=size, layout="constrained")
        fill(figure.subplots())
        figure.savefig(path, dpi=110)

    save(name, draw)
