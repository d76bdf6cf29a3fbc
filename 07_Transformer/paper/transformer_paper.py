"""Transformer, level 3: the paper's architecture as nn.Module.

Vaswani et al. 2017, "Attention Is All You Need". `eq. n` is equation (n) of ../theory.md; the gradients are autograd's.
Shapes: B sentences of S source and T target tokens, V tokens in the vocabulary, vectors of d numbers, h heads of d_k numbers;
R target tokens that are no padding; K beams.
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..study import BOS, EOS, PAD, TransformerConfig

# ---------------------------------------------------------------------------------------------- Initialisation


def init_parameter(name, parameter, config):
    """Glorot for matrices, in attention as nn.MultiheadAttention has it; embeddings of variance 1/d, which √d makes 1; γ = 1; biases 0."""
    if name == "embedding.weight":
        nn.init.normal_(parameter, std=config.d_model**-0.5)  # eq. 17
    elif parameter.ndim == 2:
        in_proj = name.split(".")[-2] in ("q_proj", "k_proj", "v_proj")
        nn.init.xavier_uniform_(parameter, gain=math.sqrt(0.5) if in_proj else 1.0)  # eq. 18
    elif "norm" in name and name.endswith("weight"):
        nn.init.ones_(parameter)
    else:
        nn.init.zeros_(parameter)


# ------------------------------------------------------------------------------------------ Positions and masks


def sinusoids(T, config, like):
    """The positions' vectors (T, d): waves of lengths from 2π to almost 10,000 · 2π, in the dtype and on the device of `like`."""
    half = config.d_model // 2
    i = torch.arange(half, dtype=like.dtype, device=like.device)  # (d/2,)
    last = half if config.positions == "interleaved" else max(half - 1, 1)  # tensor2tensor gets to 10,000 itself
    frequencies = torch.exp(-math.log(10_000) * i / last)  # (d/2,)
    angles = torch.arange(T, dtype=like.dtype, device=like.device)[:, None] * frequencies  # (T, d/2)
    waves = (torch.sin(angles), torch.cos(angles))
    if config.positions == "interleaved":
        return torch.stack(waves, dim=-1).flatten(1)  # (T, d): sin, cos, sin, cos, …, eq. 12
    return torch.cat(waves, dim=-1)  # (T, d): all sin, then all cos


def source_mask(src):  # (B, S)
    """True where a source token may be looked at: it is no padding, (B, 1, 1, S)."""
    return (src != PAD)[:, None, None, :]  # eq. 5


def causal_mask(T, device):
    """True where place t may look at place s: s ≤ t, (T, T). As padding comes last, this hides it from all that counts, too."""
    place = torch.arange(T, device=device)
    return place[None, :] <= place[:, None]  # eq. 6


# ------------------------------------------------------------------------------------------------------ Layers


def attention(q, k, v, mask):  # (B, h, T, d_k), (B, h, S, d_k), (B, h, S, d_k)
    """Scaled dot-product attention: each query's mean of the values, and the weights that it gave them."""
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])  # (B, h, T, S), eq. 1
    scores = scores.masked_fill(~mask, -math.inf)  # eq. 2
    weights = torch.softmax(scores, dim=-1)  # (B, h, T, S), eq. 3
    return weights @ v, weights  # (B, h, T, d_k), eq. 4


class MultiHeadAttention(nn.Module):
    def __init__(self, config: TransformerConfig):
        super().__init__()
        d, bias = config.d_model, config.attention_bias
        self.num_heads = config.num_heads
        self.q_proj = nn.Linear(d, d, bias=bias)
        self.k_proj = nn.Linear(d, d, bias=bias)
        self.v_proj = nn.Linear(d, d, bias=bias)
        self.out_proj = nn.Linear(d, d, bias=bias)

    def forward(self, x, memory, mask):  # (B, T, d), (B, S, d)
        """What each place of x gathers from memory (B, T, d), and the weights (B, h, T, S)."""
        q = self.split(self.q_proj(x))  # (B, h, T, d_k), eq. 7
        k = self.split(self.k_proj(memory))  # (B, h, S, d_k), eq. 7
        v = self.split(self.v_proj(memory))  # (B, h, S, d_k), eq. 7
        heads, weights = attention(q, k, v, mask)
        joined = heads.transpose(1, 2).flatten(2)  # (B, T, d), eq. 8
        return self.out_proj(joined), weights  # eq. 8

    def split(self, x):  # (B, T, d)
        return x.unflatten(2, (self.num_heads, -1)).transpose(1, 2)  # (B, h, T, d_k)


class EncoderLayer(nn.Module):
    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.self_attn = MultiHeadAttention(config)
        self.norm1 = nn.LayerNorm(config.d_model)
        self.linear1 = nn.Linear(config.d_model, config.d_ff)
        self.linear2 = nn.Linear(config.d_ff, config.d_model)
        self.norm2 = nn.LayerNorm(config.d_model)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x, mask):  # (B, S, d)
        gathered, _ = self.self_attn(x, x, mask)
        x = self.norm1(x + self.dropout(gathered))  # eq. 10
        ff = self.linear2(torch.relu(self.linear1(x)))  # eq. 9
        return self.norm2(x + self.dropout(ff))  # (B, S, d), eq. 10


class DecoderLayer(nn.Module):
    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.self_attn = MultiHeadAttention(config)
        self.norm1 = nn.LayerNorm(config.d_model)
        self.cross_attn = MultiHeadAttention(config)
        self.norm2 = nn.LayerNorm(config.d_model)
        self.linear1 = nn.Linear(config.d_model, config.d_ff)
        self.linear2 = nn.Linear(config.d_ff, config.d_model)
        self.norm3 = nn.LayerNorm(config.d_model)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x, memory, mask, memory_mask):  # (B, T, d), (B, S, d)
        gathered, _ = self.self_attn(x, x, mask)
        x = self.norm1(x + self.dropout(gathered))  # eq. 10
        gathered, _ = self.cross_attn(x, memory, memory_mask)
        x = self.norm2(x + self.dropout(gathered))  # eq. 10
        ff = self.linear2(torch.relu(self.linear1(x)))  # eq. 9
        return self.norm3(x + self.dropout(ff))  # (B, T, d), eq. 10


# ------------------------------------------------------------------------------------------------------- Model


class Transformer(nn.Module):
    """tokens -> embedding · √d + positions -> encoder; shifted tokens likewise -> decoder -> the embedding again, as logits.

    config.shapes has the parameters' names and shapes.
    """

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.encoder = nn.ModuleList([EncoderLayer(config) for _ in range(config.num_layers)])
        self.decoder = nn.ModuleList([DecoderLayer(config) for _ in range(config.num_layers)])
        self.dropout = nn.Dropout(config.dropout)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                init_parameter(name, parameter, config)

    def forward(self, src, tgt):  # (B, S), (B, T)
        """The logits (B, T, V) of the token after each of tgt, which begins with <s>. Token 0 of either is padding."""
        self.config.check_input(src, tgt)
        mask = source_mask(src)
        return self.project(self.decode(tgt, self.encode(src, mask), mask))

    def encode(self, src, mask):  # (B, S)
        x = self.embed(src)  # (B, S, d)
        for layer in self.encoder:
            x = layer(x, mask)
        return x  # (B, S, d)

    def decode(self, tgt, memory, memory_mask):  # (B, T), (B, S, d)
        x = self.embed(tgt)  # (B, T, d)
        mask = causal_mask(tgt.shape[1], tgt.device)
        for layer in self.decoder:
            x = layer(x, memory, mask, memory_mask)
        return x  # (B, T, d)

    def embed(self, tokens):  # (B, T)
        x = self.embedding(tokens) * math.sqrt(self.config.d_model)  # (B, T, d), eq. 11
        return self.dropout(x + sinusoids(tokens.shape[1], self.config, like=x))  # eq. 13

    def project(self, x):  # (…, d)
        return F.linear(x, self.embedding.weight)  # (…, V), eq. 14

    def loss(self, src, tgt, labels):  # (B, S), (B, T), (B, T)
        """The mean cross entropy () of the labels that are no padding, smoothed."""
        self.config.check_input(src, tgt)
        self.config.check_labels(labels, tgt)
        mask = source_mask(src)
        present = labels != PAD
        x = self.decode(tgt, self.encode(src, mask), mask)[present]  # (R, d)
        logits, labels = self.project(x), labels[present]  # (R, V), (R,)
        return F.cross_entropy(logits, labels, label_smoothing=self.config.label_smoothing)  # (), eq. 16

    # ------------------------------------------------------------------------------------------- Translation

    @torch.no_grad()
    def greedy(self, src, max_length=None):  # (B, S)
        """For each sentence the tokens up to </s>, always the likeliest next one; at most S + 50, as in the paper."""
        self.config.check_input(src, src)
        mask = source_mask(src)
        memory = self.encode(src, mask)
        tgt = torch.full((len(src), 1), BOS, device=src.device)  # (B, 1)
        finished = torch.zeros(len(src), dtype=torch.bool, device=src.device)  # (B,)
        for _ in range(max_length or src.shape[1] + 50):
            logits = self.project(self.decode(tgt, memory, mask)[:, -1])  # (B, V)
            token = logits.argmax(dim=-1).masked_fill(finished, PAD)  # (B,)
            tgt = torch.cat((tgt, token[:, None]), dim=1)
            finished = finished | (token == EOS)
            if finished.all():
                break
        return [[token for token in row if token not in (EOS, PAD)] for row in tgt[:, 1:].tolist()]

    @torch.no_grad()
    def beam_search(self, src, beam_size=4, alpha=0.6, max_length=None):  # (B, S)
        """For each sentence the tokens up to </s> with the best log P(tokens) / penalty(length) that `beam_size` beams find."""
        self.config.check_input(src, src)
        return [self.search(row[row != PAD][None], beam_size, alpha, max_length) for row in src]

    def search(self, src, beam_size, alpha, max_length):  # (1, S)
        mask, V = source_mask(src), self.config.vocab_size
        memory = self.encode(src, mask)  # (1, S, d)
        longest = max_length or src.shape[1] + 50
        beams, scores, finished = [[BOS]], [0.0], []
        for length in range(1, longest + 1):
            tgt = torch.tensor(beams, device=src.device)  # (K, length)
            logits = self.project(self.decode(tgt, memory.expand(len(beams), -1, -1), mask)[:, -1])  # (K, V)
            totals = torch.log_softmax(logits, dim=-1) + torch.tensor(scores, device=src.device)[:, None]  # eq. 33
            # half of them may be ends: K others are left
            best = totals.flatten().topk(min(2 * beam_size, totals.numel()))
            beams_before, beams, scores = beams, [], []
            for score, index in zip(best.values.tolist(), best.indices.tolist()):
                tokens, token = beams_before[index // V], index % V
                if token == EOS:
                    finished.append((score / length_penalty(length, alpha), tokens[1:]))
                elif len(beams) < beam_size:
                    beams.append([*tokens, token])
                    scores.append(score)
            # log P only falls as a beam grows; so no beam can come to more than this, eq. 35
            bound = max(scores) / length_penalty(longest, alpha)
            if finished and max(finished)[0] >= bound:
                break
        else:
            finished += [(score / length_penalty(longest, alpha), beam[1:]) for score, beam in zip(scores, beams)]
        return max(finished)[1]


def length_penalty(length, alpha):
    """What log P is divided by, so that a long translation is not worse for its length alone (Wu et al. 2016)."""
    return ((5 + length) / 6) ** alpha  # eq. 34
