"""Self-attention with relative positions (Shaw et al. 2018) on the engine."""

import framework as torch
import framework.nn as nn


def distances(T, reach):
    """Which row of the table stands for each pair of places: reach + clip(s - t, -reach, reach), (T, T)."""
    places = torch.arange(T)
    return (places[None, :] - places[:, None]).clamp(-reach, reach) + reach


class RelativeAttention(nn.Module):
    """Attention of num_heads heads, whose scores know how far apart two tokens are, up to reach."""

    def __init__(self, d_model, num_heads, reach):
        super().__init__()
        self.num_heads, self.reach = num_heads, reach
        self.q_proj, self.k_proj = nn.Linear(d_model, d_model, bias=False), nn.Linear(d_model, d_model, bias=False)
        self.v_proj, self.out_proj = nn.Linear(d_model, d_model, bias=False), nn.Linear(d_model, d_model, bias=False)
        self.relative = nn.Embedding(2 * reach + 1, d_model // num_heads)

    def split(self, x):  # (B, T, d_model)
        return x.unflatten(2, (self.num_heads, -1)).transpose(1, 2)  # (B, h, T, D)

    def forward(self, x, keep):  # (B, T, d_model), (B, T)
        """(B, T, d_model). keep: True for tokens, False for padding."""
        q, k, v = self.split(self.q_proj(x)), self.split(self.k_proj(x)), self.split(self.v_proj(x))  # (B, h, T, D)
        r = self.relative(distances(x.shape[1], self.reach))  # (T, T, D)
        scores = (q @ k.transpose(2, 3) + torch.einsum("bhtd,tsd->bhts", q, r)) / q.shape[3] ** 0.5  # (B, h, T, T)
        weights = scores.masked_fill(~keep[:, None, None, :], float("-inf")).softmax(-1)
        y = weights @ v  # (B, h, T, D)
        return self.out_proj(y.transpose(1, 2).flatten(2))  # (B, T, d_model)
