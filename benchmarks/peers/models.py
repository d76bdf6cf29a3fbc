"""The workloads' models, once for all peers: `LOSSES[name](ops, p, *batch)`, over the operations of one library.

What workloads.py writes as nn.Module for PyTorch and the engine stands here as functions of {name: parameter}, under the same names
and in PyTorch's shapes. A peer's file subclasses `Ops` and gives each operation as its library does it best; what a library has
nothing for is put together from what it has. Images are laid out as the peer likes them: only conv, pools, batch_norm, flatten,
pixel_mean and tokens know how.
"""

import numpy as np

from benchmarks.sizes import HEADS


class Missing(Exception):
    """The library has no such operation; the message is one word for the table."""


class Ops:
    """The operations that the models use. What is given here is put together from others, over arrays with operators and NumPy's methods."""

    np = None  # a library's namespace under NumPy's names, where it has one

    def __init_subclass__(cls):
        for name in ("relu", "tanh", "exp", "log1p"):
            if cls.np is not None and not hasattr(cls, name) and hasattr(cls.np, name):
                setattr(cls, name, staticmethod(getattr(cls.np, name)))

    def linear(self, x, weight, bias=None):  # (…, I), (O, I), (O,)
        y = x @ weight.T
        return y if bias is None else y + bias

    def sigmoid(self, x):
        return 0.5 * self.tanh(0.5 * x) + 0.5

    def matmul(self, a, b):
        return a @ b

    def total(self, x):
        return self.np.sum(x)

    def unstack(self, x):  # of three
        return x[0], x[1], x[2]

    def concat(self, parts, axis):
        return self.np.concatenate(parts, axis)

    def reshape(self, x, *shape):
        return x.reshape(shape)

    def permute(self, x, *axes):
        return x.transpose(axes)

    def embedding(self, weight, tokens):
        return weight[tokens]

    def gelu(self, x):
        return 0.5 * x * (1 + self.erf(x * 0.5**0.5))

    def gelu_tanh(self, x):
        return 0.5 * x * (1 + self.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x * x * x)))

    def softmax(self, x):  # (…, T), masked places at −1e9
        e = self.exp(x - self.np.max(x, axis=-1, keepdims=True))
        return e / self.np.sum(e, axis=-1, keepdims=True)

    def layer_norm(self, x, weight, bias):
        centred = x - self.np.mean(x, axis=-1, keepdims=True)
        variance = self.np.mean(centred * centred, axis=-1, keepdims=True)
        return centred / self.np.sqrt(variance + 1e-5) * weight + bias

    def attention(self, q, k, v, mask):  # (B, H, T, D) each, and what is added to the scores
        scores = self.matmul(q, self.permute(k, 0, 1, 3, 2)) * q.shape[-1] ** -0.5  # (B, H, T, T)
        return self.matmul(self.softmax(scores if mask is None else scores + mask), v)

    # Images, (B, C, H, W) unless the peer has them otherwise

    def avg_pool(self, x):
        B, C, H, W = x.shape
        return self.np.mean(self.reshape(x, B, C, H // 2, 2, W // 2, 2), axis=(3, 5))

    def max_pool(self, x):
        B, C, H, W = x.shape
        return self.np.max(self.reshape(x, B, C, H // 2, 2, W // 2, 2), axis=(3, 5))

    def batch_norm(self, x, weight, bias):
        centred = x - self.np.mean(x, axis=(0, 2, 3), keepdims=True)
        variance = self.np.mean(centred * centred, axis=(0, 2, 3), keepdims=True)
        w, b = (self.reshape(v, 1, -1, 1, 1) for v in (weight, bias))
        return centred / self.np.sqrt(variance + 1e-5) * w + b

    def flatten(self, x):
        return self.reshape(x, x.shape[0], -1)

    def pixel_mean(self, x):
        return self.np.mean(x, axis=(2, 3))

    def tokens(self, x):
        B, C, H, W = x.shape
        return self.permute(self.reshape(x, B, C, H * W), 0, 2, 1)

    # Recurrence, gate by gate: for libraries in which taking a gate out of a product costs more than a product of its own

    def lstm(self, p, x):  # (B, T, I) → the last h
        i, f, g, o = gates(p, 4)
        h = c = None
        for t in range(x.shape[1]):
            a = [self.linear(x[:, t], w, b) + (0 if h is None else self.linear(h, u, d)) for w, u, b, d in (i, f, g, o)]
            new = self.sigmoid(a[0]) * self.tanh(a[2])
            c = new if c is None else self.sigmoid(a[1]) * c + new
            h = self.sigmoid(a[3]) * self.tanh(c)
        return h

    def gru(self, p, x):  # (B, T, I) → the last h
        r_, z_, n_ = gates(p, 3)
        h = self.constant(np.zeros((x.shape[0], n_[1].shape[0]), np.float32))
        for t in range(x.shape[1]):
            xt = x[:, t]
            r, z = (self.sigmoid(self.linear(xt, w, b) + self.linear(h, u, d)) for w, u, b, d in (r_, z_))
            n = self.tanh(self.linear(xt, n_[0], n_[2]) + r * self.linear(h, n_[1], n_[3]))
            h = n + z * (h - n)
        return h

    def constant(self, array):
        return array


def split_gates(parameters):
    """The parameters with each gate of a recurrent layer on its own: rnn.weight_ih_l0 (4H, I) → rnn.weight_ih_l0.0 … .3 (H, I)."""
    split = {}
    for name, array in parameters.items():
        if name.startswith("rnn."):
            count = parameters["rnn.weight_hh_l0"].shape[0] // parameters["rnn.weight_hh_l0"].shape[1]
            split |= {f"{name}.{i}": np.ascontiguousarray(part) for i, part in enumerate(np.split(array, count))}
        else:
            split[name] = array
    return split


RNN = tuple(f"rnn.{name}_l0" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))


def gates(p, count):
    """(weight_ih, weight_hh, bias_ih, bias_hh) of each gate, after split_gates."""
    return [[p[f"{name}.{i}"] for name in RNN] for i in range(count)]


# ---------------------------------------------------------------------------------------------------- The models


def linear(o, p, name, x):
    return o.linear(x, p[f"{name}.weight"], p.get(f"{name}.bias"))


def conv(o, p, name, x, stride=1, padding=0):
    return o.conv(x, p[f"{name}.weight"], p.get(f"{name}.bias"), stride, padding)


def layer_norm(o, p, name, x):
    return o.layer_norm(x, p[f"{name}.weight"], p[f"{name}.bias"])


def batch_norm(o, p, name, x):
    return o.batch_norm(x, p[f"{name}.weight"], p[f"{name}.bias"])


def softmax(o, p, x, y):
    return o.cross_entropy(linear(o, p, "linear", x), y)


def mlp(o, p, x, y):
    return o.cross_entropy(linear(o, p, "fc2", o.relu(linear(o, p, "fc1", x))), y)


def lenet(o, p, x, y):
    h = o.avg_pool(o.relu(conv(o, p, "conv1", x, padding=2)))
    h = o.flatten(o.avg_pool(o.relu(conv(o, p, "conv2", h))))
    h = o.relu(linear(o, p, "fc2", o.relu(linear(o, p, "fc1", h))))
    return o.cross_entropy(linear(o, p, "fc3", h), y)


def cifar_cnn(o, p, x, y):
    for name in ("conv1", "conv2", "conv3"):
        x = o.max_pool(o.relu(conv(o, p, name, x, padding=1)))
    return o.cross_entropy(linear(o, p, "fc", o.flatten(x)), y)


def lstm(o, p, x, y):
    return o.cross_entropy(linear(o, p, "fc", o.lstm(p, x)), y)


def gru(o, p, x, y):
    return o.cross_entropy(linear(o, p, "fc", o.gru(p, x)), y)


def vae(o, p, x, eps):
    h = o.tanh(linear(o, p, "encoder.fc", x))
    mean, logvar = linear(o, p, "encoder.mean", h), linear(o, p, "encoder.logvar", h)
    h = o.tanh(linear(o, p, "decoder.fc", mean + o.exp(0.5 * logvar) * eps))
    nll = o.binary_cross_entropy(linear(o, p, "decoder.logits", h), x)
    kl = 0.5 * o.total(mean * mean + o.exp(logvar) - logvar - 1)
    return (nll + kl) / x.shape[0]


def block(o, p, name, x, mask, norm_first, gelu):
    def attention(x):
        B, T, C = x.shape
        qkv = o.reshape(linear(o, p, f"{name}.c_attn", x), B, T, 3, HEADS, C // HEADS)
        q, k, v = o.unstack(o.permute(qkv, 2, 0, 3, 1, 4))  # (B, H, T, D) each
        a = o.permute(o.attention(q, k, v, mask), 0, 2, 1, 3)
        return linear(o, p, f"{name}.c_proj", o.reshape(a, B, T, C))

    def feed_forward(x):
        return linear(o, p, f"{name}.c_out", gelu(linear(o, p, f"{name}.c_fc", x)))

    if norm_first:
        x = x + attention(layer_norm(o, p, f"{name}.ln_1", x))
        return x + feed_forward(layer_norm(o, p, f"{name}.ln_2", x))
    x = layer_norm(o, p, f"{name}.ln_1", x + attention(x))
    return layer_norm(o, p, f"{name}.ln_2", x + feed_forward(x))


def blocks(p):
    """blocks.0, blocks.1, …"""
    return sorted({name.split(".ln_1")[0] for name in p if ".ln_1." in name})


def gpt(o, p, x, y):
    T = x.shape[1]
    h = o.embedding(p["wte.weight"], x) + p["wpe.weight"]
    causal = o.constant(np.triu(np.full((T, T), -1e9, np.float32), 1))
    for name in blocks(p):
        h = block(o, p, name, h, causal, True, o.gelu_tanh)
    logits = linear(o, p, "head", layer_norm(o, p, "ln_f", h))
    return o.cross_entropy(o.reshape(logits, -1, logits.shape[-1]), o.reshape(y, -1))


def bert(o, p, x, segments, mask, masked, y):
    h = o.embedding(p["wte.weight"], x) + p["wpe.weight"] + o.embedding(p["wse.weight"], segments)
    h = layer_norm(o, p, "ln", h)
    for name in blocks(p):
        h = block(o, p, name, h, mask, False, o.gelu)
    h = o.embedding(o.reshape(h, -1, h.shape[-1]), masked)
    h = layer_norm(o, p, "ln_f", o.gelu(linear(o, p, "dense", h)))
    return o.cross_entropy(linear(o, p, "head", h), y)


def vit(o, p, x, y):
    h = o.tokens(conv(o, p, "patch", x, stride=4))  # (B, 64, 128)
    cls = p["cls"] + o.constant(np.zeros((h.shape[0], 1, 1), np.float32))
    h = o.concat((cls, h), 1) + p["pos"]
    for name in blocks(p):
        h = block(o, p, name, h, None, True, o.gelu)
    return o.cross_entropy(linear(o, p, "head", layer_norm(o, p, "ln_f", h)[:, 0]), y)


def resnet20(o, p, x, y):
    h = o.relu(batch_norm(o, p, "bn", conv(o, p, "conv", x, padding=1)))
    for i in range(9):
        name, stride = f"blocks.{i}", 2 if i in (3, 6) else 1
        f = o.relu(batch_norm(o, p, f"{name}.bn1", conv(o, p, f"{name}.conv1", h, stride, 1)))
        f = batch_norm(o, p, f"{name}.bn2", conv(o, p, f"{name}.conv2", f, padding=1))
        h = o.relu(f + (h if stride == 1 else conv(o, p, f"{name}.shortcut", h, stride)))
    return o.cross_entropy(linear(o, p, "fc", o.pixel_mean(h)), y)


def chain(o, p, x):
    for _ in range(100):
        x = o.tanh(x * p["w"] + p["w"])
    return o.total(x)


LOSSES = {
    "softmax": softmax, "mlp": mlp, "lenet": lenet, "cifar-cnn": cifar_cnn, "lstm": lstm, "gru": gru, "vae": vae,
    "gpt": gpt, "bert": bert, "vit": vit, "resnet20": resnet20, "chain": chain,
}  # fmt: skip
