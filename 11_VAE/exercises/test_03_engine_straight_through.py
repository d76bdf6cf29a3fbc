import numpy as np

import framework
from dlfs.grading import expect


def test_forward_is_a_coin(exercise):
    p, u = (
        framework.tensor([0.2, 0.9, 1.0, 0.0], dtype=framework.float64),
        framework.tensor([0.5, 0.5, 0.0, 0.0], dtype=framework.float64),
    )
    z = exercise.StraightThrough.apply(p, u)
    expect(
        z,
        [0, 1, 1, 0],
        "StraightThrough.apply(p [.2 .9 1 0], u [.5 .5 0 0])",
        "1 where u < p, else 0; it is p that is the chance of a 1",
    )
    assert z.dtype == framework.float64, (
        f"StraightThrough.apply(p of float64, u) is of {z.dtype}; z has p's dtype, so that it can be multiplied and differentiated"
    )


def test_backward_pretends_that_z_is_p(exercise):
    p = framework.tensor([0.2, 0.9], requires_grad=True)
    z = exercise.StraightThrough.apply(p, framework.tensor([0.5, 0.5]))
    (framework.tensor([3.0, -2.0]) * z).sum().backward()
    expect(
        p.grad,
        [3, -2],
        "p.grad of ([3 -2] · StraightThrough.apply(p [.2 .9], u)).sum()",
        "dL/dp is dL/dz as it comes: nothing is multiplied by z or p",
    )


def test_score_by_hand(exercise):
    got = exercise.score_gradient(lambda z: z, np.array([0.5]), np.array([[0.2], [0.8]]), 0.0)
    expect(
        got,
        [1.0],
        "score_gradient(f(z) = z, p [.5], u [[.2] [.8]], baseline=0)",
        "d log P / dp is 1/p for heads and -1/(1 - p) for tails; the mean over samples",
    )
    got = exercise.score_gradient(lambda z: 0 * z + 1, np.array([0.25]), np.array([[0.2], [0.8]]), 0.0)
    expect(
        got,
        [(4 - 4 / 3) / 2],
        "score_gradient(f(z) = 1, p [.25], u [[.2] [.8]], baseline=0)",
        "d log P / dp is 1/p for heads and -1/(1 - p) for tails",
    )


def test_score_is_right_in_the_mean_and_less_noisy_with_a_baseline(exercise):
    p, rng = np.array([0.1, 0.5, 0.8]), np.random.default_rng(0)
    f = lambda z: (z + 2) ** 2  # 4 and 9: d/dp E f = 5
    noise = []
    for baseline in (0.0, 6.0):
        got = np.array([exercise.score_gradient(f, p, rng.random((400, 3)), baseline) for _ in range(200)])
        expect(
            got.mean(axis=0),
            np.full(3, 5.0),
            f"the mean of 200 × score_gradient(f = (z + 2)², p [.1 .5 .8], u (400, 3), baseline={baseline:g})",
            "a baseline is SUBTRACTED from f, and does not change the mean",
            0.1,
        )
        noise.append(got.std(axis=0).mean())
    assert noise[1] < noise[0] / 2, (
        f"the deviation of the estimate is {noise[0]:.3f} without and {noise[1]:.3f} with a baseline; it should fall to less than half"
    )
