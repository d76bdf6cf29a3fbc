"""Multilayer perceptron, level 1: NumPy alone, forward and backward by hand.

Rumelhart, Hinton & Williams 1986. `eq. n` is equation (n) of ../theory.md, where each gradient is derived.
Shapes: B batch, D input features, H_i units of hidden layer i, K classes, N layers with weights.
"""

import math

import numpy as np

from ..study import MLPConfig

# ---------------------------------------------------------------------------------------------- Initialisation


def init_weight(fan_in, fan_out, activation, rng):
    """A weight (fan_out, fan_in) that keeps the size of the signal from layer to layer.

    relu, gelu: He et al. 2015, section 2.2. tanh, sigmoid: Glorot & Bengio 2010 ("Xavier"), section 4.2.1.
    """
    if activation in ("relu", "gelu"):
        std = math.sqrt(2 / fan_in)  # eq. 23
        weight = rng.normal(0, std, (fan_out, fan_in))
    else:
        bound = math.sqrt(6 / (fan_in + fan_out))  # eq. 24
        weight = rng.uniform(-bound, bound, (fan_out, fan_in))
    return weight.astype(np.float32)


# ------------------------------------------------------------------------------------------------- Activations
# forward:  h = f(z).  backward:  dz = dh * f'(z), where dh stands for dL/dh. All are (B, H) in, (B, H) out.


def relu(z):
    return np.maximum(z, 0)  # eq. 4


def relu_backward(dh, z, h):
    return dh * (z > 0)  # eq. 17: at z = 0 exactly the slope is taken as 0


def tanh(z):
    return np.tanh(z)  # eq. 5


def tanh_backward(dh, z, h):
    return dh * (1 - h * h)  # eq. 18


def sigmoid(z):
    return 0.5 * np.tanh(0.5 * z) + 0.5  # eq. 6: in this form nothing overflows


def sigmoid_backward(dh, z, h):
    return dh * h * (1 - h)  # eq. 19


def gelu(z):
    return z * normal_cdf(z)  # eq. 7


def gelu_backward(dh, z, h):
    normal_pdf = np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    return dh * (normal_cdf(z) + z * normal_pdf)  # eq. 20


def normal_cdf(z):
    """P(Z <= z) of a standard normal Z. NumPy has no erf: Python's, exact to the last digit, is called on each element."""
    erf = np.vectorize(math.erf, otypes=[np.float64])
    return 0.5 * (1 + erf(z / math.sqrt(2))).astype(z.dtype)


ACTIVATIONS = {
    "relu": (relu, relu_backward),
    "tanh": (tanh, tanh_backward),
    "sigmoid": (sigmoid, sigmoid_backward),
    "gelu": (gelu, gelu_backward),
}


# -------------------------------------------------------------------------------------------------------- Loss


def logsumexp(logits):  # (B, K)
    """log Σ_k exp(logits_k) of each row. The largest logit is taken out first, so that no exp overflows."""
    m = logits.max(axis=1, keepdims=True)  # (B, 1)
    return m + np.log(np.exp(logits - m).sum(axis=1, keepdims=True))  # (B, 1), eq. 9


# ------------------------------------------------------------------------------------------------------- Model


class MLP:
    """x -> fc1 -> activation -> … -> fcN -> logits; trained on softmax cross entropy.

    `params` and, after a backward, `grads` are dicts of arrays under the names fc1.weight (H_1, D), fc1.bias (H_1,), …
    """

    def __init__(self, config: MLPConfig, rng: np.random.Generator | None = None):
        self.config = config
        self.params = {}
        self.grads = {}
        self.cache = {}  # what the forward pass leaves for the backward pass
        rng = np.random.default_rng() if rng is None else rng
        for i, (fan_in, fan_out) in enumerate(zip(config.sizes, config.sizes[1:]), start=1):
            self.params[f"fc{i}.weight"] = init_weight(fan_in, fan_out, config.activation, rng)  # (H_i, H_{i-1})
            self.params[f"fc{i}.bias"] = np.zeros(fan_out, dtype=np.float32)  # (H_i,)

    def forward(self, x):  # (B, D)
        """The logits (B, K) of the inputs x (B, D)."""
        self.config.check_input(x)
        p, N = self.params, self.config.num_layers
        activation, _ = ACTIVATIONS[self.config.activation]
        h = x
        self.cache = {"h0": h}
        for i in range(1, N):
            z = h @ p[f"fc{i}.weight"].T + p[f"fc{i}.bias"]  # (B, H_i), eq. 1
            h = activation(z)  # (B, H_i), eq. 2
            self.cache[f"z{i}"], self.cache[f"h{i}"] = z, h
        logits = h @ p[f"fc{N}.weight"].T + p[f"fc{N}.bias"]  # (B, K), eq. 3
        return logits

    def loss(self, x, targets):  # (B, D), (B,)
        """The mean cross entropy () of the logits against the class indices targets (B,)."""
        logits = self.forward(x)  # (B, K)
        self.config.check_targets(targets, batch_size=len(x))
        log_probs = logits - logsumexp(logits)  # (B, K), eq. 10
        loss = -log_probs[np.arange(len(x)), targets].mean()  # (), eq. 11
        self.cache["log_probs"], self.cache["targets"] = log_probs, targets
        return loss

    def loss_backward(self):
        """After loss(x, targets): fill grads with dL/dparameter, and return dL/dx (B, D)."""
        if "log_probs" not in self.cache:
            raise RuntimeError("MLP.loss_backward: nothing to go back through; call loss(x, targets) first")
        log_probs, targets = self.cache["log_probs"], self.cache["targets"]  # (B, K), (B,)
        B, K = log_probs.shape
        probs = np.exp(log_probs)  # (B, K), eq. 8
        one_hot = np.eye(K, dtype=probs.dtype)[targets]  # (B, K)
        dlogits = (probs - one_hot) / B  # (B, K), eq. 12
        return self.backward(dlogits)

    def backward(self, dlogits):  # (B, K)
        """After forward(x): fill grads with dL/dparameter for this dL/dlogits, and return dL/dx (B, D)."""
        if not self.cache:
            raise RuntimeError("MLP.backward: nothing to go back through; call forward(x) first")
        p, grads, cache, N = self.params, self.grads, self.cache, self.config.num_layers
        expected = (len(cache["h0"]), self.config.num_classes)
        if dlogits.shape != expected:
            raise ValueError(f"MLP.backward: expected dlogits {expected}, got {dlogits.shape}")
        grads[f"fc{N}.weight"] = dlogits.T @ cache[f"h{N - 1}"]  # (K, H_{N-1}), eq. 13
        grads[f"fc{N}.bias"] = dlogits.sum(axis=0)  # (K,), eq. 14
        dh = dlogits @ p[f"fc{N}.weight"]  # (B, H_{N-1}), eq. 15
        _, activation_backward = ACTIVATIONS[self.config.activation]
        for i in range(N - 1, 0, -1):
            dz = activation_backward(dh, cache[f"z{i}"], cache[f"h{i}"])  # (B, H_i), eq. 16
            grads[f"fc{i}.weight"] = dz.T @ cache[f"h{i - 1}"]  # (H_i, H_{i-1}), eq. 13
            grads[f"fc{i}.bias"] = dz.sum(axis=0)  # (H_i,), eq. 14
            dh = dz @ p[f"fc{i}.weight"]  # (B, H_{i-1}), eq. 15
        return dh  # (B, D): h0 is x

    def train_step(self, x, targets, lr):  # (B, D), (B,)
        """One step of gradient descent; returns the loss before it."""
        loss = self.loss(x, targets)
        self.loss_backward()
        for name, param in self.params.items():
            param -= lr * self.grads[name]  # eq. 21
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
                raise RuntimeError(f"MLP.load_state_dict: {name}: expected shape {expected}, got {got}")
        self.params = {name: np.array(state[name]) for name in self.params}
