"""The one full run: every workload on every side, interleaved block by block; `python -m benchmarks`."""

import contextlib
import random
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from dlfs.commands.train import require_device
from utils.errors import DLFSError

from . import protocol
from .peers import FOLDER, PEERS, python_of, version_of
from .peers.worker import SLOW
from .processes import Failed, Process, write_workload

WORKLOADS = ("softmax", "mlp", "lenet", "cifar-cnn", "lstm", "gru", "vae", "gpt", "bert", "vit", "resnet20", "chain")
KINDS = ("step", "forward", "gradients")
BASE = "pytorch"


class Settings:
    """How long to measure: rounds over the sides, seconds of a timed block, and seconds in all for a side on a workload; and to start."""

    def __init__(self, quick=False, start_limit=60):
        self.rounds, self.block, self.budget = (5, 0.03, 0.7) if quick else (9, 0.05, 3.0)
        self.start_limit = start_limit
        self.rest = 0.012


def measure(name, sides, threads, settings, folder=FOLDER, kinds=KINDS, device="cpu"):
    """{side: figures} of one workload; {"missing": why} for a side that does not take part.

    Every side starts from the same weights on the same batch. A side is timed only if its loss before the first update is
    PyTorch's to 1e-4, and the loss after it to 1e-3 (Keras's LSTM has one bias where PyTorch has two, which learn twice as fast).
    """
    results, processes = {}, {}
    with tempfile.TemporaryDirectory() as temporary, contextlib.ExitStack() as stack:
        path = write_workload(name, Path(temporary) / "workload.npz")
        # What compiles does so side by side; the others begin one by one, for the threads of their BLAS, which spin, stop each other.
        compiling = [side for side in sides if PEERS[side].compiles]
        for begun in [compiling, *([side] for side in sides if side not in compiling)]:
            started = time.monotonic()
            for side in begun:
                processes[side] = Process(side, path, threads, folder, device)
                stack.callback(processes[side].close)
            for side in begun:
                try:
                    results[side] = processes[side].answer(
                        max(1.0, settings.start_limit - (time.monotonic() - started))
                    )
                except Failed as failure:
                    late = "compile" if PEERS[side].compiles else "slow"
                    results[side] = {"missing": late if str(failure).startswith("no answer") else str(failure)}
                    processes.pop(side).close()
        for side, why in check_losses(results).items():
            results[side] = {"missing": why}
            processes.pop(side).close()
        interleave(processes, results, settings, kinds)
        for side, process in processes.items():
            if results[side]["seconds"] <= SLOW:
                with contextlib.suppress(Failed):
                    results[side] |= process.ask(60.0, memory=True)
            process.close()
    summarise(results)
    return results


def check_losses(results):
    """{side: why} for every side whose losses are not PyTorch's (without PyTorch, the first side's); a slow side has given fewer."""
    losses = {side: figures["losses"] for side, figures in results.items() if "losses" in figures}
    expected, wrong = losses.get(BASE) or next(iter(losses.values()), None), {}
    for side, ours in losses.items():
        for number, bound in enumerate((1e-4, 1e-4, 1e-3)):
            if not abs(ours[number] - expected[number]) <= bound * max(1.0, abs(expected[number])):
                wrong[side] = f"its first losses are {ours[:3]}, not {expected[:3]}: not timed"
                break
    return wrong


def interleave(processes, results, settings, kinds=KINDS):
    """Time all sides block by block in random order; results[side]["blocks"][kind] = {round: seconds a step}."""
    spent, guess = dict.fromkeys(processes, 0.0), {}
    for side in processes:
        results[side]["blocks"] = {kind: {} for kind in kinds}
        if results[side]["seconds"] > SLOW:
            results[side]["blocks"]["step"][0] = results[side]["seconds"]
    quick_enough = [side for side in processes if results[side]["seconds"] <= SLOW]
    for side in quick_enough:
        guess[side] = {kind: processes[side].ask(time=kind, repeats=1, warm=1)["seconds"] for kind in kinds}
    order = random.Random(0)
    for number in range(settings.rounds):
        for side in order.sample(quick_enough, len(quick_enough)):
            if number and spent[side] > settings.budget:
                continue
            start = time.monotonic()
            for kind in kinds:
                step = guess[side][kind]
                time.sleep(settings.rest)
                repeats = max(1, round(settings.block / step))
                figures = processes[side].ask(time=kind, repeats=repeats, warm=2 if step < 0.3 else 1)
                results[side]["blocks"][kind][number] = figures["seconds"]
            spent[side] += time.monotonic() - start


def summarise(results):
    """From the blocks of each kind: median, minimum, and the ratio to PyTorch eager with the middle half of the rounds' own ratios."""
    all_blocks = {side: figures.pop("blocks") for side, figures in results.items() if "blocks" in figures}
    for side, kinds in all_blocks.items():
        for kind, blocks in kinds.items():
            if not blocks:  # a slow side's
                continue
            median, base = statistics.median(blocks.values()), all_blocks.get(BASE, {}).get(kind)
            figures = {"median_ms": 1e3 * median, "minimum_ms": 1e3 * min(blocks.values()), "blocks": len(blocks)}
            if base:
                pairs = sorted(seconds / base[number] for number, seconds in blocks.items() if number in base)
                quarter = len(pairs) // 4
                figures |= {
                    "ratio": median / statistics.median(base.values()),
                    "low": pairs[quarter],
                    "high": pairs[-1 - quarter],
                }
            results[side][kind] = figures


def import_seconds(side, folder=FOLDER, times=3):
    """The median time to import a side's library in a new process, less that of an empty one."""
    modules = {
        "engine": "framework",
        "numba": "framework.kernels",
        "by hand": "numpy",
        "pytorch": "torch",
        "autograd": "autograd.numpy",
    }
    module = modules.get(side, side)
    root = str(Path(__file__).resolve().parents[1])
    code = f"import sys; sys.path.insert(0, {root!r})\n" if not PEERS[side].installs else "import sys\n"
    if side in ("chainer", "dezero"):
        code += (
            f"sys.path.insert(0, {root!r}); from benchmarks.peers import old_numpy; sys.path.pop(0); old_numpy.mend()\n"
        )
    code += f"import time; start = time.perf_counter(); import {module}; print(time.perf_counter() - start)"
    command = [str(python_of(side, folder)), "-P", "-c", code]
    environment = protocol.environment(1)
    environment.pop("PYTHONPATH", None)
    found = []
    for _ in range(times):
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode == 0:
            found.append(float(done.stdout.split()[-1]))
    return statistics.median(found) if found else None


def check_device(device, sides):
    """Refuse a device that is not there, and sides that were asked for and have no GPU version."""
    if device == "cpu":
        return
    if lacking := [side for side in sides if not PEERS[side].on_gpu]:
        raise DLFSError(
            f"--device {device}: {', '.join(lacking)} runs on a CPU alone here; leave --side out, or --device"
        )
    for level in ("engine", "paper"):
        require_device(device, [level])


def available(sides, folder=FOLDER):
    """Those of the sides that can run, and {side: how to install it} for the others."""
    import importlib.util

    missing = {}
    for side in sides:
        if python_of(side, folder) is None:
            missing[side] = f"python -m benchmarks install-peers {side}"
        elif (extra := PEERS[side].package) in ("torch", "numba") and importlib.util.find_spec(extra) is None:
            missing[side] = f'pip install -c constraints.txt -e ".[{extra}]"'
    return [side for side in sides if side not in missing], missing


def versions(sides, folder=FOLDER):
    return {side: version_of(side, folder) for side in sides}
