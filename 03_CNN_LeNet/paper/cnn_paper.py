"""A small CNN for colour photographs, level 3: nn.Module, as PyTorch code is written.

LeNet-5's idea with today's parts: 3 x 3 convolutions, BatchNorm (Ioffe & Szegedy 2015), ReLU, max pooling.
`eq. n` is equation (n) of ../theory.md; the gradients are autograd's.
Shapes: B batch, C channels, H x W pixels, D features after the last block, K classes, N blocks.
"""

import torch.nn as nn
import torch.nn.functional as F

from ..study import CNNConfig

# ------------------------------------------------------------------------------------------------------- Model


class CNN(nn.Module):
    """x -> N times (conv -> max pooling -> bn -> relu) -> fc -> logits; trained on softmax cross entropy.

    The parameters are conv1.weight (C_1, C_0, 3, 3), bn1.weight (C_1), bn1.bias (C_1), …, fc.weight (K, D), fc.bias (K).
    """

    def __init__(self, config: CNNConfig):
        super().__init__()
        self.config = config
        channels = (config.in_channels, *config.channels)
        for i, (fan_in, fan_out) in enumerate(zip(channels, channels[1:]), start=1):
            conv = nn.Conv2d(fan_in, fan_out, kernel_size=3, padding=1, bias=False)  # BatchNorm would take a bias out
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")  # eq. 46
            self.add_module(f"conv{i}", conv)
            self.add_module(f"bn{i}", nn.BatchNorm2d(fan_out))
        self.fc = nn.Linear(config.in_features, config.num_classes)
        nn.init.kaiming_normal_(self.fc.weight, nonlinearity="relu")  # eq. 46
        nn.init.zeros_(self.fc.bias)

    def forward(self, x):  # (B, C, H, W)
        """The logits (B, K) of the images x (B, C, H, W)."""
        self.config.check_input(x)
        h = x
        for i in range(1, self.config.num_blocks + 1):
            z = getattr(self, f"conv{i}")(h)  # (B, C_i, H, W), eq. 1, 33
            m = F.max_pool2d(z, 2)  # (B, C_i, H/2, W/2), eq. 34
            n = getattr(self, f"bn{i}")(m)  # eq. 35-38
            h = F.relu(n)  # eq. 39
        flat = h.flatten(1)  # (B, D)
        logits = self.fc(flat)  # (B, K), eq. 7
        return logits

    def loss(self, x, targets):  # (B, C, H, W), (B,)
        """The mean cross entropy () of the logits against the class indices targets (B,)."""
        logits = self.forward(x)  # (B, K)
        self.config.check_targets(targets, batch_size=len(x))
        loss = F.cross_entropy(logits, targets)  # (), eq. 10 without a rubbish class
        return loss
