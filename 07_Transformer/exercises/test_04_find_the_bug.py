import itertools

import numpy as np
import pytest

from dlfs.grading import expect, expect_same


def random_model(seed, V=3):
    """Any beginning has next tokens of its own, drawn from a seed that it is part of."""

    def model(tokens):
        z = 2 * np.random.default_rng([seed, *tokens]).standard_normal(V)
        return z - np.log(np.exp(z).sum())

    return model


def log_p(model, tokens):
    return sum(model(list(tokens[:n]))[token] for n, token in enumerate(tokens))


def best_of_all(model, alpha, longest, V=3):
    """By trying every text."""
    texts = [[*middle, 0] for n in range(longest) for middle in itertools.product(range(1, V), repeat=n)]
    scores = [log_p(model, text) / ((5 + len(text)) / 6) ** alpha for text in texts]
    return texts[int(np.argmax(scores))], max(scores)


def test_the_penalty(exercise):
    usually = "((5 + n) / 6) ** alpha: 1 for one token, 2 ** alpha for seven"
    expect(
        [exercise.lp(1, 0.6), exercise.lp(7, 0.6), exercise.lp(7, 0)],
        [1, 2**0.6, 1],
        "lp(1, .6), lp(7, .6), lp(7, 0)",
        usually,
    )


def test_the_extensions(exercise):
    model = random_model(1)
    got = exercise.extended([(-1.0, [1]), (-0.5, [2])], model)
    expected = sorted(((s + model([t])[n], [t, n]) for s, t in ((-1.0, 1), (-0.5, 2)) for n in range(3)), reverse=True)
    usually = "log P of a text is a SUM over its tokens; the likeliest of all come first, whichever beginning they have"
    expect_same(
        [t for _, t in got], [t for _, t in expected], "the texts of extended([(−1, [1]), (−.5, [2])], model)", usually
    )
    expect(
        [s for s, _ in got], [s for s, _ in expected], "the sums in extended([(−1, [1]), (−.5, [2])], model)", usually
    )


@pytest.mark.parametrize("alpha", [0.0, 0.6, 2.0])
def test_with_a_beam_that_holds_everything(exercise, alpha):
    for seed in range(12):
        model = random_model(seed)
        tokens, score = best_of_all(model, alpha, 4)
        got, its = exercise.beam_search(model, beam=200, alpha=alpha, longest=4)
        called = f"beam_search(model {seed}, beam=200, alpha={alpha}, longest=4)"
        usually = "texts that have ended are compared by log P / lp(their own length), all of them, whenever they ended"
        expect_same(list(got), tokens, called, usually)
        expect(its, score, f"the score of {called}", "the score is log P / lp(n), END counted in n")


@pytest.mark.parametrize("beam", [1, 2])
def test_a_narrow_beam(exercise, beam):
    for seed in range(8):
        model, sums = random_model(seed, V=5), [(0.0, [])]
        finished = []
        for _ in range(5):
            every = [(s + model(t)[n], [*t, n]) for s, t in sums for n in range(5)]
            every = sorted(every, key=lambda c: -c[0])[: 2 * beam]
            finished += [(s / ((5 + len(t)) / 6) ** 0.6, t) for s, t in every if t[-1] == 0]
            sums = [(s, t) for s, t in every if t[-1] != 0][:beam]
        if not finished:
            continue
        _, tokens = max(finished)
        got, _ = exercise.beam_search(model, beam=beam, alpha=0.6, longest=5)
        called = f"beam_search(model {seed} of 5 tokens, beam={beam}, alpha=0.6, longest=5)"
        usually = "beginnings are pruned by log P, and what has ended takes no place in the beam"
        expect_same(list(got), tokens, called, usually)
