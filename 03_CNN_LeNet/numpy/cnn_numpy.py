"""A small CNN for colour photographs, level 1: NumPy alone, forward and backward by hand.

LeNet-5's idea with today's parts: 3 x 3 convolutions, BatchNorm (Ioffe & Szegedy 2015), ReLU, max pooling.
`eq. n` is equation (n) of ../theory.md, where each gradient is derived.
Shapes: B batch, C channels, H x W pixels, D features after the last block, K classes, N blocks.
"""

import math

import numpy as np

from ..study import CNNConfig
from .lenet_numpy import convolution, convolution_backward, logsumexp

# ---------------------------------------------------------------------------------------------- Initialisation


def init_weight(shape, rng):
    """He et al. 2015, section 2.2: what keeps the size of the signal before a ReLU."""
    std = math.sqrt(2 / math.prod(shape[1:]))  # eq. 46
    return rng.normal(0, std, shape).astype(np.float32)


# ------------------------------------------------------------------------------------------------------ Layers
# forward:  y = f(x).  backward:  dx = dL/dx from dy = dL/dy.


def padded(h):  # (B, C, H, W)
    """A border of zeros, so that a 3 x 3 convolution keeps the size."""
    return np.pad(h, ((0, 0), (0, 0), (1, 1), (1, 1)))  # (B, C, H+2, W+2), eq. 33


def padded_backward(dpadded):  # (B, C, H+2, W+2)
    return dpadded[:, :, 1:-1, 1:-1]  # (B, C, H, W), eq. 45


def max_pool(z):  # (B, C, H, W)
    """The largest of each 2 x 2 field; the fields do not overlap."""
    top, bottom = (np.maximum(z[:, :, i::2, ::2], z[:, :, i::2, 1::2]) for i in (0, 1))
    return np.maximum(top, bottom)  # (B, C, H/2, W/2), eq. 34


def max_pool_backward(dm, z, m):  # (B, C, H/2, W/2)
    dz = np.zeros_like(z)  # (B, C, H, W)
    unclaimed = np.ones(m.shape, dtype=bool)
    for i in (0, 1):
        for j in (0, 1):
            largest = unclaimed & (z[:, :, i::2, j::2] == m)  # of equals, the first
            dz[:, :, i::2, j::2] = dm * largest  # eq. 44
            unclaimed &= ~largest
    return dz


def per_channel(v):  # (C,)
    return v[:, None, None]  # (C, 1, 1)


EPSILON, MOMENTUM = 1e-5, 0.1  # of BatchNorm


# ------------------------------------------------------------------------------------------------------- Model


class CNN:
    """x -> N times (conv -> max pooling -> bn -> relu) -> fc -> logits; trained on softmax cross entropy.

    `params` and, after a backward, `grads` are dicts of arrays under the names conv1.weight (C_1, C_0, 3, 3),
    bn1.weight (C_1), bn1.bias (C_1), …, fc.weight (K, D), fc.bias (K). `buffers` holds the running statistics.
    """

    def __init__(self, config: CNNConfig, rng: np.random.Generator | None = None):
        self.config = config
        self.params = {}
        self.buffers = {}
        self.grads = {}
        self.cache = {}  # what the forward pass leaves for the backward pass
        self.training = True
        rng = np.random.default_rng() if rng is None else rng
        channels = (config.in_channels, *config.channels)
        for i, (fan_in, fan_out) in enumerate(zip(channels, channels[1:]), start=1):
            self.params[f"conv{i}.weight"] = init_weight(
                (fan_out, fan_in, 3, 3), rng
            )  # BatchNorm would take a bias out
            self.params[f"bn{i}.weight"] = np.ones(fan_out, dtype=np.float32)  # (C_i,)
            self.params[f"bn{i}.bias"] = np.zeros(fan_out, dtype=np.float32)  # (C_i,)
            self.buffers[f"bn{i}.running_mean"] = np.zeros(fan_out, dtype=np.float32)  # (C_i,)
            self.buffers[f"bn{i}.running_var"] = np.ones(fan_out, dtype=np.float32)  # (C_i,)
            self.buffers[f"bn{i}.num_batches_tracked"] = np.array(0)  # ()
        self.params["fc.weight"] = init_weight((config.num_classes, config.in_features), rng)  # (K, D)
        self.params["fc.bias"] = np.zeros(config.num_classes, dtype=np.float32)  # (K,)

    def train(self, mode=True):
        """In training, BatchNorm takes its statistics from the batch, and remembers them for evaluation."""
        self.training = mode

    def batch_norm(self, name, m):  # (B, C, H, W)
        p, buffers = self.params, self.buffers
        mean, var = buffers[f"{name}.running_mean"], buffers[f"{name}.running_var"]  # (C,), (C,)
        if self.training:
            mean, var = m.mean(axis=(0, 2, 3)), m.var(axis=(0, 2, 3))  # (C,), (C,), eq. 35
            count = m.size // len(mean)
            unbiased = var * (count / (count - 1))
            buffers[f"{name}.running_mean"] += MOMENTUM * (mean - buffers[f"{name}.running_mean"])  # eq. 38
            buffers[f"{name}.running_var"] += MOMENTUM * (unbiased - buffers[f"{name}.running_var"])  # eq. 38
            buffers[f"{name}.num_batches_tracked"] += 1
        scale = 1 / np.sqrt(var + EPSILON)  # (C,)
        standard = (m - per_channel(mean)) * per_channel(scale)  # (B, C, H, W), eq. 36
        self.cache[f"{name}.standard"], self.cache[f"{name}.scale"] = standard, scale
        return per_channel(p[f"{name}.weight"]) * standard + per_channel(p[f"{name}.bias"])  # eq. 37

    def batch_norm_backward(self, name, dn):  # (B, C, H, W)
        p, grads = self.params, self.grads
        standard, scale = self.cache[f"{name}.standard"], self.cache[f"{name}.scale"]  # (B, C, H, W), (C,)
        grads[f"{name}.weight"] = (dn * standard).sum(axis=(0, 2, 3))  # (C,), eq. 41
        grads[f"{name}.bias"] = dn.sum(axis=(0, 2, 3))  # (C,), eq. 42
        count = dn.size // len(scale)
        shared = per_channel(grads[f"{name}.bias"]) + standard * per_channel(grads[f"{name}.weight"])  # (B, C, H, W)
        return per_channel(p[f"{name}.weight"] * scale) * (dn - shared / count)  # (B, C, H, W), eq. 43

    def forward(self, x):  # (B, C, H, W)
        """The logits (B, K) of the images x (B, C, H, W)."""
        self.config.check_input(x)
        p = self.params
        self.cache = {"h0": x}
        h = x
        for i in range(1, self.config.num_blocks + 1):
            z = convolution(padded(h), p[f"conv{i}.weight"])  # (B, C_i, H, W), eq. 1, 33
            m = max_pool(z)  # (B, C_i, H/2, W/2), eq. 34
            n = self.batch_norm(f"bn{i}", m)  # eq. 35-38
            h = np.maximum(n, 0)  # eq. 39
            self.cache[f"z{i}"], self.cache[f"m{i}"], self.cache[f"h{i}"] = z, m, h
        flat = h.reshape(len(x), -1)  # (B, D)
        logits = flat @ p["fc.weight"].T + p["fc.bias"]  # (B, K), eq. 7
        return logits

    def loss(self, x, targets):  # (B, C, H, W), (B,)
        """The mean cross entropy () of the logits against the class indices targets (B,)."""
        logits = self.forward(x)  # (B, K)
        self.config.check_targets(targets, batch_size=len(x))
        log_probs = logits - logsumexp(logits)  # (B, K), eq. 11
        loss = -log_probs[np.arange(len(x)), targets].mean()  # (), eq. 10 without a rubbish class
        self.cache["log_probs"], self.cache["targets"] = log_probs, targets
        return loss

    def loss_backward(self):
        """After loss(x, targets): fill grads with dL/dparameter, and return dL/dx (B, C, H, W)."""
        if "log_probs" not in self.cache:
            raise RuntimeError("CNN.loss_backward: nothing to go back through; call loss(x, targets) first")
        log_probs, targets = self.cache["log_probs"], self.cache["targets"]  # (B, K), (B,)
        B, K = log_probs.shape
        probs = np.exp(log_probs)  # (B, K), eq. 14
        one_hot = np.eye(K, dtype=probs.dtype)[targets]  # (B, K)
        dlogits = (probs - one_hot) / B  # (B, K), eq. 13
        return self.backward(dlogits)

    def backward(self, dlogits):  # (B, K)
        """After forward(x) in training: fill grads with dL/dparameter for this dL/dlogits, and return dL/dx (B, C, H, W)."""
        if not self.cache or not self.training:
            raise RuntimeError("CNN.backward: nothing to go back through; call forward(x) in training mode first")
        p, grads, cache, N = self.params, self.grads, self.cache, self.config.num_blocks
        expected = (len(cache["h0"]), self.config.num_classes)
        if dlogits.shape != expected:
            raise ValueError(f"CNN.backward: expected dlogits {expected}, got {dlogits.shape}")
        h = cache[f"h{N}"]  # (B, C_N, H, W)
        grads["fc.weight"] = dlogits.T @ h.reshape(len(h), -1)  # (K, D), eq. 17
        grads["fc.bias"] = dlogits.sum(axis=0)  # (K,), eq. 18
        dflat = dlogits @ p["fc.weight"]  # (B, D), eq. 19
        dh = dflat.reshape(h.shape)  # (B, C_N, H, W)
        for i in range(N, 0, -1):
            dn = dh * (cache[f"h{i}"] > 0)  # (B, C_i, H/2, W/2), eq. 40
            dm = self.batch_norm_backward(f"bn{i}", dn)  # eq. 43
            dz = max_pool_backward(dm, cache[f"z{i}"], cache[f"m{i}"])  # (B, C_i, H, W), eq. 44
            dpadded, grads[f"conv{i}.weight"] = convolution_backward(
                dz, padded(cache[f"h{i - 1}"]), p[f"conv{i}.weight"]
            )  # (B, C_{i-1}, H+2, W+2), eq. 21, 24
            dh = padded_backward(dpadded)  # (B, C_{i-1}, H, W), eq. 45
        return dh  # (B, C, H, W): h0 is x

    def train_step(self, x, targets, lr):  # (B, C, H, W), (B,)
        """One step of gradient descent; returns the loss before it."""
        loss = self.loss(x, targets)
        self.loss_backward()
        for name, param in self.params.items():
            param -= lr * self.grads[name]  # eq. 32
        return float(loss)

    def parameters(self):
        return list(self.params.values())

    def state_dict(self):
        """The parameters and the running statistics by name; as in PyTorch they share the model's memory."""
        return {**self.params, **self.buffers}

    def load_state_dict(self, state):
        """Copy in every parameter and buffer, dtype included; refuse a missing, an unknown and a wrongly shaped one."""
        own = self.state_dict()
        for name in {**own, **state}:
            expected, got = (tuple(np.shape(d[name])) if name in d else None for d in (own, state))
            if expected != got:
                raise RuntimeError(f"CNN.load_state_dict: {name}: expected shape {expected}, got {got}")
        self.params = {name: np.array(state[name]) for name in self.params}
        self.buffers = {name: np.array(state[name]) for name in self.buffers}
