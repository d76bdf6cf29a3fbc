import numpy as np
import pytest

from dlfs.grading import expect


@pytest.fixture
def batch():
    x, lengths = np.random.default_rng(0).standard_normal((4, 6, 2)), np.array([6, 2, 5, 1])
    for b, length in enumerate(lengths):
        x[b, length:] = 0
    return x, lengths


def test_a_sequence_is_turned_within_its_own_length(exercise, batch):
    x, lengths = batch
    got = exercise.turned(x, lengths)
    for b, length in enumerate(lengths):
        expected = np.concatenate([x[b, :length][::-1], x[b, length:]])
        expect(
            got[b],
            expected,
            f"turned(x (4, 6, 2), lengths [6 2 5 1])[{b}], of length {length}",
            "from its LAST step to its first, with the padding still behind it",
        )


def test_reading_stops_at_the_end(exercise):
    x = np.array([[[1.0], [3.0], [9.0]], [[1.0], [3.0], [9.0]]])
    got = exercise.read(x, np.array([3, 2]), 0.5)
    expect(
        got,
        [[5.375], [1.75]],
        "read(x [[1 3 9] [1 3 9]], lengths [3 2], keep=0.5)",
        "a state stays as it is from its sequence's end on",
    )


def test_a_summary_is_the_same_alone_and_in_a_batch(exercise, batch):
    x, lengths = batch
    together = exercise.summary(x, lengths)
    for b, length in enumerate(lengths):
        alone = exercise.summary(x[b : b + 1, :length], lengths[b : b + 1])
        expect(
            together[b : b + 1],
            alone,
            f"summary(x (4, 6, 2), lengths [6 2 5 1])[{b}], against that sequence of length {length} alone",
            "padding was read, by one of the two directions",
        )


def test_from_the_right_the_first_step_counts_most(exercise):
    x = np.array([[[1.0], [0.0], [0.0], [0.0]]])
    got = exercise.summary(x, np.array([3]), 0.5)
    expect(
        got,
        [[0.125, 0.5]],
        "summary(x [[1 0 0]] and one step of padding, lengths [3], keep=0.5)",
        "left first, then right: what was read last counts most",
    )


def test_the_batch_that_came_in_stays(exercise, batch):
    x, lengths = batch
    before = x.copy()
    exercise.summary(x, lengths)
    expect(x, before, "x after summary(x, lengths)", "turning must not write into x")
