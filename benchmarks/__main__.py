"""`python -m benchmarks`: figures against PyTorch and the other peers, as ratios of medians of interleaved runs; --help lists the parts."""

import json
import shutil
import time
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from framework.graph import readable_bytes
from utils.errors import DLFSError
from utils.files import write_atomically
from utils.visualization import save

from . import accuracy as accuracy_module
from . import everything, protocol, report
from . import scale as scale_module
from .everything import WORKLOADS
from .peers import FOLDER, INSTALLABLE, PEERS, install

console = Console()
STEPS = (*WORKLOADS, "adam")


RESULTS = Path(__file__).parent / "results"
RECORD = click.option("--record", is_flag=True, help="Keep the figures in benchmarks/results, for --write.")
PEER_FOLDER = click.option(
    "--peers", "folder", type=click.Path(path_type=Path), default=FOLDER, help="Where install-peers put them."
)


@click.group(invoke_without_command=True)
@click.option("--workload", "names", multiple=True, type=click.Choice(WORKLOADS), help="One workload; repeatable.")
@click.option(
    "--side", "sides", multiple=True, type=click.Choice(list(PEERS)), help="One side beside PyTorch; repeatable."
)
@click.option("--threads", default=2, show_default=True, help="Threads of every side.")
@click.option(
    "--device",
    type=click.Choice(("cpu", "cuda")),
    default="cpu",
    show_default=True,
    help="cuda: the engine on CuPy's arrays beside PyTorch on the same GPU.",
)
@click.option("--quick", is_flag=True, help="Under three minutes: no side that compiles, fewer rounds.")
@click.option(
    "--start-limit", default=60, show_default=True, help="Seconds in which a side must be compiled and ready."
)
@click.option("--resume", is_flag=True, help="Keep the workloads that the file of --json has already.")
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path), help="Write the figures here, after each workload."
)
@click.option("--picture", type=click.Path(path_type=Path), help="Draw the steps here, as a PNG.")
@RECORD
@PEER_FOLDER
@click.option(
    "--write", is_flag=True, help="Measure nothing: make the tables and pictures of docs/02 anew from recorded runs."
)
@click.pass_context
def main(context, names, sides, threads, device, quick, start_limit, resume, json_file, picture, record, folder, write):
    """Compare the engine with its peers: the same weights, the same batches, interleaved in random order.

    Without a command: every workload on every side that is installed, in under a quarter of an hour.
    """
    if context.invoked_subcommand:
        return
    if write:
        report.write_docs(RESULTS)
        return
    try:
        everything.check_device(device, sides)
    except DLFSError as error:
        raise click.ClickException(str(error)) from None
    on_gpu = device != "cpu"
    json_file = RESULTS / ("everything-gpu.json" if on_gpu else "everything.json") if record else json_file
    usual = [side for side, peer in PEERS.items() if (peer.on_gpu or not on_gpu) and not (quick and peer.compiles)]
    sides = sides or usual
    sides, missing = everything.available([side for side in PEERS if side in {*sides, everything.BASE}], folder)
    for side, how in missing.items():
        console.print(f"{PEERS[side].title} is not installed: {how}", highlight=False)
    results = {
        "machine": protocol.machine(device),
        "threads": threads,
        "versions": everything.versions(sides, folder),
        "workloads": {},
    }
    if resume and json_file and json_file.exists():
        results["workloads"] = json.loads(json_file.read_text())["workloads"]
    settings = everything.Settings(quick, start_limit)
    for name in names or WORKLOADS:
        if name in results["workloads"]:
            continue
        start = time.monotonic()
        results["workloads"][name] = everything.measure(name, sides, threads, settings, folder, device=device)
        if json_file:
            write_atomically(json_file, json.dumps(results, indent=1) + "\n")
        console.print(f"{report.TITLES[name]}: {time.monotonic() - start:.0f} s", style="dim")
    results["imports"] = {side: everything.import_seconds(side, folder) for side in sides if side != "by hand"}
    if json_file:
        write_atomically(json_file, json.dumps(results, indent=1) + "\n")
    where = "GPU" if on_gpu else f"{threads} thread{'s' * (threads > 1)}"
    title = f"Training step, {where}: time as a ratio to PyTorch eager"
    console.print(report.rich_table(title, *report.step_rows(results)))
    console.print(report.rich_table("The engine, as ratios to PyTorch eager", *report.engine_rows(results)))
    console.print(report.rich_table("Most bytes of tensors alive at once", *report.memory_rows(results)))
    for side, why in report.failures(results):
        console.print(f"{side}: {why}", highlight=False)
    console.print(report.about(results), style="dim")
    if picture:
        save(picture, lambda: report.picture(results))


@main.command("install-peers")
@click.argument("peers", nargs=-1, type=click.Choice(INSTALLABLE))
@PEER_FOLDER
def install_peers(peers, folder):
    """Make an environment of its own for each peer (all by default): some 3 GB, of which TensorFlow is half."""
    failed = False
    for name in peers or INSTALLABLE:
        error = install(name, folder)
        console.print(f"{PEERS[name].title}: {error or 'installed'}", highlight=False)
        failed = failed or error is not None
    if "tinygrad" in (peers or INSTALLABLE) and not shutil.which("clang"):
        console.print(
            "tinygrad compiles with clang, which is not there: it is a package of every system", highlight=False
        )
    raise SystemExit(failed)


THREADS = click.option("--threads", default=2, show_default=True, help="Threads of every side.")
QUICK = click.option("--quick", is_flag=True, help="Fewer sizes, seeds and rounds.")
JSON = click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures here.")
PICTURE = click.option("--picture", type=click.Path(path_type=Path), help="Draw the figures here, as a PNG.")


def keep(results, json_file, picture, draw):
    if json_file:
        write_atomically(json_file, json.dumps(results, indent=1) + "\n")
    if picture:
        save(picture, lambda: draw(results))
    console.print(report.about(results), style="dim")


@main.command()
@click.option(
    "--what", multiple=True, type=click.Choice([*scale_module.SCALES, "loading"]), help="One of the parts; repeatable."
)
@THREADS
@QUICK
@JSON
@PICTURE
@RECORD
def scale(what, threads, quick, json_file, picture, record):
    """How a step grows with batch, width, length and depth, its memory with depth, and data loading with workers."""
    results = {
        "machine": protocol.machine(),
        "threads": threads,
        "versions": everything.versions(scale_module.SIDES),
        "scale": {},
    }
    settings = everything.Settings(quick=quick)
    for name in what or (*scale_module.SCALES, "loading"):
        if name == "loading":
            results["loading"] = scale_module.loading(quick)
        else:
            results["scale"][name] = scale_module.measure(name, threads, settings)
        console.print(f"{name}: measured", style="dim")
    for title, head, rows in report.scale_tables(results):
        console.print(report.rich_table(title, head, rows))
    keep(results, RESULTS / "scale.json" if record else json_file, picture, report.scale_picture)


@main.command()
@click.option(
    "--training", "names", multiple=True, type=click.Choice(list(accuracy_module.TRAININGS)), help="One; repeatable."
)
@THREADS
@QUICK
@JSON
@PICTURE
@RECORD
@PEER_FOLDER
def accuracy(names, threads, quick, json_file, picture, record, folder):
    """The same training on the engine, PyTorch and TensorFlow: time to the same accuracy, and accuracy after the same epochs."""
    sides, missing = everything.available(accuracy_module.SIDES, folder)
    for side, how in missing.items():
        console.print(f"{PEERS[side].title} is not installed: {how}", highlight=False)
    versions = everything.versions(sides, folder)
    results = {"machine": protocol.machine(), "threads": threads, "versions": versions, "trainings": {}}
    for name in names or accuracy_module.TRAININGS:
        seeds = 1 if quick else 3
        results["trainings"][name] = accuracy_module.measure(name, sides, threads, seeds, folder=folder)
        console.print(f"{report.TITLES[name]}: trained", style="dim")
    title = f"The same training, digits, {threads} thread{'s' * (threads > 1)}"
    console.print(report.rich_table(title, *report.accuracy_rows(results)))
    keep(results, RESULTS / "accuracy.json" if record else json_file, picture, report.accuracy_picture)


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
    type=click.Choice(STEPS),
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
    for name in names or STEPS:
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
    for name in ("deep-mlp", "lenet", "cifar-cnn"):
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
