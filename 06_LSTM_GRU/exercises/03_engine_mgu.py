"""The minimal gated unit (Zhou et al. 2016) on the engine, for sequences of different lengths."""

import framework as torch
from framework import nn


class MGU(nn.Module):
    """One gate: h ← (1 - f) h + f tanh(W [x, f h] + b), f = σ(W_f [x, h] + b_f)."""

    def __init__(self, input_size, hidden_size):
        """Make gate and candidate, each from input and state side by side to the state."""
        super().__init__()
        self.hidden_size = hidden_size
        self.gate = nn.Linear(input_size + hidden_size, hidden_size)
        self.candidate = nn.Linear(input_size + hidden_size, hidden_size)

    def cell(self, x, h):  # (B, I), (B, H)
        """The next state; (B, H)."""
        f = torch.sigmoid(self.gate(torch.cat([x, h], dim=1)))  # (B, H)
        n = torch.tanh(self.candidate(torch.cat([x, f * h], dim=1)))  # (B, H)
        return (1 - f) * h + f * n

    def forward(self, x, lengths):  # (B, T, I), (B,)
        """All states (B, T, H) and the last of each sequence (B, H); behind a sequence's end its state stays."""
        B, T, _ = x.shape
        h = torch.zeros(B, self.hidden_size, dtype=x.dtype)
        states = []
        for t in range(T):
            going = (t < lengths).unsqueeze(1)  # (B, 1)
            h = torch.where(going, self.cell(x[:, t], h), h)  # (B, H)
            states.append(h)
        return torch.stack(states, dim=1), h
