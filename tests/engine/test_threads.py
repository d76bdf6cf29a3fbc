"""Threads: the same bits whatever their number, errors that come back, processes that are forked."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import framework
from framework import Tensor, nn, optim, threads
from framework.nn import functional as F
from framework.ops import elementwise, windows

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def sharing(monkeypatch):
    """Small work is shared too; afterwards one thread again."""
    monkeypatch.setattr(threads, "SHARE", 8)
    monkeypatch.setattr(elementwise, "SMALL", 0)
    monkeypatch.setattr(windows, "WIDE", 1)
    yield
    framework.set_num_threads(1)


def test_their_number_is_set_as_in_pytorch(sharing):
    assert framework.get_num_threads() == 1
    framework.set_num_threads(3)
    assert (
        framework.get_num_threads() == 3
        and threads.shares(10**9) == 3
        and threads.shares(20) == 2
        and threads.shares(0) == 1
    )
    with pytest.raises(RuntimeError, match="set_num_threads: the number of threads must be positive, not 0"):
        framework.set_num_threads(0)


def trained(optimizer, **options):
    """The weights of a small network after three steps, and its last loss."""
    rng = np.random.default_rng(0)
    framework.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3, stride=2, padding=1), nn.ReLU(),
        nn.MaxPool2d(3, 2, 1), nn.Flatten(), nn.Linear(8 * 4, 5),
    )  # fmt: skip
    x, y = Tensor(rng.standard_normal((6, 3, 16, 16), dtype="float32")), Tensor(rng.integers(0, 5, 6))
    update = optimizer(model.parameters(), **options)
    for _ in range(3):
        loss = F.cross_entropy(model(x), y)
        update.zero_grad()
        loss.backward()
        update.step()
    return [*[p.array.copy() for p in model.parameters()], loss.array]


@pytest.mark.parametrize(
    "optimizer, options",
    [
        (optim.SGD, dict(lr=0.1, momentum=0.9)),
        (optim.Adam, dict(lr=0.1, amsgrad=True)),
        (optim.AdamW, dict(lr=0.1, maximize=True)),
    ],
    ids=["SGD", "Adam", "AdamW"],
)
def test_training_gives_the_same_bits_with_any_number_of_threads(sharing, optimizer, options):
    alone = trained(optimizer, **options)
    for count in (2, 3):
        framework.set_num_threads(count)
        for ours, theirs in zip(trained(optimizer, **options), alone, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_products_on_threads_have_one_thread_of_blas_each(sharing):
    from threadpoolctl import threadpool_info, threadpool_limits

    def counts():
        return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]

    def product(part):
        parts.append(part)
        seen.extend(counts())
        if part.stop == 6:
            raise ValueError("of the last part")

    with threadpool_limits(2, user_api="blas"):
        framework.set_num_threads(2)
        before, parts, seen = counts(), [], []
        with pytest.raises(ValueError, match="of the last part"):
            threads.products_in_slices(product, 6, 10**9)
        assert counts() == before and set(seen) == {1}
        assert sorted(parts, key=lambda part: part.start) == [slice(0, 3), slice(3, 6)]


def test_without_threadpoolctl_products_are_in_one_piece(sharing, monkeypatch):
    monkeypatch.setattr(threads, "_blas", list)
    framework.set_num_threads(2)
    parts = []
    threads.products_in_slices(parts.append, 6, 10**9)
    assert parts == [slice(0, 6)]


def test_a_share_of_work_stays_on_its_thread(sharing):
    framework.set_num_threads(2)
    found = {0: set(), 1: set()}

    def share(part):
        threads.in_slices(lambda _: found[part.start].add(threading.get_ident()), 4, 10**9)

    threads.in_slices(share, 2, 10**9)
    assert len(found[0]) == len(found[1]) == 1 and found[0] != found[1]


def test_relu_of_rows_that_run_backwards_in_memory(sharing):
    framework.set_num_threads(2)
    x = np.random.default_rng(0).standard_normal((40, 30))
    np.testing.assert_array_equal(F.relu(Tensor(x[::-1])).array, np.maximum(x[::-1], 0))


@pytest.mark.parametrize("layout", [lambda x: x, lambda x: x[::-1], lambda x: x.T, lambda x: x[:, ::2]])
@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu_in_blocks_and_on_threads_is_gelu_in_one_piece(monkeypatch, approximate, layout):
    x = layout(np.random.default_rng(0).standard_normal((40, 30), dtype="float32"))
    found = []
    for count, block, share in ((1, 10**6, 10**6), (1, 70, 10**6), (3, 70, 8)):
        monkeypatch.setattr(threads, "BLOCK", block)
        monkeypatch.setattr(threads, "SHARE", share)
        framework.set_num_threads(count)
        input = Tensor(x, True)
        y = F.gelu(input, approximate)
        y.backward(framework.ones_like(y))
        found.append((y.array, input.grad.array))
    framework.set_num_threads(1)
    for y, g in found[1:]:
        np.testing.assert_array_equal(y, found[0][0])
        np.testing.assert_array_equal(g, found[0][1])


def test_all_parts_are_done_and_an_error_in_one_comes_back(sharing):
    framework.set_num_threads(4)
    done = []

    def work(part):
        done.append(part.start)
        if part.start == 6:
            raise ValueError("the last part")

    with pytest.raises(ValueError, match="the last part"):
        threads.in_slices(work, 8, 100)
    assert sorted(done) == [0, 2, 4, 6]


def test_work_within_work_is_done_by_the_same_thread(sharing):
    framework.set_num_threads(2)
    results = np.zeros((4, 4))

    def row(rows):
        for i in range(rows.start, rows.stop):
            threads.in_slices(lambda part, i=i: results[i].__setitem__(part, i + 1), 4, 100)

    threads.in_slices(row, 4, 100)
    np.testing.assert_array_equal(results, np.arange(1, 5)[:, None] * np.ones(4))


def test_a_diverging_run_is_silent_on_every_thread(sharing, recwarn):
    framework.set_num_threads(2)
    weights = [nn.Parameter(framework.full((50,), 3e38)) for _ in range(4)]
    for w in weights:
        w.grad = Tensor(np.full(50, -3e38, np.float32))
    optim.SGD(weights, lr=10.0).step()
    assert all(np.isinf(w.array).all() for w in weights) and not recwarn.list


def test_threads_that_update_parameters_do_not_meet(sharing):
    framework.set_num_threads(4)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(30):
            weights = [nn.Parameter(framework.zeros(size)) for size in range(2, 400)]
            update = optim.SGD(weights, lr=0.5)
            for some in (weights[:200], weights):
                for w in some:
                    w.grad = framework.ones_like(w)
                update.step()
            assert all((w.array == -1).all() for w in weights[:200])
            assert all((w.array == -0.5).all() for w in weights[200:])
    finally:
        sys.setswitchinterval(interval)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_has_threads_of_its_own(sharing):
    framework.set_num_threads(2)
    x = framework.ones(40, 40) - 2
    F.relu(x)  # starts a thread, which the child does not have
    child = os.fork()
    if not child:
        os._exit(0 if F.relu(x).sum().item() == 0 else 1)
    assert os.waitpid(child, 0)[1] == 0


WATCHED = """
import os, sys

class Watcher:
    def find_spec(self, name, path=None, target=None):
        if name == "numpy":
            print(os.environ.get("OPENBLAS_THREAD_TIMEOUT"))

sys.meta_path.insert(0, Watcher())
"""


@pytest.mark.parametrize("given", [None, "20"])
@pytest.mark.parametrize("start", ["import framework", "import dlfs.levels"])
def test_openblas_is_told_not_to_wait_in_a_loop_before_it_is_loaded(start, given):
    environment = {key: value for key, value in os.environ.items() if key != "OPENBLAS_THREAD_TIMEOUT"}
    environment |= {"OPENBLAS_THREAD_TIMEOUT": given} if given else {}
    code = WATCHED + start + "\nimport numpy"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == (given or "16"), done.stderr
