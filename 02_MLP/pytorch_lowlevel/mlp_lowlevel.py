"""Multilayer perceptron, level 2: tensors and autograd, parameters in a dict, no nn.Module.

Rumelhart, Hinton & Williams 1986. `eq. n` is equation (n) of ../theory.md; the gradients are autograd's.
Shapes: B batch, D input features, H_i units of hidden layer i, K classes, N layers with weights.
"""

import math

import torch

from ..study import MLPConfig

# ---------------------------------------------------------------------------------------------- Initialisation


def init_weight(fan_in, fan_out, activation, generator):
    """A weight (fan_out, fan_in) that keeps the size of the signal from layer to layer.

    relu, gelu: He et al. 2015, section 2.2. tanh, sigmoid: Glorot & Bengio 2010 ("Xavier"), section 4.2.1.
    """
    if activation in ("relu", "gelu"):
        std = math.sqrt(2 / fan_in)  # eq. 23
        weight = std * torch.randn(fan_out, fan_in, generator=generator)
    else:
        bound = math.sqrt(6 / (fan_in + fan_out))  # eq. 24
        weight = bound * (2 * torch.rand(fan_out, fan_in, generator=generator) - 1)
    return weight


# ------------------------------------------------------------------------------------------------- Activations
# forward:  h = f(z).  All are (B, H) in, (B, H) out.


def gelu(z):
    return z * normal_cdf(z)  # eq. 7


def normal_cdf(z):
    """P(Z <= z) of a standard normal Z."""
    return 0.5 * (1 + torch.erf(z / math.sqrt(2)))


ACTIVATIONS = {
    "relu": torch.relu,  # eq. 4
    "tanh": torch.tanh,  # eq. 5
    "sigmoid": torch.sigmoid,  # eq. 6
    "gelu": gelu,
}


# ------------------------------------------------------------------------------------------------------- Model


class MLP:
    """x -> fc1 -> activation -> … -> fcN -> logits; trained on softmax cross entropy.

    `params` is a dict of leaf tensors under the names fc1.weight (H_1, D), fc1.bias (H_1,), …; their gradients are `.grad`.
    """

    def __init__(self, config: MLPConfig, generator: torch.Generator | None = None):
        self.config = config
        self.params = {}
        for i, (fan_in, fan_out) in enumerate(zip(config.sizes, config.sizes[1:]), start=1):
            self.params[f"fc{i}.weight"] = init_weight(fan_in, fan_out, config.activation, generator)  # (H_i, H_{i-1})
            self.params[f"fc{i}.bias"] = torch.zeros(fan_out)  # (H_i,)
        for param in self.params.values():
            param.requires_grad_()

    def forward(self, x):  # (B, D)
        """The logits (B, K) of the inputs x (B, D)."""
        self.config.check_input(x)
        p, N = self.params, self.config.num_layers
        activation = ACTIVATIONS[self.config.activation]
        h = x
        for i in range(1, N):
            z = h @ p[f"fc{i}.weight"].T + p[f"fc{i}.bias"]  # (B, H_i), eq. 1
            h = activation(z)  # (B, H_i), eq. 2
        logits = h @ p[f"fc{N}.weight"].T + p[f"fc{N}.bias"]  # (B, K), eq. 3
        return logits

    def loss(self, x, targets):  # (B, D), (B,)
        """The mean cross entropy () of the logits against the class indices targets (B,)."""
        logits = self.forward(x)  # (B, K)
        self.config.check_targets(targets, batch_size=len(x))
        log_probs = logits - torch.logsumexp(logits, dim=1, keepdim=True)  # (B, K), eq. 10
        loss = -log_probs[torch.arange(len(x)), targets].mean()  # (), eq. 11
        return loss

    def train_step(self, x, targets, lr):  # (B, D), (B,)
        """One step of gradient descent; returns the loss before it."""
        for param in self.params.values():
            param.grad = None
        loss = self.loss(x, targets)
        loss.backward()
        with torch.no_grad():
            for param in self.params.values():
                param -= lr * param.grad  # eq. 21
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
                raise RuntimeError(f"MLP.load_state_dict: {name}: expected shape {expected}, got {got}")
        self.params = {name: torch.as_tensor(state[name]).detach().clone().requires_grad_() for name in self.params}
