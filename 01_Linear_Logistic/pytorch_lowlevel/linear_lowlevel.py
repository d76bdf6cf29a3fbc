"""Linear, logistic and softmax regression, level 2: tensors and autograd, parameters in a dict, no nn.Module.

Legendre 1805 (least squares), Cox 1958 (logistic regression). `eq. n` is equation (n) of ../theory.md; the gradients are
autograd's. Shapes: B batch, D input features, K outputs: numbers, or classes; 1 for logistic regression.
"""

import torch

from ..study import LinearConfig

# ------------------------------------------------------------------------------------------------------ Losses
# forward:  the mean over the batch, ().  z is (B, K).


def squared_error(z, targets):  # (B, K), (B, K)
    return 0.5 * ((z - targets) ** 2).sum() / len(z)  # (), eq. 2


def binary_cross_entropy(z, targets):  # (B, 1), (B,)
    """-log σ(z) where the target is 1, -log(1 - σ(z)) where it is 0, without ever computing σ, which rounds to 0 or 1.

    Autograd differentiates what is written: at z = 0 two terms of eq. 4 have a corner, and their slopes have to add up to
    σ(0) = ½. torch.maximum has the slope ½ there and abs has 0; torch.relu has 0, torch.clamp 1, and would be wrong.
    """
    y = targets[:, None].to(z.dtype)  # (B, 1)
    losses = torch.maximum(z, torch.zeros_like(z)) - y * z + torch.log1p(torch.exp(-torch.abs(z)))  # (B, 1), eq. 4
    return losses.mean()  # (), eq. 3


def cross_entropy(z, targets):  # (B, K), (B,)
    """-log softmax(z) at each row's target."""
    log_probs = z - torch.logsumexp(z, dim=1, keepdim=True)  # (B, K), eq. 6
    return -log_probs[torch.arange(len(z)), targets].mean()  # (), eq. 7


LOSSES = {
    "linear": squared_error,
    "logistic": binary_cross_entropy,
    "softmax": cross_entropy,
}


# ------------------------------------------------------------------------------------------------------- Model


class LinearModel:
    """x -> linear -> z, which is the prediction, a logit, or the logits; trained on the loss of config.regression.

    `params` is a dict of leaf tensors: linear.weight (K, D) and linear.bias (K,); their gradients are `.grad`. Both start as
    zeros: the loss is convex, so that every start leads to the same minimum.
    """

    def __init__(self, config: LinearConfig):
        self.config = config
        self.params = {
            "linear.weight": torch.zeros(config.out_features, config.in_features),  # (K, D)
            "linear.bias": torch.zeros(config.out_features),  # (K,)
        }
        for param in self.params.values():
            param.requires_grad_()

    def forward(self, x):  # (B, D)
        """The outputs z (B, K) of the inputs x (B, D)."""
        self.config.check_input(x)
        p = self.params
        z = x @ p["linear.weight"].T + p["linear.bias"]  # (B, K), eq. 1
        return z

    def loss(self, x, targets):  # (B, D), (B, K) or (B,)
        """The mean loss () of the outputs against the targets, and the penalties on the weights."""
        z = self.forward(x)  # (B, K)
        self.config.check_targets(targets, batch_size=len(x))
        loss_of = LOSSES[self.config.regression]
        loss = loss_of(z, targets) + self.penalty()  # ()
        return loss

    def penalty(self):
        l1, l2, weight = self.config.l1, self.config.l2, self.params["linear.weight"]
        return l1 * torch.abs(weight).sum() + 0.5 * l2 * (weight**2).sum()  # (), eq. 8

    def train_step(self, x, targets, lr):  # (B, D), (B, K) or (B,)
        """One step of gradient descent; returns the loss before it."""
        for param in self.params.values():
            param.grad = None
        loss = self.loss(x, targets)
        loss.backward()
        with torch.no_grad():
            for param in self.params.values():
                param -= lr * param.grad  # eq. 18
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
                raise RuntimeError(f"LinearModel.load_state_dict: {name}: expected shape {expected}, got {got}")
        self.params = {name: torch.as_tensor(state[name]).detach().clone().requires_grad_() for name in self.params}
