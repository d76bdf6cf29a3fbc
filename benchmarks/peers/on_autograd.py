"""The workloads on HIPS autograd: NumPy's functions, traced."""

import autograd.numpy as np
from autograd import value_and_grad
from autograd.scipy.signal import convolve
from autograd.scipy.special import erf

from . import models
from .peer import LR, NumPyPeer


class Peer(NumPyPeer, models.Ops):
    np, package, lr = np, "autograd", LR
    erf = staticmethod(erf)

    def __init__(self, name, parameters, batch):
        self.parameters = models.split_gates(parameters)
        self.loss = lambda p: models.LOSSES[name](self, p, *batch)
        self.value_and_grad = value_and_grad(self.loss)

    def relu(self, x):
        return np.maximum(x, 0)

    def cross_entropy(self, z, y):  # (N, K), (N,)
        log_total = self.logsumexp(z)
        picked = np.sum(z * np.eye(z.shape[1], dtype=z.dtype)[y], axis=1)
        return np.mean(log_total - picked)

    def logsumexp(self, z):
        m = np.max(z, axis=1, keepdims=True)
        return np.log(np.sum(np.exp(z - m), axis=1)) + m[:, 0]

    def binary_cross_entropy(self, z, x):
        return np.sum(np.maximum(z, 0) - z * x + np.log1p(np.exp(-np.abs(z))))

    def conv(self, x, weight, bias, stride, padding):
        if padding:
            x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)), mode="constant")
        flipped = weight[:, :, ::-1, ::-1]  # convolve() turns it back
        y = convolve(x, flipped, axes=([2, 3], [2, 3]), dot_axes=([1], [1]), mode="valid")  # (B, O, H, W)
        y = y[:, :, ::stride, ::stride] if stride > 1 else y
        return y if bias is None else y + np.reshape(bias, (1, -1, 1, 1))

    def forward(self):
        return float(self.loss(self.parameters))

    def gradients(self):
        loss, self.grads = self.value_and_grad(self.parameters)
        return float(loss)

    def clear(self):
        self.grads = None

    def step(self):
        loss = self.gradients()
        for name, p in self.parameters.items():
            p -= self.lr * self.grads[name]
        return loss
