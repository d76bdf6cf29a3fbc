import numpy as np
import pytest

from dlfs.grading import expect

TEXT = [3, 1, 4, 1, 5, 9, 2, 6]


def reference(model, tokens):
    """The logits without a cache, place by place: what is expected of a model with these weights."""
    h = model.wte[tokens] + model.wpe[: len(tokens)]
    q, k, v = h @ model.W_q, h @ model.W_k, h @ model.W_v
    rows = []
    for t in range(len(tokens)):
        a = np.exp(q[t] @ k[: t + 1].T / np.sqrt(len(q[t])))
        rows.append((h[t] + a / a.sum() @ v[: t + 1] @ model.W_o) @ model.wte.T)
    return np.array(rows)


def test_without_a_cache(exercise):
    model = exercise.Model()
    expect(
        model.forward(TEXT),
        reference(model, TEXT),
        "Model().forward(text (8,))",
        "a token sees itself and those before it, and has the position of its own place",
    )


@pytest.mark.parametrize("parts", [(8,), (1,) * 8, (5, 1, 1, 1), (3, 1, 4), (2, 6)], ids=str)
def test_in_parts_through_a_cache(exercise, parts):
    model, cache, first, got = exercise.Model(), {}, 0, []
    for part in parts:
        got.append(model.forward(TEXT[first : first + part], cache))
        first += part
        expect(
            len(cache["k"]),
            first,
            f"len(cache['k']) after {first} tokens",
            "the cache holds all tokens so far, in their order",
        )
    usually = (
        "a token's position is its place in the whole text, and so is what it may see; the cache must change nothing"
    )
    expect(
        np.concatenate(got), reference(model, TEXT), f"forward of the text as {parts} tokens through one cache", usually
    )


def test_it_writes_the_same(exercise):
    for seed in range(5):
        model = exercise.Model(length=400, seed=seed)
        got, expected = model.generate([3, 1, 4], 20, use_cache=True), model.generate([3, 1, 4], 20, use_cache=False)
        assert got == expected, (
            f"with the cache {got}, without it {expected}: each new token is shown to the model once, after those before it"
        )
        tokens = [3, 1, 4]
        for _ in range(20):
            tokens.append(int(reference(model, tokens)[-1].argmax()))
        assert expected == tokens, (
            f"without the cache {expected}, expected {tokens}: the likeliest token after all of the text"
        )
