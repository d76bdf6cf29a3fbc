"""The sides of `python -m benchmarks`: each runs in a process of its own, and what is not the project's in an environment of its own.

`python -m benchmarks install-peers` makes those environments, one for each peer, in .peers/ beside the project's folders. They cannot be
an extra of the project: the original DeZero and our dezero/ have one name, and each of the old ones wants other versions of the rest.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / ".peers"


@dataclass(frozen=True)
class Peer:
    """A side: its title in tables, the distribution whose version is reported, and the pip installs that its environment takes."""

    title: str
    package: str
    installs: tuple[tuple[str, ...], ...] = ()  # none: it runs in the project's own environment
    compiles: bool = False  # the first step takes seconds or minutes
    numpy_based: bool = False
    on_gpu: bool = False  # takes part with --device cuda


PEERS = {
    "engine": Peer("engine", "dlfs", numpy_based=True, on_gpu=True),
    "numba": Peer("engine, numba", "numba", compiles=True),
    "by hand": Peer("by hand", "numpy", numpy_based=True),
    "pytorch": Peer("PyTorch eager", "torch", on_gpu=True),
    "compiled": Peer("PyTorch compiled", "torch", compiles=True, on_gpu=True),
    "jax": Peer("JAX jit", "jax", (("jax",),), compiles=True),
    "tensorflow": Peer("TensorFlow graph", "tensorflow-cpu", (("tensorflow-cpu",),), compiles=True),
    "tinygrad": Peer("tinygrad TinyJit", "tinygrad", (("tinygrad", "numpy"),), compiles=True),
    "dezero": Peer("DeZero", "dezero", (("dezero", "matplotlib"),), numpy_based=True),
    "chainer": Peer(
        "Chainer",
        "chainer",
        (("setuptools<80", "wheel"), ("--no-build-isolation", "chainer")),  # its setup.py imports pkg_resources
        numpy_based=True,
    ),
    "autograd": Peer("HIPS autograd", "autograd", (("autograd", "scipy"),), numpy_based=True),
    "mygrad": Peer("MyGrad", "mygrad", (("mygrad", "numba", "scipy"),), numpy_based=True),
}
INSTALLABLE = tuple(name for name, peer in PEERS.items() if peer.installs)


def python_of(name, folder=FOLDER):
    """The Python that runs a side, or None where its environment is not there."""
    if not PEERS[name].installs:
        return Path(sys.executable)
    path = folder / name / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    return path if (folder / name / "installed").exists() else None


def version_of(name, folder=FOLDER):
    """The version of a side's package in its environment."""
    code = f"from importlib.metadata import version; print(version({PEERS[name].package!r}))"
    done = subprocess.run([python_of(name, folder), "-c", code], capture_output=True, text=True)
    return done.stdout.strip() or "?"


def install(name, folder=FOLDER):
    """Make a peer's environment anew; return None, or the last lines of the error."""
    target = folder / name
    commands = [[sys.executable, "-m", "venv", "--clear", str(target)]]
    python = str(target / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python"))
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in commands + [[*pip, *packages] for packages in PEERS[name].installs]:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            return done.stderr.strip()[-500:]
    (target / "installed").touch()
    return None
