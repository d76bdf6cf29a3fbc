"""`dlfs data` and `dlfs doctor`: what they say of a machine that lacks something, without touching the network."""

import json
import re

import pytest

from dlfs.cli import main
from dlfs.commands import doctor
from utils import data_catalogue as catalogue
from utils import data_loaders


def run(capsys, *arguments):
    """Call `dlfs` in this process: (exit status, stdout, stderr)."""
    with pytest.raises(SystemExit) as exit_:
        main(list(arguments))
    out, err = capsys.readouterr()
    return exit_.value.code, out, err


@pytest.fixture(autouse=True)
def nothing_here(tmp_path, monkeypatch):
    """A machine without data and without a network."""
    monkeypatch.setenv("DLFS_DATA", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    monkeypatch.setattr(data_loaders, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(doctor, "cache_folder", lambda: tmp_path / "cache")

    def refuse(*arguments, **options):
        raise AssertionError("the network was asked")

    monkeypatch.setattr("socket.socket.connect", refuse)


def test_every_data_set_is_in_the_catalogue():
    unknown = [name for name in catalogue.names() if catalogue.facts(name) is catalogue.UNKNOWN]
    assert unknown == [], "utils/data_catalogue.py says size, licence and origin of every data set"


def test_list_knows_what_is_here(capsys, tmp_path):
    folder = tmp_path / "data" / "tiny-shakespeare"
    folder.mkdir()
    (folder / "input.txt").write_text("First Citizen:")
    status, out, _ = run(capsys, "data", "list", "--json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert status == 0
    assert rows["digits"]["where"] == "always" and rows["digits"]["present"]
    assert rows["shakespeare"]["where"] == str(tmp_path / "data")
    assert rows["mnist"]["where"] == "not here" and not rows["mnist"]["present"]


def test_the_files_of_the_catalogue_are_those_the_loaders_look_for(monkeypatch, tmp_path):
    """A set of one folder of plain files: the loader asks for exactly the paths that the catalogue names."""
    for name in ("mnist", "fashion-mnist", "shakespeare", "multi30k"):
        asked = []

        def find(*parts, asked=asked, **options):
            asked.append("/".join(parts))
            raise LookupError

        for module in ("utils.data_loaders", "utils.data_sets.translation"):
            monkeypatch.setattr(f"{module}.find", find)
            monkeypatch.setattr(f"{module}.cache_folder", lambda: tmp_path)  # which holds no encoded copy
        with pytest.raises(LookupError):
            data_loaders.load(name)
        assert set(asked) <= set(catalogue.CATALOGUE[name].files[0])


def test_get_says_what_is_in_it(capsys):
    status, out, _ = run(capsys, "data", "get", "digits")
    assert status == 0
    assert "x (1297, 1, 8, 8) float32" in out and "CC BY 4.0" in out


def test_get_of_an_unknown_name_lists_the_valid_ones(capsys):
    status, _, err = run(capsys, "data", "get", "minst")
    assert status == 2 and "Did you mean mnist?" in err


def test_doctor_names_what_is_missing_and_the_command(capsys, monkeypatch):
    real = doctor.version_of
    monkeypatch.setattr(doctor, "version_of", lambda name: "" if name == "timm" else real(name))
    status, out, _ = run(capsys, "doctor")
    assert status == 1
    assert re.search(r"✗ packages \[models\]: .*missing: timm", out)
    assert 'mend: pip install -c constraints.txt -e ".[models]"' in out
    assert "dlfs read" in out and "dlfs data get mnist" in out


def test_doctor_is_content_when_all_is_there(capsys, monkeypatch):
    real = doctor.version_of
    monkeypatch.setattr(doctor, "version_of", lambda name: real(name) or "1.0")
    monkeypatch.setattr(doctor, "FREE_BYTES", 0)
    status, out, _ = run(capsys, "doctor")
    assert status == 0 and "Everything here runs." in out and "✗" not in out


def test_doctor_notices_a_folder_that_is_none(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("DLFS_DATA", str(tmp_path / "nowhere"))
    status, out, _ = run(capsys, "doctor")
    assert status == 1 and "that is no folder" in out
