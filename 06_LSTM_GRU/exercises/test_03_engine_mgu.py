import numpy as np
import pytest
import torch as twin

import framework
from dlfs.grading import expect


@pytest.fixture
def layer(exercise):
    framework.manual_seed(0)
    return exercise.MGU(3, 5).double()


@pytest.fixture
def batch():
    return np.random.default_rng(0).standard_normal((4, 6, 3)), np.array([6, 2, 4, 1])


def step(layer, x, h):
    """The equations, in PyTorch."""
    state = {name: twin.tensor(p.numpy(force=True)) for name, p in layer.named_parameters()}
    f = twin.sigmoid(twin.cat([x, h], 1) @ state["gate.weight"].T + state["gate.bias"])
    n = twin.tanh(twin.cat([x, f * h], 1) @ state["candidate.weight"].T + state["candidate.bias"])
    return (1 - f) * h + f * n


def test_parameters(layer):
    got = {name: tuple(p.shape) for name, p in layer.named_parameters()}
    expected = {"gate.weight": (5, 8), "gate.bias": (5,), "candidate.weight": (5, 8), "candidate.bias": (5,)}
    assert got == expected, f"MGU(3, 5) has the parameters {got}; expected {expected}: two nn.Linear, of I + H inputs"


def test_cell(layer, batch):
    x, h = batch[0][:, 0], np.random.default_rng(1).standard_normal((4, 5))
    got = layer.cell(framework.tensor(x), framework.tensor(h))
    usually = "x comes before the state; the candidate sees f ⊙ h; and f = 1 takes the NEW state"
    expect(got, step(layer, twin.tensor(x), twin.tensor(h)), "cell(x (4, 3), h (4, 5))", usually)


def test_all_states_of_the_longest(layer, batch):
    x, lengths = batch
    states, _ = layer(framework.tensor(x), framework.tensor(lengths))
    h = twin.zeros(4, 5, dtype=twin.float64)
    expected = []
    for t in range(6):
        h = step(layer, twin.tensor(x[:, t]), h)
        expected.append(h[0])
    expect(
        states[0],
        twin.stack(expected),
        "forward(x (4, 6, 3), lengths [6 2 4 1])[0][0], a sequence without padding",
        "from a state of zeros; x[:, t] is step t",
    )


def test_the_last_state_is_that_of_each_sequences_end(layer, batch):
    x, lengths = batch
    states, last = layer(framework.tensor(x), framework.tensor(lengths))
    expected = np.stack([states.numpy(force=True)[b, length - 1] for b, length in enumerate(lengths)])
    expect(last, expected, "forward(x (4, 6, 3), lengths [6 2 4 1])[1]", "a state was carried past its sequence's end")


def test_padding_changes_nothing(layer, batch):
    x, lengths = batch
    other = x.copy()
    for b, length in enumerate(lengths):
        other[b, length:] = 1e3
    (states, last), (_, last_other) = (layer(framework.tensor(a), framework.tensor(lengths)) for a in (x, other))
    expect(
        last_other,
        last,
        "the last states, after the padding was filled with 1000",
        "what lies behind a sequence's end must not be looked at",
    )
    expect(
        states[3],
        np.repeat(last.numpy(force=True)[3:], 6, axis=0),
        "all states of a sequence of length 1",
        "behind its end a sequence's state stays as it is",
    )


def test_it_can_be_trained(exercise):
    framework.manual_seed(0)
    layer = exercise.MGU(1, 8)
    readout = framework.nn.Linear(8, 1)
    optimizer = framework.optim.Adam([*layer.parameters(), *readout.parameters()], lr=0.02)
    bits = np.random.default_rng(0).integers(0, 2, (64, 5, 1)).astype(np.float32)
    x, lengths = framework.tensor(bits), framework.tensor(np.random.default_rng(1).integers(1, 6, 64))
    first = framework.tensor(bits[:, 0])  # to be remembered to the end
    for _ in range(100):
        optimizer.zero_grad()
        loss = ((readout(layer(x, lengths)[1]) - first) ** 2).mean()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05, (
        f"to remember the first bit: squared error {loss.item():.3f} after 100 steps, below 0.05 is expected; do gradients reach every step?"
    )
