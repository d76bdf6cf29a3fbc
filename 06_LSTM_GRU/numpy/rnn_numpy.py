"""LSTM and GRU, level 1: NumPy alone, forward and backward by hand.

LSTM: Gers, Schmidhuber & Cummins 2000. GRU: Cho et al. 2014. `eq. n` is equation (n) of ../theory.md, where each gradient is
derived. Shapes: B sequences of at most T steps, I inputs, H units, G gates, S states, L layers in D directions, K outputs;
R steps of all sequences together, padding left out; b sequences that have a step t.
"""

import math

import numpy as np

from ..study import RNNConfig

# ---------------------------------------------------------------------------------------------- Initialisation


def init_parameter(name, shape, config, rng):
    """Weights uniform within 1/√(fan in); biases 0, but 1 for the LSTM's forget gate, so that it starts by remembering."""
    if name == "embedding.weight":
        parameter = 0.1 * rng.standard_normal(shape)
    elif ".weight" in name:
        bound = 1 / math.sqrt(config.hidden_size if name.startswith("rnn") else shape[1])  # eq. 32
        parameter = rng.uniform(-bound, bound, shape)
    else:
        parameter = np.zeros(shape)
        if name.startswith("rnn.bias_ih") and config.cell == "lstm":
            parameter[config.hidden_size : 2 * config.hidden_size] = 1  # eq. 33
    return parameter.astype(np.float32)


# ------------------------------------------------------------------------------------------------------ Layers


def sigmoid(a):
    return 0.5 * np.tanh(0.5 * a) + 0.5  # in this form nothing overflows


class Recurrent:
    """Layers of LSTM or GRU, over sequences packed one step after the other.

    Weights of a layer and direction: weight_ih (G H, I), weight_hh (G H, H), bias_ih and bias_hh (G H,).
    """

    def __init__(self, config: RNNConfig, params, grads):
        self.config, self.params, self.grads = config, params, grads

    def forward(self, x, state, batch_sizes):  # (R, I), (S, L D, B, H)
        """The states h of the last layer (R, D H), and the state after each sequence's last step (S, L D, B, H)."""
        self.cache = {}
        finals = []
        for layer in range(self.config.num_layers):
            outputs = []
            for suffix in self.config.suffixes(layer):
                h, final = self.run(suffix, x, state[:, len(finals)], batch_sizes)  # (R, H), (S, B, H)
                outputs.append(h)
                finals.append(final)
            x = np.concatenate(outputs, axis=1)  # (R, D H)
        return x, np.stack(finals, axis=1)

    def run(self, suffix, x, state, batch_sizes):  # (R, I), (S, B, H)
        """One layer in one direction. state is of all sequences; of those that have no step t the rows stay as they are."""
        weight_ih, weight_hh, bias_ih, bias_hh = (self.params[name] for name in self.names(suffix))
        x_part = x @ weight_ih.T + bias_ih  # (R, G H): for all steps in one product, eq. 1
        state, saved, outputs = state.copy(), {}, {}
        for t, rows in steps(batch_sizes, suffix):
            b = batch_sizes[t]
            state[:, :b], saved[t] = self.cell(x_part[rows], state[:, :b], weight_hh, bias_hh)
            outputs[t] = state[0, :b].copy()  # (b, H)
        self.cache[suffix] = x, saved, batch_sizes
        return np.concatenate([outputs[t] for t in range(len(batch_sizes))]), state

    def backward(self, dx, dfinal):  # (R, D H), (S, L D, B, H)
        """Fill grads, and return the gradients of the inputs (R, I) and of the state at the start (S, L D, B, H)."""
        dstates = []
        for layer in reversed(range(self.config.num_layers)):
            suffixes = self.config.suffixes(layer)
            first = layer * len(suffixes)
            parts = [
                self.run_backward(suffix, dh, dfinal[:, first + direction])
                for direction, (suffix, dh) in enumerate(zip(suffixes, np.split(dx, len(suffixes), axis=1)))
            ]
            dx = sum(dinput for dinput, _ in parts)  # (R, I): both directions read the same inputs, eq. 24
            dstates = [dstate for _, dstate in parts] + dstates
        return dx, np.stack(dstates, axis=1)

    def run_backward(self, suffix, dh, dstate):  # (R, H), (S, B, H)
        """Backpropagation through time: the steps in the opposite order, each adding to the gradients of the same weights."""
        names = self.names(suffix)
        weight_ih, weight_hh = (self.params[name] for name in names[:2])
        x, saved, batch_sizes = self.cache[suffix]
        dweight_hh, dbias_hh = np.zeros_like(weight_hh), np.zeros_like(weight_hh[:, 0])
        dx_part = np.empty((len(x), len(weight_ih)), dtype=dh.dtype)  # (R, G H)
        dstate = dstate.copy()
        for t, rows in reversed(steps(batch_sizes, suffix)):
            b = batch_sizes[t]
            dstate[0, :b] += dh[rows]  # h_t is read by what stands above and by the next step, eq. 14
            dx_part[rows], dstate[:, :b], dW, db = self.cell_backward(dstate[:, :b], saved[t], weight_hh)
            dweight_hh += dW  # eq. 21
            dbias_hh += db  # eq. 22
        dweight_ih = dx_part.T @ x  # (G H, I), eq. 23
        dbias_ih = dx_part.sum(axis=0)  # (G H,), eq. 23
        self.grads.update(zip(names, (dweight_ih, dweight_hh, dbias_ih, dbias_hh)))
        return dx_part @ weight_ih, dstate  # (R, I), eq. 24

    def names(self, suffix):
        return [f"rnn.{kind}_{suffix}" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]


def steps(batch_sizes, suffix):
    """(t, where its rows are among the packed ones) in the order of reading: from the last step to the first for _reverse."""
    ends = np.cumsum(batch_sizes)
    order = [(t, slice(end - b, end)) for t, (b, end) in enumerate(zip(batch_sizes, ends))]
    return order[::-1] if suffix.endswith("reverse") else order


class LSTM(Recurrent):
    def cell(self, x_part, state, weight_hh, bias_hh):  # (b, 4H), (2, b, H)
        """h and c (2, b, H) after one step, and what its way back needs."""
        h, c = state.copy()
        a = x_part + h @ weight_hh.T + bias_hh  # (b, 4H), eq. 2
        a_i, a_f, a_g, a_o = np.split(a, 4, axis=1)  # (b, H) each
        i, f, g, o = sigmoid(a_i), sigmoid(a_f), np.tanh(a_g), sigmoid(a_o)  # eq. 3
        c_next = f * c + i * g  # eq. 4
        h_next = o * np.tanh(c_next)  # eq. 5
        return np.stack((h_next, c_next)), (h, c, i, f, g, o, c_next)

    def cell_backward(self, dstate, saved, weight_hh):  # (2, b, H)
        h, c, i, f, g, o, c_next = saved
        dh_next, dc_next = dstate
        tanh_c = np.tanh(c_next)
        do = dh_next * tanh_c  # eq. 15
        dc_next = dc_next + dh_next * o * (1 - tanh_c * tanh_c)  # eq. 16
        di, df, dg = dc_next * g, dc_next * c, dc_next * i  # eq. 17
        da_i, da_f = di * i * (1 - i), df * f * (1 - f)  # eq. 18
        da_g, da_o = dg * (1 - g * g), do * o * (1 - o)  # eq. 18
        da = np.concatenate((da_i, da_f, da_g, da_o), axis=1)  # (b, 4H)
        dh = da @ weight_hh  # (b, H), eq. 19
        dc = dc_next * f  # eq. 20
        return da, np.stack((dh, dc)), da.T @ h, da.sum(axis=0)


class GRU(Recurrent):
    def cell(self, x_part, state, weight_hh, bias_hh):  # (b, 3H), (1, b, H)
        """h (1, b, H) after one step, and what its way back needs."""
        h, H = state[0].copy(), self.config.hidden_size
        x_rz, x_n = x_part[:, : 2 * H], x_part[:, 2 * H :]
        a = x_rz + h @ weight_hh[: 2 * H].T + bias_hh[: 2 * H]  # (b, 2H), eq. 6
        r, z = np.split(sigmoid(a), 2, axis=1)  # (b, H) each, eq. 7
        if self.config.reset_after:
            s = h @ weight_hh[2 * H :].T + bias_hh[2 * H :]  # (b, H)
            n = np.tanh(x_n + r * s)  # eq. 8
        else:
            s = r * h  # (b, H)
            n = np.tanh(x_n + s @ weight_hh[2 * H :].T + bias_hh[2 * H :])  # eq. 9
        h_next = (1 - z) * n + z * h  # eq. 10
        return h_next[None], (h, r, z, s, n)

    def cell_backward(self, dstate, saved, weight_hh):  # (1, b, H)
        h, r, z, s, n = saved
        dh_next, H = dstate[0], self.config.hidden_size
        dz = dh_next * (h - n)  # eq. 25
        da_n = dh_next * (1 - z) * (1 - n * n)  # (b, H), eq. 26
        dh = dh_next * z  # eq. 27
        if self.config.reset_after:
            dr, ds = da_n * s, da_n * r  # eq. 28
            dh = dh + ds @ weight_hh[2 * H :]  # eq. 28
            dW_n, db_n = ds.T @ h, ds.sum(axis=0)  # eq. 28
        else:
            ds = da_n @ weight_hh[2 * H :]  # (b, H), eq. 29
            dr, dh = ds * h, dh + ds * r  # eq. 29
            dW_n, db_n = da_n.T @ s, da_n.sum(axis=0)  # eq. 29
        da = np.concatenate((dr * r * (1 - r), dz * z * (1 - z)), axis=1)  # (b, 2H), eq. 30
        dh = dh + da @ weight_hh[: 2 * H]  # eq. 30
        dW, db = np.concatenate((da.T @ h, dW_n)), np.concatenate((da.sum(axis=0), db_n))
        return np.concatenate((da, da_n), axis=1), dh[None], dW, db


# ------------------------------------------------------------------------------------------------------ Packing


def packing(lengths, T):  # (B,)
    """How B sequences are laid out step by step, the longest first, so that those that go on are always the first b rows.

    Returns the order of the sequences (B,); where each row comes from in an array (B T, …), (R,); and b for each step.
    """
    order = np.argsort(-lengths, kind="stable")  # (B,)
    t = np.arange(lengths.max())[:, None]  # (T', 1)
    present = t < lengths[order]  # (T', B)
    return order, (order * T + t)[present], [int(b) for b in present.sum(axis=1)]


def unpack(packed, rows, B, T):  # (R, …)
    """The packed rows where they came from, (B, T, …), and 0 at padding."""
    padded = np.zeros((B * T, *packed.shape[1:]), dtype=packed.dtype)
    padded[rows] = packed
    return padded.reshape(B, T, *packed.shape[1:])


# ------------------------------------------------------------------------------------------- Loss and gradients


def logsumexp(logits):  # (R, K)
    """log Σ_k exp(logits_k) of each row. The largest logit is taken out first, so that no exp overflows."""
    m = logits.max(axis=1, keepdims=True)
    return m + np.log(np.exp(logits - m).sum(axis=1, keepdims=True))  # (R, 1)


def clip_grad_norm(grads, max_norm):
    """Scale all gradients together so that their norm is at most max_norm (Pascanu et al. 2013); returns the norm before."""
    norm = math.sqrt(sum(float((g * g).sum()) for g in grads.values()))
    if norm > max_norm:
        for g in grads.values():
            g *= max_norm / norm  # eq. 38
    return norm


# ------------------------------------------------------------------------------------------------------- Model


class RNN:
    """tokens -> embedding (or numbers as they are) -> LSTM or GRU -> fc, of each step or once for the sequence.

    `params` and, after a backward, `grads` are dicts of arrays; config.shapes has their names and shapes.
    """

    def __init__(self, config: RNNConfig, rng: np.random.Generator | None = None):
        self.config = config
        rng = np.random.default_rng() if rng is None else rng
        self.params = {name: init_parameter(name, shape, config, rng) for name, shape in config.shapes.items()}
        self.grads = {}
        self.rnn = (LSTM if config.cell == "lstm" else GRU)(config, self.params, self.grads)
        self.cache = {}  # what the forward pass leaves for the backward pass

    def forward(self, x, lengths=None, state=None):  # (B, T) or (B, T, I), (B,), (S, L D, B, H)
        """The output (B, K), or (B, T, K) of each step with 0 at padding; and the state after the last steps, to carry on with.

        lengths: how many steps of each sequence count; the rest is padding and never read. state: where to start, else 0.
        """
        logits, rows, state = self.read(x, lengths, state)
        if self.config.readout == "steps":
            logits = unpack(logits, rows, *x.shape[:2])  # (B, T, K)
        return logits, state

    def read(self, x, lengths, state):
        """What forward computes, the outputs packed: (R, K), or (B, K); where the rows come from; and the state."""
        self.config.check_input(x, lengths, state)
        p, (B, T), config = self.params, x.shape[:2], self.config
        lengths = np.full(B, T) if lengths is None else lengths
        state = np.zeros(config.state_shape(B), dtype=p["fc.weight"].dtype) if state is None else state
        order, rows, batch_sizes = packing(lengths, T)
        inverse = np.argsort(order)
        packed = x.reshape(B * T, *x.shape[2:])[rows]  # (R,) or (R, I)
        e = p["embedding.weight"][packed] if config.vocab_size else packed  # (R, I)
        h, state = self.rnn.forward(e, state[:, :, order], batch_sizes)  # (R, D H), (S, L D, B, H)
        state = state[:, :, inverse]  # in the order of x again
        if config.readout == "steps":
            features = h  # (R, D H)
        elif config.readout == "last":
            features = np.concatenate(state[0, -config.directions :], axis=1)  # (B, D H)
        else:
            features = unpack(h, rows, B, T).sum(axis=1) / lengths[:, None].astype(h.dtype)  # (B, D H), eq. 11
        logits = features @ p["fc.weight"].T + p["fc.bias"]  # (R, K) or (B, K), eq. 12
        self.cache = dict(packed=packed, features=features, logits=logits, rows=rows, order=order, lengths=lengths, T=T)
        return logits, rows, state

    def loss(self, x, lengths, state, targets):  # …, (B,) or (B, T), with "mse" (…, K)
        """The mean cross entropy () of the outputs, or their mean squared error, over all that is no padding.

        What it leaves in `carry` is the state to start the next window of a long text with.
        """
        logits, rows, self.carry = self.read(x, lengths, state)  # (R, K) or (B, K)
        self.config.check_targets(targets, x)
        if self.config.readout == "steps":
            targets = targets.reshape(-1, *targets.shape[2:])[rows]  # (R,) or (R, K)
        if self.config.loss == "cross_entropy":
            log_probs = logits - logsumexp(logits)  # (R, K) or (B, K)
            loss = -log_probs[np.arange(len(logits)), targets].mean()  # (), eq. 13
        else:
            loss = ((logits - targets) ** 2).mean()  # (), eq. 13
        self.cache["targets"] = targets
        return loss

    def loss_backward(self):
        """After loss(…): fill grads with dL/dparameter, and return dL/dx (B, T, I); None where x is tokens."""
        if "targets" not in self.cache:
            raise RuntimeError(
                "RNN.loss_backward: nothing to go back through; call loss(x, lengths, state, targets) first"
            )
        logits, targets = self.cache["logits"], self.cache["targets"]  # (R, K) or (B, K)
        if self.config.loss == "cross_entropy":
            probs = np.exp(logits - logsumexp(logits))
            one_hot = np.eye(self.config.output_size, dtype=probs.dtype)[targets]
            dlogits = (probs - one_hot) / len(logits)  # eq. 31
        else:
            dlogits = 2 * (logits - targets) / logits.size  # eq. 31
        c = self.cache
        return self.backward(
            unpack(dlogits, c["rows"], len(c["lengths"]), c["T"]) if self.config.readout == "steps" else dlogits
        )

    def backward(self, doutput):  # (B, K) or (B, T, K)
        """After forward(…): fill grads for this dL/doutput, and return dL/dx (B, T, I); None where x is tokens."""
        if not self.cache:
            raise RuntimeError("RNN.backward: nothing to go back through; call forward(x, lengths, state) first")
        p, grads, cache, config = self.params, self.grads, self.cache, self.config
        B, T, rows, order, lengths = len(cache["lengths"]), cache["T"], cache["rows"], cache["order"], cache["lengths"]
        expected = (B, T, config.output_size) if config.readout == "steps" else (B, config.output_size)
        if doutput.shape != expected:
            raise ValueError(f"RNN.backward: expected doutput {expected}, got {doutput.shape}")
        dlogits = doutput.reshape(B * T, -1)[rows] if config.readout == "steps" else doutput  # (R, K) or (B, K)
        grads["fc.weight"] = dlogits.T @ cache["features"]  # (K, D H), eq. 34
        grads["fc.bias"] = dlogits.sum(axis=0)  # (K,), eq. 34
        dfeatures = dlogits @ p["fc.weight"]  # (R, D H) or (B, D H), eq. 34
        dh = np.zeros((len(rows), dfeatures.shape[1]), dtype=dfeatures.dtype)  # (R, D H)
        dstate = np.zeros(config.state_shape(B), dtype=dfeatures.dtype)  # (S, L D, B, H)
        if config.readout == "steps":
            dh = dfeatures
        elif config.readout == "last":
            dstate[0, -config.directions :] = np.split(dfeatures, config.directions, axis=1)  # eq. 35
        else:
            dh = (dfeatures / lengths[:, None].astype(dfeatures.dtype))[rows // T]  # (R, D H), eq. 36
        de, dstate = self.rnn.backward(dh, dstate[:, :, order])  # (R, I), (S, L D, B, H)
        if config.vocab_size:
            grads["embedding.weight"] = np.zeros_like(p["embedding.weight"])
            np.add.at(grads["embedding.weight"], cache["packed"], de)  # (V, I), eq. 37
            return None
        return unpack(de, rows, B, T)  # (B, T, I): nothing reaches the padding

    def train_step(self, x, lengths, state, targets, lr, max_norm=None):
        """One step of gradient descent, the gradients clipped to max_norm if it is given; returns the loss before it."""
        loss = self.loss(x, lengths, state, targets)
        self.loss_backward()
        if max_norm is not None:
            clip_grad_norm(self.grads, max_norm)
        for name, param in self.params.items():
            param -= lr * self.grads[name]  # eq. 39
        return float(loss)

    def parameters(self):
        return list(self.params.values())

    def state_dict(self):
        """The parameters by name; as in PyTorch they share the model's memory."""
        return dict(self.params)

    def load_state_dict(self, state):
        """Copy in every parameter, dtype included; refuse a missing, an unknown and a wrongly shaped one."""
        for name in {**self.params, **state}:
            expected, got = (tuple(d[name].shape) if name in d else None for d in (self.params, state))
            if expected != got:
                raise RuntimeError(f"RNN.load_state_dict: {name}: expected shape {expected}, got {got}")
        self.params.update({name: np.array(state[name]) for name in self.params})
