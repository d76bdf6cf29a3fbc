import numpy as np
from sklearn.linear_model import Lasso

import framework
from dlfs.grading import expect


def stepped(exercise, start, grad, **options):
    w = framework.tensor(start, dtype=framework.float64, requires_grad=True)
    w.grad = framework.tensor(grad, dtype=framework.float64)
    exercise.ProximalSGD([w], **options).step()
    return w


def test_without_a_penalty_it_is_plain_descent(exercise):
    got = stepped(exercise, [1.0, -2.0], [0.5, 0.5], lr=0.1)
    usually = "param is changed in place, param -= lr * grad; and l1 is 0 unless given"
    expect(got, [0.95, -2.05], "ProximalSGD([w], lr=0.1).step(), w [1, -2], gradient [.5 .5]", usually)


def test_the_threshold_is_lr_times_l1(exercise):
    got = stepped(exercise, [1.0, -1.0, 0.05, -0.05], [0.0, 0.0, 0.0, 0.0], lr=0.1, l1=1.0)
    usually = "towards 0 by lr · l1, and no further than 0"
    expect(got, [0.9, -0.9, 0, 0], "ProximalSGD([w], lr=0.1, l1=1).step(), w [1 -1 .05 -.05], gradient 0", usually)


def test_first_down_then_towards_zero(exercise):
    got = stepped(exercise, [0.05], [-2.0], lr=0.1, l1=1.0)
    expect(
        got,
        [0.15],
        "ProximalSGD([w], lr=0.1, l1=1).step(), w [.05], gradient [-2]",
        "the gradient's step comes first, the threshold is taken of its result",
    )


def test_a_group_has_options_of_its_own(exercise):
    w, b = (framework.tensor([1.0], dtype=framework.float64, requires_grad=True) for _ in range(2))
    optimizer = exercise.ProximalSGD([{"params": [w]}, {"params": [b], "l1": 0.0}], lr=0.1, l1=1.0)
    w.grad, b.grad = framework.zeros(1, dtype=framework.float64), framework.zeros(1, dtype=framework.float64)
    optimizer.step()
    usually = "options are read from group, in update; what __init__ was given is only their default"
    expect(
        [w.item(), b.item()],
        [0.9, 1.0],
        "ProximalSGD([{w}, {b, l1=0}], lr=0.1, l1=1).step(), both 1, gradients 0",
        usually,
    )
    optimizer.param_groups[0]["lr"] = 1.0
    optimizer.step()
    expect(w.item(), 0.0, "after optimizer.param_groups[0]['lr'] = 1, as a schedule does: step()", usually)


def test_it_ends_at_the_lasso(exercise):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 5))
    y = X @ [1.5, 0, 0, -2, 0] + 0.3 * rng.standard_normal(50)
    expected = Lasso(alpha=0.3, fit_intercept=False, tol=1e-12).fit(X, y).coef_
    w = framework.zeros(5, dtype=framework.float64, requires_grad=True)
    optimizer = exercise.ProximalSGD([w], lr=0.3, l1=0.3)
    inputs, targets = framework.from_numpy(X), framework.from_numpy(y)
    for _ in range(300):
        optimizer.zero_grad()
        (0.5 * ((inputs @ w - targets) ** 2).mean()).backward()
        optimizer.step()
    expect(
        w,
        expected,
        "300 steps with lr=0.3, l1=0.3 on a linear model, X (50, 5)",
        "the minimum does not depend on lr: the threshold is lr · l1",
        1e-6,
    )
    assert (w.numpy(force=True) == 0).sum() == (expected == 0).sum() > 0, "the lasso's zeros are exact"
