"""The production twin: torch.nn's Embedding, LSTM or GRU, and Linear, with its own packing and padding.

Nothing is renamed: embedding.weight, rnn.weight_ih_l0 … rnn.bias_hh_l1_reverse, fc.weight and fc.bias are PyTorch's names and ours.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


def torch_rnn(config):
    """The twin of a config; None for the GRU in the paper's form, which PyTorch does not have."""
    return None if config.cell == "gru" and not config.reset_after else TorchRNN(config)


class TorchRNN(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        I, H = config.input_size, config.hidden_size
        if config.vocab_size:
            self.embedding = nn.Embedding(config.vocab_size, I)
        self.rnn = getattr(nn, config.cell.upper())(
            I, H, config.num_layers, batch_first=True, bidirectional=config.bidirectional
        )
        self.fc = nn.Linear(config.directions * H, config.output_size)

    def forward(self, x, lengths, state):
        e = self.embedding(x) if self.config.vocab_size else x
        packed = pack_padded_sequence(e, lengths, batch_first=True, enforce_sorted=False)
        if self.config.cell == "lstm":
            h, state = self.rnn(packed, (state[0], state[1]))
            state = torch.stack(state)  # h_n and c_n: (2, L D, B, H)
        else:
            h, state = self.rnn(packed, state[0])
            state = state[None]  # (1, L D, B, H)
        h, _ = pad_packed_sequence(h, batch_first=True, total_length=x.shape[1])  # (B, T, D H), 0 at padding
        if self.config.readout == "last":
            h = state[0, -self.config.directions :].transpose(0, 1).flatten(1)
        elif self.config.readout == "mean":
            h = h.sum(dim=1) / lengths[:, None]
        output = self.fc(h)
        if self.config.readout == "steps":
            output = output.masked_fill(self.is_padding(x, lengths)[..., None], 0)
        return output, state

    def loss(self, x, lengths, state, targets):
        output, _ = self.forward(x, lengths, state)
        if self.config.readout == "steps":
            present = ~self.is_padding(x, lengths)
            output, targets = output[present], targets[present]
        return F.cross_entropy(output, targets) if self.config.loss == "cross_entropy" else F.mse_loss(output, targets)

    def is_padding(self, x, lengths):
        return torch.arange(x.shape[1]) >= lengths[:, None]  # (B, T)
