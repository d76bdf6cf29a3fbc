import math

import numpy as np
import pytest
from scipy.special import softmax

from dlfs.grading import expect


@pytest.mark.parametrize(("grid", "P"), [((1, 3), 16), ((2, 3), 4)])
def test_distances(exercise, grid, P):
    places = [(P * i, P * j) for i in range(grid[0]) for j in range(grid[1])]
    usually = "patches row by row, Euclidean, and in PIXELS: a step is P"
    expect(
        exercise.distances(grid, P),
        [[math.dist(a, b) for b in places] for a in places],
        f"distances({grid}, P={P})",
        usually,
    )


def test_a_uniform_head(exercise):
    got = exercise.mean_distance(np.full((1, 4, 4), 0.25), (1, 3), 16)
    usually = "what goes to the class token is left out, and the rest of the row divided by its sum"
    expect(got, [16 * 8 / 9], "mean_distance(W (1, 4, 4) of ¼, (1, 3), P=16)", usually)


def test_heads(exercise):
    W = softmax(2 * np.random.default_rng(0).standard_normal((3, 7, 7)), axis=2)
    places = [(5 * i, 5 * j) for i in range(2) for j in range(3)]
    expected = []
    for w in W:
        rows = [[w[1 + t, 1 + s] for s in range(6)] for t in range(6)]
        far = [
            sum(a * math.dist(places[t], places[s]) for s, a in enumerate(row)) / sum(row) for t, row in enumerate(rows)
        ]
        expected.append(sum(far) / 6)
    usually = "without row 0 and column 0; each ROW divided by its sum; a sum over the keys, a mean over the patches that look"
    before = W.copy()
    expect(exercise.mean_distance(W, (2, 3), 5), expected, "mean_distance(W (3, 7, 7), (2, 3), P=5)", usually)
    expect(W, before, "W, after mean_distance", "leave the weights as they are: divide into a new array")


def test_a_head(exercise):
    rng = np.random.default_rng(1)
    tokens, Wq, Wk = rng.standard_normal((5, 8)), rng.standard_normal((3, 8)), rng.standard_normal((3, 8))
    usually = "queries are tokens @ Wq.T; the root is of d, the rows of Wq; the softmax runs over the keys, in each row"
    expected = softmax((tokens @ Wq.T) @ (tokens @ Wk.T).T / math.sqrt(3), axis=1)
    expect(exercise.head(tokens, Wq, Wk), expected, "head(tokens (5, 8), Wq (3, 8), Wk (3, 8))", usually)
    with np.errstate(all="ignore"):
        got = exercise.head(np.array([[40.0], [-40.0]]), np.ones((1, 1)), np.ones((1, 1)))
    expect(
        got,
        np.eye(2),
        "head(tokens [[40], [−40]], [[1]], [[1]])",
        "exp overflowed: subtract the largest score of the row first",
    )
