"""What the guide traces: a GPT-2 of two blocks over eleven tokens, one forward pass with a loss, and two tokens that it writes."""

import torch

TEXT = torch.tensor([[3, 1, 4, 1, 5]])


def small(attention):
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    sizes = dict(vocab_size=11, n_positions=16, n_embd=8, n_layer=2, n_head=2)
    return GPT2LMHeadModel(GPT2Config(**sizes, bos_token_id=None, eos_token_id=None, attn_implementation=attention))


def forward():
    return small("eager"), (TEXT, None, None, None, None, None, None, None, TEXT, False)  # labels, and no cache


def generate():
    from transformers import GenerationConfig

    return small("sdpa"), (TEXT, GenerationConfig(max_new_tokens=2, do_sample=True, top_k=5)), "generate"
