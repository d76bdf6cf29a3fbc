"""The loader: what it delivers, that the seed alone fixes it, and that it resumes. Failing workers: test_workers.py."""

import itertools
import json
import random

import numpy as np
import pytest
import torch.utils.data as torch_data

import framework
from framework import backend, data
from framework.data.shared import MOST_SEGMENTS
from framework.tensor import Tensor


class Noisy(data.Dataset):
    """Sample i is i, and a draw from each of the three global generators."""

    def __len__(self):
        return 11

    def __getitem__(self, index):
        return index, backend.random().random(), np.random.rand(), random.random()


class NoisyAtOnce(Noisy):
    def __getitems__(self, indices):
        return [self[index] for index in indices]


class Stream(data.IterableDataset):
    """0 … n-1 with noise, shared out among the workers."""

    def __init__(self, n=11):
        self.n = n

    def __len__(self):
        return self.n

    def __iter__(self):
        info = data.get_worker_info()
        first, step = (info.id, info.num_workers) if info else (0, 1)
        for i in range(first, self.n, step):
            yield i, backend.random().random(), random.random()


def generator(seed=0):
    return backend.Generator().manual_seed(seed)


def plain(batch):
    """A batch as nested lists."""
    if isinstance(batch, Tensor):
        return batch.array.tolist()
    return [plain(part) for part in batch] if isinstance(batch, list | tuple) else batch


def epochs(loader, count=1):
    return [[plain(batch) for batch in loader] for _ in range(count)]


def in_worker(_):
    info = data.get_worker_info()
    return None if info is None else (info.id, info.num_workers)


# --- what is delivered ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize(
    "options", [{}, {"drop_last": True}, {"batch_size": None}, {"sampler": [3, 1, 2]}, {"batch_sampler": [[0, 5], [4]]}]
)
def test_batches_are_pytorchs(num_workers, options):
    options = {"batch_size": 4, **options} if "batch_sampler" not in options else options
    ours = data.DataLoader(range(11), num_workers=num_workers, **options)
    theirs = torch_data.DataLoader(range(11), **options)
    assert [plain(batch) for batch in ours] == [
        batch.tolist() if hasattr(batch, "tolist") else batch for batch in theirs
    ]
    assert len(ours) == len(theirs)


@pytest.mark.parametrize("num_workers", [0, 1, 3])
@pytest.mark.parametrize("drop_last", [False, True])
def test_a_stream_shared_by_workers_comes_as_from_pytorch(num_workers, drop_last):
    class TorchStream(torch_data.IterableDataset):
        def __len__(self):
            return 11

        def __iter__(self):
            info = torch_data.get_worker_info()
            yield from range(info.id if info else 0, 11, info.num_workers if info else 1)

    ours = data.DataLoader(Stream(), 2, num_workers=num_workers, drop_last=drop_last)
    theirs = torch_data.DataLoader(TorchStream(), 2, num_workers=num_workers, drop_last=drop_last)
    assert [plain(batch)[0] for batch in ours] == [batch.tolist() for batch in theirs]
    assert len(ours) == len(theirs)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_an_empty_dataset_gives_no_batches(num_workers):
    assert list(data.DataLoader([], 4, num_workers=num_workers)) == []
    assert list(data.DataLoader(Stream(0), 4, num_workers=num_workers)) == []


@pytest.mark.parametrize("num_workers", [0, 2])
def test_any_picklable_object_comes_through(num_workers):
    samples = [
        {
            "text": "é" * 300_000,
            "array": np.arange(6).reshape(2, 3).T,
            "none": None,
            "empty": np.zeros((0, 3), np.float32),
        }
    ]
    (batch,) = data.DataLoader(samples, 1, num_workers=num_workers, collate_fn=list)
    assert batch[0]["text"] == samples[0]["text"] and batch[0]["none"] is None
    np.testing.assert_array_equal(batch[0]["array"], samples[0]["array"])
    assert batch[0]["empty"].shape == (0, 3) and batch[0]["empty"].dtype == np.float32


def test_held_batches_are_never_overwritten():
    """Segments are used again, but only once no array lies in them: also not a view of a part of one."""
    loader = data.DataLoader(np.arange(400).repeat(1000).reshape(400, 1000), 4, num_workers=2)
    kept, views = [], []
    for i, batch in enumerate(loader):
        if i % 3 == 0:
            kept.append((i, batch))
        elif i % 3 == 1:
            views.append((i, batch.array[1:3, 5:][::-1]))
        batch.array[0, 0] = -1  # a batch is the reader's to write to
    for i, batch in kept:
        assert (batch.array[1:] == np.arange(4 * i + 1, 4 * i + 4)[:, None]).all()
    for i, view in views:
        assert (view == np.array([4 * i + 2, 4 * i + 1])[:, None]).all()


def test_keeping_every_batch_does_not_use_up_the_file_descriptors():
    loader = data.DataLoader(np.arange(600), 2, num_workers=1, persistent_workers=True)
    batches = list(loader)
    assert [batch.array.tolist() for batch in batches] == [[i, i + 1] for i in range(0, 600, 2)]
    assert len(loader._pool.workers[0].reader.segments) <= MOST_SEGMENTS + 3


def test_segments_are_used_again():
    """Fifty batches of which none is kept take a handful of segments a worker, also while batches grow."""
    loader = data.DataLoader(
        [np.zeros(1000 + 400 * (i // 4)) for i in range(200)], 4, num_workers=1, persistent_workers=True
    )
    for _ in loader:
        pass
    assert len(loader._pool.workers[0].reader.segments) <= 6


def test_workers_know_who_they_are():
    loader = data.DataLoader(range(4), 1, num_workers=2, collate_fn=in_worker)
    assert list(loader) == [(0, 2), (1, 2)] * 2
    assert data.get_worker_info() is None


def test_worker_init_fn_runs_in_every_worker_with_its_seed():
    seeds = {}

    def init(worker_id):
        info = data.get_worker_info()
        seeds[worker_id] = info.seed
        assert backend.default_generator.initial_seed() == info.seed
        assert info.dataset is dataset

    dataset = range(4)
    loader = data.DataLoader(dataset, 1, num_workers=2, worker_init_fn=init, collate_fn=lambda _: dict(seeds))
    first, second, *_ = loader
    assert list(first) == [0] and list(second) == [1] and second[1] == first[0] + 1


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_other_start_methods_work_too(method):
    loader = data.DataLoader(data.TensorDataset(np.arange(6)), 2, num_workers=1, multiprocessing_context=method)
    assert epochs(loader) == [[[[0, 1]], [[2, 3]], [[4, 5]]]]


# --- the seed alone ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dataset", [Noisy(), NoisyAtOnce()])
def test_order_and_noise_do_not_depend_on_the_workers(dataset):
    results = [
        epochs(data.DataLoader(dataset, 3, shuffle=True, num_workers=workers, generator=generator(), **options), 2)
        for workers, options in [
            (0, {}),
            (1, {}),
            (2, {}),
            (3, {"prefetch_factor": 1}),
            (2, {"persistent_workers": True}),
        ]
    ]
    assert all(result == results[0] for result in results)
    first, second = results[0]
    assert [batch[0] for batch in first] != [batch[0] for batch in second]
    draws = [draw for epoch in results[0] for batch in epoch for column in batch[1:] for draw in column]
    assert len(set(draws)) == len(draws)  # no sample, batch or epoch repeats another's randomness
    assert results[0] != epochs(data.DataLoader(dataset, 3, shuffle=True, generator=generator(1)), 2)


def test_noise_without_shuffling_changes_from_epoch_to_epoch():
    first, second = epochs(data.DataLoader(Noisy(), 3), 2)
    assert [batch[0] for batch in first] == [batch[0] for batch in second]
    assert all(a[column] != b[column] for a, b in zip(first, second) for column in (1, 2, 3))


def test_a_sample_drawn_twice_is_augmented_twice():
    """In one batch, and in two batches of the same samples."""
    first, second = data.DataLoader(Noisy(), 2, sampler=[5, 5, 5, 5])
    for one, other in zip(first[1:], second[1:]):
        assert len({*one.array.tolist(), *other.array.tolist()}) == 4


def test_ranks_draw_different_noise():
    def batches(rank):
        sampler = data.DistributedSampler(range(10), 2, rank, shuffle=False)
        return epochs(data.DataLoader(Noisy(), 5, sampler=sampler, generator=generator()))[0]

    (first,), (second,) = batches(0), batches(1)
    assert not set(first[1]) & set(second[1])


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_stream_draws_the_same_here_and_in_a_worker(num_workers):
    assert epochs(data.DataLoader(Stream(), 3, num_workers=num_workers, generator=generator()), 2) == epochs(
        data.DataLoader(Stream(), 3, generator=generator()), 2
    )


@pytest.mark.parametrize("num_workers", [0, 2])
def test_the_callers_own_random_numbers_do_not_notice_the_loader(num_workers):
    def draw():
        return backend.random().random(), np.random.rand(), np.random.randn(), random.random()

    def seed():
        backend.manual_seed(1), np.random.seed(2), random.seed(3)

    loader = data.DataLoader(Noisy(), 3, shuffle=True, num_workers=num_workers, generator=generator())
    seed()
    expected = [draw() for _ in range(4)]
    seed()
    assert [draw() for _ in loader] == expected


def test_without_a_generator_manual_seed_decides():
    results = []
    for _ in range(2):
        framework.manual_seed(7)
        results.append(epochs(data.DataLoader(Noisy(), 3, shuffle=True), 2))
    assert results[0] == results[1]


def test_a_failing_dataset_leaves_the_global_generators_as_they_were():
    class Failing(data.Dataset):
        def __getitem__(self, index):
            backend.random().random(), random.random()
            raise ValueError("broken")

    def state():
        return backend.default_generator.numpy, random.getstate(), np.random.get_state()[1].tolist()

    before = state()
    with pytest.raises(ValueError, match="broken"):
        list(data.DataLoader(Failing(), sampler=[1], generator=generator()))
    assert state() == before


# --- resuming ---------------------------------------------------------------------------------------------------------


def make_plain(workers, seed):
    return data.DataLoader(Noisy(), 3, shuffle=True, num_workers=workers, generator=generator(seed))


def make_sampler_with_generator(workers, seed):
    sampler = data.RandomSampler(range(11), generator=generator(seed))
    return data.DataLoader(Noisy(), 3, sampler=sampler, num_workers=workers, generator=generator(seed + 1))


def make_weighted(workers, seed):
    sampler = data.WeightedRandomSampler(np.arange(11), 10)
    return data.DataLoader(
        Noisy(), batch_sampler=data.BatchSampler(sampler, 3, True), num_workers=workers, generator=generator(seed)
    )


def make_stream(workers, seed):
    return data.DataLoader(Stream(), 3, num_workers=workers, generator=generator(seed))


@pytest.mark.parametrize("make", [make_plain, make_sampler_with_generator, make_weighted, make_stream])
@pytest.mark.parametrize("saved_by, loaded_by", [(0, 0), (2, 0), (0, 2)])
def test_resuming_gives_the_batches_that_would_have_come(make, saved_by, loaded_by):
    if make is make_stream:
        loaded_by = saved_by  # a stream's order depends on how the workers share it
    uninterrupted = list(itertools.chain(*epochs(make(saved_by, 5), 3)))
    per_epoch = len(uninterrupted) // 3
    places = (1, per_epoch, per_epoch + 2) if saved_by or loaded_by else range(2 * per_epoch + 1)
    for delivered in places:
        first = make(saved_by, 5)
        state = first.state_dict()
        batches = itertools.chain(first, first, first)
        for _ in range(delivered):
            next(batches)
            state = first.state_dict()
        second = make(loaded_by, 99)
        second.load_state_dict(json.loads(json.dumps(state)))
        rest = [plain(batch) for _ in range(3) for batch in second]
        assert rest[: len(uninterrupted) - delivered] == uninterrupted[delivered:], delivered


def test_after_an_epoch_the_next_one_follows():
    first, second = make_plain(0, 5), make_plain(0, 99)
    epochs(first)
    second.load_state_dict(first.state_dict())
    assert first.state_dict()["epoch"] == 1
    assert epochs(second) == epochs(first)


def test_an_epoch_left_early_is_over():
    loader, other = make_plain(0, 5), make_plain(0, 5)
    for _ in loader:
        break
    epochs(other)
    assert epochs(loader) == epochs(other)
    assert loader.state_dict() == other.state_dict() and loader.state_dict()["epoch"] == 2


def test_a_foreign_state_is_refused():
    loader = make_plain(0, 1)
    with pytest.raises(ValueError, match="expected the entries batch_size, batches"):
        loader.load_state_dict({"epoch": 1})
    with pytest.raises(ValueError, match="saved with batch_size 3, this loader has 4"):
        data.DataLoader(Noisy(), 4, generator=generator()).load_state_dict(loader.state_dict())
    with pytest.raises(ValueError, match="saved with 1 generators of its own, this loader has 0"):
        data.DataLoader(Noisy(), 3).load_state_dict(loader.state_dict())


# --- arguments --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, message",
    [
        ({"num_workers": -1}, "num_workers should not be negative"),
        ({"timeout": -1}, "timeout should not be negative"),
        ({"prefetch_factor": 2}, "prefetch_factor needs num_workers > 0"),
        ({"prefetch_factor": 0, "num_workers": 1}, "prefetch_factor should be at least 1"),
        ({"persistent_workers": True}, "persistent_workers needs num_workers > 0"),
        ({"multiprocessing_context": "fork"}, "multiprocessing_context needs num_workers > 0"),
        ({"in_order": False}, "in_order=False is not supported"),
        ({"shuffle": True, "sampler": [1]}, "mutually exclusive with shuffle"),
        ({"batch_sampler": [[1]], "batch_size": 2}, "mutually exclusive with batch_size"),
        ({"batch_size": None, "drop_last": True}, "mutually exclusive with drop_last"),
        ({"batch_size": 0}, "batch_size should be a positive integer"),
        ({"dataset": Stream(), "shuffle": True}, "an IterableDataset has its own order"),
        ({"dataset": Stream(), "sampler": [1]}, "an IterableDataset has its own order"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        data.DataLoader(**{"dataset": range(3), **options})


def test_a_generator_of_another_kind_is_refused():
    with pytest.raises(TypeError, match=r"generator should be a framework.Generator, got Generator"):
        data.DataLoader(range(3), generator=np.random.default_rng())


def test_what_is_fixed_cannot_be_changed():
    loader = data.DataLoader(range(3))
    with pytest.raises(ValueError, match="batch_size cannot be changed"):
        loader.batch_size = 2
    loader.timeout = 3


def test_pinned_memory_is_accepted_with_pytorchs_warning():
    with pytest.warns(UserWarning, match="no memory is pinned"):
        assert len(list(data.DataLoader(range(3), pin_memory=True))) == 3
