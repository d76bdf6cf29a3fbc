"""Gradients on their way back through time: a plain RNN, and the cell of an LSTM (Hochreiter 1991; Bengio et al. 1994)."""

import numpy as np


def orthogonal(size, rng):
    """A random orthogonal matrix: it changes no vector's length."""
    return np.linalg.qr(rng.standard_normal((size, size)))[0]


def rnn_gradients(W, x, dh):  # (H, H), (T, H), (H,)
    """The norms of dL/dh_T, …, dL/dh_0 of h_t = tanh(h_{t-1} Wᵀ + x_t); (T + 1,)."""
    h, states = np.zeros(len(W)), []
    for x_t in x:
        h = np.tanh(W @ h + x_t)
        states.append(h)
    norms = [np.linalg.norm(dh)]
    for h in reversed(states):
        dh = (dh * (1 - h * h)) @ W
        norms.append(np.linalg.norm(dh))
    return np.array(norms)


def lstm_gradients(bias, noise, dc):  # (), (T, H), (H,)
    """The norms of dL/dc_T, …, dL/dc_0 straight along a cell whose forget gates are σ(bias + noise_t); (T + 1,)."""
    norms = [np.linalg.norm(dc)]
    for noise_t in noise[::-1]:
        dc = dc / (1 + np.exp(-(bias + noise_t)))
        norms.append(np.linalg.norm(dc))
    return np.array(norms)


def rate(norms):  # (n,)
    """The factor from one norm to the next, by the best straight line through their logarithms."""
    return np.exp(np.polyfit(np.arange(len(norms)), np.log(norms), 1)[0])


if __name__ == "__main__":
    H, T = 64, 100
    start = np.ones(H) / np.sqrt(H)
    for size in (0.01, 0.5, 2.0):
        rng = np.random.default_rng(0)
        inputs = size * rng.standard_normal((T, H))
        factors = {gain: rate(rnn_gradients(gain * orthogonal(H, rng), inputs, start)) for gain in (0.8, 1.0, 1.2, 1.5)}
        print(f"RNN, inputs of {size:4}:", *(f"  gain {gain}: {factor:.3f}" for gain, factor in factors.items()))
    for bias in (0.0, 1.0, 3.0, 5.0):
        noise = 0.5 * np.random.default_rng(0).standard_normal((T, H))
        print(f"LSTM, forget bias {bias:.0f}: {rate(lstm_gradients(bias, noise, start)):.3f}")
