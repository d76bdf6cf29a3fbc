import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dlfs.grading import expect

USUALLY = {
    "dq": "dS k / √D, with dS = A ⊙ (dA − the row's sum of A ⊙ dA): each row's own sum, and the scale of the forward",
    "dk": "dSᵀ q / √D: transposed, for a key is looked at by many queries",
    "dv": "Aᵀ dy: transposed, for a value is fetched by many queries",
}


def qkv(T=5):
    return np.random.default_rng(0).standard_normal((3, 2, 3, T, 4))


def by_torch(q, k, v, dy):
    leaves = [torch.from_numpy(a).requires_grad_() for a in (q, k, v)]
    y = F.scaled_dot_product_attention(*leaves, is_causal=True)
    y.backward(torch.from_numpy(dy))
    return y, [leaf.grad for leaf in leaves]


def test_forward(exercise):
    q, k, v = qkv()
    found = exercise.attention(q, k, v)
    assert isinstance(found, tuple) and len(found) == 2, "attention returns two: y, and the weights A"
    y, A = found
    expect(
        A.sum(axis=-1),
        np.ones((2, 3, 5)),
        "A.sum(axis=-1)",
        "the mask comes before the softmax, which runs over the keys, axis -1: a row's weights add up to 1",
    )
    later = np.triu(np.ones((5, 5), dtype=bool), 1)
    expect(A[..., later], np.zeros((2, 3, 10)), "A[t, s] where s > t", "a token sees itself and those before it")
    usually = "the scores are divided by √D, the softmax runs over the keys"
    expect(y, by_torch(q, k, v, q)[0], "attention(q, k, v (2, 3, 5, 4))[0]", usually)


def test_large_scores(exercise):
    q, k, v = qkv()
    with np.errstate(all="ignore"):
        y, _ = exercise.attention(60 * q, 60 * k, v)
    usually = "exp overflowed: subtract each row's largest score"
    expect(y, by_torch(60 * q, 60 * k, v, q)[0], "attention(60 q, 60 k, v)[0]", usually)


@pytest.mark.parametrize("which", USUALLY)
def test_backward(exercise, which):
    q, k, v = qkv()
    dy = np.random.default_rng(1).standard_normal(q.shape)
    _, A = exercise.attention(q, k, v)
    got = dict(zip(USUALLY, exercise.attention_backward(dy, q, k, v, A)))
    expected = dict(zip(USUALLY, by_torch(q, k, v, dy)[1]))
    expect(
        got[which],
        expected[which],
        f"attention_backward(dy, q, k, v, A)'s {which}, of (2, 3, 5, 4)",
        USUALLY[which],
        1e-9,
    )
