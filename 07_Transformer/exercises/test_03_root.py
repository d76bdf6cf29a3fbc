import numpy as np
import pytest
from scipy.special import softmax

from dlfs.grading import expect, numerical_gradient

RNG = np.random.default_rng


def test_the_weights(exercise):
    q, k = RNG(0).standard_normal((4, 6)), RNG(1).standard_normal((5, 6))
    usually = "the softmax runs over the keys, the last dimension, of q kᵀ TIMES the factor"
    expect(exercise.weights(q, k, 0.4), softmax(q @ k.T * 0.4, axis=1), "weights(q (4, 6), k (5, 6), 0.4)", usually)


def test_large_scores(exercise):
    with np.errstate(all="ignore"):
        got = exercise.weights(np.array([[40.0]]), np.array([[50.0], [49.0]]), 1.0)
    expect(
        got, [[1, 0]], "weights([[40]], [[50], [49]], 1)", "exp overflowed: subtract the largest score of the row first"
    )


def test_the_entropy(exercise):
    usually = "− Σ p log p in nats (np.log), with 0 log 0 = 0; a sum over the keys, a mean over the rows"
    with np.errstate(all="ignore"):
        got = exercise.entropy(np.array([[0.5, 0.5], [1.0, 0.0]]))
        expect(got, np.log(2) / 2, "entropy([[.5, .5], [1, 0]])", usually)
        W = softmax(RNG(2).standard_normal((3, 7)), axis=1)
        expect(exercise.entropy(W), np.mean([-(p @ np.log(p)) for p in W]), "entropy(W (3, 7))", usually)


@pytest.mark.parametrize("m", [2, 6])
def test_the_gradients_size(exercise, m):
    z = RNG(m).standard_normal((3, m))
    sizes = []
    for row in z:
        J = numerical_gradient(lambda row=row: softmax(row), row)
        sizes.append(np.sqrt((J**2).sum()))
    usually = "J = diag(p) − p pᵀ; all of its squares are added, then the root, then the mean over rows"
    expect(exercise.gradient_size(softmax(z, axis=1)), np.mean(sizes), f"gradient_size(W (3, {m}))", usually)


@pytest.mark.parametrize("factor", ["1", "root"])
def test_the_experiment(exercise, factor):
    scale = {"1": lambda d: 1.0, "root": lambda d: d**-0.5}[factor]
    rng, expected = RNG(5), []
    for d in (4, 100):
        q, k = rng.standard_normal((20, d)), rng.standard_normal((20, d))
        W = softmax(q @ k.T * scale(d), axis=1)
        J = [np.diag(p) - np.outer(p, p) for p in W]
        H = np.mean([-(p[p > 0] @ np.log(p[p > 0])) for p in W])
        expected.append((H, np.mean([np.linalg.norm(j) for j in J])))
    usually = "for each d in its turn: draw q (n, d), draw k (n, d), factor scale(d); entropy first"
    expect(
        exercise.experiment([4, 100], scale, 20, RNG(5)),
        expected,
        f"experiment([4, 100], d → {factor}, n=20, rng)",
        usually,
    )
