import numpy as np
import pytest
import torch

from dlfs.grading import expect

RNG = np.random.default_rng


def test_the_targets(exercise):
    usually = "ε is spread over ALL K classes: the label has 1 − ε + ε/K, every other ε/K; a row adds up to 1"
    got = exercise.targets(np.array([2, 0]), 4, 0.2)
    expected = [[0.05, 0.05, 0.85, 0.05], [0.85, 0.05, 0.05, 0.05]]
    expect(got, expected, "targets([2, 0], K=4, epsilon=0.2)", usually)
    expect(exercise.targets(np.array([1]), 3, 0.0), [[0, 1, 0]], "targets([1], K=3, epsilon=0)", usually)


@pytest.mark.parametrize("epsilon", [0.0, 0.1, 0.6])
def test_the_loss_and_its_gradient(exercise, epsilon):
    z, y = 3 * RNG(0).standard_normal((5, 7)), RNG(1).integers(0, 7, 5)
    logits = torch.tensor(z, requires_grad=True)
    expected = torch.nn.functional.cross_entropy(logits, torch.tensor(y), label_smoothing=epsilon)
    expected.backward()
    called = f"(logits (5, 7), labels (5,), epsilon={epsilon})"
    expect(
        exercise.loss(z, y, epsilon),
        expected,
        "loss" + called,
        "a sum over the classes, with all of q in it and not the label's alone; and the mean over the batch",
    )
    usually = "p − q with the SMOOTHED q, and divided by B for the mean over the batch"
    expect(exercise.loss_backward(z, y, epsilon), logits.grad, "loss_backward" + called, usually)


def test_large_logits(exercise):
    z = np.array([[1000.0, 0.0], [0.0, 1000.0]])
    usually = "softmax(1000, 0) has a 0 in it, and log 0 is −∞: take log_softmax, which is there"
    with np.errstate(all="ignore"):
        expect(exercise.loss(z, np.array([0, 0]), 0.1), 500.0, "loss([[1000, 0], [0, 1000]], [0, 0], 0.1)", usually)


@pytest.mark.parametrize(("K", "epsilon"), [(1000, 0.1), (10, 0.1), (2, 0.5)])
def test_the_gap_is_where_the_gradient_is_zero(exercise, K, epsilon):
    z = np.zeros((1, K))
    for _ in range(60):  # Newton's steps along the one direction that counts: the label's logit above all others
        p = np.exp(z[0, 0]) / (np.exp(z[0, 0]) + K - 1)
        z[0, 0] -= np.clip((p - (1 - epsilon + epsilon / K)) / (p * (1 - p)), -1, 1)
    usually = "where the gradient is 0, p = q; then z_y − z_k = log(q_y / q_k), and q_y is 1 − ε + ε/K"
    expect(exercise.gap(K, epsilon), z[0, 0], f"gap(K={K}, epsilon={epsilon})", usually)
