"""Another pooling for timm's Vision Transformer: a mean of the patches, weighted by a learned query."""

import math

import torch
import torch.nn as nn


class QueryPool(nn.Module):
    """A mean over the tokens, whose weights are how well each fits a query; the query is learnt and starts at 0."""

    def __init__(self, dim):
        super().__init__()
        self.query = nn.Parameter(torch.zeros(dim))

    def forward(self, x):  # (B, N, D)
        """The pooled tokens, (B, D)."""
        scores = x @ self.query / math.sqrt(x.shape[-1])  # (B, N)
        weights = torch.softmax(scores, dim=1)  # (B, N)
        return (weights[:, :, None] * x).sum(dim=1)  # (B, D)


def pool_by_query(model):
    """The same model with QueryPool for its pooling, where and as its weights are."""
    model.attn_pool = QueryPool(model.embed_dim).to(device=model.cls_token.device, dtype=model.cls_token.dtype)
    return model
