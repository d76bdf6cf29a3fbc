"""The production twin: torch.nn.Linear itself, with torch.nn's losses and torch.linalg's norms.

Its parameters are weight and bias; ours are linear.weight and linear.bias, as of a module that holds one nn.Linear.
In PyTorch the ridge penalty is mostly left to the optimizer: `weight_decay=l2` adds l2 · W to the gradient, as eq. 17 does, but
to the bias's as well, unless the bias is put in a parameter group of its own.
"""

import torch
import torch.nn as nn

CRITERIA = {
    "linear": lambda: nn.MSELoss(reduction="sum"),
    "logistic": nn.BCEWithLogitsLoss,
    "softmax": nn.CrossEntropyLoss,
}


class TorchLinear(nn.Linear):
    def __init__(self, config):
        super().__init__(config.in_features, config.out_features)
        self.config, self.criterion = config, CRITERIA[config.regression]()

    def loss(self, x, targets):
        z = self.forward(x)
        if self.config.regression == "linear":
            data_loss = self.criterion(z, targets) / (2 * len(x))
        elif self.config.regression == "logistic":
            data_loss = self.criterion(z, targets[:, None].to(z.dtype))
        else:
            data_loss = self.criterion(z, targets)
        lasso, ridge = torch.linalg.vector_norm(self.weight, ord=1), torch.linalg.vector_norm(self.weight).square()
        return data_loss + self.config.l1 * lasso + self.config.l2 / 2 * ridge


def to_twin(state):
    return {name.removeprefix("linear."): array for name, array in state.items()}


def from_twin(state):
    return {f"linear.{name}": array for name, array in state.items()}
