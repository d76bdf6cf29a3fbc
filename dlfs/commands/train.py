"""dlfs train"""

import contextlib
import dataclasses
import functools
import json
import os
import platform
import re
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import click
import numpy as np
from click.core import ParameterSource
from rich.console import Console

from dlfs.levels import TITLES, Level, State, build_level, import_torch, initial_level
from dlfs.results import CURVES, RUN, Run, data_of, read_run, trained_weights
from dlfs.studies import Study, find_written_study
from dlfs.terminal import table
from framework import distributed
from framework.callbacks import Callback, Progress, TensorBoard, figure
from framework.compiled import use_numba
from framework.threads import set_num_threads, threads_of_blas
from framework.trainer import checkpoint_interval
from utils.data_loaders import Dataset, Split, load
from utils.errors import DLFSError, UsageError
from utils.files import write_atomically
from utils.training_utils import CHECKPOINT, Plan, Row, accuracy, example_pairs, final_figures, read_checkpoint, train
from utils.visualization import plot_curves

FASTER = ("compile", "bf16", "fp16", "channels_last")  # what TensorLevel.speed_up takes
INTERRUPTED = 130  # 128 + SIGINT, as shells have it


@click.command("train")
@click.argument("model")
@click.option("--level", default="all", show_default=True, help="by-hand, engine, lowlevel, paper, or all of them.")
@click.option(
    "--data", help="The data set, or another of the model's recipes; by default the first, which needs no download."
)
@click.option("--epochs", type=click.IntRange(min=1), help="By default the recipe's.")
@click.option("--batch-size", type=click.IntRange(min=1), help="By default the recipe's.")
@click.option("--lr", type=click.FloatRange(min=0, min_open=True), help="The learning rate; by default the recipe's.")
@click.option("--augment", is_flag=True, help="Distort the training images at random, as the recipe says.")
@click.option("--accumulate", type=click.IntRange(min=1), default=1, help="Make one step of so many batches.")
@click.option(
    "--clip",
    type=click.FloatRange(min=0, min_open=True),
    help="Limit the norm of the gradients; by default as the recipe says.",
)
@click.option(
    "--ema",
    type=click.FloatRange(min=0, max=1, max_open=True),
    help="Evaluate with a moving average of the weights; its decay, such as 0.999.",
)
@click.option(
    "--early-stopping",
    metavar="EPOCHS",
    type=click.IntRange(min=1),
    help="Stop when the validation loss has not fallen for so many epochs, and keep the best weights.",
)
@click.option(
    "--from",
    "from_",
    metavar="RUN",
    type=click.Path(path_type=Path, file_okay=False),
    help="Start from the weights of another run of MODEL, in all that both have; the rest starts anew.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Fixes weights and batches.")
@click.option(
    "--save-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the run is kept; by default a new folder in runs/.",
)
@click.option(
    "--checkpoint-every",
    metavar="STEPS|SECONDSs",
    help="Besides after each epoch, write a checkpoint every so many steps (200) or seconds (30s).",
)
@click.option(
    "--compile",
    is_flag=True,
    help="Levels 2 and 3: run the model through torch.compile; engine: compute norms by numba's loops.",
)
@click.option("--bf16", is_flag=True, help="Levels 2 and 3: products and convolutions in bfloat16, by autocast.")
@click.option(
    "--fp16",
    is_flag=True,
    help="All levels but by-hand: products and convolutions in float16, by autocast, and the loss scaled.",
)
@click.option("--channels-last", is_flag=True, help="Levels 2 and 3: the channels of images innermost in memory.")
@click.option("--tensorboard", is_flag=True, help="Write the curves for TensorBoard, too.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, or cuda:N.")
@click.option(
    "--resume",
    metavar="RUN",
    type=click.Path(path_type=Path, file_okay=False),
    help="Go on with a run; only --epochs may be given besides.",
)
@click.pass_context
def command(ctx: click.Context, model: str, resume: Path | None, **options: Any) -> None:
    """Train MODEL at one level or at all of them.

    With --level all, every level starts from the same weights and sees the same batches, and one picture shows all
    curves. by-hand and engine need no PyTorch. The run's folder holds run.json, curves.png, and for each level log.jsonl
    and a checkpoint, which is written anew after every epoch. A run that was killed goes on with --resume, to the same
    weights, bit for bit.

    Several processes train together by torchrun --nproc-per-node N -m dlfs train MODEL …: each computes its share of
    every batch. With --max-restarts they need --save-dir, and go on from the last checkpoint where one of them dies.
    """
    study = find_written_study(model)
    given = {
        name: value for name, value in options.items() if ctx.get_parameter_source(name) != ParameterSource.DEFAULT
    }
    device = read_run(resume)["device"] if resume else options["device"]
    with distributed.launched(device) as world:
        begin(study, resume, given, options, world)


def begin(
    study: Study, resume: Path | None, given: dict[str, Any], options: dict[str, Any], world: distributed.World
) -> None:
    """Begin a run, or go on with one."""
    if resume:
        wrong = ", ".join(option(name) for name in given if name != "epochs")
        if wrong:
            raise UsageError(f"--resume takes all settings but --epochs from the run; leave out {wrong}")
        folder, run = resume, read_run(resume)
        if run["model"] != study.folder.name:
            raise DLFSError(f"{resume} holds a run of {run['model']}: dlfs train {run['model'][:2]} --resume {resume}")
        require_device(run["device"], run["levels"])
        if given:
            run["epochs"] = options["epochs"]
            run["command"] = re.sub(r" --epochs \d+", "", run["command"]) + f" --epochs {run['epochs']}"
    else:
        if os.environ.get("TORCHELASTIC_MAX_RESTARTS", "0") != "0" and not options["save_dir"]:
            raise UsageError("--max-restarts: name the run's folder by --save-dir, so that a restart finds it")
        run = new_run(study, given, **options)
        run["processes"] = world.size
        if world.size > 1:
            run["command"] = f"torchrun --nproc-per-node {world.size} -m {run['command']}"
        folder = world.first(
            options["save_dir"] or Path("runs", f"{study.folder.name}-{run['data']}-{time.strftime('%Y%m%d-%H%M%S')}")
        )
        exists = world.first((folder / RUN).exists())
        if exists and world.restarts:
            run = read_run(folder)
        elif exists:
            raise UsageError(
                f"{folder} holds a run already: go on with it by --resume {folder}, or name another folder"
            )
    processes = run.get("processes", 1)
    if processes != world.size:
        started = f"torchrun --nproc-per-node {processes} -m" if processes > 1 else "python -m"
        raise UsageError(f"{folder} is a run of {processes} processes, not {world.size}: start {started} dlfs train")
    execute(study, run, folder, world)


def option(name: str) -> str:
    return "--" + name.rstrip("_").replace("_", "-")


def command_line(study: Study, data: str, given: dict[str, Any]) -> str:
    """The command that repeats a run, wherever it is to be kept."""
    words = ["dlfs", "train", study.number]
    for name, value in {"level": "all", "data": data, **given}.items():
        if name != "save_dir":
            words += [option(name)] if value is True else [option(name), str(value)]
    return " ".join(words)


def new_run(
    study: Study,
    given: dict[str, Any],
    level: str,
    data: str | None,
    epochs: int | None,
    batch_size: int | None,
    lr: float | None,
    augment: bool,
    accumulate: int,
    clip: float | None,
    ema: float | None,
    early_stopping: int | None,
    from_: Path | None,
    seed: int,
    device: str,
    save_dir: Path | None,
    checkpoint_every: str | None,
    tensorboard: bool,
    compile: bool,
    bf16: bool,
    fp16: bool,
    channels_last: bool,
) -> Run:
    """The facts of a run, checked, as run.json keeps them."""
    levels = list(study.levels) if level == "all" else [level]
    study.require_level(levels[0])
    if bf16 and fp16:
        raise UsageError("--bf16 or --fp16, not both: a product has one precision")
    if fp16 and "by-hand" in levels:
        raise UsageError(
            f"by-hand has no --fp16: give --level {', --level '.join(sorted(set(study.levels) - {'by-hand'}))}"
        )
    faster = [name for name in FASTER if given.get(name) and name != "fp16"]
    for name in sorted(set(levels) - {"lowlevel", "paper"}):
        lacks = [option(other) for other in faster if (name, other) != ("engine", "compile")]
        if lacks:
            raise UsageError(f"{name} has no {', '.join(lacks)}: give --level paper or --level lowlevel besides")
    data, recipe = study.recipe(data)
    if augment and "augment" not in recipe:
        having = ", ".join(name for name, other in study.fact("RECIPES").items() if "augment" in other) or "none"
        raise UsageError(f"{study.folder.name} has no --augment for {data}. Data with one: {having}")
    try:
        checkpoint_interval(checkpoint_every)
    except ValueError as error:
        raise UsageError(f"--checkpoint-every: {error}") from None
    require_device(device, levels)
    return {
        "model": study.folder.name,
        "command": command_line(study, data, given),
        "data": data,
        "levels": levels,
        "config": dataclasses.asdict(recipe["config"]),
        "epochs": epochs or recipe["epochs"],
        "batch_size": batch_size or recipe["batch_size"],
        "lr": lr or recipe["lr"],
        "optimizer": recipe["optimizer"],
        "augment": augment,
        "accumulate": accumulate,
        "clip": clip or recipe.get("clip"),
        "ema": recipe.get("ema") if ema is None else ema,
        "early_stopping": early_stopping or recipe.get("early_stopping"),
        "checkpoint_every": checkpoint_every,
        "tensorboard": tensorboard,
        "compile": compile,
        "bf16": bf16,
        "fp16": fp16,
        "channels_last": channels_last,
        "from": str(from_) if from_ else None,
        "seed": seed,
        "device": device,
        "versions": versions(levels, compile),
        "machine": machine("cpu" if levels == ["by-hand"] else device),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def versions(levels: list[str], compile: bool) -> dict[str, str]:
    """What computed the numbers."""
    used = ["numpy"] + (["torch"] if {"lowlevel", "paper"} & set(levels) else [])
    used += ["numba"] if compile and "engine" in levels else []
    found = {"Python": platform.python_version()}
    for name in used:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine(device: str) -> str:
    """The processor, in words, and the GPU where the run is on one."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    processors = f"{os.cpu_count()} × {name}, {platform.system()}"
    return processors if device == "cpu" else f"{gpu_name(device)}; {processors}"


def gpu_name(device: str) -> str:
    """What a GPU calls itself, by PyTorch where it is installed, else by CuPy."""
    index = int(device.partition(":")[2] or 0)
    with contextlib.suppress(ImportError):
        import torch

        return torch.cuda.get_device_name(index)
    from framework import backend

    return backend.cupy().cuda.runtime.getDeviceProperties(index)["name"].decode()


def execute(study: Study, run: Run, folder: Path, world: distributed.World) -> None:
    """Train every level of the run, draw the curves, and say what came out; of several processes the first draws and says."""
    console = Console(quiet=not world.is_first)
    try:
        use_numba(bool(run.get("compile")) and "engine" in run["levels"])
    except (ImportError, RuntimeError) as error:
        raise UsageError(f"--compile: {error}") from None
    set_num_threads(threads_of_blas())
    data_name, recipe = study.recipe(run["data"])
    config = recipe["config"]
    if json.loads(json.dumps(dataclasses.asdict(config))) != json.loads(json.dumps(run["config"])):
        raise DLFSError(f"{folder / RUN} is of another config than the recipe for {data_name} has now; begin a new run")
    data = study.examples(recipe, load(recipe["data"]))
    plan = make_plan(study, run, recipe)
    levels = {}
    for name in run["levels"]:
        device = "cpu" if name == "by-hand" and len(run["levels"]) > 1 else run["device"]
        if device == "cuda" and world.size > 1:
            device = f"cuda:{world.local_rank}"
        levels[name] = build_level(study, name, config, device=device)
        check_batch(levels[name], data, plan)
    callbacks = {name: watchers(run, level.title, folder / name, console) for name, level in levels.items()}
    start = initial_level(study, config, run["seed"]).state()
    if run.get("from"):
        start = continued(study, start, Path(run["from"]), console)
    if world.is_first:
        write_atomically(folder / RUN, json.dumps(run, indent=1, ensure_ascii=False) + "\n")
    console.print(
        f"{study.fact('NAME')} on {data_name}: {len(data.train):,} examples to train on, {len(data.valid):,} to validate, "
        f"{len(data.test):,} to test; {plan.epochs} epoch{'s' * (plan.epochs > 1)}, batches of {plan.batch_size}, {plan.optimizer}, lr {plan.lr:g}, "
        f"seed {plan.seed}",
        highlight=False,
    )
    histories: dict[str, list[Row]] = {}
    for name, level in levels.items():
        level.load_state(start)
        if any(run.get(name) for name in FASTER):
            level.speed_up(**{name: bool(run.get(name)) for name in FASTER})  # type: ignore[attr-defined]
        if world.size > 1:
            level.distribute()
        try:
            histories[name] = train(level, data, plan, folder / name, callbacks[name])
        except KeyboardInterrupt:
            raise interrupted(study, folder, name) from None
        if world.is_first:
            draw(study, run, histories, folder / CURVES)
    show_summary(console, histories)
    console.print(f"The run is in {folder}; its curves are {folder / CURVES}", highlight=False, soft_wrap=True)


def continued(study: Study, start: State, folder: Path, console: Console) -> State:
    """The weights to start from, with those of another run wherever it has parameters of the same names."""
    other = read_run(folder)
    if other["model"] != study.folder.name:
        raise DLFSError(f"--from: {folder} holds a run of {other['model']}, not of {study.folder.name}")
    found = trained_weights(folder, other["levels"][-1])
    shared = [name for name in start if name in found]
    for name in shared:
        if found[name].shape != start[name].shape:
            shapes = f"{found[name].shape} there and {start[name].shape} here"
            raise DLFSError(f"--from: {folder} is of another config: {name} is {shapes}")
    new, left = (", ".join(name for name in a if name not in b) or "none" for a, b in ((start, found), (found, start)))
    console.print(
        f"{len(shared)} parameters are those of {folder}. New: {new}. Not taken over: {left}",
        highlight=False,
        soft_wrap=True,
    )
    return {**start, **{name: found[name] for name in shared}}


def watchers(run: Run, title: str, folder: Path, console: Console) -> list[Callback]:
    """What shows how a level's training goes."""
    try:
        return [Progress(title, console)] + ([TensorBoard(folder / "tensorboard")] if run.get("tensorboard") else [])
    except ImportError as error:
        raise DLFSError(f"--tensorboard: {error}") from None


def make_plan(study: Study, run: Run, recipe: dict[str, Any]) -> Plan:
    """The plan of a run: its numbers, and from the study how a batch is made and what is measured."""
    training_batch = recipe.get("training_batch", getattr(study.facts, "training_batch", None))
    return Plan(
        epochs=run["epochs"],
        batch_size=run["batch_size"],
        lr=run["lr"],
        optimizer=run["optimizer"],
        optimizer_options=recipe.get("optimizer_options", {}),
        seed=run["seed"],
        make_batch=functools.partial(training_batch, recipe["config"]) if training_batch else example_pairs,
        metrics=recipe.get("metrics", {"accuracy": accuracy}),
        augment=recipe["augment"] if run.get("augment") else None,
        schedule=recipe.get("schedule", "constant"),
        steps_per_epoch=recipe.get("steps_per_epoch"),
        lengths=recipe.get("lengths"),
        final_metrics=recipe.get("final_metrics", {}),
        evaluation_batch_size=recipe.get("evaluation_batch_size", 1000),
        accumulate=run.get("accumulate", 1),
        clip=run.get("clip"),
        ema=run.get("ema"),
        early_stopping=run.get("early_stopping"),
        checkpoint_every=run.get("checkpoint_every"),
    )


def require_device(device: str, levels: list[str]) -> None:
    """UsageError for a word that is no device, DLFSError where the machine lacks it, or PyTorch where a level needs that."""
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise UsageError(f"there is no device {device!r}. Valid: cpu, cuda, cuda:N")
    if {"lowlevel", "paper"} & set(levels):
        torch = import_torch()
        if device != "cpu" and not torch.cuda.is_available():
            raise DLFSError("PyTorch sees no CUDA device here; stay on --device cpu")
    if "engine" in levels and device != "cpu":
        from framework import backend

        try:
            backend.cupy()
        except RuntimeError as error:
            raise DLFSError(str(error)) from None


def check_batch(level: Level, data: Dataset, plan: Plan) -> None:
    """DLFSError that says why, if the level does not take what the data set gives."""
    batch = plan.make_batch(data.train.x[:2], data.train.y[:2], np.random.default_rng(0))
    try:
        level.predict(*batch)
        two = dataclasses.replace(data, test=Split(data.test.x[:2], data.test.y[:2]))
        final_figures(level, two, plan)  # better now than after hours of training
    except (ValueError, TypeError, RuntimeError) as error:
        raise DLFSError(f"{level.title} does not take the batches of {data.name}: {error}") from error


def interrupted(study: Study, folder: Path, level: str) -> DLFSError:
    """What to say after Ctrl-C: which checkpoint is whole, and how to go on."""
    path = folder / level / CHECKPOINT
    go_on = f"Go on with: dlfs train {study.number} --resume {folder}"
    if path.exists():
        checkpoint = read_checkpoint(path)
        place = f"epoch {checkpoint['rows'][-1]['epoch']} (step {checkpoint['step']})"
        error = DLFSError(f"interrupted. The checkpoint of {place} is whole: {path}\n{go_on}")
    else:
        error = DLFSError(f"interrupted before the first checkpoint of {level}.\n{go_on}")
    error.exit_status = INTERRUPTED
    return error


# ------------------------------------------------------------------------------------------------- What came out


def draw(study: Study, run: Run, histories: dict[str, list[Row]], path: Path) -> None:
    """The curves of all levels in one picture: training loss, and each metric on the validation set."""
    quantities = {"train_loss": f"training {study.loss_name}", "valid_loss": f"validation {study.loss_name}"}
    quantities |= {
        key: f"validation {key.removeprefix('valid_').replace('_', ' ')}"
        for row in histories.values()
        for key in row[0]
        if key.startswith("valid_") and key not in quantities
    }
    if len(quantities) > 2 and study.loss_name == "loss":
        del quantities["valid_loss"]  # a metric says more
    panels = {
        label: {TITLES[level]: curve(rows, key) for level, rows in histories.items()}
        for key, label in quantities.items()
    }
    title = (
        f"{study.fact('NAME')} on {data_of(run)}, batches of {run['batch_size']}, lr {run['lr']:g}, seed {run['seed']}"
    )
    plot_curves(path, title, panels)


def curve(rows: list[Row], key: str) -> tuple[list[float], list[float]]:
    points = [(row["epoch"], row[key]) for row in rows if key in row and row["epoch"] > 0]
    return [x for x, _ in points], [y for _, y in points]


def show_summary(console: Console, histories: dict[str, list[Row]]) -> None:
    """A line for each level: its last epoch and the test set; and how far the levels' losses lie apart."""
    lasts = {}
    for level, rows in histories.items():
        lasts[level] = {**rows[-2], **rows[-1], "seconds": sum(row.get("seconds", 0) for row in rows)}
    quantities = [key for key in next(iter(lasts.values())) if key not in ("epoch", "step", "seconds")]
    shown = table("level", *(key.replace("_", "\n") for key in quantities), "training\ntook")
    for level, last in lasts.items():
        shown.add_row(
            TITLES[level], *(figure(key, last[key]) for key in quantities), figure("seconds", last["seconds"])
        )
    console.print(shown)
    if len(histories) > 1:
        losses = [curve(rows, "train_loss")[1] for rows in histories.values()]
        apart = max(max(at_epoch) - min(at_epoch) for at_epoch in zip(*losses))
        console.print(
            f"In no epoch do the training losses of two levels differ by more than {apart:.1e}.", highlight=False
        )
