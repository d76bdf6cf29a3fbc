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
import traceback
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest

from dlfs.attempts import Blank
from dlfs.exercises import Exercise, exercise_of, load
from dlfs.studies import ROOT
from utils.files import write_atomically

FOLDERS_OF_TASKS = ("exercises", "tasks")  # whose tests have nothing to say of a model's own file
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
    file: str = ""  # where: in the file under test, if it came through there, else in the test
    line: int = 0


class Recorder:
    """Keeps what each test raised, as the plugin of one run of pytest."""

    def __init__(self, path: Path) -> None:
        self.path, self.results = path, list[Result]()

    def begin(self, test: str) -> None:
        """A test begins."""

    def add(self, result: Result) -> None:
        """A test has ended."""
        self.results.append(result)

    @pytest.hookimpl
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self.begin(item.name)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo) -> Generator[None, Any, Any]:
        report = yield
        if report.when == "call" or report.outcome != "passed":
            raised = call.excinfo
            self.add(
                Result(item.name, report.outcome, raised.type, said_by(raised.value), *self.place(raised, item))
                if raised
                else Result(item.name, report.outcome, None, "")
            )
        return report

    def place(self, raised: pytest.ExceptionInfo, item: pytest.Item) -> tuple[str, int]:
        """Where it was raised: the innermost line of the file under test, else of the test's file."""
        if isinstance(raised.value, SyntaxError) and raised.value.filename == str(self.path):
            return str(self.path), raised.value.lineno or 0
        for file in (self.path, item.path):
            lines = [entry.lineno + 1 for entry in raised.traceback if Path(entry.path) == file]
            if lines:
                return str(file), lines[-1]
        return "", 0

    @pytest.hookimpl
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.add(Result(report.nodeid, "failed", None, str(report.longrepr)))


def said_by(error: BaseException) -> str:
    message, _, _ = str(error).partition("\nassert ")
    return message


def grade(exercise: Exercise, path: Path, recorder: Recorder | None = None) -> list[Result]:
    """Run an exercise's tests against a file, in this process, and return what each said."""
    recorder = recorder or Recorder(path)
    run_pytest([f"--exercise={path}", str(exercise.tests)], recorder)
    return recorder.results


def run_pytest(arguments: list[str], recorder: Recorder) -> None:
    """Run pytest in this process, quietly, with what each test says going to the recorder alone."""
    options = [f"--rootdir={ROOT}", "-c", str(ROOT / "pyproject.toml"), "-p", "dlfs.grading", "--capture=no"]
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
        pytest.main([*options, *arguments], plugins=[recorder])


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


# ------------------------------------------------------------------------------------------------ A blanked function


def grade_blank(blank: Blank, path: Path, recorder: Recorder) -> list[Result]:
    """Grade a copy of a level's file in which a function was written anew.

    First the level that it makes is compared with the paper's file on the engine, which says where they part; then it
    stands in for the model's own module, and the model's tests run, without those that look for words in its source.
    """
    module = stand_in(blank, path, recorder)
    if module is None:
        return recorder.results
    for variant, level in compared_variants(blank):
        recorder.begin("comparison")
        recorder.add(compare_blank(blank, variant, level, module, recorder))
    if all(result.outcome == "passed" for result in recorder.results):
        tests = [
            str(test) for test in sorted(blank.folder.rglob("test_*.py")) if test.parent.name not in FOLDERS_OF_TASKS
        ]
        run_pytest(["-x", "-k", "not mutant", *tests], recorder)
    return recorder.results


def stand_in(blank: Blank, path: Path, recorder: Recorder) -> ModuleType | None:
    """The learner's file as the model's module, which it is from now on in this process; None if it cannot be read."""
    name = blank.study.module(blank.file).__name__
    module = ModuleType(name)
    module.__file__, module.__package__ = str(path), name.rpartition(".")[0]
    module.__spec__ = ModuleSpec(name, None, origin=str(path))
    try:
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), module.__dict__)
    except Exception as error:
        recorder.add(failure("reading the file", error, path))
        return None
    sys.modules[name] = module
    setattr(sys.modules[module.__package__], name.rpartition(".")[2], module)
    return module


def compared_variants(blank: Blank) -> Iterator[tuple[str, str]]:
    """The variants whose level the file makes, and that level."""
    for variant, config in blank.study.fact("VARIANTS").items():
        _, files = blank.study.model(config)
        for level in ("by-hand", "lowlevel", "paper"):
            if files.get(level) == blank.file:
                yield variant, level


def compare_blank(blank: Blank, variant: str, level: str, module: ModuleType, recorder: Recorder) -> Result:
    """Compare the learner's level with the paper's file on the engine; a failure says in what they differ and where first."""
    from dlfs.compare import compare_study, starts
    from dlfs.levels import build_level
    from dlfs.trace import compare_traces

    study, name = blank.study, f"{variant}: the same numbers as the paper's file"
    config = study.config(variant)
    try:
        levels = {
            "yours": build_level(study, level, config, dtype="float64", module=module),
            "engine": build_level(study, "engine", config, dtype="float64"),
        }
        for comparison in compare_study(study, variant, levels):
            pair = comparison.worst
            if pair.ok:
                continue
            parted = "\n".join(
                f"{quantity:19} differs by {difference.value:.2g} {difference.where}"
                for quantity, difference in pair.differences.items()
                if not difference.ok
            )
            start = next(start for start in starts(study, config) if start.weights == comparison.weights)
            for its in levels.values():
                its.load_state(start.state)
            steps = compare_traces(levels["yours"], levels["engine"], start.inputs, start.targets)
            first = next((step for step in steps if not step.ok), None)
            where = f"\nthey first part at   {first.name} {first.shape}, by {first.difference:.2g}" if first else ""
            message = f"called    {variant} with {comparison.weights} weights, one batch\n{parted}{where}"
            return Result(name, "failed", AssertionError, message, str(recorder.path))
    except Exception as error:
        return failure(name, error, recorder.path)
    return Result(name, "passed", None, "")


def failure(test: str, error: Exception, path: Path) -> Result:
    """What was raised while the learner's file was read or run, with its line there."""
    lines = [frame.lineno or 0 for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    if isinstance(error, SyntaxError) and error.filename == str(path):
        lines = [error.lineno or 0]
    return Result(test, "failed", type(error), str(error), str(path), lines[-1] if lines else 0)


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


def expect_same(got: Any, expected: Any, called: str, usually: str = "") -> None:
    """Assert that two things are equal that are no arrays: tokens, places, lists of them. called and usually as in `expect`."""
    __tracebackhide__ = True
    if got != expected:
        hint = f"\nusually   {usually}" if usually else ""
        raise AssertionError(f"called    {called}\ngot       {got!r:.300}\nexpected  {expected!r:.300}{hint}")


def numerical_gradient(f: Callable[[], Any], array: np.ndarray, eps: float = 1e-6) -> np.ndarray:
    """df/darray of an f() that reads a float64 array, by central differences: (*array.shape, *f's shape)."""
    gradient = np.zeros((*array.shape, *np.shape(f())))
    for index in np.ndindex(array.shape):
        gradient[index] = numerical_derivative(f, array, index, eps)
    return gradient


def numerical_derivative(f: Callable[[], Any], array: np.ndarray, index: tuple[int, ...], eps: float = 1e-6) -> Any:
    """(f(a + eps) - f(a - eps)) / 2 eps for one element of an array that f reads."""
    value = array[index]
    array[index] = value + eps
    above = f()
    array[index] = value - eps
    below = f()
    array[index] = value
    return (above - below) / (2 * eps)


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
