"""Level 1 on the engine, for every model there is: numpy/*_framework.py is the paper's file, run on `framework`."""

import inspect

import pytest

import framework
from dlfs.studies import all_studies

FILES = [
    (study, path.name) for study in all_studies() for path in sorted((study.folder / "numpy").glob("*_framework.py"))
]


@pytest.mark.parametrize(("study", "file"), FILES, ids=str)
def test_the_framework_file_is_the_paper_file_on_the_engine(study, file):
    module = study.module(f"numpy/{file}")
    classes = {name: value for name, value in vars(module).items() if isinstance(value, type) and name != "Path"}
    assert len(classes) == 1
    for name, on_engine in classes.items():
        assert issubclass(on_engine, framework.nn.Module)
        paper = study.module(f"paper/{file.replace('_framework', '_paper')}")
        assert inspect.getsource(on_engine) == inspect.getsource(getattr(paper, name))


def test_every_model_that_is_written_has_one():
    assert {study.number for study, _ in FILES} == {study.number for study in all_studies() if "engine" in study.levels}
