"""The sixty steps: each runs alone, says what it teaches, and its own assertions hold."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
STEPS = sorted((ROOT / "steps").glob("step[0-9][0-9].py"))


@pytest.mark.parametrize("path", STEPS, ids=lambda path: path.stem)
def test_a_step_runs_alone(path, tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-W", "error", path]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 1, "it prints nothing"
    assert not any(tmp_path.iterdir()), "without --pictures a step writes no file"


@pytest.mark.parametrize("path", STEPS, ids=lambda path: path.stem)
def test_a_step_opens_with_what_is_new_and_why_and_where_it_stands_in_the_engine(path):
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    opening = ast.get_docstring(tree)
    assert opening.startswith(f"Step {int(path.stem[4:])} · ")
    for part in ("New: ", "Why: ", "In the engine: "):
        assert f"\n{part}" in opening, part
    for name in re.findall(r"(?:framework|tests|utils|dezero|steps|\d\d_\w+)/[\w/]*(?:\.\w+)?", opening):
        assert (ROOT / name).exists(), name
    assert any(isinstance(node, ast.Assert) for node in ast.walk(tree)), "it asserts nothing"
    assert len(text.splitlines()) - len(opening.splitlines()) <= 95


def test_there_are_sixty_and_the_map_lists_each_under_its_title():
    readme = (ROOT / "steps/README.md").read_text(encoding="utf-8")
    assert [path.stem for path in STEPS] == [f"step{n:02}" for n in range(1, 61)]
    for path in STEPS:
        title = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))).splitlines()[0]
        assert f"| [{path.stem[4:]}]({path.name}) | {title.partition(' · ')[2].rstrip('.')} |" in readme
    for picture in re.findall(r"\((pictures/\w+\.png)\)", readme):
        assert (ROOT / "steps" / picture).exists()
    for name in re.findall(r"`((?:framework|tests|utils|dezero|\d\d_\w+)(?:/\w+)*(?:\.\w+)?)`", readme):
        assert (ROOT / name).exists(), name
