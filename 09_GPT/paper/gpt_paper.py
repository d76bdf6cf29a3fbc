"""GPT, level 3: nn.Module, as PyTorch code is written.

GPT-1: Radford et al. 2018. GPT-2: Radford et al. 2019. `eq. n` is equation (n) of ../theory.md; the gradients are autograd's.
Shapes: B sequences of T tokens, S tokens that are looked at (those in the cache and these T), C channels in N heads of D,
V tokens in the vocabulary.
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..study import GPTConfig

# ---------------------------------------------------------------------------------------------- Initialisation


def init_parameter(name, parameter, config):
    """Matrices N(0, 0.02²), smaller where they write to the residual stream; γ 1, biases and β 0."""
    if parameter.ndim == 2:
        std = config.wpe_std if name == "wpe.weight" else 0.02
        if config.scale_residual and name.endswith(("out_proj.weight", "mlp.proj.weight")):
            std /= math.sqrt(2 * config.n_layer)  # eq. 29
        nn.init.normal_(parameter, std=std)
    elif name.endswith("weight"):
        nn.init.ones_(parameter)
    else:
        nn.init.zeros_(parameter)


# ------------------------------------------------------------------------------------------------------ Layers


class Attention(nn.Module):
    """Every token looks at itself and at those before it, in N heads."""

    def __init__(self, config: GPTConfig):
        super().__init__()
        self.config = config
        C = config.n_embd
        self.q_proj, self.k_proj, self.v_proj = nn.Linear(C, C), nn.Linear(C, C), nn.Linear(C, C)
        self.out_proj = nn.Linear(C, C)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x, cache=None):  # (B, T, C)
        """cache: the keys and values of the tokens before, a list [K, V] or at first []; these tokens' are put in it."""
        q = self.split_heads(self.q_proj(x))  # (B, N, T, D), eq. 4
        k = self.split_heads(self.k_proj(x))
        v = self.split_heads(self.v_proj(x))
        if cache is not None:
            if cache:
                k, v = torch.cat((cache[0], k), dim=2), torch.cat((cache[1], v), dim=2)  # (B, N, S, D), eq. 31
            cache[:] = k, v
        T, S = q.shape[2], k.shape[2]
        mask = None if T == S else torch.ones(T, S, dtype=torch.bool, device=x.device).tril(S - T)  # (T, S), eq. 6
        p = self.config.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, mask, p, is_causal=T == S)  # (B, N, T, D), eq. 5 to 8
        y = y.transpose(1, 2).flatten(2)  # (B, T, C)
        return self.dropout(self.out_proj(y))  # eq. 9

    def split_heads(self, x):  # (B, T, C)
        return x.unflatten(2, (self.config.n_head, -1)).transpose(1, 2)  # (B, N, T, D)


class MLP(nn.Module):
    def __init__(self, config: GPTConfig):
        super().__init__()
        self.fc = nn.Linear(config.n_embd, 4 * config.n_embd)
        self.proj = nn.Linear(4 * config.n_embd, config.n_embd)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x):  # (B, T, C)
        a = self.fc(x)  # (B, T, 4C), eq. 10
        y = F.gelu(a, approximate="tanh")  # eq. 11
        return self.dropout(self.proj(y))  # (B, T, C), eq. 12


class Block(nn.Module):
    def __init__(self, config: GPTConfig):
        super().__init__()
        self.config = config
        self.ln_1 = nn.LayerNorm(config.n_embd)  # eq. 3
        self.attn = Attention(config)
        self.ln_2 = nn.LayerNorm(config.n_embd)
        self.mlp = MLP(config)

    def forward(self, x, cache=None):  # (B, T, C)
        if self.config.norm == "pre":
            x = x + self.attn(self.ln_1(x), cache)  # (B, T, C), eq. 2
            x = x + self.mlp(self.ln_2(x))
        else:
            x = self.ln_1(x + self.attn(x, cache))  # (B, T, C), eq. 13
            x = self.ln_2(x + self.mlp(x))
        return x


# ---------------------------------------------------------------------------------------------------- Sampling


def sample(logits, draws, temperature=1.0, top_k=None, top_p=None):  # (B, V), (B,)
    """A token for each row (B,): the one whose part of [0, 1] the uniform draw falls in, the likeliest token's part first.

    temperature: 0 takes the likeliest always. top_k: only the k likeliest (Fan et al. 2018). top_p: only the fewest that together have
    probability p (Holtzman et al. 2020). They act in this order.
    """
    if temperature == 0:
        return logits.argmax(dim=-1)
    logits, tokens = (logits / temperature).sort(dim=-1, descending=True)  # (B, V), eq. 32
    if top_k is not None:
        logits = logits.masked_fill(torch.arange(logits.shape[-1], device=logits.device) >= top_k, -math.inf)  # eq. 33
    probs = torch.softmax(logits, dim=-1)
    if top_p is not None:
        before = probs.cumsum(dim=-1) - probs  # the probability of all that are likelier
        probs = probs.masked_fill((before >= top_p) & (before > 0), 0)  # eq. 34
    total = probs.cumsum(dim=-1)  # (B, V), up to what is left of 1
    rank = (total < draws[:, None].to(total.dtype) * total[:, -1:]).sum(dim=-1, keepdim=True)  # (B, 1), eq. 35
    return tokens.gather(-1, rank)[:, 0]


# ------------------------------------------------------------------------------------------------------- Model


class GPT(nn.Module):
    """tokens -> wte + wpe -> n_layer blocks -> ln_f (GPT-2) -> logits, by the same matrix wte.

    config.shapes has the parameters' names and shapes.
    """

    def __init__(self, config: GPTConfig):
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.wpe = nn.Embedding(config.block_size, config.n_embd)
        self.dropout = nn.Dropout(config.dropout)
        self.h = nn.ModuleList([Block(config) for _ in range(config.n_layer)])
        if config.norm == "pre":
            self.ln_f = nn.LayerNorm(config.n_embd)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                init_parameter(name, parameter, config)

    def forward(self, x, cache=None):  # (B, T)
        """The logits (B, T, V) of the token after each token.

        cache: what `new_cache` gave, when x goes on where the tokens before ended; x is then put in it, too.
        """
        past = cache[0][0].shape[2] if cache and cache[0] else 0
        self.config.check_input(x, past)
        positions = torch.arange(past, past + x.shape[1], device=x.device)  # (T,)
        h = self.dropout(self.wte(x) + self.wpe(positions))  # (B, T, C), eq. 1
        for i, block in enumerate(self.h):
            h = block(h, None if cache is None else cache[i])  # (B, T, C)
        if self.config.norm == "pre":
            h = self.ln_f(h)  # eq. 14
        logits = F.linear(h, self.wte.weight)  # (B, T, V), eq. 15
        return logits

    def loss(self, x, targets):  # (B, T), (B, T)
        """The mean cross entropy () of all tokens."""
        logits = self.forward(x)
        self.config.check_targets(targets, x)
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())  # (), eq. 16
        return loss

    def new_cache(self):
        """An empty cache: for each layer a list, in which forward keeps the keys and values of the tokens that it has seen."""
        return [[] for _ in range(self.config.n_layer)]

    def generate(self, x, draws, temperature=1.0, top_k=None, top_p=None, use_cache=True):  # (B, T), (n, B)
        """x and n more tokens, (B, T + n), each by `sample` with a row of draws, without dropout.

        Once there are more than block_size tokens, the last block_size are looked at: their positions change from token to token,
        and the cache, which holds keys of the old positions, is of no more use.
        """
        training, cache, seen = self.training, self.new_cache() if use_cache else None, 0
        self.train(False)
        with torch.no_grad():
            for draw in draws:
                if x.shape[1] > self.config.block_size:
                    cache, seen = None, x.shape[1] - self.config.block_size
                logits = self.forward(x[:, seen:], cache)[:, -1]  # (B, V)
                seen = 0 if cache is None else x.shape[1]
                x = torch.cat((x, sample(logits, draw, temperature, top_k, top_p)[:, None]), dim=1)
        self.train(training)
        return x
