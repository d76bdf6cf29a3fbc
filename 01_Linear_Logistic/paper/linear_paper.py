"""Linear, logistic and softmax regression, level 3: nn.Module, as PyTorch code is written.

Legendre 1805 (least squares), Cox 1958 (logistic regression). `eq. n` is equation (n) of ../theory.md; the gradients are
autograd's. Shapes: B batch, D input features, K outputs: numbers, or classes; 1 for logistic regression.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..study import LinearConfig

# ------------------------------------------------------------------------------------------------------ Losses
# forward:  the mean over the batch, ().  z is (B, K).


def squared_error(z, targets):  # (B, K), (B, K)
    return 0.5 * F.mse_loss(z, targets, reduction="sum") / len(z)  # (), eq. 2: the mean over rows, not over numbers


def binary_cross_entropy(z, targets):  # (B, 1), (B,)
    """-log σ(z) where the target is 1, -log(1 - σ(z)) where it is 0, without ever computing σ, which rounds to 0 or 1."""
    return F.binary_cross_entropy_with_logits(z[:, 0], targets.to(z.dtype))  # (), eq. 3


def cross_entropy(z, targets):  # (B, K), (B,)
    """-log softmax(z) at each row's target."""
    return F.cross_entropy(z, targets)  # (), eq. 7


LOSSES = {
    "linear": squared_error,
    "logistic": binary_cross_entropy,
    "softmax": cross_entropy,
}


# ------------------------------------------------------------------------------------------------------- Model


class LinearModel(nn.Module):
    """x -> linear -> z, which is the prediction, a logit, or the logits; trained on the loss of config.regression.

    The parameters are linear.weight (K, D) and linear.bias (K,). Both start as zeros: the loss is convex, so that every start
    leads to the same minimum.
    """

    def __init__(self, config: LinearConfig):
        super().__init__()
        self.config = config
        self.linear = nn.Linear(config.in_features, config.out_features)  # weight (K, D), bias (K,)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x):  # (B, D)
        """The outputs z (B, K) of the inputs x (B, D)."""
        self.config.check_input(x)
        z = self.linear(x)  # (B, K), eq. 1
        return z

    def loss(self, x, targets):  # (B, D), (B, K) or (B,)
        """The mean loss () of the outputs against the targets, and the penalties on the weights."""
        z = self.forward(x)  # (B, K)
        self.config.check_targets(targets, batch_size=len(x))
        loss_of = LOSSES[self.config.regression]
        loss = loss_of(z, targets) + self.penalty()  # ()
        return loss

    def penalty(self):
        l1, l2, weight = self.config.l1, self.config.l2, self.linear.weight
        return l1 * torch.abs(weight).sum() + 0.5 * l2 * (weight**2).sum()  # (), eq. 8
