"""Multilayer perceptron, level 3: nn.Module, as PyTorch code is written.

Rumelhart, Hinton & Williams 1986. `eq. n` is equation (n) of ../theory.md; the gradients are autograd's.
Shapes: B batch, D input features, H_i units of hidden layer i, K classes, N layers with weights.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..study import MLPConfig

# ---------------------------------------------------------------------------------------------- Initialisation


def init_weight(weight, activation):
    """Fill a weight (fan_out, fan_in) so that it keeps the size of the signal from layer to layer.

    relu, gelu: He et al. 2015, section 2.2. tanh, sigmoid: Glorot & Bengio 2010 ("Xavier"), section 4.2.1.
    """
    if activation in ("relu", "gelu"):
        nn.init.kaiming_normal_(weight, nonlinearity="relu")  # eq. 23
    else:
        nn.init.xavier_uniform_(weight)  # eq. 24


# ------------------------------------------------------------------------------------------------- Activations
# forward:  h = f(z).  All are (B, H) in, (B, H) out.

ACTIVATIONS = {
    "relu": F.relu,  # eq. 4
    "tanh": torch.tanh,  # eq. 5
    "sigmoid": torch.sigmoid,  # eq. 6
    "gelu": F.gelu,  # eq. 7
}


# ------------------------------------------------------------------------------------------------------- Model


class MLP(nn.Module):
    """x -> fc1 -> activation -> … -> fcN -> logits; trained on softmax cross entropy.

    The parameters are fc1.weight (H_1, D), fc1.bias (H_1,), …
    """

    def __init__(self, config: MLPConfig):
        super().__init__()
        self.config = config
        for i, (fan_in, fan_out) in enumerate(zip(config.sizes, config.sizes[1:]), start=1):
            fc = nn.Linear(fan_in, fan_out)  # weight (H_i, H_{i-1}), bias (H_i,)
            init_weight(fc.weight, config.activation)
            nn.init.zeros_(fc.bias)
            self.add_module(f"fc{i}", fc)

    def forward(self, x):  # (B, D)
        """The logits (B, K) of the inputs x (B, D)."""
        self.config.check_input(x)
        N = self.config.num_layers
        activation = ACTIVATIONS[self.config.activation]
        h = x
        for i in range(1, N):
            z = getattr(self, f"fc{i}")(h)  # (B, H_i), eq. 1
            h = activation(z)  # (B, H_i), eq. 2
        logits = getattr(self, f"fc{N}")(h)  # (B, K), eq. 3
        return logits

    def loss(self, x, targets):  # (B, D), (B,)
        """The mean cross entropy () of the logits against the class indices targets (B,)."""
        logits = self.forward(x)  # (B, K)
        self.config.check_targets(targets, batch_size=len(x))
        loss = F.cross_entropy(logits, targets)  # (), eq. 11
        return loss
