"""Recorded runs: JSON files in a model's results/ folder, from which the table in its README is made, never typed.

`dlfs train` leaves a run's facts in run.json and each level's rows in log.jsonl; `record` keeps what a reader wants of them.
"""

import json
import math
import shutil
import statistics
from pathlib import Path
from typing import Any

from dlfs.levels import TITLES
from dlfs.studies import Study
from framework.callbacks import figure
from utils.errors import DLFSError
from utils.files import write_atomically
from utils.training_utils import CHECKPOINT, LOG, read_checkpoint, read_log

BEGIN, END = "<!-- results -->\n", "<!-- /results -->"
RUN, CURVES = "run.json", "curves.png"
Run = dict[str, Any]


def recorded_runs(study: Study) -> list[Run]:
    """The runs in the model's results/ folder, in the order of their names."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted((study.folder / "results").glob("*.json"))]


def record(study: Study, folder: Path) -> Path:
    """Keep a finished run of `dlfs train` in the model's results/ folder; return the file."""
    run = read_run(folder)
    if run["model"] != study.folder.name:
        raise DLFSError(f"{folder} holds a run of {run['model']}, not of {study.folder.name}")
    run["levels"] = {
        level: summary(folder / level, run["epochs"], bool(run.get("early_stopping"))) for level in run["levels"]
    }
    path = study.folder / "results" / f"{data_of(run)}-seed{run['seed']}.json"
    write_atomically(path, json.dumps(run, indent=1, ensure_ascii=False) + "\n")
    others = [other["seed"] for other in by_data(recorded_runs(study))[data_of(run)] if other["seed"] != run["seed"]]
    if run["seed"] < min(others, default=math.inf):  # one picture is shown for a data set
        shutil.copyfile(folder / CURVES, path.with_suffix(".png"))
        for seed in others:
            path.with_name(f"{data_of(run)}-seed{seed}.png").unlink(missing_ok=True)
    return path


def read_run(folder: Path) -> Run:
    """The facts of a run, as `dlfs train` wrote them when it began."""
    try:
        return json.loads((folder / RUN).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DLFSError(f"{folder} holds no run of `dlfs train`: there is no {folder / RUN}") from None
    except ValueError as error:
        raise DLFSError(f"{folder / RUN} is damaged: {error}") from None


def trained_weights(folder: Path, level: str) -> dict[str, Any]:
    """The weights (arrays, by name) in the checkpoint of a run's level; DLFSError where there is none."""
    path = folder / level / CHECKPOINT
    if not path.exists():
        raise DLFSError(f"{folder} holds no checkpoint of {level}: there is no {path}")
    return {name: getattr(tensor, "array", tensor) for name, tensor in read_checkpoint(path)["model"].items()}


def checkpoint_of(source: Path) -> tuple[Path, str | None]:
    """The file that holds the weights, and the recipe they are of: a file itself; of a run the first level that has a checkpoint."""
    if source.is_file():
        return source, None
    run = read_run(source)
    for level in run["levels"]:
        if (source / level / CHECKPOINT).exists():
            return source / level / CHECKPOINT, run["data"]
    raise DLFSError(f"{source} holds no checkpoint yet")


def summary(folder: Path, epochs: int, stopped_early: bool) -> dict[str, float]:
    """What the table says of one level: the last epoch's training loss, the test set's figures, an epoch's median seconds.

    With early stopping, the training loss is that of the epoch whose weights were kept, and the validation loss that chose it is
    told, too.
    """
    rows = read_log(folder) if (folder / LOG).exists() else []
    if not rows or "test_loss" not in rows[-1]:
        raise DLFSError(f"{folder} has not finished its {epochs} epochs; go on with --resume {folder.parent}")
    seconds = [row["seconds"] for row in rows if "seconds" in row]
    figures = {key: value for key, value in rows[-1].items() if key.startswith("test_")}
    kept = min(rows[1:-1], key=lambda row: row["valid_loss"]) if stopped_early else rows[-2]
    chosen_by = {"valid_loss": kept["valid_loss"]} if stopped_early else {}
    return {
        "train_loss": kept.get("train_loss", float("nan")),
        **chosen_by,
        **figures,
        "seconds": statistics.median(seconds),
    }


# ------------------------------------------------------------------------------------------------------- Showing


def over_seeds(quantity: str, values: list[float], with_spread: bool) -> str:
    """A figure over its seeds: the mean and, with_spread, from where to where it goes, if it does; of times the median."""
    if quantity == "seconds":
        return figure(quantity, statistics.median(values))
    mean = figure(quantity, sum(values) / len(values))
    if len(values) == 1 or not with_spread:
        return mean
    low, high = (figure(quantity, value).removesuffix(" %") for value in (min(values), max(values)))
    return mean if low == high else f"{mean} ({low}–{high})"


def data_of(run: Run) -> str:
    """The data that a run saw: mnist, or mnist-augmented."""
    return run["data"] + ("-augmented" if run.get("augment") else "")


def by_data(runs: list[Run]) -> dict[str, list[Run]]:
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(data_of(run), []).append(run)
    return groups


def alike(runs: list[Run]) -> list[list[Run]]:
    """The runs in groups: the data sets of one have the same figures, so that its table has no empty cells."""
    groups: dict[frozenset[str], list[Run]] = {}
    for seeds in by_data(runs).values():
        quantities = frozenset(key for run in seeds for figures in run["levels"].values() for key in figures)
        groups.setdefault(quantities, []).extend(seeds)
    return list(groups.values())


def table(runs: list[Run], loss_name: str = "loss") -> tuple[list[str], list[list[str]]]:
    """The head and the rows of a results table: a row for each data set and level, over all seeds that were run."""
    quantities = list(dict.fromkeys(key for run in runs for figures in run["levels"].values() for key in figures))
    quantities.remove("seconds")
    head = [
        "data",
        "level",
        "epochs",
        "seeds",
        *(quantity.replace("loss", loss_name).replace("_", " ") for quantity in quantities),
        "an epoch took",
    ]
    rows = []
    for data, seeds in by_data(runs).items():
        for level in dict.fromkeys(level for run in seeds for level in run["levels"]):
            found = [run["levels"][level] for run in seeds if level in run["levels"]]
            cells = [data, TITLES[level], str(seeds[0]["epochs"]), str(len(found))]
            for quantity in [*quantities, "seconds"]:
                values = [figures[quantity] for figures in found if quantity in figures]
                with_spread = quantity != "train_loss" and (quantity != "test_loss" or loss_name != "loss")
                cells.append(over_seeds(quantity, values, with_spread) if values else "")
            rows.append(cells)
    return head, rows


def provenance(runs: list[Run]) -> list[str]:
    """Where the figures come from: for each data set, machine and day a line with the versions and the commands."""
    lines: dict[str, list[str]] = {}
    for run in runs:
        versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
        place = f"{data_of(run)}: {versions}; {run['machine']}; {run['started'][:10]}"
        lines.setdefault(place, []).append(f"`{run['command']}`")
    return [f"{place}; {', '.join(commands)}" for place, commands in lines.items()]


def markdown(study: Study) -> str:
    """The block between the README's marks."""
    runs = recorded_runs(study)
    if not runs:
        return ""
    text = ""
    for group in alike(runs):
        head, rows = table(group, study.loss_name)
        lines = [head, ["---"] * len(head), *rows]
        text += "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n"
    text += f"Written by `dlfs results {study.number} --write` from the runs recorded in [`results/`](results):\n\n"
    text += "".join(f"- {line}\n" for line in provenance(runs))
    for data, seeds in by_data(runs).items():
        picture = f"results/{data}-seed{min(run['seed'] for run in seeds)}.png"
        levels = "all levels on each other" if len(seeds[0]["levels"]) > 1 else "one level"
        text += f"\n![The curves of training on {data}, {levels}]({picture})\n"
    return text


def readme_with_results(study: Study) -> tuple[Path, str, str]:
    """The README's path, its text as it is, and as it is with the block made anew."""
    path = study.folder / "README.md"
    try:
        text = path.read_text(encoding="utf-8")
        before, rest = text.split(BEGIN)
        _, after = rest.split(END)
    except (FileNotFoundError, ValueError):
        raise DLFSError(
            f"{path} needs the lines {BEGIN.strip()} and {END} once each, for the results between them"
        ) from None
    return path, text, before + BEGIN + markdown(study) + END + after


def reached(study: Study) -> list[str]:
    """What the recorded runs reached on the test set, over levels and seeds: mnist 97.3–97.9 %; or the loss, by its name.

    The figure is the first of the recipe's final metrics, else the plain accuracy, else the first accuracy that the run has, and is
    called by its name: multi30k 38.7 bleu, pydoc 14.7–16.0 % mlm accuracy.
    """
    found: dict[tuple[str, str], list[float]] = {}
    for run in recorded_runs(study):
        final = study.facts.RECIPES.get(run["data"], {}).get("final_metrics", ())
        for figures in run["levels"].values():
            told = [f"test_{name}" for name in (*final, "accuracy")] + [
                key for key in figures if key.endswith("_accuracy")
            ]
            told = ["test_loss"] if hasattr(study.facts, "LOSS") else [key for key in told if key in figures]
            if not told:
                continue
            quantity = told[0]
            name = study.loss_name if quantity == "test_loss" else quantity.removeprefix("test_").replace("_", " ")
            factor, unit = (100, f"% {name}") if quantity.endswith("_accuracy") else (1, name)
            unit = "%" if quantity == "test_accuracy" else unit
            found.setdefault((data_of(run), unit), []).append(factor * figures[quantity])
    return [f"{data} {span(values)} {unit}" for (data, unit), values in found.items()]


def span(values: list[float]) -> str:
    """From the smallest to the largest, as far as they differ: 97.3–97.9, or 1.90."""
    decimals = 1 if max(values) >= 10 else 2
    return "–".join(dict.fromkeys(f"{value:.{decimals}f}" for value in (min(values), max(values))))
