"""The command line as a user meets it: what starts fast, what is listed, and what is said of wrong names."""

import json
import re
import subprocess
import sys

import pytest

from dlfs import studies
from dlfs.cli import COMMANDS, main
from dlfs.studies import all_studies, find_study, study_folders
from utils.errors import UsageError


def run(capsys, *arguments):
    """Call `dlfs` in this process: (exit status, stdout, stderr)."""
    with pytest.raises(SystemExit) as exit_:
        main(list(arguments))
    out, err = capsys.readouterr()
    return exit_.value.code, out, err


def loaded_by(*arguments):
    """The modules that a call of `dlfs` imports, in a fresh process."""
    program = (
        "import sys, atexit\n"
        "atexit.register(lambda: print(*sys.modules, sep='\\n', file=sys.stderr))\n"
        f"from dlfs.cli import main; main({list(arguments)!r})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=studies.ROOT, check=True)
    return set(done.stderr.split())


def test_help_loads_nothing_heavy():
    loaded = loaded_by("--help")
    assert "dlfs.cli" in loaded
    assert not loaded & {"numpy", "torch", "matplotlib", "scipy", "rich", "framework", "sklearn"}


def test_help_names_every_command_and_every_command_has_help(capsys):
    status, overview, _ = run(capsys, "--help")
    assert status == 0
    for name in COMMANDS:
        assert name in overview
        status, out, _ = run(capsys, name, "--help")
        assert status == 0 and "--help" in out


def test_list_needs_no_torch():
    assert not loaded_by("list") & {"torch", "matplotlib", "sklearn"}


def test_list_shows_twelve_models_from_their_folders(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    status, out, _ = run(capsys, "list")
    assert status == 0
    rows = [line.split() for line in out.splitlines() if re.match(r" \d\d ", line)]
    assert [row[0] for row in rows] == [f"{number:02}" for number in range(1, 13)]
    assert rows[1][1:3] == ["Multilayer", "perceptron"] and rows[1].count("✓") >= 4
    assert all(study.fact("NAME") in out for study in all_studies())  # none is broken into lines
    assert [line.split() for line in out.splitlines()].count(["tier", "1"]) == 1


def test_list_as_json_says_what_the_folders_say(capsys):
    status, out, _ = run(capsys, "list", "--json")
    models = json.loads(out)
    assert status == 0 and [model["folder"] for model in models] == [folder.name for folder in study_folders()]
    mlp = models[1]
    assert mlp["levels"] == ["by-hand", "engine", "lowlevel", "paper"] and mlp["tier"] == 1
    numbers = {model["folder"][:2] for model in models}
    for model in models:
        assert set(model["prerequisites"]) <= {number for number in numbers if number < model["folder"][:2]}
        assert 1 <= model["tier"] <= 4


@pytest.mark.parametrize("name", ["02", "2", "mlp", "MLP", "02_MLP", "02_mlp", "02_MLP/"])
def test_a_model_has_many_spellings(name):
    assert find_study(name).folder.name == "02_MLP"


@pytest.mark.parametrize(("name", "folder"), [("gru", "06_LSTM_GRU"), ("lenet", "03_CNN_LeNet"), ("12", "12_CLIP")])
def test_a_part_of_the_name_is_enough(name, folder):
    assert find_study(name).folder.name == folder


def test_no_spelling_means_two_models():
    spellings = [spelling for folder in study_folders() for spelling in set(studies.spellings(folder))]
    assert len(spellings) == len(set(spellings))


def test_a_new_folder_is_a_new_model(tmp_path):
    (tmp_path / "13_Diffusion").mkdir()
    (tmp_path / "13_Diffusion" / "study.py").write_text("NAME = 'Diffusion'\nLEVELS = {}\n")
    (tmp_path / "not_a_model").mkdir()
    (tmp_path / "not_a_model" / "study.py").write_text("raise RuntimeError")
    study = find_study("diffusion", root=tmp_path)
    assert study.fact("NAME") == "Diffusion" and study.levels == {}
    with pytest.raises(UsageError, match=r"Did you mean diffusion\? Valid: 13_Diffusion"):
        find_study("difusion", root=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare", "mpl"], "dlfs compare mpl: there is no model 'mpl'. Did you mean mlp? Valid: 01_Linear_Logistic, 02_MLP, "),
        (["train", "zzz"], "dlfs train zzz: there is no model 'zzz'. Valid: 01_Linear_Logistic, 02_MLP, "),
        (["train", "02", "--level", "byhand"],
         "dlfs train 02: 02_MLP has no level 'byhand'. Did you mean by-hand? Valid: by-hand, engine, lowlevel, paper"),
        (["train", "02", "--data", "minst"],
         "dlfs train 02: 02_MLP has no recipe for data 'minst'. Did you mean mnist? Valid: digits, mnist"),
        (["compare", "02", "--variant", "mlp-tan"],
         "dlfs compare 02: 02_MLP has no variant 'mlp-tan'. Did you mean mlp-tanh? Valid: mlp, mlp-tanh, mlp-sigmoid, mlp-deep-gelu"),
        (["train", "02", "--device", "tpu"], "dlfs train 02: there is no device 'tpu'. Valid: cpu, cuda, cuda:N"),
        (["trian"], "dlfs trian: there is no command 'trian'. Did you mean train? Valid: list, compare, diff, train, "),
        (["compare"], "dlfs compare: name one model, or give --all"),
        (["compare", "02", "--all"], "dlfs compare 02: name one model, or give --all"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_a_wrong_name_gets_the_nearest_and_all_valid_ones(capsys, arguments, message):
    status, out, err = run(capsys, *arguments)
    assert status == 2 and not out
    assert err.startswith(message) and err.count("\n") == 1


@pytest.mark.parametrize(
    "option", [["--epochs", "0"], ["--batch-size", "x"], ["--lr", "0"], ["--lr", "-1"], ["--seed", "-1"]]
)
def test_a_number_out_of_range_is_refused(capsys, option):
    status, _, err = run(capsys, "train", "02", *option)
    assert status == 2 and f"Invalid value for '{option[0]}'" in err


def test_version(capsys):
    import dlfs

    assert run(capsys, "--version")[1].strip().endswith(dlfs.__version__)
