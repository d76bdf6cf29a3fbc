import numpy as np
import pytest

from framework.data import BPTTDataLoader


@pytest.mark.parametrize("n, batch_size, bptt", [(23, 2, 4), (24, 4, 5), (10, 1, 3), (11, 5, 1), (8, 4, 7)])
@pytest.mark.parametrize("batch_first", [False, True])
def test_windows_of_a_row_join_into_one_piece_of_the_stream(n, batch_size, bptt, batch_first):
    loader = BPTTDataLoader(np.arange(100, 100 + n), batch_size, bptt, batch_first=batch_first)
    windows = [(x.array, y.array) if batch_first else (x.array.T, y.array.T) for x, y in loader]
    assert len(loader) == len(windows)
    x, y = (np.concatenate(parts, axis=1) for parts in zip(*windows))
    length = n // batch_size
    for row in range(batch_size):
        start = 100 + row * length
        assert x[row].tolist() == list(range(start, start + length - 1))
        assert y[row].tolist() == list(range(start + 1, start + length))
    assert all(window.shape == (batch_size, bptt) for window, _ in windows[:-1])
    assert windows[0][0].dtype == np.int64


def test_drop_last_leaves_out_the_short_window():
    assert [x.array.shape for x, _ in BPTTDataLoader(range(20), 2, 4)] == [(4, 2), (4, 2), (1, 2)]
    assert [x.array.shape for x, _ in BPTTDataLoader(range(20), 2, 4, drop_last=True)] == [(4, 2), (4, 2)]


@pytest.mark.parametrize("delivered", range(6))
def test_resuming_gives_the_remaining_windows(delivered):
    def windows(iterator):
        return [(x.array.tolist(), y.array.tolist()) for x, y in iterator]

    whole = windows(BPTTDataLoader(range(21), 2, 2))
    first, second = (BPTTDataLoader(range(21), 2, 2) for _ in range(2))
    iterator = iter(first)
    for _ in range(delivered):
        next(iterator)
    second.load_state_dict(first.state_dict())
    assert windows(second) == whole[delivered:]
    assert second.state_dict() == {"epoch": 1, "batches": 0}
    assert windows(second) == whole


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((np.zeros((2, 3), int), 1, 1), "one dimension"),
        ((np.zeros(5), 1, 1), "should be integers"),
        ((range(5), 0, 1), "should be positive"),
        ((range(5), 3, 1), "5 tokens are too few for 3 streams"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        BPTTDataLoader(*arguments)
