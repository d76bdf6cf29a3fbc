"""The production twins, transformers' GPT2LMHeadModel and OpenAIGPTLMHeadModel; and the names and layouts of their checkpoints.

ours                            transformers, GPT-2 and GPT-1
wte.weight                      transformer.wte.weight; GPT-1: transformer.tokens_embed.weight
wpe.weight                      transformer.wpe.weight; GPT-1: transformer.positions_embed.weight
h.0.attn.{q,k,v}_proj.weight    transformer.h.0.attn.c_attn.weight: side by side (C, 3C), and transposed: Conv1D computes x W
h.0.attn.out_proj.weight        transformer.h.0.attn.c_proj.weight, transposed
h.0.mlp.fc.weight               transformer.h.0.mlp.c_fc.weight, transposed
h.0.mlp.proj.weight             transformer.h.0.mlp.c_proj.weight, transposed
                                lm_head.weight: the same tensor as wte.weight
"""

import re

import numpy as np

GPT1_NAMES = {"tokens_embed.weight": "wte.weight", "positions_embed.weight": "wpe.weight"}
TRANSPOSED = {"attn.c_proj": "attn.out_proj", "mlp.c_fc": "mlp.fc", "mlp.c_proj": "mlp.proj"}
QKV = ("attn.q_proj", "attn.k_proj", "attn.v_proj")

# What a checkpoint may hold beside the parameters, and need not: `dlfs convert` says so of each.
SKIPPED = {
    r"(transformer\.)?h\.\d+\.attn\.(masked_)?bias": "the causal mask, which is computed",
    r"(transformer\.)?position_ids": "0, 1, 2, …, which are computed",
}


def to_twin(state):
    """A state dict of ours in the names and layout of transformers."""
    gpt1 = "ln_f.weight" not in state
    names = {ours: theirs for theirs, ours in GPT1_NAMES.items()} if gpt1 else {}
    theirs = {}
    for name, array in state.items():
        layer, dot, kind = name.rpartition(".")
        if layer.endswith(QKV[0]):
            block = layer.removesuffix(QKV[0])
            parts = [state[f"{block}{each}.{kind}"] for each in QKV]
            theirs[f"transformer.{block}attn.c_attn.{kind}"] = np.concatenate([part.T for part in parts], axis=-1)
        elif not layer.endswith(QKV):
            for new, old in TRANSPOSED.items():
                if layer.endswith(old):
                    layer, array = layer.removesuffix(old) + new, array.T
            theirs[f"transformer.{names.get(name, layer + dot + kind)}"] = array
    return theirs | {"lm_head.weight": state["wte.weight"]}


def from_twin(state):
    """A state dict of transformers, or gradients by its names, as ours; with `transformer.` before the names or without it.

    What it does not know keeps its name, as does an lm_head.weight that is not the same as the embedding.
    """
    ours = {}
    for name, array in state.items():
        name = name.removeprefix("transformer.")
        name = GPT1_NAMES.get(name, name)
        layer, _, kind = name.rpartition(".")
        if layer.endswith("attn.c_attn") and kind in ("weight", "bias"):
            block = layer.removesuffix("attn.c_attn")
            ours |= {f"{block}{each}.{kind}": part.T for each, part in zip(QKV, np.array_split(array, 3, axis=-1))}
            continue
        for old, new in TRANSPOSED.items():
            if re.fullmatch(rf"h\.\d+\.{re.escape(old)}", layer):
                name, array = f"{layer.removesuffix(old)}{new}.{kind}", array.T
        ours[name] = array
    head = ours.get("lm_head.weight")
    if head is not None and "wte.weight" in ours and np.array_equal(head, ours["wte.weight"]):
        del ours["lm_head.weight"]
    return ours


def transformers_gpt(config):
    """The twin of a config, without dropout in its attention where ours has none."""
    import torch.nn.functional as F
    import transformers

    def logits(self, x):
        return super(type(self), self).forward(input_ids=x).logits

    def loss(self, x, targets):
        return F.cross_entropy(self(x).flatten(0, 1), targets.flatten())

    base, config_of = (
        (transformers.GPT2LMHeadModel, transformers.GPT2Config)
        if config.norm == "pre"
        else (transformers.OpenAIGPTLMHeadModel, transformers.OpenAIGPTConfig)
    )
    twin = type("Twin", (base,), {"forward": logits, "loss": loss})
    sizes = dict(
        vocab_size=config.vocab_size, n_positions=config.block_size, n_embd=config.n_embd, n_layer=config.n_layer
    )
    rates = dict.fromkeys(("embd_pdrop", "attn_pdrop", "resid_pdrop"), config.dropout)
    return twin(config_of(**sizes, **rates, n_head=config.n_head, bos_token_id=None, eos_token_id=None))


def from_nanogpt(state):
    """A state dict of Karpathy's nanoGPT: transformers' names, but for nn.Linear, so that nothing is transposed."""
    linear = re.compile(r"(transformer\.)?h\.\d+\.(attn\.c_attn|attn\.c_proj|mlp\.c_fc|mlp\.c_proj)\.weight")
    return from_twin({name: array.T if linear.fullmatch(name) else array for name, array in state.items()})


LAYOUTS = {"nanoGPT": from_nanogpt}  # beside ours and the twin's
