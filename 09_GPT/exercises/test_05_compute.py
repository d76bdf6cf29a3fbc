import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from dlfs.grading import expect


def law(N, D):
    return 1.69 + 406.4 / N**0.34 + 410.7 / D**0.28


def test_the_loss(exercise):
    usually = "E + A / N^α + B / D^β: α belongs to the size, β to the tokens"
    expect(exercise.loss(175e9, 300e9), law(175e9, 300e9), "loss(N=175e9, D=300e9)", usually)
    N = np.array([1e6, 1e9])
    expect(exercise.loss(N, 1e10), law(N, 1e10), "loss(N [1e6 1e9], D=1e10)", usually)


@pytest.mark.parametrize("C", [6e18, 6e20, 3.15e23])
def test_the_optimum(exercise, C):
    found = np.exp(
        minimize_scalar(
            lambda x: law(np.exp(x), C / (6 * np.exp(x))), bounds=(5, 40), method="bounded", options={"xatol": 1e-10}
        ).x
    )
    N, D = exercise.optimal(C)
    expect(6 * N * D, C, f"6 N D of optimal({C:g})", "N and D cost exactly C = 6 N D")
    usually = "α A N^−α = β B D^−β with D = C / (6 N): N = (αA / βB)^(1/(α+β)) · (C/6)^(β/(α+β))"
    expect(N, found, f"N of optimal({C:g}), against a search", usually, 1e-4)


def test_the_vertex(exercise):
    usually = "a parabola in log N: its vertex −b / (2a) is a logarithm, so exp of it"
    got = exercise.best_size(np.array([1e8, 1e9, 1e10]), np.array([3.0, 2.5, 3.0]))
    expect(got, 1e9, "best_size([1e8 1e9 1e10], [3 2.5 3])", usually)
    sizes = np.geomspace(1e7, 1e9, 7)
    losses = 2 + 0.03 * (np.log(sizes) - np.log(2e8)) ** 2
    expect(
        exercise.best_size(sizes, losses),
        2e8,
        "best_size(7 sizes, a valley at 2e8 between two of them)",
        usually + "; no size that was tried need be the best",
    )


def test_the_exponent(exercise):
    C = np.array([1e18, 5e18, 1e20, 3e22])
    usually = "the slope of log N over log C: logarithms on BOTH axes, sizes upwards"
    expect(exercise.exponent(C, 0.1 * C**0.5), 0.5, "exponent(C, 0.1 · C^0.5)", usually)
    expect(exercise.exponent(C, 3 * C**0.73), 0.73, "exponent(C, 3 · C^0.73)", usually)


def test_in_the_laboratory(exercise):
    budgets = np.geomspace(1e18, 1e22, 5)
    sizes = [exercise.best_size(*exercise.runs(C, np.random.default_rng(0), noise=0.0)) for C in budgets]
    usually = "by the law N grows as C^(β/(α+β)) = C^0.45"
    expect(
        exercise.exponent(budgets, np.array(sizes)),
        0.28 / 0.62,
        "exponent of the valleys of five budgets, without noise",
        usually,
        0.03,
    )
