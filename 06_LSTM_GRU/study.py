"""The facts about LSTM and GRU: the config, its named variants, and what the tools need to run them."""

from dataclasses import dataclass

import numpy as np

from framework import backend

NAME = "LSTM and GRU"
TIER = 2
PREREQUISITES = ("02",)
PAPER = (
    "Gers, Schmidhuber & Cummins 2000, Learning to Forget; "
    "Cho et al. 2014, Learning Phrase Representations using RNN Encoder-Decoder"
)

MODEL = "RNN"
LEVELS = {
    "by-hand": "numpy/rnn_numpy.py",
    "engine": "paper/rnn_paper.py",
    "lowlevel": "pytorch_lowlevel/rnn_lowlevel.py",
    "paper": "paper/rnn_paper.py",
}


@dataclass(frozen=True)
class RNNConfig:
    """A recurrent network: what it reads, the cell, what of its states is read out, and the loss."""

    vocab_size: int = 0  # V: x holds tokens, which are embedded; 0: x holds numbers
    input_size: int = 1  # I: the length of a token's embedding, or how many numbers a step has
    hidden_size: int = 32  # H
    output_size: int = 1  # K: classes, or numbers
    cell: str = "lstm"  # Gers et al. 2000; or "gru", Cho et al. 2014
    reset_after: bool = (
        True  # gru: r scales what the product gave, as in PyTorch; False: what goes into it, as in the paper
    )
    num_layers: int = 1  # L
    bidirectional: bool = False  # D = 2 directions instead of 1
    readout: str = "steps"  # an output for every step; or one for the sequence, from the "last" state or the "mean"
    loss: str = "mse"  # of numbers; or "cross_entropy" of classes
    fused: bool = False  # level 3: nn.LSTM or nn.GRU, the same function and quicker, in place of the cell written out

    def __post_init__(self):
        valid = dict(
            cell=("lstm", "gru"), readout=("steps", "last", "mean"), loss=("mse", "cross_entropy")
        )  # fmt: skip
        for name, values in valid.items():
            if getattr(self, name) not in values:
                raise ValueError(f"RNNConfig: {name} is {' or '.join(values)}, got {getattr(self, name)!r}")
        for name in ("vocab_size", "input_size", "hidden_size", "output_size", "num_layers"):
            size, least = getattr(self, name), 0 if name == "vocab_size" else 1
            if not isinstance(size, int) or isinstance(size, bool) or size < least:
                raise ValueError(f"RNNConfig: {name} is an int of at least {least}, got {size!r}")
        if self.fused and not self.reset_after:
            raise ValueError("RNNConfig: fused is nn.GRU, which applies r after the product: it needs reset_after=True")

    @property
    def directions(self):
        """D"""
        return 2 if self.bidirectional else 1

    @property
    def gates(self):
        """G: how many times H the weights of a layer have rows."""
        return 4 if self.cell == "lstm" else 3

    @property
    def states(self):
        """S: h and c, or h alone."""
        return 2 if self.cell == "lstm" else 1

    @property
    def shapes(self):
        """The shape of each parameter, in order; named as in nn.Embedding, nn.LSTM or nn.GRU, and nn.Linear."""
        H, D, rows = self.hidden_size, self.directions, self.gates * self.hidden_size
        shapes = {"embedding.weight": (self.vocab_size, self.input_size)} if self.vocab_size else {}
        for layer in range(self.num_layers):
            inputs = self.input_size if layer == 0 else D * H
            for suffix in self.suffixes(layer):
                shapes |= {f"rnn.weight_ih_{suffix}": (rows, inputs), f"rnn.weight_hh_{suffix}": (rows, H)}
                shapes |= {f"rnn.bias_ih_{suffix}": (rows,), f"rnn.bias_hh_{suffix}": (rows,)}
        return shapes | {"fc.weight": (self.output_size, D * H), "fc.bias": (self.output_size,)}

    def state_shape(self, B):
        """(S, L D, B, H): h and c of every layer and direction."""
        return self.states, self.num_layers * self.directions, B, self.hidden_size

    def suffixes(self, layer):
        """What the names of a layer's weights end in, one for each direction: l0, l0_reverse."""
        return [f"l{layer}", f"l{layer}_reverse"][: self.directions]

    def check_input(self, x, lengths, state):
        """Refuse an x, lengths or state that do not fit together: (B, T) or (B, T, I), (B,) and (S, L D, B, H)."""
        shape, dtype = tuple(x.shape), dtype_name(x)
        if self.vocab_size:
            if len(shape) != 2:
                raise ValueError(f"RNN.forward: expected tokens (B, T), got {shape}")
            if dtype != "int64":
                raise TypeError(f"RNN.forward: expected tokens of int64, got {dtype}")
        else:
            if len(shape) != 3 or shape[2] != self.input_size:
                raise ValueError(f"RNN.forward: expected (B, T, {self.input_size}), got {shape}")
            if "float" not in dtype:
                raise TypeError(f"RNN.forward: expected floating-point x, got {dtype}")
        if 0 in shape:
            raise ValueError(f"RNN.forward: expected at least one sequence of at least one step, got {shape}")
        B, T = shape[:2]
        if lengths is not None:
            if tuple(lengths.shape) != (B,) or dtype_name(lengths) != "int64":
                raise ValueError(
                    f"RNN.forward: expected lengths ({B},) of int64, got {tuple(lengths.shape)} of {dtype_name(lengths)}"
                )
            if int(lengths.min()) < 1 or int(lengths.max()) > T:
                raise ValueError(
                    f"RNN.forward: expected lengths in 1..{T}, got {int(lengths.min())}..{int(lengths.max())}"
                )
        if state is not None:
            if tuple(state.shape) != self.state_shape(B):
                raise ValueError(f"RNN.forward: expected state {self.state_shape(B)}, got {tuple(state.shape)}")
        if self.vocab_size and (int(x.min()) < 0 or int(x.max()) >= self.vocab_size):
            raise ValueError(
                f"RNN.forward: expected tokens in 0..{self.vocab_size - 1}, got {int(x.min())}..{int(x.max())}"
            )

    def check_targets(self, targets, x):
        """Refuse targets that are not B (or B, T) class indices, or with "mse" as many numbers with K to each."""
        expected = tuple(x.shape[: 2 if self.readout == "steps" else 1])
        shape, dtype = tuple(targets.shape), dtype_name(targets)
        if self.loss == "mse":
            expected += (self.output_size,)
            if shape != expected:
                raise ValueError(f"RNN.loss: expected targets {expected}, got {shape}")
            if dtype != dtype_name(x):
                raise TypeError(f"RNN.loss: expected targets of {dtype_name(x)}, as x, got {dtype}")
            return
        if shape != expected:
            raise ValueError(f"RNN.loss: expected targets {expected}, class indices, got {shape}")
        if dtype != "int64":
            raise TypeError(f"RNN.loss: expected targets of int64, got {dtype}")
        lowest, highest = int(targets.min()), int(targets.max())
        if lowest < 0 or highest >= self.output_size:
            raise ValueError(f"RNN.loss: expected targets in 0..{self.output_size - 1}, got {lowest}..{highest}")


def dtype_name(array):
    return str(array.dtype).removeprefix("torch.")


# ------------------------------------------------------------------------------------------- What the tools need

CLASSIFIER = dict(vocab_size=30, input_size=6, hidden_size=7, output_size=3, readout="last", loss="cross_entropy")
CHARACTERS = dict(vocab_size=30, input_size=6, hidden_size=7, output_size=30, readout="steps", loss="cross_entropy")

# What `dlfs compare 06` runs, each in float64 at every level, on sequences of different lengths and from a state that is
# not zero, as it is carried from one window of a text to the next.
VARIANTS = {
    "lstm": RNNConfig(input_size=3, hidden_size=8, output_size=2),
    "gru": RNNConfig(input_size=3, hidden_size=8, output_size=2, cell="gru"),
    "gru-original": RNNConfig(input_size=3, hidden_size=8, output_size=2, cell="gru", reset_after=False),
    "lstm-classifier": RNNConfig(**CLASSIFIER),
    "lstm-bidirectional-2": RNNConfig(**CLASSIFIER, bidirectional=True, num_layers=2),
    "gru-bidirectional-2": RNNConfig(**CLASSIFIER, cell="gru", bidirectional=True, num_layers=2),
    "lstm-mean": RNNConfig(**CLASSIFIER | {"readout": "mean"}, bidirectional=True),
    "lstm-characters": RNNConfig(**CHARACTERS),
    "gru-characters": RNNConfig(**CHARACTERS, cell="gru", num_layers=2),
    "lstm-fused": RNNConfig(**CLASSIFIER, bidirectional=True, num_layers=2, fused=True),
    "gru-fused": RNNConfig(**CHARACTERS, cell="gru", num_layers=2, fused=True),
}

ZERO_GRADIENTS = ()  # no parameter here has a gradient that is zero by mathematics
TWIN = "torch_rnn"  # torch.nn.LSTM and torch.nn.GRU, which know no gru-original


def example_batch(config, rng):
    """One batch for `compare`: the inputs of forward, and what loss takes besides. No two sequences are equally long."""
    B, T = 5, 6
    lengths = rng.permutation(np.arange(2, T + 1))  # (B,)
    state = 0.5 * rng.standard_normal(config.state_shape(B))  # (S, L D, B, H)
    if config.vocab_size:
        x = rng.integers(0, config.vocab_size, (B, T))  # (B, T)
    else:
        x = rng.standard_normal((B, T, config.input_size))  # (B, T, I)
    shape = (B, T) if config.readout == "steps" else (B,)
    if config.loss == "mse":
        targets = rng.standard_normal((*shape, config.output_size))  # (B, T, K) or (B, K)
    else:
        targets = rng.integers(0, config.output_size, shape)  # (B, T) or (B,)
    return (x, lengths, state), (targets,)


def rmse(outputs, targets):
    """The root of the mean squared error, in the units of the data."""
    return float(np.sqrt(((outputs[0] - targets) ** 2).mean()))


def drop_words(x):
    """Three in ten tokens (B, T) become 1, <unk>: a verdict that hangs on the names of one film does not survive that."""
    return np.where((backend.random().random(x.shape) < 0.3) & (x != 0), 1, x)


# What `dlfs train 06 --data …` does; the first is generated and needs no download. The character model is trained with its
# state carried from window to window, which is a loop of its own: `python -m 06_LSTM_GRU.characters`.
RECIPES = {
    "sine": dict(
        config=RNNConfig(hidden_size=32), epochs=40, batch_size=50, lr=1e-2, optimizer="adam", schedule="cosine",
        metrics={"rmse": rmse},
    ),
    "imdb": dict(
        config=RNNConfig(
            vocab_size=10_000, input_size=32, hidden_size=32, output_size=2, readout="mean", loss="cross_entropy"
        ),
        epochs=2, batch_size=100, lr=3e-3, optimizer="adamw", optimizer_options=dict(weight_decay=0.1),
        schedule="cosine", augment=drop_words,
    ),
}  # fmt: skip


def training_batch(config, x, y, rng):
    """One batch for `train`: every sequence from a state of zeros. Token 0 pads; no column of padding alone is kept."""
    state = np.zeros(config.state_shape(len(x)), dtype=np.float32)
    lengths = np.maximum((x != 0).sum(axis=1), 1) if config.vocab_size else np.full(len(x), x.shape[1])
    return (x[:, : lengths.max()], lengths, state), (y,)
