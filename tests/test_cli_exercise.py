"""`dlfs exercise` and what stands behind it: a learner's file in work/, graded in a process of its own."""

import io
import os

import pytest
from click.testing import CliRunner
from rich.console import Console

from dlfs import attempts, checking
from dlfs.attempts import blank, find_task, path_of
from dlfs.checking import check, state
from dlfs.cli import dlfs
from dlfs.commands.exercise_report import in_columns, report
from dlfs.exercises import all_exercises, find_exercise
from dlfs.studies import ROOT
from utils.errors import DLFSError, UsageError


@pytest.fixture(autouse=True)
def work(tmp_path, monkeypatch):
    monkeypatch.setattr(attempts, "WORK", tmp_path / "work")
    monkeypatch.setattr(checking, "LIMIT", 300.0)  # a machine may have much to do
    return tmp_path / "work"


def run(*arguments):
    """What a command printed, in one line for each line, and its exit status."""
    result = CliRunner().invoke(dlfs, ["exercise", *arguments], standalone_mode=False, env={"COLUMNS": "200"})
    if result.exception:
        raise result.exception
    return result.output, result.return_value or 0


def write(number, *replacements):
    """The solution with replacements, as the learner's file."""
    task = find_exercise(number)
    code = task.solution.read_text(encoding="utf-8")
    for old, new in replacements:
        assert old in code
        code = code.replace(old, new)
    path_of(task).parent.mkdir(exist_ok=True)
    path_of(task).write_text(code, encoding="utf-8")
    return task


def test_start_puts_the_starter_into_work_and_never_overwrites(work):
    output, _ = run("start", "02.1")
    path = work / "02.1_regularization.py"
    assert path.read_text() == find_exercise("02.1").starter
    assert "Dropout and weight decay" in output and f"{path}:8" in output.replace("\n", "")
    path.write_text("mine = 1\n")
    output, _ = run("start", "02.1")
    assert path.read_text() == "mine = 1\n" and "You have begun already" in output


def test_a_check_without_pytest_says_how_to_get_it(monkeypatch):
    run("start", "02.1")
    real = checking.importlib.util.find_spec
    monkeypatch.setattr(checking.importlib.util, "find_spec", lambda name: None if name == "pytest" else real(name))
    with pytest.raises(DLFSError, match=r"^02\.1 needs pytest: pip install -c constraints\.txt pytest$"):
        check(find_task("02.1"), path_of(find_task("02.1")))


def test_from_not_written_to_wrong_to_right():
    run("start", "02.1")
    output, status = run("check", "02.1")
    assert status == 1 and "not written yet" in output and "✗" not in output
    task = write("02.1", ("mask = (u >= p) / (1 - p)", "mask = (u >= p) / p"))
    output, status = run("check", "02.1")
    assert status == 1 and "called    dropout(h (1, 4) of threes" in output and "usually   kept is u >= p" in output
    assert "Traceback" not in output and state(task, path_of(task)) == "started"
    with pytest.raises(DLFSError, match="does not pass yet"):
        run("solution", "02.1")
    write("02.1")
    output, status = run("check", "02.1")
    assert status == 0 and "Passed" in output and "✗" not in output
    assert "def dropout" in run("solution", "02.1")[0]
    output, _ = run("list")
    assert "✓  02.1" in output and "→" in output


def test_what_is_known_of_a_file_is_a_cache(work, monkeypatch):
    task = write("02.1")
    assert state(task, path_of(task)) == "passed"
    monkeypatch.setattr("dlfs.checking.check", lambda *arguments: pytest.fail("checked again"))
    assert state(task, path_of(task)) == "passed"
    monkeypatch.undo()
    monkeypatch.setattr(attempts, "WORK", work)
    monkeypatch.setattr(checking, "LIMIT", 300.0)
    (work / ".checked").unlink()
    assert state(task, path_of(task)) == "passed"


def shown(result, width=100):
    console = Console(record=True, width=width, file=io.StringIO())
    report(console, result)
    return console.export_text()


def test_a_loop_without_end_is_cut_off_at_its_line():
    task = write("02.1", ("    return dout * mask", "    while True:\n        pass"))
    result = check(task, path_of(task), limit=8)
    *_, last = result.outcomes
    assert last.outcome == "stuck" and last.line in (24, 25) and not result.passed
    text = shown(result)
    assert "was cut off" in text and "while True" in text and "Traceback" not in text


def test_a_crash_is_said_to_be_one():
    task = write("02.1", ("    return dout * mask", "    __import__('os')._exit(3)"))
    *_, last = check(task, path_of(task)).outcomes
    assert last.outcome == "crashed" and "status 3" in last.message and "way_back" in last.test


@pytest.mark.parametrize(
    ("new", "says"),
    [
        ("    return dout * maks", "NameError: name 'maks' is not defined"),
        ("    return dout *", "SyntaxError: invalid syntax"),
    ],
)
def test_an_exception_shows_the_learners_line(new, says):
    task = write("02.1", ("    return dout * mask", new))
    text = shown(check(task, path_of(task)))
    assert says in text and new.strip() in text and "test_01" not in text.split("A hint:")[0]


def test_what_is_printed_is_shown():
    task = write("02.1", ("    return dout * mask", "    print('here', dout.shape)\n    return dout"))
    assert "here (3, 4)" in shown(check(task, path_of(task)))


def test_hints_come_one_at_a_time():
    assert "Hint 1 of 3" in run("hint", "02.1")[0] and "Hint 3 of 3" in run("hint", "02.1", "3")[0]
    with pytest.raises(UsageError, match="has hints 1 to 3, not 4"):
        run("hint", "02.1", "4")


def test_reset_keeps_what_was_there(work):
    run("start", "02.1")
    path = work / "02.1_regularization.py"
    for text in ("first = 1\n", "second = 2\n"):
        path.write_text(text)
        run("reset", "02.1")
    assert path.read_text() == find_exercise("02.1").starter
    assert sorted(p.read_text() for p in work.glob("*.bak")) == ["first = 1\n", "second = 2\n"]


def test_a_task_is_found_by_its_file(work):
    assert find_task("work/02.1_regularization.py").number == "02.1"
    assert find_task("work/02.numpy.mlp_numpy.MLP.backward.py").original == ROOT / "02_MLP/numpy/mlp_numpy.py"


def test_any_function_is_an_exercise(monkeypatch):
    task = blank("02/numpy", "MLP.backward")
    run("blank", "02/numpy", "MLP.backward")
    path = path_of(task)
    assert 'raise NotImplementedError("02.numpy.mlp_numpy.MLP.backward: write MLP.backward")' in path.read_text()
    assert "grads[f" not in path.read_text()
    original = task.original.read_text(encoding="utf-8")
    path.write_text(original.replace("activation_backward(dh, ", "activation_backward(2 * dh, "))
    result = check(task, path)
    assert all(
        outcome.test.endswith("paper's file") for outcome in result.outcomes
    )  # no further: the model's tests wait
    text = shown(result)
    assert "parameter gradient  differs by" in text and "first part at   MLP.forward: dz" in text
    path.write_text(original)
    result = check(task, path)
    assert result.passed and len(result.outcomes) > 50, [o for o in result.outcomes if o.outcome != "passed"]


@pytest.mark.parametrize(
    ("where", "function", "message"),
    [
        ("02/numpy", "MLP.bakward", r"no function 'MLP.bakward'. Did you mean MLP.backward\?"),
        ("02/nump", "MLP.backward", r"no folder 'nump'. Did you mean numpy\?"),
        ("2x/numpy", "MLP.backward", "no model '2x'"),
    ],
)
def test_a_blank_of_what_is_not_there(where, function, message):
    with pytest.raises(UsageError, match=message):
        blank(where, function)


def test_watch_checks_on_every_save(monkeypatch):
    from dlfs.commands import exercise_watch

    task = find_exercise("02.1")
    pressed = iter(["", "h", "save", "q"])
    seen = []

    def wait(keys):
        key = next(pressed)
        if key == "save":
            write("02.1")
        return "" if key == "save" else key

    monkeypatch.setattr(exercise_watch, "wait", wait)
    monkeypatch.setattr(exercise_watch, "report", lambda console, result: seen.append(result.passed))
    exercise_watch.watch(task)
    assert seen == [False, True]


def test_keys_pressed_in_quick_succession_are_all_heard(monkeypatch):
    from dlfs.commands.exercise_watch import keys

    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    with os.fdopen(slave) as stdin, os.fdopen(master, "wb", buffering=0) as keyboard:
        monkeypatch.setattr("sys.stdin", stdin)
        with keys() as pressed:
            keyboard.write(b"hN")
            assert [pressed(), pressed(), pressed()] == ["h", "n", ""]


def test_the_readmes_list_every_exercise():
    for exercise in all_exercises():
        readme = (exercise.model_folder / "README.md").read_text(encoding="utf-8")
        link = f"]({exercise.task.relative_to(exercise.model_folder)})"
        assert link in readme, f"{exercise.model_folder.name}/README.md: no {link}"


def test_what_a_check_says_stands_in_two_columns_also_where_pytest_indents_it():
    console = Console(width=40, file=io.StringIO())
    console.print(in_columns("called    f(1)\n  got       2\n  usually   one forgets the first place and much else"))
    lines = [line.rstrip() for line in console.file.getvalue().splitlines()]
    assert lines == ["called  f(1)", "got     2", "usually one forgets the first place and", "        much else"]
