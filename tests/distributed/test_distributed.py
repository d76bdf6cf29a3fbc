"""Two processes on this machine, started by torchrun: what they compute together is what one computes alone."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file

from dlfs.cli import main
from dlfs.studies import ROOT
from framework import distributed
from framework.trainer import CHECKPOINT
from tests.distributed import cases

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytestmark = pytest.mark.skipif(
    os.name == "nt" or not torch.distributed.is_available(), reason="no gloo, or no SIGKILL"
)

OPTIONS = ["--epochs", "3", "--batch-size", "256", "--checkpoint-every", "4", "--seed", "4"]


def torchrun(*words, check=True):
    """Two processes; the port is one that is free."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *map(str, words)]
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **one_thread}, capture_output=True, text=True, timeout=900
    )
    assert not check or done.returncode == 0, done.stderr[-3000:]
    return done


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """The folder with what two processes did, once for all tests."""
    folder = tmp_path_factory.mktemp("two")
    torchrun("-m", "tests.distributed.worker", folder, *OPTIONS)
    return folder


@pytest.fixture(scope="module")
def both(out):
    """What each of the two found."""
    return [dict(np.load(out / f"{rank}.npz")) for rank in (0, 1)]


def part(found, prefix):
    return {key.removeprefix(prefix): value for key, value in found.items() if key.startswith(prefix)}


@pytest.mark.parametrize(("number", "level"), cases.LEVELS)
@pytest.mark.parametrize("plan", cases.PLANS)
def test_two_processes_make_the_step_of_one(both, tmp_path, number, level, plan):
    """Weights, gradients and the log, of batches in shares of 3 and 4 examples, to rounding in float64."""
    alone = cases.trained(number, level, *cases.PLANS[plan], tmp_path)
    for found in both:
        together = part(found, f"{number} {level} {plan} ")
        assert together.keys() == alone.keys()
        largest = max(np.abs(value).max() for key, value in alone.items() if key.startswith("gradient"))
        for key, value in alone.items():
            if "train_loss" in key and plan == "one example":
                continue  # the example is counted once by each process
            scale = largest if key.startswith("gradient") else max(1, np.abs(value).max())
            np.testing.assert_allclose(together[key], value, rtol=0, atol=1e-12 * scale, err_msg=key)
    same = (both[0][key].tobytes() == both[1][key].tobytes() for key in both[0] if key.startswith(f"{number} {level}"))
    assert all(same), "the two processes have drifted apart"


def test_buckets_are_sent_while_backward_goes_on(both):
    for library in ("engine", "torch"):
        events = both[0][f"overlap {library}"].tolist()
        sent = [place for place, event in enumerate(events) if event < 0]
        gradients = [place for place, event in enumerate(events) if event >= 0]
        assert len(sent) == 4 and len(gradients) == 8
        assert sent[0] < gradients[2], "the last layer's bucket waits for no other layer"
        assert [sum(place < at for place in gradients) for at in sent] == sorted(
            sum(place < at for place in gradients) for at in sent
        )
        assert set(events[: sent[1]]) <= {-1, 7, 6, 5, 4}


def test_gradients_that_are_missing_count_as_zero(both):
    for found in both:
        for library in ("engine", "torch"):
            assert found[f"missing {library}"].tolist() == [[1.5, 1.5], [2.0, 2.0]]


def test_distributed_data_parallel_is_pytorchs(both):
    for found in both:
        ours, theirs = part(found, "ddp engine "), part(found, "ddp torch ")
        assert ours.keys() == theirs.keys() and "refused" in ours
        for key, value in theirs.items():
            np.testing.assert_allclose(ours[key], value, rtol=1e-12, atol=1e-13, err_msg=key)
    for key in ("first.weight", "gradient norm.bias"):
        assert both[0][f"ddp engine {key}"].tobytes() == both[1][f"ddp engine {key}"].tobytes()


def test_collectives_write_into_the_tensors_memory(both):
    for found in both:
        assert found["collectives reduced"].tolist() == [[3.0] * 3] * 2
        assert found["collectives broadcast"].tolist() == [6.0, 6.0]


def test_a_run_of_two_resumes_to_the_same_bits(both):
    """With BatchNorm, dropout and averages; each process goes on with the random numbers that were its own."""
    for found in both:
        whole, resumed = part(found, "whole "), part(found, "resumed ")
        assert whole and all(whole[key].tobytes() == resumed[key].tobytes() for key in whole)
    assert both[0]["rows"].tobytes() == both[1]["rows"].tobytes() and np.isfinite(both[0]["rows"]).all()
    assert (both[0]["noise"] != both[1]["noise"]).all()


def test_a_nan_in_one_process_is_found_by_all(both):
    for found in both:
        assert str(found["spoilt"]).startswith("step 2 (epoch 1): the loss is nan.")


@pytest.mark.parametrize("level", ["engine"])
def test_a_killed_rank_is_restarted_and_ends_with_the_same_bits(out, tmp_path, level):
    """SIGKILL to one of two; torchrun starts both anew, by the same command, which goes on from the last checkpoint."""
    command = ["train", "02", "--level", level, *OPTIONS, "--save-dir", tmp_path / "killed"]
    done = torchrun("--max-restarts", "1", ROOT / "tests" / "distributed" / "dying.py", *command)
    assert "exitcode: -9" in done.stderr, done.stderr[-2000:]
    whole, killed = (load_file(folder / level / CHECKPOINT) for folder in (out / "command", tmp_path / "killed"))
    assert whole.keys() == killed.keys() and all(whole[name].tobytes() == killed[name].tobytes() for name in whole)
    logs = []
    for folder in (out / "command", tmp_path / "killed"):
        rows = [json.loads(line) for line in (folder / level / "log.jsonl").read_text().splitlines()]
        logs.append([{**row, "seconds": 0} for row in rows])
    assert logs[0] == logs[1] and len(logs[0]) == 5
    assert json.loads((tmp_path / "killed" / "run.json").read_text())["processes"] == 2


def test_a_run_of_two_is_written_once_and_refused_to_one(out, both, capsys):
    assert both[0]["exit"] == both[1]["exit"] == 0
    folder = out / "command"
    assert {path.name for path in folder.iterdir()} == {"run.json", "curves.png", "engine"}
    assert not list(folder.rglob("*.tmp"))
    with pytest.raises(SystemExit) as exit_:
        main(["train", "02", "--resume", str(folder)])
    assert (
        exit_.value.code == 2
        and "is a run of 2 processes, not 1: start torchrun --nproc-per-node 2 -m dlfs" in capsys.readouterr().err
    )


def test_restarts_need_a_folder_that_they_find(capsys, monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_MAX_RESTARTS", "3")
    with pytest.raises(SystemExit) as exit_:
        main(["train", "02", "--level", "engine"])
    assert exit_.value.code == 2 and "--max-restarts: name the run's folder by --save-dir" in capsys.readouterr().err


def test_alone_there_is_no_group_and_torch_is_not_imported():
    world = distributed.World()
    assert (world.rank, world.size, world.is_first) == (0, 1, True)
    assert world.sum([0.1]) == [0.1] and world.first("a") == "a" and world.gather(3) == [3]
    with pytest.raises(RuntimeError, match="no process group"):
        distributed.get_rank()
    program = "import sys; from dlfs.cli import main\ntry: main(sys.argv[1:])\nexcept SystemExit as e: assert e.code == 0\nassert 'torch' not in sys.modules"
    words = ["train", "02", "--epochs", "1", "--batch-size", "700", "--level", "engine", "--save-dir"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    folder = os.path.join(os.environ.get("TMPDIR", "/tmp"), f"alone-{os.getpid()}")
    subprocess.run(
        [sys.executable, "-c", program, *words, folder], cwd=ROOT, env=environment, check=True, capture_output=True
    )
