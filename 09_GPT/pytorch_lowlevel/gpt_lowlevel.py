"""GPT, level 2: tensors and autograd, parameters in a dict, no nn.Module.

GPT-1: Radford et al. 2018. GPT-2: Radford et al. 2019. `eq. n` is equation (n) of ../theory.md; the gradients are autograd's.
Shapes: B sequences of T tokens, S tokens that are looked at (those in the cache and these T), C channels in N heads of D,
V tokens in the vocabulary.
"""

import math

import torch

from ..study import GPTConfig

EPS = 1e-5  # of LayerNorm

# ---------------------------------------------------------------------------------------------- Initialisation


def init_parameter(name, shape, config, generator):
    """Matrices N(0, 0.02²), smaller where they write to the residual stream; γ 1, biases and β 0."""
    if len(shape) == 2:
        std = config.wpe_std if name == "wpe.weight" else 0.02
        if config.scale_residual and name.endswith(("out_proj.weight", "mlp.proj.weight")):
            std /= math.sqrt(2 * config.n_layer)  # eq. 29
        parameter = std * torch.randn(shape, generator=generator)
    elif name.endswith("weight"):
        parameter = torch.ones(shape)
    else:
        parameter = torch.zeros(shape)
    return parameter


# ------------------------------------------------------------------------------------------------------ Layers


class Layer:
    """A layer or a group of layers: it finds its parameters in the model's dict, under its own name."""

    def __init__(self, config: GPTConfig, params, name):
        self.config, self.params, self.name = config, params, name

    def linear(self, x, layer):  # (…, fan in)
        weight, bias = (self.params[f"{self.name}.{layer}.{kind}"] for kind in ("weight", "bias"))
        return x @ weight.T + bias  # (…, fan out)


class LayerNorm(Layer):
    def forward(self, x):  # (B, T, C)
        mean = x.mean(dim=-1, keepdim=True)  # (B, T, 1)
        var = ((x - mean) ** 2).mean(dim=-1, keepdim=True)  # (B, T, 1): the biased one
        x_hat = (x - mean) / torch.sqrt(var + EPS)  # (B, T, C)
        return x_hat * self.params[f"{self.name}.weight"] + self.params[f"{self.name}.bias"]  # eq. 3


class Attention(Layer):
    """Every token looks at itself and at those before it, in N heads."""

    def forward(self, x, cache=None, dropout_p=0.0):  # (B, T, C)
        """cache: the keys and values of the tokens before, a list [K, V] or at first []; these tokens' are put in it."""
        q = self.split_heads(self.linear(x, "q_proj"))  # (B, N, T, D), eq. 4
        k = self.split_heads(self.linear(x, "k_proj"))
        v = self.split_heads(self.linear(x, "v_proj"))
        if cache is not None:
            if cache:
                k, v = torch.cat((cache[0], k), dim=2), torch.cat((cache[1], v), dim=2)  # (B, N, S, D), eq. 31
            cache[:] = k, v
        T, S, D = q.shape[2], k.shape[2], q.shape[3]
        scores = q @ k.transpose(2, 3) / math.sqrt(D)  # (B, N, T, S), eq. 5
        mask = torch.ones(T, S, dtype=torch.bool, device=x.device).tril(S - T)  # (T, S), eq. 6
        weights = torch.softmax(scores.masked_fill(~mask, -math.inf), dim=-1)  # (B, N, T, S), eq. 7
        y = dropout(weights, dropout_p) @ v  # (B, N, T, D), eq. 8
        y = y.transpose(1, 2).flatten(2)  # (B, T, C)
        return dropout(self.linear(y, "out_proj"), dropout_p)  # eq. 9

    def split_heads(self, x):  # (B, T, C)
        return x.unflatten(2, (self.config.n_head, -1)).transpose(1, 2)  # (B, N, T, D)


class MLP(Layer):
    def forward(self, x, dropout_p=0.0):  # (B, T, C)
        a = self.linear(x, "fc")  # (B, T, 4C), eq. 10
        y = gelu(a)
        return dropout(self.linear(y, "proj"), dropout_p)  # (B, T, C), eq. 12


def gelu(a):
    """GELU in Hendrycks and Gimpel's approximation by tanh, which both GPTs have."""
    return 0.5 * a * (1 + torch.tanh(math.sqrt(2 / math.pi) * (a + 0.044715 * a**3)))  # eq. 11


def dropout(x, p):
    """Each element 0 with probability p, else 1 / (1 - p) as large, so that the mean stays."""
    return x * (torch.rand_like(x) >= p).to(x.dtype) / (1 - p) if p else x


class Block(Layer):
    def __init__(self, config: GPTConfig, params, name):
        super().__init__(config, params, name)
        self.ln_1 = LayerNorm(config, params, f"{name}.ln_1")  # eq. 3
        self.attn = Attention(config, params, f"{name}.attn")
        self.ln_2 = LayerNorm(config, params, f"{name}.ln_2")
        self.mlp = MLP(config, params, f"{name}.mlp")

    def forward(self, x, cache=None, dropout_p=0.0):  # (B, T, C)
        if self.config.norm == "pre":
            x = x + self.attn.forward(self.ln_1.forward(x), cache, dropout_p)  # (B, T, C), eq. 2
            x = x + self.mlp.forward(self.ln_2.forward(x), dropout_p)
        else:
            x = self.ln_1.forward(x + self.attn.forward(x, cache, dropout_p))  # (B, T, C), eq. 13
            x = self.ln_2.forward(x + self.mlp.forward(x, dropout_p))
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


class GPT:
    """tokens -> wte + wpe -> n_layer blocks -> ln_f (GPT-2) -> logits, by the same matrix wte.

    `params` is a dict of leaf tensors; config.shapes has their names and shapes; their gradients are `.grad`.
    """

    def __init__(self, config: GPTConfig, generator: torch.Generator | None = None):
        self.config, self.training = config, True
        self.params = {name: init_parameter(name, shape, config, generator) for name, shape in config.shapes.items()}
        for param in self.params.values():
            param.requires_grad_()
        self.h = [Block(config, self.params, f"h.{i}") for i in range(config.n_layer)]
        if config.norm == "pre":
            self.ln_f = LayerNorm(config, self.params, "ln_f")

    def forward(self, x, cache=None):  # (B, T)
        """The logits (B, T, V) of the token after each token.

        cache: what `new_cache` gave, when x goes on where the tokens before ended; x is then put in it, too.
        """
        past = cache[0][0].shape[2] if cache and cache[0] else 0
        self.config.check_input(x, past)
        positions = torch.arange(past, past + x.shape[1], device=x.device)  # (T,)
        p, dropout_p = self.params, self.config.dropout if self.training else 0.0
        h = dropout(p["wte.weight"][x] + p["wpe.weight"][positions], dropout_p)  # (B, T, C), eq. 1
        for i, block in enumerate(self.h):
            h = block.forward(h, None if cache is None else cache[i], dropout_p)  # (B, T, C)
        if self.config.norm == "pre":
            h = self.ln_f.forward(h)  # eq. 14
        logits = h @ p["wte.weight"].T  # (B, T, V), eq. 15
        return logits

    def loss(self, x, targets):  # (B, T), (B, T)
        """The mean cross entropy () of all tokens."""
        logits = self.forward(x)
        self.config.check_targets(targets, x)
        log_probs = logits - torch.logsumexp(logits, dim=-1, keepdim=True)  # (B, T, V)
        loss = -log_probs.gather(-1, targets[..., None]).mean()  # (), eq. 16
        return loss

    def train_step(self, x, targets, lr):
        """One step of gradient descent; returns the loss before it."""
        for param in self.params.values():
            param.grad = None
        loss = self.loss(x, targets)
        loss.backward()
        with torch.no_grad():
            for param in self.params.values():
                param -= lr * param.grad  # eq. 30
        return loss.item()

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

    def train(self, mode=True):
        """With dropout, or without."""
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
                raise RuntimeError(f"GPT.load_state_dict: {name}: expected shape {expected}, got {got}")
        self.params.update(
            {name: torch.as_tensor(state[name]).detach().clone().requires_grad_() for name in self.params}
        )
