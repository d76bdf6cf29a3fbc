"""Recurrent layers over whole sequences, and their single steps (cells). The ops are in ops/recurrent.py."""

import math
import warnings

import numpy as np

from ..ops import recurrent
from ..ops.gather import index_select
from ..tensor import Tensor
from . import init
from .module import Module
from .parameter import empty
from .utils.rnn import PackedSequence

__all__ = ["RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"]


class RNNBase(Module):
    """Layers of one kind, one or two directions each: input (T, B, I), batch_first (B, T, I), unbatched (T, I), or packed.

    Returns the last layer's states for all steps, (T, B, directions · H), and the final ones, (layers · directions, B, H).
    Parameters of layer k: weight_ih_lk (gates · H, I), weight_hh_lk (gates · H, H), bias_ih_lk, bias_hh_lk (gates · H,), and the same
    with _reverse. `dropout` acts between the layers.
    """

    gates = 1
    states = 1  # what a step hands on: h, or h and c

    def __init__(
        self, mode, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False,
        proj_size=0, device=None, dtype=None,
    ):  # fmt: skip
        super().__init__()
        name = self._get_name()
        if proj_size:
            raise NotImplementedError(f"{name}: proj_size={proj_size} is not supported; put a Linear after the layer")
        if hidden_size <= 0 or num_layers <= 0:
            raise ValueError(f"{name}: hidden_size={hidden_size} and num_layers={num_layers} must be above 0")
        if isinstance(dropout, bool) or not isinstance(dropout, (int, float)) or not 0 <= dropout <= 1:
            raise ValueError(f"{name}: dropout is a probability, between 0 and 1, not {dropout!r}")
        if dropout and num_layers == 1:
            warnings.warn(f"{name}: dropout={dropout} acts between layers, and there is one layer only", stacklevel=3)
        self.mode, self.input_size, self.hidden_size, self.num_layers = mode, input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout, self.bidirectional = bias, batch_first, float(dropout), bidirectional
        self.proj_size = 0
        width = self.gates * hidden_size
        self._all_names = []
        for layer in range(num_layers):
            for suffix in ("", "_reverse")[: self._directions]:
                columns = input_size if layer == 0 else hidden_size * self._directions
                sizes = {"weight_ih": (width, columns), "weight_hh": (width, hidden_size)}
                if bias:
                    sizes.update(bias_ih=width, bias_hh=width)
                for kind, size in sizes.items():
                    setattr(self, f"{kind}_l{layer}{suffix}", empty(size, device, dtype))
                self._all_names.append([f"{kind}_l{layer}{suffix}" for kind in sizes])
        self.reset_parameters()

    @property
    def _directions(self):
        return 2 if self.bidirectional else 1

    @property
    def all_weights(self):
        """The parameters, a list for each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_names]

    def reset_parameters(self):
        """U(−1/√H, 1/√H) for all."""
        bound = 1 / math.sqrt(self.hidden_size)
        for param in self.parameters():
            init.uniform_(param, -bound, bound)

    def flatten_parameters(self):
        """Nothing to do: the engine needs no common memory for the parameters."""

    def _op(self):
        return getattr(recurrent, self.mode.lower())

    def forward(self, input, hx=None):
        packed = isinstance(input, PackedSequence)
        data, batch_sizes, order, undo = input if packed else (input, None, None, None)
        name = self._get_name()
        if not packed and data.ndim not in (2, 3):
            raise ValueError(f"{name}: expected (T, B, I) or (T, I), got shape {tuple(data.shape)}")
        if data.shape[-1] != self.input_size:
            raise RuntimeError(f"{name}: input has {data.shape[-1]} features, input_size is {self.input_size}")
        unbatched = not packed and data.ndim == 2
        batch_dim = 0 if self.batch_first else 1
        if unbatched:
            data = data.unsqueeze(batch_dim)
        batch = int(batch_sizes[0]) if packed else data.shape[batch_dim]
        hx = self._initial(hx, data, batch, unbatched, order)
        weights = [weight for layer in self.all_weights for weight in layer]
        settings = (weights, self.bias, self.num_layers, self.dropout, self.training, self.bidirectional)
        state = hx if self.states == 2 else hx[0]
        if packed:
            output, *final = self._op()(data, batch_sizes, state, *settings)
            output = PackedSequence(output, batch_sizes, order, undo)
        else:
            output, *final = self._op()(data, state, *settings, self.batch_first)
        if unbatched:
            output, final = output.squeeze(batch_dim), [s.squeeze(1) for s in final]
        final = [s if undo is None else index_select(s, 1, undo) for s in final]
        return output, (tuple(final) if self.states == 2 else final[0])

    def _initial(self, hx, data, batch, unbatched, order):
        """The initial states (layers · directions, B, H), in the batch's order; zeros unless given."""
        shape = (self.num_layers * self._directions, batch, self.hidden_size)
        if hx is None:
            return tuple(Tensor(np.zeros(shape, data.dtype, like=data.array)) for _ in range(self.states))
        hx = tuple(hx) if self.states == 2 else (hx,)
        if len(hx) != self.states:
            raise RuntimeError(f"{self._get_name()}: hx is (h_0, c_0), got {len(hx)} tensors")
        if unbatched:
            hx = tuple(s.unsqueeze(1) if s.ndim == 2 else s for s in hx)
        for s in hx:
            if tuple(s.shape) != shape:
                raise RuntimeError(
                    f"{self._get_name()}: expected an initial state of shape {shape}, got {tuple(s.shape)}"
                )
        return hx if order is None else tuple(index_select(s, 1, order) for s in hx)

    def extra_repr(self):
        parts = [f"{self.input_size}, {self.hidden_size}"]
        defaults = dict(num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False)
        parts += [
            f"{name}={getattr(self, name)}" for name, default in defaults.items() if getattr(self, name) != default
        ]
        return ", ".join(parts)


class RNN(RNNBase):
    """h_t = tanh(W_ih x_t + b_ih + W_hh h_{t−1} + b_hh), or relu (Elman 1990)."""

    __doc__ += "\n\n    " + RNNBase.__doc__

    def __init__(self, input_size, hidden_size, num_layers=1, nonlinearity="tanh", *args, **kwargs):
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f'RNN: nonlinearity is "tanh" or "relu", not {nonlinearity!r}')
        super().__init__(f"RNN_{nonlinearity.upper()}", input_size, hidden_size, num_layers, *args, **kwargs)
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """c_t = f c_{t−1} + i g, h_t = o tanh(c_t), the gates i, f, g, o in this order (Hochreiter & Schmidhuber 1997; Gers et al. 2000)."""

    __doc__ += "\n\n    " + RNNBase.__doc__
    gates, states = 4, 2

    def __init__(self, *args, **kwargs):
        super().__init__("LSTM", *args, **kwargs)


class GRU(RNNBase):
    """h_t = (1 − z) n + z h_{t−1} with n = tanh(W_in x + b_in + r (W_hn h + b_hn)), the gates r, z, n in this order (Cho et al. 2014)."""

    __doc__ += "\n\n    " + RNNBase.__doc__
    gates = 3

    def __init__(self, *args, **kwargs):
        super().__init__("GRU", *args, **kwargs)


class RNNCellBase(Module):
    """One step: input (B, I) or (I,), and a state (B, H) or (H,). Parameters weight_ih, weight_hh, bias_ih, bias_hh."""

    gates = 1

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        width = self.gates * hidden_size
        self.weight_ih = empty((width, input_size), device, dtype)
        self.weight_hh = empty((width, hidden_size), device, dtype)
        self.register_parameter("bias_ih", empty(width, device, dtype) if bias else None)
        self.register_parameter("bias_hh", empty(width, device, dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self):
        """U(−1/√H, 1/√H) for all."""
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for param in self.parameters():
            init.uniform_(param, -bound, bound)

    def _step(self, op, input, states):
        """op(input, states, …) with a batch dimension, and with it taken away again."""
        if input.ndim not in (1, 2):
            raise ValueError(
                f"{self._get_name()}: expected (B, {self.input_size}) or ({self.input_size},), got {tuple(input.shape)}"
            )
        unbatched = input.ndim == 1
        x = input.unsqueeze(0) if unbatched else input  # (B, I)
        if states[0] is None:
            zeros = Tensor(np.zeros((len(x), self.hidden_size), x.dtype, like=x.array))
            states = (zeros,) * len(states)
        elif unbatched:
            states = tuple(s.unsqueeze(0) for s in states)
        hx = states if len(states) > 1 else states[0]
        new = op(x, hx, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        new = new if isinstance(new, tuple) else (new,)
        return tuple(s.squeeze(0) for s in new) if unbatched else new

    def extra_repr(self):
        parts = [f"{self.input_size}, {self.hidden_size}"]
        parts += [] if self.bias else ["bias=False"]
        return ", ".join(parts)


class RNNCell(RNNCellBase):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu."""

    def __init__(self, input_size, hidden_size, bias=True, nonlinearity="tanh", device=None, dtype=None):
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f'RNNCell: nonlinearity is "tanh" or "relu", not {nonlinearity!r}')
        super().__init__(input_size, hidden_size, bias, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input, hx=None):
        return self._step(getattr(recurrent, f"rnn_{self.nonlinearity}_cell"), input, (hx,))[0]

    def extra_repr(self):
        return super().extra_repr() + (f", nonlinearity={self.nonlinearity}" if self.nonlinearity != "tanh" else "")


class LSTMCell(RNNCellBase):
    """(h', c') of one step of an LSTM; hx is (h, c)."""

    gates = 4

    def forward(self, input, hx=None):
        return self._step(recurrent.lstm_cell, input, (None, None) if hx is None else tuple(hx))


class GRUCell(RNNCellBase):
    """h' of one step of a GRU."""

    gates = 3

    def forward(self, input, hx=None):
        return self._step(recurrent.gru_cell, input, (hx,))[0]
