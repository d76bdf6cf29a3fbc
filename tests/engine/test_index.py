"""Indexing beyond the table: what it costs, what it shares, what a later write does to it."""

import tracemalloc

import numpy as np
import pytest
import torch

import framework
import framework.nn.functional as F
from framework import Tensor, autograd
from framework.ops import gather, index


@pytest.fixture
def work(monkeypatch):
    """What backward does for a tensor that is read in parts: whole buffers made, and elements added into them."""
    done = {"buffers": 0, "elements": 0}

    zeros = autograd.zeros

    def counting_zeros(*args):
        done["buffers"] += 1
        return zeros(*args)

    add_at = index.add_at

    def counting_add_at(buffer, place, g):
        done["elements"] += g.size
        add_at(buffer, place, g)

    monkeypatch.setattr(autograd, "zeros", counting_zeros)
    monkeypatch.setattr(index, "add_at", counting_add_at)
    return done


READS = {
    "a number": lambda x, t: x[t],
    "a column": lambda x, t: x[:, t],
    "a slice": lambda x, t: x[t : t + 1],
    "a tensor": lambda x, t: x[framework.tensor([t])],
    "a number and a tensor": lambda x, t: x[t, framework.tensor([0, 2])],
    "a mask": lambda x, t: x[framework.arange(len(x)) == t],
    "gather": lambda x, t: x.gather(0, framework.full((1, x.shape[1]), t)),
    "embedding": lambda x, t: F.embedding(framework.tensor(t), x),
    "select": lambda x, t: x.index_select(0, framework.tensor([t])),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_backward_of_T_parts_of_one_tensor_is_linear_in_T(work, read):
    for T in (8, 32):
        x = Tensor(np.ones((T, T)), True)
        work.update(buffers=0, elements=0)
        sum(read(x, t).sum() * (t + 1) for t in range(T)).backward()
        assert work["buffers"] == 1, "one buffer for the whole gradient, whatever T is"
        assert work["elements"] <= x.numel(), "each element of the gradient is added once"
        assert x.grad.sum().item() != 0


def test_the_parts_add_to_a_gradient_that_is_there_already():
    x = Tensor(np.ones((3, 2)), True)
    y = (x * 1).T.contiguous()  # its gradient arrives whole from the product, and in parts from the slices
    ((y * y).sum() + 10 * y[0].sum() + 100 * y[:, framework.tensor([1, 1])].sum()).backward()
    np.testing.assert_array_equal(x.grad.array, [[12, 2], [212, 202], [12, 2]])


@pytest.mark.parametrize("columns", [1, 3, 255, 256, 300])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_read_many_times_gather_all_their_gradients(columns, dtype):
    numbers = np.random.Generator(np.random.PCG64(0))
    places, g = numbers.integers(-7, 7, (50, 3)), numbers.standard_normal((50, 3, columns)).astype(dtype)
    x = Tensor(np.zeros((7, columns), dtype), True)
    x[framework.from_numpy(places)].backward(Tensor(g))
    expected = np.zeros((7, columns))
    np.add.at(expected, places, g.astype(np.float64))
    np.testing.assert_allclose(x.grad.array, expected, rtol=1e-4, atol=1e-4)
    assert x.grad.dtype == dtype


def test_add_at_in_a_buffer_that_is_not_contiguous():
    numbers = np.random.Generator(np.random.PCG64(0))
    big = np.zeros((4, 10))
    place = (None, (True, False), (np.array([0, 3, 0]),))
    g = numbers.standard_normal((3, 5))
    index.add_at(big[:, ::2], place, g)
    np.testing.assert_allclose(big[:, ::2], [g[0] + g[2], 0 * g[0], 0 * g[0], g[1]])
    assert not big[:, 1::2].any()


def test_basic_indices_share_memory_and_tensor_indices_copy():
    x = framework.zeros(3, 4)
    for view in (x[0], x[:, 1], x[..., None], x[1:, ::2], x[2, 3], x[framework.tensor(1)]):
        assert np.shares_memory(view.array, x.array)
        view += 1
    assert x.sum().item() == 4 + 3 + 12 + 4 + 1 + 4
    for copy in (x[[0, 1]], x[framework.tensor([0])], x[x > 0]):
        assert not np.shares_memory(copy.array, x.array)


def test_an_index_that_changes_before_backward_is_noticed():
    x = Tensor(np.ones(3), True)
    position = framework.tensor([0])
    y = x[position]
    position += 1
    with pytest.raises(RuntimeError, match="changed in place"):
        y.sum().backward()
    for function in (
        lambda i: F.embedding(i, Tensor(np.ones((3, 2)), True)),
        lambda i: F.cross_entropy(Tensor(np.ones((1, 3)), True), i),
        lambda i: x.gather(0, i),
        lambda i: x.masked_fill(i == 0, 0.0) * 1 + x[i],
    ):
        position = framework.tensor([0])
        y = function(position)
        position += 1
        with pytest.raises(RuntimeError, match="changed in place"):
            y.sum().backward()


def test_a_write_that_is_refused_changes_nothing():
    leaf = Tensor(np.ones((2, 3)), True)
    value = Tensor(np.full(3, 5.0), True)
    with pytest.raises(RuntimeError, match="leaf"):
        leaf[0] = value
    y = leaf * 1
    node, version = y.node, y._version
    with pytest.raises(RuntimeError, match="does not fit"):
        y[0] = framework.ones(2, dtype=framework.float64)
    with pytest.raises(IndexError):
        y[5] = value
    with pytest.raises(RuntimeError, match="view"):
        y[0][1] = value[0]
    assert y.node is node and y._version == version
    np.testing.assert_array_equal(y.array, np.ones((2, 3)))
    y.sum().backward()
    np.testing.assert_array_equal(leaf.grad.array, np.ones((2, 3)))


def test_a_saved_value_that_is_assigned_to_is_noticed():
    x = Tensor(np.ones(3), True)
    y = x * 2
    z = y * y
    y[0] = 7.0
    with pytest.raises(RuntimeError, match="changed in place"):
        z.sum().backward()


def test_assignment_writes_one_part_and_allocates_no_whole():
    buffer, h = framework.zeros(1000, 1000), Tensor(np.ones(1000, "float32"), True)
    tracemalloc.start()
    for t in range(50):
        buffer[t] = h
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < buffer.nbytes / 10
    assert buffer.requires_grad
    buffer.sum().backward()
    np.testing.assert_array_equal(h.grad.array, np.full(1000, 50.0))


def test_assignment_under_no_grad_into_a_parameter():
    w = Tensor(np.ones((3, 2)), True)
    with framework.no_grad():
        w[1] = 0.0
        w[framework.tensor([2])] = framework.full((2,), 4.0, dtype=framework.float64)
        w.index_fill_(0, framework.tensor([0]), -1.0)
    np.testing.assert_array_equal(w.array, [[-1, -1], [0, 0], [4, 4]])
    assert w.is_leaf and w.requires_grad


def test_random_indices_as_pytorch():
    """Random indices of every kind in random order, read, written and differentiated on both sides."""
    numbers = np.random.Generator(np.random.PCG64(5))
    for _ in range(300):
        shape = tuple(numbers.integers(1, 5, numbers.integers(1, 5)))
        index_of, common = [], int(numbers.integers(1, 4))
        for size in shape[: numbers.integers(0, len(shape) + 1)]:
            kind = numbers.integers(0, 7)
            if kind == 0:
                index_of.append(int(numbers.integers(-size, size)))
            elif kind == 1:
                index_of.append(
                    slice(*sorted(numbers.integers(-size, size + 1, 2).tolist()), int(numbers.integers(1, 3)))
                )
            elif kind == 2:
                index_of.append(numbers.integers(-size, size, numbers.choice([1, common])))
            elif kind == 3:
                index_of.append(numbers.integers(-size, size, (2, 1)))
            elif kind == 4:
                mask = np.zeros(size, bool)
                mask[: min(size, common)] = True
                index_of.append(mask)
            else:
                index_of += [None, slice(None)] if kind == 5 else [slice(None)]
        if numbers.random() < 0.3 and len(index_of) < len(shape):
            index_of.append(...)
        data = numbers.standard_normal(shape)
        ours, theirs = Tensor(data.copy(), True), torch.tensor(data, requires_grad=True)
        mine = tuple(Tensor(part) if isinstance(part, np.ndarray) else part for part in index_of)
        other = tuple(torch.from_numpy(part) if isinstance(part, np.ndarray) else part for part in index_of)
        try:
            expected = theirs[other]
        except IndexError:
            with pytest.raises(IndexError):
                ours[mine]
            continue
        found = ours[mine]
        np.testing.assert_array_equal(found.array, expected.detach().numpy(), err_msg=str(index_of))
        g = numbers.standard_normal(expected.shape)
        found.backward(Tensor(np.asarray(g)))
        expected.backward(torch.from_numpy(np.asarray(g)))
        np.testing.assert_allclose(ours.grad.array, theirs.grad.numpy(), atol=1e-12, err_msg=str(index_of))
        a, b = framework.from_numpy(data.copy()), torch.from_numpy(data.copy())
        a[mine], b[other] = -1.0, -1.0
        np.testing.assert_array_equal(a.array, b.numpy(), err_msg=str(index_of))


def test_embedding_padding_row_gets_nothing_and_the_others_the_same():
    w = Tensor(np.ones((4, 300)), True)
    words = framework.tensor([[1, 2, 1], [3, 1, 0]])
    (
        F.embedding(words, w, padding_idx=1) * framework.arange(6.0, dtype=framework.float64).view(2, 3, 1)
    ).sum().backward()
    np.testing.assert_array_equal(w.grad.array[:, 0], [5, 0, 1, 3])


def test_gather_and_its_fellows_live_in_one_place():
    assert set(gather.__all__) <= set(framework.__all__)
