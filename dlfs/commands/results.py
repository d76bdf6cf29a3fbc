"""dlfs results"""

from pathlib import Path

import click
from rich.console import Console

from dlfs import results
from dlfs.studies import find_written_study
from dlfs.terminal import fits, table
from utils.errors import DLFSError
from utils.files import write_atomically


@click.command("results")
@click.argument("model")
@click.option(
    "--record",
    metavar="RUN",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep this run of `dlfs train` in the model's folder, then --write.",
)
@click.option("--write", is_flag=True, help="Make the results block of the model's README anew.")
@click.option("--check", is_flag=True, help="Fail if the README's block is not what the recorded runs say.")
def command(model: str, record: Path | None, write: bool, check: bool) -> None:
    """The recorded runs of a model: seed, versions, machine, command, and what each level reached."""
    study = find_written_study(model)
    if record:
        click.echo(f"kept as {results.record(study, record)}")
    if record or write or check:
        path, text, renewed = results.readme_with_results(study)
        if check and text != renewed:
            raise DLFSError(f"{path} does not show the recorded runs: dlfs results {study.number} --write")
        if not check:
            write_atomically(path, renewed)
            click.echo(f"{'wrote' if text != renewed else 'up to date:'} {path}")
    runs = results.recorded_runs(study)
    if not runs:
        click.echo(
            f"no run of {study.folder.name} is recorded: dlfs train {study.number} --level all, then --record its folder"
        )
        return
    for group in results.alike(runs):
        show(*results.table(group, study.loss_name))
    for line in results.provenance(runs):
        click.echo(line)


def show(head: list[str], rows: list[list[str]]) -> None:
    """A row for each level; where that is too wide, a table for each data set, turned: a column for each level."""
    console = Console()
    rows = [[cell.replace(" (", "\n(") for cell in row] for row in rows]
    shown = table(*(name.replace(" ", "\n") for name in head), whole="data")
    for row in rows:
        shown.add_row(*row)
    if fits(shown, console):
        console.print(shown)
        return
    for data in dict.fromkeys(row[0] for row in rows):
        levels = [row[1:] for row in rows if row[0] == data]
        turned = table(data, *(level[0] for level in levels))
        for line in zip(head[2:], *(level[1:] for level in levels)):
            turned.add_row(*line)
        console.print(turned)
