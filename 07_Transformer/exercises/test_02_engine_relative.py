import numpy as np
import pytest
import torch

import framework
from dlfs.grading import expect


def made_of(exercise, reach=2):
    """A layer of two heads in float64, and its weights as tensors of PyTorch."""
    rng = np.random.default_rng(reach)
    layer = exercise.RelativeAttention(8, 2, reach).to(framework.float64)
    weights = {}
    for name, parameter in layer.named_parameters():
        value = rng.standard_normal(tuple(parameter.shape)) / 2
        with framework.no_grad():
            parameter.copy_(framework.tensor(value))
        weights[name.removesuffix(".weight")] = torch.from_numpy(value).requires_grad_()
    return layer, weights


def by_torch(p, x, keep, reach, root=True):
    """Pair of places by pair of places, in PyTorch."""
    q, k, v = (x @ p[f"{n}_proj"].T for n in "qkv")
    B, T, _ = x.shape
    out = []
    for h in (slice(0, 4), slice(4, 8)):
        rows = []
        for t in range(T):
            a = torch.stack([p["relative"][reach + max(-reach, min(reach, s - t))] for s in range(T)])
            e = ((k[..., h] + a) * q[:, t : t + 1, h]).sum(-1) / 2
            rows.append(torch.einsum("bs,bsd->bd", e.masked_fill(~keep, -torch.inf).softmax(-1), v[..., h]))
        out.append(torch.stack(rows, dim=1))
    return torch.cat(out, dim=-1) @ p["out_proj"].T


def batch(T=5, short=3):
    x = np.random.default_rng(7).standard_normal((2, T, 8))
    keep = np.ones((2, T), dtype=bool)
    keep[1, short:] = False
    return x, keep


def test_distances(exercise):
    usually = "row t, column s: s − t, so that what follows is above reach; clipped first, then + reach"
    expect(exercise.distances(3, 1), [[1, 2, 2], [0, 1, 2], [0, 0, 1]], "distances(3, reach=1)", usually)
    expect(exercise.distances(2, 4), [[4, 5], [3, 4]], "distances(2, reach=4)", usually)


def test_the_parameters(exercise):
    got = {name: tuple(p.shape) for name, p in exercise.RelativeAttention(8, 2, 3).named_parameters()}
    expected = {f"{name}_proj.weight": (8, 8) for name in ("q", "k", "v", "out")} | {"relative.weight": (7, 4)}
    assert got == expected, (
        f"RelativeAttention(8, 2, 3) has {got}, expected {expected}: distances −R … R are 2R + 1, heads share the table, no biases"
    )


@pytest.mark.parametrize("reach", [1, 2, 9])
def test_forward_and_backward(exercise, reach):
    layer, p = made_of(exercise, reach)
    x, keep = batch()
    called = f"RelativeAttention(8, 2, reach={reach})(x (2, 5, 8), keep (2, 5))"
    y, expected = (
        layer(framework.tensor(x), framework.tensor(keep)),
        by_torch(p, torch.from_numpy(x), torch.from_numpy(keep), reach),
    )
    expect(
        y,
        expected,
        called,
        "e_ts = (q_t · k_s + q_t · a) / √D: BOTH terms are divided by the root; padding is −∞ before the softmax",
    )
    dy = np.random.default_rng(3).standard_normal(x.shape)
    (y * framework.tensor(dy)).sum().backward()
    (expected * torch.from_numpy(dy)).sum().backward()
    for name, parameter in layer.named_parameters():
        assert parameter.grad is not None, f"no gradient reaches {name}: stay in the engine's tensors"
        usually = "all pairs at one distance use one row, and their gradients add up"
        expect(
            parameter.grad,
            p[name.removesuffix(".weight")].grad,
            f"the gradient of {name} through {called}",
            usually,
            1e-9,
        )


def test_padding_changes_nothing(exercise):
    layer, _ = made_of(exercise)
    x, keep = batch()
    alone = layer(framework.tensor(x[1:, :3]), framework.tensor(keep[1:, :3]))
    got = layer(framework.tensor(x), framework.tensor(keep))[1:, :3]
    expect(
        got,
        alone,
        "a text of 3 tokens in a batch with one of 5, against the text alone",
        "no token looks at padding: the mask is over s, the columns",
    )


def test_a_text_moved_is_the_same_text(exercise):
    layer, _ = made_of(exercise)
    x, _ = batch()
    behind = np.concatenate([np.zeros((2, 2, 8)), x], axis=1)
    keep = np.arange(7)[None].repeat(2, 0) >= 2
    got = layer(framework.tensor(behind), framework.tensor(keep))[:, 2:]
    expected = layer(framework.tensor(x), framework.tensor(np.ones((2, 5), dtype=bool)))
    expect(
        got,
        expected,
        "a text with two places of padding before it, against the text alone",
        "only distances count: s − t, never t itself",
    )
