"""dlfs graph"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np

from dlfs.levels import TensorLevel, build_level
from dlfs.studies import find_written_study
from utils.errors import DLFSError
from utils.files import write_atomically


def example_loss(model: str, variant: str | None) -> tuple[Callable[[], Any], TensorLevel]:
    """A function that computes the loss of the model's example batch on the engine, in float32; and the level."""
    study = find_written_study(model)
    variant = variant or next(iter(study.fact("VARIANTS")))
    config = study.config(variant)
    level = build_level(study, "engine", config)
    assert isinstance(level, TensorLevel)
    inputs, targets = study.fact("example_batch")(config, np.random.default_rng(0))
    batch = level.tensors(tuple(a.astype(np.float32) if a.dtype.kind == "f" else a for a in (*inputs, *targets)))
    return lambda: level.model.loss(*batch), level


@click.command("graph")
@click.argument("model")
@click.option("--variant", help="One of the model's named configs; the first by default.")
@click.option("--fold", is_flag=True, help="Draw each chain of elementwise ops as one box.")
@click.option("--out", type=click.Path(path_type=Path), help="FILE.dot, .mmd (Mermaid), .svg, .png or .pdf.")
def command(model: str, variant: str | None, fold: bool, out: Path | None) -> None:
    """Show the graph behind MODEL's loss on the engine: what is recorded, and what that spares.

    Without --out it is printed in Mermaid's language, which GitHub draws in a ```mermaid block.
    """
    from framework.graph import Graph, count

    loss, level = example_loss(model, variant)
    names = level.parameters()
    graph = Graph(loss(), names, output="loss")
    if fold:
        graph = graph.folded()
    writers = {".dot": graph.dot, ".mmd": graph.mermaid}
    if out is None:
        click.echo(graph.mermaid())
    elif out.suffix in writers:
        write_atomically(out, writers[out.suffix]())
    elif out.suffix in (".svg", ".png", ".pdf"):
        out.parent.mkdir(parents=True, exist_ok=True)
        try:
            graph.render(out)
        except RuntimeError as error:
            raise DLFSError(str(error)) from None
    else:
        raise DLFSError(f"cannot tell what to write into {out}; use .dot, .mmd, .svg, .png or .pdf")
    click.echo(count(loss, names), err=out is None)
    if out is not None:
        click.echo(f"written: {out}")
