"""Rows of RNN, LSTM and GRU: layers, directions, with and without biases, batch first, and packed sequences of unequal lengths."""

import itertools

import numpy as np

from tests.engine.table import fails, given, integer, real, row

ROWS, FAILS = [], []
GATES = {"rnn_tanh": 1, "rnn_relu": 1, "lstm": 4, "gru": 3}
I, H, N, T_STEPS = 3, 2, 3, 4
LENGTHS = [3, 3, 2, 1]  # batch_sizes: sequences of 4, 3 and 2 steps


def parameters(name, layers, directions, biases):
    """w_ih, w_hh(, b_ih, b_hh) of every layer and direction."""
    rows, result = GATES[name] * H, []
    for layer in range(layers):
        features = I if layer == 0 else H * directions
        result += ([real(rows, features), real(rows, H)] + [real(rows), real(rows)] * biases) * directions
    return result


def call(name, layers, bidirectional, biases, batch_first=False, sizes=None):
    count = 2 if name == "lstm" else 1

    def function(T, x, *rest):
        states, weights = rest[:count], list(rest[count:])
        states = tuple(states) if count == 2 else states[0]
        steps = () if sizes is None else (T.from_numpy(np.array(sizes)),)
        last = (batch_first,) if sizes is None else ()
        return getattr(T, name)(x, *steps, states, weights, biases, layers, 0.0, True, bidirectional, *last)

    return function


for name, layers, bidirectional, biases, packed in itertools.product(
    GATES, (1, 2), (False, True), (True, False), (False, True)
):
    directions = 2 if bidirectional else 1
    states = [real(layers * directions, N, H)] * (2 if name == "lstm" else 1)
    batch_first = bidirectional and not packed
    shape = (sum(LENGTHS), I) if packed else (N, T_STEPS, I) if batch_first else (T_STEPS, N, I)
    what = f"layers {layers}{' both ways' * bidirectional}{' biases' * biases}{' packed' * packed}{' batch first' * batch_first}"
    ROWS.append(
        row(
            f"{name} {what}",
            call(name, layers, bidirectional, biases, batch_first, LENGTHS if packed else None),
            *[real(*shape), *states, *parameters(name, layers, directions, biases)],
            numerical=False,
        )
    )

for name in GATES:
    states = [real(1, 2, H)] * (2 if name == "lstm" else 1)
    ROWS += [
        row(f"{name} in numbers", call(name, 1, False, True), real(2, 2, I), *states, *parameters(name, 1, 1, True)),
        row(
            f"{name} one step",
            call(name, 1, True, True),
            real(1, 2, I),
            *[real(2, 2, H)] * len(states),
            *parameters(name, 1, 2, True),
            numerical=False,
        ),
        row(
            f"{name} of integers as lengths",
            call(name, 1, False, True, sizes=[2, 2]),
            real(4, I),
            *states,
            *parameters(name, 1, 1, True),
            numerical=False,
        ),
    ]


def cell(name):
    def function(T, x, *rest):
        count = 2 if name == "lstm_cell" else 1
        states = tuple(rest[:2]) if count == 2 else rest[0]
        return getattr(T, name)(x, states, *rest[count:])

    return function


for name in GATES:
    count = 2 if name == "lstm" else 1
    ROWS += [
        row(f"{name}_cell", cell(f"{name}_cell"), real(2, I), *[real(2, H)] * count, *parameters(name, 1, 1, True)),
        row(
            f"{name}_cell without biases",
            cell(f"{name}_cell"),
            real(2, I),
            *[real(2, H)] * count,
            *parameters(name, 1, 1, False),
            numerical=False,
        ),
    ]

ONE = [real(1, 2, H), *parameters("gru", 1, 1, True)]
FAILS += [
    fails(
        "gru dimensions", call("gru", 1, False, True), real(4, I), *ONE, match="three dimensions", raises=RuntimeError
    ),
    fails(
        "gru features",
        call("gru", 1, False, True),
        real(4, 2, I + 1),
        *ONE,
        match=r"weight_ih \(6, 3\) must be \(6, 4\)",
    ),
    fails("gru state", call("gru", 1, False, True), real(4, 3, I), *ONE, match=r"expected \(1, 3, 2\)"),
    fails(
        "gru weights", call("gru", 2, False, True), real(4, 2, I), *ONE, match="needs? 8, got 4", raises=RuntimeError
    ),
    fails(
        "gru dtypes",
        call("gru", 1, False, True),
        integer(4, 2, I),
        *ONE,
        match="int64 and float32 differ",
        raises=RuntimeError,
    ),
    fails(
        "gru lengths",
        call("gru", 1, False, True, sizes=[1, 2]),
        real(3, I),
        *ONE,
        match="must fall",
        raises=RuntimeError,
    ),
    fails("gru steps", call("gru", 1, False, True), given(np.zeros((0, 2, I))), *ONE, match="no steps"),
]
