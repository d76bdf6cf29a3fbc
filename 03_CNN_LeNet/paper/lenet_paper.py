"""LeNet-5, level 3: nn.Module, as PyTorch code is written.

LeCun, Bottou, Bengio & Haffner 1998, section II.B. `eq. n` is equation (n) of ../theory.md; the gradients are autograd's.
Shapes: B batch, C input maps, H x W pixels of a map.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..study import C3_INPUTS, C3_OUTPUTS, RBF_CODES, LeNetConfig

# ---------------------------------------------------------------------------------------------- Initialisation


def init_uniform(param, fan_in):
    """The paper's appendix A: uniform within ±2.4 / fan_in, where fan_in counts the inputs of one unit."""
    with torch.no_grad():
        nn.init.uniform_(param, -1, 1)
        param *= torch.as_tensor(2.4 / fan_in, dtype=param.dtype)  # eq. 31


# ------------------------------------------------------------------------------------------------------ Layers


class TableConv2d(nn.Module):
    """C3: a convolution 6 -> 16 with the connections of the paper's table I, one kernel (5, 5) for each of the 60."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(60, 5, 5))
        self.bias = nn.Parameter(torch.empty(16))

    def forward(self, x):  # (B, 6, 14, 14)
        kernels = torch.zeros(16, 6, 5, 5, dtype=self.weight.dtype, device=self.weight.device)
        kernels[C3_OUTPUTS, C3_INPUTS] = self.weight  # eq. 6
        return F.conv2d(x, kernels, self.bias)  # (B, 16, 10, 10), eq. 1


class Subsampling(nn.Module):
    """S2 and S4: each 2 x 2 field is summed, multiplied by the map's coefficient, moved by its bias, and squashed."""

    def __init__(self, maps):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(maps))
        self.bias = nn.Parameter(torch.empty(maps))

    def forward(self, h):  # (B, C, H, W)
        s = 4 * F.avg_pool2d(h, 2)  # (B, C, H/2, W/2), eq. 3
        z = self.weight[:, None, None] * s + self.bias[:, None, None]  # eq. 4
        h = squash(z)  # eq. 2
        return h


class RBF(nn.Module):
    """Minus the squared Euclidean distance to each class's fixed code, the digit drawn on a bitmap of 7 x 12."""

    def __init__(self):
        super().__init__()
        self.register_buffer("codes", torch.as_tensor(RBF_CODES, dtype=torch.get_default_dtype()))  # (10, 84)

    def forward(self, h):  # (B, 84)
        distance = h[:, None, :] - self.codes  # (B, 10, 84)
        return -(distance * distance).sum(dim=2)  # (B, 10), eq. 8


def squash(z):
    return 1.7159 * torch.tanh(2 / 3 * z)  # eq. 2: so squash(1) = 1 and squash(-1) = -1


# ------------------------------------------------------------------------------------------------------- Model


class LeNet5(nn.Module):
    """x -> C1 -> S2 -> C3 -> S4 -> C5 -> F6 -> output; trained to bring F6 close to the code of the digit.

    The parameters are c1.weight (6, 1, 5, 5), c1.bias (6,), …: see config.shapes. The buffer output.codes (10, 84) is not
    trained.
    """

    def __init__(self, config: LeNetConfig):
        super().__init__()
        self.config = config
        trainable = config.subsampling == "trainable"
        self.c1 = nn.Conv2d(1, 6, 5)
        self.s2 = Subsampling(6) if trainable else nn.AvgPool2d(2)  # eq. 5
        self.c3 = TableConv2d() if config.connections == "table" else nn.Conv2d(6, 16, 5)
        self.s4 = Subsampling(16) if trainable else nn.AvgPool2d(2)  # eq. 5
        self.c5 = nn.Conv2d(16, 120, 5)
        self.f6 = nn.Linear(120, 84)
        self.output = RBF() if config.output == "rbf" else nn.Linear(84, 10)
        for name, param in self.named_parameters():
            init_uniform(param, config.fan_in(name))

    def forward(self, x):  # (B, 1, 32, 32)
        """The logits (B, 10) of the images x (B, 1, 32, 32): with RBF outputs, minus the paper's penalties."""
        self.config.check_input(x)
        z1 = self.c1(x)  # (B, 6, 28, 28), eq. 1
        h1 = squash(z1)  # eq. 2
        h2 = self.s2(h1)  # (B, 6, 14, 14)
        z3 = self.c3(h2)  # (B, 16, 10, 10), eq. 1
        h3 = squash(z3)  # eq. 2
        h4 = self.s4(h3)  # (B, 16, 5, 5)
        z5 = self.c5(h4)  # (B, 120, 1, 1), eq. 1
        h5 = squash(z5).flatten(1)  # (B, 120), eq. 2
        z6 = self.f6(h5)  # (B, 84), eq. 7
        h6 = squash(z6)  # eq. 2
        logits = self.output(h6)  # (B, 10), eq. 8 or eq. 7
        return logits

    def loss(self, x, targets):  # (B, 1, 32, 32), (B,)
        """The mean penalty () of the class indices targets (B,); with "map", against that of the other classes."""
        logits = self.forward(x)  # (B, 10)
        self.config.check_targets(targets, batch_size=len(x))
        if self.config.loss == "mse":
            return F.nll_loss(logits, targets)  # (), eq. 9
        rubbish = torch.full_like(logits[:, :1], self.config.rubbish_logit)  # (B, 1): the class of what is no digit
        return F.cross_entropy(torch.cat([logits, rubbish], dim=1), targets)  # (), eq. 10
