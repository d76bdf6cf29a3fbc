"""dlfs compare"""

import json
import math
import re
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from dlfs.compare import BOUND, QUANTITIES, Comparison, Difference, compare_study, starts
from dlfs.levels import build_level, level_names
from dlfs.studies import Study, all_studies, find_written_study
from dlfs.terminal import fits, table
from dlfs.trace import compare_traces
from utils.errors import UsageError, unknown_name
from utils.files import write_atomically

PICTURE_WIDTH = 80  # columns


@click.command("compare")
@click.argument("model", required=False)
@click.option("--all", "every", is_flag=True, help="Every model that is written.")
@click.option("--variant", help="One of the model's named configs; by default each.")
@click.option("--trace", is_flag=True, help="Show activation by activation where two levels first part.")
@click.option("--pair", nargs=2, metavar="A B", help="The two levels to trace; by default those that differ most.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.option("--svg", type=click.Path(path_type=Path, dir_okay=False), help="Also write what is shown as a picture.")
def command(
    model: str | None,
    every: bool,
    variant: str | None,
    trace: bool,
    pair: tuple[str, str] | None,
    as_json: bool,
    svg: Path | None,
) -> int:
    """Run MODEL at every level and check that all compute the same function.

    Every level gets the same weights and the same batch, in float64, once with the initial weights and once with loud ones
    (matrices five times as large, biases away from 0). Every pair of levels must agree in the output, the loss, every
    gradient, the losses of ten steps of gradient descent, and the output in evaluation mode after them.
    Exit status: 0 when all agree, 1 when not.
    """
    if (model is None) != every:
        raise UsageError("name one model, or give --all")
    if model is None:
        studies = [study for study in all_studies() if study.levels]
    else:
        studies = [find_written_study(model)]
    if svg and as_json:
        raise UsageError("--svg is a picture of what --json does not show: give one of them")
    show = Console(quiet=as_json, record=svg is not None, width=PICTURE_WIDTH if svg else None)
    documents, ok = [], True
    for study in studies:
        for name in [variant] if variant else study.fact("VARIANTS"):
            with show.status(f"{study.folder.name}: {name}"):
                comparisons = compare_study(study, name)
            show_comparisons(show, study, name, comparisons)
            documents.append(document(study, name, comparisons))
            ok = ok and all(comparison.ok for comparison in comparisons)
            if trace:
                show_trace(show, study, name, comparisons, pair)
    if as_json:
        click.echo(json.dumps({"bound": BOUND, "ok": ok, "variants": documents}, indent=1))
    if svg:
        options = [] if every else [study.number for study in studies]
        options += ["--variant", variant] if variant else []
        picture = show.export_svg(title=" ".join(["dlfs compare", *options]))
        write_atomically(
            svg, re.sub(r"@font-face {.*?}\n", "", picture, flags=re.DOTALL)
        )  # nothing is fetched to show it
    return 0 if ok else 1


# ----------------------------------------------------------------------------------------------------- The table


def show_comparisons(show: Console, study: Study, variant: str, comparisons: list[Comparison]) -> None:
    """A table of every level against L3, with initial and with loud weights, and the verdict over all pairs."""
    reference = reference_of(comparisons[0])
    show.print(Text(f"{study.fact('NAME')}: {variant}", "bold"))
    show.print(f"Relative differences from {comparisons[0].titles[reference]}:")
    shown = table("level", *(quantity.replace(" ", "\n") for quantity in QUANTITIES))
    for comparison in comparisons:
        shown.add_row(Text(f"{comparison.weights} weights", "italic"))
        for name, title in comparison.titles.items():
            if name == reference:
                shown.add_row(title, *["ref."] * len(QUANTITIES), style="dim")
                continue
            found = comparison.pair(name, reference).differences
            shown.add_row(title, *(cell(quantity, found.get(quantity)) for quantity in QUANTITIES))
        shown.add_section()
    if not fits(shown, show):
        shown.padding = (0, 0, 0, 0)  # one space between columns, where two are too many
    show.print(shown)
    for comparison in comparisons:
        show.print(verdict(study, variant, comparison))
    show.print()


def reference_of(comparison: Comparison) -> str:
    return "paper" if "paper" in comparison.titles else list(comparison.titles)[-1]


def cell(quantity: str, difference: Difference | None) -> Text:
    if difference is None:
        return Text("–", "dim")
    text = number(difference.value)
    if quantity == "parameter gradient" and difference.value:
        text += f" {difference.where}"
    return Text(text, "" if difference.ok else "bold red")


def number(value: float) -> str:
    return "0" if value == 0 else "∞" if math.isinf(value) else f"{value:.0e}"


def verdict(study: Study, variant: str, comparison: Comparison) -> Text:
    """One line: all pairs agree, or which differ most and how to see where."""
    pair = comparison.worst
    difference = pair.differences[pair.worst]
    bad = sum(not pair.ok for pair in comparison.pairs)
    apart = f"{number(difference.value)} apart at most, bound {BOUND:.0e}"
    if comparison.ok:
        return Text(f"✓ {comparison.weights} weights: all {len(comparison.pairs)} pairs agree, {apart}", "green")
    said = []
    if bad:
        names = f"{comparison.titles[pair.a]} and {comparison.titles[pair.b]}"
        where = f"{pair.worst}{f' of {difference.where}' if difference.where else ''}"
        said.append(f"{bad} of {len(comparison.pairs)} pairs differ, {apart}: {names} in the {where}.")
        said.append(f"See where: dlfs compare {study.number} --variant {variant} --trace")
    if comparison.noisy:
        said.append(f"Not zero, as ZERO_GRADIENTS says, are the gradients of {', '.join(comparison.noisy)}.")
    if comparison.silent:
        said.append(
            f"Zero at every level, so that nothing is compared, are the gradients of {', '.join(comparison.silent)}."
        )
    return Text(f"✗ {comparison.weights} weights: {' '.join(said)}", "bold red")


# ----------------------------------------------------------------------------------------------------- The trace


def show_trace(
    show: Console, study: Study, variant: str, comparisons: list[Comparison], pair: tuple[str, str] | None
) -> None:
    """Activation by activation, two levels side by side: those named, or those that differ most."""
    comparison = next((c for c in comparisons if not c.ok), comparisons[-1])
    for name in pair or ():
        if name not in comparison.titles:
            raise unknown_name("level to trace", name, level_names(study), owner=f"{study.folder.name} has")
    worst = comparison.worst
    a, b = pair or ((next(iter(comparison.titles)), reference_of(comparison)) if comparison.ok else (worst.a, worst.b))
    config = study.config(variant)
    start = next(start for start in starts(study, config) if start.weights == comparison.weights)
    first, second = (build_level(study, name, config, dtype="float64") for name in (a, b))
    for level in (first, second):
        level.load_state(start.state)
    steps = compare_traces(first, second, start.inputs, start.targets)
    parting = next((step for step in steps if not step.ok), None)
    shown = table("name", "shape", "difference", "", whole="shape")
    for step in steps:
        mark = "here they part" if step is parting else "ok" if step.ok else "differs"
        style = "bold red" if step is parting else "" if step.ok else "red"
        shown.add_row(step.name, str(step.shape), number(step.difference), mark, style=style)
    show.print(
        Text(f"{first.title} and {second.title}, {comparison.weights} weights, in the order of the computation", "bold")
    )
    show.print(shown)
    if parting:
        show.print(Text(f"They first part at {parting.name}, shape {parting.shape}.", "bold red"))
    else:
        show.print("They nowhere part: every activation that both name agrees.")
    show.print()


# ------------------------------------------------------------------------------------------------------ The JSON


def document(study: Study, variant: str, comparisons: list[Comparison]) -> dict[str, Any]:
    """The comparisons of one variant as JSON values; an infinite difference is null."""
    return {
        "model": study.folder.name,
        "variant": variant,
        "ok": all(comparison.ok for comparison in comparisons),
        "comparisons": [
            {
                "weights": comparison.weights,
                "ok": comparison.ok,
                "silent": comparison.silent,
                "noisy": comparison.noisy,
                "pairs": [
                    {
                        "levels": [pair.a, pair.b],
                        "ok": pair.ok,
                        "differences": {
                            quantity: {"value": None if math.isinf(d.value) else d.value, "where": d.where, "ok": d.ok}
                            for quantity, d in pair.differences.items()
                        },
                    }
                    for pair in comparison.pairs
                ],
            }
            for comparison in comparisons
        ],
    }
