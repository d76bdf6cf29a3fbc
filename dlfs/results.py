"""Recorded runs: JSON files in a model's results/ folder, from which the table in its README is made, never typed.

`dlfs train` leaves a run's facts in run.json and each level's rows in log.jsonl; `record` keeps what a reader wants of them.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from dlfs.levels import TITLES
from dlfs.studies import Study
from utils.errors import DLFSError
from utils.files import write_atomically
from utils.training_utils import LOG, read_log

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
    run["levels"] = {level: summary(folder / level, run["epochs"]) for level in run["levels"]}
    path = study.folder / "results" / f"{run['data']}-seed{run['seed']}.json"
    write_atomically(path, json.dumps(run, indent=1, ensure_ascii=False) + "\n")
    shutil.copyfile(folder / CURVES, path.with_suffix(".png"))
    return path


def read_run(folder: Path) -> Run:
    """The facts of a run, as `dlfs train` wrote them when it began."""
    try:
        return json.loads((folder / RUN).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DLFSError(f"{folder} holds no run of `dlfs train`: there is no {folder / RUN}") from None
    except ValueError as error:
        raise DLFSError(f"{folder / RUN} is damaged: {error}") from None


def summary(folder: Path, epochs: int) -> dict[str, float]:
    """What the table says of one level: the last epoch's training loss, the test set's figures, seconds an epoch."""
    rows = read_log(folder) if (folder / LOG).exists() else []
    if not rows or "test_loss" not in rows[-1]:
        raise DLFSError(f"{folder} has not finished its {epochs} epochs; go on with --resume {folder.parent}")
    seconds = [row["seconds"] for row in rows if "seconds" in row]
    figures = {key: value for key, value in rows[-1].items() if key.startswith("test_")}
    return {
        "train_loss": rows[-2].get("train_loss", float("nan")),
        **figures,
        "seconds": sum(seconds) / max(len(seconds), 1),
    }


# ------------------------------------------------------------------------------------------------------- Showing


def percent_or_number(quantity: str, values: list[float]) -> str:
    """A figure over its seeds: the mean, and how far the seeds spread."""
    scale, digits, unit = (100, 2, " %") if quantity.endswith("accuracy") else (1, 4, "")
    low, high = (f"{scale * value:.{digits}f}" for value in (min(values), max(values)))
    mean = f"{scale * sum(values) / len(values):.{digits}f}{unit}"
    return mean if len(values) == 1 else f"{mean} ({low} to {high}, {len(values)} seeds)"


def table(runs: list[Run]) -> tuple[list[str], list[list[str]]]:
    """The head and the rows of the results table: a row for each data set and level, over all seeds that were run."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        for level in run["levels"]:
            groups.setdefault((run["data"], level), []).append(run)
    quantities = list(dict.fromkeys(key for run in runs for figures in run["levels"].values() for key in figures))
    quantities.remove("seconds")
    head = ["data", "level", "epochs", *(quantity.replace("_", " ") for quantity in quantities), "seconds an epoch"]
    rows = []
    for (data, level), seeds in groups.items():
        cells = [data, TITLES[level], str(seeds[0]["epochs"])]
        for quantity in quantities:
            values = [run["levels"][level][quantity] for run in seeds if quantity in run["levels"][level]]
            cells.append(percent_or_number(quantity, values) if values else "")
        seconds = [run["levels"][level]["seconds"] for run in seeds]
        rows.append([*cells, f"{sum(seconds) / len(seconds):.1f}"])
    return head, rows


def provenance(run: Run) -> str:
    """Where a run's figures come from: command, versions, machine, day."""
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    return f"`{run['command']}`, seed {run['seed']}; {versions}; {run['machine']}; {run['started'][:10]}"


def markdown(study: Study) -> str:
    """The block between the README's marks."""
    runs = recorded_runs(study)
    if not runs:
        return ""
    head, rows = table(runs)
    lines = [head, ["---"] * len(head), *rows]
    text = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    text += "\nWritten by `dlfs results " + study.number + " --write` from the recorded runs:\n\n"
    text += "".join(f"- {provenance(run)}\n" for run in runs)
    pictures = sorted((study.folder / "results").glob("*.png"))
    return text + "".join(
        f"\n![The curves of {path.stem}, all levels on each other](results/{path.name})\n" for path in pictures
    )


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


def accuracies(study: Study) -> str:
    """In a few words, what the recorded runs reached: mnist 97.7 to 97.9 %."""
    found: dict[str, list[float]] = {}
    for run in recorded_runs(study):
        for figures in run["levels"].values():
            if "test_accuracy" in figures:
                found.setdefault(run["data"], []).append(100 * figures["test_accuracy"])
    return ", ".join(f"{data} {min(values):.1f} to {max(values):.1f} %" for data, values in found.items())
