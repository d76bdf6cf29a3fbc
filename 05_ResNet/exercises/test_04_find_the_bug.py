import numpy as np
import pytest
import torch

from dlfs.grading import expect


@pytest.fixture
def x():
    return np.random.default_rng(0).standard_normal((8, 3)) * [1, 2, 5] + [0, 4, -3]


@pytest.fixture
def twin():
    return torch.nn.BatchNorm1d(3, dtype=torch.float64)


def test_training(exercise, x, twin):
    expect(
        exercise.Norm(3)(x),
        twin(torch.tensor(x)),
        "Norm(3)(x (8, 3)), in training",
        "the batch's own mean and (biased) variance",
        1e-9,
    )


def test_what_training_keeps(exercise, x, twin):
    norm = exercise.Norm(3)
    for scale in (1, 3):
        norm(scale * x)
        twin(torch.tensor(scale * x))
    expect(
        norm.running_mean,
        twin.running_mean,
        "running_mean after two batches (8, 3) in training",
        "0.9 times the old one and 0.1 times the batch's",
    )
    expect(
        norm.running_var,
        twin.running_var,
        "running_var after two batches (8, 3) in training",
        "0.9 times the old one and 0.1 times the batch's, the unbiased variance",
    )


def test_in_evaluation_a_row_is_the_same_alone_and_in_a_batch(exercise, x):
    norm = exercise.Norm(3)
    norm(x)
    norm.eval()
    together, alone = norm(x[:2]), norm(x[:1])
    expect(
        alone,
        together[:1],
        "Norm(3) in evaluation: x[:1] alone, against the same row in x[:2]",
        "in evaluation the batch's own statistics must not be used",
    )


def test_evaluation(exercise, x, twin):
    norm = exercise.Norm(3)
    norm(x), twin(torch.tensor(x))
    norm.eval(), twin.eval()
    expect(
        norm(x[:1] + 1),
        twin(torch.tensor(x[:1] + 1)),
        "Norm(3)(x (1, 3)) in evaluation, after one batch of training",
        "the RUNNING mean and variance are what evaluation uses",
        1e-9,
    )


def test_evaluation_leaves_no_trace(exercise, x):
    norm = exercise.Norm(3)
    norm(x)
    before = norm.running_mean.copy()
    norm.eval()
    norm(x + 100)
    expect(
        norm.running_mean,
        before,
        "running_mean after Norm(3)(x) in evaluation",
        "only training writes the running statistics",
    )
    norm.train()
    norm(x)
    assert not np.array_equal(norm.running_mean, before), "back in training mode, running_mean did not move"
