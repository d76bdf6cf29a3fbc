"""LSTM and GRU by hand against numerical gradients, the papers' formulas and PyTorch."""

import dataclasses
import importlib
import inspect
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from dlfs.grading import numerical_gradient

study = importlib.import_module("06_LSTM_GRU.study")
by_hand = importlib.import_module("06_LSTM_GRU.numpy.rnn_numpy")

VARIANTS = {name: config for name, config in study.VARIANTS.items() if not config.fused}


def loud_model(config, seed=0):
    """A float64 model whose weights are large and whose biases are not zero, and a batch for it."""
    rng = np.random.default_rng(seed)
    model = by_hand.RNN(config, rng)
    model.load_state_dict({name: 0.7 * rng.standard_normal(p.shape) for name, p in model.params.items()})
    return model, *study.example_batch(config, rng)


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradients_are_the_numerical_ones(variant):
    model, inputs, targets = loud_model(VARIANTS[variant])

    def loss():
        return model.loss(*inputs, *targets)

    loss()
    dx = model.loss_backward()
    gradients = {name: g.copy() for name, g in model.grads.items()}
    assert gradients.keys() == model.params.keys()
    for name, param in model.params.items():
        rows = slice(None) if param.ndim == 1 or len(param) < 8 else slice(0, len(param), 5)
        part = param[rows]  # a view: one row in five is enough of the large ones
        expected = numerical_gradient(loss, part)
        np.testing.assert_allclose(gradients[name][rows], expected, rtol=1e-5, atol=1e-8, err_msg=name)
    if dx is None:
        assert model.config.vocab_size
    else:
        np.testing.assert_allclose(dx, numerical_gradient(loss, inputs[0]), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("variant", ["lstm", "gru", "gru-original", "lstm-mean", "lstm-bidirectional-2"])
def test_backward_goes_back_from_any_gradient_of_the_output(variant):
    model, (x, lengths, state), _ = loud_model(VARIANTS[variant])
    output, _ = model.forward(x, lengths, state)
    weights = np.random.default_rng(1).standard_normal(output.shape)  # of L = Σ weights * output
    model.backward(weights)
    name = "rnn.weight_hh_l0"
    expected = numerical_gradient(
        lambda: (weights * model.forward(x, lengths, state)[0]).sum(), model.params[name][::3]
    )
    np.testing.assert_allclose(model.grads[name][::3], expected, rtol=1e-5, atol=1e-8)


def test_the_lstms_cell_is_pytorchs():
    rng, H = np.random.default_rng(0), 5
    cell = torch.nn.LSTMCell(3, H, dtype=torch.float64)
    x, h, c = rng.standard_normal((4, 3)), rng.standard_normal((4, H)), rng.standard_normal((4, H))
    weight_ih, weight_hh, bias_ih, bias_hh = (p.detach().numpy() for p in cell.parameters())
    lstm = by_hand.LSTM(study.RNNConfig(input_size=3, hidden_size=H), {}, {})
    (h_next, c_next), _ = lstm.cell(x @ weight_ih.T + bias_ih, np.stack((h, c)), weight_hh, bias_hh)
    expected = cell(torch.from_numpy(x), (torch.from_numpy(h), torch.from_numpy(c)))
    np.testing.assert_allclose(h_next, expected[0].detach(), rtol=1e-12)
    np.testing.assert_allclose(c_next, expected[1].detach(), rtol=1e-12)


def test_the_original_gru_is_the_papers_formula_unit_by_unit():
    """Cho et al. 2014, section 2.3: r_j, z_j and h~_j = tanh([W x]_j + [U (r ⊙ h)]_j), written out for one sequence."""
    config = study.RNNConfig(input_size=2, hidden_size=3, cell="gru", reset_after=False)
    model, (x, _, _), _ = loud_model(config)
    W, U, b = (model.params[f"rnn.{name}_l0"] for name in ("weight_ih", "weight_hh", "bias_ih"))
    b = b + model.params["rnn.bias_hh_l0"]

    def sigma(a):
        return 1 / (1 + math.exp(-a))

    h = [0.0] * 3
    for x_t in x[0]:
        a = [b[j] + sum(W[j, k] * x_t[k] for k in range(2)) for j in range(9)]
        r = [sigma(a[j] + sum(U[j, k] * h[k] for k in range(3))) for j in range(3)]
        z = [sigma(a[3 + j] + sum(U[3 + j, k] * h[k] for k in range(3))) for j in range(3)]
        new = [math.tanh(a[6 + j] + sum(U[6 + j, k] * r[k] * h[k] for k in range(3))) for j in range(3)]
        h = [z[j] * h[j] + (1 - z[j]) * new[j] for j in range(3)]
    _, state = model.forward(x[:1])
    np.testing.assert_allclose(state[0, 0, 0], h, rtol=1e-12)


def test_the_two_forms_of_the_gru_differ():
    model, (x, lengths, state), _ = loud_model(VARIANTS["gru"])
    other = by_hand.RNN(VARIANTS["gru-original"])
    other.load_state_dict(model.state_dict())
    assert np.abs(model.forward(x, lengths, state)[0] - other.forward(x, lengths, state)[0]).max() > 0.01


def test_packing_lays_the_sequences_out_step_by_step_the_longest_first():
    order, rows, batch_sizes = by_hand.packing(np.array([2, 4, 1, 4]), 5)
    assert order.tolist() == [1, 3, 0, 2]
    assert batch_sizes == [4, 3, 2, 2]
    assert rows.tolist() == [
        5,
        15,
        0,
        10,
        6,
        16,
        1,
        7,
        17,
        8,
        18,
    ]  # sequence 1, 3, 0, 2 at step 0; 1, 3, 0 at step 1; …
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        torch.arange(20).reshape(4, 5), torch.tensor([2, 4, 1, 4]), batch_first=True, enforce_sorted=False
    )
    assert packed.data.tolist() == rows.tolist() and packed.batch_sizes.tolist() == batch_sizes


def test_unpack_puts_back_what_packing_took():
    lengths = np.array([2, 4, 1, 4])
    x = np.random.default_rng(0).standard_normal((4, 5, 3)) * (np.arange(5) < lengths[:, None])[..., None]
    _, rows, _ = by_hand.packing(lengths, 5)
    np.testing.assert_array_equal(by_hand.unpack(x.reshape(20, 3)[rows], rows, 4, 5), x)


def test_gradients_do_not_add_up_over_two_backwards():
    model, inputs, targets = loud_model(VARIANTS["gru-characters"])
    model.loss(*inputs, *targets)
    model.loss_backward()
    once = {name: g.copy() for name, g in model.grads.items()}
    model.loss(*inputs, *targets)
    model.loss_backward()
    for name in once:
        np.testing.assert_array_equal(model.grads[name], once[name])


@pytest.mark.parametrize("variant", ["lstm", "gru", "gru-original", "lstm-mean"])
def test_float32_stays_float32(variant):
    model = by_hand.RNN(VARIANTS[variant], np.random.default_rng(0))
    inputs, targets = study.example_batch(VARIANTS[variant], np.random.default_rng(0))
    inputs, targets = (
        tuple(a.astype(np.float32) if a.dtype.kind == "f" else a for a in arrays) for arrays in (inputs, targets)
    )
    output, state = model.forward(*inputs)
    loss = model.loss(*inputs, *targets)
    model.loss_backward()
    assert output.dtype == state.dtype == loss.dtype == np.float32
    assert {g.dtype for g in model.grads.values()} == {np.dtype(np.float32)}


def test_gates_survive_what_overflows_exp():
    with np.errstate(over="raise", invalid="raise"):
        np.testing.assert_allclose(
            by_hand.sigmoid(np.array([-1e4, -800.0, 0, 800, 1e4])), [0, 0, 0.5, 1, 1], atol=1e-15
        )


def test_clipping_scales_all_gradients_together():
    grads = {"a": np.array([3.0, 0.0]), "b": np.array([[4.0]])}
    assert by_hand.clip_grad_norm(grads, 10) == 5
    np.testing.assert_array_equal(grads["a"], [3, 0])
    assert by_hand.clip_grad_norm(grads, 1) == 5
    np.testing.assert_allclose(grads["a"], [0.6, 0])
    np.testing.assert_allclose(grads["b"], [[0.8]])


def test_train_step_is_gradient_descent_and_returns_the_loss_before_it():
    model, inputs, targets = loud_model(VARIANTS["lstm-classifier"])
    loss = model.loss(*inputs, *targets)
    model.loss_backward()
    expected = {name: p - 0.1 * model.grads[name] for name, p in model.params.items()}
    returned = model.train_step(*inputs, *targets, lr=0.1)
    assert isinstance(returned, float) and returned == loss
    for name, param in model.params.items():
        np.testing.assert_array_equal(param, expected[name])


def test_backward_before_forward_says_what_to_call():
    model, inputs, _ = loud_model(VARIANTS["lstm"])
    with pytest.raises(RuntimeError, match=r"RNN\.backward: .* call forward\(x, lengths, state\) first"):
        model.backward(np.zeros((5, 6, 2)))
    model.forward(*inputs)
    with pytest.raises(RuntimeError, match=r"RNN\.loss_backward: .* call loss\(x, lengths, state, targets\) first"):
        model.loss_backward()
    with pytest.raises(ValueError, match=r"RNN\.backward: expected doutput \(5, 6, 2\), got \(6, 5, 2\)"):
        model.backward(np.zeros((6, 5, 2)))


def test_same_rng_same_weights():
    config = dataclasses.replace(VARIANTS["lstm-classifier"])
    first, second = (by_hand.RNN(config, np.random.default_rng(3)) for _ in range(2))
    for name, param in first.params.items():
        assert param.dtype == np.float32
        np.testing.assert_array_equal(param, second.params[name])


def test_it_imports_numpy_alone():
    source = Path(by_hand.__file__).read_text(encoding="utf-8")
    imports = re.findall(r"^(?:from|import) (\S+)", source, flags=re.MULTILINE)
    assert imports == ["math", "numpy", "..study"]


def test_every_line_of_backward_stands_next_to_its_equation():
    theory = (Path(study.__file__).parent / "theory.md").read_text(encoding="utf-8")
    numbered = {int(n) for n in re.findall(r"\\tag\{(\d+)\}", theory)}
    assert numbered == set(range(1, len(numbered) + 1))

    files = [Path(study.__file__).parent / file for file in study.LEVELS.values()]
    cited = {int(n) for file in files for n in re.findall(r"eq\. (\d+)", file.read_text(encoding="utf-8"))}
    assert cited == numbered

    functions = [by_hand.LSTM.cell_backward, by_hand.GRU.cell_backward, by_hand.Recurrent.run_backward]
    functions += [by_hand.RNN.loss_backward, by_hand.RNN.backward, by_hand.RNN.train_step]
    lines = [line.strip() for f in functions for line in inspect.getsource(f).splitlines()]
    gradients = [line for line in lines if re.match(r"(grads\[.*\]|d[a-zA-Z_, \[\]:0]+|param) [-+]?= ", line)]
    # no equation: room for a gradient, its parts put side by side, or another name for it
    moved = r"= (np\.(zeros|zeros_like|empty|concatenate)\(|dstate|doutput|dfeatures$|self\.)|H = |, db ="
    gradients = [line for line in gradients if "eq." in line or not re.search(moved, line)]
    assert len(gradients) == 30
    assert not [line for line in gradients if not re.search(r"# .*eq\. \d+", line)]
