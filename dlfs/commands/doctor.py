"""dlfs doctor"""

import importlib
import importlib.metadata
import os
import platform
import re
import shutil
import sys
import tomllib
from dataclasses import dataclass

import click

from dlfs.guides import pinned
from dlfs.studies import ROOT
from utils import data_catalogue as catalogue
from utils.data_loaders import cache_folder

FREE_BYTES = 5 << 30  # PyTorch with the production twins takes about so much
NEEDS = {  # an extra of pyproject.toml: what does not run without it
    "": "nothing runs",
    "torch": "levels 2 and 3: dlfs compare, and dlfs train without --level by-hand or engine",
    "models": "level 4 and the production twins: dlfs read, dlfs convert",
    "numba": "framework.compiled.use_numba(), dlfs train --level engine --compile",
    "tensorboard": "dlfs train --tensorboard",
    "test": "pytest, and with it dlfs exercise check",
    "dev": "make lint",
}
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Check:
    """One line of the report. `mend` is the command that would make it better, where there is one."""

    what: str
    found: str
    ok: bool = True
    lost: str = ""
    mend: str = ""


def required() -> dict[str, list[str]]:
    """The packages that the project asks for, by extra; "" holds those that it always needs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    return {
        extra: [match[0] for line in lines if not line.startswith("dlfs[") and (match := re.match(r"[\w-]+", line))]
        for extra, lines in groups.items()
    }


def version_of(package: str) -> str:
    """The installed version; "" where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def packages() -> list[Check]:
    checks = []
    for extra, names in required().items():
        versions = {name: version_of(name) for name in names}
        missing = [name for name, version in versions.items() if not version]
        others = [
            f"{name} {version} (tested with {pinned(name)})"
            for name, version in versions.items()
            if version and pinned(name) not in ("", version.partition("+")[0])
        ]
        found = ", ".join(f"{name} {version}" for name, version in versions.items() if version) or "nothing"
        if missing:
            found += f"; missing: {', '.join(missing)}"
        if others:
            found += f"; untested versions: {', '.join(others)}"
        install = f'pip install -c constraints.txt -e ".{f"[{extra}]" if extra else ""}"'
        title = f"packages [{extra}]" if extra else "packages"
        checks.append(Check(title, found, not missing, NEEDS.get(extra, ""), install if missing or others else ""))
    return checks


def devices() -> list[Check]:
    """PyTorch's and the engine's accelerators. None is needed: everything runs on the CPU."""
    checks = []
    if version_of("torch"):
        try:
            torch = importlib.import_module("torch")
            there = torch.cuda.is_available()
            found = torch.cuda.get_device_name() if there else "CPU (no CUDA device; nothing here needs one)"
            checks.append(Check("PyTorch runs on", found))
        except (ImportError, OSError, RuntimeError) as error:
            mend = 'pip install --force-reinstall -c constraints.txt -e ".[torch]"'
            checks.append(Check("PyTorch runs on", f"it does not load: {error}", False, NEEDS["torch"], mend))
    cupy = next((name for name in ("cupy-cuda13x", "cupy-cuda12x", "cupy") if version_of(name)), "")
    checks.append(Check("the engine runs on", f"CPU, and on CUDA by {cupy}" if cupy else "CPU (no CuPy)"))
    return checks


def threads() -> Check:
    given = {name: os.environ[name] for name in THREADS if name in os.environ}
    found = ", ".join(f"{name}={value}" for name, value in given.items()) or "as many as the libraries take"
    return Check("threads", f"{os.cpu_count()} cores; {found}")


def disk() -> Check:
    folder = cache_folder()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    lost = "" if free >= FREE_BYTES else "large downloads"
    return Check("disk", f"{free / 2**30:.1f} GiB free at {cache_folder()}", free >= FREE_BYTES, lost)


def data() -> list[Check]:
    given = os.environ.get("DLFS_DATA")
    place = f"DLFS_DATA={given}" if given else f"DLFS_DATA is not set; downloads are kept in {cache_folder()}"
    checks = []
    if given and not os.path.isdir(os.path.expanduser(given)):
        checks.append(Check("data", f"{place}, and that is no folder", False, "data sets in it", "unset DLFS_DATA"))
    else:
        checks.append(Check("data", place))
    for name in catalogue.names():
        facts = catalogue.facts(name)
        if facts.files:
            where = facts.found_in()
            found = f"in {where}" if where else f"not here yet, {facts.size}"
            checks.append(Check(f"  {name}", found, mend="" if where else f"dlfs data get {name}"))
    return checks


def examine() -> list[Check]:
    """Everything that the report says, in its order."""
    here = Check("Python", f"{platform.python_version()} at {sys.executable}, {platform.system()} {platform.machine()}")
    return [here, *packages(), *devices(), threads(), disk(), *data()]


@click.command("doctor")
def command() -> int:
    """Say what is installed and present here, what will not run, and the command that mends it.

    Exit status: 0 when everything runs, 1 when something does not. A data set that is not here yet is no fault:
    it is fetched when it is asked for.
    """
    checks = examine()
    for check in checks:
        click.echo(f"{'✓' if check.ok else '✗'} {check.what}: {check.found}")
        if not check.ok and check.lost:
            click.echo(f"    will not run: {check.lost}")
        if check.mend:
            click.echo(f"    {'mend' if not check.ok else 'if you want it'}: {check.mend}")
    wrong = [check for check in checks if not check.ok]
    click.echo()
    click.echo(f"{len(wrong)} of {len(checks)} need something." if wrong else "Everything here runs.")
    return 1 if wrong else 0
