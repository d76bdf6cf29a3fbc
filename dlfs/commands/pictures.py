"""dlfs pictures"""

from pathlib import Path

import click

from dlfs.levels import Level, build_level
from dlfs.results import read_run, trained_weights
from dlfs.studies import Study, find_written_study
from utils.data_loaders import load
from utils.errors import DLFSError, UsageError
from utils.visualization import save


@click.command("pictures")
@click.argument("model")
@click.argument("run", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--level", help="The level of the run whose weights are shown; its first by default.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="By default the folder pictures/ of the run."
)
@click.option("--record", is_flag=True, help="Into the folder pictures/ of the model, which its README shows.")
def command(model: str, run: Path, level: str | None, out: Path | None, record: bool) -> None:
    """Draw what a RUN of `dlfs train` has learnt: the pictures that the model's pictures.py names for the run's data."""
    if out and record:
        raise UsageError("--record says where the pictures go, and so does --out: give one of them")
    study = find_written_study(model)
    facts = read_run(run)
    if facts["model"] != study.folder.name:
        raise DLFSError(f"{run} holds a run of {facts['model']}: dlfs pictures {facts['model'][:2]} {run}")
    drawings = pictures(study).get(facts["data"], {})
    if not drawings:
        having = ", ".join(pictures(study)) or "none"
        raise DLFSError(f"{study.folder.name}/pictures.py draws nothing of {facts['data']}. It draws of: {having}")
    shown = trained_level(study, run, level or facts["levels"][0], facts["data"])
    _, recipe = study.recipe(facts["data"])
    data = study.examples(recipe, load(recipe["data"]))
    for name, draw in drawings.items():
        path = (out or (study.folder if record else run) / "pictures") / f"{facts['data']}-{name}.png"
        save(path, lambda draw=draw: draw(shown, data))  # type: ignore[misc]
        click.echo(path)


def pictures(study: Study) -> dict:
    """PICTURES of the model's pictures.py: for each data set {name: function of a trained level and the data set -> Figure}."""
    if not (study.folder / "pictures.py").exists():
        return {}
    return study.module("pictures.py").PICTURES


def trained_level(study: Study, run: Path, level: str, data: str) -> Level:
    """The model with a run's weights, in NumPy by hand where that is written, else on the engine: without PyTorch."""
    weights = trained_weights(run, level)
    _, recipe = study.recipe(data)
    shown = build_level(study, "by-hand" if "by-hand" in study.levels else "engine", recipe["config"])
    shown.load_state(weights)
    return shown
