"""Fetching batches, here or in worker processes."""

import contextlib
import faulthandler
import itertools
import multiprocessing
import os
import pickle
import select
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from multiprocessing import connection as multiprocessing_connection

from .. import backend
from .randomness import batch_numbers, seed_all
from .shared import SegmentReader, SegmentWriter

PARENT_CHECK = 1.0  # seconds between two looks at whether the parent still lives, or a silent worker
GRACE = 5.0  # seconds that a worker has to finish what it does before it is ended

_worker_info = None


@dataclass(frozen=True)
class WorkerInfo:
    """What a worker knows of itself. seed: the epoch's seed + id, as the worker was started."""

    id: int
    num_workers: int
    seed: int
    dataset: object


def get_worker_info():
    """In a DataLoader's worker process its WorkerInfo, elsewhere None."""
    return _worker_info


class EndOfStream(Exception):
    """An iterable dataset has no more batches."""


class Fetcher:
    """Makes batch after batch of a dataset; one lives in every worker, or in the loader itself."""

    def __init__(self, dataset, iterable, batched, collate_fn, drop_last):
        self.dataset, self.batched, self.collate_fn, self.drop_last = dataset, batched, collate_fn, drop_last
        self.stream = iter(dataset) if iterable else None
        self.ended = False

    def fetch(self, index):
        """The batch of these indices (one index where batching is off; for an iterable dataset only its length counts)."""
        if self.stream is not None:
            samples = self._next_samples(index)
        elif not self.batched:
            samples = self.dataset[index]
        elif getattr(self.dataset, "__getitems__", None):
            samples = self.dataset.__getitems__(index)
        else:
            samples = [self.dataset[i] for i in index]
        return self.collate_fn(samples)

    def _next_samples(self, index):
        wanted = len(index) if self.batched else 1
        samples = [] if self.ended else list(itertools.islice(self.stream, wanted))
        self.ended = len(samples) < wanted
        if not samples or (self.ended and self.drop_last):
            raise EndOfStream
        return samples if self.batched else samples[0]


# --- in the worker ----------------------------------------------------------------------------------------------------


def work(connection, worker_id, num_workers, seed, dataset, fetcher_options, worker_init_fn):
    """A worker's whole life: answer one task after another until None comes or the parent is gone."""
    global _worker_info
    parent = os.getppid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group, but the parent ends the workers
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    with contextlib.suppress(Exception):
        faulthandler.enable(all_threads=False)  # a crash in native code shows where
    _worker_info = WorkerInfo(worker_id, num_workers, seed + worker_id, dataset)
    seed_all(seed, worker_id)
    backend.manual_seed(seed + worker_id)  # what initial_seed() tells worker_init_fn
    writer = SegmentWriter(connection)
    fetcher, fetching_epoch, failure = None, None, None
    try:
        if worker_init_fn is not None:
            worker_init_fn(worker_id)
    except Exception as error:
        failure = _describe(error)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the parent is gone
        while (task := _next_task(connection, parent)) is not None:
            epoch, seed, number, index, released = task
            writer.release(released)
            try:
                if failure:
                    kind, result = "error", failure
                else:
                    if fetching_epoch != epoch:
                        seed_all(seed, worker_id)
                        fetcher, fetching_epoch = Fetcher(dataset, *fetcher_options), epoch
                    seed_all(*batch_numbers(seed, number, index))
                    kind, result = "batch", fetcher.fetch(index)
            except EndOfStream:
                kind, result = "end", None
            except Exception as error:
                kind, result = "error", _describe(error)
            try:
                writer.send((kind, epoch, number), result)
            except (BrokenPipeError, ConnectionResetError):
                raise
            except Exception as error:  # what the batch holds cannot be pickled
                writer.send(("error", epoch, number), _describe(error))
            del result


def _next_task(connection, parent):
    """(epoch, seed, number, index, released segments); None where there is nothing more to do."""
    while not connection.poll(PARENT_CHECK):
        if os.getppid() != parent:
            return None
    try:
        return connection.recv()
    except EOFError:
        return None


def _describe(error):
    kind = type(error)
    try:
        pickle.dumps(kind)
    except Exception:  # a class within a function
        kind = RuntimeError
    return kind, "".join(traceback.format_exception(error))


# --- in the parent ----------------------------------------------------------------------------------------------------


class _Verbatim(str):
    """A message that KeyError, which shows the repr of its argument, shows as it is."""

    __repr__ = str.__str__


class Worker:
    """The parent's handle on one worker process."""

    def __init__(self, context, worker_id, *arguments):
        self.id = worker_id
        self.connection, theirs = multiprocessing.Pipe()
        self.reader = SegmentReader(self.connection)
        self.process = context.Process(target=work, args=(theirs, worker_id, *arguments), daemon=True)
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # until the worker ignores it
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        theirs.close()

    def send(self, epoch, seed, number, index):
        with contextlib.suppress(
            BrokenPipeError, ConnectionResetError
        ):  # a dead worker is reported when its batch is due
            self.connection.send((epoch, seed, number, index, self.reader.take_released()))

    def receive(self, epoch, number, timeout):
        """(kind, result) of the task with this number; RuntimeError where the worker died or did not answer in time.

        Answers to tasks of an earlier epoch, which nobody waits for, are dropped.
        """
        deadline = time.monotonic() + timeout if timeout else float("inf")
        while True:
            left = deadline - time.monotonic()
            if multiprocessing_connection.wait([self.connection], min(PARENT_CHECK, max(left, 0))):
                try:
                    (kind, answered_epoch, answered), result = self.reader.receive()
                except EOFError:
                    raise RuntimeError(self._death(number)) from None
                if (answered_epoch, answered) == (epoch, number):
                    return kind, result
                del result
            elif not self.process.is_alive() and not self.connection.poll():
                raise RuntimeError(self._death(number))
            elif left <= 0:
                raise RuntimeError(
                    f"DataLoader timed out after {timeout} seconds: worker {self.id} had not finished batch {number}"
                )

    def raise_error(self, number, error):
        kind, text = error
        message = _Verbatim(
            f"Caught {kind.__name__} in DataLoader worker process {self.id}, batch {number}.\nOriginal {text}"
        )
        try:
            exception = kind(message)
        except Exception:  # a type whose constructor wants something else
            exception = RuntimeError(message)
        raise exception from None

    def _death(self, number):
        self.process.join(GRACE)
        code = self.process.exitcode
        how = (
            f"was killed by {signal.Signals(-code).name}"
            if code is not None and code < 0
            else f"exited with code {code}"
        )
        text = f"DataLoader worker {self.id} (pid {self.process.pid}) {how} before it had finished batch {number}."
        if code == -signal.SIGKILL:
            text += " The system kills a process so when memory is short: try fewer workers or smaller batches."
        return text + " With num_workers=0 the dataset runs in the main process, where a debugger can follow it."


class WorkerPool:
    """The workers of a loader, started together and ended together."""

    def __init__(self, context, num_workers, *arguments):
        self.owner, self.epoch, self.workers = os.getpid(), 0, []
        try:
            for worker_id in range(num_workers):
                self.workers.append(Worker(context, worker_id, num_workers, *arguments))
        except BaseException:
            self.shutdown()
            raise

    def shutdown(self):
        """End all workers and wait until they are gone: those that do not finish in time are killed. May be called again."""
        if os.getpid() != self.owner:
            return  # a fork of the owner has a copy of this object, but not the workers
        workers, self.workers = self.workers, []
        for worker in workers:
            with contextlib.suppress(OSError):
                if select.select([], [worker.connection], [], 0)[1]:  # never wait for a worker that does not read
                    worker.connection.send(None)
        deadline = time.monotonic() + GRACE
        for worker in workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
        for end in ("terminate", "kill"):
            for worker in workers:
                if worker.process.is_alive():
                    getattr(worker.process, end)()
                    worker.process.join(1.0)
        for worker in workers:
            worker.connection.close()
            worker.reader.segments.clear()  # those that hold arrays live on with them
            with contextlib.suppress(ValueError):  # not even a kill has ended it yet
                worker.process.close()


def worker_context(context):
    """The multiprocessing context for workers: the given one or its name, else Python's default."""
    if sys.platform == "win32":
        raise RuntimeError("DataLoader: worker processes need Unix sockets; on Windows use num_workers=0")
    if context is None or isinstance(context, str):
        return multiprocessing.get_context(context)
    return context
