"""The production twins, transformers' BertForPreTraining and its kin; and the names of their checkpoints.

ours                              transformers; after `bert.` where the model has a head
embeddings.word_embeddings        embeddings.word_embeddings, and so the other two
embeddings.norm                   embeddings.LayerNorm
layers.0.attn.{q,k,v}_proj        encoder.layer.0.attention.self.{query,key,value}
layers.0.attn.out_proj            encoder.layer.0.attention.output.dense
layers.0.norm1                    encoder.layer.0.attention.output.LayerNorm
layers.0.linear1                  encoder.layer.0.intermediate.dense
layers.0.linear2                  encoder.layer.0.output.dense
layers.0.norm2                    encoder.layer.0.output.LayerNorm
pooler                            pooler.dense
mlm.{dense, norm}, mlm.bias       cls.predictions.transform.{dense, LayerNorm}, cls.predictions.bias
                                  cls.predictions.decoder.{weight, bias}: the same tensors as word_embeddings.weight and mlm.bias
nsp                               cls.seq_relationship
classifier, qa_outputs            classifier, qa_outputs

Only names differ: no tensor is transposed, split or joined.
"""

import re

import numpy as np

ENCODER = {  # ours: theirs, of a layer or a group of layers
    "embeddings.norm": "embeddings.LayerNorm",
    "attn.q_proj": "attention.self.query",
    "attn.k_proj": "attention.self.key",
    "attn.v_proj": "attention.self.value",
    "attn.out_proj": "attention.output.dense",
    "norm1": "attention.output.LayerNorm",
    "linear1": "intermediate.dense",
    "linear2": "output.dense",
    "norm2": "output.LayerNorm",
    "pooler": "pooler.dense",
}
HEADS = {
    "mlm.dense": "cls.predictions.transform.dense",
    "mlm.norm": "cls.predictions.transform.LayerNorm",
    "mlm": "cls.predictions",
    "nsp": "cls.seq_relationship",
    "classifier": "classifier",
    "qa_outputs": "qa_outputs",
}
OURS = {theirs: ours for ours, theirs in (ENCODER | HEADS).items()}
TIED = {
    "cls.predictions.decoder.weight": "embeddings.word_embeddings.weight",
    "cls.predictions.decoder.bias": "mlm.bias",
}

# What a checkpoint may hold beside the parameters, and need not: `dlfs convert` says so of each.
SKIPPED = {r"(bert\.)?embeddings\.(position_ids|token_type_ids)": "0, 1, 2, … and zeros, which are computed"}


def to_twin(state):
    """A state dict of ours in the names of transformers."""
    prefix = "bert." if any(name.startswith(tuple(HEADS)) for name in state) else ""
    theirs = {}
    for name, array in state.items():
        layer, _, kind = name.rpartition(".")
        block, place, rest = re.fullmatch(r"(layers\.(\d+)\.)?(.+)", layer).groups()
        if rest in HEADS:
            theirs[f"{HEADS[rest]}.{kind}"] = array
        else:
            block = f"encoder.layer.{place}." if block else ""
            theirs[f"{prefix}{block}{ENCODER.get(rest, rest)}.{kind}"] = array
    return theirs | {tied: state[name] for tied, name in TIED.items() if "mlm.bias" in state}


def from_twin(state):
    """A state dict of transformers, or gradients by its names, as ours; with `bert.` before the names or without it.

    In old checkpoints LayerNorm's parameters are gamma and beta. What it does not know keeps its name, as does a decoder that is not
    the same as the embedding.
    """
    ours = {}
    for name, array in state.items():
        layer, _, kind = name.removeprefix("bert.").rpartition(".")
        block, place, rest = re.fullmatch(r"(encoder\.layer\.(\d+)\.)?(.*)", layer).groups()
        if rest.endswith("LayerNorm"):
            kind = {"gamma": "weight", "beta": "bias"}.get(kind, kind)
        ours[".".join(filter(None, (f"layers.{place}" if block else "", OURS.get(rest, rest), kind)))] = array
    for tied, name in TIED.items():
        if tied in ours and name in ours and np.array_equal(ours[tied], ours[name]):
            del ours[tied]
    return ours


def transformers_bert(config):
    """The twin of a config: its forward takes and returns what ours does, and its loss is the one that transformers computes."""
    import torch
    import transformers

    base = {
        "none": transformers.BertModel,
        "pretraining": transformers.BertForPreTraining,
        "sequence": transformers.BertForSequenceClassification,
        "token": transformers.BertForTokenClassification,
        "qa": transformers.BertForQuestionAnswering,
    }[config.head]

    def run(self, input_ids, token_type_ids, attention_mask, **labels):
        tokens = dict(input_ids=input_ids, token_type_ids=token_type_ids, attention_mask=attention_mask)
        return base.forward(self, **tokens, **labels)

    def forward(self, input_ids, token_type_ids, attention_mask, masked_positions=None):
        found = run(self, input_ids, token_type_ids, attention_mask)
        if config.head == "pretraining":
            text = torch.arange(len(input_ids))[:, None]
            return found.prediction_logits[text, masked_positions], found.seq_relationship_logits
        return {
            "none": lambda: (found.last_hidden_state, found.pooler_output),
            "qa": lambda: (found.start_logits, found.end_logits),
        }.get(config.head, lambda: found.logits)()

    def loss(self, *batch):
        tokens, targets = batch[:3], batch[3:]
        if config.head == "pretraining":
            masked_positions, masked_ids, next_sentence = targets
            labels = torch.full_like(tokens[0], -100)  # (B, T)
            text, place = torch.nonzero(masked_ids != -100, as_tuple=True)
            labels[text, masked_positions[text, place]] = masked_ids[text, place]
            return run(self, *tokens, labels=labels, next_sentence_label=next_sentence).loss
        names = ("start_positions", "end_positions") if config.head == "qa" else ("labels",)
        return run(self, *tokens, **dict(zip(names, targets))).loss

    names = "vocab_size hidden_size num_hidden_layers num_attention_heads intermediate_size max_position_embeddings"
    sizes = {name: getattr(config, name) for name in (*names.split(), "type_vocab_size", "layer_norm_eps")}
    return type("Twin", (base,), {"forward": forward, "loss": loss})(
        transformers.BertConfig(
            **sizes,
            hidden_act="gelu" if config.gelu == "erf" else "gelu_pytorch_tanh",
            hidden_dropout_prob=config.dropout,
            attention_probs_dropout_prob=config.dropout,
            num_labels=config.num_labels,
            pad_token_id=None,  # its word embedding would be no other's equal: no gradient, and 0 at the start
        )
    )
