import numpy as np
import pytest
import torch

from dlfs.grading import expect


@pytest.mark.parametrize(("s", "shortcut"), [(1.0, False), (1.0, True), (0.3, True)])
def test_gradient_norms_are_autograds(exercise, s, shortcut):
    rng = np.random.default_rng(0)
    weights, h, dh = exercise.he_weights(6, 9, rng), rng.standard_normal(9), rng.standard_normal(9)
    states = [torch.tensor(h, requires_grad=True)]
    for W in weights:
        branch = torch.tensor(W) @ torch.relu(states[-1])
        states.append(states[-1] + s * branch if shortcut else branch)
    grads = torch.autograd.grad(states[-1], states[:-1], torch.tensor(dh))
    expected = [np.linalg.norm(dh), *(float(g.norm()) for g in reversed(grads))]
    got = exercise.gradient_norms(weights, h, dh, s, shortcut)
    assert np.shape(got) == (7,), f"gradient_norms of 6 layers has shape {np.shape(got)}; dh_6 … dh_0 are 7"
    usually = "dh times W from the right, then ⊙ [h > 0]; with a shortcut that times s, and dh itself is ADDED; from the last layer to the first"
    expect(got, expected, f"gradient_norms(6 × (9, 9), h (9,), dh (9,), s={s:g}, shortcut={shortcut})", usually)


def test_growth(exercise):
    expect(
        exercise.growth(1.0, 10), 1024, "growth(s=1, num_blocks=10)", "each block multiplies the mean square by 1 + s²"
    )
    expect(
        exercise.growth(0.5, 2),
        1.5625,
        "growth(s=0.5, num_blocks=2)",
        "each block multiplies the mean square by 1 + s²",
    )


def test_growth_is_about_what_happens(exercise):
    rng = np.random.default_rng(0)
    ratios = []
    for _ in range(20):
        start = h = rng.standard_normal(400)
        for W in exercise.he_weights(4, 400, rng):
            h = h + 0.5 * W @ np.maximum(h, 0)
        ratios.append((h @ h) / (start @ start))
    expect(
        exercise.growth(0.5, 4),
        np.mean(ratios),
        "growth(s=0.5, num_blocks=4), against 20 stacks of width 400",
        "the mean SQUARE, not the size; and branches add their squares",
        0.15,
    )


def test_branch_scale(exercise):
    usually = "solve (1 + s²)^L = factor for s: the L-th root first, and the square root last"
    expect(exercise.branch_scale(1, 5.0), 2.0, "branch_scale(1, factor=5)", usually)
    expect(exercise.branch_scale(50, np.e), 0.14213, "branch_scale(50, factor=e)", usually, 1e-4)
