"""Attention beyond the table: dropout, the fused form against plain ops, large scores, what is saved."""

import math
import tracemalloc

import numpy as np
import pytest

import framework
import framework.nn.functional as F
from framework import Tensor, threads
from framework.gradcheck import gradcheck, gradgradcheck
from framework.ops import attention
from framework.tensor import grad


def inputs(*shapes, scale=1.0, dtype="float64"):
    numbers = np.random.Generator(np.random.PCG64(3))
    return [Tensor((scale * numbers.standard_normal(shape)).astype(dtype), True) for shape in shapes]


def with_dropout(q, k, v):
    framework.manual_seed(4)
    return F.scaled_dot_product_attention(q, k, v, dropout_p=0.4, is_causal=True)


def test_dropout_has_true_derivatives():
    xs = inputs((1, 2, 3, 2), (1, 2, 4, 2), (1, 2, 4, 3))
    assert gradcheck(with_dropout, xs)
    assert gradgradcheck(with_dropout, xs)


def test_dropout_drops_weights_and_keeps_their_mean():
    q, k = framework.zeros(1, 200, 4), framework.zeros(1, 300, 4)
    v = framework.eye(300)[None]  # so that the output is the weights
    framework.manual_seed(0)
    weights = F.scaled_dot_product_attention(q, k, v, dropout_p=0.25) * 300
    kept = weights.array != 0
    np.testing.assert_allclose(weights.array[kept], 1 / 0.75, rtol=1e-5)
    assert abs(kept.mean() - 0.75) < 5 * math.sqrt(0.25 * 0.75 / kept.size)
    framework.manual_seed(0)
    again = F.scaled_dot_product_attention(q, k, v, dropout_p=0.25) * 300
    np.testing.assert_array_equal(weights.array, again.array)
    assert not F.scaled_dot_product_attention(q, k, v, dropout_p=1.0).array.any()


@pytest.mark.parametrize("scale", [0.5, 8.0, 400.0])
@pytest.mark.parametrize("mask", [None, "causal", "boolean", "bias"])
@pytest.mark.parametrize("long", [0, 10])
def test_fused_is_the_plain_formula(monkeypatch, scale, mask, long):
    """softmax(Q Kᵀ / √d + mask) V from plain ops; the scales reach both ways of computing the exponential, `long` both of backward."""
    monkeypatch.setattr(attention, "LONG", long)
    q, k, v = inputs((2, 2, 5, 4), (2, 2, 7, 4), (2, 2, 7, 3), scale=math.sqrt(scale))
    keep = {"causal": np.tri(5, 7, dtype=bool), "boolean": np.arange(35).reshape(5, 7) % 3 > 0}.get(mask)
    bias = Tensor(np.linspace(-2, 2, 35).reshape(5, 7)) if mask == "bias" else None
    scores = q @ k.mT / 2
    scores = scores if bias is None else scores + bias
    plain = (scores if keep is None else scores.masked_fill(Tensor(~keep), -math.inf)).softmax(-1) @ v
    given = Tensor(keep) if mask == "boolean" else bias
    fused = F.scaled_dot_product_attention(q, k, v, given, is_causal=mask == "causal")
    np.testing.assert_allclose(fused.array, plain.array, rtol=1e-10, atol=1e-12)
    g = Tensor(np.cos(np.arange(plain.numel())).reshape(plain.shape))
    for create_graph in (False, True):
        found = grad(fused, (q, k, v), g, create_graph=create_graph, retain_graph=True)
        for a, b in zip(found, grad(plain, (q, k, v), g, retain_graph=True)):
            np.testing.assert_allclose(a.array, b.array, rtol=1e-9, atol=1e-10 * max(1, abs(b.array).max()))


MASKS = {
    "none": None, "shared": np.arange(35).reshape(5, 7) % 3 > 0, "for each example": np.arange(6 * 35).reshape(6, 1, 5, 7) % 4 > 0,
    "for each head": np.arange(70).reshape(2, 5, 7) % 4 > 0, "added": np.linspace(-2, 2, 6 * 35).reshape(6, 1, 5, 7),
}  # fmt: skip


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("batch", [(6, 6, 6), (6, 1, 6), (1, 6, 6), (6, 6, 1)])
@pytest.mark.parametrize("dropout, long", [(0.0, 0), (0.0, 10), (0.5, 0)])
def test_parts_of_a_batch_are_the_whole_and_threads_change_no_bit(monkeypatch, batch, mask, dropout, long):
    monkeypatch.setattr(attention, "LONG", long)
    monkeypatch.setattr(threads, "SHARE", 16)
    monkeypatch.setattr(threads._Team, "count", 1)  # and set back afterwards
    parts = []
    watched = threads.products_in_slices
    monkeypatch.setattr(threads, "products_in_slices", lambda f, n, work: parts.append(n) or watched(f, n, work))

    def found(block, count):
        monkeypatch.setattr(attention, "BLOCK", block)
        framework.set_num_threads(count)
        framework.manual_seed(0)
        xs = inputs(*[(n, 2, *size) for n, size in zip(batch, ((5, 4), (7, 4), (7, 3)), strict=True)], scale=3)
        given = None if MASKS[mask] is None else Tensor(MASKS[mask], MASKS[mask].dtype != bool)
        y = F.scaled_dot_product_attention(*xs, given, dropout_p=dropout)
        xs += [given] if given is not None and given.requires_grad else []
        return [y.array, *(slope.array for slope in grad(y, xs, Tensor(np.cos(np.arange(y.numel())).reshape(y.shape))))]

    whole = found(10**9, 1)
    assert not parts
    alone = found(150, 1)
    for a, b, c in zip(whole, alone, found(150, 3), strict=True):
        np.testing.assert_allclose(b, a, 1e-12, 1e-13)
        np.testing.assert_array_equal(c, b)
    assert parts == ([3] * 4 if batch == (6, 6, 6) else [])


def test_of_many_keys_no_weights_are_kept():
    """Backward needs what forward was given and what it gave, and a part of the scores at a time, not all 16 · 128 · 128 of them."""
    q, k, v = inputs((16, 128, 8), (16, 128, 8), (16, 128, 8), dtype="float32")
    F.scaled_dot_product_attention(q, k, v, is_causal=True)
    scores = 4 * 16 * 128 * 128
    tracemalloc.start()
    try:
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        assert tracemalloc.get_traced_memory()[0] < scores / 8
        y.sum().backward()
        assert tracemalloc.get_traced_memory()[1] < 0.9 * scores
    finally:
        tracemalloc.stop()


def test_a_row_that_may_look_nowhere_gives_nothing_and_takes_nothing():
    q, k, v = inputs((1, 3, 2), (1, 4, 2), (1, 4, 2), scale=30.0, dtype="float32")
    keep = framework.tensor([[True] * 4, [False] * 4, [False, True, False, False]])
    y = F.scaled_dot_product_attention(q, k, v, keep)
    y.sum().backward()
    assert not y.array[0, 1].any() and not q.grad.array[0, 1].any()
    np.testing.assert_allclose(y.array[0, 2], v.array[0, 1], rtol=1e-6)
    assert all(np.isfinite(x.grad.array).all() for x in (q, k, v))


def test_what_follows_is_never_looked_at():
    """Changing the keys and values after position t, even to infinity, leaves a causal output at t as it was."""
    q, k, v = (x.detach() for x in inputs((1, 6, 4), (1, 6, 4), (1, 6, 4), dtype="float32"))
    before = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    k[:, 4:] = 1e4
    v[:, 4:] = -1e4
    after = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    np.testing.assert_allclose(after.array[:, :4], before.array[:, :4], rtol=1e-6)
    assert not np.allclose(after.array[:, 4:], before.array[:, 4:])


def test_float16_scores_of_every_size():
    q, k, v = (x.detach().to(framework.float16) for x in inputs((1, 4, 8), (1, 5, 8), (1, 5, 8), scale=6.0))
    y = F.scaled_dot_product_attention(q, k, v)
    expected = F.scaled_dot_product_attention(q.double(), k.double(), v.double())
    assert y.dtype == framework.float16
    np.testing.assert_allclose(y.array.astype(float), expected.array, atol=0.05)


def test_multi_head_attention_projects_a_shared_tensor_once():
    x, w = inputs((3, 2, 4), (12, 4))
    output, weights = F.multi_head_attention_forward(
        x, x, x, 4, 2, w, None, None, None, False, 0.0, framework.eye(4, dtype=framework.float64), None
    )
    names = set()
    pending = [output.grad_fn]
    while pending:
        node = pending.pop()
        if node is not None and hasattr(node, "next_functions") and node not in names:
            names.add(node)
            pending += [edge for edge, _ in node.next_functions if hasattr(edge, "op")]
    assert sum(node.name() == "linearBackward" for node in names) == 2  # in, and out
    assert tuple(weights.shape) == (2, 3, 3)


def test_the_heads_are_joined_again_without_a_copy():
    x = framework.randn(2, 5, 3 * 12)
    q, k, v = (part.view(2, 5, 4, 3).transpose(1, 2) for part in x.split(12, 2))
    y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    assert y.transpose(1, 2).reshape(2, 5, 12).data_ptr() == y.data_ptr()
