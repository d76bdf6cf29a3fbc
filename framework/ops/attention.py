"""Attention: softmax(Q Kᵀ / √d) V (Vaswani et al. 2017, section 3.2)."""

import math

import numpy as np

from .. import threads
from ..backend import array_module
from ..precision import listed
from ..tensor import Tensor
from .activation import is_small, sum_along
from .creation import zeros
from .define import op
from .dropout import dropout, keep_mask
from .linalg import baddbmm, bmm, linear
from .shape import cat

# --- one head, or many side by side -----------------------------------------------------------------------------------


BLOCK = 1 << 16  # scores that are worked on together: 256 KB in float32, which stay in a core's cache
PASSES = 16  # over the scores, as which exp and the products count, to tell what is worth a thread
LONG = 4  # with more than so many times as many keys as a key has features, backward computes the weights anew


def _for_parts(function, shape, *arrays):
    """function(take) for parts of the batch, the scores' first axis, on several threads: take(x) is the part's share of an array.

    The parts are the same whatever the number of threads. One is all, where an array broadcasts along the batch or is not NumPy's.
    """
    size, step = math.prod(shape), max(1, BLOCK // max(1, math.prod(shape[1:])))
    if (
        len(shape) < 3
        or shape[0] <= step
        or arrays[0].__class__ is not np.ndarray
        or any(x.shape[:-2] != shape[:-2] for x in arrays)
    ):
        return function(lambda x: x)

    def take(first):
        return lambda x: x[first : first + step] if x is not None and x.ndim == len(shape) and len(x) == shape[0] else x

    firsts = range(0, shape[0], step)
    threads.products_in_slices(
        lambda chosen: [function(take(first)) for first in firsts[chosen]], len(firsts), PASSES * size
    )


def _scores(out, q, k, bias, scale):
    """scale · Q Kᵀ + bias, (…, T, S), into `out`."""
    array_module(q).matmul(q * scale, k.mT, out=out)
    if bias is not None:
        out += bias
    return out


def _to_weights(scores, keep):
    """scores become exp(scores − m) where keep, 0 elsewhere, on arrays: attention's weights before they are divided by their sum. Gives m.

    As in softmax the shift m is free: 0 where all scores are small, else the row's maximum, which is slow to find.
    """
    if is_small(scores):
        np.exp(scores, out=scores)
        if keep is not None:
            scores *= keep
        return 0
    if keep is not None:
        scores[...] = np.where(keep, scores, -np.inf)
    m = scores.max(axis=-1, keepdims=True)
    m = np.where(np.isinf(m), 0, m).astype(m.dtype)
    scores -= m
    np.exp(scores, out=scores)
    return m


def _attention_forward(q, k, v, bias, keep, *, scale, dropped):
    """Y = P V / Σ P with P = exp(scale · Q Kᵀ + bias); saved are P and the rows' sums.

    Of many keys P would be most of what is kept; then log Σ P is kept alone (Dao et al. 2022, arXiv:2205.14135, section 3.1).
    """
    masks = [x.shape[:-2] for x in (bias, keep) if x is not None]
    leading = np.broadcast_shapes(q.shape[:-2], k.shape[:-2], *masks)
    shape = (*leading, q.shape[-2], k.shape[-2])
    p = None if dropped is None and k.shape[-2] > LONG * k.shape[-1] else np.empty(shape, q.dtype, like=q)
    total = np.empty((*shape[:-1], 1), q.dtype, like=q)
    # In q's order in memory, so that joining the heads again copies nothing.
    y = np.empty_like(q, shape=(*np.broadcast_shapes(leading, v.shape[:-2]), q.shape[-2], v.shape[-1]))

    def attend(take):
        sums = take(total)
        part = _like_scores(sums, k) if p is None else take(p)
        m = _to_weights(_scores(part, take(q), take(k), take(bias), scale), take(keep))
        sums[...] = sum_along(part, -1)  # (…, T, 1)
        sums += sums == 0  # a row that may look nowhere gives 0
        values = (part if dropped is None else part * take(dropped)) @ take(v)  # (…, T, E)
        np.divide(values, sums, out=take(y))
        if p is None:
            np.log(sums, out=sums)
            sums += m

    _for_parts(attend, shape, q, k, v, y)
    return y, (p, total)


def _like_scores(total, k):
    """An array for the scores of these rows (…, T, 1) with the keys (…, S, E)."""
    return np.empty((*total.shape[:-1], k.shape[-2]), total.dtype, like=total)


def _attention_slopes(g, saved, q, k, v, bias, keep, y, scale, dropped, needs):
    """With G = g / Σ P: ∂V = Pᵀ G, and ∂(scores) = P ∘ (G Vᵀ − rowsum(G ∘ Y)), from which Q, K and the bias get theirs."""
    p, total = saved
    shape = (*total.shape[:-1], k.shape[-2])
    dq, dk, dv, ds = (
        np.empty((*y.shape[:-2], *last), y.dtype, like=y) if needed else None
        for last, needed in zip((q.shape[-2:], k.shape[-2:], v.shape[-2:], shape[-2:]), needs)
    )
    matmul = array_module(y).matmul

    hidden = None if keep is None else np.where(keep, 0, -np.inf).astype(q.dtype)

    def weights(take):
        """P / Σ P = exp(scores − log Σ P)."""
        part = _scores(_like_scores(take(total), k), take(q), take(k), take(bias), scale)
        if keep is not None:
            part += take(hidden)
        part -= take(total)
        return np.exp(part, out=part)

    def slopes(take):
        part, G = (weights(take), take(g)) if p is None else (take(p), take(g) / take(total))
        if dv is not None:
            matmul((part if dropped is None else part * take(dropped)).mT, G, out=take(dv))
        S = matmul(G, take(v).mT, out=take(ds))
        if dropped is not None:
            S *= take(dropped)
        S -= sum_along(G * take(y), -1)
        S *= part
        if dq is not None:
            matmul(S, take(k), out=take(dq))
            np.multiply(take(dq), scale, out=take(dq))
        if dk is not None:
            matmul(S.mT, take(q), out=take(dk))
            np.multiply(take(dk), scale, out=take(dk))

    _for_parts(slopes, shape, q, k, v, y, g)
    return dq, dk, dv, ds, None


def _attention_plainly(q, k, v, bias, keep, *, scale, dropped):
    """The same in plain ops."""
    scores = q @ k.mT * scale
    if bias is not None:
        scores = scores + bias
    if keep is not None:
        scores = scores.masked_fill(~keep, -math.inf)
    m = scores.array.max(axis=-1, keepdims=True) if scores.numel() else np.zeros((), scores.dtype, like=scores.array)
    p = np.exp(scores - np.where(np.isinf(m), 0, m).astype(m.dtype))
    total = p.sum(axis=-1, keepdims=True)
    p = p / (total + (total.array == 0))
    return (p if dropped is None else p * dropped) @ v


_attention = op(
    "scaled_dot_product_attention",
    _attention_forward,
    backward=_attention_slopes,
    composite=_attention_plainly,
    broadcasts=True,
)


@listed
def scaled_dot_product_attention(
    query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False
):
    """softmax(scale · Q Kᵀ + mask) V: query (…, T, E), key (…, S, E), value (…, S, Ev) → (…, T, Ev); leading dimensions broadcast.

    attn_mask: broadcast to (…, T, S); boolean, True where a position may be looked at, or floating point, added to the scores.
    A row that may look nowhere gives 0. is_causal: position t looks at 0 … t. scale: 1/√E if None. dropout_p acts always: 0 outside training.
    enable_gqa: the query has a multiple of the heads (dimension −3) of key and value, each of which serves several.
    """
    name = "scaled_dot_product_attention"
    shapes = f"query {tuple(query.shape)}, key {tuple(key.shape)}, value {tuple(value.shape)}"
    if min(query.ndim, key.ndim, value.ndim) < 2:
        raise RuntimeError(f"{name}: {shapes}: each needs at least two dimensions")
    if not query.dtype == key.dtype == value.dtype or query.dtype.kind != "f":
        raise RuntimeError(
            f"{name}: query, key and value must have one floating-point dtype, not {query.dtype}, {key.dtype}, {value.dtype}"
        )
    if attn_mask is not None and attn_mask.dtype not in (np.bool_, np.float32, query.dtype):
        raise RuntimeError(f"{name}: attn_mask must be boolean, float32 or {query.dtype}, not {attn_mask.dtype}")
    if is_causal and attn_mask is not None:
        raise RuntimeError(f"{name}: give attn_mask or is_causal, not both")
    if not 0 <= dropout_p <= 1:
        raise ValueError(f"{name}: dropout_p is a probability, between 0 and 1, not {dropout_p}")
    if enable_gqa:
        times, rest = divmod(query.shape[-3], key.shape[-3])
        if rest or key.shape[-3] != value.shape[-3]:
            raise RuntimeError(
                f"{name}: {shapes}: the query's heads, dimension −3, must be a multiple of those of key and value"
            )
        key, value = key.repeat_interleave(times, -3), value.repeat_interleave(times, -3)
    t, s = query.shape[-2], key.shape[-2]
    bias = keep = dropped = None
    if is_causal:
        keep = Tensor(np.tri(t, s, dtype=bool, like=query.array))
    elif attn_mask is not None:
        bias, keep = (None, attn_mask) if attn_mask.dtype == np.bool_ else (attn_mask.to(query.dtype), None)
    try:
        if query.shape[-1] != key.shape[-1] or s != value.shape[-2]:
            raise ValueError
        leading = np.broadcast_shapes(
            query.shape[:-2], key.shape[:-2], () if attn_mask is None else attn_mask.shape[:-2]
        )
        np.broadcast_shapes((*leading, t, s), () if attn_mask is None else attn_mask.shape)
        np.broadcast_shapes(leading, value.shape[:-2])
    except ValueError:
        mask = "" if attn_mask is None else f", attn_mask {tuple(attn_mask.shape)}"
        raise RuntimeError(
            f"{name}: {shapes}{mask}: they must be (…, T, E), (…, S, E), (…, S, Ev), (…, T, S), and broadcast in front"
        ) from None
    if dropout_p:
        dropped = keep_mask(query.array, (*leading, t, s), dropout_p)
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    return _attention(query, key, value, bias, keep, scale=scale, dropped=dropped)


# --- with its projections ---------------------------------------------------------------------------------------------


def _projections(query, key, value, weights, bias):
    """Q, K and V: each input through its own weight; what is the same tensor and the same weight matrix goes through once."""
    if isinstance(weights, Tensor):  # (3E, E), for all three
        if query is key is value:
            return linear(query, weights, bias).chunk(3, -1)
        weights = weights.chunk(3)
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    return tuple([linear(x, weight, b) for x, weight, b in zip((query, key, value), weights, biases, strict=True)])


def _additive(name, mask, dtype):
    """A mask whose True forbids, as what is added to the scores: −inf where it forbids."""
    if mask is None or mask.dtype.kind == "f":
        return mask
    if mask.dtype != np.bool_:
        raise RuntimeError(f"multi_head_attention_forward: {name} must be boolean or floating point, not {mask.dtype}")
    return zeros(tuple(mask.shape), dtype=dtype, device=mask.device).masked_fill(mask, -math.inf)


def _check_shapes(query, key, value, heads, width, padding, mask, separate):
    shapes = (
        f"multi_head_attention_forward: query {tuple(query.shape)}, key {tuple(key.shape)}, value {tuple(value.shape)}"
    )
    if not query.ndim == key.ndim == value.ndim or query.ndim not in (2, 3):
        raise RuntimeError(f"{shapes}: all must be (length, batch, width), or all (length, width)")
    if query.shape[-1] != width or width % heads:
        raise RuntimeError(f"{shapes}: the query's width must be {width}, and a multiple of the {heads} heads")
    if key.shape[:-1] != value.shape[:-1] or not separate and key.shape != value.shape:
        raise RuntimeError(
            f"{shapes}: key and value must have the same shape, but for their widths with separate weights"
        )
    batch = query.shape[1:-1]
    if key.shape[1:-1] != batch:
        raise RuntimeError(f"{shapes}: the batches differ")
    t, s = query.shape[0], key.shape[0]
    if padding is not None and tuple(padding.shape) != (*batch, s):
        raise RuntimeError(f"{shapes}: key_padding_mask must be {(*batch, s)}, not {tuple(padding.shape)}")
    if mask is not None and tuple(mask.shape) not in ((t, s), (math.prod(batch) * heads, t, s)):
        raise RuntimeError(
            f"{shapes}: attn_mask must be {(t, s)} or {(math.prod(batch) * heads, t, s)}, not {tuple(mask.shape)}"
        )


def multi_head_attention_forward(
    query, key, value, embed_dim_to_check, num_heads, in_proj_weight, in_proj_bias, bias_k, bias_v, add_zero_attn, dropout_p,
    out_proj_weight, out_proj_bias, training=True, key_padding_mask=None, need_weights=True, attn_mask=None,
    use_separate_proj_weight=False, q_proj_weight=None, k_proj_weight=None, v_proj_weight=None, static_k=None, static_v=None,
    average_attn_weights=True, is_causal=False,
):  # fmt: skip
    """Multi-head attention: query (T, B, E), key (S, B, K), value (S, B, V) → (T, B, E), and the weights or None; or all without B.

    in_proj_weight (3E, E) projects all three; with use_separate_proj_weight, q_proj_weight (E, E), k_proj_weight (E, K), v_proj_weight (E, V).
    bias_k, bias_v (1, 1, E): one more key and value, the same for all; add_zero_attn: one more of zeros. static_k, static_v (B·heads, S, E/heads):
    in place of the projected ones. Masks forbid where True, or are added to the scores: key_padding_mask (B, S), attn_mask (T, S) or (B·heads, T, S).
    The weights are (B, T, S), averaged over the heads, or (B, heads, T, S). is_causal is a hint that attn_mask, which must be given, is causal.
    """
    _check_shapes(
        query, key, value, num_heads, embed_dim_to_check, key_padding_mask, attn_mask, use_separate_proj_weight
    )
    if is_causal and attn_mask is None:
        raise RuntimeError("multi_head_attention_forward: is_causal is only a hint; give the causal attn_mask as well")
    batched = query.ndim == 3
    if not batched:
        same = query is key, key is value
        query = query.unsqueeze(1)
        key = query if same[0] else key.unsqueeze(1)
        value = key if same[1] else value.unsqueeze(1)
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    t, b, width = query.shape
    head = width // num_heads
    weights = (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else in_proj_weight
    q, k, v = _projections(query, key, value, weights, in_proj_bias)  # (T, B, E), (S, B, E)
    causal = is_causal and key_padding_mask is None and not need_weights and bias_k is None and not add_zero_attn
    padding = _additive("key_padding_mask", key_padding_mask, q.dtype)
    mask = None if causal else _additive("attn_mask", attn_mask, q.dtype)
    if bias_k is not None and bias_v is not None:
        k, v = cat([k, bias_k.expand(1, b, width)]), cat([v, bias_v.expand(1, b, width)])
    q = q.reshape(t, b * num_heads, head).transpose(0, 1)  # (B·heads, T, head)
    k = k.reshape(k.shape[0], b * num_heads, head).transpose(0, 1) if static_k is None else static_k
    v = v.reshape(v.shape[0], b * num_heads, head).transpose(0, 1) if static_v is None else static_v
    if add_zero_attn:
        nothing = zeros(k.shape[0], 1, head, dtype=k.dtype, device=k.device)
        k, v = cat([k, nothing], 1), cat([v, nothing], 1)
    s = k.shape[1]
    mask, padding = _widened(mask, s), _widened(padding, s)
    if padding is not None:
        padding = padding.reshape(b, 1, 1, s).expand(b, num_heads, 1, s).reshape(b * num_heads, 1, s)
        mask = padding if mask is None else mask + padding
    dropout_p = dropout_p if training else 0.0
    if need_weights:
        q = q * (1 / math.sqrt(head))
        scores = bmm(q, k.mT) if mask is None else baddbmm(mask, q, k.mT)
        p = dropout(scores.softmax(-1), dropout_p)
        output = bmm(p, v)  # (B·heads, T, head)
    else:
        output = scaled_dot_product_attention(q, k, v, mask, dropout_p, causal)
    output = linear(output.transpose(0, 1).reshape(t, b, width), out_proj_weight, out_proj_bias)
    if not need_weights:
        return (output if batched else output.squeeze(1)), None
    p = p.reshape(b, num_heads, t, s)
    p = p.mean(1) if average_attn_weights else p
    return (output, p) if batched else (output.squeeze(1), p.squeeze(0))


def _widened(mask, size):
    """A mask with zeros, nothing forbidden, for the keys that were added at the end."""
    if mask is None or mask.shape[-1] == size:
        return mask
    return cat([mask, zeros(*mask.shape[:-1], size - mask.shape[-1], dtype=mask.dtype, device=mask.device)], -1)
