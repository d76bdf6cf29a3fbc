"""The fair protocol: the same settings for every side, set before start, and the sides interleaved in random order.

PyTorch at its best needs the same two things as NumPy: an allocator that keeps freed blocks, and an OpenBLAS whose worker does not spin
while another library wants the core. Both are settings of the environment, so each workload runs in a process of its own that starts with them.
"""

import dataclasses
import os
import platform
import random
import statistics
import subprocess
import sys
import time

CHOICES_OF_KERNELS = (
    "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "MKL_ENABLE_INSTRUCTIONS", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY",
)  # fmt: skip


def environment(threads):
    """The environment in which every side runs, with the given number of threads, and with the kernels that its libraries choose for the processor."""
    inherited = {name: value for name, value in os.environ.items() if name not in CHOICES_OF_KERNELS}
    counts = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    return inherited | counts | {
        "OPENBLAS_THREAD_TIMEOUT": "16",
        "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
        "MALLOC_TRIM_THRESHOLD_": str((1 << 31) - 1),
    }  # fmt: skip


def in_a_process(module, *arguments, threads):
    """Run `python -m module arguments` under the protocol's environment and return what it prints; RuntimeError with its error if it fails."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, env=environment(threads), capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[2:])} failed:\n{done.stderr.strip()[-2000:]}")
    return done.stdout


@dataclasses.dataclass
class Timing:
    """Seconds per step of one side, over all timed blocks."""

    seconds: list

    @property
    def median(self):
        return statistics.median(self.seconds)

    @property
    def minimum(self):
        return min(self.seconds)


def interleave(steps, pairs=15, seconds_per_block=0.05, rest=0.012):
    """Time every side of {name: step} `pairs` times in random order; return {name: Timing}.

    Before each timed block: a rest, in which the other side's threads stop spinning, and two steps that are not timed.
    """
    repeats = {}
    for name, step in steps.items():
        step()
        start = time.perf_counter()
        step()
        repeats[name] = max(1, round(seconds_per_block / (time.perf_counter() - start)))
    timings = {name: Timing([]) for name in steps}
    order = random.Random(0)
    for _ in range(pairs):
        for name in order.sample(list(steps), len(steps)):
            step = steps[name]
            time.sleep(rest)
            step()
            step()
            start = time.perf_counter()
            for _ in range(repeats[name]):
                step()
            timings[name].seconds.append((time.perf_counter() - start) / repeats[name])
    return timings


def ratio_spread(ours, theirs):
    """The ratio of medians, and the middle half of the pairwise ratios."""
    ratios = sorted(a / b for a, b in zip(ours.seconds, theirs.seconds, strict=True))
    quarter = len(ratios) // 4
    return ours.median / theirs.median, ratios[quarter], ratios[-1 - quarter]


def machine(device="cpu"):
    """Processor, cores, Python and the versions of the libraries that are measured; on a GPU, its name and CuPy's version, too."""
    from importlib.metadata import PackageNotFoundError, version

    versions = []
    for package in ("numpy", "torch"):
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            versions.append(f"{package} missing")
    if device != "cpu":
        import cupy
        import torch

        versions = [torch.cuda.get_device_name(device), *versions, f"cupy {cupy.__version__}"]
    return f"{processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, {', '.join(versions)}"


def processor():
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
