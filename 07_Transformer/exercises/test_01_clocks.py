import math

import numpy as np
import pytest

from dlfs.grading import expect


def encoding(t, d):
    return [(math.sin, math.cos)[c % 2](t / 10000 ** ((c - c % 2) / d)) for c in range(d)]


@pytest.mark.parametrize(("T", "d"), [(2, 4), (50, 10)])
def test_the_positions(exercise, T, d):
    usually = "sine and cosine by turns, the first place is 0, and ω_i = 10000^(−2i/d): both of a pair have one ω"
    expect(exercise.positions(T, d), [encoding(t, d) for t in range(T)], f"positions(T={T}, d={d})", usually)


@pytest.mark.parametrize("k", [0, 1, 3, -5])
def test_one_matrix_moves_every_place(exercise, k):
    M = exercise.step(k, 8)
    expect(np.shape(M), (8, 8), f"the shape of step({k}, d=8)", "one matrix (d, d) for all places")
    for t in (0, 5, 70):
        usually = "the pair is (sin, cos): the block is [[cos kω, sin kω], [−sin kω, cos kω]]; only k stands in it"
        expect(M @ encoding(t, 8), encoding(t + k, 8), f"step({k}, d=8) @ PE[{t}], against PE[{t + k}]", usually)


def test_a_step_back_undoes_a_step(exercise):
    got = exercise.step(-4, 6) @ exercise.step(4, 6)
    expect(got, np.eye(6), "step(−4, 6) @ step(4, 6)", "each block is a rotation: it stretches nothing")


@pytest.mark.parametrize(("k", "d"), [(0, 512), (1, 4), (-7, 64), (300, 64)])
def test_the_similarity(exercise, k, d):
    expected = np.dot(encoding(400, d), encoding(400 + k, d))
    usually = "sin a sin b + cos a cos b = cos(a − b), once for each of the d/2 pairs: a sum, not a mean"
    expect(
        exercise.similarity(k, d), expected, f"similarity({k}, d={d}), against PE[400] · PE[{400 + k}]", usually, 1e-9
    )
