import collections
import itertools
from collections import Counter

import numpy as np
import pytest
import torch
import torch.utils.data as torch_data

from framework import backend, data
from framework.tensor import Tensor


def generator(seed):
    return backend.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    "n, batch_size, drop_last", list(itertools.product([0, 1, 9, 10, 11], [1, 3, 10], [False, True]))
)
def test_batch_sampler_cuts_as_pytorch_does(n, batch_size, drop_last):
    ours = data.BatchSampler(data.SequentialSampler(range(n)), batch_size, drop_last)
    theirs = torch_data.BatchSampler(torch_data.SequentialSampler(range(n)), batch_size, drop_last)
    assert list(ours) == list(theirs)
    assert len(ours) == len(theirs) == len(list(ours))


@pytest.mark.parametrize("num_samples", [1, 7, 10, 25])
def test_random_sampler_repeats_and_cuts_permutations(num_samples):
    drawn = list(data.RandomSampler(range(10), num_samples=num_samples, generator=generator(0)))
    assert len(drawn) == num_samples
    for start in range(0, num_samples, 10):
        block = drawn[start : start + 10]
        assert len(set(block)) == len(block)
    assert drawn == list(data.RandomSampler(range(10), num_samples=num_samples, generator=generator(0)))
    assert all(type(index) is int for index in drawn)


def test_random_sampler_changes_from_epoch_to_epoch():
    sampler = data.RandomSampler(range(100))
    assert list(sampler) != list(sampler)
    assert sorted(sampler) == list(range(100))


def test_random_sampler_with_replacement_is_uniform():
    counts = Counter(data.RandomSampler(range(5), replacement=True, num_samples=50_000, generator=generator(1)))
    assert all(abs(counts[i] - 10_000) < 5 * np.sqrt(10_000) for i in range(5))


def test_subset_random_sampler_visits_each_index_once():
    assert sorted(data.SubsetRandomSampler([5, 7, 9], generator(0))) == [5, 7, 9]


def test_weighted_sampler_draws_in_proportion():
    weights = [0.0, 1.0, 3.0, 6.0]
    counts = Counter(data.WeightedRandomSampler(weights, 20_000, generator=generator(2)))
    assert counts[0] == 0
    for i in (1, 2, 3):
        assert abs(counts[i] - 2000 * weights[i]) < 5 * np.sqrt(2000 * weights[i])


def test_weighted_sampler_without_replacement_draws_successively():
    """The second of two draws from weights 1:2:3 is i after j with probability w_i / (6 - w_j)."""
    weights, rng = [1.0, 2.0, 3.0], generator(3)
    sampler = data.WeightedRandomSampler(weights, 2, replacement=False, generator=rng)
    counts = Counter(tuple(sampler) for _ in range(20_000))
    for i, j in itertools.permutations(range(3), 2):
        expected = 20_000 * weights[i] / 6 * weights[j] / (6 - weights[i])
        assert abs(counts[i, j] - expected) < 5 * np.sqrt(expected)


@pytest.mark.parametrize(
    "n, ranks, drop_last", list(itertools.product([1, 2, 10, 11, 12, 13], [1, 2, 3, 4], [False, True]))
)
def test_distributed_sampler_shares_as_pytorch_does(n, ranks, drop_last):
    shares = [
        data.DistributedSampler(range(n), ranks, rank, shuffle=False, drop_last=drop_last) for rank in range(ranks)
    ]
    theirs = [
        torch_data.DistributedSampler(range(n), ranks, rank, shuffle=False, drop_last=drop_last)
        for rank in range(ranks)
    ]
    assert [list(share) for share in shares] == [list(share) for share in theirs]
    assert [len(share) for share in shares] == [len(share) for share in theirs]


def test_distributed_sampler_agrees_on_an_order_that_changes_with_the_epoch():
    def epoch(number):
        shares = [data.DistributedSampler(range(12), 3, rank, seed=5) for rank in range(3)]
        for share in shares:
            share.set_epoch(number)
        return [list(share) for share in shares]

    assert sorted(itertools.chain(*epoch(0))) == list(range(12))
    assert epoch(0) == epoch(0) != epoch(1)


def test_distributed_sampler_reads_torchruns_environment(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "3")
    assert list(data.DistributedSampler(range(8), shuffle=False)) == [3, 7]
    monkeypatch.delenv("RANK")
    with pytest.raises(RuntimeError, match="RANK not in the environment; start with torchrun"):
        data.DistributedSampler(range(8))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: data.BatchSampler(range(3), 0, False), "batch_size should be a positive integer, got 0"),
        (lambda: data.BatchSampler(range(3), True, False), "batch_size"),
        (lambda: data.RandomSampler([], num_samples=None), "num_samples should be a positive integer, got 0"),
        (lambda: data.WeightedRandomSampler([1, -1], 3), "not negative"),
        (lambda: data.WeightedRandomSampler([0, 0], 3), "not all zero"),
        (lambda: data.WeightedRandomSampler([[1.0]], 3), "one dimension"),
        (lambda: data.WeightedRandomSampler([1, 0, 1], 3, replacement=False), "3 samples without replacement from 2"),
        (lambda: data.DistributedSampler(range(3), 2, 2), r"rank 2 should be in the interval \[0, 1\]"),
        (lambda: data.TensorDataset(np.zeros(3), np.zeros(4)), "size mismatch between tensors: 3, 4"),
        (lambda: data.random_split(range(3), [1, 1]), r"the lengths \[1, 1\] sum to 2, the dataset has 3 samples"),
        (lambda: data.random_split(range(3), [1.5, -0.5]), "fractions should be between 0 and 1"),
        (lambda: data.ConcatDataset([]), "should not be empty"),
    ],
)
def test_wrong_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("lengths", [[3, 7], [0.3, 0.7], [0.5, 0.25, 0.25], [1.0], [1 / 3] * 3])
def test_random_split_partitions_with_pytorchs_lengths(lengths):
    parts = data.random_split(range(10), lengths, generator(4))
    assert [len(part) for part in parts] == [len(part) for part in torch_data.random_split(range(10), lengths)]
    assert sorted(sample for part in parts for sample in part) == list(range(10))
    again = data.random_split(range(10), lengths, generator(4))
    assert [part.indices for part in parts] == [part.indices for part in again]


def test_random_split_warns_of_an_empty_part():
    with pytest.warns(UserWarning, match="split 1 has length 0"):
        data.random_split(range(1), [0.9, 0.1])


def test_concat_dataset_indexes_from_both_ends():
    joined = data.ConcatDataset([range(3), range(10, 12)])
    assert [joined[i] for i in range(5)] == [0, 1, 2, 10, 11]
    assert [joined[i] for i in range(-5, 0)] == [0, 1, 2, 10, 11]
    for index in (5, -6):
        with pytest.raises(IndexError, match=f"index {index} is out of range for 5 samples"):
            joined[index]


def test_subset_of_a_subset_passes_batches_on():
    base = data.TensorDataset(np.arange(10), np.arange(10) * 2)
    subset = data.Subset(data.Subset(base, [9, 7, 5, 3]), [3, 0])
    assert subset[0] == (3, 6)
    stacked = subset.__getitems__([0, 1])
    assert [column.tolist() for column in stacked.columns] == [[3, 9], [6, 18]]


def test_a_subclass_of_subset_that_changes_samples_changes_those_of_a_batch():
    class Doubled(data.Subset):
        def __getitem__(self, index):
            return [2 * value for value in super().__getitem__(index)]

    dataset = Doubled(data.TensorDataset(np.arange(5)), [4, 2])
    ((batch,),) = list(data.DataLoader(dataset, 2))
    assert batch.tolist() == [8, 4]


def test_iterable_datasets_have_no_place_in_a_concatenation():
    with pytest.raises(ValueError, match="does not support IterableDataset"):
        data.ConcatDataset([data.IterableDataset()])


def as_torch(sample):
    """The same sample with PyTorch's tensors."""
    if isinstance(sample, Tensor):
        return torch.from_numpy(sample.array)
    if isinstance(sample, dict):
        return {key: as_torch(value) for key, value in sample.items()}
    if isinstance(sample, tuple) and hasattr(sample, "_fields"):
        return type(sample)(*map(as_torch, sample))
    return type(sample)(map(as_torch, sample)) if isinstance(sample, list | tuple) else sample


def assert_same(ours, theirs):
    if isinstance(theirs, torch.Tensor):
        assert isinstance(ours, Tensor)
        assert ours.array.dtype == theirs.numpy().dtype
        np.testing.assert_array_equal(ours.array, theirs.numpy())
        return
    assert type(ours) is type(theirs)
    if isinstance(theirs, dict):
        assert list(ours) == list(theirs)
        ours, theirs = list(ours.values()), list(theirs.values())
    if isinstance(theirs, list | tuple):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs):
            assert_same(one, other)
    else:
        assert ours == theirs


Point = collections.namedtuple("Point", "x y")
SAMPLES = {
    "int": [1, 2, 3],
    "float": [1.0, 2.5],
    "int then float": [1, 2.5],
    "bool": [True, False],
    "str": ["a", "b"],
    "bytes": [b"a", b"b"],
    "array": [np.ones((2, 3), np.float32), np.zeros((2, 3), np.float32)],
    "uint8 array": [np.array([1, 2], np.uint8)] * 2,
    "0-d array": [np.array(3), np.array(4)],
    "numpy scalar": [np.float32(1), np.float32(2)],
    "numpy bool": [np.bool_(True), np.bool_(False)],
    "tensor": [Tensor(np.arange(3)), Tensor(np.arange(3))],
    "tuple": [(np.ones(2), 1), (np.zeros(2), 2)],
    "list": [[0, 1], [2, 3]],
    "nested": [{"a": (1, [2.0, "x"]), "b": np.ones(1)}, {"a": (3, [4.0, "y"]), "b": np.zeros(1)}],
    "namedtuple": [Point(0, 1.0), Point(2, 3.0)],
    "range": [range(3), range(3, 6)],
}


@pytest.mark.parametrize("name", SAMPLES)
def test_default_collate_equals_pytorchs(name):
    samples = SAMPLES[name]
    assert_same(data.default_collate(samples), torch_data.default_collate([as_torch(sample) for sample in samples]))


@pytest.mark.parametrize("name", SAMPLES)
def test_default_convert_equals_pytorchs(name):
    for sample in SAMPLES[name]:
        assert_same(data.default_convert(sample), torch_data.default_convert(as_torch(sample)))


@pytest.mark.parametrize(
    "samples, error, message",
    [
        ([np.zeros(2), np.zeros(3)], RuntimeError, r"equal shapes, got \(2,\), \(3,\); pad or crop them"),
        ([(1, 2), (1,)], RuntimeError, "each element in list of batch should be of equal size"),
        ([object()], TypeError, "not object; pass a collate_fn"),
        ([None, None], TypeError, "not NoneType"),
        ([np.array(["a"])], TypeError, "dtype <U1 make no tensor"),
    ],
)
def test_default_collate_names_what_it_cannot_batch(samples, error, message):
    with pytest.raises(error, match=message):
        data.default_collate(samples)


def test_stacked_samples_are_a_list_to_any_other_collate_fn():
    dataset = data.TensorDataset(np.arange(6).reshape(3, 2), np.arange(3))
    (batch,) = data.DataLoader(dataset, 3, collate_fn=lambda samples: [(x.tolist(), int(y)) for x, y in samples])
    assert batch == [([0, 1], 0), ([2, 3], 1), ([4, 5], 2)]
