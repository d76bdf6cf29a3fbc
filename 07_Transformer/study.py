"""The facts about the Transformer: the config, its named variants, and what the tools need to run them."""

from dataclasses import dataclass

import numpy as np

from utils.data_sets.translation import BOS, EOS, PAD

from .scores import beam_bleu, bleu, exact_match

__all__ = ["BOS", "EOS", "PAD", "TransformerConfig"]

NAME = "Transformer"
TIER = 3
PREREQUISITES = ("06",)
PAPER = "Vaswani et al. 2017, Attention Is All You Need"

MODEL = "Transformer"
LEVELS = {
    "engine": "paper/transformer_paper.py",
    "lowlevel": "pytorch_lowlevel/transformer_lowlevel.py",
    "paper": "paper/transformer_paper.py",
}


@dataclass(frozen=True)
class TransformerConfig:
    """An encoder and a decoder of equally many layers, over one vocabulary for both languages. By default the paper's base."""

    vocab_size: int = 37_000  # V; about as many for English and German together in the paper
    d_model: int = 512  # d
    num_layers: int = 6  # N, of each stack
    num_heads: int = 8  # h; each is d_k = d_v = d / h wide
    d_ff: int = 2048
    dropout: float = 0.1  # of every sublayer's output, and of the embeddings with their positions
    label_smoothing: float = 0.1  # ε_ls
    # biases in the four projections of attention, as torch.nn has them; the paper writes none
    attention_bias: bool = False
    positions: str = "interleaved"  # sin and cos take turns, as in the paper; or "concatenated", as in tensor2tensor

    def __post_init__(self):
        for name in ("vocab_size", "d_model", "num_layers", "num_heads", "d_ff"):
            size = getattr(self, name)
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise ValueError(f"TransformerConfig: {name} is an int of at least 1, got {size!r}")
        if self.d_model % self.num_heads or self.d_model % 2:
            raise ValueError(
                f"TransformerConfig: d_model is even and a multiple of num_heads={self.num_heads}, got {self.d_model}"
            )
        for name in ("dropout", "label_smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(
                    f"TransformerConfig: {name} is at least 0 and less than 1, got {getattr(self, name)!r}"
                )
        if self.positions not in ("interleaved", "concatenated"):
            raise ValueError(f"TransformerConfig: positions is interleaved or concatenated, got {self.positions!r}")

    @property
    def shapes(self):
        """{name: shape} of every parameter, in the order of definition."""
        d, shapes = self.d_model, {"embedding.weight": (self.vocab_size, self.d_model)}
        for stack, attentions in (("encoder", ("self_attn",)), ("decoder", ("self_attn", "cross_attn"))):
            for layer in range(self.num_layers):
                prefix, norms = f"{stack}.{layer}", 0
                for attention in attentions:
                    for projection in ("q_proj", "k_proj", "v_proj", "out_proj"):
                        shapes[f"{prefix}.{attention}.{projection}.weight"] = (d, d)
                        if self.attention_bias:
                            shapes[f"{prefix}.{attention}.{projection}.bias"] = (d,)
                    norms += 1
                    shapes |= {f"{prefix}.norm{norms}.{kind}": (d,) for kind in ("weight", "bias")}
                shapes |= {f"{prefix}.linear1.weight": (self.d_ff, d), f"{prefix}.linear1.bias": (self.d_ff,)}
                shapes |= {f"{prefix}.linear2.weight": (d, self.d_ff), f"{prefix}.linear2.bias": (d,)}
                shapes |= {f"{prefix}.norm{norms + 1}.{kind}": (d,) for kind in ("weight", "bias")}
        return shapes

    def check_input(self, src, tgt):
        """Refuse a src (B, S) and tgt (B, T) that are not token ids, and a src sequence of padding alone."""
        for name, tokens in (("src", src), ("tgt", tgt)):
            check_tokens("Transformer.forward", name, tokens, self.vocab_size)
        if src.shape[0] != tgt.shape[0]:
            raise ValueError(
                f"Transformer.forward: expected as many tgt as src, got {tgt.shape[0]} and {src.shape[0]} sequences"
            )
        if not bool((src != PAD).any(1).all()):
            raise ValueError(
                f"Transformer.forward: expected a token in every src sequence, got one of {PAD}, <pad>, alone"
            )

    def check_labels(self, labels, tgt):
        """Refuse labels that are not token ids of tgt's shape (B, T), or padding alone."""
        check_tokens("Transformer.loss", "labels", labels, self.vocab_size)
        if tuple(labels.shape) != tuple(tgt.shape):
            raise ValueError(f"Transformer.loss: expected labels {tuple(tgt.shape)}, as tgt, got {tuple(labels.shape)}")
        if not bool((labels != PAD).any()):
            raise ValueError(f"Transformer.loss: expected at least one label that is not {PAD}, <pad>")


def check_tokens(where, name, tokens, vocab_size):
    dtype = str(tokens.dtype).removeprefix("torch.")
    if len(tokens.shape) != 2 or 0 in tokens.shape:
        raise ValueError(
            f"{where}: expected {name} of shape (B, T), at least one token each, got {tuple(tokens.shape)}"
        )
    if dtype != "int64":
        raise TypeError(f"{where}: expected {name} of int64, got {dtype}")
    lowest, highest = int(tokens.min()), int(tokens.max())
    if lowest < 0 or highest >= vocab_size:
        raise ValueError(f"{where}: expected {name} in 0..{vocab_size - 1}, got {lowest}..{highest}")


# ------------------------------------------------------------------------------------------- What the tools need

BASE = TransformerConfig()
BIG = TransformerConfig(d_model=1024, num_heads=16, d_ff=4096, dropout=0.3)

# What `dlfs compare 07` runs, each in float64 at every level, on padded sequences of different lengths.
TINY = dict(vocab_size=20, d_model=16, num_layers=2, num_heads=4, d_ff=24, dropout=0.0)
VARIANTS = {
    "paper": TransformerConfig(**TINY),
    "attention-bias": TransformerConfig(**TINY, attention_bias=True),
    "t2t-positions": TransformerConfig(**TINY, positions="concatenated"),
    "no-smoothing": TransformerConfig(**TINY | {"num_layers": 1, "num_heads": 1}, label_smoothing=0.0),
}

# The same number added to all scores of a row leaves their softmax as it is; that is all that a key's bias does.
ZERO_GRADIENTS = tuple(name for name in VARIANTS["attention-bias"].shapes if name.endswith("k_proj.bias"))
# Glorot's matrices are large already: at 5 times the size every softmax is saturated, and ten steps are chaotic.
LOUD = 2
TWIN = "torch_transformer"


def example_batch(config, rng):
    """One batch for `compare`: the inputs of forward, and what loss takes besides. No two sequences are equally long."""
    B, S, T = 4, 7, 6
    x, y = (rng.integers(PAD + 1, config.vocab_size, (B, length)) for length in (S, T))
    for row, (source, target) in enumerate(
        zip(rng.permutation(np.arange(S - B, S)), rng.permutation(np.arange(T - B, T)))
    ):
        x[row, source + 1 :] = PAD
        y[row, target + 1 :] = PAD
    return training_batch(config, x, y, rng)


def training_batch(config, x, y, rng):
    """One batch for `train`: (src, tgt), (labels,). No column of padding alone is kept.

    The decoder reads the labels one place to the right, behind <s>: at each place it predicts what it has not seen yet.
    """
    src = x[:, : (x != PAD).sum(axis=1).max()]  # (B, S)
    labels = y[:, : (y != PAD).sum(axis=1).max()]  # (B, T), ends with </s>
    tgt = np.concatenate([np.full_like(labels[:, :1], BOS), labels[:, :-1]], axis=1)  # (B, T)
    return (src, tgt), (labels,)


def token_accuracy(outputs, labels):
    """The share of labels that have the largest logit, the tokens before them given."""
    present = labels != PAD
    return float((outputs[0].argmax(axis=-1) == labels)[present].mean())


def lengths(split):
    """How long each pair is, by which pairs are put into batches: (N,)"""
    return (split.x != PAD).sum(axis=1) + (split.y != PAD).sum(axis=1)


def noam(d_model, warmup_steps):
    """The paper's learning rate, eq. 31: it rises for warmup_steps, then falls as 1/√step. As Plan.schedule, beside lr=1."""

    def schedule(step, steps):
        step = step + 1  # of the step that is to be made, counted from 1
        return d_model**-0.5 * min(step**-0.5, step * warmup_steps**-1.5)

    return schedule


ADAM = dict(betas=(0.9, 0.98), eps=1e-9)

# What `dlfs train 07 --data …` does; the first is generated and needs no download. lr multiplies the paper's schedule.
RECIPES = {
    "dates": dict(
        config=TransformerConfig(62, d_model=64, num_layers=2, num_heads=4, d_ff=128, dropout=0.0),
        epochs=10, batch_size=50, ema=0.995, lr=0.5, optimizer="adam", optimizer_options=ADAM, schedule=noam(64, 400),
        metrics={"token_accuracy": token_accuracy}, final_metrics={"accuracy": exact_match}, lengths=lengths,
    ),
    "multi30k": dict(
        config=TransformerConfig(4_000, d_model=128, num_layers=3, num_heads=4, d_ff=512, dropout=0.1),
        epochs=20, batch_size=64, lr=1.0, optimizer="adam", optimizer_options=ADAM, schedule=noam(128, 1500),
        metrics={"token_accuracy": token_accuracy}, final_metrics={"bleu": bleu, "bleu_of_beams": beam_bleu},
        lengths=lengths, evaluation_batch_size=200,
    ),
}  # fmt: skip
