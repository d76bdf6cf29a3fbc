"""Linear, logistic and softmax regression, level 1: NumPy alone, forward and backward by hand.

Legendre 1805 (least squares), Cox 1958 (logistic regression). `eq. n` is equation (n) of ../theory.md, where each gradient is
derived. Shapes: B batch, D input features, K outputs: numbers, or classes; 1 for logistic regression.
How to find the minimum, besides by train_step, is the subject of solvers_numpy.py.
"""

import numpy as np

from ..study import LinearConfig

# ------------------------------------------------------------------------------------------------------ Losses
# forward:  the mean over the batch, ().  backward:  dz = dL/dz, (B, K).  z is (B, K).


def squared_error(z, targets):  # (B, K), (B, K)
    return 0.5 * ((z - targets) ** 2).sum() / len(z)  # (), eq. 2


def squared_error_backward(z, targets):
    return (z - targets) / len(z)  # (B, K), eq. 11


def binary_cross_entropy(z, targets):  # (B, 1), (B,)
    """-log σ(z) where the target is 1, -log(1 - σ(z)) where it is 0, without ever computing σ, which rounds to 0 or 1."""
    y = targets[:, None].astype(z.dtype)  # (B, 1)
    losses = np.maximum(z, 0) - y * z + np.log1p(np.exp(-np.abs(z)))  # (B, 1), eq. 4: no exp above 1
    return losses.mean()  # (), eq. 3


def binary_cross_entropy_backward(z, targets):
    y = targets[:, None].astype(z.dtype)  # (B, 1)
    return (sigmoid(z) - y) / len(z)  # (B, 1), eq. 12


def cross_entropy(z, targets):  # (B, K), (B,)
    """-log softmax(z) at each row's target."""
    log_probs = z - logsumexp(z)  # (B, K), eq. 6
    return -log_probs[np.arange(len(z)), targets].mean()  # (), eq. 7


def cross_entropy_backward(z, targets):
    one_hot = np.eye(z.shape[1], dtype=z.dtype)[targets]  # (B, K)
    return (softmax(z) - one_hot) / len(z)  # (B, K), eq. 13


def logsumexp(z):  # (B, K)
    """log Σ_k exp(z_k) of each row. The largest z is taken out first, so that no exp overflows."""
    m = z.max(axis=1, keepdims=True)  # (B, 1)
    return m + np.log(np.exp(z - m).sum(axis=1, keepdims=True))  # (B, 1), eq. 5


def sigmoid(z):
    return 0.5 * np.tanh(0.5 * z) + 0.5  # eq. 9: in this form nothing overflows


def softmax(z):  # (B, K)
    return np.exp(z - logsumexp(z))  # (B, K), eq. 10


LOSSES = {
    "linear": (squared_error, squared_error_backward),
    "logistic": (binary_cross_entropy, binary_cross_entropy_backward),
    "softmax": (cross_entropy, cross_entropy_backward),
}


# ------------------------------------------------------------------------------------------------------- Model


class LinearModel:
    """x -> linear -> z, which is the prediction, a logit, or the logits; trained on the loss of config.regression.

    `params` and, after a backward, `grads` are dicts of arrays: linear.weight (K, D) and linear.bias (K,). Both start as zeros:
    the loss is convex, so that every start leads to the same minimum.
    """

    def __init__(self, config: LinearConfig):
        self.config = config
        self.params = {
            "linear.weight": np.zeros((config.out_features, config.in_features), dtype=np.float32),  # (K, D)
            "linear.bias": np.zeros(config.out_features, dtype=np.float32),  # (K,)
        }
        self.grads = {}
        self.cache = {}  # what the forward pass leaves for the backward pass

    def forward(self, x):  # (B, D)
        """The outputs z (B, K) of the inputs x (B, D)."""
        self.config.check_input(x)
        p = self.params
        z = x @ p["linear.weight"].T + p["linear.bias"]  # (B, K), eq. 1
        self.cache = {"x": x}
        return z

    def loss(self, x, targets):  # (B, D), (B, K) or (B,)
        """The mean loss () of the outputs against the targets, and the penalties on the weights."""
        z = self.forward(x)  # (B, K)
        self.config.check_targets(targets, batch_size=len(x))
        loss_of, _ = LOSSES[self.config.regression]
        loss = loss_of(z, targets) + self.penalty()  # ()
        self.cache["z"], self.cache["targets"] = z, targets
        return loss

    def penalty(self):
        l1, l2, weight = self.config.l1, self.config.l2, self.params["linear.weight"]
        return l1 * np.abs(weight).sum() + 0.5 * l2 * (weight**2).sum()  # (), eq. 8

    def loss_backward(self):
        """After loss(x, targets): fill grads with dL/dparameter, and return dL/dx (B, D)."""
        if "z" not in self.cache:
            raise RuntimeError("LinearModel.loss_backward: nothing to go back through; call loss(x, targets) first")
        _, loss_of_backward = LOSSES[self.config.regression]
        dz = loss_of_backward(self.cache["z"], self.cache["targets"])  # (B, K), eq. 11, 12 or 13
        dx = self.backward(dz)  # (B, D)
        l1, l2, weight = self.config.l1, self.config.l2, self.params["linear.weight"]
        self.grads["linear.weight"] += l1 * np.sign(weight) + l2 * weight  # (K, D), eq. 17: sign(0) is 0
        return dx

    def backward(self, dz):  # (B, K)
        """After forward(x): fill grads with dL/dparameter for this dL/dz, and return dL/dx (B, D)."""
        if not self.cache:
            raise RuntimeError("LinearModel.backward: nothing to go back through; call forward(x) first")
        p, grads, x = self.params, self.grads, self.cache["x"]
        expected = (len(x), self.config.out_features)
        if dz.shape != expected:
            raise ValueError(f"LinearModel.backward: expected dz {expected}, got {dz.shape}")
        grads["linear.weight"] = dz.T @ x  # (K, D), eq. 14
        grads["linear.bias"] = dz.sum(axis=0)  # (K,), eq. 15
        dx = dz @ p["linear.weight"]  # (B, D), eq. 16
        return dx

    def train_step(self, x, targets, lr):  # (B, D), (B, K) or (B,)
        """One step of gradient descent; returns the loss before it."""
        loss = self.loss(x, targets)
        self.loss_backward()
        for name, param in self.params.items():
            param -= lr * self.grads[name]  # eq. 18
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
                raise RuntimeError(f"LinearModel.load_state_dict: {name}: expected shape {expected}, got {got}")
        self.params = {name: np.array(state[name]) for name in self.params}
