"""DataLoader: batches of a dataset, made here or by worker processes, in an order and with augmentation that the seed alone fixes."""

import collections
import itertools
import math
import warnings
import weakref
from collections.abc import Mapping
from types import GenericAlias

from .. import backend
from .collate import default_collate, default_convert
from .dataset import IterableDataset
from .randomness import batch_numbers, default_numpy_generator, draw_seed, private_generator, randomness
from .sampler import BatchSampler, RandomSampler, SequentialSampler
from .worker import EndOfStream, Fetcher, WorkerPool, worker_context

_ORDER = 0  # names the stream of random numbers that the samplers draw from, among those of an epoch


class DataLoader:
    """Iterate over a dataset in batches: torch.utils.data.DataLoader, with these differences.

    - One seed an epoch, drawn from `generator` (None: the default generator) when the epoch begins, fixes order and augmentation,
      whatever num_workers is: see randomness.py. With an IterableDataset the order also depends on how its copies share the work.
    - `state_dict()` after any batch, loaded into an equal loader, gives exactly the batches that would have come next.
    - An error ends the epoch and its workers; in PyTorch one could go on to the next batch.
    - pin_memory changes nothing, since no copy here is faster from pinned memory; in_order=False is refused.

    Arrays that come from workers lie in memory shared with them; holding on to a batch is safe.
    """

    __class_getitem__ = classmethod(GenericAlias)  # DataLoader[…], in annotations

    def __init__(
        self,
        dataset,
        batch_size=1,
        shuffle=None,
        sampler=None,
        batch_sampler=None,
        num_workers=0,
        collate_fn=None,
        pin_memory=False,
        drop_last=False,
        timeout=0,
        worker_init_fn=None,
        multiprocessing_context=None,
        generator=None,
        *,
        prefetch_factor=None,
        persistent_workers=False,
        pin_memory_device="",
        in_order=True,
    ):
        self._initialized = False
        iterable = isinstance(dataset, IterableDataset)
        if num_workers < 0:
            raise ValueError(
                f"DataLoader: num_workers should not be negative, got {num_workers}; 0 loads in the main process"
            )
        if timeout < 0:
            raise ValueError(f"DataLoader: timeout should not be negative, got {timeout}")
        if num_workers == 0:
            for name, value in (
                ("prefetch_factor", prefetch_factor),
                ("persistent_workers", persistent_workers),
                ("multiprocessing_context", multiprocessing_context),
            ):
                if value:
                    raise ValueError(f"DataLoader: {name} needs num_workers > 0")
        if prefetch_factor is not None and prefetch_factor < 1:
            raise ValueError(f"DataLoader: prefetch_factor should be at least 1, got {prefetch_factor}")
        if not in_order:
            raise ValueError("DataLoader: in_order=False is not supported: the order of batches would depend on timing")
        if generator is not None and not isinstance(generator, backend.Generator):
            raise TypeError(f"DataLoader: generator should be a framework.Generator, got {type(generator).__name__}")
        if iterable and (shuffle or sampler is not None or batch_sampler is not None):
            raise ValueError(
                "DataLoader: an IterableDataset has its own order: leave shuffle, sampler and batch_sampler out"
            )
        if sampler is not None and shuffle:
            raise ValueError("DataLoader: sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "DataLoader: batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last"
                )
            batch_size = None
        elif batch_size is None and drop_last:
            raise ValueError("DataLoader: batch_size=None disables batching and is mutually exclusive with drop_last")

        if sampler is None:
            if iterable:
                sampler = _Endless()
            else:
                sampler = RandomSampler(dataset) if shuffle else SequentialSampler(dataset)
        if batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last and not iterable)
        self.dataset, self.sampler, self.batch_sampler = dataset, sampler, batch_sampler
        self.batch_size, self.drop_last = batch_size, drop_last
        self.collate_fn = collate_fn or (default_convert if batch_sampler is None else default_collate)
        self.num_workers, self.timeout, self.worker_init_fn = num_workers, timeout, worker_init_fn
        self.prefetch_factor = 2 if prefetch_factor is None and num_workers else prefetch_factor
        self.persistent_workers, self.multiprocessing_context = persistent_workers, multiprocessing_context
        self.generator, self.pin_memory, self.pin_memory_device = generator, pin_memory, pin_memory_device
        self.in_order = in_order
        self._iterable = iterable
        self._position = _Position()
        self._resuming = False
        self._pool = None
        self._initialized = True

    def __setattr__(self, name, value):
        fixed = ("dataset", "sampler", "batch_sampler", "batch_size", "drop_last", "persistent_workers")
        if name in fixed and self.__dict__.get("_initialized"):
            raise ValueError(f"DataLoader: {name} cannot be changed once the loader is made; make a new one")
        super().__setattr__(name, value)

    def __len__(self):
        """The number of batches (an estimate for an IterableDataset: of len(dataset) samples)."""
        if not self._iterable:
            return len(self.sampler if self.batch_sampler is None else self.batch_sampler)
        n = len(self.dataset)
        if self.batch_size is None:
            return n
        return n // self.batch_size if self.drop_last else math.ceil(n / self.batch_size)

    def __iter__(self):
        if self.pin_memory:
            warnings.warn("DataLoader: pin_memory is set, but no memory is pinned", stacklevel=2)
        if self._resuming:  # go on in the epoch that load_state_dict named
            self._resuming = False
        else:
            if self._position.seed is not None:  # the last epoch was left before its end
                self._position = _Position(self._position.epoch + 1)
            self._position.seed = draw_seed(self.generator)
            self._position.generators = [generator.get_state() for generator in self._generators()]
        batches = (self._batches_of_workers if self.num_workers else self._batches)(self._position)
        next(batches)  # start the workers now, not when the first batch is wanted
        return batches

    def _generators(self):
        """The generators that the caller gave to the loader or its samplers: what their states were belongs to the position."""
        batch_sampler = self.batch_sampler
        owners = (self, self.sampler, batch_sampler, getattr(batch_sampler, "sampler", None))
        generators = (getattr(owner, "generator", None) for owner in owners)
        return list(
            {id(generator): generator for generator in generators if isinstance(generator, backend.Generator)}.values()
        )

    def _indices(self, position):
        """What to fetch, batch after batch, from the start of the epoch."""
        rng = private_generator(position.seed, _ORDER)
        with default_numpy_generator(rng):
            indices = iter(self.sampler if self.batch_sampler is None else self.batch_sampler)
        while True:
            with default_numpy_generator(rng):
                try:
                    index = next(indices)
                except StopIteration:
                    return
            yield index

    def _tasks(self, position):
        """(number, index) of each batch to fetch, and how many of them are to be dropped.

        Of batches delivered before a resume only the indices are made again; a stream has to be read again from its start.
        """
        tasks = enumerate(self._indices(position))
        return (tasks, position.batches) if self._iterable else (itertools.islice(tasks, position.batches, None), 0)

    def _options(self):
        return self._iterable, self.batch_sampler is not None, self.collate_fn, self.drop_last

    def _batches(self, position):
        """The batches of an epoch, made in this process. What it yields first is nothing."""
        tasks, dropped = self._tasks(position)
        with randomness(position.seed, 0):
            fetcher = Fetcher(self.dataset, *self._options())
        yield
        for number, index in tasks:
            with randomness(*batch_numbers(position.seed, number, index)):
                try:
                    batch = fetcher.fetch(index)
                except EndOfStream:
                    break
            if dropped:
                dropped -= 1
                continue
            position.batches += 1
            yield batch
        self._end_epoch(position)

    def _batches_of_workers(self, position):
        """The batches of an epoch, made by workers in turn. What it yields first is nothing."""
        tasks, dropped = self._tasks(position)
        pool = self._start_workers(position.seed)
        pool.epoch += 1
        epoch, turns, pending, finished = pool.epoch, collections.deque(pool.workers), collections.deque(), False

        def assign():
            task = next(tasks, None) if turns else None
            if task is not None:
                turns[0].send(epoch, position.seed, *task)
                pending.append((turns[0], task[0]))
                turns.rotate(-1)

        try:
            for _ in range(self.prefetch_factor * self.num_workers):
                assign()
            yield
            while pending:
                if pool.epoch != epoch:
                    raise RuntimeError("DataLoader: with persistent_workers a new iter() ends the one before it")
                worker, number = pending.popleft()
                kind, result = worker.receive(epoch, number, self.timeout)
                if kind == "end" and worker in turns:
                    turns.remove(worker)
                assign()
                if kind == "error":
                    worker.raise_error(number, result)
                if kind == "batch" and dropped:
                    dropped -= 1
                elif kind == "batch":
                    position.batches += 1
                    yield result
                del result  # the reader may be done with it: its memory is used again
            finished = True
        except GeneratorExit:  # left before its end
            finished = True
            raise
        finally:
            if not (finished and self.persistent_workers):
                pool.shutdown()
        self._end_epoch(position)

    def _end_epoch(self, position):
        if self._position is position:
            self._position = _Position(position.epoch + 1)

    def _start_workers(self, seed):
        if self._pool is not None and self._pool.workers:
            return self._pool
        context = worker_context(self.multiprocessing_context)
        pool = WorkerPool(context, self.num_workers, seed, self.dataset, self._options(), self.worker_init_fn)
        if self.persistent_workers:
            self._pool = pool
            weakref.finalize(self, pool.shutdown)
        return pool

    # --- resuming ---

    def state_dict(self):
        """Where the loader is, as plain values for JSON: the epoch (counted from 0), its seed, and how many of its batches were delivered."""
        position = self._position
        generators = position.generators if position.seed is not None else [g.get_state() for g in self._generators()]
        return {
            "epoch": position.epoch,
            "batches": position.batches,
            "seed": position.seed,
            "batch_size": self.batch_size,
            "generators": generators,
        }

    def load_state_dict(self, state):
        """Go to a position that `state_dict` of an equal loader gave: the next `iter()` yields what is left of that epoch.

        ValueError where the state is none, or another loader's.
        """
        expected = {"epoch", "batches", "seed", "batch_size", "generators"}
        if not isinstance(state, Mapping) or set(state) != expected:
            raise ValueError(f"DataLoader.load_state_dict: expected the entries {', '.join(sorted(expected))}")
        if state["batch_size"] != self.batch_size:
            raise ValueError(
                f"DataLoader.load_state_dict: saved with batch_size {state['batch_size']}, this loader has {self.batch_size}"
            )
        generators = self._generators()
        if len(state["generators"]) != len(generators):
            raise ValueError(
                f"DataLoader.load_state_dict: saved with {len(state['generators'])} generators of its own, this loader has {len(generators)}"
            )
        for generator, generator_state in zip(generators, state["generators"]):
            generator.set_state(generator_state)
        self._position = _Position(state["epoch"], state["batches"], state["seed"], state["generators"])
        self._resuming = state["seed"] is not None


class _Position:
    """Where an epoch stands. seed is None between epochs; generators: the states of the caller's generators as the epoch began."""

    def __init__(self, epoch=0, batches=0, seed=None, generators=()):
        self.epoch, self.batches, self.seed, self.generators = epoch, batches, seed, list(generators)


class _Endless:
    """Stands for the sampler of an IterableDataset, whose samples have no indices."""

    def __iter__(self):
        return itertools.repeat(None)
