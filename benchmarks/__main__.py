"""`python -m benchmarks step | by-hand | memory | data | production`: figures against PyTorch, as ratios of medians of interleaved runs."""

import json

import click
from rich.console import Console
from rich.table import Table

from framework.graph import readable_bytes

from . import protocol, workloads

console = Console()


@click.group()
def main():
    """Compare the engine with PyTorch in one run: the same weights, the same batches, interleaved in random order."""


def finish(results, table, json_file):
    console.print(table)
    console.print(protocol.machine(), style="dim")
    if json_file:
        json.dump({"machine": protocol.machine(), "results": results}, json_file, indent=1)


@main.command()
@click.option(
    "--workload",
    "names",
    multiple=True,
    type=click.Choice(list(workloads.STEP)),
    help="One workload; repeatable. All by default.",
)
@click.option("--threads", default=2, show_default=True, help="Threads of every side.")
@click.option("--pairs", default=15, show_default=True, help="Timed blocks of each side.")
@click.option("--json", "json_file", type=click.File("w"), help="Write the figures here.")
def step(names, threads, pairs, json_file):
    """Whole training steps: forward, backward and update."""
    table = Table(title=f"Training step, {threads} thread{'s' * (threads > 1)}: time as a ratio to PyTorch eager")
    for heading in ("workload", "side", "median ms", "minimum ms", "ratio", "middle half of pairs"):
        table.add_column(heading, justify="left" if heading in ("workload", "side") else "right")
    results = []
    for name in names or workloads.STEP:
        result = json.loads(protocol.in_a_process("benchmarks.step", name, threads, pairs, threads=threads))
        results.append(result)
        for row in result["rows"]:
            figures = (
                f"{row['median_ms']:.3f}",
                f"{row['minimum_ms']:.3f}",
                f"{row['ratio']:.2f}",
                f"{row['low']:.2f} – {row['high']:.2f}",
            )
            table.add_row(name, row["side"], *figures, end_section=row is result["rows"][-1])
    finish(results, table, json_file)


@main.command("by-hand")
@click.option("--threads", default=2, show_default=True, help="Threads of every side.")
@click.option("--pairs", default=9, show_default=True, help="Timed blocks of each side.")
@click.option("--json", "json_file", type=click.File("w"), help="Write the figures here.")
def by_hand(threads, pairs, json_file):
    """The models by hand against their level 3 under PyTorch: the recipe's training step, and what an epoch of them takes."""
    from .by_hand import WORKLOADS

    table = Table(title=f"Training step of the models' own files, {threads} thread{'s' * (threads > 1)}")
    for heading in ("workload", "side", "median ms", "an epoch, s", "ratio", "middle half of pairs"):
        table.add_column(heading, justify="left" if heading in ("workload", "side") else "right")
    results = []
    for name in WORKLOADS:
        result = json.loads(protocol.in_a_process("benchmarks.by_hand", name, threads, pairs, threads=threads))
        results.append(result)
        for row in result["rows"]:
            spread = f"{row['low']:.2f} – {row['high']:.2f}"
            figures = f"{row['median_ms']:.3f}", f"{row['epoch_s']:.1f}", f"{row['ratio']:.2f}", spread
            table.add_row(name, row["side"], *figures, end_section=row is result["rows"][-1])
    finish(results, table, json_file)


@main.command()
@click.option("--json", "json_file", type=click.File("w"), help="Write the figures here.")
def memory(json_file):
    """Peak of live tensor bytes in a training step, and what checkpoint() saves."""
    table = Table(title="Peak of live tensor bytes in one training step, with weights and batch")
    for heading in ("workload", "engine", "pytorch", "ratio"):
        table.add_column(heading, justify="left" if heading == "workload" else "right")
    results = []
    for name in workloads.MEMORY:
        result = json.loads(protocol.in_a_process("benchmarks.memory", name, threads=1))
        results.append(result)
        ratio = result["engine"] / result["pytorch"]
        table.add_row(name, readable_bytes(result["engine"]), readable_bytes(result["pytorch"]), f"{ratio:.2f}")
    saving = json.loads(protocol.in_a_process("benchmarks.memory", "checkpoint", threads=1))
    results.append({"workload": "checkpoint", **saving})
    finish(results, table, json_file)
    plain, checkpointed = saving["plain"], saving["checkpointed"]
    console.print(
        f"checkpoint() around each five of the deep MLP's twenty layers, batch 4096: {readable_bytes(checkpointed)} instead of "
        f"{readable_bytes(plain)} above the weights, {checkpointed / plain:.2f} ×"
    )


@main.command()
@click.option("--workers", default=2, show_default=True, help="Worker processes of each loader.")
def data(workers):
    """Images per second of the DataLoader with crop, flip and normalise on CIFAR-10, beside torch's with torchvision's transforms."""
    from . import data_loading

    data_loading.main(workers)


@main.command()
@click.option("--threads", default=2, show_default=True, help="Threads of either side.")
@click.option("--pairs", default=15, show_default=True, help="Timed blocks of either side.")
@click.option("--json", "json_file", type=click.File("w"), help="Write the figures here.")
def production(threads, pairs, json_file):
    """Whole training steps of level 3, beside torchvision's or transformers' model of the same weights."""
    from .production import WORKLOADS

    table = Table(
        title=f"Training step of level 3, {threads} thread{'s' * (threads > 1)}: time as a ratio to the production twin"
    )
    for heading in ("workload", "ours ms", "twin ms", "ratio", "middle half of pairs"):
        table.add_column(heading, justify="left" if heading == "workload" else "right")
    results = []
    for name in WORKLOADS:
        found = json.loads(protocol.in_a_process("benchmarks.production", name, threads, pairs, threads=threads))
        results.append(found)
        spread = f"{found['low']:.2f} – {found['high']:.2f}"
        table.add_row(name, f"{found['ours']:.1f}", f"{found['twin']:.1f}", f"{found['ratio']:.2f}", spread)
    finish(results, table, json_file)


if __name__ == "__main__":
    main()
