"""Exercises: a task, its solution, the tests that grade any attempt, and the mistakes that people make.

    NN_name.md         front matter, then the task: what, why, the maths, shapes, an example
    NN_name.py         the solution: ordinary code, no marks in it
    test_NN_name.py    the tests, written once: the fixture `exercise` is the module under test, see dlfs/grading.py
    wrong_NN_name.py   WRONG: mistakes, each a replacement in the solution, with what the failing test has to say to it

They lie in a model's exercises/, or in analysis/tasks/ where they change production code; the numbers of both count on
together, so that 05.11 is one exercise. The front matter is YAML:

    title: Stochastic depth           functions: [drop_path, StochasticBlock.forward]     what the learner writes
    minutes: 40                       teaches: one sentence
    needs: [torchvision]              packages; [] for none beyond the project's own
    hints: [first tier, second tier]  each says more than the one before
    planted: the mistake's words      where the task is to find a bug: what one starts from is the solution with this mistake
                                      of WRONG in it, and functions may be []

What a learner starts from is cut from the solution's own text, so the two cannot part.
"""

import ast
import importlib.util
import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from dlfs.studies import ROOT, study_folders
from utils.errors import DLFSError, unknown_name

FOLDERS = ("exercises", "analysis/tasks")
FIELDS: dict[str, Any] = {
    "title": str,
    "functions": list,
    "minutes": int,
    "teaches": str,
    "needs": list,
    "hints": list,
}


class Wrong(NamedTuple):
    """A mistake that people make."""

    mistake: str  # in words
    old: str  # the right code, which stands in the solution exactly once
    new: str  # the mistake
    says: str  # what the message of a test that catches it must contain, to point the right way


class Exercise:
    """One exercise, known by the path of its task."""

    def __init__(self, task: Path):
        self.task = task
        self.folder = task.parent
        self.model_folder = next(parent for parent in task.parents if parent.name[:2].isdigit())
        order, _, self.name = task.stem.partition("_")
        self.number = f"{self.model_folder.name[:2]}.{int(order)}"
        self.solution = task.with_suffix(".py")
        self.tests = self.graded_by = self.folder / f"test_{task.stem}.py"
        self.mistakes = self.folder / f"wrong_{task.stem}.py"

    def __repr__(self) -> str:
        return f"{self.number} {self.name}"

    @cached_property
    def parts(self) -> tuple[dict[str, Any], str]:
        """The front matter and the task's text; DLFSError that names what is missing or of the wrong kind."""
        import yaml

        text = self.task.read_text(encoding="utf-8")
        opening, _, rest = text.partition("---\n")
        front, closing, body = rest.partition("\n---\n")
        if opening or not closing:
            raise DLFSError(f"{self.task}: it must begin with front matter between two lines of ---")
        try:
            facts = yaml.safe_load(front)
        except yaml.YAMLError as error:
            raise DLFSError(f"{self.task}: the front matter is no YAML: {' '.join(str(error).split())}") from None
        for name, kind in FIELDS.items():
            value = facts.get(name) if isinstance(facts, dict) else None
            may_be_empty = name == "needs" or (name == "functions" and "planted" in facts)
            if not isinstance(value, kind) or not (value or may_be_empty):
                raise DLFSError(f"{self.task}: the front matter needs {name}, a {kind.__name__}; it has {value!r}")
            if kind is list and not all(isinstance(item, str) for item in value):
                raise DLFSError(f"{self.task}: {name} is a list of strings; put what has a colon or a # in quotes")
        if unknown := set(facts) - {*FIELDS, "planted"}:
            raise DLFSError(
                f"{self.task}: the front matter has no {', '.join(unknown)}. It has {', '.join(FIELDS)}, planted"
            )
        return facts, body.lstrip("\n")

    def fact(self, name: str) -> Any:
        return self.parts[0][name]

    @property
    def text(self) -> str:
        """The task, Markdown."""
        return self.parts[1]

    @property
    def starter(self) -> str:
        """What a learner starts from."""
        if self.planted:
            return self.with_mistake(self.planted)
        return cut(self.solution.read_text(encoding="utf-8"), self.fact("functions"), self.number)

    @property
    def wrong(self) -> list[Wrong]:
        """The mistakes that ship with it."""
        return load("wrong", self.mistakes).WRONG

    @property
    def planted(self) -> Wrong | None:
        """The mistake that is to be found, in an exercise of that kind."""
        name = self.parts[0].get("planted")
        if name is None:
            return None
        mistakes = {wrong.mistake: wrong for wrong in self.wrong}
        if name not in mistakes:
            raise unknown_name("mistake", name, mistakes, owner=f"{self.mistakes} has")
        return mistakes[name]

    def with_mistake(self, wrong: Wrong) -> str:
        """The solution's text with a mistake in it."""
        source = self.solution.read_text(encoding="utf-8")
        count = source.count(wrong.old)
        if count != 1:
            raise DLFSError(
                f"{self.mistakes}: what is to be replaced must stand in the solution once, not {count} times: {wrong.old}"
            )
        return source.replace(wrong.old, wrong.new)


def all_exercises(root: Path = ROOT) -> list[Exercise]:
    """Every exercise in the order of the models and of their numbers."""
    folders = [model / name for model in study_folders(root) for name in FOLDERS]
    found = [Exercise(task) for folder in folders for task in sorted(folder.glob("[0-9]*_*.md"))]
    return sorted(found, key=lambda exercise: [int(part) for part in exercise.number.split(".")])


def find_exercise(number: str, root: Path = ROOT) -> Exercise:
    """The exercise of a number, 05.11 or 5.11, or of a name."""
    number = f"0{number}" if re.match(r"\d\.", number) else number
    exercises = all_exercises(root)
    for exercise in exercises:
        if number in (exercise.number, exercise.name):
            return exercise
    names = [exercise.name for exercise in exercises]
    numbers = [exercise.number for exercise in exercises]
    of_model = [other for other in numbers if other.startswith(f"{number.partition('.')[0]}.")]
    raise unknown_name("exercise", number, of_model or numbers, names)


def exercise_of(tests: Path) -> Exercise:
    """The exercise that a file of tests belongs to."""
    return Exercise(tests.with_name(tests.stem.removeprefix("test_") + ".md"))


def load(name: str, path: Path) -> Any:
    """A module made from a file, anew each time; what its code raises is raised."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    source = path.read_text(encoding="utf-8")
    exec(compile(source, str(path), "exec"), module.__dict__)  # not from a cache: two saves in a second are two files
    return module


# --------------------------------------------------------------------------------------------------------- The starter


def cut(source: str, functions: Iterable[str], number: str) -> str:
    """A solution's text without the bodies of the named functions.

    The decorators, the signature, the docstring and what comments follow it stay; from the first statement on, there is
    a NotImplementedError that names the exercise and the function. All else stays as it is.
    """
    lines = source.splitlines()
    tree = ast.parse(source)
    nodes = {name: function(tree, name) for name in functions}
    for name, node in sorted(nodes.items(), key=lambda pair: -pair[1].lineno):
        lines = without_body(lines, node, f'raise NotImplementedError("{number}: write {name}")')
    return "\n".join(lines) + "\n"


def function(tree: ast.Module, name: str) -> ast.FunctionDef | ast.AsyncFunctionDef:
    """The node of a function or Class.method; DLFSError where there is none."""
    node: Any = tree
    for part in name.split("."):
        found = [inner for inner in node.body if getattr(inner, "name", None) == part]
        if not found:
            raise DLFSError(f"the solution has no {name}, which the front matter names")
        node = found[-1]
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        raise DLFSError(f"{name} is no function: name its methods")
    return node


def without_body(lines: list[str], node: ast.FunctionDef | ast.AsyncFunctionDef, instead: str) -> list[str]:
    body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
    if not body:
        end = node.end_lineno or node.lineno
        return [*lines[:end], " " * node.body[0].col_offset + instead, *lines[end:]]
    first = min([body[0].lineno, *(d.lineno for d in getattr(body[0], "decorator_list", []))])
    if first == node.lineno:  # def f(x): return x
        head = lines[first - 1].encode()[: body[0].col_offset].decode().rstrip()
        return [*lines[: first - 1], head, " " * (node.col_offset + 4) + instead, *lines[first:]]
    indent = " " * body[0].col_offset
    end = node.end_lineno or first
    while end < len(lines) and lines[end].strip().startswith("#") and lines[end].startswith(indent):
        end += 1  # a comment after the last statement belongs to the body
    return [*lines[: first - 1], indent + instead, *lines[end:]]
