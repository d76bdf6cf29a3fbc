"""LSTM and GRU, level 2: tensors and autograd, parameters in a dict, no nn.Module.

LSTM: Gers, Schmidhuber & Cummins 2000. GRU: Cho et al. 2014. `eq. n` is equation (n) of ../theory.md; the gradients are
autograd's. Shapes: B sequences of at most T steps, I inputs, H units, G gates, S states, L layers in D directions, K outputs;
R steps of all sequences together, padding left out; b sequences that have a step t.
"""

import math

import torch

from ..study import RNNConfig

# ---------------------------------------------------------------------------------------------- Initialisation


def init_parameter(name, shape, config, generator):
    """Weights uniform within 1/√(fan in); biases 0, but 1 for the LSTM's forget gate, so that it starts by remembering."""
    if name == "embedding.weight":
        parameter = 0.1 * torch.randn(shape, generator=generator)
    elif ".weight" in name:
        bound = 1 / math.sqrt(config.hidden_size if name.startswith("rnn") else shape[1])  # eq. 32
        parameter = bound * (2 * torch.rand(shape, generator=generator) - 1)
    else:
        parameter = torch.zeros(shape)
        if name.startswith("rnn.bias_ih") and config.cell == "lstm":
            parameter[config.hidden_size : 2 * config.hidden_size] = 1  # eq. 33
    return parameter


# ------------------------------------------------------------------------------------------------------ Layers


class Recurrent:
    """Layers of LSTM or GRU, over sequences packed one step after the other.

    Weights of a layer and direction: weight_ih (G H, I), weight_hh (G H, H), bias_ih and bias_hh (G H,).
    """

    def __init__(self, config: RNNConfig, params):
        self.config, self.params = config, params

    def forward(self, x, state, batch_sizes):  # (R, I), (S, L D, B, H)
        """The states h of the last layer (R, D H), and the state after each sequence's last step (S, L D, B, H)."""
        starts, finals = state.unbind(1), []
        for layer in range(self.config.num_layers):
            outputs = []
            for suffix in self.config.suffixes(layer):
                h, final = self.run(suffix, x, starts[len(finals)], batch_sizes)  # (R, H), (S, B, H)
                outputs.append(h)
                finals.append(final)
            x = torch.cat(outputs, dim=1)  # (R, D H)
        return x, torch.stack(finals, dim=1)

    def run(self, suffix, x, state, batch_sizes):  # (R, I), (S, B, H)
        """One layer in one direction. state is of all sequences; of those that have no step t the rows stay as they are."""
        weight_ih, weight_hh, bias_ih, bias_hh = (self.params[name] for name in self.names(suffix))
        x_part = x @ weight_ih.T + bias_ih  # (R, G H): for all steps in one product, eq. 1
        x_parts = x_part.split(
            batch_sizes
        )  # (b, G H) each; to index x_part T times would cost a full gradient each time
        state, outputs = state.unbind(0), {}  # S times (B, H)
        for t in steps(batch_sizes, suffix):
            b = batch_sizes[t]
            new = self.cell(x_parts[t], [s[:b] for s in state] if b < len(state[0]) else state, weight_hh, bias_hh)
            state = [torch.cat((s_new, s[b:])) if b < len(s) else s_new for s_new, s in zip(new, state)]
            outputs[t] = new[0]  # (b, H)
        return torch.cat([outputs[t] for t in range(len(batch_sizes))]), torch.stack(tuple(state))

    def names(self, suffix):
        return [f"rnn.{kind}_{suffix}" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]


def steps(batch_sizes, suffix):
    """The steps t in the order of reading: from the last step to the first for _reverse."""
    order = range(len(batch_sizes))
    return order[::-1] if suffix.endswith("reverse") else order


class LSTM(Recurrent):
    def cell(self, x_part, state, weight_hh, bias_hh):  # (b, 4H), 2 times (b, H)
        """h and c (b, H) after one step."""
        h, c = state
        a = x_part + h @ weight_hh.T + bias_hh  # (b, 4H), eq. 2
        a_i, a_f, a_g, a_o = a.chunk(4, dim=1)  # (b, H) each
        i, f, g, o = torch.sigmoid(a_i), torch.sigmoid(a_f), torch.tanh(a_g), torch.sigmoid(a_o)  # eq. 3
        c_next = f * c + i * g  # eq. 4
        h_next = o * torch.tanh(c_next)  # eq. 5
        return h_next, c_next


class GRU(Recurrent):
    def cell(self, x_part, state, weight_hh, bias_hh):  # (b, 3H), 1 time (b, H)
        """h (b, H) after one step."""
        (h,), H = state, self.config.hidden_size
        x_rz, x_n = x_part.split((2 * H, H), dim=1)
        weight_rz, weight_n = weight_hh.split((2 * H, H))
        bias_rz, bias_n = bias_hh.split((2 * H, H))
        a = x_rz + h @ weight_rz.T + bias_rz  # (b, 2H), eq. 6
        r, z = torch.sigmoid(a).chunk(2, dim=1)  # (b, H) each, eq. 7
        if self.config.reset_after:
            s = h @ weight_n.T + bias_n  # (b, H)
            n = torch.tanh(x_n + r * s)  # eq. 8
        else:
            s = r * h  # (b, H)
            n = torch.tanh(x_n + s @ weight_n.T + bias_n)  # eq. 9
        h_next = (1 - z) * n + z * h  # eq. 10
        return (h_next,)


# ------------------------------------------------------------------------------------------------------ Packing


def packing(lengths, T):  # (B,)
    """How B sequences are laid out step by step, the longest first, so that those that go on are always the first b rows.

    Returns the order of the sequences (B,); where each row comes from in a tensor (B T, …), (R,); and b for each step.
    """
    order = torch.sort(lengths, descending=True, stable=True).indices  # (B,)
    t = torch.arange(int(lengths.max()), device=lengths.device)[:, None]  # (T', 1)
    present = t < lengths[order]  # (T', B)
    return order, (order * T + t)[present], present.sum(dim=1).tolist()


def unpack(packed, rows, B, T):  # (R, …)
    """The packed rows where they came from, (B, T, …), and 0 at padding."""
    padded = packed.new_zeros((B * T, *packed.shape[1:])).index_copy(0, rows, packed)
    return padded.reshape(B, T, *packed.shape[1:])


# ------------------------------------------------------------------------------------------- Loss and gradients


def clip_grad_norm(params, max_norm):
    """Scale all gradients together so that their norm is at most max_norm (Pascanu et al. 2013); returns the norm before."""
    norm = math.sqrt(sum((param.grad * param.grad).sum().item() for param in params))
    if norm > max_norm:
        for param in params:
            param.grad *= max_norm / norm  # eq. 38
    return norm


# ------------------------------------------------------------------------------------------------------- Model


class RNN:
    """tokens -> embedding (or numbers as they are) -> LSTM or GRU -> fc, of each step or once for the sequence.

    `params` is a dict of leaf tensors; config.shapes has their names and shapes; their gradients are `.grad`.
    """

    def __init__(self, config: RNNConfig, generator: torch.Generator | None = None):
        self.config = config
        self.params = {name: init_parameter(name, shape, config, generator) for name, shape in config.shapes.items()}
        for param in self.params.values():
            param.requires_grad_()
        self.rnn = (LSTM if config.cell == "lstm" else GRU)(config, self.params)

    def forward(self, x, lengths=None, state=None):  # (B, T) or (B, T, I), (B,), (S, L D, B, H)
        """The output (B, K), or (B, T, K) of each step with 0 at padding; and the state after the last steps, to carry on with.

        lengths: how many steps of each sequence count; the rest is padding and never read. state: where to start, else 0.
        A state that is carried from window to window is detached: backpropagation through time ends where the window began.
        """
        logits, rows, state = self.read(x, lengths, state)
        if self.config.readout == "steps":
            logits = unpack(logits, rows, *x.shape[:2])  # (B, T, K)
        return logits, state

    def read(self, x, lengths, state):
        """What forward computes, the outputs packed: (R, K), or (B, K); where the rows come from; and the state."""
        self.config.check_input(x, lengths, state)
        p, (B, T), config = self.params, x.shape[:2], self.config
        lengths = torch.full((B,), T, device=x.device) if lengths is None else lengths
        state = p["fc.weight"].new_zeros(config.state_shape(B)) if state is None else state
        order, rows, batch_sizes = packing(lengths, T)
        inverse = torch.argsort(order)
        packed = x.flatten(0, 1)[rows]  # (R,) or (R, I)
        e = p["embedding.weight"][packed] if config.vocab_size else packed  # (R, I)
        h, state = self.rnn.forward(e, state.detach()[:, :, order], batch_sizes)  # (R, D H), (S, L D, B, H)
        state = state[:, :, inverse]  # in the order of x again
        if config.readout == "steps":
            features = h  # (R, D H)
        elif config.readout == "last":
            features = torch.cat(state[0, -config.directions :].unbind(0), dim=1)  # (B, D H)
        else:
            features = unpack(h, rows, B, T).sum(dim=1) / lengths[:, None].to(h.dtype)  # (B, D H), eq. 11
        logits = features @ p["fc.weight"].T + p["fc.bias"]  # (R, K) or (B, K), eq. 12
        return logits, rows, state

    def loss(self, x, lengths, state, targets):  # …, (B,) or (B, T), with "mse" (…, K)
        """The mean cross entropy () of the outputs, or their mean squared error, over all that is no padding.

        What it leaves in `carry` is the state to start the next window of a long text with.
        """
        logits, rows, state = self.read(x, lengths, state)  # (R, K) or (B, K)
        self.carry = state.detach()
        self.config.check_targets(targets, x)
        if self.config.readout == "steps":
            targets = targets.flatten(0, 1)[rows]  # (R,) or (R, K)
        if self.config.loss == "cross_entropy":
            log_probs = logits - torch.logsumexp(logits, dim=1, keepdim=True)  # (R, K) or (B, K)
            loss = -log_probs[torch.arange(len(logits)), targets].mean()  # (), eq. 13
        else:
            loss = ((logits - targets) ** 2).mean()  # (), eq. 13
        return loss

    def train_step(self, x, lengths, state, targets, lr, max_norm=None):
        """One step of gradient descent, the gradients clipped to max_norm if it is given; returns the loss before it."""
        for param in self.params.values():
            param.grad = None
        loss = self.loss(x, lengths, state, targets)
        loss.backward()
        if max_norm is not None:
            clip_grad_norm(self.parameters(), max_norm)
        with torch.no_grad():
            for param in self.params.values():
                param -= lr * param.grad  # eq. 39
        return loss.item()

    def parameters(self):
        return list(self.params.values())

    def state_dict(self):
        """The parameters by name; as in PyTorch they share the model's memory."""
        return {name: param.detach() for name, param in self.params.items()}

    def load_state_dict(self, state):
        """Copy in every parameter, dtype included; refuse a missing, an unknown and a wrongly shaped one."""
        for name in {**self.params, **state}:
            expected, got = (tuple(d[name].shape) if name in d else None for d in (self.params, state))
            if expected != got:
                raise RuntimeError(f"RNN.load_state_dict: {name}: expected shape {expected}, got {got}")
        self.params.update(
            {name: torch.as_tensor(state[name]).detach().clone().requires_grad_() for name in self.params}
        )
