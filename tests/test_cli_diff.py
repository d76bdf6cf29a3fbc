"""`dlfs diff`: two levels aligned, with no line lost, none doubled and none out of order."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlfs.cli import main
from dlfs.side_by_side import merged, parts, rows, side_by_side
from dlfs.studies import ROOT, all_studies

FILES = sorted({study.folder / file for study in all_studies() for file in study.levels.values()})
LINES = st.lists(st.sampled_from(["a = 1", "a = 2", "", "b = f(x)", "b = f(x, y)", "# why"]), max_size=8)


def run(capsys, *arguments):
    """Call `dlfs diff` in this process: (exit status, stdout, stderr)."""
    with pytest.raises(SystemExit) as exit_:
        main(["diff", *arguments])
    out, err = capsys.readouterr()
    return exit_.value.code, out, err


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_the_parts_are_the_whole_file_in_its_order(file):
    source = file.read_text(encoding="utf-8")
    assert [line for lines in parts(source).values() for line in lines] == source.splitlines()


@given(LINES, LINES)
def test_every_line_stands_once_and_in_order(left, right):
    found = rows(left, right)
    assert [a for a, _ in found if a is not None] == left
    assert [b for _, b in found if b is not None] == right


def test_lines_that_resemble_each_other_share_a_row():
    assert rows(["    z = h @ w", "    gone()"], ["    z = fc(h) @ w"]) == [
        ("    z = h @ w", "    z = fc(h) @ w"),
        ("    gone()", None),
    ]


def test_functions_meet_wherever_they_stand():
    left = "def f():\n    return 1\n\n\n# on g\ndef g():\n    return 2\n"
    right = "# on g\ndef g():\n    return 3\n\n\ndef f():\n    return 1\n"
    found = {part.name: part for part in side_by_side(left, right)}
    assert ("    return 2", "    return 3") in found["g"].rows and ("# on g", "# on g") in found["g"].rows
    assert ("    return 1", "    return 1") in found["f"].rows


def test_what_is_assigned_between_functions_meets_by_its_name():
    left = "def f():\n    pass\n\n\nTABLE = {f: 1}\n"
    right = "def g():\n    pass\n\n\n# why\nTABLE = {g: 1}\n"
    found = {part.name: part for part in side_by_side(left, right)}
    assert ("TABLE = {f: 1}", "TABLE = {g: 1}") in found["TABLE"].rows


def test_what_only_the_right_has_stands_behind_its_neighbour():
    assert merged(["a", "b", "c"], ["a", "x", "c", "y"]) == ["a", "x", "b", "c", "y"]


def test_only_what_differs_is_written_out(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    status, out, _ = run(capsys, "02", "by-hand", "paper")
    assert status == 0
    assert re.search(r"── MLP.backward +only left", out)
    assert "dlogits.T @" in out and "nn.Module" in out


def test_one_function(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    status, out, _ = run(capsys, "02", "by-hand", "lowlevel", "--function", "forward")
    assert status == 0 and "MLP.forward" in out and "backward" not in out


def test_html_is_one_file_that_opens_offline(capsys, tmp_path):
    status, out, _ = run(capsys, "02", "--html", str(tmp_path / "diff.html"))
    text = (tmp_path / "diff.html").read_text(encoding="utf-8")
    assert status == 0 and "MLP.forward" in text
    assert not re.search(r"<(script|link|img)\b|url\(", text)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["02", "by-hand"], "name two levels"),
        (["02", "by-hand", "papre"], "Did you mean paper?"),
        (["02", "engine", "paper"], "one file"),
        (["02", "--function", "forwrad"], "no function"),
    ],
)
def test_wrong_calls_say_what_is_right(capsys, arguments, says):
    status, _, err = run(capsys, *arguments)
    assert status == 2 and says in err


@pytest.mark.parametrize(("columns", "said"), [("80", True), ("200", False)])
def test_a_narrow_terminal_is_told_of_the_browser(capsys, monkeypatch, columns, said):
    monkeypatch.setenv("COLUMNS", columns)
    status, _, err = run(capsys, "02", "lowlevel", "paper")
    assert status == 0 and ("dlfs diff 02 lowlevel paper --html FILE" in err) is said
