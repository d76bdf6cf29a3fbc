"""Recurrent layers over whole sequences: RNN, LSTM and GRU, one fused op for each layer and direction.

A sequence comes *packed*: the rows (R, I) of all time steps one after the other, the first batch_sizes[0] rows for step 0, and so on,
longest sequences first; so padding is never read. A plain batch (T, N, I) is the case in which all steps have N rows. Each op computes

    the inputs' part of the gates for all steps in one product,  then step by step  h_t = f(inputs' part, h_{t−1}, …),

and backward, after the walk through time, takes each weight's gradient in one product over all rows. States are kept in one array with
a row for every row of the sequence, and h_0 before them, or behind them where time runs backwards (`Plan`).

Gates are in PyTorch's order. σ(a) = ½ tanh(a/2) + ½, with the first ½ multiplied into the weights: then all gates are one call of tanh.
Each op names its plain formula, which is what create_graph differentiates.
"""

import functools
from typing import NamedTuple

import numpy as np

from .. import backend
from .define import op
from .dropout import dropout as drop
from .elementwise import relu, sigmoid, tanh
from .linalg import linear
from .shape import cat, stack

__all__ = ["gru", "gru_cell", "lstm", "lstm_cell", "rnn_relu", "rnn_relu_cell", "rnn_tanh", "rnn_tanh_cell"]


class Plan(NamedTuple):
    """Where the states lie in an array (R + N, H) of all of them; slices, or index arrays where lengths differ.

    initial: the N rows of h_0. outputs: the R rows in the sequence's order. final: where each sequence's last state is.
    previous: for each of the R rows, where the state before it is.
    steps: in the order of computation (rows of the sequence, rows of their states, rows of the states before).
    """

    initial: slice
    outputs: slice
    final: object
    previous: object
    steps: tuple


@functools.lru_cache(maxsize=64)
def make_plan(batch_sizes, reverse, xp=np):
    """The Plan for these sizes of the steps; its index arrays are of the array module xp."""
    N, R = batch_sizes[0], sum(batch_sizes)
    first_state, first_initial = (0, R) if reverse else (N, 0)
    place = first_initial + np.arange(N)  # of each sequence's latest state
    steps, previous, begin = [], np.empty(R, np.int64), 0
    spans = [(begin := begin + b) - b for b in batch_sizes]
    for begin, b in list(zip(spans, batch_sizes))[:: -1 if reverse else 1]:
        rows, states = slice(begin, begin + b), slice(first_state + begin, first_state + begin + b)
        steps.append((rows, states, _as_slice(place[:b].copy(), xp)))
        previous[rows] = place[:b]
        place[:b] = np.arange(states.start, states.stop)
    initial, outputs = slice(first_initial, first_initial + N), slice(first_state, first_state + R)
    return Plan(initial, outputs, _as_slice(place, xp), _as_slice(previous, xp), tuple(steps))


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


def _halved(scales, H, *parameters):
    """The gates' weights and biases, rows multiplied by their gate's scale: ½ for a sigmoid, 1 for a tanh. None stays None."""
    scale = np.repeat(scales, H)
    return [w if w is None else (w.T * np.array(scale, w.dtype, like=w)).T for w in parameters]


def _input_part(x, w_ih, *biases):
    """x w_ihᵀ plus those biases that are there: (R, gates)."""
    z = x @ w_ih.T
    for b in biases:
        if b is not None:
            z += b
    return z


def _gates(a, count):
    """Each gate's part, (b, H), of (b, count · H); views."""
    return a.reshape((len(a), count, -1)).swapaxes(0, 1)


def _to_sigmoid(*gates):
    """½ t + ½ in place, for t = tanh(a/2)."""
    for gate in gates:
        gate *= 0.5
        gate += 0.5


def _parameter_slopes(d_input, d_hidden, x, h, w_ih, plan, needs):
    """The gradients of x and of w_ih, w_hh, b_ih, b_hh from those of the gates' two parts, (R, gates); needs: of these five."""
    return (
        d_input @ w_ih if needs[0] else None,
        d_input.T @ x if needs[1] else None,
        d_hidden.T @ h[plan.previous] if needs[2] else None,
        d_input.sum(axis=0) if needs[3] else None,
        d_hidden.sum(axis=0) if needs[4] else None,
    )


def _unrolled(cell, z, initial, plan):
    """The plain formula of a layer in ops on Tensors: cell(the step's rows of z, *states) → new states, step by step."""
    states, all_states, order = initial, [initial], [np.arange(plan.initial.start, plan.initial.stop)]
    for rows, now, _ in plan.steps:
        b, n = rows.stop - rows.start, len(states[0])
        states = tuple([s[:b] if b <= n else cat([s, s0[n:b]]) for s, s0 in zip(states, initial)])
        states = cell(z[rows], *states)
        all_states.append(states)
        order.append(np.arange(now.start, now.stop))
    places = np.argsort(np.concatenate(order))
    all_states = [cat(parts)[places] for parts in zip(*all_states)]  # each (R + N, H)
    return all_states[0][plan.outputs], *[s[plan.final] for s in all_states]


# --- RNN: h' = f(x w_ihᵀ + b_ih + h w_hhᵀ + b_hh), f = tanh or relu (Elman 1990) ---------------------------------------


def _rnn(x, h0, w_ih, w_hh, b_ih, b_hh, *, nonlinearity, plan):
    """x (R, I), h0 (N, H), w_ih (H, I), w_hh (H, H), biases (H,) or None → h (R, H), h_n (N, H)."""
    z, w, h = _input_part(x, w_ih, b_ih, b_hh), w_hh.T.copy(order="C"), _states(h0, plan)
    for rows, now, before in plan.steps:
        a = z[rows] + h[before] @ w  # (b, H)
        h[now] = np.tanh(a) if nonlinearity == "tanh" else np.maximum(a, 0)
    return (h[plan.outputs], h[plan.final].copy()), h


def _rnn_slopes(g, y, saved, x, h0, w_ih, w_hh, b_ih, b_hh, nonlinearity, plan, needs):
    """δ_t = (∂y_t + δ_{t+1} w_hh) f'(a_t), with f' from f: 1 − h² for tanh, [h > 0] for relu."""
    h = saved
    dh = _state_gradients(*g, h, plan)
    d = np.empty_like(y)  # (R, H)
    for rows, now, before in reversed(plan.steps):
        d[rows] = dh[now] * ((1 - h[now] * h[now]) if nonlinearity == "tanh" else h[now] > 0)
        dh[before] += d[rows] @ w_hh
    slope_x, *slopes = _parameter_slopes(d, d, x, h, w_ih, plan, (needs[0], *needs[2:]))
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
    xp, H = backend.array_module(x), h0.shape[1]
    w_ih, w_hh, b_ih, b_hh = _halved((0.5, 0.5, 1, 0.5), H, w_ih, w_hh, b_ih, b_hh)
    gates, w = _input_part(x, w_ih, b_ih, b_hh), w_hh.T.copy(order="C")  # (R, 4H), (H, 4H)
    h, c = _states(h0, plan), _states(c0, plan)  # (R + N, H)
    for rows, now, before in plan.steps:
        a = gates[rows]  # (b, 4H)
        a += h[before] @ w
        xp.tanh(a, out=a)
        i, f, g, o = _gates(a, 4)  # (b, H)
        _to_sigmoid(a[:, : 2 * H], o)
        c[now] = f * c[before] + i * g
        h[now] = o * np.tanh(c[now])
    return (h[plan.outputs], h[plan.final].copy(), c[plan.final].copy()), (gates, h, c)


def _lstm_slopes(g, y, saved, x, h0, c0, w_ih, w_hh, b_ih, b_hh, plan, needs):
    """Backward through time, with σ' = σ − σ² and tanh' = 1 − tanh²; y is named so that a change of it in place is noticed."""
    gates, h, c = saved
    g_outputs, g_h, g_c = g
    dh, dc = _state_gradients(g_outputs, g_h, h, plan), _state_gradients(None, g_c, c, plan)  # (R + N, H)
    d = np.empty_like(gates)  # (R, 4H), of the gates before their σ and tanh
    for rows, now, before in reversed(plan.steps):
        a, da = gates[rows], d[rows]  # (b, 4H)
        (i, f, g, o), (di, df, dg, do) = _gates(a, 4), _gates(da, 4)  # (b, H)
        da[...] = a - a * a
        dg[...] = 1 - g * g
        tanh_c = np.tanh(c[now])
        do *= tanh_c * dh[now]
        dc_now = dh[now] * o * (1 - tanh_c * tanh_c) + dc[now]
        di *= g * dc_now
        df *= c[before] * dc_now
        dg *= i * dc_now
        dc[before] += f * dc_now
        dh[before] += da @ w_hh
    slope_x, *slopes = _parameter_slopes(d, d, x, h, w_ih, plan, (needs[0], *needs[3:]))
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
    xp, H = backend.array_module(x), h0.shape[1]
    w_ih, w_hh, b_ih, b_hh = _halved((0.5, 0.5, 1), H, w_ih, w_hh, b_ih, b_hh)
    gates, w, h = _input_part(x, w_ih, b_ih), w_hh.T.copy(order="C"), _states(h0, plan)  # (R, 3H), (H, 3H), (R + N, H)
    hidden_n = np.empty((len(x), H), x.dtype, like=x)  # h w_hnᵀ + b_hn
    for rows, now, before in plan.steps:
        hidden = h[before] @ w  # (b, 3H)
        if b_hh is not None:
            hidden += b_hh
        a = gates[rows]  # (b, 3H)
        r, z, n = _gates(a, 3)  # (b, H)
        rz = a[:, : 2 * H]
        rz += hidden[:, : 2 * H]
        xp.tanh(rz, out=rz)
        _to_sigmoid(rz)
        hidden_n[rows] = hidden[:, 2 * H :]
        n += r * hidden_n[rows]
        xp.tanh(n, out=n)
        h[now] = n + z * (h[before] - n)
    return (h[plan.outputs], h[plan.final].copy()), (gates, hidden_n, h)


def _gru_slopes(g, y, saved, x, h0, w_ih, w_hh, b_ih, b_hh, plan, needs):
    """Backward through time, with σ' = σ − σ² and tanh' = 1 − tanh²; y is named so that a change of it in place is noticed."""
    gates, hidden_n, h = saved
    H, dh = h0.shape[1], _state_gradients(*g, h, plan)  # (R + N, H)
    d_input, d_hidden = np.empty_like(gates), np.empty_like(gates)  # (R, 3H), of x's and h's part of the gates
    for rows, now, before in reversed(plan.steps):
        (r, z, n), (dr, dz, dn) = _gates(gates[rows], 3), _gates(d_input[rows], 3)  # (b, H)
        kept = dh[now] * z  # what h' passes on to h
        dn[...] = (dh[now] - kept) * (1 - n * n)
        dz[...] = dh[now] * (h[before] - n) * (z - z * z)
        dr[...] = dn * hidden_n[rows] * (r - r * r)
        d_hidden[rows] = d_input[rows]
        d_hidden[rows, 2 * H :] *= r
        dh[before] += kept
        dh[before] += d_hidden[rows] @ w_hh
    slope_x, *slopes = _parameter_slopes(d_input, d_hidden, x, h, w_ih, plan, (needs[0], *needs[2:]))
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


def lstm(*args):
    """lstm(input, (h0, c0), params, has_biases, num_layers, dropout, train, bidirectional, batch_first) → output, h_n, c_n.

    input (T, N, I), or (N, T, I) with batch_first; states (layers · directions, N, H); params: w_ih, w_hh(, b_ih, b_hh) of every layer and
    direction; output (T, N, directions · H). Or for packed sequences lstm(data, batch_sizes, (h0, c0), params, has_biases, num_layers,
    dropout, train, bidirectional) with data (R, I) → (R, directions · H), h_n, c_n. As torch.lstm; what nn.LSTM calls.
    """
    return _sequence("lstm", _lstm_layer, 4, 2, args)


def gru(*args):
    """gru(input, h0, params, has_biases, num_layers, dropout, train, bidirectional, batch_first) → output, h_n; shapes as in lstm."""
    return _sequence("gru", _gru_layer, 3, 1, args)


def rnn_tanh(*args):
    """rnn_tanh(input, h0, params, has_biases, num_layers, dropout, train, bidirectional, batch_first) → output, h_n; shapes as in lstm."""
    return _sequence("rnn_tanh", functools.partial(_rnn_layer, nonlinearity="tanh"), 1, 1, args)


def rnn_relu(*args):
    """As rnn_tanh with relu."""
    return _sequence("rnn_relu", functools.partial(_rnn_layer, nonlinearity="relu"), 1, 1, args)


def lstm_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """One step: input (N, I) or (I,), hx = (h, c) each (N, H) or (H,) → (h', c')."""
    return _one_step(_lstm_step, input, hx, w_ih, w_hh, b_ih, b_hh)


def gru_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """One step: input (N, I) or (I,), hx (N, H) or (H,) → h'."""
    return _one_step(_gru_step, input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]


def rnn_tanh_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """One step: input (N, I) or (I,), hx (N, H) or (H,) → h'."""
    return _one_step(functools.partial(_rnn_step, nonlinearity="tanh"), input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]


def rnn_relu_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """As rnn_tanh_cell with relu."""
    return _one_step(functools.partial(_rnn_step, nonlinearity="relu"), input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]


def _one_step(step, input, states, w_ih, w_hh, b_ih, b_hh):
    if input.ndim == 1:
        states = step(linear(input, w_ih, b_ih).unsqueeze(0), *[s.unsqueeze(0) for s in states], w_hh=w_hh, b_hh=b_hh)
        return tuple([s.squeeze(0) for s in states])
    return step(linear(input, w_ih, b_ih), *states, w_hh=w_hh, b_hh=b_hh)
