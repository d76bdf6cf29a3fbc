import math

import numpy as np
import pytest
import torch

import framework
from dlfs.grading import expect


def cosines(B=4, seed=0):
    x, t = np.random.default_rng(seed).standard_normal((2, B, 3))
    return x, t, (x / np.linalg.norm(x, axis=1, keepdims=True)) @ (t / np.linalg.norm(t, axis=1, keepdims=True)).T


def weights(C, beta):
    B = len(C)
    w = np.ones((B, B))
    for i in range(B):
        others = [j for j in range(B) if j != i]
        e = np.exp(beta * C[i, others])
        w[i, others] = e / e.mean()
    return w


@pytest.mark.parametrize("beta", [0.0, 2.0, 5.0])
def test_the_hardness(exercise, beta):
    C = cosines()[2]
    usually = "e^(β C) divided by its MEAN over the B − 1 others of the row; the diagonal takes no part in it, and is 1"
    expect(
        exercise.hardness(framework.tensor(C), beta), weights(C, beta), f"hardness(C (4, 4), beta={beta:g})", usually
    )


def by_torch(x, t, s, beta):
    x, t, s = (torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in (x, t, s))
    C = torch.nn.functional.normalize(x) @ torch.nn.functional.normalize(t).T
    L = 0
    for c in (C, C.T):
        w = torch.tensor(weights(c.detach().numpy(), beta))
        e = (s.clamp(max=math.log(100)).exp() * c).exp()
        L = L - (e.diagonal() / (w * e).sum(1)).log().mean() / 2
    L.backward()
    return L, x.grad, t.grad, s.grad


def made(exercise, beta, s):
    loss = exercise.HardContrastive(beta)
    got = [(name, tuple(p.shape)) for name, p in loss.named_parameters()]
    assert got == [("logit_scale", ())], (
        f"HardContrastive({beta}) has the parameters {got}, expected logit_scale, without dimensions"
    )
    loss = loss.to(framework.float64)
    with framework.no_grad():
        loss.logit_scale.fill_(s)
    return loss


def test_where_the_temperature_begins(exercise):
    expect(
        exercise.HardContrastive(1.0).logit_scale,
        math.log(1 / 0.07),
        "HardContrastive(1).logit_scale",
        "the parameter is a LOGARITHM: log(1 / 0.07) = 2.659",
    )


@pytest.mark.parametrize("beta", [0.0, 3.0])
def test_the_loss_and_its_gradients(exercise, beta):
    x, t, _ = cosines(5, 1)
    loss = made(exercise, beta, 1.2)
    expected = by_torch(x, t, 1.2, beta)
    inputs = [framework.tensor(a, requires_grad=True) for a in (x, t)]
    called = f"HardContrastive({beta:g})(x (5, 3), t (5, 3))"
    got = loss(*inputs)
    usually = "log w is added to the logits off the diagonal; images and texts are each asked once, for columns with the weights of Cᵀ"
    expect(got, expected[0], called, usually)
    got.backward()
    for tensor, grad, name in zip((*inputs, loss.logit_scale), expected[1:], ("x", "t", "logit_scale")):
        assert tensor.grad is not None, f"no gradient reaches {name} through {called}: stay in the engine's tensors"
        usually = "no gradient goes through the weights, which only choose; but all of it through Z"
        expect(tensor.grad, grad, f"the gradient of {name} through {called}", usually, 1e-9)


def test_the_temperature_is_bounded(exercise):
    x, t, _ = cosines(5, 2)
    for s in (math.log(100), math.log(100) + 2):
        loss = made(exercise, 0.0, s)
        got = loss(framework.tensor(x), framework.tensor(t))
        expect(
            got,
            by_torch(x, t, s, 0.0)[0],
            f"HardContrastive(0)(x (5, 3), t (5, 3)) with logit_scale = {s:.3f}",
            "the scale e^s is at most 100: clamp where it is used",
        )
