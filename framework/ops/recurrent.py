"""Recurrent layers over whole sequences: RNN, LSTM and GRU, one fused op for each layer and direction.

A sequence comes *packed*: the rows (R, I) of all time steps one after the other, the first batch_sizes[0] rows for step 0, and so on,
longest sequences first; so padding is never read. A plain batch (T, N, I) is the case in which all steps have N rows. Each op computes

    the inputs' part of the gates for a few steps in one product,  then step by step  h_t = f(inputs' part, h_{t−1}, …),

and backward, after as many steps of the walk through time, adds the product over their rows to each weight's gradient. States are kept
in one array with a row for every row of the sequence, and h_0 before them, or behind them where time runs backwards (`Plan`).

Gates are in PyTorch's order, each in a matrix of its own, (gates, R, H): every elementwise step then runs over contiguous memory.
σ(a) = ½ tanh(a/2) + ½, with the first ½ multiplied into the weights: so one call of tanh serves all gates.
Each op names its plain formula, which is what create_graph differentiates.
"""

import functools
from typing import NamedTuple

import numpy as np

from .. import backend
from ..precision import listed
from .define import op
from .dropout import dropout as drop
from .elementwise import relu, sigmoid, tanh
from .linalg import linear
from .shape import cat, stack

__all__ = ["gru", "gru_cell", "lstm", "lstm_cell", "rnn_relu", "rnn_relu_cell", "rnn_tanh", "rnn_tanh_cell"]


STEPS = 8  # of which gates are worked on at a time: enough for products at full speed, few enough for a core's cache


class Plan(NamedTuple):
    """Where the states lie in an array (R + N, H) of all of them; slices, or index arrays where lengths differ.

    initial: the N rows of h_0. outputs: the R rows in the sequence's order. final: where each sequence's last state is.
    chunks: in the order of computation, a few steps each: (rows of the sequence, rows of the states before them, steps);
    a step: (its rows, counted from the chunk's first; rows of their states; rows of the states before).
    """

    initial: slice
    outputs: slice
    final: object
    chunks: tuple


@functools.lru_cache(maxsize=64)
def make_plan(batch_sizes, reverse, xp=np):
    """The Plan for these sizes of the steps; its index arrays are of the array module xp."""
    N, R = batch_sizes[0], sum(batch_sizes)
    first_state, first_initial = (0, R) if reverse else (N, 0)
    place = first_initial + np.arange(N)  # of each sequence's latest state
    steps, previous, end = [], np.empty(R, np.int64), 0
    spans = [slice(end, end := end + b) for b in batch_sizes]
    for rows in reversed(spans) if reverse else spans:
        b, now = rows.stop - rows.start, slice(first_state + rows.start, first_state + rows.stop)
        steps.append((rows, now, _as_slice(place[:b].copy(), xp)))
        previous[rows] = place[:b]
        place[:b] = np.arange(now.start, now.stop)
    chunks = []
    for first in range(0, len(steps), STEPS):
        part = steps[first : first + STEPS]
        begin = min(rows.start for rows, _, _ in part)
        rows = slice(begin, max(rows.stop for rows, _, _ in part))
        local = tuple([(slice(rows.start - begin, rows.stop - begin), now, before) for rows, now, before in part])
        chunks.append((rows, _as_slice(previous[rows], xp), local))
    initial, outputs = slice(first_initial, first_initial + N), slice(first_state, first_state + R)
    return Plan(initial, outputs, _as_slice(place, xp), tuple(chunks))


def _as_slice(index, xp):
    """The same rows as a slice, where they follow each other."""
    if (np.diff(index) == 1).all():
        return slice(int(index[0]), int(index[-1]) + 1)
    return xp.asarray(index)


def _states(initial, plan):
    """The array (R + N, H) of all states, with the initial ones in place."""
    R = plan.outputs.stop - plan.outputs.start
    states = np.empty((R + len(initial), initial.shape[1]), initial.dtype, like=initial)
    states[plan.initial] = initial
    return states


def _state_gradients(g, g_final, states, plan):
    """The gradients of all states (R + N, H), so far, from those of the outputs and of the final states, if there are any."""
    d = np.zeros_like(states)
    if g is not None:
        d[plan.outputs] = g
    if g_final is not None:
        d[plan.final] += g_final
    return d


def _by_gate(w, *scales):
    """The weight (gates · H, F) of x wᵀ, or the bias (gates · H,), as (gates, F, H), or (gates, 1, H), each gate times its scale."""
    scales = np.array(scales, w.dtype, like=w).reshape((-1, 1, 1))
    return (w.reshape((len(scales), -1, w.shape[1])).mT if w.ndim == 2 else w.reshape((len(scales), 1, -1))) * scales


def _input_parts(gates, x, w_ih, biases, scales, plan):
    """Fill in x w_ihᵀ plus those biases that are there, by gate, in gates (gates, R, H), chunk by chunk; yields each chunk's part and steps."""
    w, biases = _by_gate(w_ih, *scales), [_by_gate(b, *scales) for b in biases if b is not None]
    for rows, _, steps in plan.chunks:
        part = gates[: len(w), rows]
        backend.array_module(x).matmul(x[rows], w, out=part)
        if biases:
            part += sum(biases)
        yield gates[:, rows], steps


def _to_sigmoid(*gates):
    """½ t + ½ in place, for t = tanh(a/2)."""
    for gate in gates:
        gate *= 0.5
        gate += 0.5


def _parameter_slopes(chunks, x, h, w_ih, needs):
    """The gradients of x and of w_ih, w_hh, b_ih, b_hh, those of them that are needed.

    chunks yields (rows of the sequence, rows of the states before, gradients of the gates' input part and hidden part, (gates, rows, H)).
    """
    slope_x, totals = np.empty_like(x) if needs[0] else None, [None] * 4
    for rows, before, d_input, d_hidden in chunks:
        if needs[0]:
            slope_x[rows] = sum(d @ w for d, w in zip(d_input, w_ih.reshape((len(d_input), -1, x.shape[1]))))
        parts = (
            d_input.mT @ x[rows] if needs[1] else None,
            d_hidden.mT @ h[before] if needs[2] else None,
            d_input.sum(axis=1) if needs[3] else None,
            d_hidden.sum(axis=1) if needs[4] else None,
        )
        totals = [part if total is None else total + part for total, part in zip(totals, parts)]
    gates = d_input.shape[0] * d_input.shape[2]
    return slope_x, *[None if t is None else t.reshape((gates, -1) if t.ndim == 3 else gates) for t in totals]


def _unrolled(cell, z, initial, plan):
    """The plain formula of a layer in ops on Tensors: cell(the step's rows of z, *states) → new states, step by step."""
    states, all_states, order = initial, [initial], [np.arange(plan.initial.start, plan.initial.stop)]
    for chunk, _, steps in plan.chunks:
        for rows, now, _ in steps:
            b, n = now.stop - now.start, len(states[0])
            states = tuple([s[:b] if b <= n else cat([s, s0[n:b]]) for s, s0 in zip(states, initial)])
            states = cell(z[chunk][rows], *states)
            all_states.append(states)
            order.append(np.arange(now.start, now.stop))
    places = np.argsort(np.concatenate(order))
    all_states = [cat(parts)[places] for parts in zip(*all_states)]  # each (R + N, H)
    return all_states[0][plan.outputs], *[s[plan.final] for s in all_states]


# --- RNN: h' = f(x w_ihᵀ + b_ih + h w_hhᵀ + b_hh), f = tanh or relu (Elman 1990) ---------------------------------------


def _rnn(x, h0, w_ih, w_hh, b_ih, b_hh, *, nonlinearity, plan):
    """x (R, I), h0 (N, H), w_ih (H, I), w_hh (H, H), biases (H,) or None → h (R, H), h_n (N, H)."""
    z, w, h = (
        np.empty_like(h0, shape=(1, len(x), len(w_hh))),
        w_hh.T.copy(order="C"),
        _states(h0, plan),
    )  # (1, R, H), (H, H), (R + N, H)
    for part, steps in _input_parts(z, x, w_ih, (b_ih, b_hh), (1,), plan):
        for rows, now, before in steps:
            a = part[0, rows] + h[before] @ w  # (b, H)
            h[now] = np.tanh(a) if nonlinearity == "tanh" else np.maximum(a, 0)
    return (h[plan.outputs], h[plan.final].copy()), h


def _rnn_slopes(g, y, saved, x, h0, w_ih, w_hh, b_ih, b_hh, nonlinearity, plan, needs):
    """δ_t = (∂y_t + δ_{t+1} w_hh) f'(a_t), with f' from f: 1 − h² for tanh, [h > 0] for relu."""
    h = saved
    dh = _state_gradients(*g, h, plan)  # (R + N, H)

    def walk():
        for chunk, previous, steps in reversed(plan.chunks):
            d = np.empty_like(h, shape=(1, chunk.stop - chunk.start, h.shape[1]))  # (1, chunk, H)
            for rows, now, before in reversed(steps):
                d[0, rows] = dh[now] * ((1 - h[now] * h[now]) if nonlinearity == "tanh" else h[now] > 0)
                dh[before] += d[0, rows] @ w_hh
            yield chunk, previous, d, d

    slope_x, *slopes = _parameter_slopes(walk(), x, h, w_ih, (needs[0], *needs[2:]))
    return slope_x, dh[plan.initial], *slopes


def _rnn_formula(x, h0, w_ih, w_hh, b_ih, b_hh, nonlinearity, plan):
    cell = functools.partial(_rnn_step, w_hh=w_hh, b_hh=b_hh, nonlinearity=nonlinearity)
    return _unrolled(cell, linear(x, w_ih, b_ih), (h0,), plan)


def _rnn_step(z, h, w_hh, b_hh, nonlinearity):
    a = z + linear(h, w_hh, b_hh)
    return (tanh(a) if nonlinearity == "tanh" else relu(a),)


_rnn_layer = op("rnn", _rnn, backward=_rnn_slopes, composite=_rnn_formula)

# --- LSTM (Hochreiter & Schmidhuber 1997; forget gate: Gers, Schmidhuber & Cummins 2000) --------------------------------
#     i, f, o = σ(…), g = tanh(…) of x w_ihᵀ + b_ih + h w_hhᵀ + b_hh;   c' = f c + i g;   h' = o tanh(c')


def _lstm(x, h0, c0, w_ih, w_hh, b_ih, b_hh, *, plan):
    """x (R, I), h0, c0 (N, H), w_ih (4H, I), w_hh (4H, H), biases (4H,) or None → h (R, H), h_n (N, H), c_n (N, H)."""
    scales, tanh_ = (0.5, 0.5, 1, 0.5), backend.array_module(x).tanh
    w = _by_gate(w_hh, *scales).copy(order="C")  # (4, H, H)
    gates = np.empty_like(h0, shape=(4, len(x), h0.shape[1]))  # (4, R, H)
    h, c = _states(h0, plan), _states(c0, plan)  # (R + N, H)
    for part, steps in _input_parts(gates, x, w_ih, (b_ih, b_hh), scales, plan):
        for rows, now, before in steps:
            a = part[:, rows]  # (4, b, H)
            a += h[before] @ w
            tanh_(a, out=a)
            i, f, g, o = a
            _to_sigmoid(a[:2], o)
            c[now] = f * c[before] + i * g
            h[now] = o * np.tanh(c[now])
    return (h[plan.outputs], h[plan.final].copy(), c[plan.final].copy()), (gates, h, c)


def _lstm_slopes(g, y, saved, x, h0, c0, w_ih, w_hh, b_ih, b_hh, plan, needs):
    """Backward through time; y is named so that a change of it in place is noticed."""
    gates, h, c = saved
    g_outputs, g_h, g_c = g
    dh, dc = _state_gradients(g_outputs, g_h, h, plan), _state_gradients(None, g_c, c, plan)  # (R + N, H)
    w = w_hh.reshape((4, -1, h0.shape[1]))  # (4, H, H)

    def walk():
        for chunk, previous, steps in reversed(plan.chunks):
            z = gates[:, chunk]
            d = np.empty_like(z)  # (4, chunk, H), of the gates before their σ and tanh
            for rows, now, before in reversed(steps):
                a, da = z[:, rows], d[:, rows]  # (4, b, H)
                (i, f, g, o), (di, df, dg, do) = a, da
                da[...] = 1 - a
                da *= a  # σ' = σ (1 − σ)
                dg += 1 - g  # tanh' = (1 + g) (1 − g)
                tanh_c = np.tanh(c[now])
                dc[now] += dh[now] * o * (1 - tanh_c * tanh_c)
                do *= tanh_c * dh[now]
                di *= g
                df *= c[before]
                dg *= i
                da[:3] *= dc[now]
                dc[before] += f * dc[now]
                dh[before] += (da @ w).sum(axis=0)
            yield chunk, previous, d, d

    slope_x, *slopes = _parameter_slopes(walk(), x, h, w_ih, (needs[0], *needs[3:]))
    return slope_x, dh[plan.initial], dc[plan.initial], *slopes


def _lstm_formula(x, h0, c0, w_ih, w_hh, b_ih, b_hh, plan):
    return _unrolled(functools.partial(_lstm_step, w_hh=w_hh, b_hh=b_hh), linear(x, w_ih, b_ih), (h0, c0), plan)


def _lstm_step(z, h, c, w_hh, b_hh):
    i, f, g, o = (z + linear(h, w_hh, b_hh)).chunk(4, 1)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(c), c


_lstm_layer = op("lstm", _lstm, backward=_lstm_slopes, composite=_lstm_formula)

# --- GRU (Cho et al. 2014; the reset gate after the product, as in PyTorch and cuDNN) ----------------------------------
#     r, z = σ(…), n = tanh(x w_inᵀ + b_in + r (h w_hnᵀ + b_hn));   h' = (1 − z) n + z h


def _gru(x, h0, w_ih, w_hh, b_ih, b_hh, *, plan):
    """x (R, I), h0 (N, H), w_ih (3H, I), w_hh (3H, H), biases (3H,) or None → h (R, H), h_n (N, H)."""
    scales, tanh_ = (0.5, 0.5, 1), backend.array_module(x).tanh
    w = _by_gate(w_hh, *scales).copy(order="C")  # (3, H, H)
    b = None if b_hh is None else _by_gate(b_hh, *scales)  # (3, 1, H)
    gates = np.empty_like(h0, shape=(4, len(x), h0.shape[1]))  # (4, R, H): r, z, n, and h's part of n
    h = _states(h0, plan)  # (R + N, H)
    for part, steps in _input_parts(gates, x, w_ih, (b_ih,), scales, plan):
        for rows, now, before in steps:
            hidden = h[before] @ w  # (3, b, H)
            if b is not None:
                hidden += b
            a = part[:, rows]  # (4, b, H)
            rz, (r, z, n, hidden_n) = a[:2], a
            rz += hidden[:2]
            tanh_(rz, out=rz)
            _to_sigmoid(rz)
            hidden_n[...] = hidden[2]
            n += r * hidden_n
            tanh_(n, out=n)
            h[now] = n + z * (h[before] - n)
    return (h[plan.outputs], h[plan.final].copy()), (gates, h)


def _gru_slopes(g, y, saved, x, h0, w_ih, w_hh, b_ih, b_hh, plan, needs):
    """Backward through time; y is named so that a change of it in place is noticed."""
    gates, h = saved
    dh, w = _state_gradients(*g, h, plan), w_hh.reshape((3, -1, h0.shape[1]))  # (R + N, H), (3, H, H)

    def walk():
        for chunk, previous, steps in reversed(plan.chunks):
            part = gates[:, chunk]
            d_input, d_hidden = (
                np.empty_like(part[:3]),
                np.empty_like(part[:3]),
            )  # (3, chunk, H), of x's and h's part of the gates
            for rows, now, before in reversed(steps):
                r, z, n, hidden_n = part[:, rows]  # (b, H)
                dr, dz, dn = d_input[:, rows]
                kept = dh[now] * z  # what h' passes on to h
                dn[...] = (dh[now] - kept) * (1 - n * n)
                dz[...] = (h[before] - n) * kept * (1 - z)
                dr[...] = dn * hidden_n * r * (1 - r)
                d_hidden[:, rows] = d_input[:, rows]
                d_hidden[2, rows] *= r
                dh[before] += kept
                dh[before] += (d_hidden[:, rows] @ w).sum(axis=0)
            yield chunk, previous, d_input, d_hidden

    slope_x, *slopes = _parameter_slopes(walk(), x, h, w_ih, (needs[0], *needs[2:]))
    return slope_x, dh[plan.initial], *slopes


def _gru_formula(x, h0, w_ih, w_hh, b_ih, b_hh, plan):
    return _unrolled(functools.partial(_gru_step, w_hh=w_hh, b_hh=b_hh), linear(x, w_ih, b_ih), (h0,), plan)


def _gru_step(input_part, h, w_hh, b_hh):
    x_r, x_z, x_n = input_part.chunk(3, 1)
    h_r, h_z, h_n = linear(h, w_hh, b_hh).chunk(3, 1)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    n = tanh(x_n + r * h_n)
    return (n + z * (h - n),)


_gru_layer = op("gru", _gru, backward=_gru_slopes, composite=_gru_formula)

# --- PyTorch's functions: layers and directions around the ops ----------------------------------------------------------


def _sequence(name, layer, gates, count, args):
    """All layers and directions of an RNN, for both of PyTorch's forms of the call; returns the output and the final states.

    layer(x, *states, w_ih, w_hh, b_ih, b_hh, plan=…) is the op, `count` how many states it has, `gates` how many times H its weights are.
    """
    packed = isinstance(args[3], (tuple, list))
    if packed:
        x, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional = args
        batch_sizes = tuple([int(b) for b in batch_sizes.tolist()])
        if (
            not batch_sizes
            or list(batch_sizes) != sorted(batch_sizes, reverse=True)
            or batch_sizes[-1] < 1
            or sum(batch_sizes) != len(x)
        ):
            raise RuntimeError(
                f"{name}: batch_sizes must fall from step to step and add up to the {len(x)} rows of the packed data, got {batch_sizes}"
            )
    else:
        x, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first = args
        if x.ndim != 3:
            raise RuntimeError(
                f"{name}: the input must have three dimensions, (T, N, I) or with batch_first (N, T, I), got {tuple(x.shape)}"
            )
        x = x.transpose(0, 1) if batch_first else x
        T, N, I = x.shape
        if T == 0:
            raise RuntimeError(f"{name}: the sequence has no steps, input {tuple(x.shape)}")
        x, batch_sizes = x.reshape(T * N, I), (N,) * T
    states = (hx,) if count == 1 else tuple(hx)
    directions = 2 if bidirectional else 1
    per_layer = 4 if has_biases else 2
    _check(name, x, states, params, gates, count, num_layers * directions, per_layer, batch_sizes[0])
    plans = [make_plan(batch_sizes, reverse, backend.array_module(x.array)) for reverse in (False, True)]
    final = []
    for number in range(num_layers):
        outputs = []
        for direction in range(directions):
            k = number * directions + direction
            weights = (*params[k * per_layer : (k + 1) * per_layer], *(None,) * (4 - per_layer))
            y, *last = layer(x, *[s[k] for s in states], *weights, plan=plans[direction])
            outputs.append(y)
            final.append(last)
        x = outputs[0] if directions == 1 else cat(outputs, 1)
        if dropout and train and number < num_layers - 1:
            x = drop(x, dropout)
    if not packed:
        x = x.reshape(T, N, -1)
        x = x.transpose(0, 1) if batch_first else x
    return x, *[stack(parts) for parts in zip(*final)]


def _check(name, x, states, params, gates, count, layers, per_layer, N):
    """Shapes of the states and weights of every layer and direction."""
    if len(params) != layers * per_layer:
        raise RuntimeError(
            f"{name}: {layers} layers and directions with {per_layer} weights each need {layers * per_layer}, got {len(params)}; "
            "projections (proj_size) are not supported"
        )
    H = params[1].shape[1]
    if len(states) != count:
        raise RuntimeError(f"{name}: hx must hold {count} states, got {len(states)}")
    for s in states:
        if tuple(s.shape) != (layers, N, H):
            raise RuntimeError(
                f"{name}: a state has shape {tuple(s.shape)}, expected {(layers, N, H)}: (layers · directions, batch, hidden)"
            )
    if tuple(params[0].shape) != (gates * H, x.shape[1]):
        raise RuntimeError(
            f"{name}: weight_ih {tuple(params[0].shape)} must be {(gates * H, x.shape[1])} for an input of {x.shape[1]} features"
        )
    for value in (*states, *params):
        if value.dtype != x.dtype:
            raise RuntimeError(
                f"{name}: dtypes {x.dtype} and {value.dtype} differ; convert one of them with .to(dtype)"
            )


@listed
def lstm(*args):
    """lstm(input, (h0, c0), params, has_biases, num_layers, dropout, train, bidirectional, batch_first) → output, h_n, c_n.

    input (T, N, I), or (N, T, I) with batch_first; states (layers · directions, N, H); params: w_ih, w_hh(, b_ih, b_hh) of every layer and
    direction; output (T, N, directions · H). Or for packed sequences lstm(data, batch_sizes, (h0, c0), params, has_biases, num_layers,
    dropout, train, bidirectional) with data (R, I) → (R, directions · H), h_n, c_n. As torch.lstm; what nn.LSTM calls.
    """
    return _sequence("lstm", _lstm_layer, 4, 2, args)


@listed
def gru(*args):
    """gru(input, h0, params, has_biases, num_layers, dropout, train, bidirectional, batch_first) → output, h_n; shapes as in lstm."""
    return _sequence("gru", _gru_layer, 3, 1, args)


@listed
def rnn_tanh(*args):
    """rnn_tanh(input, h0, params, has_biases, num_layers, dropout, train, bidirectional, batch_first) → output, h_n; shapes as in lstm."""
    return _sequence("rnn_tanh", functools.partial(_rnn_layer, nonlinearity="tanh"), 1, 1, args)


@listed
def rnn_relu(*args):
    """As rnn_tanh with relu."""
    return _sequence("rnn_relu", functools.partial(_rnn_layer, nonlinearity="relu"), 1, 1, args)


@listed
def lstm_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """One step: input (N, I) or (I,), hx = (h, c) each (N, H) or (H,) → (h', c')."""
    return _one_step(_lstm_step, input, hx, w_ih, w_hh, b_ih, b_hh)


@listed
def gru_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """One step: input (N, I) or (I,), hx (N, H) or (H,) → h'."""
    return _one_step(_gru_step, input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]


@listed
def rnn_tanh_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """One step: input (N, I) or (I,), hx (N, H) or (H,) → h'."""
    return _one_step(functools.partial(_rnn_step, nonlinearity="tanh"), input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]


@listed
def rnn_relu_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """As rnn_tanh_cell with relu."""
    return _one_step(functools.partial(_rnn_step, nonlinearity="relu"), input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]


def _one_step(step, input, states, w_ih, w_hh, b_ih, b_hh):
    if input.ndim == 1:
        states = step(linear(input, w_ih, b_ih).unsqueeze(0), *[s.unsqueeze(0) for s in states], w_hh=w_hh, b_hh=b_hh)
        return tuple([s.squeeze(0) for s in states])
    return step(linear(input, w_ih, b_ih), *states, w_hh=w_hh, b_hh=b_hh)
