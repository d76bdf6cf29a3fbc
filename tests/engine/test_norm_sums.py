"""The norms' sums: dot products equal einsum for every order in memory, and threads change no bit."""

import itertools

import numpy as np
import pytest

import framework
from framework import Tensor, threads
from framework.ops import norm


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
@pytest.mark.parametrize("axes", [(0, 2, 3), (2, 3), (3,), (0,), (1, 2)])
@pytest.mark.parametrize("step", [1, 2])
def test_sums_by_dot_products_are_einsum_s(order, axes, step):
    rng = np.random.default_rng(0)
    shape = (4, 6, 2, 3)
    x = rng.standard_normal([shape[axis] for axis in order]).transpose(np.argsort(order))[:, ::step]
    y = rng.standard_normal(x.shape)
    for factors in ((x,), (x, y), (y, x)):
        np.testing.assert_allclose(
            norm._total(axes, *factors), norm._total_by_einsum(axes, *factors), rtol=1e-12, atol=1e-12
        )


def test_batch_norm_gives_the_same_bits_with_any_number_of_threads(monkeypatch):
    monkeypatch.setattr(threads, "SHARE", 16)
    monkeypatch.setattr(norm, "BLOCK", 256)
    monkeypatch.setattr(threads._Team, "count", 1)  # and set back afterwards
    found = []
    for count in (1, 3):
        framework.set_num_threads(count)
        x, w = (Tensor(np.random.default_rng(0).standard_normal(s, "float32"), True) for s in ((5, 7, 4, 3), (7,)))
        y = norm.batch_norm(x, None, None, w, training=True)
        (y * y * y).sum().backward()
        found.append((y.array, x.grad.array, w.grad.array))
    for ours, alone in zip(*found, strict=True):
        np.testing.assert_array_equal(ours, alone)
