"""What the op table cannot say of convolution, pools, norms and recurrent layers: blocks, layouts, memory, running averages, packed sequences."""

import tracemalloc

import numpy as np
import pytest
import torch

import framework
import framework.nn.functional as F
from framework import Tensor
from framework.ops import conv, pool, recurrent, windows
from framework.tensor import grad


def numbers(*shape, seed=0, dtype="float64"):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def gradients(function, *arrays):
    """function's output and its gradients by every input, as arrays."""
    xs = [Tensor(x.copy(), True) for x in arrays]
    y = function(*xs)
    return [y.array] + [g.array for g in grad(y, xs, Tensor(numbers(*y.shape, seed=9)))]


def close(found, expected, tolerance=1e-12):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, tolerance, tolerance)


# --- convolution ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "block, span, wide, small, enough",
    [
        (1, 1, 1, 0, 99), (60, 40, 1, 0, 99), (60, 40, 99, 0, 99), (10**9, 1, 99, 0, 99), (10**9, 40, 1, 0, 99),
        (1, 1, 1, 200, 1), (10**9, 40, 1, 200, 99), (10**9, 40, 99, 200, 99), (10**9, 40, 1, 10**9, 1), (2000, 40, 1, 200, 99),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kernel", [(3, 2), (4, 1), (1, 1)])
@pytest.mark.parametrize(
    "stride, dilation, padding, groups",
    [(1, 1, 1, 1), (1, 1, (1, 0), 1), (1, 2, (1, 0), 2), (1, 1, 4, 1), (2, 1, 1, 1), (3, 2, 2, 1), (2, 1, 1, 2)],
)
def test_a_convolution_in_blocks_is_the_one_in_one_piece(
    monkeypatch, block, span, wide, small, enough, kernel, stride, dilation, padding, groups
):
    """In one piece all columns are copied; row by row, where they need not be, they are views. Small products are in pieces, and with enough
    channels the input's gradient is a convolution of its own."""
    x, w, b = numbers(4, 4, 9, 7), numbers(6, 4 // groups, *kernel), numbers(6)

    def convolved(x, w, b):
        return F.conv2d(x, w, b, stride, padding, dilation, groups)

    monkeypatch.setattr(windows, "BLOCK", 10**9)
    monkeypatch.setattr(windows, "SPAN", 10**9)
    monkeypatch.setattr(windows, "WIDE", 10**9)
    monkeypatch.setattr(windows, "PIECE", 2)
    monkeypatch.setattr(windows, "SMALL", 0)
    whole = gradients(convolved, x, w, b)
    monkeypatch.setattr(windows, "BLOCK", block)
    monkeypatch.setattr(windows, "SPAN", span)
    monkeypatch.setattr(windows, "WIDE", wide)
    monkeypatch.setattr(windows, "SMALL", small)
    monkeypatch.setattr(conv, "ENOUGH", enough)
    close(gradients(convolved, x, w, b), whole)


@pytest.mark.parametrize(
    "x, w, options",
    [
        ((128, 3, 7, 5), (1, 3, 3, 5), dict(padding=(1, 0))),
        ((128, 3, 7, 1), (1, 3, 3, 1), dict(padding=(1, 0))),
        ((128, 17, 7, 7), (1, 17, 3, 4), dict(stride=(1, 3), padding=(1, 0), dilation=(1, 2))),
    ],
)
def test_one_channel_of_outputs_that_are_one_wide(x, w, options):
    """An axis of one element has any stride: what comes out of an elementwise op has another there than its neighbours say."""
    torch = pytest.importorskip("torch")
    x, w = numbers(*x), numbers(*w, seed=1)
    ours, theirs = Tensor(x, True), torch.from_numpy(x).requires_grad_()
    y, z = F.conv2d(ours, Tensor(w), **options), torch.nn.functional.conv2d(theirs, torch.from_numpy(w), **options)
    (y * y).sum().backward()
    (z * z).sum().backward()
    close([y.array, ours.grad.array], [z.detach().numpy(), theirs.grad.numpy()])


def test_a_convolution_is_its_definition():
    x, w = numbers(2, 3, 5, 6), numbers(4, 3, 2, 3)
    expected = np.zeros((2, 4, 2, 4))
    for (n, o, p, q), _ in np.ndenumerate(expected):
        expected[n, o, p, q] = (x[n, :, 2 * p : 2 * p + 2, q : q + 3] * w[o]).sum()
    np.testing.assert_allclose(F.conv2d(Tensor(x), Tensor(w), stride=(2, 1)).array, expected, 1e-12)


def test_rows_stay_outermost_and_the_batch_innermost_in_memory_through_a_network():
    x, w, v = Tensor(numbers(4, 3, 8, 8), True), Tensor(numbers(5, 3, 3, 3), True), Tensor(numbers(2, 5, 3, 3), True)
    running = Tensor(np.zeros(5)), Tensor(np.ones(5))
    first = F.max_pool2d(F.relu(F.batch_norm(F.conv2d(x, w, padding=1), *running, training=True)), 2)
    second = F.avg_pool2d(F.conv2d(first, v), 2)
    for y in (first, second):
        assert y.array.transpose(2, 1, 3, 0).flags.c_contiguous, y.array.strides


def test_a_convolution_keeps_no_columns():
    """Of 9 · 16 times the input's channels as columns, nothing is left after forward, and only a block at a time during it."""
    x, w = Tensor(numbers(8, 16, 64, 64, dtype="float32")), Tensor(numbers(16, 16, 3, 3, dtype="float32"), True)
    columns = 9 * x.nbytes
    F.conv2d(x, w, padding=1)
    tracemalloc.start()
    try:
        y = F.conv2d(x, w, padding=1)
        after, peak = tracemalloc.get_traced_memory()
        assert after < 1.1 * y.nbytes, "more than the output stays"
        assert peak < y.nbytes + 1.2 * x.nbytes + 4 * 4 * windows.BLOCK, (
            "more than output, padded input and some blocks"
        )
        assert peak < columns
        tracemalloc.reset_peak()
        y.sum().backward()
        assert tracemalloc.get_traced_memory()[1] < columns
    finally:
        tracemalloc.stop()


def test_fold_is_the_transpose_of_unfold():
    geometry = dict(kernel_size=(3, 2), dilation=(1, 2), padding=(1, 0), stride=(2, 1))
    x = numbers(2, 3, 6, 7)
    columns = F.unfold(Tensor(x), **geometry).array
    c = numbers(*columns.shape, seed=1)
    np.testing.assert_allclose((columns * c).sum(), (x * F.fold(Tensor(c), (6, 7), **geometry).array).sum(), 1e-12)


# --- pools ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel, stride, padding", [(2, 2, 0), (3, 2, 1), (3, 1, 0)])
def test_max_pooling_a_few_channels_at_a_time_is_all_at_once(monkeypatch, kernel, stride, padding):
    x = numbers(2, 5, 8, 6)
    monkeypatch.setattr(pool, "BLOCK", 10**9)
    whole = gradients(lambda x: F.max_pool2d(x, kernel, stride, padding), x)
    monkeypatch.setattr(pool, "BLOCK", 1)
    close(gradients(lambda x: F.max_pool2d(x, kernel, stride, padding), x), whole)


def test_the_indices_of_max_pooling_are_where_its_values_are():
    x = np.round(numbers(2, 3, 7, 9))  # with many ties
    y, index = F.max_pool2d(Tensor(x), 3, 2, 1, return_indices=True)
    assert index.dtype == framework.int64
    picked = np.take_along_axis(x.reshape(2, 3, -1), index.array.reshape(2, 3, -1), axis=2)
    np.testing.assert_array_equal(picked.reshape(y.shape), y.array)


# --- norms ------------------------------------------------------------------------------------------------------------


def test_batch_norm_with_momentum_none_averages_all_batches():
    ours, theirs = framework.nn.BatchNorm2d(3, momentum=None).double(), torch.nn.BatchNorm2d(3, momentum=None).double()
    for seed in range(3):
        x = numbers(4, 3, 2, 2, seed=seed) * (seed + 1) + seed
        ours(Tensor(x)), theirs(torch.from_numpy(x))
    for name in ("running_mean", "running_var"):
        np.testing.assert_allclose(getattr(ours, name).array, getattr(theirs, name).numpy(), 1e-12)
    ours.eval(), theirs.eval()
    x = numbers(4, 3, 2, 2, seed=7)
    np.testing.assert_allclose(ours(Tensor(x)).detach().array, theirs(torch.from_numpy(x)).detach().numpy(), 1e-12)


def test_running_averages_are_written_in_place_and_the_write_is_counted():
    mean, var = Tensor(np.zeros(3)), Tensor(np.ones(3))
    array = mean.array
    F.batch_norm(Tensor(numbers(4, 3)), mean, var, training=True)
    assert mean.array is array and array.any() and mean._version == var._version == 1
    F.batch_norm(Tensor(numbers(4, 3)), mean, var)
    assert mean._version == var._version == 1


def test_norms_have_the_moments_that_they_promise():
    x = numbers(6, 4, 5, 3) * 7 + 3
    for y, axes in [
        (F.batch_norm(Tensor(x), None, None, training=True, eps=0), (0, 2, 3)),
        (F.layer_norm(Tensor(x), (5, 3), eps=0), (2, 3)),
        (F.group_norm(Tensor(x), 1, eps=0), (1, 2, 3)),
        (F.instance_norm(Tensor(x), eps=0), (2, 3)),
    ]:
        np.testing.assert_allclose(y.array.mean(axis=axes), 0, atol=1e-12)
        np.testing.assert_allclose(y.array.var(axis=axes), 1, 1e-12)


def test_batch_norm_is_exact_far_from_zero():
    """A mean of 1000 and a deviation of 1, in float32: E[x²] − mean² would have no digit of the variance right."""
    x = numbers(64, 2, 8, 8) + 1000
    y = F.batch_norm(Tensor(x.astype("float32")), None, None, training=True).array
    expected = (x - x.mean((0, 2, 3), keepdims=True)) / x.std((0, 2, 3), keepdims=True)
    np.testing.assert_allclose(y, expected, atol=5e-4)


# --- recurrent layers -------------------------------------------------------------------------------------------------

STATES = {"rnn_tanh": 1, "rnn_relu": 1, "lstm": 2, "gru": 1}
GATES = {"rnn_tanh": 1, "rnn_relu": 1, "lstm": 4, "gru": 3}


def layer(name, x, batch_sizes, reverse, plain):
    """One layer in one direction: the fused op, or the plain formula that it names. Returns outputs and gradients as arrays."""
    I, H, N = x.shape[1], 3, batch_sizes[0]
    rows = GATES[name] * H
    arrays = [x, *[numbers(N, H, seed=s) for s in range(1, 1 + STATES[name])]]
    arrays += [numbers(rows, I, seed=4), numbers(rows, H, seed=5), numbers(rows, seed=6), numbers(rows, seed=7)]
    xs = [Tensor(a.copy(), True) for a in arrays]
    op = {"lstm": recurrent._lstm_layer, "gru": recurrent._gru_layer}.get(name, recurrent._rnn_layer)
    settings = dict(plan=recurrent.make_plan(batch_sizes, reverse))
    if name.startswith("rnn"):
        settings["nonlinearity"] = name[4:]
    outputs = (op.op.composite if plain else op)(*xs, **settings)
    seeds = [Tensor(numbers(*y.shape, seed=20 + k)) for k, y in enumerate(outputs)]
    return [y.array for y in outputs] + [g.array for g in grad(outputs, xs, seeds)]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("batch_sizes", [(2,) * 20, (4, 4, 3, 3, 3, 2, 1, 1, 1, 1, 1), (3,), (1, 1, 1)])
@pytest.mark.parametrize("name", STATES)
def test_the_fused_layer_is_its_plain_formula(name, batch_sizes, reverse):
    x = numbers(sum(batch_sizes), 2)
    close(layer(name, x, batch_sizes, reverse, plain=False), layer(name, x, batch_sizes, reverse, plain=True), 1e-10)


@pytest.mark.parametrize("name", STATES)
def test_a_packed_sequence_is_each_sequence_by_itself(name):
    """Both directions, two layers; padding would change the backward direction's result."""
    lengths, I, H = [5, 3, 1], 2, 3
    rows, count = GATES[name] * H, STATES[name]
    sequences = [numbers(length, I, seed=length) for length in lengths]
    params = [
        Tensor(numbers(*shape, seed=k))
        for k, shape in enumerate([(rows, I), (rows, H)] * 2 + [(rows, 2 * H), (rows, H)] * 2)
    ]
    states = [numbers(4, len(lengths), H, seed=30 + k) for k in range(count)]
    batch_sizes = [sum(length > t for length in lengths) for t in range(max(lengths))]
    data = np.concatenate([[s[t] for s in sequences if t < len(s)] for t in range(max(lengths))])

    def run(*steps, states):
        hx = tuple(map(Tensor, states)) if count == 2 else Tensor(states[0])
        last = () if len(steps) == 2 else (False,)
        return getattr(framework, name)(*steps, hx, params, False, 2, 0.0, False, True, *last)

    y, *final = run(Tensor(data), framework.tensor(batch_sizes), states=states)
    starts = np.concatenate([[0], np.cumsum(batch_sizes)])
    for k, sequence in enumerate(sequences):
        alone, *final_alone = run(Tensor(sequence[:, None]), states=[s[:, k : k + 1] for s in states])
        np.testing.assert_allclose([y.array[starts[t] + k] for t in range(lengths[k])], alone.array[:, 0], 1e-12)
        for a, b in zip(final, final_alone, strict=True):
            np.testing.assert_allclose(a.array[:, k], b.array[:, 0], 1e-12)


def test_a_change_of_the_outputs_is_noticed_and_the_final_state_is_free():
    arrays = [numbers(4, 2, 3), numbers(1, 2, 2), numbers(6, 3), numbers(6, 2)]
    x, h0, *params = (Tensor(a, True) for a in arrays)
    y, h_n = framework.gru(x, h0, params, False, 1, 0.0, True, False, False)
    h_n.detach().zero_()
    y.sum().backward(retain_graph=True)
    y.detach().zero_()
    with pytest.raises(RuntimeError, match="changed in place"):
        y.sum().backward()


def test_dropout_between_layers_and_in_training_alone():
    x, h0 = Tensor(numbers(5, 2, 3)), Tensor(np.zeros((2, 2, 4)))
    params = [Tensor(numbers(*s, seed=k)) for k, s in enumerate([(4, 3), (4, 4), (4, 4), (4, 4)])]

    def run(layers, dropout, train):
        framework.manual_seed(0)
        return framework.rnn_tanh(x, h0[:layers], params[: 2 * layers], False, layers, dropout, train, False, False)[
            0
        ].array

    np.testing.assert_array_equal(run(2, 0.5, False), run(2, 0.0, True))
    np.testing.assert_array_equal(run(1, 0.5, True), run(1, 0.0, True))
    assert (run(2, 0.5, True) != run(2, 0.0, True)).any()


def test_lengths_that_differ_cost_no_step_on_padding():
    plan = recurrent.make_plan((3, 2, 1, 1), True)
    assert plan.outputs.stop - plan.outputs.start == 7
    assert sum(rows.stop - rows.start for _, _, steps in plan.chunks for rows, _, _ in steps) == 7
