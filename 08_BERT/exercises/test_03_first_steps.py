import numpy as np
import pytest
import torch

from dlfs.grading import expect


def noise(T=30):
    return np.random.default_rng(0).standard_normal((T, 3)) * [1.0, 100.0, 0.01]


def test_with_correction_it_is_torchs_adam(exercise):
    p = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer, places = torch.optim.Adam([p], lr=0.1), [np.zeros(3)]
    for g in noise():
        p.grad = torch.from_numpy(g)
        optimizer.step()
        places.append(p.detach().numpy().copy())
    usually = "m and v start at 0, t at 1; both are divided by 1 − β^t, and the root is taken of the corrected v"
    expect(
        exercise.updates(noise(), 0.1, True),
        np.diff(places, axis=0),
        "updates(g (30, 3), lr=.1, correct=True)",
        usually,
        1e-9,
    )


def test_without_it(exercise):
    g = noise(20)
    weights = lambda beta, t: (1 - beta) * beta ** np.arange(t)[::-1]
    expected = [
        -0.1 * (weights(0.9, t) @ g[:t]) / (np.sqrt(weights(0.999, t) @ g[:t] ** 2) + 1e-8) for t in range(1, 21)
    ]
    usually = "m and v as they are; v averages g SQUARED; the step goes down, −lr · m / (√v + ε)"
    expect(exercise.updates(g, 0.1, False), expected, "updates(g (20, 3), lr=.1, correct=False)", usually, 1e-9)


def test_the_factor(exercise):
    usually = "m lacks the factor 1 − β1^t; √v lacks √(1 − β2^t), and stands in the denominator"
    expect(exercise.factor(1), 0.1 / np.sqrt(0.001), "factor(1)", usually)
    T = np.arange(1, 31)
    got = exercise.factor(T)
    g = noise(30)[:, 0] * 1e6  # ε does not count
    expect(
        got,
        exercise.updates(g, 1.0, False) / exercise.updates(g, 1.0, True),
        "factor(1 … 30), against your updates without and with",
        usually,
    )
    expect(exercise.factor(10**6), 1.0, "factor(1000000)", usually)


@pytest.mark.parametrize("bound", [1.01, 1.1, 2.0, 6.0, 7.0])
def test_settled(exercise, bound):
    t = np.arange(1, 20_001)
    f = (1 - 0.9**t) / np.sqrt(1 - 0.999**t)
    expected = 1 + max((s for s in t if f[s - 1] >= bound), default=0)
    usually = "the factor RISES at first: look for the last step at which it is too large; settled is the one after it"
    expect(exercise.settled(bound), expected, f"settled({bound})", usually, 1e-9)


@pytest.mark.parametrize("warmup", [1, 30, 1000])
def test_the_largest_step(exercise, warmup):
    expected = max((1 - 0.9**t) / (1 - 0.999**t) ** 0.5 * min(1, t / warmup) for t in range(1, 15_000))
    usually = "the largest over all steps of factor(t) · min(1, t / w): after the warm-up too"
    expect(exercise.largest_step(warmup), expected, f"largest_step(warmup={warmup})", usually)
