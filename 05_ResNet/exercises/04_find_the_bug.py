"""A normalising layer with running statistics, for rows of features."""

import numpy as np


class Norm:
    """BatchNorm of (B, C), with γ = 1 and β = 0 at the start."""

    def __init__(self, num_features, momentum=0.1, eps=1e-5):
        self.gamma, self.beta = np.ones(num_features), np.zeros(num_features)
        self.running_mean, self.running_var = np.zeros(num_features), np.ones(num_features)
        self.momentum, self.eps = momentum, eps
        self.training = True

    def train(self):
        self.training = True

    def eval(self):
        self.training = False

    def __call__(self, x):  # (B, C)
        mean, var = self.statistics(x)
        return self.gamma * (x - mean) / np.sqrt(var + self.eps) + self.beta

    def statistics(self, x):  # (B, C)
        """The mean and the variance (C,) to normalise with; in training those of the batch, which are also remembered."""
        if not self.training:
            return self.running_mean, self.running_var
        mean, var = x.mean(axis=0), x.var(axis=0)
        self.remember(mean, var * len(x) / (len(x) - 1))
        return mean, var

    def remember(self, mean, unbiased):  # (C,), (C,)
        m = self.momentum
        self.running_mean = (1 - m) * self.running_mean + m * mean
        self.running_var = (1 - m) * self.running_var + m * unbiased
