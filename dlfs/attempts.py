"""What a learner works on: exercises, and functions of any level's file that were blanked; and where their files lie.

    work/02.1_regularization.py                       an exercise
    work/03.numpy.lenet_numpy.LeNet5.backward.py      a copy of 03_CNN_LeNet/numpy/lenet_numpy.py with one function blanked

The name of a file says what it is, so nothing else has to be kept. work/ is ignored by git.
"""

import ast
from pathlib import Path

from dlfs.exercises import Exercise, all_exercises, cut, find_exercise, function
from dlfs.studies import ROOT, Study, find_study, study_folders
from utils.errors import DLFSError, UsageError, unknown_name
from utils.files import write_atomically

WORK = ROOT / "work"


class Blank:
    """A function of a model's file, to be written anew: the rest of the model, and its own tests, grade it."""

    def __init__(self, folder: Path, file: str, function: str):
        self.folder, self.file, self.function = folder, file, function
        self.original = self.graded_by = folder / file
        self.number = ".".join((folder.name[:2], *Path(file).with_suffix("").parts, function))

    def __repr__(self) -> str:
        return self.number

    @property
    def starter(self) -> str:
        """The file without that function's body."""
        return cut(self.original.read_text(encoding="utf-8"), [self.function], self.number)

    @property
    def study(self) -> Study:
        return Study(self.folder)


def blank(where: str, function: str) -> Blank:
    """The blank of a function, such as LeNet5.backward, in a model's folder or file, such as 03/numpy or 03/numpy/lenet_numpy.py."""
    model, _, inner = where.strip("/").partition("/")
    folder = find_study(model).folder
    target = folder / inner
    files = [target] if target.suffix == ".py" else sorted(target.glob("*.py"))
    files = [file for file in files if file.is_file() and not file.name.startswith("test_")]
    if not files:
        folders = sorted({path.parent.relative_to(folder).as_posix() for path in folder.glob("*/*.py")})
        raise unknown_name("folder", inner, folders, owner=f"{folder.name} has")
    found = {file: functions(file) for file in files}
    holding = [file for file, names in found.items() if function in names]
    if not any(found.values()):
        raise UsageError(f"{where} has no functions: its model is the file of another level")
    if not holding:
        raise unknown_name(
            "function", function, [name for names in found.values() for name in names], owner=where + " has"
        )
    if len(holding) > 1:
        names = ", ".join(f"{model}/{file.relative_to(folder).as_posix()}" for file in holding)
        raise UsageError(f"{function} is in several files; name one: {names}")
    return Blank(folder, holding[0].relative_to(folder).as_posix(), function)


def functions(file: Path) -> list[str]:
    """The functions and methods of a file, as they are called here."""
    found = []
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found.append(node.name)
        elif isinstance(node, ast.ClassDef):
            found += [f"{node.name}.{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)]
    return found


def source_of(code: str, name: str) -> str:
    """The source of one function of a file's text."""
    node = function(ast.parse(code), name)
    return "\n".join(code.splitlines()[node.lineno - 1 : node.end_lineno]) + "\n"


def find_task(name: str) -> Exercise | Blank:
    """An exercise by its number, its name or its file; a blank by its number or its file."""
    stem = Path(name).name.removesuffix(".py")
    for folder in study_folders():
        if stem.startswith(f"{folder.name[:2]}.") and stem.count(".") >= 3:
            _, inner, file, function = stem.split(".", 3)
            return blank(f"{folder.name}/{inner}/{file}.py", function)
    return find_exercise(stem.partition("_")[0] if name.endswith(".py") else name)


def path_of(task: Exercise | Blank) -> Path:
    """Where the learner's file of a task lies."""
    name = f"{task.number}_{task.name}" if isinstance(task, Exercise) else task.number
    return WORK / f"{name}.py"


def tasks() -> list[Exercise | Blank]:
    """Every exercise, and the blanks that lie in work/."""
    blanks = []
    for path in sorted(WORK.glob("[0-9][0-9].*.*.*.py")):
        try:
            blanks.append(find_task(path.name))
        except DLFSError:
            continue  # the model's file has no such function any more
    return [*all_exercises(), *blanks]


def start(task: Exercise | Blank) -> bool:
    """Put the starter into work/ unless there is something; whether it was put there."""
    path = path_of(task)
    if path.exists():
        return False
    write_atomically(path, task.starter)
    return True


def reset(task: Exercise | Blank) -> Path:
    """Put the starter into work/ in place of what is there; where the latter is now."""
    path = path_of(task)
    if not path.exists():
        raise DLFSError(f"there is no {path} to reset: dlfs exercise start {task.number}")
    number = 1
    while (backup := path.with_suffix(f".{number}.bak")).exists():
        number += 1
    path.rename(backup)
    write_atomically(path, task.starter)
    return backup
