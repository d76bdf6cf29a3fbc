"""Exercises: the starter is cut as it should be, and of every exercise in the project the tests tell right from wrong."""

import importlib.util
import textwrap
from functools import cache

import pytest

from dlfs.exercises import Exercise, all_exercises, cut, find_exercise
from dlfs.grading import expect, expect_same, grade
from dlfs.studies import study_folders
from utils.errors import DLFSError, UsageError

EXERCISES = all_exercises()


@cache
def attempts():
    """(exercise, mistake) of every wrong solution; what is wrong with a file of mistakes shows in the test of metadata."""
    found = []
    for exercise in EXERCISES:
        try:
            found += [(exercise, wrong) for wrong in exercise.wrong]
        except Exception:
            continue
    return found


# ------------------------------------------------------------------------------------- Every exercise of the project


def test_every_model_has_four_exercises_and_their_numbers_are_their_own():
    numbers = [exercise.number for exercise in EXERCISES]
    assert len(numbers) == len(set(numbers))
    for folder in study_folders():
        own = [exercise for exercise in EXERCISES if exercise.folder == folder / "exercises"]
        if int(folder.name[:2]) > 12 and not own:
            continue  # a model that somebody adds may be without, but not with a few
        assert len(own) >= 4, f"{folder.name}: {own}"
        assert any(exercise.planted for exercise in own), f"{folder.name}: none finds a bug"
        on_engine = ["framework" in exercise.solution.read_text(encoding="utf-8") for exercise in own]
        assert any(on_engine), f"{folder.name}: none is on the engine"


@pytest.mark.parametrize("exercise", EXERCISES, ids=repr)
def test_what_an_exercise_says_of_itself_is_complete(exercise):
    for path in (exercise.solution, exercise.tests, exercise.mistakes):
        assert path.is_file(), f"{path} is missing"
    assert len(exercise.fact("hints")) >= 2 and 1 <= exercise.fact("minutes") <= 240
    assert "```" in exercise.text, "the task has no example"
    assert all(importlib.util.find_spec(package) for package in exercise.fact("needs"))
    assert len(exercise.wrong) >= 2 and all(wrong.says and wrong.mistake for wrong in exercise.wrong)
    assert "solution" not in exercise.starter.lower()


@pytest.mark.parametrize("exercise", EXERCISES, ids=repr)
def test_the_solution_passes(exercise):
    results = grade(exercise, exercise.solution)
    assert results and all(result.outcome == "passed" for result in results), results


@pytest.mark.parametrize("exercise", EXERCISES, ids=repr)
def test_the_starter_fails_each_test_with_not_implemented_and_nothing_else(exercise, tmp_path):
    path = tmp_path / exercise.solution.name
    path.write_text(exercise.starter, encoding="utf-8")
    results = grade(exercise, path)
    assert results
    if exercise.planted:  # what one starts from has a bug in it, which the test of mistakes looks at
        assert all(result.raised in (None, AssertionError) for result in results), results
        return
    for result in results:
        assert result.raised is NotImplementedError and exercise.number in result.message, result


@pytest.mark.parametrize(
    ("exercise", "wrong"), attempts(), ids=lambda value: getattr(value, "mistake", None) or repr(value)
)
def test_a_mistake_fails_with_a_message_that_points_the_right_way(exercise, wrong, tmp_path):
    path = tmp_path / exercise.solution.name
    path.write_text(exercise.with_mistake(wrong), encoding="utf-8")
    failed = [result for result in grade(exercise, path) if result.outcome == "failed"]
    assert failed, f"no test notices: {wrong.mistake}"
    messages = "\n".join(result.message for result in failed)
    assert wrong.says in messages, f"no message says {wrong.says!r}:\n{messages}"


# ------------------------------------------------------------------------------------------------------- The starter

SOLUTION = '''\
"""A module."""

import math

LIMIT = 3  # stays


# above
@decorated
def outer(
    x,  # (B, D)
    y=(1, 2),
):  # (B,)
    """What it does.

    And more.
    """
    # the first comment introduces
    def helper(z):
        return z  # spoils

    # the second explains
    return helper(x)
    # trailing


class Thing:
    size = 1

    def half(self): return self.size / 2

    def whole(self):
        """Only this."""

    async def later(self):
        if True:
            return 1


def kept(x):
    return math.sqrt(x)
'''
STARTER = '''\
"""A module."""

import math

LIMIT = 3  # stays


# above
@decorated
def outer(
    x,  # (B, D)
    y=(1, 2),
):  # (B,)
    """What it does.

    And more.
    """
    # the first comment introduces
    raise NotImplementedError("02.1: write outer")


class Thing:
    size = 1

    def half(self):
        raise NotImplementedError("02.1: write Thing.half")

    def whole(self):
        """Only this."""
        raise NotImplementedError("02.1: write Thing.whole")

    async def later(self):
        raise NotImplementedError("02.1: write Thing.later")


def kept(x):
    return math.sqrt(x)
'''


def test_the_starter_is_the_solution_without_the_bodies_named():
    assert cut(SOLUTION, ["outer", "Thing.half", "Thing.whole", "Thing.later"], "02.1") == STARTER


def test_the_starter_of_functions_that_are_not_there():
    with pytest.raises(DLFSError, match="the solution has no Thing.double"):
        cut(SOLUTION, ["Thing.double"], "02.1")
    with pytest.raises(DLFSError, match="Thing is no function: name its methods"):
        cut(SOLUTION, ["Thing"], "02.1")


def test_an_f_string_and_umlauts_do_not_move_the_cut():
    source = 'def f(ä, ö="ü"): return f"{ä}"\n\n\nx = 1\n'
    assert cut(source, ["f"], "1.1") == 'def f(ä, ö="ü"):\n    raise NotImplementedError("1.1: write f")\n\n\nx = 1\n'


# ------------------------------------------------------------------------------------------------- A project of its own


@pytest.fixture
def project(tmp_path):
    """A model's folder with one exercise: double(x)."""
    folder = tmp_path / "13_Diffusion" / "exercises"
    folder.mkdir(parents=True)
    (folder.parent / "study.py").write_text("NAME = 'Diffusion'\n")
    files = {
        "01_double.md": """
            ---
            title: Double
            functions: [double]
            minutes: 5
            teaches: Doubling.
            needs: []
            hints: [Add, "Add: x + x"]
            ---
            # Double
            """,
        "01_double.py": """
            def double(x):
                return 2 * x
            """,
        "test_01_double.py": """
            def test_double(exercise):
                assert exercise.double(3) == 6, "twice, not thrice"
            """,
        "wrong_01_double.py": """
            from dlfs.exercises import Wrong
            WRONG = [Wrong("thrice", "2 *", "3 *", "twice"), Wrong("gone", "x * x", "x", "twice")]
            """,
    }
    for name, text in files.items():
        (folder / name).write_text(textwrap.dedent(text).lstrip())
    return tmp_path


def test_an_exercise_is_found_by_its_number_and_by_its_name(project):
    assert repr(all_exercises(project)) == "[13.1 double]"
    assert find_exercise("13.1", project).task == find_exercise("double", project).task
    with pytest.raises(UsageError, match=r"there is no exercise 'duoble'. Did you mean double\? Valid: 13.1"):
        find_exercise("duoble", project)


def test_grading_names_what_each_test_raised(project, tmp_path):
    exercise = find_exercise("13.1", project)
    assert [result.outcome for result in grade(exercise, exercise.solution)] == ["passed"]
    attempt = tmp_path / "attempt.py"
    attempt.write_text("def double(x):\n    return 3 * x\n")
    (result,) = grade(exercise, attempt)
    assert (result.test, result.outcome, result.raised) == ("test_double", "failed", AssertionError)
    assert result.message == "twice, not thrice"
    attempt.write_text("def double(x)\n")
    (result,) = grade(exercise, attempt)
    assert result.raised is SyntaxError and result.outcome == "failed"
    attempt.write_text("def double(x):\n    return 2 * x\n")  # within the same second
    assert [result.outcome for result in grade(exercise, attempt)] == ["passed"]


def test_a_mistake_must_stand_in_the_solution_once(project):
    exercise = find_exercise("13.1", project)
    thrice, gone = exercise.wrong
    assert "3 * x" in exercise.with_mistake(thrice)
    with pytest.raises(DLFSError, match="must stand in the solution once, not 0 times: x \\* x"):
        exercise.with_mistake(gone)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("---\ntitle", "title", "must begin with front matter"),
        ("minutes: 5", "minutes: soon", "needs minutes, a int; it has 'soon'"),
        ("minutes: 5", "minute: 5", "needs minutes, a int; it has None"),
        ("needs: []", "needs: [3]", "needs is a list of strings"),
        ("hints: [", "hints: {", "no YAML"),
        ("needs: []", "needs: []\ntags: x", "has no tags"),
    ],
)
def test_front_matter_that_is_wrong_is_named(project, old, new, message):
    task = find_exercise("13.1", project).task
    task.write_text(task.read_text().replace(old, new, 1))
    with pytest.raises(DLFSError, match=message):
        _ = Exercise(task).parts


def test_a_planted_bug_is_what_one_starts_from(project):
    task = find_exercise("13.1", project).task
    task.write_text(task.read_text().replace("functions: [double]", "functions: []\nplanted: thrice"))
    exercise = Exercise(task)
    assert exercise.starter == "def double(x):\n    return 3 * x\n"
    task.write_text(task.read_text().replace("planted: thrice", "planted: thrise"))
    with pytest.raises(DLFSError, match="no mistake 'thrise'. Did you mean thrice"):
        _ = Exercise(task).starter


# ---------------------------------------------------------------------------------------------------------- Messages


def test_expect_says_what_was_called_what_came_and_what_was_expected():
    import torch

    expect(torch.tensor([1.0, 2.0]), [1.0, 2.0 + 1e-7], "f(x (2,))")
    with pytest.raises(AssertionError) as caught:
        expect(torch.tensor([[1.0, 2.5]], requires_grad=True), [[1.0, 2.0]], "f(x (1, 2))", usually="a sign")
    assert str(caught.value) == (
        "called    f(x (1, 2))\ngot       float32 (1, 2): [1. 2.5]\nexpected  float64 (1, 2): [1. 2.]\n"
        "differ by 0.5 at most, at [0, 1]: 2.5, not 2\nusually   a sign"
    )


@pytest.mark.parametrize("got", [None, "1", [1.0, 2.0], [[float("nan")]], [[float("inf")]]])
def test_expect_fails_for_what_is_no_number_of_another_shape_or_not_finite(got):
    with pytest.raises(AssertionError, match="^called    f"):
        expect(got, [[1.0]], "f(x)")


def test_expect_same_of_what_is_no_array():
    expect_same(["a", None], ["a", None], "f()")
    with pytest.raises(AssertionError) as caught:
        expect_same(["a"], ["b"], "f(x)", usually="a letter")
    assert str(caught.value) == "called    f(x)\ngot       ['a']\nexpected  ['b']\nusually   a letter"


def test_expect_of_numbers():
    expect(1.0, 1.0 + 1e-8, "f()")
    with pytest.raises(AssertionError, match="^called    f\\(\\)\ngot       1.5\nexpected  2\ndiffer by 0.5 at most$"):
        expect(1.5, 2.0, "f()")
