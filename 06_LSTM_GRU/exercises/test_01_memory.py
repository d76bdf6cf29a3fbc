import numpy as np
import torch

from dlfs.grading import expect


def test_clipping_is_by_one_norm_for_all(exercise):
    grads = {"a": np.array([3.0, 0.0]), "b": np.array([[4.0]])}
    norm = exercise.clip_grad_norm(grads, 1.0)
    expect(
        norm,
        5.0,
        "clip_grad_norm({a: [3 0], b: [[4]]}, 1)",
        "one norm over all arrays together, as it was before clipping",
    )
    expect(
        grads["a"],
        [0.6, 0],
        "grads['a'] after clip_grad_norm({a: [3 0], b: [[4]]}, 1)",
        "every array is scaled, in place, by max_norm / norm",
    )
    expect(
        grads["b"],
        [[0.8]],
        "grads['b'] after clip_grad_norm({a: [3 0], b: [[4]]}, 1)",
        "every array is scaled, in place, by max_norm / norm",
    )


def test_small_gradients_stay(exercise):
    grads = {"a": np.array([0.3, 0.4])}
    norm = exercise.clip_grad_norm(grads, 1.0)
    expect(norm, 0.5, "clip_grad_norm({a: [.3 .4]}, 1)", "it returns the norm in any case")
    expect(
        grads["a"],
        [0.3, 0.4],
        "grads['a'] after clip_grad_norm({a: [.3 .4]}, 1)",
        "below the bound nothing is changed: it clips, it does not normalise",
    )


def test_half_life(exercise):
    for bias in (-1.0, 0.0, 1.0, 5.0):
        t = exercise.half_life(bias)
        left = float(torch.sigmoid(torch.tensor(bias, dtype=torch.float64))) ** t
        expect(
            left,
            0.5,
            f"σ({bias:g}) ** half_life({bias:g}), where half_life is {t:.4g}",
            "the gate is σ(bias), and σ(bias)^t = ½",
        )


def test_the_bias_for_a_half_life(exercise):
    for steps in (1.0, 10.0, 1000.0):
        bias = exercise.forget_bias(steps)
        left = float(torch.sigmoid(torch.tensor(bias, dtype=torch.float64))) ** steps
        expect(
            left,
            0.5,
            f"σ(forget_bias({steps:g})) ** {steps:g}, where forget_bias is {bias:.4g}",
            "f = ½^(1/steps), and the bias is f's logit",
        )
