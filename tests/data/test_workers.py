"""Workers that raise, die, hang, or are left: the parent says what happened, and nothing stays behind."""

import ctypes
import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from framework import data


@pytest.fixture(autouse=True)
def nothing_stays_behind():
    def descriptors():
        return len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0

    list(data.DataLoader(range(1), num_workers=1))  # opens what multiprocessing keeps open
    before = descriptors()
    yield
    assert multiprocessing.active_children() == []
    gc.collect()  # a kept traceback holds the last batch
    assert descriptors() == before  # a segment has no name: with its last descriptor it is gone


class Acting(data.Dataset):
    """Sample 5 does something bad."""

    def __init__(self, act):
        self.act = act

    def __len__(self):
        return 8

    def __getitem__(self, index):
        if index == 5:
            self.act()
        return np.full(1000, index)


def deliver(act, **options):
    """How many batches came, and the error that ended them. Its traceback is kept, as a debugger would."""
    count = 0
    with pytest.raises(Exception) as caught:
        for _ in data.DataLoader(Acting(act), 1, num_workers=2, **options):
            count += 1
    return count, caught.value


class Custom(Exception):
    def __init__(self, a, b):
        super().__init__(a, b)


def fail_with_value_error():
    raise ValueError("sample 5 is broken")


def fail_with_key_error():
    return {}["missing"]


def fail_with_custom():
    raise Custom(1, 2)


def fail_with_local():
    class Local(Exception):
        pass

    raise Local("hidden")


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize(
    "act, kind, text",
    [
        (fail_with_value_error, ValueError, "ValueError: sample 5 is broken"),
        (fail_with_key_error, KeyError, "KeyError: 'missing'"),
        (fail_with_custom, RuntimeError, "Custom: (1, 2)"),
        (fail_with_local, RuntimeError, "Local: hidden"),
    ],
)
def test_a_raising_worker_gives_its_traceback(act, kind, text, persistent):
    count, error = deliver(act, persistent_workers=persistent)
    assert count == 5
    assert type(error) is kind
    assert "in DataLoader worker process 1, batch 5" in str(error)
    assert (
        "Traceback (most recent call last)" in str(error)
        and f"in {act.__name__}\n" in str(error)
        and text in str(error)
    )


@pytest.mark.parametrize(
    "act, how",
    [
        (lambda: os._exit(3), "exited with code 3"),
        (lambda: sys.exit(4), "exited with code 4"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "was killed by SIGKILL"),
    ],
)
def test_a_dying_worker_gives_its_exit_code(act, how):
    count, error = deliver(act)
    assert count == 5 and type(error) is RuntimeError
    assert "DataLoader worker 1 (pid " in str(error) and f"{how} before it had finished batch 5" in str(error)


def test_a_worker_that_crashes_in_native_code_shows_where(capfd):
    count, error = deliver(lambda: ctypes.string_at(0))
    assert count == 5 and "was killed by SIGSEGV before it had finished batch 5" in str(error)
    assert "Fatal Python error: Segmentation fault" in capfd.readouterr().err


def test_a_worker_killed_from_outside_is_noticed_while_waiting():
    loader = data.DataLoader(Acting(lambda: time.sleep(60)), 1, num_workers=2)
    batches = iter(loader)
    victims = multiprocessing.active_children()
    for _ in range(5):
        next(batches)
    for process in victims:
        os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(RuntimeError, match="was killed by SIGKILL"):
        list(batches)


def test_a_hanging_worker_times_out_and_is_ended(monkeypatch):
    monkeypatch.setattr("framework.data.worker.GRACE", 0.2)
    count, error = deliver(lambda: time.sleep(60), timeout=0.3)
    assert count == 5 and "timed out after 0.3 seconds" in str(error)


def test_a_worker_that_ignores_sigterm_is_killed(monkeypatch):
    monkeypatch.setattr("framework.data.worker.GRACE", 0.2)

    def stubborn():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(60)

    count, error = deliver(stubborn, timeout=0.3)
    assert count == 5 and "timed out" in str(error)


def test_a_failing_worker_init_fn_gives_its_traceback():
    def init(worker_id):
        raise OSError(f"no files for {worker_id}")

    with pytest.raises(OSError, match="(?s)worker process 0.*in init.*no files for 0"):
        list(data.DataLoader(range(3), num_workers=1, worker_init_fn=init))


def test_a_batch_that_cannot_be_pickled_is_named():
    with pytest.raises(Exception, match="(?s)worker process 0.*pickle"):
        list(data.DataLoader(range(3), num_workers=1, collate_fn=lambda batch: lambda: batch))


def test_an_error_ends_the_epoch():
    batches = iter(data.DataLoader(Acting(fail_with_value_error), 1, num_workers=2))
    with pytest.raises(ValueError, match="broken"):
        list(batches)
    assert list(batches) == []


def test_an_iterator_left_early_ends_its_workers():
    for _ in data.DataLoader(range(100), 1, num_workers=2):
        break
    assert multiprocessing.active_children() == []


def test_persistent_workers_stay_for_the_next_epoch_and_go_with_the_loader():
    sampler = [0, 1, 2, 3]
    loader = data.DataLoader(
        range(8),
        1,
        sampler=sampler,
        num_workers=2,
        persistent_workers=True,
        collate_fn=lambda batch: (batch, os.getpid()),
    )
    first = list(loader)
    for _ in loader:
        break
    sampler[:] = 4, 5, 6, 7
    second = list(loader)
    assert [batch for batch, _ in second] == [[4], [5], [6], [7]]  # no answer from the epoch that was left
    assert [pid for _, pid in second] == [pid for _, pid in first]
    assert len(multiprocessing.active_children()) == 2
    del loader
    assert multiprocessing.active_children() == []


def test_persistent_workers_that_died_are_replaced():
    class FailsOnce(data.Dataset):
        armed = True

        def __len__(self):
            return 4

        def __getitem__(self, index):
            if self.armed and index == 2:
                raise ValueError("once")
            return index

    dataset = FailsOnce()
    loader = data.DataLoader(dataset, 1, num_workers=2, persistent_workers=True)
    with pytest.raises(ValueError, match="once"):
        list(loader)
    dataset.armed = False
    assert [batch.array.tolist() for batch in loader] == [[0], [1], [2], [3]]
    del loader
    gc.collect()  # the error's traceback holds the loader


def test_a_new_iteration_ends_the_one_before_it():
    loader = data.DataLoader(range(8), 1, num_workers=2, persistent_workers=True)
    old = iter(loader)
    next(old)
    assert len(list(loader)) == 8
    with pytest.raises(RuntimeError, match="a new iter.. ends the one before it"):
        next(old)
    del loader, old


def test_two_loaders_at_once():
    loader = data.DataLoader(range(8), 2, num_workers=2)
    assert [(a.array.tolist(), b.array.tolist()) for a, b in zip(loader, loader)] == [
        ([i, i + 1], [i, i + 1]) for i in (0, 2, 4, 6)
    ]


def alive(pid):
    """Whether a process runs (one that has ended but was not yet waited for does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("end, to_group", [(signal.SIGKILL, False), (signal.SIGTERM, False), (signal.SIGINT, True)])
def test_workers_go_when_their_parent_is_ended(end, to_group):
    """Killed, terminated, or interrupted by Ctrl-C, which reaches the workers too."""
    program = """
        import multiprocessing, time
        from framework import data
        for i, batch in enumerate(data.DataLoader(range(1000), 1, num_workers=2)):
            if i == 1:
                print(*[child.pid for child in multiprocessing.active_children()], flush=True)
            time.sleep(0.01)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=Path(__file__).parents[2],
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
    )
    pids = [int(pid) for pid in process.stdout.readline().split()]
    assert len(pids) == 2 and all(map(alive, pids))
    (os.killpg if to_group else os.kill)(process.pid, end)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == -end
    if end == signal.SIGINT:
        assert errors.count("Traceback") == 1 and errors.rstrip().endswith("KeyboardInterrupt")
    deadline = time.monotonic() + 20
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, pids))
