"""LSTM and GRU, level 3: nn.Module, as PyTorch code is written.

LSTM: Gers, Schmidhuber & Cummins 2000. GRU: Cho et al. 2014. `eq. n` is equation (n) of ../theory.md; the gradients are
autograd's. Shapes: B sequences of at most T steps, I inputs, H units, G gates, S states, L layers in D directions, K outputs;
R steps of all sequences together, padding left out; b sequences that have a step t.
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.rnn import PackedSequence

from ..study import RNNConfig

# ---------------------------------------------------------------------------------------------- Initialisation


def init_parameter(name, parameter, config):
    """Weights uniform within 1/√(fan in); biases 0, but 1 for the LSTM's forget gate, so that it starts by remembering."""
    if name == "embedding.weight":
        nn.init.normal_(parameter, std=0.1)
    elif ".weight" in name:
        bound = 1 / math.sqrt(config.hidden_size if name.startswith("rnn") else parameter.shape[1])  # eq. 32
        nn.init.uniform_(parameter, -bound, bound)
    else:
        nn.init.zeros_(parameter)
        if name.startswith("rnn.bias_ih") and config.cell == "lstm":
            nn.init.ones_(parameter[config.hidden_size : 2 * config.hidden_size])  # eq. 33


# ------------------------------------------------------------------------------------------------------ Layers


class Recurrent(nn.Module):
    """Layers of LSTM or GRU, over sequences packed one step after the other.

    Weights of a layer and direction: weight_ih (G H, I), weight_hh (G H, H), bias_ih and bias_hh (G H,).
    """

    def __init__(self, config: RNNConfig):
        super().__init__()
        self.config = config
        for name, shape in config.shapes.items():
            if name.startswith("rnn."):
                self.register_parameter(name.removeprefix("rnn."), nn.Parameter(torch.empty(shape)))

    def forward(self, x, state, batch_sizes):  # (R, I), (S, L D, B, H)
        """The states h of the last layer (R, D H), and the state after each sequence's last step (S, L D, B, H)."""
        starts, finals = state.unbind(1), []
        for layer in range(self.config.num_layers):
            outputs = []
            for suffix in self.config.suffixes(layer):
                h, final = self.run(suffix, x, starts[len(finals)], batch_sizes)  # (R, H), (S, B, H)
                outputs.append(h)
                finals.append(final)
            x = torch.cat(outputs, dim=1)  # (R, D H)
        return x, torch.stack(finals, dim=1)

    def run(self, suffix, x, state, batch_sizes):  # (R, I), (S, B, H)
        """One layer in one direction. state is of all sequences; of those that have no step t the rows stay as they are."""
        weight_ih, weight_hh, bias_ih, bias_hh = (getattr(self, name) for name in self.names(suffix))
        x_part = F.linear(x, weight_ih, bias_ih)  # (R, G H): for all steps in one product, eq. 1
        x_parts = x_part.split(
            batch_sizes
        )  # (b, G H) each; to index x_part T times would cost a full gradient each time
        state, outputs = state.unbind(0), {}  # S times (B, H)
        for t in steps(batch_sizes, suffix):
            b = batch_sizes[t]
            new = self.cell(x_parts[t], [s[:b] for s in state] if b < len(state[0]) else state, weight_hh, bias_hh)
            state = [torch.cat((s_new, s[b:])) if b < len(s) else s_new for s_new, s in zip(new, state)]
            outputs[t] = new[0]  # (b, H)
        return torch.cat([outputs[t] for t in range(len(batch_sizes))]), torch.stack(tuple(state))

    def names(self, suffix):
        return [f"{kind}_{suffix}" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]


def steps(batch_sizes, suffix):
    """The steps t in the order of reading: from the last step to the first for _reverse."""
    order = range(len(batch_sizes))
    return order[::-1] if suffix.endswith("reverse") else order


class LSTM(Recurrent):
    def cell(self, x_part, state, weight_hh, bias_hh):  # (b, 4H), 2 times (b, H)
        """h and c (b, H) after one step."""
        h, c = state
        a = x_part + F.linear(h, weight_hh, bias_hh)  # (b, 4H), eq. 2
        a_i, a_f, a_g, a_o = a.chunk(4, dim=1)  # (b, H) each
        i, f, g, o = torch.sigmoid(a_i), torch.sigmoid(a_f), torch.tanh(a_g), torch.sigmoid(a_o)  # eq. 3
        c_next = f * c + i * g  # eq. 4
        h_next = o * torch.tanh(c_next)  # eq. 5
        return h_next, c_next


class GRU(Recurrent):
    def cell(self, x_part, state, weight_hh, bias_hh):  # (b, 3H), 1 time (b, H)
        """h (b, H) after one step."""
        (h,), H = state, self.config.hidden_size
        x_rz, x_n = x_part.split((2 * H, H), dim=1)
        weight_rz, weight_n = weight_hh.split((2 * H, H))
        bias_rz, bias_n = bias_hh.split((2 * H, H))
        a = x_rz + F.linear(h, weight_rz, bias_rz)  # (b, 2H), eq. 6
        r, z = torch.sigmoid(a).chunk(2, dim=1)  # (b, H) each, eq. 7
        if self.config.reset_after:
            s = F.linear(h, weight_n, bias_n)  # (b, H)
            n = torch.tanh(x_n + r * s)  # eq. 8
        else:
            s = r * h  # (b, H)
            n = torch.tanh(x_n + F.linear(s, weight_n, bias_n))  # eq. 9
        h_next = (1 - z) * n + z * h  # eq. 10
        return (h_next,)


class FusedLSTM(nn.LSTM):
    """nn.LSTM with the face of LSTM: the same parameters and numbers, the loop over time in one compiled operation."""

    def forward(self, x, state, batch_sizes):  # (R, I), (2, L D, B, H)
        h, (h_n, c_n) = super().forward(PackedSequence(x, torch.tensor(batch_sizes)), (state[0], state[1]))
        return h.data, torch.stack((h_n, c_n))


class FusedGRU(nn.GRU):
    """nn.GRU with the face of GRU."""

    def forward(self, x, state, batch_sizes):  # (R, I), (1, L D, B, H)
        h, h_n = super().forward(PackedSequence(x, torch.tensor(batch_sizes)), state[0])
        return h.data, h_n[None]


# ------------------------------------------------------------------------------------------------------ Packing


def packing(lengths, T):  # (B,)
    """How B sequences are laid out step by step, the longest first, so that those that go on are always the first b rows.

    Returns the order of the sequences (B,); where each row comes from in a tensor (B T, …), (R,); and b for each step.
    """
    order = torch.sort(lengths, descending=True, stable=True).indices  # (B,)
    t = torch.arange(int(lengths.max()), device=lengths.device)[:, None]  # (T', 1)
    present = t < lengths[order]  # (T', B)
    return order, (order * T + t)[present], present.sum(dim=1).tolist()


def unpack(packed, rows, B, T):  # (R, …)
    """The packed rows where they came from, (B, T, …), and 0 at padding."""
    padded = packed.new_zeros((B * T, *packed.shape[1:])).index_copy(0, rows, packed)
    return padded.reshape(B, T, *packed.shape[1:])


# ------------------------------------------------------------------------------------------------------- Model


class RNN(nn.Module):
    """tokens -> embedding (or numbers as they are) -> LSTM or GRU -> fc, of each step or once for the sequence.

    config.shapes has the parameters' names and shapes.
    """

    def __init__(self, config: RNNConfig):
        super().__init__()
        self.config = config
        I, H, D, L = config.input_size, config.hidden_size, config.directions, config.num_layers
        if config.vocab_size:
            self.embedding = nn.Embedding(config.vocab_size, I)
        if config.fused:
            fused = FusedLSTM if config.cell == "lstm" else FusedGRU
            self.rnn = fused(I, H, num_layers=L, bidirectional=config.bidirectional)
        else:
            self.rnn = (LSTM if config.cell == "lstm" else GRU)(config)
        self.fc = nn.Linear(D * H, config.output_size)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                init_parameter(name, parameter, config)

    def forward(self, x, lengths=None, state=None):  # (B, T) or (B, T, I), (B,), (S, L D, B, H)
        """The output (B, K), or (B, T, K) of each step with 0 at padding; and the state after the last steps, to carry on with.

        lengths: how many steps of each sequence count; the rest is padding and never read. state: where to start, else 0.
        A state that is carried from window to window is detached: backpropagation through time ends where the window began.
        """
        logits, rows, state = self.read(x, lengths, state)
        if self.config.readout == "steps":
            logits = unpack(logits, rows, *x.shape[:2])  # (B, T, K)
        return logits, state

    def read(self, x, lengths, state):
        """What forward computes, the outputs packed: (R, K), or (B, K); where the rows come from; and the state."""
        self.config.check_input(x, lengths, state)
        (B, T), config = x.shape[:2], self.config
        lengths = torch.full((B,), T, device=x.device) if lengths is None else lengths
        state = self.fc.weight.new_zeros(config.state_shape(B)) if state is None else state
        order, rows, batch_sizes = packing(lengths, T)
        inverse = torch.argsort(order)
        packed = x.flatten(0, 1)[rows]  # (R,) or (R, I)
        e = self.embedding(packed) if config.vocab_size else packed  # (R, I)
        h, state = self.rnn(e, state.detach()[:, :, order], batch_sizes)  # (R, D H), (S, L D, B, H)
        state = state[:, :, inverse]  # in the order of x again
        if config.readout == "steps":
            features = h  # (R, D H)
        elif config.readout == "last":
            features = torch.cat(state[0, -config.directions :].unbind(0), dim=1)  # (B, D H)
        else:
            features = unpack(h, rows, B, T).sum(dim=1) / lengths[:, None].to(h.dtype)  # (B, D H), eq. 11
        logits = self.fc(features)  # (R, K) or (B, K), eq. 12
        return logits, rows, state

    def loss(self, x, lengths, state, targets):  # …, (B,) or (B, T), with "mse" (…, K)
        """The mean cross entropy () of the outputs, or their mean squared error, over all that is no padding.

        What it leaves in `carry` is the state to start the next window of a long text with.
        """
        logits, rows, state = self.read(x, lengths, state)  # (R, K) or (B, K)
        self.carry = state.detach()
        self.config.check_targets(targets, x)
        if self.config.readout == "steps":
            targets = targets.flatten(0, 1)[rows]  # (R,) or (R, K)
        if self.config.loss == "cross_entropy":
            loss = F.cross_entropy(logits, targets)  # (), eq. 13
        else:
            loss = F.mse_loss(logits, targets)  # (), eq. 13
        return loss
