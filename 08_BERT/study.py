"""The facts about BERT: the config, the published sizes, named variants, and what the tools need to run them."""

from dataclasses import dataclass

import numpy as np

from utils.data_sets.wordpieces import PAD

from .pretraining import MAX_PREDICTIONS, in_parts, pretraining_batch

NAME = "BERT"
TIER = 3
PREREQUISITES = ("07",)
PAPER = "Devlin, Chang, Lee & Toutanova 2018, BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding"
MODEL = "BERT"
LEVELS = {
    "engine": "paper/bert_paper.py",
    "lowlevel": "pytorch_lowlevel/bert_lowlevel.py",
    "paper": "paper/bert_paper.py",
}

HEADS = ("none", "pretraining", "sequence", "token", "qa")
IGNORED = -100  # the label of what no loss is taken of, as PyTorch's cross_entropy has it


@dataclass(frozen=True)
class BERTConfig:
    """A Transformer encoder and what is read off its last layer. The names are those of the bert_config.json that Google released;
    by default BERT base, as its checkpoints for English in lower case are.
    """

    vocab_size: int = 30_522  # V
    hidden_size: int = 768  # C, the paper's H
    num_hidden_layers: int = 12  # L
    num_attention_heads: int = 12  # N, the paper's A
    intermediate_size: int = 3072  # F, 4 C in the paper
    max_position_embeddings: int = 512
    type_vocab_size: int = 2  # segments: sentence A and sentence B
    # what comes after the encoder. none: its last layer and the pooled [CLS], as BertModel in transformers.
    # pretraining: masked words and next sentence. sequence, token, qa: classes of a text, classes of its tokens, an answer's span
    head: str = "pretraining"
    num_labels: int = 2  # K, the classes of the heads sequence and token
    gelu: str = "erf"  # the exact one, as transformers has it; or "tanh", the approximation in Google's code
    dropout: float = (
        0.1  # of the embeddings, the attention's weights, what each sublayer adds, and before sequence and token
    )
    layer_norm_eps: float = 1e-12
    initializer_range: float = 0.02  # of matrices, before they are cut off at twice as much: equation 34

    def __post_init__(self):
        for name, valid in (("head", HEADS), ("gelu", ("erf", "tanh"))):
            if getattr(self, name) not in valid:
                raise ValueError(f"BERTConfig: {name} is one of {', '.join(valid)}, got {getattr(self, name)!r}")
        sizes = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
        for name in (*sizes, "max_position_embeddings", "type_vocab_size", "num_labels"):
            size, least = getattr(self, name), 2 if name == "num_labels" else 1
            if not isinstance(size, int) or isinstance(size, bool) or size < least:
                raise ValueError(f"BERTConfig: {name} is an int of at least {least}, got {size!r}")
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"BERTConfig: hidden_size is a multiple of num_attention_heads={self.num_attention_heads}, got {self.hidden_size}"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"BERTConfig: dropout is a probability below 1, got {self.dropout!r}")
        if not self.layer_norm_eps > 0:
            raise ValueError(f"BERTConfig: layer_norm_eps is larger than 0, got {self.layer_norm_eps!r}")
        if not self.initializer_range > 0:
            raise ValueError(f"BERTConfig: initializer_range is larger than 0, got {self.initializer_range!r}")

    @property
    def has_pooler(self):
        """Whether a head reads the pooled [CLS]: a token's class and a span's ends are read off the tokens themselves."""
        return self.head in ("none", "pretraining", "sequence")

    @property
    def shapes(self):
        """The shape of each parameter, in the order of the layers. The MLM head's decoder is word_embeddings.weight itself."""
        C, F = self.hidden_size, self.intermediate_size
        shapes = {
            "embeddings.word_embeddings.weight": (self.vocab_size, C),
            "embeddings.position_embeddings.weight": (self.max_position_embeddings, C),
            "embeddings.token_type_embeddings.weight": (self.type_vocab_size, C),
        }

        def add(layer, *weight):
            shapes.update({f"{layer}.weight": weight, f"{layer}.bias": weight[:1]})

        add("embeddings.norm", C)
        for i in range(self.num_hidden_layers):
            for projection in ("q_proj", "k_proj", "v_proj", "out_proj"):
                add(f"layers.{i}.attn.{projection}", C, C)
            add(f"layers.{i}.norm1", C)
            add(f"layers.{i}.linear1", F, C)
            add(f"layers.{i}.linear2", C, F)
            add(f"layers.{i}.norm2", C)
        if self.has_pooler:
            add("pooler", C, C)
        if self.head == "pretraining":
            shapes["mlm.bias"] = (self.vocab_size,)
            add("mlm.dense", C, C)
            add("mlm.norm", C)
            add("nsp", 2, C)
        elif self.head in ("sequence", "token"):
            add("classifier", self.num_labels, C)
        elif self.head == "qa":
            add("qa_outputs", 2, C)
        return shapes

    def check_input(self, input_ids, token_type_ids, attention_mask, masked_positions):
        """Refuse what are no tokens, segments and mask of one shape (B, T), too many tokens, and a text of padding alone."""
        where, shape = "BERT.forward", tuple(input_ids.shape)
        if len(shape) != 2 or 0 in shape:
            raise ValueError(f"{where}: expected input_ids (B, T), at least one token each, got {shape}")
        if shape[1] > self.max_position_embeddings:
            raise ValueError(
                f"{where}: expected at most {self.max_position_embeddings} tokens (max_position_embeddings), got {shape[1]}"
            )
        check_integers(where, "input_ids", input_ids, shape, self.vocab_size)
        check_integers(where, "token_type_ids", token_type_ids, shape, self.type_vocab_size)
        check_integers(where, "attention_mask", attention_mask, shape, 2)
        if on_cpu(attention_mask) and not bool((attention_mask != 0).any(1).all()):
            raise ValueError(f"{where}: expected a token in every text, got one of padding alone (attention_mask 0)")
        if self.head != "pretraining":
            if masked_positions is not None:
                raise ValueError(f"{where}: masked_positions are for the head pretraining, this one is {self.head}")
        elif masked_positions is None or len(masked_positions.shape) != 2 or masked_positions.shape[0] != shape[0]:
            found = None if masked_positions is None else tuple(masked_positions.shape)
            raise ValueError(f"{where}: expected masked_positions ({shape[0]}, M), got {found}")
        else:
            check_integers(where, "masked_positions", masked_positions, tuple(masked_positions.shape), shape[1])

    def check_targets(self, targets, input_ids, masked_positions):
        """Refuse targets that the head has no use for: see BERT.loss."""
        (B, T), where = input_ids.shape, "BERT.loss"
        expected = {
            "none": {},
            "pretraining": {"masked_ids": (masked_positions, self.vocab_size), "next_sentence": ((B,), 2)},
            "sequence": {"labels": ((B,), self.num_labels)},
            "token": {"labels": ((B, T), self.num_labels)},
            "qa": {"start": ((B,), T), "end": ((B,), T)},
        }[self.head]
        if len(targets) != len(expected) or not expected:
            names = ", ".join(expected) or "no loss without a head"
            raise TypeError(f"{where}: the head {self.head} takes {names}; got {len(targets)} targets")
        for target, (name, (shape, size)) in zip(targets, expected.items()):
            with_gaps = name == "masked_ids" or (name, self.head) == ("labels", "token")
            shape = tuple(getattr(shape, "shape", shape))
            check_integers(where, name, target, shape, size, ignored=with_gaps)
            if with_gaps and on_cpu(target) and not bool((target != IGNORED).any()):
                raise ValueError(f"{where}: expected at least one of {name} that is not {IGNORED}")


def on_cpu(tensor):
    return (
        str(tensor.device) == "cpu"
    )  # to look at a tensor elsewhere would make the CPU wait for the device at every step


def check_integers(where, name, tensor, shape, size, ignored=False):
    """Refuse what is not int64, not of the shape, or outside 0..size - 1; with `ignored` it may be -100."""
    dtype = str(tensor.dtype).removeprefix("torch.")
    if tuple(tensor.shape) != shape:
        raise ValueError(f"{where}: expected {name} {shape}, got {tuple(tensor.shape)}")
    if dtype != "int64":
        raise TypeError(f"{where}: expected {name} of int64, got {dtype}")
    if on_cpu(tensor) and 0 not in shape:
        wrong = (tensor < 0) | (tensor >= size)
        wrong = wrong & (tensor != IGNORED) if ignored else wrong
        if bool(wrong.any()):
            lowest, highest = int(tensor.min()), int(tensor.max())
            or_ignored = f", or {IGNORED}" if ignored else ""
            raise ValueError(f"{where}: expected {name} in 0..{size - 1}{or_ignored}, got {lowest}..{highest}")


# The sizes of Devlin et al. 2018 and of Turc et al. 2019, "Well-read students learn better"; and Wang et al. 2020's MiniLM.
PUBLISHED = {
    "bert-base": BERTConfig(),
    "bert-base-cased": BERTConfig(vocab_size=28_996),
    "bert-large": BERTConfig(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096),
    "bert-tiny": BERTConfig(hidden_size=128, num_hidden_layers=2, num_attention_heads=2, intermediate_size=512),
    "bert-mini": BERTConfig(hidden_size=256, num_hidden_layers=4, num_attention_heads=4, intermediate_size=1024),
    "bert-small": BERTConfig(hidden_size=512, num_hidden_layers=4, num_attention_heads=8, intermediate_size=2048),
    "bert-medium": BERTConfig(hidden_size=512, num_hidden_layers=8, num_attention_heads=8, intermediate_size=2048),
    "bert-base-encoder": BERTConfig(head="none"),
    "bert-large-encoder": BERTConfig(
        hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096, head="none"
    ),
    "minilm-l6": BERTConfig(hidden_size=384, num_hidden_layers=6, intermediate_size=1536, head="none"),
}


# ------------------------------------------------------------------------------------------- What the tools need

TINY = dict(
    vocab_size=29, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12,
    max_position_embeddings=11, dropout=0.0,
)  # fmt: skip

# What `dlfs compare 08` runs, each in float64 at every level, on texts of different lengths.
VARIANTS = {
    "pretraining": BERTConfig(**TINY),
    "pretraining-tanh": BERTConfig(**TINY, gelu="tanh"),
    "sequence": BERTConfig(**TINY, head="sequence", num_labels=3),
    "token": BERTConfig(**TINY, head="token", num_labels=4),
    "qa": BERTConfig(**TINY, head="qa"),
}

# A key's bias adds the same q · b to every score of a row, and an answer's the same number to every place: the softmax takes both
# away again (theory.md, equations 30 and 33).
ZERO_GRADIENTS = ("layers.0.attn.k_proj.bias", "layers.1.attn.k_proj.bias", "qa_outputs.bias")
TWIN = "transformers_bert"  # transformers' BertForPreTraining, BertForSequenceClassification, …


def example_batch(config, rng):
    """One batch for `compare`: texts of 9, 6 and 4 tokens with two segments, of which some are chosen, one of them unchanged."""
    B, T = 3, 9
    lengths, place = np.array([9, 6, 4])[:, None], np.arange(T)
    input_ids = rng.integers(0, config.vocab_size, (B, T))  # (B, T); what stands in padding must not matter
    token_type_ids = np.where(place < lengths // 2, 0, 1) * (place < lengths)
    inputs = (input_ids, token_type_ids, (place < lengths).astype(np.int64))
    if config.head == "pretraining":
        masked_positions = np.array([[1, 4, 8], [2, 5, 0], [3, 0, 0]])  # (B, M)
        masked_ids = rng.integers(0, config.vocab_size, (B, 3))
        masked_ids[[1, 2, 2], [2, 1, 2]] = IGNORED  # no more than were chosen
        return (*inputs, masked_positions), (masked_ids, np.array([0, 1, 0]))
    if config.head == "sequence":
        return inputs, (rng.integers(0, config.num_labels, B),)
    if config.head == "token":
        return inputs, (np.where(place < lengths, rng.integers(0, config.num_labels, (B, T)), IGNORED),)
    return inputs, (np.array([1, 2, 0]), np.array([7, 2, 3]))


def mlm_accuracy(outputs, masked_ids, next_sentence):
    """The share of the chosen tokens whose logit is the largest where they stood."""
    chosen = masked_ids != IGNORED
    return float((outputs[0].argmax(axis=-1) == masked_ids)[chosen].mean())


def nsp_accuracy(outputs, masked_ids, next_sentence):
    return float((outputs[1].argmax(axis=-1) == next_sentence).mean())


def warm_up_and_linear(step, steps):
    """The factor on the learning rate: up in a straight line for a tenth of the steps, then down to 0.

    The paper's pre-training warms up for 10,000 of 1,000,000 steps, its released code for fine-tuning for a tenth.
    """
    warm_up = max(steps // 10, 1)
    return (step + 1) / warm_up if step < warm_up else (steps - step) / (steps - warm_up)


def is_matrix(name, parameter):
    """What weight decay acts on: matrices and embeddings, neither biases nor LayerNorm's γ."""
    return parameter.ndim >= 2


ADAMW = dict(
    optimizer="adamw", optimizer_options=dict(betas=(0.9, 0.999), eps=1e-6, weight_decay=0.01, decays=is_matrix),
    schedule=warm_up_and_linear, clip=1.0, evaluation_batch_size=100,
)  # fmt: skip
PRETRAINING = dict(metrics={"mlm_accuracy": mlm_accuracy, "nsp_accuracy": nsp_accuracy}, **ADAMW)
SMALL = dict(vocab_size=8_000, hidden_size=128, num_hidden_layers=2, num_attention_heads=2, intermediate_size=512,
             max_position_embeddings=128, initializer_range=0.08)  # fmt: skip


def mostly_short(config, x, y, rng):
    """A batch for `train` that goes further in an hour: nine times in ten of quarters of the passages, and rarer words are chosen more often.

    Devlin et al. 2018, appendix A.2, take nine steps in ten with a quarter of the length, too, but those first.
    """
    if rng.random() < 0.9:
        x, y = in_parts(x, y, 4)
    return pretraining_batch(x, y, config.vocab_size, rng, MAX_PREDICTIONS, rarer=True)


# What `dlfs train 08 --data …` does; pydoc comes with Python. imdb and imdb-few, which has a ninth of the labels, are to be started
# --from a run of imdb-pretrain; imdb-scratch and imdb-few-scratch are the same network on the same reviews in the same steps, from the
# beginning.
FINE_TUNING = dict(
    data="imdb-reviews", config=BERTConfig(**SMALL, head="sequence"), epochs=3, batch_size=32, lr=5e-4, **ADAMW
)
FEW = FINE_TUNING | dict(examples=2_500, epochs=6)
RECIPES = {
    "pydoc": dict(
        data="pydoc-pieces",
        config=BERTConfig(
            vocab_size=2_000, hidden_size=64, num_hidden_layers=2, num_attention_heads=2, intermediate_size=256,
            max_position_embeddings=64, dropout=0.0,
        ),
        epochs=10, steps_per_epoch=100, batch_size=16, lr=3e-3, **PRETRAINING,
    ),
    "imdb-pretrain": dict(
        data="imdb-pieces", config=BERTConfig(**SMALL, dropout=0.0), epochs=14, batch_size=32, lr=2e-3,
        training_batch=mostly_short, **PRETRAINING,
    ),
    "imdb": FINE_TUNING,
    "imdb-scratch": FINE_TUNING,
    "imdb-few": FEW,
    "imdb-few-scratch": FEW,
}  # fmt: skip


def examples(config, data):
    """A stream of documents as passages that fill a sequence, with room for [CLS] and twice [SEP]; reviews as they are."""
    if config.head != "pretraining":
        return data
    from utils.data_sets.wordpieces import passages

    return passages(data, config.max_position_embeddings - 3)


def training_batch(config, x, y, rng):
    """One batch for `train`. No column of padding alone is kept."""
    if config.head == "pretraining":
        return pretraining_batch(x, y, config.vocab_size, rng, MAX_PREDICTIONS)
    attention_mask = (x != PAD).astype(np.int64)  # (B, T)
    longest = attention_mask.sum(axis=1).max()
    return (x[:, :longest], np.zeros_like(x[:, :longest]), attention_mask[:, :longest]), (y,)
