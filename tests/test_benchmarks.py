"""The benchmarks' own promises: sides that compute the same, a missing peer that is a line, and tables made from recorded figures. Nothing is timed."""

import importlib.util
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import accuracy, everything, processes, protocol, report
from benchmarks.__main__ import main
from benchmarks.peers import INSTALLABLE, PEERS, at_home, python_of
from benchmarks.peers.models import LOSSES
from benchmarks.peers.worker import read_workload
from framework import backend, drop_in
from tests.engine import foreign
from utils.errors import DLFSError

SMALL = ("softmax", "vae", "chain")


def first_losses(side, path, device="cpu"):
    process = processes.Process(side, path, threads=1, folder=everything.FOLDER, device=device)
    try:
        return process.answer(600)["losses"]
    finally:
        process.close()


def test_every_workload_of_the_full_run_has_a_model_for_the_peers_and_a_title():
    assert set(everything.WORKLOADS) == set(LOSSES) == set(report.TITLES)


@pytest.mark.parametrize("name", SMALL)
def test_sides_at_home_start_from_one_file_and_compute_the_same_losses(name, tmp_path):
    pytest.importorskip("torch")
    path = processes.write_workload(name, tmp_path / "workload.npz")
    expected = first_losses("pytorch", path)
    sides = ["engine"] + ["numba"] * (importlib.util.find_spec("numba") is not None) + ["by hand"] * (name != "chain")
    for side in sides:
        np.testing.assert_allclose(first_losses(side, path), expected, rtol=1e-5)
    assert expected[0] == pytest.approx(expected[1], rel=1e-6) and expected[2] < expected[1]


@pytest.mark.parametrize("name", everything.WORKLOADS)
def test_the_engine_takes_a_workload_to_its_device(name, tmp_path, monkeypatch):
    """On arrays that refuse NumPy's, as CuPy's do: nothing stays behind on the CPU."""
    parameters, batch = read_workload(processes.write_workload(name, tmp_path / "workload.npz"), "engine")[1:]
    expected = at_home.Engine(name, parameters, batch).step()
    monkeypatch.setattr(backend, "cupy", lambda: foreign.library)
    monkeypatch.setattr(at_home.Engine, "device", "cuda")
    peer = at_home.Engine(name, parameters, batch)
    assert peer.step() == pytest.approx(expected, rel=1e-5)
    assert {str(p.device.type) for p in (*peer.model.parameters(), *peer.inputs)} == {"cuda"}


@pytest.mark.gpu
@pytest.mark.parametrize("side", ["engine", "pytorch"])
@pytest.mark.parametrize("name", everything.WORKLOADS)
def test_a_side_computes_the_same_losses_on_the_gpu(name, side, tmp_path):
    path = processes.write_workload(name, tmp_path / "workload.npz")
    np.testing.assert_allclose(first_losses(side, path, "cuda"), first_losses(side, path), rtol=1e-4)


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["mlp", "lenet", "gpt"])
def test_both_count_the_bytes_of_a_step_on_the_gpu(name, tmp_path):
    found = everything.measure(
        name, ("engine", "pytorch"), 1, everything.Settings(quick=True), kinds=("step",), device="cuda"
    )
    ours, theirs = (found[side]["tensors"] for side in ("engine", "pytorch"))
    assert theirs / 2 < ours < 2 * theirs


@pytest.mark.parametrize("given, what", [(["--side", "jax"], "jax runs on a CPU alone"), ([], "CuPy|finds no GPU")])
def test_a_gpu_that_is_not_there_is_a_line(given, what, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    result = CliRunner().invoke(main, ["--device", "cuda", *given])
    assert result.exit_code == 1 and re.search(what, result.output) and result.output.count("\n") == 1


@pytest.mark.parametrize("side", INSTALLABLE)
def test_an_installed_peer_computes_the_engines_losses(side, tmp_path):
    if python_of(side) is None:
        pytest.skip(f"{PEERS[side].title} is not installed: python -m benchmarks install-peers {side}")
    path = processes.write_workload("vae", tmp_path / "workload.npz")
    np.testing.assert_allclose(first_losses(side, path), first_losses("engine", path), rtol=1e-4)


def test_the_settings_of_a_workload_are_read_from_its_name():
    workloads = drop_in.load("benchmarks/workloads.py")
    assert workloads.make("deep-mlp depth=3").head.in_features == 256
    assert len(workloads.make("deep-mlp depth=3").layers) == 6
    assert workloads.make("gpt length=16").batch(np.random.default_rng(0))[0].shape == (12, 16)


@pytest.mark.parametrize("losses", [[2.0, 2.0, 1.95, 1.9], [2.001, 2.001, 1.9, 1.8], [float("nan")] * 4])
def test_a_side_that_computes_something_else_is_not_timed(losses):
    right = {"losses": [2.0, 2.0, 1.9, 1.8]}
    slow = {"losses": [2.00001, 2.00001, 1.9001]}
    results = {"engine": {"losses": losses}, "pytorch": right, "autograd": slow, "jax": {"missing": "compile"}}
    wrong = everything.check_losses(results)
    assert list(wrong) == ["engine"] and "not timed" in wrong["engine"]


def test_a_missing_peer_is_a_line_that_says_how_to_install_it(tmp_path):
    sides, missing = everything.available(["engine", "dezero"], tmp_path)
    assert sides == ["engine"]
    assert missing == {"dezero": "python -m benchmarks install-peers dezero"}


def test_a_peer_never_sees_the_projects_folder(tmp_path):
    """Our dezero/ and the original's share a name."""
    process = processes.Process("dezero", "", threads=1, folder=stub(tmp_path, "dezero"))
    try:
        with pytest.raises(processes.Failed, match="No module named 'dezero'"):
            process.answer(600)
    finally:
        process.close()


def stub(folder, side):
    """A peer's environment with this Python's NumPy, and without the start-up that puts an editable install's folder on the path."""
    if sys.platform == "win32":
        pytest.skip("a script in place of Python")
    python = folder / side / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{Path(np.__file__).parents[1]}" exec "{sys.executable}" -S "$@"\n')
    python.chmod(0o755)
    (folder / side / "installed").touch()
    return folder


def test_ratios_are_of_medians_and_the_spread_is_of_the_rounds_that_both_took_part_in():
    results = {
        "pytorch": {"blocks": {"step": {0: 1.0, 1: 2.0, 2: 3.0, 3: 2.0}}},
        "engine": {"blocks": {"step": {0: 1.0, 1: 1.0, 2: 1.0, 3: 1.0}}},
        "autograd": {"blocks": {"step": {0: 10.0}, "forward": {}}},
    }
    everything.summarise(results)
    engine = results["engine"]["step"]
    assert engine["ratio"] == pytest.approx(0.5) and engine["blocks"] == 4
    assert (engine["low"], engine["high"]) == (pytest.approx(0.5), pytest.approx(0.5))
    assert results["autograd"]["step"]["ratio"] == pytest.approx(5.0)
    assert "forward" not in results["autograd"] and "blocks" not in results["engine"]


RECORDED = {
    "machine": "a machine", "threads": 2, "versions": {"engine": "1", "pytorch": "2"}, "imports": {"pytorch": 1.0, "engine": 0.1},
    "workloads": {
        "mlp": {
            "pytorch": {"step": {"median_ms": 2.0, "ratio": 1.0, "low": 1, "high": 1}, "tensors": 2 << 20},
            "engine": {"step": {"median_ms": 1.0, "ratio": 0.5, "low": 0.4, "high": 0.6}, "tensors": 1 << 20},
            "dezero": {"step": {"median_ms": 8.0, "ratio": 4.0, "low": 4, "high": 4}},
        },
        "gpt": {
            "pytorch": {"step": {"median_ms": 10.0, "ratio": 1.0, "low": 1, "high": 1}},
            "engine": {"step": {"median_ms": 20.0, "ratio": 2.0, "low": 2, "high": 2}},
            "dezero": {"missing": "bmm"},
        },
    },
}  # fmt: skip


def test_the_table_has_a_ratio_or_a_word_for_every_side_and_the_geometric_mean():
    head, rows = report.step_rows(RECORDED)
    assert head == ["workload", "PyTorch eager, ms", "engine", "DeZero"]
    assert rows[0] == ["MLP", "2.00", "0.50", "4.00"]
    assert rows[1] == ["GPT", "10.00", "2.00", "bmm"]
    assert rows[2] == ["geometric mean of the models", "", "1.00", "4.00"]
    assert rows[3] == ["import", "1.00 s", "0.10 s", "–"]


def test_the_page_is_written_between_its_marks_from_recorded_runs(tmp_path):
    for name in ("everything", "everything-gpu"):
        (tmp_path / f"{name}.json").write_text(json.dumps(RECORDED))
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- benchmarks -->\nold\n<!-- /benchmarks -->\nafter\n")
    report.write_docs(tmp_path, page)
    text = page.read_text()
    assert text.startswith("before\n<!-- benchmarks -->\n") and text.endswith("<!-- /benchmarks -->\nafter\n")
    assert "| MLP | 2.00 | 0.50 | 4.00 |" in text and "old" not in text
    assert "](everything.png)" in text and (tmp_path / "everything.png").stat().st_size > 1000
    assert "](everything-gpu.png)" in text.split("### On a GPU")[1]
    report.write_docs(tmp_path, page)
    assert page.read_text() == text
    page.write_text("no marks")
    with pytest.raises(DLFSError, match="needs the lines"):
        report.write_docs(tmp_path, page)


def test_the_docs_hold_what_the_recorded_runs_say(tmp_path):
    from benchmarks.__main__ import RESULTS

    recorded = sorted(RESULTS.glob("*.json"))
    if not recorded:
        pytest.skip("nothing is recorded yet: python -m benchmarks --record")
    text = report.PAGE.read_text(encoding="utf-8")
    generated = re.search(f"{report.BEGIN}(.*){report.END}", text, re.DOTALL)[1]
    if (RESULTS / "everything.json").exists():
        table = report.markdown(*report.step_rows(json.loads((RESULTS / "everything.json").read_text())))
        assert table in generated, "python -m benchmarks --write"


def test_accuracy_is_of_the_same_digits_in_every_shape():
    flat, image = accuracy.digits((784,)), accuracy.digits((1, 28, 28))
    assert flat["x_train"].shape == (1297, 784) and image["x_test"].shape == (250, 1, 28, 28)
    np.testing.assert_array_equal(flat["x_train"].reshape(-1, 1, 28, 28), image["x_train"])
    assert flat["x_train"].dtype == np.float32


def test_the_summary_of_trainings_counts_seeds_that_miss_the_goal():
    rows = [{"seconds": float(i + 1), "accuracy": a} for i, a in enumerate((0.5, 0.9, 0.97))]
    found = accuracy.summary({"engine": [rows, rows[:2]]}, goal=0.95)["engine"]
    assert found["seconds_to_goal"] == [3.0, None] and found["accuracy"] == [0.97, 0.9]
    results = {"trainings": {"mlp": {"engine": [rows, rows[:2]]}}}
    assert report.accuracy_rows(results)[1][0][-1] == "reached by 1 seeds"


def test_a_training_in_a_process_learns(tmp_path):
    runs = accuracy.measure("mlp", ["engine"], threads=1, seeds=1, epochs=2)
    first, second = runs["engine"][0]
    assert second["accuracy"] > 0.6 and second["seconds"] > first["seconds"]


def test_help_names_every_part():
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    for part in ("install-peers", "scale", "accuracy", "step", "memory", "--quick", "--resume", "--write"):
        assert part in result.output


def test_the_protocols_environment_drops_what_chooses_kernels(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    assert "OPENBLAS_CORETYPE" not in protocol.environment(2)
