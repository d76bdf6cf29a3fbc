"""Grouped-query attention (Ainslie et al. 2023) on the engine: several heads of queries share one of keys and values."""

import framework as torch
import framework.nn as nn
import framework.nn.functional as F


class GroupedQueryAttention(nn.Module):
    """Causal attention of n_head heads of queries and n_kv_head of keys and values."""

    def __init__(self, n_embd, n_head, n_kv_head):
        super().__init__()
        self.n_head, self.n_kv_head = n_head, n_kv_head
        D = n_embd // n_head
        self.q_proj = nn.Linear(n_embd, n_embd)
        self.k_proj, self.v_proj = nn.Linear(n_embd, n_kv_head * D), nn.Linear(n_embd, n_kv_head * D)
        self.out_proj = nn.Linear(n_embd, n_embd)

    def split_heads(self, x, heads):  # (B, T, heads D)
        return x.unflatten(2, (heads, -1)).transpose(1, 2)  # (B, heads, T, D)

    def forward(self, x, cache=None):  # (B, T, C)
        """(B, T, C). cache: [] or [K, V] of the tokens before, (B, n_kv_head, S, D) each; these tokens' are put in it."""
        q = self.split_heads(self.q_proj(x), self.n_head)  # (B, N, T, D)
        k = self.split_heads(self.k_proj(x), self.n_kv_head)  # (B, G, T, D)
        v = self.split_heads(self.v_proj(x), self.n_kv_head)
        if cache is not None:
            if cache:
                k, v = torch.cat((cache[0], k), dim=2), torch.cat((cache[1], v), dim=2)  # (B, G, S, D)
            cache[:] = k, v
        group = self.n_head // self.n_kv_head
        k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)  # (B, N, S, D)
        T, S = q.shape[2], k.shape[2]
        mask = torch.ones(T, S, dtype=torch.bool).tril(S - T)  # (T, S)
        y = F.scaled_dot_product_attention(q, k, v, mask)  # (B, N, T, D)
        return self.out_proj(y.transpose(1, 2).flatten(2))  # (B, T, C)


def cache_numbers(n_layer, n_kv_head, head_dim, length):
    """How many numbers the keys and values of a text of `length` tokens are, in all layers."""
    return 2 * n_layer * n_kv_head * head_dim * length
