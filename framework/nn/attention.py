"""Multi-head attention (Vaswani et al. 2017, section 3.2)."""

from . import functional as F
from . import init
from .linear import Linear
from .module import Module
from .parameter import empty

__all__ = ["MultiheadAttention"]


class MultiheadAttention(Module):
    """softmax(Q Kᵀ / √d) V for several heads: query (T, B, E), key (S, B, kdim), value (S, B, vdim) → (T, B, E); batch_first: (B, T, E) ….

    Returns the output and, with need_weights, the attention weights (B, T, S), averaged over the heads, or (B, heads, T, S).
    The three input projections are one parameter, in_proj_weight (3E, E), where key and value are as wide as the query.
    Masks are boolean, True where attention is not allowed, or floating point, added to the scores.
    """

    def __init__(
        self, embed_dim, num_heads, dropout=0.0, bias=True, add_bias_kv=False, add_zero_attn=False, kdim=None, vdim=None,
        batch_first=False, device=None, dtype=None,
    ):  # fmt: skip
        super().__init__()
        if embed_dim <= 0 or num_heads <= 0 or embed_dim % num_heads:
            raise ValueError(
                f"MultiheadAttention: embed_dim={embed_dim} must be a multiple of num_heads={num_heads}, both above 0"
            )
        self.embed_dim, self.num_heads, self.head_dim = embed_dim, num_heads, embed_dim // num_heads
        self.kdim, self.vdim = embed_dim if kdim is None else kdim, embed_dim if vdim is None else vdim
        self.dropout, self.batch_first, self.add_zero_attn = dropout, batch_first, add_zero_attn
        self._qkv_same_embed_dim = self.kdim == self.vdim == embed_dim
        factory = dict(device=device, dtype=dtype)
        one = self._qkv_same_embed_dim
        self.register_parameter("q_proj_weight", None if one else empty((embed_dim, embed_dim), **factory))
        self.register_parameter("k_proj_weight", None if one else empty((embed_dim, self.kdim), **factory))
        self.register_parameter("v_proj_weight", None if one else empty((embed_dim, self.vdim), **factory))
        self.register_parameter("in_proj_weight", empty((3 * embed_dim, embed_dim), **factory) if one else None)
        self.register_parameter("in_proj_bias", empty(3 * embed_dim, **factory) if bias else None)
        self.out_proj = Linear(embed_dim, embed_dim, bias=bias, **factory)
        self.bias_k = empty((1, 1, embed_dim), **factory) if add_bias_kv else None
        self.bias_v = empty((1, 1, embed_dim), **factory) if add_bias_kv else None
        self._reset_parameters()

    def _reset_parameters(self):
        """Xavier uniform for the input projections, as one matrix or three; biases zero."""
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    def forward(
        self, query, key, value, key_padding_mask=None, need_weights=True, attn_mask=None, average_attn_weights=True, is_causal=False
    ):  # fmt: skip
        turned = self.batch_first and query.ndim == 3
        if turned:  # (B, T, E) → (T, B, E), and the same tensor thrice stays the same
            if key is value:
                if query is key:
                    query = key = value = query.transpose(0, 1)
                else:
                    query, key = query.transpose(0, 1), key.transpose(0, 1)
                    value = key
            else:
                query, key, value = (x.transpose(0, 1) for x in (query, key, value))
        output, weights = F.multi_head_attention_forward(
            query, key, value, self.embed_dim, self.num_heads, self.in_proj_weight, self.in_proj_bias, self.bias_k, self.bias_v,
            self.add_zero_attn, self.dropout, self.out_proj.weight, self.out_proj.bias,
            training=self.training,
            key_padding_mask=key_padding_mask,
            need_weights=need_weights,
            attn_mask=attn_mask,
            use_separate_proj_weight=not self._qkv_same_embed_dim,
            q_proj_weight=self.q_proj_weight,
            k_proj_weight=self.k_proj_weight,
            v_proj_weight=self.v_proj_weight,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
        )  # fmt: skip
        return (output.transpose(0, 1) if turned else output), weights
