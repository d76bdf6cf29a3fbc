"""The facts about GPT: the config, the published sizes, named variants, and what the tools need to run them."""

import math
from dataclasses import dataclass

import numpy as np

from utils.schedules import warm_up_and_cosine

NAME = "GPT"
TIER = 3
PREREQUISITES = ("07",)
PAPER = (
    "Radford et al. 2018, Improving Language Understanding by Generative Pre-Training; "
    "Radford et al. 2019, Language Models are Unsupervised Multitask Learners"
)
MODEL = "GPT"
LEVELS = {
    "engine": "paper/gpt_paper.py",
    "lowlevel": "pytorch_lowlevel/gpt_lowlevel.py",
    "paper": "paper/gpt_paper.py",
}


@dataclass(frozen=True)
class GPTConfig:
    """A stack of Transformer blocks that predicts the next token. By default GPT-2 small, as its paper describes it."""

    vocab_size: int = 50257  # V
    block_size: int = 1024  # the most tokens that are looked at together: the rows of wpe
    n_layer: int = 12  # L
    n_head: int = 12  # N
    n_embd: int = 768  # C
    norm: str = (
        "pre"  # GPT-2: LayerNorm before each sublayer, and ln_f at the end; or "post", GPT-1: after each addition
    )
    dropout: float = 0.0  # of the embeddings, the attention's weights, and what each sublayer adds
    scale_residual: bool = (
        True  # the matrices that write to the residual stream start 1/√(2 L) smaller, as GPT-2's paper has it
    )
    wpe_std: float = 0.02  # how large the positions start; OpenAI's code for GPT-2: 0.01, and no scale_residual

    def __post_init__(self):
        if self.norm not in ("pre", "post"):
            raise ValueError(f"GPTConfig: norm is pre or post, got {self.norm!r}")
        for name in ("vocab_size", "block_size", "n_layer", "n_head", "n_embd"):
            size = getattr(self, name)
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise ValueError(f"GPTConfig: {name} is an int of at least 1, got {size!r}")
        if self.n_embd % self.n_head:
            raise ValueError(f"GPTConfig: n_embd is a multiple of n_head, got {self.n_embd} and {self.n_head}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"GPTConfig: dropout is a probability below 1, got {self.dropout!r}")

    @property
    def shapes(self):
        """The shape of each parameter, in the order of the layers. There is no head: the logits are products with wte."""
        C = self.n_embd
        linear = {
            "attn.q_proj": (C, C), "attn.k_proj": (C, C), "attn.v_proj": (C, C), "attn.out_proj": (C, C),
            "mlp.fc": (4 * C, C), "mlp.proj": (C, 4 * C),
        }  # fmt: skip
        shapes = {"wte.weight": (self.vocab_size, C), "wpe.weight": (self.block_size, C)}
        for i in range(self.n_layer):
            for layer in (
                "ln_1",
                "attn.q_proj",
                "attn.k_proj",
                "attn.v_proj",
                "attn.out_proj",
                "ln_2",
                "mlp.fc",
                "mlp.proj",
            ):
                weight = linear.get(layer, (C,))
                shapes |= {f"h.{i}.{layer}.weight": weight, f"h.{i}.{layer}.bias": weight[:1]}
        return shapes | ({"ln_f.weight": (C,), "ln_f.bias": (C,)} if self.norm == "pre" else {})

    def check_input(self, x, past=0):
        """Refuse tokens that are not int64 (B, T), outside the vocabulary, or more, with those in the cache, than block_size."""
        shape, dtype = tuple(x.shape), str(x.dtype).removeprefix("torch.")
        if len(shape) != 2 or 0 in shape:
            raise ValueError(f"GPT.forward: expected tokens (B, T), at least one, got {shape}")
        if dtype != "int64":
            raise TypeError(f"GPT.forward: expected tokens of int64, got {dtype}")
        if past + shape[1] > self.block_size:
            cached = f" after {past} in the cache" if past else ""
            raise ValueError(
                f"GPT.forward: expected at most {self.block_size} tokens (block_size), got {shape[1]}{cached}"
            )
        if str(x.device) != "cpu":
            return  # to look at the tokens would make the CPU wait for the device at every step
        lowest, highest = int(x.min()), int(x.max())
        if lowest < 0 or highest >= self.vocab_size:
            raise ValueError(f"GPT.forward: expected tokens in 0..{self.vocab_size - 1}, got {lowest}..{highest}")

    def check_targets(self, targets, x):
        """Refuse targets that are not a token of int64 for each token of x."""
        dtype = str(targets.dtype).removeprefix("torch.")
        if tuple(targets.shape) != tuple(x.shape) or dtype != "int64":
            raise ValueError(
                f"GPT.loss: expected targets {tuple(x.shape)} of int64, got {tuple(targets.shape)} of {dtype}"
            )
        if str(targets.device) != "cpu":
            return
        lowest, highest = int(targets.min()), int(targets.max())
        if lowest < 0 or highest >= self.vocab_size:
            raise ValueError(f"GPT.loss: expected targets in 0..{self.vocab_size - 1}, got {lowest}..{highest}")


# The models whose weights OpenAI published. GPT-1 in three sizes of one is post-norm; GPT-2 has four sizes.
PUBLISHED = {
    "gpt1": GPTConfig(40478, 512, norm="post", scale_residual=False),
    "gpt2": GPTConfig(),
    "gpt2-medium": GPTConfig(n_layer=24, n_head=16, n_embd=1024),
    "gpt2-large": GPTConfig(n_layer=36, n_head=20, n_embd=1280),
    "gpt2-xl": GPTConfig(n_layer=48, n_head=25, n_embd=1600),
}


# ------------------------------------------------------------------------------------------- What the tools need

TINY = dict(vocab_size=23, block_size=10, n_layer=2, n_head=2, n_embd=8)

# What `dlfs compare 09` runs, each in float64 at every level.
VARIANTS = {
    "gpt2-tiny": GPTConfig(**TINY),
    "gpt2-tiny-released": GPTConfig(**TINY, scale_residual=False, wpe_std=0.01),
    "gpt1-tiny": GPTConfig(**TINY, norm="post", scale_residual=False),
    "gpt2-tiny-one-head": GPTConfig(**TINY | {"n_head": 1}),
}

# A key's bias adds the same q · b to every score of a row, which the softmax takes away again (theory.md, section 3.3).
ZERO_GRADIENTS = ("h.0.attn.k_proj.bias", "h.1.attn.k_proj.bias")
LOSS = "loss (nats)"  # the mean cross entropy a character: the figure to judge by
TWIN = "transformers_gpt"  # transformers' GPT2LMHeadModel, and OpenAIGPTLMHeadModel


def example_batch(config, rng):
    """One batch for `compare`: tokens, and the tokens to predict. Shorter than block_size, and tokens that come twice."""
    text = rng.integers(0, config.vocab_size, (3, 9))  # (B, T + 1)
    return (text[:, :-1],), (text[:, 1:],)


def bits_per_character(outputs, targets):
    """The mean cross entropy in bits, log₂; 2 to the power of it is the perplexity."""
    logits = outputs[0].astype(np.float64)  # (B, T, V)
    logits -= logits.max(axis=-1, keepdims=True)
    at_target = np.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]  # (B, T)
    return float((np.log(np.exp(logits).sum(axis=-1)) - at_target).mean() / math.log(2))


def is_matrix(name, parameter):
    """What weight decay acts on: matrices and embeddings; a bias or a γ near 0 is no simpler than another."""
    return parameter.ndim >= 2


ADAMW = dict(
    optimizer="adamw", optimizer_options=dict(betas=(0.9, 0.99), weight_decay=0.1, decays=is_matrix),
    schedule=warm_up_and_cosine(20, 0.1), clip=1.0, metrics={"bits_per_character": bits_per_character},
)  # fmt: skip

# What `dlfs train 09 --data …` does; pydoc comes with Python. An "epoch" is 250 steps on random windows of the text.
RECIPES = {
    "pydoc": dict(
        config=GPTConfig(vocab_size=97, block_size=64, n_layer=2, n_head=4, n_embd=64),
        epochs=3, steps_per_epoch=250, batch_size=12, lr=3e-3, **ADAMW,
    ),
    "shakespeare": dict(
        config=GPTConfig(vocab_size=65, block_size=64, n_layer=4, n_head=4, n_embd=128),
        epochs=8, steps_per_epoch=250, batch_size=12, lr=1e-3, **ADAMW,
    ),
    "shakespeare-gpu": dict(
        data="shakespeare",
        config=GPTConfig(vocab_size=65, block_size=256, n_layer=6, n_head=6, n_embd=384, dropout=0.2),
        epochs=20, steps_per_epoch=250, batch_size=64, lr=1e-3, early_stopping=8, **ADAMW,
    ),
}  # fmt: skip


def examples(config, data):
    """The text as windows of block_size characters, and the same windows one character further on."""
    from utils.data_sets.text import windows

    return windows(data, config.block_size)
