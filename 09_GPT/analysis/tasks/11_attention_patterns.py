"""Where GPT-2's heads look, and how much they bring back: an attention function of our own in transformers."""

import torch
import torch.nn.functional as F
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

NAME = "contributions"


def contribution_attention(module, query, key, value, attention_mask, scaling=None, dropout=0.0, **kwargs):
    """What attention returns (B, T, N, D), and how long the vector is that each token sends to each (B, N, T, S).

    query (B, N, T, D), key and value (B, N, S, D); attention_mask is added to the scores. Kobayashi et al. 2020.
    """
    N, D = query.shape[1], query.shape[3]
    scaling = D**-0.5 if scaling is None else scaling
    scores = query @ key.transpose(2, 3) * scaling  # (B, N, T, S)
    if attention_mask is not None:
        scores = scores + attention_mask
    weights = torch.softmax(scores, dim=-1)  # (B, N, T, S)
    y = F.dropout(weights, dropout, module.training) @ value  # (B, N, T, D)
    sent = value @ module.c_proj.weight.view(N, D, -1)  # (B, N, S, C)
    return y.transpose(1, 2).contiguous(), weights * sent.norm(dim=-1)[:, :, None, :]


def register():
    """Enter the function in transformers' table, and under the same name how its mask is made."""
    AttentionInterface.register(NAME, contribution_attention)
    AttentionMaskInterface.register(NAME, eager_mask)


def patterns(model, input_ids):  # (1, T)
    """The second result of `contribution_attention` in every block for one text, (L, N, T, T); the model is left as it was."""
    register()
    before, training = model.config._attn_implementation, model.training
    model.set_attn_implementation(NAME)
    model.eval()
    try:
        with torch.no_grad():
            found = model(input_ids, output_attentions=True).attentions  # L of (1, N, T, T)
    finally:
        model.set_attn_implementation(before)
        model.train(training)
    return torch.cat(found)


def tile(maps):  # (L, N, T, T)
    """The squares of all heads in one picture, (L T + L - 1, N T + N - 1), 1 is white; each head's largest value is 0, black."""
    L, N, T, _ = maps.shape
    picture = maps.new_ones(L, T + 1, N, T + 1)
    largest = maps.amax(dim=(2, 3), keepdim=True).clamp(min=1e-12)  # (L, N, 1, 1)
    picture[:, :T, :, :T] = (1 - maps / largest).transpose(1, 2)
    return picture.reshape(L * (T + 1), N * (T + 1))[:-1, :-1]
