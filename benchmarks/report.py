"""What the recorded figures look like: tables for the terminal and for docs/02, and pictures."""

import json
import math
import os
import statistics
from pathlib import Path

from framework.graph import readable_bytes
from utils.errors import DLFSError
from utils.files import write_atomically
from utils.visualization import new_figure, save

from .accuracy import TRAININGS, summary
from .everything import BASE
from .peers import PEERS
from .scale import SCALES

PAGE = Path(__file__).resolve().parents[1] / "docs" / "02_NumPy_vs_PyTorch_Comparison.md"
BEGIN, END = "<!-- benchmarks -->\n", "<!-- /benchmarks -->"
TITLES = {
    "softmax": "softmax regression", "mlp": "MLP", "lenet": "LeNet-5", "cifar-cnn": "CIFAR-10 CNN", "lstm": "LSTM", "gru": "GRU",
    "vae": "VAE", "gpt": "GPT", "bert": "BERT", "vit": "ViT", "resnet20": "ResNet-20", "chain": "300 tiny ops",
}  # fmt: skip


def ratio(figures, kind="step"):
    """A side's time as a ratio to PyTorch eager's, or None."""
    return figures.get(kind, {}).get("ratio")


def cell(figures, kind="step"):
    """A ratio for a table, or the word that says why there is none."""
    value = ratio(figures, kind)
    if value is not None:
        return f"{value:.2f}" if value < 9.95 else f"{value:.0f}"
    why = figures.get("missing", "–")
    return why if len(why.split()) == 1 else "failed"


def geometric_mean(values):
    values = list(values)
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


def sides_of(results):
    """The sides that a run has figures of, in their usual order."""
    measured = {side for figures in results["workloads"].values() for side, row in figures.items() if "step" in row}
    return [side for side in PEERS if side in measured]


def step_rows(results):
    """The head, and a row for every workload: the step of every side as a ratio to PyTorch eager's, and PyTorch's milliseconds."""
    sides = [side for side in sides_of(results) if side != BASE]
    head = ["workload", f"{PEERS[BASE].title}, ms", *(PEERS[side].title for side in sides)]
    rows = []
    for name, figures in results["workloads"].items():
        base = figures.get(BASE, {}).get("step")
        rows.append(
            [TITLES.get(name, name), f"{base['median_ms']:.2f}" if base else "–"]
            + [cell(figures.get(side, {"missing": "–"})) for side in sides]
        )
    means = [
        geometric_mean(
            ratio(figures[side]) for name, figures in results["workloads"].items()
            if name != "chain" and side in figures and ratio(figures[side])
        )
        for side in sides
    ]  # fmt: skip
    rows.append(["geometric mean of the models", "", *("–" if mean is None else f"{mean:.2f}" for mean in means)])
    if "imports" in results:
        seconds = results["imports"]
        times = [f"{seconds[side]:.2f} s" if seconds.get(side) else "–" for side in (BASE, *sides)]
        rows.append(["import", *times])
    return head, rows


def engine_rows(results):
    """The head, and a row for every workload: the engine's forward, backward and step, with their spread, and memory beside PyTorch's."""
    head = ["workload", "forward", "backward", "step", "middle half of rounds", "memory", "PyTorch's memory", "ratio"]
    rows = []
    for name, figures in results["workloads"].items():
        engine, base = figures.get("engine", {}), figures.get(BASE, {})
        if "step" not in engine or "step" not in base:
            continue
        backward = [
            side["gradients"]["median_ms"] - side["forward"]["median_ms"] if "gradients" in side else None
            for side in (engine, base)
        ]
        memory = [
            side.get("tensors") if name != "chain" else None for side in (engine, base)
        ]  # of tiny ops it is Python's
        rows.append(
            [TITLES.get(name, name), cell(engine, "forward")]
            + [f"{backward[0] / backward[1]:.2f}" if all(backward) else "–", cell(engine)]
            + [f"{engine['step']['low']:.2f} – {engine['step']['high']:.2f}"]
            + [readable_bytes(size) if size else "–" for size in memory]
            + [f"{memory[0] / memory[1]:.2f}" if all(memory) else "–"]
        )
    return head, rows


def memory_rows(results):
    """The head, and a row for every workload: the most bytes of tensors alive in a step, of every side that counts them."""
    sides = [
        side for side in sides_of(results)
        if any(figures.get(side, {}).get("tensors") for figures in results["workloads"].values())
    ]  # fmt: skip
    rows = []
    for name, figures in results["workloads"].items():
        if name == "chain":
            continue
        sizes = [figures.get(side, {}).get("tensors") for side in sides]
        rows.append([TITLES.get(name, name), *(f"{size / 2**20:.1f}" if size else "–" for size in sizes)])
    return ["MiB", *(PEERS[side].title for side in sides)], rows


def scale_tables(results):
    """(title, head, rows) for everything that grows, with the engine's memory where the depth does, and for loading."""
    for name, rows in results["scale"].items():
        lines = []
        for row in rows:
            times = [row[side]["step"]["median_ms"] for side in ("engine", BASE)]
            bytes_ = [row[side]["tensors"] for side in ("engine", BASE)]
            lines.append(
                [str(row["size"]), *(f"{time:.2f}" for time in times), f"{times[0] / times[1]:.2f}"]
                + [f"{size / 2**20:.1f}" for size in bytes_] + [f"{bytes_[0] / bytes_[1]:.2f}"]
            )  # fmt: skip
        yield (
            SCALES[name][0],
            ["size", "engine, ms", "PyTorch, ms", "ratio", "engine, MiB", "PyTorch, MiB", "ratio"],
            lines,
        )
    if "loading" in results:
        lines = [
            [
                str(row["workers"]),
                *(f"{row[side]:,.0f}" for side in ("engine", BASE)),
                f"{row['engine'] / row[BASE]:.1f}",
            ]
            for row in results["loading"]
        ]
        yield (
            "Images loaded in a second: crop, flip, normalise",
            ["workers", "engine", "PyTorch", "engine / PyTorch"],
            lines,
        )


def accuracy_rows(results):
    """The head, and a row for every training and side: over the seeds, the accuracy and the seconds."""
    head = ["training", "side", "test accuracy, %", "epochs", "ms an epoch", "goal, %", "seconds to the goal"]
    rows = []
    for name, runs in results["trainings"].items():
        goal = TRAININGS[name][-1]
        for side, figures in summary(runs, goal).items():
            to_goal = [seconds for seconds in figures["seconds_to_goal"] if seconds is not None]
            reached = len(to_goal) == len(figures["seconds_to_goal"])
            rows.append(
                [
                    TITLES[name],
                    PEERS[side].title,
                    spread([100 * a for a in figures["accuracy"]], 1),
                    str(len(runs[side][0])),
                ]
                + [spread([1e3 * seconds for seconds in figures["epoch_seconds"]], 0), f"{100 * goal:.0f}"]
                + [spread(to_goal, 2) if reached else f"reached by {len(to_goal)} seeds"]
            )
    return head, rows


def spread(values, digits):
    """The mean, and from where to where the seeds lie."""
    mean, low, high = (f"{value:.{digits}f}" for value in (statistics.mean(values), min(values), max(values)))
    return mean if low == high else f"{mean} ({low} – {high})"


def failures(results):
    """(side, why) for the sides that do not take part in a workload for a reason of more than a word."""
    for name, figures in results["workloads"].items():
        for side, row in figures.items():
            if len(row.get("missing", "").split()) > 1:
                yield f"{PEERS[side].title} on {TITLES.get(name, name)}", row["missing"]


def markdown(head, rows):
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def rich_table(title, head, rows):
    from rich.table import Table

    table = Table(title=title)
    for number, heading in enumerate(head):
        table.add_column(heading, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    return table


def about(results):
    """Machine, threads and versions in one line."""
    versions = ", ".join(f"{PEERS[side].title} {version}" for side, version in results["versions"].items())
    return f"{results['machine']}; {results['threads']} threads. {versions}"


def write_page(parts, page=PAGE):
    """Put generated Markdown between the page's marks."""
    text = page.read_text(encoding="utf-8")
    try:
        before, rest = text.split(BEGIN)
        _, after = rest.split(END)
    except ValueError:
        raise DLFSError(f"{page} needs the lines {BEGIN.strip()} and {END} once each") from None
    write_atomically(page, before + BEGIN + "\n" + "\n".join(parts) + "\n" + END + after)


def write_docs(folder, page=PAGE):
    """Make the page's tables and the pictures anew from the runs recorded in the folder."""
    parts = []
    for name in ("everything", "everything-gpu"):
        if not (folder / f"{name}.json").exists():
            continue
        results = json.loads((folder / f"{name}.json").read_text())
        save(folder / f"{name}.png", lambda results=results: picture(results))
        parts += ["### On a GPU\n"] if name.endswith("gpu") else []
        parts += [
            f"*{about(results)}.* A training step as a ratio to PyTorch eager's; below 1 is faster.\n",
            markdown(*step_rows(results)),
            f"![Every side's step as a ratio to PyTorch's]({link(folder / f'{name}.png', page)})\n",
            "The engine alone, its forward, backward and step as ratios to PyTorch eager's, and the most bytes of tensors that a step keeps alive:\n",
            markdown(*engine_rows(results)),
            "The same bytes in MiB, of every side that counts them:\n",
            markdown(*memory_rows(results)),
        ]  # fmt: skip
    for name, tables, draw, what in (
        ("scale", scale_tables, scale_picture, "How time, memory and loading grow"),
        ("accuracy", lambda results: [("", *accuracy_rows(results))], accuracy_picture, "Test accuracy against seconds of training"),
    ):  # fmt: skip
        if (folder / f"{name}.json").exists():
            results = json.loads((folder / f"{name}.json").read_text())
            image = folder / f"{name}.png"
            save(image, lambda draw=draw, results=results: draw(results))
            parts.append(f"### {what}\n\n*{about(results)}.*\n\n![{what}]({link(image, page)})\n")
            parts += [
                f"{title}:\n\n{markdown(head, rows)}" if title else markdown(head, rows)
                for title, head, rows in tables(results)
            ]
    write_page(parts, page)


def link(path, page):
    return os.path.relpath(path, page.parent)


# ------------------------------------------------------------------------------------------------------ Pictures

# Sides differ in shape and darkness: what matters is black, the others are lighter.
MARKS = {
    "engine": ("D", "#000000"), "numba": ("D", "#777777"), "by hand": ("d", "#000000"), "pytorch": ("|", "#000000"), "compiled": ("*", "#0072B2"),
    "jax": ("P", "#0072B2"), "tensorflow": ("X", "#009E73"), "tinygrad": ("h", "#009E73"), "dezero": ("o", "#E69F00"),
    "chainer": ("s", "#E69F00"), "autograd": ("^", "#D55E00"), "mygrad": ("v", "#D55E00"),
}  # fmt: skip


def picture(results):
    """A Figure with a row for every workload, and on it every side's step as a ratio to PyTorch eager's."""
    names = list(results["workloads"])
    figure = new_figure(
        9.5, 1.6 + 0.42 * len(names), "A training step as a ratio to PyTorch eager's; further left is faster"
    )
    axes = figure.subplots()
    axes.axvline(1, color="#000000", linewidth=1.2)
    for side in (side for side in sides_of(results) if side != BASE):
        marker, color = MARKS[side]
        points = [
            (ratio(figures[side]), -row) for row, figures in enumerate(results["workloads"].values())
            if side in figures and ratio(figures[side])
        ]  # fmt: skip
        axes.scatter(
            [x for x, _ in points], [y for _, y in points], marker=marker, color=color, s=70 if side == "engine" else 42, label=PEERS[side].title,
            zorder=4 if side == "engine" else 3, facecolors=color if side in ("engine", "numba", "compiled", "jax") else "none",
        )  # fmt: skip
    axes.set_xscale("log")
    ticks = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200)
    low, high = axes.get_xlim()
    ticks = [tick for tick in ticks if low <= tick <= high]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_yticks([-row for row in range(len(names))], [TITLES.get(name, name) for name in names])
    figure.legend(loc="outside right upper")
    return figure


LINES = {"engine": ("#000000", "D", 1.8), BASE: ("#E69F00", "s", 3.6), "tensorflow": ("#009E73", "^", 2.6)}


def draw_line(axes, side, x, y):
    color, marker, width = LINES[side]
    axes.plot(x, y, color=color, marker=marker, linewidth=width, markersize=4 + width, label=PEERS[side].title)


def scale_picture(results):
    """A Figure with a panel for everything that grows, one for memory against depth, and one for loading."""
    from matplotlib.ticker import LogLocator

    panels = [(SCALES[name][0], "ms a step", rows, "step") for name, rows in results["scale"].items()]
    if "depth" in results["scale"]:
        panels.append((SCALES["depth"][0], "MiB of tensors in a step", results["scale"]["depth"], "tensors"))
    count = len(panels) + ("loading" in results)
    figure = new_figure(
        12, 3.4 * -(-count // 3), "How the engine and PyTorch eager grow; times and memory on logarithmic axes"
    )
    grid = list(figure.subplots(-(-count // 3), min(count, 3), squeeze=False).flat)
    for axes, (title, what, rows, key) in zip(grid, panels):
        sizes = [row["size"] for row in rows]
        for side in (BASE, "engine"):
            values = [row[side]["step"]["median_ms"] if key == "step" else row[side]["tensors"] / 2**20 for row in rows]
            draw_line(axes, side, sizes, values)
        axes.set(xscale="log", yscale="log", xlabel=title, ylabel=what)
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.minorticks_off()
    if "loading" in results:
        axes = grid[len(panels)]
        for side in (BASE, "engine"):
            draw_line(
                axes, side, [row["workers"] for row in results["loading"]], [row[side] for row in results["loading"]]
            )
        axes.set(xlabel="workers that load", ylabel="images a second", ylim=(0, None))
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.set_xticks([row["workers"] for row in results["loading"]])
    for axes in grid[count:]:
        axes.set_visible(False)
    grid[0].legend()
    return figure


def accuracy_picture(results):
    """A Figure with a panel for every training: each seed's test accuracy against the seconds of training."""
    figure = new_figure(
        1 + 4 * len(results["trainings"]), 3.8, "Test accuracy against seconds of training, every seed a line"
    )
    grid = figure.subplots(1, len(results["trainings"]), squeeze=False).flat
    for axes, (name, runs) in zip(grid, results["trainings"].items()):
        for side, seeds in runs.items():
            color, marker, width = LINES[side]
            for seed, rows in enumerate(seeds):
                axes.plot(
                    [row["seconds"] for row in rows], [100 * row["accuracy"] for row in rows], color=color, linewidth=width / 1.6,
                    marker=marker, markersize=3.5, markevery=(seed, 4), label=None if seed else PEERS[side].title,
                )  # fmt: skip
        axes.axhline(100 * TRAININGS[name][-1], color="#888888", linewidth=0.8, linestyle="--")
        axes.set(title=TITLES[name], xlabel="seconds", ylabel="test accuracy, %")
    axes.legend(loc="lower right")
    return figure
