"""dlfs list"""

import json

import click
from rich.console import Console
from rich.text import Text

from dlfs.results import reached
from dlfs.studies import Study, all_studies
from dlfs.terminal import table
from utils.errors import DLFSError
from utils.files import write_atomically

MODEL = "model, and what it has reached"
COLUMNS = {"by-hand": "L1\nhand", "engine": "L1\nengine", "lowlevel": "L2", "paper": "L3"}


def standing(study: Study) -> list[str]:
    """Where a model stands, read from its folder: what each of its data sets reached, or the one thing to know."""
    missing = [file for file in study.levels.values() if not (study.folder / file).exists()]
    if missing:
        return [f"names {', '.join(missing)}, which is not there"]
    if not study.levels:
        return ["not written yet"]
    return reached(study) or ["no run recorded"]


def renew_overview(write: bool) -> None:
    """Write the parts of 00_Overview.md that are made from the folders, or refuse it as it is."""
    from dlfs.overview import OVERVIEW, renewed

    text, new = renewed()
    if not write and text != new:
        raise DLFSError(f"{OVERVIEW.name} is not what the folders say: dlfs list --write")
    if write and text != new:
        write_atomically(OVERVIEW, new)
    click.echo(f"{'wrote' if text != new else 'up to date:'} {OVERVIEW.name}")


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.option("--write", is_flag=True, help="Make the tables and the graph of 00_Overview.md anew.")
@click.option("--check", is_flag=True, help="Fail if those are not what the folders say.")
def command(as_json: bool, write: bool, check: bool) -> None:
    """The twelve models: tier, the levels that are written, and where each stands.

    A level is marked where its file is there. What a model has reached comes from the runs recorded in its folder.
    """
    if write or check:
        renew_overview(write)
        return
    studies = all_studies()
    if as_json:
        facts = [
            dict(
                folder=study.folder.name,
                name=study.fact("NAME"),
                tier=study.fact("TIER"),
                prerequisites=study.fact("PREREQUISITES"),
                paper=study.fact("PAPER"),
                levels=list(study.levels),
                standing="\n".join(standing(study)),
            )
            for study in studies
        ]
        click.echo(json.dumps(facts, indent=1))
        return
    shown = table(MODEL, "after", *COLUMNS.values(), "L4")
    for column in shown.columns:
        column.no_wrap = column.header != "after"
    tier = None
    for study in studies:
        if study.fact("TIER") != tier:
            tier = study.fact("TIER")
            shown.add_section()
            shown.add_row(Text(f"tier {tier}", "italic"))
        marks = ["✓" if level in study.levels else "·" for level in COLUMNS]
        marks.append("✓" if (study.folder / "analysis").is_dir() else "·")
        reached = Text("\n".join(f"   {line}" for line in standing(study)), "dim")
        model = Text.assemble(f"{study.number} {study.fact('NAME')}\n", reached)
        shown.add_row(model, " ".join(study.fact("PREREQUISITES")), *marks)
    Console().print(shown)
