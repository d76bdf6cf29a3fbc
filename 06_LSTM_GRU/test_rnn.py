"""LSTM and GRU at every level: agreement, padding, carried state, initialisation, errors; and the mutants that these must catch."""

import dataclasses
import json
import math
from functools import partial

import numpy as np
import pytest
import torch

from dlfs.compare import compare_study
from dlfs.levels import build_level, level_names
from dlfs.studies import find_study
from tests.model_checks import MISFITS, assert_agreement, assert_misfit_is_named
from tests.mutants import Mutant, assert_caught

STUDY = find_study("06")
RNNConfig, VARIANTS, example_batch = STUDY.facts.RNNConfig, STUDY.facts.VARIANTS, STUDY.facts.example_batch
LEVELS = [name for name in level_names(STUDY) if name != "twin"]


@pytest.fixture(params=LEVELS)
def build(request):
    """build(config): the level with the weights that its own constructor draws. Arrays go in and come out at each level."""
    return partial(build_level, STUDY, request.param)


def loud_level(build, config, seed=0):
    """A level in float64 with large weights."""
    rng, level = np.random.default_rng(seed), build(config)
    level.load_state({name: 0.7 * rng.standard_normal(shape) for name, shape in config.shapes.items()})
    return level


def forward(level, *inputs):
    """The output and the state, as arrays."""
    _, outputs = level.predict(*inputs)
    return outputs


# ---------------------------------------------------------------------------- Checks, which mutants must not survive


def check_agreement(variant, build):
    """With initial and with loud weights, in float64, the level computes what L1 by hand and L3 compute."""
    assert_agreement(STUDY, build, [variant], ("by-hand", "paper"))


LSTM_AGREES, GRU_AGREES = partial(check_agreement, "lstm"), partial(check_agreement, "gru")
ORIGINAL_AGREES, DEEP_AGREES = (
    partial(check_agreement, "gru-original"),
    partial(check_agreement, "lstm-bidirectional-2"),
)


def check_padding(build):
    """In a batch a sequence gets the output, the state and the gradient that it gets alone, whatever stands in its padding."""
    for variant in ("lstm", "gru-original", "lstm-bidirectional-2", "lstm-mean", "gru-characters"):
        config = VARIANTS[variant]
        level = loud_level(build, config)
        (x, lengths, state), (targets,) = example_batch(config, np.random.default_rng(0))
        output, final = forward(level, (x, lengths, state), (targets,))
        for i, n in enumerate(lengths):
            alone = (
                (x[[i], :n], lengths[[i]], state[:, :, [i]]),
                (targets[[i], :n] if targets.ndim > 1 else targets[[i]],),
            )
            output_alone, final_alone = forward(level, *alone)
            where = f"{variant}, sequence {i} of {n} steps"
            steps = slice(0, n) if config.readout == "steps" else slice(None)
            np.testing.assert_allclose(output[i, steps], output_alone[0], rtol=1e-9, atol=1e-12, err_msg=where)
            np.testing.assert_allclose(final[:, :, i], final_alone[:, :, 0], rtol=1e-9, atol=1e-12, err_msg=where)
        present = np.arange(x.shape[1]) < lengths[:, None]  # (B, T)
        other = np.where(present if x.ndim == 2 else present[..., None], x, np.array(17, dtype=x.dtype))
        first, second = (level.evaluate((each, lengths, state), (targets,)) for each in (x, other))
        assert first.loss == second.loss, f"{variant}: the loss depends on the padding"
        for name, gradient in first.gradients.items():
            np.testing.assert_array_equal(gradient, second.gradients[name], err_msg=f"{variant}, {name}")


def check_carried_state(build):
    """Two windows, the state carried from the first to the second, give what the whole sequence gives; and the way back from the
    second window ends where it began: what it does not see is how the state came about."""
    for variant in ("lstm-characters", "gru-characters"):
        config = VARIANTS[variant]
        level = loud_level(build, config)
        (x, _, state), (targets,) = example_batch(config, np.random.default_rng(0))
        full = np.full(len(x), 6)
        output, final = forward(level, (x, full, state), (targets,))
        first, carried = forward(level, (x[:, :4], full - 2, state), (targets[:, :4],))
        second, final_ = forward(level, (x[:, 4:], full - 4, carried), (targets[:, 4:],))
        np.testing.assert_allclose(np.concatenate((first, second), axis=1), output, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(final_, final, rtol=1e-9, atol=1e-12)

        window = (x[:, 4:], full - 4, carried), (targets[:, 4:],)
        expected = level.evaluate(*window).gradients
        take = level.tensor if hasattr(level, "tensor") else np.array
        _, live = level.model.forward(take(x[:, :4]), take(full - 2), take(state))  # on tensors: it remembers its past
        for param in level.parameters().values() if hasattr(level, "parameters") else ():
            param.grad = None
        loss = level.model.loss(take(x[:, 4:]), take(full - 4), live, take(targets[:, 4:]))
        if hasattr(level, "parameters"):
            loss.backward()
            found = {name: np.array(p.grad.numpy()) for name, p in level.parameters().items()}
        else:
            level.model.loss_backward()
            found = level.model.grads
        for name, gradient in expected.items():
            np.testing.assert_allclose(found[name], gradient, rtol=1e-9, atol=1e-12, err_msg=f"{variant}, {name}")


def check_initialisation(build):
    """Weights within 1/√H (1/√(D H) for fc); biases 0, but 1 at the LSTM's forget gate, once; all float32."""
    H = 64
    for cell in ("lstm", "gru"):
        for bidirectional in (False, True):
            config = RNNConfig(
                50, 40, H, 30, cell=cell, num_layers=2, bidirectional=bidirectional, loss="cross_entropy"
            )
            for name, p in build(config).state().items():
                assert p.dtype == np.float32, name
                if name.startswith("rnn.bias_ih") and cell == "lstm":
                    assert (p[H : 2 * H] == 1).all() and p.sum() == H, name
                elif "bias" in name:
                    assert not p.any(), name
                elif name == "embedding.weight":
                    assert abs(p.std() / 0.1 - 1) < 0.1, name
                else:
                    bound = 1 / math.sqrt(p.shape[1] if name.startswith("fc") else H)
                    assert 0.97 * bound < np.abs(p).max() <= bound * (1 + 1e-6), name
                    assert abs(p.std() / (bound / math.sqrt(3)) - 1) < 0.05, name


def check_clipping(build):
    """With max_norm a step goes the same way and lr * max_norm far; where the gradient is shorter it changes nothing."""
    config = VARIANTS["lstm-classifier"]
    inputs, targets = example_batch(config, np.random.default_rng(0))
    moves = []
    for max_norm in (None, 1e6, 0.01):
        level = loud_level(build, config)
        before = level.state()
        arrays = (*inputs, *targets)
        tensors = [level.tensor(a) for a in arrays] if hasattr(level, "tensor") else arrays
        level.model.train_step(*tensors, lr=0.5, max_norm=max_norm)
        moves.append(np.concatenate([(before[name] - p).ravel() for name, p in level.state().items()]))
    free, loose, tight = moves
    np.testing.assert_array_equal(free, loose)
    assert np.linalg.norm(free) > 0.01
    np.testing.assert_allclose(np.linalg.norm(tight), 0.5 * 0.01, rtol=1e-6)
    np.testing.assert_allclose(tight / np.linalg.norm(tight), free / np.linalg.norm(free), rtol=1e-5, atol=1e-9)


# ----------------------------------------------------------------------------------------------------- Every level


@pytest.mark.parametrize("variant", VARIANTS)
def test_all_levels_agree(variant):
    for comparison in compare_study(STUDY, variant):
        assert comparison.ok, f"{comparison.weights} weights: {comparison.worst}, noisy: {comparison.noisy}"
        assert ("twin" in comparison.titles) == (variant != "gru-original")


def test_padding_is_never_read(build):
    check_padding(build)


def test_padding_is_never_read_by_the_fused_layer():
    for level in ("engine", "paper"):
        check_padding(lambda config, level=level: build_level(STUDY, level, fused(config)))


def fused(config):
    return dataclasses.replace(config, fused=config.reset_after)


def test_the_state_is_carried_and_the_way_back_is_cut(build):
    check_carried_state(build)


def test_statistics_at_initialisation(build):
    check_initialisation(build)


@pytest.mark.parametrize("level", ["by-hand", "engine-lowlevel", "lowlevel"])
def test_clipping(level):
    check_clipping(partial(build_level, STUDY, level))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_parameter_counts_names_and_shapes_are_pytorchs(build, cell, bidirectional):
    config = RNNConfig(50, 6, 7, 3, cell=cell, num_layers=2, bidirectional=bidirectional)
    reference = torch.nn.ModuleDict(
        dict(
            embedding=torch.nn.Embedding(50, 6),
            rnn=getattr(torch.nn, cell.upper())(6, 7, 2, bidirectional=bidirectional),
            fc=torch.nn.Linear(14 if bidirectional else 7, 3),
        )
    )
    level = build(config)
    expected = {name: tuple(p.shape) for name, p in reference.named_parameters()}
    assert {name: p.shape for name, p in level.state().items()} == expected
    assert level.parameter_names() == list(expected)
    D, G = config.directions, config.gates
    count = 50 * 6 + D * (G * 7 * (6 + 7) + 2 * G * 7) + D * (G * 7 * (D * 7 + 7) + 2 * G * 7) + (D * 7 + 1) * 3
    assert sum(p.size for p in level.state().values()) == count


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_it_learns_to_remember_the_first_token(build, cell):
    """Six tokens, of which only the first counts: what a network without memory gets right one time in four."""
    config = RNNConfig(8, 8, 12, 4, cell=cell, readout="last", loss="cross_entropy")
    level, rng = build(config), np.random.default_rng(0)
    level.load_state(seeded(config))
    level.use_optimizer("adam", 0.03, {})
    for _ in range(150):
        inputs, targets = first_token(rng, config)
        level.step(inputs, targets)
    inputs, targets = first_token(rng, config)
    _, (logits, _) = level.predict(inputs, targets)
    assert (logits.argmax(axis=1) == targets[0]).mean() > 0.95


def seeded(config):
    return STUDY.module("numpy/rnn_numpy.py").RNN(config, np.random.default_rng(0)).state_dict()


def first_token(rng, config, B=32, T=6):
    x = rng.integers(4, 8, (B, T))
    x[:, 0] = rng.integers(0, 4, B)
    state = np.zeros(config.state_shape(B), dtype=np.float32)
    return (x, np.full(B, T), state), (x[:, 0].copy(),)


def test_lengths_and_state_may_be_left_out(build):
    config = VARIANTS["lstm"]
    level = loud_level(build, config)
    (x, _, state), (targets,) = example_batch(config, np.random.default_rng(0))
    expected = forward(level, (x, np.full(5, 6), np.zeros_like(state)), (targets,))
    take = level.tensor if hasattr(level, "tensor") else np.array
    for found, wanted in zip(level.model.forward(take(x)), expected):
        found = found.detach().numpy() if hasattr(found, "detach") else found
        np.testing.assert_array_equal(found, wanted)


# ---------------------------------------------------------------------------------------------------------- Errors


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (dict(x=np.zeros((5, 6, 4))), ValueError, r"expected \(B, T, 3\), got \(5, 6, 4\)"),
        (dict(x=np.zeros((5, 6))), ValueError, r"expected \(B, T, 3\), got \(5, 6\)"),
        (dict(x=np.zeros((5, 6, 3), dtype=np.int64)), TypeError, r"expected floating-point x, got int64"),
        (dict(x=np.zeros((5, 0, 3))), ValueError, r"at least one sequence of at least one step, got \(5, 0, 3\)"),
        (dict(lengths=np.array([6, 6, 6, 6])), ValueError, r"expected lengths \(5,\) of int64, got \(4,\) of int64"),
        (dict(lengths=np.array([6, 6, 6, 6, 7])), ValueError, r"expected lengths in 1\.\.6, got 6\.\.7"),
        (dict(lengths=np.array([6, 0, 6, 6, 6])), ValueError, r"expected lengths in 1\.\.6, got 0\.\.6"),
        (dict(state=np.zeros((1, 1, 5, 8))), ValueError, r"expected state \(2, 1, 5, 8\), got \(1, 1, 5, 8\)"),
    ],
    ids=["features", "tokens", "integers", "empty", "too-few-lengths", "too-long", "no-step", "state-of-a-gru"],
)
def test_wrong_inputs(build, change, error, message):
    given = dict(zip(("x", "lengths", "state"), example_batch(VARIANTS["lstm"], np.random.default_rng(0))[0])) | change
    with pytest.raises(error, match=r"RNN\.forward: .*" + message):
        loud_level(build, VARIANTS["lstm"]).predict(tuple(given.values()), (np.zeros((5, 6, 2)),))


def test_a_token_outside_the_vocabulary(build):
    config = VARIANTS["lstm-classifier"]
    (x, lengths, state), targets = example_batch(config, np.random.default_rng(0))
    x[1, 1] = 30
    with pytest.raises(ValueError, match=r"RNN\.forward: expected tokens in 0\.\.29, got \d+\.\.30"):
        loud_level(build, config).predict((x, lengths, state), targets)


@pytest.mark.parametrize(
    ("variant", "targets", "error", "message"),
    [
        ("lstm", np.zeros((5, 6)), ValueError, r"expected targets \(5, 6, 2\), got \(5, 6\)"),
        ("lstm", np.zeros((5, 6, 2), dtype=np.int64), TypeError, r"expected targets of float64, as x, got int64"),
        ("lstm-characters", np.zeros(5, dtype=np.int64), ValueError, r"expected targets \(5, 6\), class indices, got \(5,\)"),
        ("lstm-classifier", np.zeros(5), TypeError, r"expected targets of int64, got float64"),
        ("lstm-classifier", np.array([0, 1, 2, 3, 0]), ValueError, r"expected targets in 0\.\.2, got 0\.\.3"),
    ],
    ids=["shape", "integers", "one-a-sequence", "floats", "above"],
)  # fmt: skip
def test_wrong_targets(build, variant, targets, error, message):
    inputs, _ = example_batch(VARIANTS[variant], np.random.default_rng(0))
    with pytest.raises(error, match=r"RNN\.loss: " + message):
        loud_level(build, VARIANTS[variant]).predict(inputs, (targets,))


@pytest.mark.parametrize("misfit", MISFITS)
def test_load_state_dict_names_what_does_not_fit(build, misfit):
    assert_misfit_is_named(build(VARIANTS["lstm"]), misfit, "rnn.weight_ih_l0", "rnn.weight_ih_l1")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(cell="rnn"), r"cell is lstm or gru, got 'rnn'"),
        (dict(readout="max"), r"readout is steps or last or mean, got 'max'"),
        (dict(hidden_size=0), r"hidden_size is an int of at least 1, got 0"),
        (dict(vocab_size=-1), r"vocab_size is an int of at least 0, got -1"),
        (dict(num_layers=True), r"num_layers is an int of at least 1, got True"),
        (dict(cell="gru", reset_after=False, fused=True), r"fused is nn\.GRU, .* needs reset_after=True"),
    ],
    ids=["cell", "readout", "size", "vocabulary", "bool", "fused"],
)
def test_a_bad_config_names_what_is_wrong_and_what_is_valid(options, message):
    with pytest.raises(ValueError, match="RNNConfig: " + message):
        RNNConfig(**options)


# ------------------------------------------------------------------------------------------- What theory.md says


def test_a_forget_bias_of_one_keeps_the_cell_longer():
    """Section 5: at the start the forget gate is near σ(1) = 0.73 instead of 0.5, and so much of c is left after each step."""
    config = RNNConfig(input_size=1, hidden_size=64)
    RNN = STUDY.module("numpy/rnn_numpy.py").RNN
    left = {}
    for bias in (0, 1):
        model = RNN(config, np.random.default_rng(0))
        model.params["rnn.bias_ih_l0"][64:128] = bias
        start = np.zeros((2, 1, 2, 64), dtype=np.float32)
        start[1, 0, 0] = 0.01  # the first sequence starts with a little in its cells
        _, state = model.forward(np.zeros((2, 10, 1), dtype=np.float32), None, start)
        left[bias] = float((state[1, 0, 0] - state[1, 0, 1]).mean() / 0.01)
    assert 0.5 < left[0] / 0.5**10 < 2
    assert 0.5 < left[1] / (1 / (1 + math.exp(-1))) ** 10 < 2


def test_the_readme_quotes_what_the_model_wrote():
    quoted = (STUDY.folder / "README.md").read_text(encoding="utf-8").split("```text\n")[1].split("\n```")[0]
    recorded = json.loads((STUDY.folder / "samples" / "shakespeare.json").read_text(encoding="utf-8"))
    assert len(quoted) > 200 and quoted in recorded["samples"]["0.5"]


# --------------------------------------------------------------------------------------------------------- Mutants

SPLIT, CHUNK = "a_i, a_f, a_g, a_o = np.split(a, 4, axis=1)", "a_i, a_f, a_g, a_o = a.chunk(4, dim=1)"
SWAPPED = "a_f, a_i, a_g, a_o ="
AFTER = "n = np.tanh(x_n + r * s)"
BEFORE = "n = np.tanh(x_n + (r * h) @ weight_hh[2 * H :].T + bias_hh[2 * H :])"
MIX, UNMIX = "h_next = (1 - z) * n + z * h", "h_next = z * n + (1 - z) * h"
FORGET = "parameter[config.hidden_size : 2 * config.hidden_size]"
TORCH_FORGET = f"nn.init.ones_({FORGET})"
PRESENT, ALL = "t < lengths[order]", "t < 0 * lengths[order] + T"
MUTANTS = [
    Mutant("i and f swapped", "by-hand", SPLIT, SPLIT.replace("a_i, a_f, a_g, a_o =", SWAPPED), LSTM_AGREES),
    Mutant("i and f swapped", "lowlevel", CHUNK, CHUNK.replace("a_i, a_f, a_g, a_o =", SWAPPED), LSTM_AGREES),
    Mutant("g and o swapped", "paper", CHUNK, CHUNK.replace("a_g, a_o =", "a_o, a_g ="), LSTM_AGREES),
    Mutant("r and z swapped", "by-hand", "r, z = np.split", "z, r = np.split", GRU_AGREES),
    Mutant("r and z swapped", "paper", "r, z = torch", "z, r = torch", GRU_AGREES),
    Mutant("z and 1 - z swapped", "by-hand", MIX, UNMIX, GRU_AGREES),
    Mutant("z and 1 - z swapped", "lowlevel", MIX, UNMIX, GRU_AGREES),
    Mutant("r before the product", "by-hand", AFTER, BEFORE, GRU_AGREES),
    Mutant("r before the product", "lowlevel", "if self.config.reset_after:", "if False:", GRU_AGREES),
    Mutant("r after the product", "paper", "if self.config.reset_after:", "if True:", ORIGINAL_AGREES),
    Mutant("weight's gradient not summed over time", "by-hand", "dweight_hh += dW", "dweight_hh = dW", LSTM_AGREES),
    Mutant("bias's gradient not summed over time", "by-hand", "dbias_hh += db", "dbias_hh = db", GRU_AGREES),
    Mutant("embedding's gradient not summed", "by-hand", 'np.add.at(grads["embedding.weight"], cache["packed"], de)',
           'grads["embedding.weight"][cache["packed"]] = de', partial(check_agreement, "lstm-characters")),
    Mutant("the cell passes everything on", "by-hand", "dc = dc_next * f", "dc = dc_next", LSTM_AGREES),
    Mutant("h as if c were a constant", "by-hand", "dc_next + dh_next * o * (1 - tanh_c * tanh_c)", "dc_next + 0 * o", LSTM_AGREES),
    Mutant("h forgets what later steps say", "by-hand", "dstate[0, :b] += dh[rows]", "dstate[0, :b] = dh[rows]", LSTM_AGREES),
    Mutant("reverse reads forwards", "by-hand", 'order[::-1] if suffix.endswith("reverse")', "order if suffix", DEEP_AGREES),
    Mutant("reverse reads forwards", "lowlevel", 'order[::-1] if suffix.endswith("reverse")', "order if suffix", DEEP_AGREES),
    Mutant("state carried past padding", "by-hand", PRESENT, ALL, check_padding),
    Mutant("state carried past padding", "lowlevel", PRESENT, ALL, check_padding),
    Mutant("state carried past padding", "paper", PRESENT, ALL, check_padding),
    Mutant("mean over padding too", "by-hand", ".sum(axis=1) / lengths[:, None].astype(h.dtype)", ".sum(axis=1) / T", check_padding),
    Mutant("mean over padding too", "paper", ".sum(dim=1) / lengths[:, None].to(h.dtype)", ".sum(dim=1) / T", check_padding),
    Mutant("state not put back in order", "by-hand", "state = state[:, :, inverse]", "state = state[:, :, :]", check_padding),
    Mutant("state not put back in order", "paper", "state = state[:, :, inverse]", "state = state[:, :, :]", check_padding),
    Mutant("state not detached", "lowlevel", "state.detach()[:, :, order]", "state[:, :, order]", check_carried_state),
    Mutant("state not detached", "paper", "state.detach()[:, :, order]", "state[:, :, order]", check_carried_state),
    Mutant("state not carried", "by-hand", "state[:, :, order], batch_sizes", "0 * state[:, :, order], batch_sizes", check_carried_state),
    Mutant("no forget bias", "by-hand", f"{FORGET} = 1", f"{FORGET} = 0", check_initialisation),
    Mutant("no forget bias", "lowlevel", f"{FORGET} = 1", f"{FORGET} = 0", check_initialisation),
    Mutant("no forget bias", "paper", TORCH_FORGET, TORCH_FORGET.replace("ones_", "zeros_"), check_initialisation),
    Mutant("forget bias at the input gate", "by-hand", FORGET, "parameter[: config.hidden_size]", check_initialisation),
    Mutant("forget bias twice", "paper", 'startswith("rnn.bias_ih")', 'startswith("rnn.bias")', check_initialisation),
    Mutant("each gradient clipped by itself", "by-hand", "g *= max_norm / norm", "g *= max_norm / math.sqrt((g * g).sum())", check_clipping),
    Mutant("values clipped, not the norm", "lowlevel", "param.grad *= max_norm / norm", "param.grad.clamp_(-max_norm, max_norm)", check_clipping),
]  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_mutant_is_caught(mutant):
    assert_caught(STUDY, mutant)
