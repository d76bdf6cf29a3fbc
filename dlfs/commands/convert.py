"""dlfs convert"""

from collections import Counter
from pathlib import Path

import click

from dlfs.convert import keymap, parameter_count, read_weights, unplaced_lines
from dlfs.levels import identity
from dlfs.studies import find_written_study
from framework import serialization
from utils.errors import DLFSError, UsageError


@click.command("convert")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--model", required=True, help="Whose checkpoint it is, such as 09.")
@click.option("--variant", help="The config to hold it against; by default the first of the model's that fits.")
@click.option(
    "--to", type=click.Choice(["ours", "twin"]), default="ours", show_default=True, help="Whose names to write."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A .safetensors file; without it, FILE is only checked.",
)
def command(file: Path, model: str, variant: str | None, to: str, out: Path | None) -> None:
    """Translate a checkpoint FILE (.safetensors, .pth, .pt, .bin or .npz) into our names, or into those of the production twin.

    Every array is held against the shapes of the model's config. Nothing is written unless every parameter has been found; every key
    that could not be placed is named.
    """
    if out and out.suffix != ".safetensors":
        raise UsageError(f"--out {out}: only .safetensors is written")
    study = find_written_study(model)
    fit = read_weights(study, file, variant)
    count = f"{len(fit.state)} arrays, {parameter_count(fit.state):,} numbers"
    click.echo(
        f"{study.folder.name}, {fit.variant}, read as {'our own' if fit.layout == 'ours' else fit.layout}: {count}"
    )
    for reason, number in Counter(fit.skipped.values()).items():
        first = next(name for name, why in fit.skipped.items() if why == reason)
        others = f" and {number - 1} more like it" if number > 1 else ""
        click.echo(f"left out on purpose: {first}{others}: {reason}")
    for line in unplaced_lines(fit):
        click.secho(line, fg="yellow")
    if out is None:
        return
    state = fit.state if to == "ours" else getattr(keymap(study), "to_twin", identity)(fit.state)
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        serialization.save({name: serialization.Tensor(array) for name, array in state.items()}, out)
    except OSError as error:
        raise DLFSError(str(error)) from None
    click.echo(f"written: {out}")
