"""One step of an LSTM with peepholes (Gers & Schmidhuber 2000), forward and backward by hand."""

import numpy as np


def sigmoid(a):
    return 0.5 * np.tanh(0.5 * a) + 0.5


def cell(params, x, h_prev, c_prev):  # (B, I), (B, H), (B, H)
    """h and c (B, H) after one step, and what the way back needs."""
    a = x @ params["weight_ih"].T + h_prev @ params["weight_hh"].T + params["bias"]  # (B, 4H)
    a_i, a_f, a_g, a_o = np.split(a, 4, axis=1)  # (B, H) each
    i = sigmoid(a_i + params["peep_i"] * c_prev)
    f = sigmoid(a_f + params["peep_f"] * c_prev)
    g = np.tanh(a_g)
    c = f * c_prev + i * g
    o = sigmoid(a_o + params["peep_o"] * c)
    h = o * np.tanh(c)
    return h, c, (x, h_prev, c_prev, i, f, g, o, c)


def cell_backward(params, saved, dh, dc):  # (B, H), (B, H)
    """dx (B, I), dh_prev (B, H), dc_prev (B, H), and the gradients of the parameters by name."""
    x, h_prev, c_prev, i, f, g, o, c = saved
    tanh_c = np.tanh(c)
    da_o = dh * tanh_c * o * (1 - o)
    dc = dc + dh * o * (1 - tanh_c**2) + da_o * params["peep_o"]
    da_i = dc * g * i * (1 - i)
    da_f = dc * c_prev * f * (1 - f)
    da_g = dc * i * (1 - g**2)
    da = np.concatenate([da_i, da_f, da_g, da_o], axis=1)  # (B, 4H)
    grads = {
        "weight_ih": da.T @ x,
        "weight_hh": da.T @ h_prev,
        "bias": da.sum(axis=0),
        "peep_i": (da_i * c_prev).sum(axis=0),
        "peep_f": (da_f * c_prev).sum(axis=0),
        "peep_o": (da_o * c).sum(axis=0),
    }
    dc_prev = dc * f + da_i * params["peep_i"] + da_f * params["peep_f"]
    return da @ params["weight_ih"], da @ params["weight_hh"], dc_prev, grads
