"""Sentences as unit vectors, by transformers' BERT and a mean that leaves the padding out."""

import torch
import torch.nn as nn
import torch.nn.functional as F


def masked_mean(h, attention_mask):  # (B, T, C), (B, T)
    """The mean over the tokens that are no padding, (B, C)."""
    kept = attention_mask[:, :, None].to(h.dtype)  # (B, T, 1)
    return (h * kept).sum(dim=1) / kept.sum(dim=1)


class SentenceEncoder(nn.Module):
    """A BertModel, with or without its pooler, as a function from sentences to unit vectors."""

    def __init__(self, bert):
        super().__init__()
        self.bert = bert

    def forward(self, input_ids, attention_mask):  # (B, T), (B, T)
        """The sentences' vectors, each of length 1; (B, C)."""
        outputs = self.bert(input_ids=input_ids, attention_mask=attention_mask)
        return F.normalize(masked_mean(outputs.last_hidden_state, attention_mask), dim=-1)


def contrastive_loss(a, b, temperature=0.05):  # (B, C), (B, C)
    """Which sentence of b belongs to each of a: the mean cross entropy among all of the batch; ()."""
    logits = a @ b.T / temperature  # (B, B)
    return F.cross_entropy(logits, torch.arange(len(a), device=a.device))
