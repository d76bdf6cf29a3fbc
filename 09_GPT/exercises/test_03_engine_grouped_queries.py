import numpy as np
import pytest
import torch

import framework
from dlfs.grading import expect

SHARED = "query heads 0 … r − 1 share key head 0, the next r head 1: repeat_interleave, not repeat"


def layer(exercise, n_kv_head):
    """A layer of four heads of queries in float64, and its weights as tensors of PyTorch."""
    rng = np.random.default_rng(n_kv_head)
    made = exercise.GroupedQueryAttention(16, 4, n_kv_head).to(framework.float64)
    weights = {}
    for name, parameter in made.named_parameters():
        value = rng.standard_normal(tuple(parameter.shape)) / 3
        with framework.no_grad():
            parameter.copy_(framework.tensor(value))
        weights[name] = torch.from_numpy(value).requires_grad_()
    return made, weights


def by_torch(p, x, n_kv_head):
    """Head by head, in PyTorch."""
    q, k, v = (x @ p[f"{n}_proj.weight"].T + p[f"{n}_proj.bias"] for n in "qkv")
    T, heads = x.shape[1], []
    for n in range(4):
        g = n // (4 // n_kv_head)
        scores = q[..., 4 * n : 4 * n + 4] @ k[..., 4 * g : 4 * g + 4].transpose(1, 2) / 2
        scores = scores.masked_fill(torch.ones(T, T, dtype=torch.bool).triu(1), -torch.inf)
        heads.append(scores.softmax(-1) @ v[..., 4 * g : 4 * g + 4])
    return torch.cat(heads, dim=-1) @ p["out_proj.weight"].T + p["out_proj.bias"]


def text(T=6):
    return np.random.default_rng(9).standard_normal((2, T, 16))


@pytest.mark.parametrize("n_kv_head", [4, 2, 1])
def test_the_parameters(exercise, n_kv_head):
    got = {name: tuple(p.shape) for name, p in exercise.GroupedQueryAttention(16, 4, n_kv_head).named_parameters()}
    few = 4 * n_kv_head
    shapes = {"q_proj": (16, 16), "k_proj": (few, 16), "v_proj": (few, 16), "out_proj": (16, 16)}
    expected = {
        f"{n}.{kind}": s if kind == "weight" else s[:1] for n, s in shapes.items() for kind in ("weight", "bias")
    }
    assert got == expected, (
        f"GroupedQueryAttention(16, 4, {n_kv_head}) has {got}, expected {expected}: keys and values have n_kv_head heads"
    )


@pytest.mark.parametrize("n_kv_head", [4, 2, 1])
def test_forward_and_backward(exercise, n_kv_head):
    made, p = layer(exercise, n_kv_head)
    x = text()
    called = f"GroupedQueryAttention(16, 4, {n_kv_head})(x (2, 6, 16))"
    y, expected = made(framework.tensor(x)), by_torch(p, torch.from_numpy(x), n_kv_head)
    expect(y, expected, called, SHARED + "; and no token sees a later one")
    dy = np.random.default_rng(3).standard_normal(x.shape)
    (y * framework.tensor(dy)).sum().backward()
    (expected * torch.from_numpy(dy)).sum().backward()
    for name, parameter in made.named_parameters():
        if name != "k_proj.bias":  # is 0 by mathematics
            assert parameter.grad is not None, f"no gradient reaches {name}: stay in the engine's tensors"
            expect(parameter.grad, p[name].grad, f"the gradient of {name} through {called}", SHARED, 1e-9)


def test_with_the_cache_it_is_the_same(exercise):
    made, _ = layer(exercise, 2)
    x = framework.tensor(text())
    whole, cache, parts = made(x), [], []
    for first, last in ((0, 3), (3, 4), (4, 6)):
        parts.append(made(x[:, first:last], cache))
    got = framework.cat(parts, dim=1)
    usually = "the mask compares places in the whole text, tril(S − T); the cache's keys come first"
    expect(got, whole, "the text read as 3 + 1 + 2 tokens through one cache", usually)
    shape = tuple(cache[0].shape)
    assert shape == (2, 2, 6, 4), (
        f"the cache's keys are {shape}, expected (B, n_kv_head, S, D) = (2, 2, 6, 4): keep them before they are repeated"
    )


def test_how_large_the_cache_is(exercise):
    usually = "keys and values, in each layer, for each of the n_kv_head heads"
    expect(exercise.cache_numbers(12, 12, 64, 1), 18432, "cache_numbers(12, 12, 64, 1)", usually)
    expect(exercise.cache_numbers(32, 8, 128, 8192), 2**29, "cache_numbers(32, 8, 128, 8192)", usually)
