import numpy as np
import pytest
import torch

from dlfs.grading import expect, numerical_gradient


@pytest.fixture
def step():
    rng = np.random.default_rng(0)
    shapes = {"weight_ih": (12, 2), "weight_hh": (12, 3), "bias": (12,), "peep_i": (3,), "peep_f": (3,), "peep_o": (3,)}
    params = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    return params, rng.standard_normal((4, 2)), rng.standard_normal((4, 3)), rng.standard_normal((4, 3))


def test_without_peepholes_it_is_pytorchs_lstm(exercise, step):
    params, x, h, c = step
    params |= {name: np.zeros(3) for name in ("peep_i", "peep_f", "peep_o")}
    twin = torch.nn.LSTMCell(2, 3, dtype=torch.float64)
    state = {name: torch.tensor(params[name]) for name in ("weight_ih", "weight_hh")}
    twin.load_state_dict(state | {"bias_ih": torch.tensor(params["bias"]), "bias_hh": torch.zeros(12)})
    with torch.no_grad():
        expected = twin(torch.tensor(x), (torch.tensor(h), torch.tensor(c)))
    got = exercise.cell(params, x, h, c)
    for name, one, other in zip("hc", got, expected):
        expect(
            one,
            other,
            f"cell(params, x (4, 2), h (4, 3), c (4, 3)) with peepholes of 0: {name}",
            "the order of the four is i, f, g, o",
        )


def test_one_unit_by_hand(exercise):
    zeros = {"weight_ih": np.zeros((4, 1)), "weight_hh": np.zeros((4, 1)), "bias": np.zeros(4)} | {
        f"peep_{g}": np.zeros(1) for g in "ifo"
    }
    x, c = np.zeros((1, 1)), np.full((1, 1), 2.0)
    h_new, c_new, _ = exercise.cell(zeros | {"peep_o": np.ones(1)}, x, x, c)
    expect(c_new, [[1.0]], "c of cell(zeros, peep_o = 1, c_prev = 2)", "f = σ(0) = ½")
    expect(
        h_new,
        [[np.tanh(1) / (1 + np.exp(-1))]],
        "h of cell(zeros, peep_o = 1, c_prev = 2)",
        "the output gate sees the NEW cell, 1",
        1e-5,
    )
    _, c_new, _ = exercise.cell(zeros | {"peep_f": np.ones(1)}, x, x, c)
    expect(
        c_new,
        [[2 / (1 + np.exp(-2))]],
        "c of cell(zeros, peep_f = 1, c_prev = 2)",
        "the forget gate sees the OLD cell, 2",
    )
    _, c_new, _ = exercise.cell(zeros | {"peep_i": np.ones(1), "bias": np.array([0, 0, 1.0, 0])}, x, x, c)
    expect(
        c_new,
        [[1 + np.tanh(1) / (1 + np.exp(-2))]],
        "c of cell(zeros, peep_i = 1, b_g = 1, c_prev = 2)",
        "the input gate sees the OLD cell, 2",
    )


WAYS = {
    "x": "dx = da W_ih",
    "h_prev": "dh_prev = da W_hh, of all four parts",
    "c_prev": "c_prev goes three ways: into f ⊙ c_prev, into the input gate and into the forget gate",
    "weight_ih": "dW = daᵀ x",
    "weight_hh": "dW = daᵀ h_prev",
    "bias": "c goes three ways: into tanh, into the output gate through p_o, and to the next step. dc is the sum of all three, before i, f and g",
    "peep_i": "p_i met the OLD cell; sum over the batch",
    "peep_f": "p_f met the OLD cell; sum over the batch",
    "peep_o": "p_o met the NEW cell; sum over the batch",
}


@pytest.mark.parametrize("name", WAYS)
def test_backward(exercise, step, name):
    params, x, h, c = step
    rng = np.random.default_rng(1)
    dh, dc = rng.standard_normal((4, 3)), rng.standard_normal((4, 3))

    def loss():
        h_new, c_new, _ = exercise.cell(params, x, h, c)
        return (dh * h_new).sum() + (dc * c_new).sum()

    _, _, saved = exercise.cell(params, x, h, c)
    dx, dh_prev, dc_prev, grads = exercise.cell_backward(params, saved, dh.copy(), dc.copy())
    array, got = {"x": (x, dx), "h_prev": (h, dh_prev), "c_prev": (c, dc_prev)}.get(name) or (params[name], grads[name])
    expect(
        got,
        numerical_gradient(loss, array),
        f"cell_backward(params, saved, dh (4, 3), dc (4, 3)): d{name}",
        WAYS[name],
        1e-6,
    )
