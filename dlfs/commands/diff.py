"""dlfs diff"""

import os
import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dlfs.levels import TITLES
from dlfs.side_by_side import Part, Row, side_by_side
from dlfs.studies import Study, find_written_study
from utils.errors import UsageError, unknown_name
from utils.files import write_atomically

HTML_WIDTH = 220  # columns
WIDE = 160
RULE = re.compile(r"^(\s*# )-{4,} ")  # before a section's title, as wide as the file
MARKS = {"same": " ", "left": "<", "right": ">", "changed": "≠"}  # so that nothing depends on colour


@click.command("diff")
@click.argument("model")
@click.argument("left", required=False)
@click.argument("right", required=False)
@click.option("--variant", help="The config whose class is shown, where a folder has several.")
@click.option("--function", "name", help="Only this one, such as forward or MLP.forward.")
@click.option("--whole", is_flag=True, help="Also write out what is the same in both.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write it to a file for the browser.")
def command(
    model: str,
    left: str | None,
    right: str | None,
    variant: str | None,
    name: str | None,
    whole: bool,
    html: Path | None,
) -> None:
    """Show two levels of MODEL side by side, function by function; by default the lowest that is written, and paper.

    The levels are by-hand, lowlevel and paper. The mark between them says: ≠ changed, < only on the left, > only on the right.
    """
    study = find_written_study(model)
    left, right = levels(study, left, right)
    _, files = study.model(study.config(variant or next(iter(study.fact("VARIANTS")))))
    for level in (left, right):
        if level not in files:
            raise unknown_name("level", level, files, owner=f"{study.folder.name} has")
    if files[left] == files[right]:
        raise UsageError(f"{left} and {right} are one file, {study.folder.name}/{files[left]}: nothing to compare")
    sources = [(study.folder / files[level]).read_text(encoding="utf-8") for level in (left, right)]
    parts = side_by_side(*sources)
    if name:
        names = [part.name for part in parts]
        parts = [part for part in parts if name in (part.name, part.name.rpartition(".")[2])]
        if not parts:
            raise unknown_name("function", name, names, owner=f"{study.folder.name} has")
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=HTML_WIDTH, file=nowhere, force_terminal=True) if html else Console()
        titles = [f"{TITLES[level]}: {files[level]}" for level in (left, right)]
        console.print(drawn(parts, titles, whole))
        if html:
            write_atomically(html, console.export_html(inline_styles=True))
            click.echo(f"wrote {html}")
        elif console.width < WIDE:
            here = f"dlfs diff {study.number} {left} {right} --html FILE"
            click.echo(
                f"Lines are broken at {console.width} columns; in {WIDE} few are, and in the browser none: {here}",
                err=True,
            )


def levels(study: Study, left: str | None, right: str | None) -> tuple[str, str]:
    """The two levels that are meant, by their names in LEVELS."""
    if left and not right:
        raise UsageError(f"name two levels, or none: dlfs diff {study.number} {left} paper")
    lowest = next((level for level in ("by-hand", "lowlevel") if level in study.levels), "paper")
    left, right = left or lowest, right or "paper"
    for level in (left, right):
        study.require_level(level)
    return left, right


def drawn(parts: list[Part], titles: list[str], whole: bool) -> Table:
    """The parts one below the other; those that are the same only by name, unless all is to be shown."""
    table = Table("", titles[0], "", titles[1], box=None, padding=(0, 1, 0, 0), expand=True)
    table.columns[1].ratio = table.columns[3].ratio = 1
    table.columns[1].overflow = table.columns[3].overflow = "fold"
    for part in parts:
        where = "the same" if part.is_same else {"both": "", "left": "only left", "right": "only right"}[part.side]
        table.add_row("", Text(f"── {part.name} ", "bold"), "", Text(where, "italic"))
        if whole or not part.is_same:
            for row in trimmed(part.rows):
                mark = mark_of(row)
                table.add_row("", *styled(row, mark, MARKS[mark]))
    return table


def trimmed(rows: Sequence[Row]) -> Sequence[Row]:
    """Without the rows at either end that are blank on both sides."""
    filled = [i for i, row in enumerate(rows) if any(line and line.strip() for line in row)]
    return rows[filled[0] : filled[-1] + 1] if filled else ()


def mark_of(row: Row) -> str:
    left, right = row
    if left == right:
        return "same"
    if right is None:
        return "left"
    return "right" if left is None else "changed"


def styled(row: Row, mark: str, sign: str) -> tuple[Text, Text, Text]:
    """The two lines of a row and the mark between them: what is the same dim, what differs bold."""
    left, right = (Text(RULE.sub(r"\1--- ", line or "")) for line in row)
    if mark == "same":
        left.stylize("dim")
        right.stylize("dim")
    elif mark != "changed":
        left.stylize("red")
        right.stylize("green")
    else:
        for tag, i, i_end, j, j_end in SequenceMatcher(None, left.plain, right.plain, autojunk=False).get_opcodes():
            if tag != "equal":
                left.stylize("bold red", i, i_end)
                right.stylize("bold green", j, j_end)
    return left, Text(sign, "bold"), right
