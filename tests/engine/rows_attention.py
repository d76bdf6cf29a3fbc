"""Rows of scaled_dot_product_attention and multi_head_attention_forward."""

import numpy as np

from tests.engine.table import boolean, fails, given, integer, real, row

ROWS, FAILS = [], []


def attention(**settings):
    return lambda T, q, k, v, mask=None: T.nn.functional.scaled_dot_product_attention(q, k, v, mask, **settings)


Q, K, V = real(1, 2, 3, 2), real(1, 2, 4, 2), real(1, 2, 4, 3)  # batch 1, heads 2, T 3, S 4
SOME = given(np.arange(12).reshape(3, 4) % 5 != 1)
NOWHERE = given(np.array([[True] * 4, [False] * 4, [False] * 3 + [True]]))
MINUS = given(np.where(np.arange(12).reshape(3, 4) % 5 == 1, -np.inf, 0.5), grad=False)
ROWS += [
    row("nn.functional.scaled_dot_product_attention", attention(), Q, K, V),
    row("nn.functional.scaled_dot_product_attention causal", attention(is_causal=True), Q, K, V),
    row("nn.functional.scaled_dot_product_attention causal square", attention(is_causal=True), K, K, V),
    row("nn.functional.scaled_dot_product_attention causal tall", attention(is_causal=True), K, Q, real(1, 2, 3, 3)),
    row(
        "nn.functional.scaled_dot_product_attention of itself",
        lambda T, x: attention(is_causal=True)(T, x, x, x),
        Q,
        second=False,
    ),  # PyTorch has no second derivative there
    row("nn.functional.scaled_dot_product_attention scale", attention(scale=0.7), Q, K, V),
    row("nn.functional.scaled_dot_product_attention matrices", attention(), real(3, 2), real(4, 2), real(4, 3)),
    row(
        "nn.functional.scaled_dot_product_attention one batch",
        attention(is_causal=True),
        real(2, 3, 2),
        real(2, 4, 2),
        real(2, 4, 1),
    ),
    row(
        "nn.functional.scaled_dot_product_attention broadcast",
        attention(),
        real(2, 2, 3, 1),
        real(1, 2, 4, 1),
        real(2, 1, 4, 1),
    ),
    row("nn.functional.scaled_dot_product_attention broadcast query", attention(), real(1, 1, 3, 2), K, V),
    row("nn.functional.scaled_dot_product_attention mask", attention(), Q, K, V, SOME),
    row(
        "nn.functional.scaled_dot_product_attention mask of float32",
        lambda T, q, k, v: T.nn.functional.scaled_dot_product_attention(
            q, k, v, T.ones(3, 4, dtype=T.float32, device=q.device).triu(1)
        ),
        Q,
        K,
        V,
    ),
    row(
        "nn.functional.scaled_dot_product_attention mask of a row",
        attention(),
        Q,
        K,
        V,
        given(np.array([[[[True] * 3 + [False]]]])),
    ),
    row(
        "nn.functional.scaled_dot_product_attention mask of heads",
        attention(),
        Q,
        K,
        V,
        given(np.arange(24).reshape(2, 3, 4) % 5 != 1),
    ),
    row("nn.functional.scaled_dot_product_attention nowhere", attention(), Q, K, V, NOWHERE),
    row("nn.functional.scaled_dot_product_attention bias", attention(), Q, K, V, real(3, 4)),
    row("nn.functional.scaled_dot_product_attention bias of heads", attention(), Q, K, V, real(2, 1, 4)),
    row("nn.functional.scaled_dot_product_attention bias −∞", attention(), Q, K, V, MINUS),
    row(
        "nn.functional.scaled_dot_product_attention bias −∞ everywhere",
        attention(),
        Q,
        K,
        V,
        given(np.full((3, 4), -np.inf), grad=False),
    ),
    row(
        "nn.functional.scaled_dot_product_attention loud",
        lambda T, q, k, v: attention(is_causal=True)(T, q * 30, k * 10, v),
        Q,
        K,
        V,
        numerical=False,
        tolerance=100,
    ),
    row(
        "nn.functional.scaled_dot_product_attention loud mask",
        lambda T, q, k, v, m: attention()(T, q * 30, k * 10, v, m),
        Q,
        K,
        V,
        NOWHERE,
        numerical=False,
        tolerance=100,
    ),
    row("nn.functional.scaled_dot_product_attention grouped", attention(enable_gqa=True), real(1, 4, 3, 2), K, V),
    row(
        "nn.functional.scaled_dot_product_attention no keys",
        attention(),
        Q,
        real(1, 2, 0, 2),
        real(1, 2, 0, 3),
        second=False,
    ),
    row("nn.functional.scaled_dot_product_attention no queries", attention(), real(1, 2, 0, 2), K, V, second=False),
    row(
        "nn.functional.scaled_dot_product_attention dropout",
        attention(dropout_p=0.5),
        Q,
        K,
        V,
        values=False,
        gradient=False,
    ),
]
FAILS += [
    fails(
        "nn.functional.scaled_dot_product_attention rank",
        attention(),
        real(5),
        real(5),
        real(5),
        match="two dimensions",
    ),
    fails(
        "nn.functional.scaled_dot_product_attention widths",
        attention(),
        Q,
        real(1, 2, 4, 3),
        V,
        match=r"query \(1, 2, 3, 2\), key \(1, 2, 4, 3\)",
    ),
    fails(
        "nn.functional.scaled_dot_product_attention heads",
        attention(),
        Q,
        real(1, 3, 4, 2),
        real(1, 3, 4, 2),
        match="broadcast",
    ),
    fails(
        "nn.functional.scaled_dot_product_attention groups",
        attention(enable_gqa=True),
        Q,
        real(1, 3, 4, 2),
        real(1, 3, 4, 2),
        match="multiple",
    ),
    fails(
        "nn.functional.scaled_dot_product_attention both", attention(is_causal=True), Q, K, V, SOME, match="not both"
    ),
    fails(
        "nn.functional.scaled_dot_product_attention mask",
        attention(),
        Q,
        K,
        V,
        boolean(4, 5),
        match=r"attn_mask \(4, 5\)",
    ),
    fails("nn.functional.scaled_dot_product_attention mask dtype", attention(), Q, K, V, integer(3, 4), match="int64"),
    fails(
        "nn.functional.scaled_dot_product_attention dtypes",
        lambda T, q, k, v: attention()(T, q.to(T.float64), k, v),
        Q,
        K,
        V,
        match="float64, float32",
    ),
    fails(
        "nn.functional.scaled_dot_product_attention integers",
        attention(),
        integer(2, 3),
        integer(2, 3),
        integer(2, 3),
        match="int64",
    ),
    fails(
        "nn.functional.scaled_dot_product_attention dropout",
        attention(dropout_p=1.5),
        Q,
        K,
        V,
        match="1.5",
        raises=ValueError,
    ),
]

# --- with its projections: width 6, 2 heads, T = 4, S = 5, B = 3 ---

W, B, OUT, BIAS = real(18, 6, high=0.7), real(18), real(6, 6, high=0.7), real(6)


def heads(need_weights=True, separate=False, **settings):
    def function(T, query, key, value, w, b, out, bias, *rest):
        settings_ = dict(zip(settings, rest)) | {name: value for name, value in settings.items() if value is not None}
        weights = (
            dict(use_separate_proj_weight=True, q_proj_weight=w, k_proj_weight=w[:, :4], v_proj_weight=w[:, :3])
            if separate
            else {}
        )
        extra = [settings_.pop(name, None) for name in ("bias_k", "bias_v")]
        zero, p = settings_.pop("add_zero_attn", False), settings_.pop("dropout_p", 0.0)
        return T.nn.functional.multi_head_attention_forward(
            query,
            key,
            value,
            6,
            2,
            None if separate else w,
            b,
            *extra,
            zero,
            p,
            out,
            bias,
            need_weights=need_weights,
            **weights,
            **settings_,
        )[: 2 if need_weights else 1]

    return function


X, S = real(4, 3, 6), real(5, 3, 6)
PADDING = given(np.array([[False] * 5, [False, False, True, True, True], [False] * 4 + [True]]))
FUTURE = given(np.triu(np.ones((4, 5), bool), 2))
name = "nn.functional.multi_head_attention_forward"
# PyTorch's fused attention has no second derivative; the engine's is checked above, and here by the one small row with central differences
for need_weights in (True, False):
    options = dict(second=need_weights, numerical=False)
    f = lambda need_weights=need_weights, **settings: heads(need_weights, **settings)
    plain = f()
    label = f"{name} {'with' if need_weights else 'without'} weights"
    ROWS += [
        row(f"{label}, self", lambda T, x, *rest, plain=plain: plain(T, x, x, x, *rest), X, W, B, OUT, BIAS, **options),
        row(
            f"{label}, cross",
            lambda T, x, s, *rest, plain=plain: plain(T, x, s, s, *rest),
            X,
            S,
            W,
            B,
            OUT,
            BIAS,
            **options,
        ),
        row(f"{label}, three", plain, X, S, S, W, B, OUT, BIAS, **options),
        row(
            f"{label}, one sequence",
            lambda T, x, *rest, plain=plain: plain(T, x, x, x, *rest),
            real(4, 6),
            W,
            B,
            OUT,
            BIAS,
            **options,
        ),
        row(
            f"{label}, no biases",
            lambda T, x, s, w, out, plain=plain: plain(T, x, s, s, w, None, out, None),
            X,
            S,
            W,
            OUT,
            **options,
        ),
        row(f"{label}, separate", f(separate=True), X, real(5, 3, 4), real(5, 3, 3), OUT, B, OUT, BIAS, **options),
        row(f"{label}, padding", f(key_padding_mask=None), X, S, S, W, B, OUT, BIAS, PADDING, **options),
        row(f"{label}, mask", f(attn_mask=None), X, S, S, W, B, OUT, BIAS, FUTURE, **options),
        row(f"{label}, mask of floats", f(attn_mask=None), X, S, S, W, B, OUT, BIAS, real(4, 5), **options),
        row(
            f"{label}, mask of heads",
            f(attn_mask=None),
            X,
            S,
            S,
            W,
            B,
            OUT,
            BIAS,
            given(np.arange(120).reshape(6, 4, 5) % 7 == 3),
            **options,
        ),
        row(
            f"{label}, mask and padding",
            f(attn_mask=None, key_padding_mask=None),
            X,
            S,
            S,
            W,
            B,
            OUT,
            BIAS,
            FUTURE,
            PADDING,
            **options,
        ),
        row(
            f"{label}, one sequence, padding",
            f(key_padding_mask=None),
            real(4, 6),
            real(5, 6),
            real(5, 6),
            W,
            B,
            OUT,
            BIAS,
            given([False, True, False, False, True]),
            **options,
        ),
        row(
            f"{label}, causal",
            f(attn_mask=None, is_causal=True),
            S,
            S,
            S,
            W,
            B,
            OUT,
            BIAS,
            given(np.triu(np.ones((5, 5), bool), 1)),
            **options,
        ),
        row(
            f"{label}, bias_k",
            f(bias_k=None, bias_v=None, key_padding_mask=None),
            X,
            S,
            S,
            W,
            B,
            OUT,
            BIAS,
            real(1, 1, 6),
            real(1, 1, 6),
            PADDING,
            **options,
        ),
        row(f"{label}, zero", f(attn_mask=None, add_zero_attn=True), X, S, S, W, B, OUT, BIAS, FUTURE, **options),
        row(
            f"{label}, static",
            f(static_k=None, static_v=None),
            X,
            S,
            S,
            W,
            B,
            OUT,
            BIAS,
            real(6, 2, 3),
            real(6, 2, 3),
            **options,
        ),
        row(f"{label}, eval", f(dropout_p=0.5, training=False), X, S, S, W, B, OUT, BIAS, **options),
        row(f"{label}, dropout", f(dropout_p=0.5), X, S, S, W, B, OUT, BIAS, values=False, gradient=False),
    ]


def small(need_weights):
    """Width 2, one head."""
    return lambda T, x, s, w, b, out, bias: T.nn.functional.multi_head_attention_forward(
        x, s, s, 2, 1, w, b, None, None, False, 0.0, out, bias, need_weights=need_weights
    )[: 1 + need_weights]


ROWS += [
    row(f"{name} weights of heads", heads(average_attn_weights=False), X, S, S, W, B, OUT, BIAS, numerical=False),
    row(
        f"{name} weights of heads, one sequence",
        heads(average_attn_weights=False),
        real(4, 6),
        real(5, 6),
        real(5, 6),
        W,
        B,
        OUT,
        BIAS,
        numerical=False,
    ),
    row(f"{name} small", small(True), real(2, 1, 2), real(3, 1, 2), real(6, 2), real(6), real(2, 2), real(2)),
    row(
        f"{name} small, without weights",
        small(False),
        real(2, 1, 2),
        real(3, 1, 2),
        real(6, 2),
        real(6),
        real(2, 2),
        real(2),
        second=False,
    ),
]
R = dict(raises=(RuntimeError,))
FAILS += [
    fails(f"{name} rank", heads(), X, S, real(5, 6), W, B, OUT, BIAS, match="length, batch, width", **R),
    fails(f"{name} width", heads(), real(4, 3, 4), S, S, W, B, OUT, BIAS, match="must be 6", **R),
    fails(f"{name} key", heads(), X, S, real(4, 3, 6), W, B, OUT, BIAS, match="same shape", **R),
    fails(f"{name} batch", heads(), X, real(5, 2, 6), real(5, 2, 6), W, B, OUT, BIAS, match="batches differ", **R),
    fails(
        f"{name} padding",
        heads(key_padding_mask=None),
        X,
        S,
        S,
        W,
        B,
        OUT,
        BIAS,
        boolean(3, 4),
        match=r"must be \(3, 5\), not \(3, 4\)",
        **R,
    ),
    fails(
        f"{name} mask",
        heads(attn_mask=None),
        X,
        S,
        S,
        W,
        B,
        OUT,
        BIAS,
        boolean(5, 4),
        match=r"\(4, 5\) or \(6, 4, 5\), not \(5, 4\)",
        **R,
    ),
    fails(
        f"{name} mask dtype",
        heads(attn_mask=None),
        X,
        S,
        S,
        W,
        B,
        OUT,
        BIAS,
        integer(4, 5),
        match="boolean or floating",
        **R,
    ),
    fails(f"{name} causal", heads(is_causal=True), X, S, S, W, B, OUT, BIAS, match="attn_mask"),
]
