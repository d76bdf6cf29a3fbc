"""`dlfs train` and `dlfs results` on the bundled digits: what they write, show and refuse, and Ctrl-C for real."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from dlfs import results
from dlfs.cli import main
from dlfs.levels import build_level
from dlfs.studies import ROOT, all_studies, find_study
from utils import data_loaders
from utils.data_loaders import Dataset, Split, load
from utils.errors import DLFSError
from utils.training_utils import read_checkpoint

LEVELS = ("by-hand", "engine", "lowlevel", "paper")


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as exit_:
        main(list(arguments))
    out, err = capsys.readouterr()
    return exit_.value.code, out, err


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of all levels, as a user starts it."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    command = [sys.executable, "-m", "dlfs", "train", "02", "--epochs", "3", "--seed", "5", "--save-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "COLUMNS": "120"})
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def rows_of(folder, level):
    return [json.loads(line) for line in (folder / level / "log.jsonl").read_text().splitlines()]


def test_all_levels_write_a_log_a_checkpoint_and_one_picture(trained):
    folder, out = trained
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    for level in LEVELS:
        rows = rows_of(folder, level)
        assert [row["epoch"] for row in rows] == [0, 1, 2, 3, 3]
        assert rows[3]["train_loss"] < rows[1]["train_loss"] and rows[4]["test_accuracy"] > 0.6
        tensors = load_file(folder / level / "checkpoint.safetensors")
        names = {name for name in tensors if not name.startswith("optimizer.")}
        assert names == {"model.fc1.weight", "model.fc1.bias", "model.fc2.weight", "model.fc2.bias"}
        assert sum(name.startswith("optimizer.") for name in tensors) == 4 * 3  # step and two moments each
    assert out.count("epoch 3/3  train loss") == 4 and "In no epoch do the training losses" in out
    assert "\x1b" not in out  # plain lines where it is no terminal


def test_all_levels_learn_the_same(trained):
    """The same weights, the same batches: what remains is the rounding of float32."""
    folder, _ = trained
    reference = rows_of(folder, "paper")
    weights = load_file(folder / "paper" / "checkpoint.safetensors")
    for level in LEVELS:
        for row, expected in zip(rows_of(folder, level)[:-1], reference):
            for key in set(row) - {"seconds"}:
                assert row[key] == pytest.approx(expected[key], rel=1e-4, abs=1.01 / 250), (level, key)
        for name, array in load_file(folder / level / "checkpoint.safetensors").items():
            np.testing.assert_allclose(
                array, weights[name], rtol=0, atol=1e-4 * np.abs(weights[name]).max(), err_msg=name
            )


def test_levels_start_alike_and_their_first_steps_differ_by_rounding_alone():
    from dlfs.levels import initial_level

    study = find_study("02")
    config = study.recipe("digits")[1]["config"]
    start = initial_level(study, config, seed=1).state()
    data = load("digits").train
    losses = {}
    for name in LEVELS:
        level = build_level(study, name, config)
        level.load_state({key: array.astype(np.float64) for key, array in start.items()})
        level.use_optimizer("adam", 1e-3, {})
        batches = [
            (data.x[i : i + 32].reshape(-1, 64).astype(np.float64), data.y[i : i + 32]) for i in range(0, 640, 32)
        ]
        losses[name] = [level.step((x,), (y,)) for x, y in batches]
    for name in LEVELS:
        np.testing.assert_allclose(losses[name], losses["paper"], rtol=1e-10, err_msg=name)


def test_the_run_says_what_made_it(trained):
    folder, _ = trained
    facts = json.loads((folder / "run.json").read_text())
    assert facts["model"] == "02_MLP" and facts["data"] == "digits" and facts["levels"] == list(LEVELS)
    assert facts["seed"] == 5 and facts["epochs"] == 3 and facts["batch_size"] == 32 and facts["lr"] == 1e-3
    assert facts["versions"]["numpy"] == np.__version__ and "torch" in facts["versions"]
    assert facts["command"] == "dlfs train 02 --level all --data digits --epochs 3 --seed 5"


@pytest.mark.parametrize("level", ["by-hand", "engine"])
def test_level_1_trains_without_torch(tmp_path, level):
    program = (
        "import sys\n"
        "class NoTorch:\n"
        "    def find_spec(self, name, *args):\n"
        "        if name.split('.')[0] in ('torch', 'torchvision', 'transformers'):\n"
        "            raise ImportError(f'{name} is not installed')\n"
        "sys.meta_path.insert(0, NoTorch())\n"
        "from dlfs.cli import main\n"
        "try:\n"
        "    main(sys.argv[1:])\n"
        "finally:\n"
        "    assert 'torch' not in sys.modules\n"
    )
    command = [sys.executable, "-c", program, "train", "02", "--level", level, "--epochs", "1"]
    done = subprocess.run([*command, "--save-dir", str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / level / "checkpoint.safetensors").exists()
    if level == "by-hand":
        command[command.index("by-hand")] = "paper"
        done = subprocess.run([*command, "--save-dir", str(tmp_path / "b")], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 1 and "Traceback" not in done.stderr
        assert "levels 2 and 3 need PyTorch, which is not installed: pip install" in done.stderr


# ------------------------------------------------------------------------------------------------- Ctrl-C, resume


@pytest.mark.parametrize("level", LEVELS)
def test_a_resumed_run_ends_with_the_bits_of_one_that_was_not_stopped(capsys, tmp_path, level):
    arguments = ["train", "02", "--level", level, "--seed", "2"]
    assert run(capsys, *arguments, "--epochs", "4", "--save-dir", str(tmp_path / "whole"))[0] == 0
    assert run(capsys, *arguments, "--epochs", "2", "--save-dir", str(tmp_path / "parts"))[0] == 0
    assert run(capsys, "train", "02", "--resume", str(tmp_path / "parts"), "--epochs", "4")[0] == 0
    facts = json.loads((tmp_path / "parts" / "run.json").read_text())
    assert facts["epochs"] == 4 and facts["command"].endswith("--seed 2 --epochs 4")
    whole, parts = (load_file(tmp_path / name / level / "checkpoint.safetensors") for name in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    for name in whole:
        assert whole[name].tobytes() == parts[name].tobytes(), name


@pytest.mark.skipif(os.name == "nt", reason="SIGINT is sent as on POSIX")
def test_ctrl_c_leaves_the_last_checkpoint_whole_and_says_how_to_go_on(tmp_path):
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "dlfs", "train", "02", "--level", "by-hand", "--epochs", "100000"]
    process = subprocess.Popen(
        [*command, "--save-dir", str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(
            signal.SIGINT, signal.SIG_DFL
        ),  # a shell's background job ignores it, and so would a child
    )
    checkpoint = folder / "by-hand" / "checkpoint.safetensors"
    log = folder / "by-hand" / "log.jsonl"
    while process.poll() is None and not (checkpoint.exists() and len(log.read_text().splitlines()) > 3):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130 and "Traceback" not in err
    assert f"is whole: {checkpoint}" in err and f"Go on with: dlfs train 02 --resume {folder}" in err
    assert len(load_file(checkpoint)) == 4 + 12
    assert sorted(path.name for path in (folder / "by-hand").iterdir()) == ["checkpoint.safetensors", "log.jsonl"]
    epochs = int(err.partition("checkpoint of epoch ")[2].split()[0])
    resumed = [sys.executable, "-m", "dlfs", "train", "02", "--resume", str(folder), "--epochs", str(epochs + 1)]
    done = subprocess.run(resumed, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert rows_of(folder, "by-hand")[-1]["epoch"] == epochs + 1


def test_a_run_is_not_overwritten(capsys, trained):
    folder, _ = trained
    status, _, err = run(capsys, "train", "02", "--save-dir", str(folder))
    assert status == 2 and f"holds a run already: go on with it by --resume {folder}" in err


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["02", "--resume", "RUN", "--lr", "1", "--seed", "2"], 2, "leave out --lr, --seed"),
        (["02", "--resume", "NOTHING"], 1, "holds no run of `dlfs train`"),
        (["03", "--resume", "RUN"], 1, "holds a run of 02_MLP: dlfs train 02 --resume"),
    ],
    ids=["settings", "nothing", "model"],
)
def test_resume_refuses(capsys, trained, tmp_path, arguments, status, message):
    places = {"RUN": str(trained[0]), "NOTHING": str(tmp_path / "nothing")}
    code, _, err = run(capsys, "train", *(places.get(argument, argument) for argument in arguments))
    assert code == status and message in err


def test_a_batch_that_does_not_fit_names_both_shapes_before_anything_is_written(capsys, tmp_path, monkeypatch):
    small = Split(np.zeros((40, 1, 7, 9), np.float32), np.zeros(40, np.int64))
    monkeypatch.setattr("dlfs.commands.train.load", lambda name: Dataset(name, small, small, small))
    status, _, err = run(capsys, "train", "02", "--level", "by-hand", "--save-dir", str(tmp_path / "run"))
    assert status == 1 and err.count("\n") == 1
    assert "L1 by hand does not take the batches of digits: MLP.forward: expected (B, 64), got (2, 63)" in err
    assert not (tmp_path / "run").exists()


def test_by_hand_has_no_other_device(capsys, tmp_path):
    arguments = ["train", "02", "--level", "by-hand", "--device", "cuda", "--save-dir", str(tmp_path / "run")]
    status, _, err = run(capsys, *arguments)
    assert status == 1 and "by-hand is NumPy alone and runs on the CPU" in err


@pytest.mark.data
def test_mnist_trains(capsys, tmp_path, monkeypatch):
    """A tenth of an epoch of real MNIST: far above chance after 43 steps."""
    data = load("mnist")
    part = Dataset("mnist", Split(data.train.x[:5504], data.train.y[:5504]), data.valid, data.test)
    monkeypatch.setattr("dlfs.commands.train.load", lambda name: part)
    arguments = ["train", "02", "--level", "engine", "--data", "mnist", "--epochs", "1", "--save-dir", str(tmp_path)]
    assert run(capsys, *arguments)[0] == 0
    assert rows_of(tmp_path, "engine")[-1]["test_accuracy"] > 0.8


# ------------------------------------------------------------------------------------------------ Recorded runs


@pytest.fixture
def study(tmp_path):
    """A model's folder of its own: the MLP's, without what is recorded in it."""
    folder = tmp_path / "02_MLP"
    shutil.copytree(ROOT / "02_MLP", folder, ignore=shutil.ignore_patterns("__pycache__", "results"))
    text = (folder / "README.md").read_text()
    before, rest = text.split(results.BEGIN)
    (folder / "README.md").write_text(before + results.BEGIN + rest[rest.index(results.END) :])
    copy = find_study("02")
    copy.folder = folder
    return copy


def test_a_recorded_run_fills_the_block_and_nothing_else(study, trained):
    path, before, renewed = results.readme_with_results(study)
    assert before == renewed  # nothing recorded, nothing shown
    kept = results.record(study, trained[0])
    assert kept.name == "digits-seed5.json" and kept.with_suffix(".png").exists()
    _, _, renewed = results.readme_with_results(study)
    head, _, rest = renewed.partition(results.BEGIN)
    block, _, tail = rest.partition(results.END)
    assert head + results.BEGIN + results.END + tail == before
    for level in LEVELS:
        accuracy = rows_of(trained[0], level)[-1]["test_accuracy"]
        assert any(results.TITLES[level] in line and f"{100 * accuracy:.2f} %" in line for line in block.splitlines())
    assert (
        "`dlfs train 02 --level all --data digits --epochs 3 --seed 5`" in block
        and np.__version__ in block
        and "digits-seed5.png" in block
    )


def test_several_seeds_become_a_mean_with_its_spread(study, trained):
    path = results.record(study, trained[0])
    run = json.loads(path.read_text())
    for seed, accuracy in ((6, 0.5), (7, 0.7)):
        other = json.loads(path.read_text()) | {"seed": seed}
        other["levels"]["paper"]["test_accuracy"] = accuracy
        path.with_name(f"digits-seed{seed}.json").write_text(json.dumps(other))
    low, mean, high = (
        50,
        100 * (run["levels"]["paper"]["test_accuracy"] + 1.2) / 3,
        100 * run["levels"]["paper"]["test_accuracy"],
    )
    block = results.markdown(study)
    assert "| digits | L3 paper | 3 | 3 |" in block
    assert f"| {mean:.2f} % ({low:.2f}–{max(70, high):.2f}) |" in block


def test_of_several_seeds_the_lowest_has_its_picture_shown(study, trained, tmp_path):
    first = results.record(study, trained[0])
    higher = tmp_path / "higher"
    shutil.copytree(trained[0], higher)
    (higher / "run.json").write_text(json.dumps(json.loads((higher / "run.json").read_text()) | {"seed": 10}))
    second = results.record(study, higher)
    assert second.exists() and first.with_suffix(".png").exists() and not second.with_suffix(".png").exists()
    assert results.markdown(study).count("digits-seed5.png") == 1
    (higher / "run.json").write_text(json.dumps(json.loads((higher / "run.json").read_text()) | {"seed": 1}))
    lower = results.record(study, higher)
    assert lower.with_suffix(".png").exists() and not first.with_suffix(".png").exists()


def test_an_unfinished_run_is_not_recorded(study, trained, tmp_path):
    folder = tmp_path / "part"
    shutil.copytree(trained[0], folder)
    log = folder / "paper" / "log.jsonl"
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(DLFSError, match="has not finished its 3 epochs; go on with --resume"):
        results.record(study, folder)
    assert not (study.folder / "results").exists()


def test_the_weights_of_a_run_come_with_the_recipe_that_they_are_of(trained, tmp_path):
    weights = trained[0] / "by-hand" / "checkpoint.safetensors"  # the first level's
    assert results.checkpoint_of(trained[0]) == (weights, "digits") and results.checkpoint_of(weights) == (
        weights,
        None,
    )
    (tmp_path / "run.json").write_text((trained[0] / "run.json").read_text())
    with pytest.raises(DLFSError, match="holds no checkpoint yet"):
        results.checkpoint_of(tmp_path)


def test_a_readme_without_marks_says_which_are_missing(study):
    (study.folder / "README.md").write_text("# MLP\n")
    with pytest.raises(DLFSError, match="needs the lines <!-- results --> and <!-- /results --> once each"):
        results.readme_with_results(study)


@pytest.mark.parametrize("folder", [study.folder.name for study in all_studies() if results.recorded_runs(study)])
def test_every_readme_shows_its_recorded_runs(folder):
    study = find_study(folder)
    path, text, renewed = results.readme_with_results(study)
    assert text == renewed, f"{path} is not what `dlfs results {study.number} --write` writes"


def test_results_check_fails_on_a_typed_number(capsys, study, trained, monkeypatch):
    monkeypatch.setattr("dlfs.commands.results.find_written_study", lambda name: study)
    assert run(capsys, "results", "02", "--record", str(trained[0]))[0] == 0
    assert run(capsys, "results", "02", "--check")[0] == 0
    readme = study.folder / "README.md"
    accuracy = f"{100 * rows_of(trained[0], 'paper')[-1]['test_accuracy']:.2f} %"
    readme.write_text(readme.read_text().replace(accuracy, "99.99 %"))
    status, _, err = run(capsys, "results", "02", "--check")
    assert status == 1 and "dlfs results 02 --write" in err


def test_weights_of_a_checkpoint_load_at_every_level(trained):
    """One state dict, every level: what one level learnt, another goes on with."""
    folder, _ = trained
    study = find_study("02")
    config = study.recipe("digits")[1]["config"]
    state = read_checkpoint(folder / "by-hand" / "checkpoint.safetensors")["model"]
    test = load("digits").test
    predictions = []
    for name in LEVELS:
        level = build_level(study, name, config)
        level.load_state(state)
        predictions.append(level.predict((test.x.reshape(len(test), -1),), (test.y,))[1][0])
    for logits in predictions:
        np.testing.assert_allclose(logits, predictions[0], rtol=0, atol=1e-5 * np.abs(predictions[0]).max())


def test_from_starts_with_another_runs_weights(capsys, tmp_path, monkeypatch):
    """What both have is taken over, the rest starts as ever; the run says so, and what does not fit is named."""
    study = find_study("08")
    tiny = study.facts.BERTConfig(
        vocab_size=2000,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
        max_position_embeddings=16,
    )
    recipe = {**study.recipe("pydoc")[1], "config": tiny, "epochs": 1, "steps_per_epoch": 2}
    tokens = load("pydoc-pieces").train.x[:320].reshape(20, 16)
    split = Split(tokens, np.arange(20) % 2)
    monkeypatch.setitem(data_loaders.DATASETS, "few", lambda: Dataset("few", split, split, split))
    fine = {
        **study.facts.FINE_TUNING,
        "data": "few",
        "config": dataclasses.replace(tiny, head="sequence"),
        "epochs": 1,
        "lr": 1e-12,
    }
    wider = {**fine, "config": dataclasses.replace(fine["config"], hidden_size=16)}
    monkeypatch.setattr(study.facts, "RECIPES", {"pydoc": recipe, "fine": fine, "wider": wider})
    before, after = str(tmp_path / "before"), str(tmp_path / "after")
    assert run(capsys, "train", "08", "--level", "engine", "--save-dir", before)[0] == 0
    arguments = ("train", "08", "--level", "engine", "--data", "fine", "--from", before)
    status, out, _ = run(capsys, *arguments, "--save-dir", after)
    assert status == 0
    said = " ".join(out.split())
    assert "New: classifier.weight, classifier.bias. Not taken over: mlm.bias, mlm.dense.weight" in said
    ran = json.loads((tmp_path / "after" / "run.json").read_text())
    assert ran["from"] == before and ran["command"] == f"dlfs train 08 --level engine --data fine --from {before}"
    states = [
        read_checkpoint(Path(folder) / "engine" / "checkpoint.safetensors")["model"] for folder in (before, after)
    ]
    shared = states[0].keys() & states[1].keys()
    assert len(shared) == len(tiny.shapes) - 7
    for name in shared:
        np.testing.assert_allclose(states[1][name].array, states[0][name].array, atol=1e-8, err_msg=name)
    status, _, err = run(capsys, *arguments[:-3], "wider", "--from", before)
    assert (
        status == 1
        and "is of another config: embeddings.word_embeddings.weight is (2000, 8) there and (2000, 16) here" in err
    )
    status, _, err = run(capsys, "train", "02", "--level", "by-hand", "--from", before)
    assert status == 1 and f"--from: {before} holds a run of 08_BERT, not of 02_MLP" in " ".join(err.split())
    status, _, err = run(capsys, *arguments[:-1], str(tmp_path / "nowhere"))
    assert status == 1 and "holds no run of `dlfs train`" in " ".join(err.split())


def test_what_a_run_is_judged_by(monkeypatch):
    """Its accuracy; where it has none by that name, the first that it has; a loss only where the study says so."""
    figures = [
        {"test_mlm_accuracy": 0.5, "test_nsp_accuracy": 0.9},
        {"test_words_accuracy": 0.1, "test_accuracy": 0.8},
        {"test_loss": 1.0},
    ]
    runs = [{"data": name, "levels": {"paper": found}} for name, found in zip("abc", figures)]
    monkeypatch.setattr(results, "recorded_runs", lambda study: runs)
    assert results.reached(find_study("08")) == ["a 50.0 % mlm accuracy", "b 80.0 %"]


def test_a_final_metric_of_the_recipe_comes_before_what_is_watched_while_training(monkeypatch):
    run = {
        "data": "multi30k",
        "levels": {"paper": {"test_token_accuracy": 0.7, "test_accuracy": 0.9, "test_bleu": 38.7}},
    }
    monkeypatch.setattr(results, "recorded_runs", lambda study: [run])
    assert results.reached(find_study("07")) == ["multi30k 38.7 bleu"]


def test_a_run_that_stopped_early_is_told_by_the_epoch_whose_weights_were_kept(tmp_path):
    losses = [(3.0, 2.0), (2.0, 1.5), (1.0, 1.8)]  # of training and of validation: the second epoch is the best
    rows = [{"epoch": 0, "step": 0, "valid_loss": 1.0}]  # untrained, and by chance better
    rows += [
        {"epoch": i, "step": i, "train_loss": t, "valid_loss": v, "seconds": 1} for i, (t, v) in enumerate(losses, 1)
    ]
    rows += [{"epoch": 3, "step": 3, "test_loss": 1.6}]
    (tmp_path / results.LOG).write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert results.summary(tmp_path, 3, stopped_early=True) == dict(
        train_loss=2.0, valid_loss=1.5, test_loss=1.6, seconds=1
    )
    assert results.summary(tmp_path, 3, stopped_early=False) == dict(train_loss=1.0, test_loss=1.6, seconds=1)
