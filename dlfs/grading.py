"""Grading: an exercise's tests, run against its solution, its starter or anybody's file. Part of it is a pytest plugin.

    pytest 05_ResNet/analysis/tasks/test_11_stochastic_depth.py                            the solution
    pytest 05_ResNet/analysis/tasks/test_11_stochastic_depth.py --exercise starter
    pytest 05_ResNet/analysis/tasks/test_11_stochastic_depth.py --exercise work/05.11_stochastic_depth.py

The tests are written once and take the fixture `exercise`, the module under test; which file that was is always printed.
`grade` runs them in this process: hundreds of attempts take seconds. Code that may hang wants a process of its own
around it.
"""

import os
import sys
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest

from dlfs.exercises import Exercise, exercise_of, load
from dlfs.studies import ROOT
from utils.files import write_atomically

LISTED = 3  # solutions under test that the summary names one by one: a run of all tests has many


# ---------------------------------------------------------------------------------------------------------- The plugin


def pytest_addoption(parser: pytest.Parser) -> None:
    help = "what an exercise's tests run against: solution, starter, or a file"
    parser.addoption("--exercise", default="solution", metavar="WHICH", help=help)


@pytest.fixture
def exercise(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The module under test: made anew for each test, from the file that --exercise names."""
    which, its = request.config.getoption("--exercise"), exercise_of(request.path)
    path = its.solution if which == "solution" else Path(which)
    if which == "starter":
        path = tmp_path_factory.getbasetemp() / "starter" / its.solution.name
        write_atomically(path, its.starter)
    request.node.user_properties.append(("exercise", str(path)))
    return load(f"exercise_{its.solution.stem}", path)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = [report for kind in ("passed", "failed", "error") for report in terminalreporter.stats.get(kind, [])]
    graded = Counter(dict(getattr(report, "user_properties", ())).get("exercise") for report in reports)
    paths = [path for path in graded if path]
    if len(paths) > LISTED:
        terminalreporter.write_line(f"{len(paths)} files under test, from {paths[0]} to {paths[-1]}")
    else:
        for path in paths:
            terminalreporter.write_line(f"under test: {path}")


# --------------------------------------------------------------------------------------------------------- The grader


class Result(NamedTuple):
    """What one test said."""

    test: str
    outcome: str  # passed, failed or skipped
    raised: type[BaseException] | None
    message: str  # of what was raised; of an assertion what it says, without pytest's own account of the values


class Recorder:
    """Keeps what each test raised, as the plugin of one run of pytest."""

    def __init__(self) -> None:
        self.results: list[Result] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo) -> Generator[None, Any, Any]:
        report = yield
        if report.when == "call" or report.outcome != "passed":
            raised = call.excinfo
            self.results.append(
                Result(item.name, report.outcome, raised and raised.type, said_by(raised.value) if raised else "")
            )
        return report

    @pytest.hookimpl
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.results.append(Result(report.nodeid, "failed", None, str(report.longrepr)))


def said_by(error: BaseException) -> str:
    message, _, _ = str(error).partition("\nassert ")
    return message


def grade(exercise: Exercise, path: Path) -> list[Result]:
    """Run an exercise's tests against a file, in this process, and return what each said."""
    recorder = Recorder()
    options = [
        f"--rootdir={ROOT}",
        "-c",
        str(ROOT / "pyproject.toml"),
        "-p",
        "dlfs.grading",
        f"--exercise={path}",
        "--capture=no",
    ]
    for plugin in (
        "terminal",
        "cacheprovider",
        "xdist",
        "faulthandler",
        "hypothesispytest",
        "unraisableexception",
        "threadexception",
    ):
        options += ["-p", f"no:{plugin}"]
    with as_it_was():
        pytest.main([*options, str(exercise.tests)], plugins=[recorder])
    return recorder.results


@contextmanager
def as_it_was() -> Iterator[None]:
    """A run of pytest within a test of pytest: what it sets for the process is set back."""
    current, argv, path = os.environ.get("PYTEST_CURRENT_TEST"), sys.argv, list(sys.path)
    try:
        yield
    finally:
        sys.argv, sys.path[:] = argv, path
        if current is not None:
            os.environ["PYTEST_CURRENT_TEST"] = current


# -------------------------------------------------------------------------------------------------- What tests assert


def expect(got: Any, expected: Any, called: str, usually: str = "", tolerance: float = 1e-6) -> None:
    """Assert that two arrays, tensors or numbers are equal to a tolerance relative to the expected one's largest value.

    called: the call, with the shapes of what went in: "drop_path(x (4, 8, 2, 2), survival=0.5)".
    usually: what usually causes a difference.
    """
    __tracebackhide__ = True
    a, b = as_array(got), as_array(expected)
    problem = ""
    if a is None:
        problem = f"got       {type(got).__name__}: {got!r:.200}\nexpected  {described(b)}"
    elif a.shape != b.shape:
        problem = f"got       shape {a.shape}\nexpected  shape {b.shape}"
    elif a.size:
        with np.errstate(invalid="ignore"):
            difference = np.abs(np.subtract(a, b, dtype=np.float64))
        difference = np.where(np.isfinite(difference), difference, np.inf)  # NaN is smaller than no bound
        bound = tolerance * (float(np.abs(b).max()) or 1.0)
        if difference.max() > bound:
            at = tuple(int(i) for i in np.unravel_index(difference.argmax(), difference.shape))
            problem = (
                f"got       {described(a)}\nexpected  {described(b)}\n"
                f"differ by {difference.max():.3g} at most{f', at {list(at)}: {a[at]:.6g}, not {b[at]:.6g}' if at else ''}"
            )
    if problem:
        hint = f"\nusually   {usually}" if usually else ""
        raise AssertionError(f"called    {called}\n{problem}{hint}")


def as_array(value: Any) -> Any:
    """An array or tensor of any library, or a number, as a NumPy array; None for anything else."""
    if hasattr(value, "detach"):
        value = value.detach()
    if hasattr(value, "cpu"):
        value = value.cpu()
    if hasattr(value, "numpy"):
        value = value.numpy()
    array = np.asarray(value) if isinstance(value, np.ndarray | np.generic | int | float | list | tuple) else None
    return array if array is not None and array.dtype.kind in "biuf" else None


def described(array: Any) -> str:
    with np.printoptions(precision=4, threshold=12, edgeitems=3, suppress=True):
        values = " ".join(str(array.ravel()).split())
    return f"{array.dtype} {array.shape}: {values}" if array.ndim else f"{array:.6g}"
