"""Transformer, level 2: tensors and autograd, parameters in a dict, no nn.Module.

Vaswani et al. 2017, "Attention Is All You Need". `eq. n` is equation (n) of ../theory.md; the gradients are autograd's.
Shapes: B sentences of S source and T target tokens, V tokens in the vocabulary, vectors of d numbers, h heads of d_k numbers;
R target tokens that are no padding; K beams.
"""

import math

import torch

from ..study import BOS, EOS, PAD, TransformerConfig

# ---------------------------------------------------------------------------------------------- Initialisation


def init_parameter(name, shape, config, generator):
    """Glorot for matrices, in attention as nn.MultiheadAttention has it; embeddings of variance 1/d, which √d makes 1; γ = 1; biases 0."""
    if name == "embedding.weight":
        return config.d_model**-0.5 * torch.randn(shape, generator=generator)  # eq. 17
    elif len(shape) == 2:
        in_proj = name.split(".")[-2] in ("q_proj", "k_proj", "v_proj")
        bound = math.sqrt((3 if in_proj else 6) / (shape[0] + shape[1]))  # eq. 18
        return bound * (2 * torch.rand(shape, generator=generator) - 1)
    elif "norm" in name and name.endswith("weight"):
        return torch.ones(shape)
    else:
        return torch.zeros(shape)


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
    weights = torch.exp(scores - torch.logsumexp(scores, dim=-1, keepdim=True))  # (B, h, T, S), eq. 3
    return weights @ v, weights  # (B, h, T, d_k), eq. 4


class Layer:
    """What every layer has: the model's parameters, of which its own begin with `prefix`."""

    def __init__(self, config: TransformerConfig, params, prefix):
        self.config, self.params, self.prefix = config, params, prefix

    def linear(self, name, x):  # (…, in)
        y = x @ self.params[f"{self.prefix}.{name}.weight"].T
        bias = self.params.get(f"{self.prefix}.{name}.bias")
        return y if bias is None else y + bias  # (…, out)

    def layer_norm(self, name, x):  # (…, d)
        mean = x.mean(dim=-1, keepdim=True)  # (…, 1)
        variance = ((x - mean) ** 2).mean(dim=-1, keepdim=True)  # (…, 1): divided by d, not by d - 1
        normalised = (x - mean) / torch.sqrt(variance + 1e-5)  # (…, d)
        gamma, beta = (self.params[f"{self.prefix}.{name}.{kind}"] for kind in ("weight", "bias"))
        return gamma * normalised + beta  # (…, d), eq. 10


def dropout(x, p, training):
    """In training each number is 0 with probability p, and the others grow by as much as is lost."""
    if not training or p == 0:
        return x
    return x * (torch.rand(x.shape, device=x.device) >= p) / (1 - p)  # eq. 15


class MultiHeadAttention(Layer):
    def forward(self, x, memory, mask):  # (B, T, d), (B, S, d)
        """What each place of x gathers from memory (B, T, d), and the weights (B, h, T, S)."""
        q = self.split(self.linear("q_proj", x))  # (B, h, T, d_k), eq. 7
        k = self.split(self.linear("k_proj", memory))  # (B, h, S, d_k), eq. 7
        v = self.split(self.linear("v_proj", memory))  # (B, h, S, d_k), eq. 7
        heads, weights = attention(q, k, v, mask)
        joined = heads.transpose(1, 2).flatten(2)  # (B, T, d), eq. 8
        return self.linear("out_proj", joined), weights  # eq. 8

    def split(self, x):  # (B, T, d)
        return x.unflatten(2, (self.config.num_heads, -1)).transpose(1, 2)  # (B, h, T, d_k)


class EncoderLayer(Layer):
    def __init__(self, config: TransformerConfig, params, prefix):
        super().__init__(config, params, prefix)
        self.self_attn = MultiHeadAttention(config, params, f"{prefix}.self_attn")

    def forward(self, x, mask, training):  # (B, S, d)
        p = self.config.dropout
        gathered, _ = self.self_attn.forward(x, x, mask)
        x = self.layer_norm("norm1", x + dropout(gathered, p, training))  # eq. 10
        ff = self.linear("linear2", torch.relu(self.linear("linear1", x)))  # eq. 9
        return self.layer_norm("norm2", x + dropout(ff, p, training))  # (B, S, d), eq. 10


class DecoderLayer(Layer):
    def __init__(self, config: TransformerConfig, params, prefix):
        super().__init__(config, params, prefix)
        self.self_attn = MultiHeadAttention(config, params, f"{prefix}.self_attn")
        self.cross_attn = MultiHeadAttention(config, params, f"{prefix}.cross_attn")

    def forward(self, x, memory, mask, memory_mask, training):  # (B, T, d), (B, S, d)
        p = self.config.dropout
        gathered, _ = self.self_attn.forward(x, x, mask)
        x = self.layer_norm("norm1", x + dropout(gathered, p, training))  # eq. 10
        gathered, _ = self.cross_attn.forward(x, memory, memory_mask)
        x = self.layer_norm("norm2", x + dropout(gathered, p, training))  # eq. 10
        ff = self.linear("linear2", torch.relu(self.linear("linear1", x)))  # eq. 9
        return self.layer_norm("norm3", x + dropout(ff, p, training))  # (B, T, d), eq. 10


# ------------------------------------------------------------------------------------------------------- Model


class Transformer:
    """tokens -> embedding · √d + positions -> encoder; shifted tokens likewise -> decoder -> the embedding again, as logits.

    `params` is a dict of leaf tensors; config.shapes has their names and shapes; their gradients are `.grad`.
    """

    def __init__(self, config: TransformerConfig, generator: torch.Generator | None = None):
        self.config, self.training = config, True
        self.params = {name: init_parameter(name, shape, config, generator) for name, shape in config.shapes.items()}
        for param in self.params.values():
            param.requires_grad_()
        self.encoder = [EncoderLayer(config, self.params, f"encoder.{i}") for i in range(config.num_layers)]
        self.decoder = [DecoderLayer(config, self.params, f"decoder.{i}") for i in range(config.num_layers)]

    def forward(self, src, tgt):  # (B, S), (B, T)
        """The logits (B, T, V) of the token after each of tgt, which begins with <s>. Token 0 of either is padding."""
        self.config.check_input(src, tgt)
        mask = source_mask(src)
        return self.project(self.decode(tgt, self.encode(src, mask), mask))

    def encode(self, src, mask):  # (B, S)
        x = self.embed(src)  # (B, S, d)
        for layer in self.encoder:
            x = layer.forward(x, mask, self.training)
        return x  # (B, S, d)

    def decode(self, tgt, memory, memory_mask):  # (B, T), (B, S, d)
        x = self.embed(tgt)  # (B, T, d)
        mask = causal_mask(tgt.shape[1], tgt.device)
        for layer in self.decoder:
            x = layer.forward(x, memory, mask, memory_mask, self.training)
        return x  # (B, T, d)

    def embed(self, tokens):  # (B, T)
        x = self.params["embedding.weight"][tokens] * math.sqrt(self.config.d_model)  # (B, T, d), eq. 11
        return dropout(
            x + sinusoids(tokens.shape[1], self.config, like=x), self.config.dropout, self.training
        )  # eq. 13

    def project(self, x):  # (…, d)
        return x @ self.params["embedding.weight"].T  # (…, V), eq. 14

    def loss(self, src, tgt, labels):  # (B, S), (B, T), (B, T)
        """The mean cross entropy () of the labels that are no padding, smoothed."""
        self.config.check_input(src, tgt)
        self.config.check_labels(labels, tgt)
        mask = source_mask(src)
        present = labels != PAD
        x = self.decode(tgt, self.encode(src, mask), mask)[present]  # (R, d)
        logits, labels = self.project(x), labels[present]  # (R, V), (R,)
        smoothing = self.config.label_smoothing
        log_probs = logits - torch.logsumexp(logits, dim=-1, keepdim=True)  # (R, V)
        picked = log_probs[torch.arange(len(labels), device=labels.device), labels]  # (R,)
        return -((1 - smoothing) * picked + smoothing * log_probs.mean(dim=-1)).mean()  # (), eq. 16

    def train_step(self, src, tgt, labels, lr):
        """One step of gradient descent; returns the loss before it."""
        for param in self.params.values():
            param.grad = None
        loss = self.loss(src, tgt, labels)
        loss.backward()
        with torch.no_grad():
            for param in self.params.values():
                param -= lr * param.grad
        return loss.item()

    def train(self, mode=True):
        """Training or evaluation: dropout acts in training alone."""
        self.training = mode

    def parameters(self):
        return list(self.params.values())

    def state_dict(self):
        """The parameters by name; as in PyTorch they share the model's memory."""
        return {name: param.detach() for name, param in self.params.items()}

    def load_state_dict(self, state):
        """Copy in every parameter, dtype included; refuse a missing, an unknown and a wrongly shaped one."""
        for name in {**self.params, **state}:
            expected, got = (tuple(d[name].shape) if name in d else None for d in (self.params, state))
            if expected != got:
                raise RuntimeError(f"Transformer.load_state_dict: {name}: expected shape {expected}, got {got}")
        self.params.update(
            {name: torch.as_tensor(state[name]).detach().clone().requires_grad_() for name in self.params}
        )

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
            log_probs = logits - torch.logsumexp(logits, dim=-1, keepdim=True)
            totals = log_probs + torch.tensor(scores, device=src.device)[:, None]  # eq. 33
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
