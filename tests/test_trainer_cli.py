"""What the trainer gives to `dlfs train`: its options, a kill and --resume for real, and errors that are one line."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from safetensors.numpy import load_file

import framework
from dlfs.cli import main
from dlfs.studies import ROOT
from framework import compiled
from framework.compiled import use_numba
from framework.trainer import CHECKPOINT


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as exit_:
        main(list(arguments))
    out, err = capsys.readouterr()
    return exit_.value.code, out, err


def rows_of(folder, level):
    return [json.loads(line) for line in (folder / level / "log.jsonl").read_text().splitlines()]


OPTIONS = ["--accumulate", "2", "--clip", "0.5", "--ema", "0.9", "--checkpoint-every", "7", "--early-stopping", "4"]


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
@pytest.mark.parametrize("level", ["engine", "paper"])
def test_a_killed_run_resumes_to_the_same_bits(capsys, tmp_path, level):
    arguments = ["train", "02", "--level", level, "--seed", "4", "--epochs", "4", *OPTIONS]
    assert run(capsys, *arguments, "--save-dir", str(tmp_path / "whole"))[0] == 0
    folder = tmp_path / "killed"
    command = [sys.executable, "-m", "dlfs", *arguments, "--save-dir", str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE)
    while process.poll() is None and not (folder / level / CHECKPOINT).exists():
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    subprocess.run(
        [sys.executable, "-m", "dlfs", "train", "02", "--resume", str(folder)], cwd=ROOT, env=environment, check=True, capture_output=True
    )  # fmt: skip
    whole, killed = (load_file(path / level / CHECKPOINT) for path in (tmp_path / "whole", folder))
    assert whole.keys() == killed.keys()
    if os.environ.get("OMP_NUM_THREADS") == "1":  # this process computed the first, with its own number of threads
        assert all(whole[name].tobytes() == killed[name].tobytes() for name in whole)
    assert [row["step"] for row in rows_of(folder, level)] == [0, 21, 42, 63, 84, 84]


def test_options_are_kept_with_the_run(capsys, tmp_path):
    arguments = ["train", "02", "--level", "engine", "--epochs", "1", *OPTIONS, "--save-dir", str(tmp_path)]
    assert run(capsys, *arguments)[0] == 0
    facts = json.loads((tmp_path / "run.json").read_text())
    assert facts["command"].endswith("--accumulate 2 --clip 0.5 --ema 0.9 --checkpoint-every 7 --early-stopping 4")
    assert (facts["accumulate"], facts["clip"], facts["ema"], facts["early_stopping"]) == (2, 0.5, 0.9, 4)


def test_tensorboard_writes_events_or_says_what_to_install(capsys, tmp_path, monkeypatch):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    arguments = ["train", "02", "--level", "by-hand", "--epochs", "1", "--tensorboard"]
    assert run(capsys, *arguments, "--save-dir", str(tmp_path / "a"))[0] == 0
    assert list((tmp_path / "a" / "by-hand" / "tensorboard").glob("events.out.*"))
    monkeypatch.setitem(sys.modules, "tensorboard.summary", None)
    status, _, err = run(capsys, *arguments, "--save-dir", str(tmp_path / "b"))
    assert status == 1 and "--tensorboard: TensorBoard: tensorboard is not installed: pip install tensorboard" in err
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("level", ["lowlevel", "paper"])
def test_torch_runs_faster_to_the_same(capsys, tmp_path, monkeypatch, level):
    """Compiled, with channels innermost and in bfloat16: a network that learns as the plain one does, but for rounding."""
    torch = pytest.importorskip("torch")
    compiled, real = [], torch.compile
    monkeypatch.setattr(torch, "compile", lambda f: compiled.append(f) or real(f, backend="eager"))
    found = {}
    for words in ("", "--compile --channels-last", "--bf16"):
        folder = tmp_path / f"run{words}"
        given = ("train", "05", "--level", level, "--epochs", "1", "--lr", "0.02", "--save-dir", str(folder))
        code, _, error = run(capsys, *given, *words.split())
        assert code == 0, error
        found[words] = [row["train_loss"] for row in rows_of(folder, level) if "train_loss" in row]
        assert json.loads((folder / "run.json").read_text())["command"].endswith(words)
    assert [f.__name__ for f in compiled] == ["forward", "loss"]
    for words, losses in found.items():
        assert losses == pytest.approx(found[""], rel=0.03 if "bf16" in words else 1e-3)
    assert found["--bf16"] != found[""]


@pytest.mark.parametrize("model, word", [("02", "--compile"), ("05", "--bf16"), ("05", "--channels-last")])
def test_what_only_torch_has_is_refused_elsewhere(capsys, tmp_path, model, word):
    code, _, error = run(capsys, "train", model, word, "--save-dir", str(tmp_path / "run"))
    assert code == 2 and f" has no {word}: give --level paper or --level lowlevel" in error
    assert not (tmp_path / "run").exists()


def test_the_engine_compiles_its_norms(capsys, tmp_path):
    pytest.importorskip("numba", reason='needs numba: pip install -c constraints.txt -e ".[numba]"')
    found = {}
    try:
        for words in ("", "--compile"):
            folder = tmp_path / f"run{words}"
            # so small a learning rate that the last digits, which differ, cannot grow from step to step
            given = ("train", "05", "--level", "engine", "--epochs", "1", "--lr", "1e-5", "--save-dir", str(folder))
            code, _, error = run(capsys, *given, *words.split())
            assert code == 0, error
            found[words] = [row["train_loss"] for row in rows_of(folder, "engine") if "train_loss" in row]
        assert compiled._kernels is not None
    finally:
        use_numba(False)
    assert found["--compile"] == pytest.approx(found[""], rel=1e-6) and found["--compile"] != found[""]


def test_without_numba_the_engine_says_what_to_install(capsys, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "framework.kernels", None)
    monkeypatch.delattr(framework, "kernels", raising=False)
    code, _, error = run(capsys, "train", "05", "--level", "engine", "--compile", "--save-dir", str(tmp_path / "run"))
    assert code == 2 and 'use_numba: needs numba: pip install -c constraints.txt -e ".[numba]"' in error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("word", ["often", "0", "-3", "0s"])
def test_an_interval_that_is_none_is_refused(capsys, tmp_path, word):
    arguments = ["train", "02", "--checkpoint-every", word, "--save-dir", str(tmp_path / "run")]
    status, _, err = run(capsys, *arguments)
    assert status == 2 and "--checkpoint-every: " in err and "such as 100" in err and not (tmp_path / "run").exists()


def test_a_damaged_checkpoint_is_one_line(capsys, tmp_path):
    arguments = ["train", "02", "--level", "by-hand", "--epochs", "1", "--save-dir", str(tmp_path)]
    assert run(capsys, *arguments)[0] == 0
    path = tmp_path / "by-hand" / CHECKPOINT
    path.write_bytes(path.read_bytes()[:-8])
    status, _, err = run(capsys, "train", "02", "--resume", str(tmp_path), "--epochs", "2")
    assert (
        status == 1 and "no whole safetensors file" in err and "Delete it to begin anew" in err and err.count("\n") == 1
    )


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_diverging_run_is_one_clean_error(capsys, tmp_path):
    arguments = ["train", "02", "--level", "by-hand", "--epochs", "3", "--lr", "1e37", "--save-dir", str(tmp_path)]
    status, _, err = run(capsys, *arguments)
    assert status == 1 and "Traceback" not in err and "A smaller --lr than 1e+37 may help" in err
    assert f"The last good checkpoint is of step 0: {tmp_path / 'by-hand' / CHECKPOINT}" in err
