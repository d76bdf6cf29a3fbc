"""The workloads on the original DeZero, over a NumPy that old_numpy.py has mended in memory; numbers, too, are mended: as_array below."""

import numpy as np

import dezero.core
import dezero.functions as F
from dezero import Variable

from . import models
from .peer import NumPyPeer, Tape


def as_array(obj, array_module=np):
    """As DeZero's; but a Python number becomes a float32, since NumPy 2 lets a float64 of no dimensions widen float32 arrays."""
    if isinstance(obj, (int, float)) and not isinstance(obj, np.generic):
        return array_module.array(obj, np.float32)
    return array_module.array(obj) if np.isscalar(obj) else obj


dezero.core.as_array = as_array


class Peer(NumPyPeer, Tape, models.Ops):
    package = "dezero"
    relu, tanh, exp, sigmoid = (staticmethod(f) for f in (F.relu, F.tanh, F.exp, F.sigmoid))
    total = staticmethod(F.sum)

    def __init__(self, name, parameters, batch):
        if name in ("gpt", "bert", "vit"):
            raise models.Missing("bmm")  # its matmul is of two matrices, never of stacks of them
        # int64 labels would make every gradient float64: its softmax subtracts a one-hot array of their dtype
        batch = [array.astype(np.int16) if array.dtype == np.int64 else array for array in batch]
        self.parameters = {name: Variable(array) for name, array in models.split_gates(parameters).items()}
        self.loss = lambda: models.LOSSES[name](self, self.parameters, *batch)

    def linear(self, x, weight, bias=None):
        return F.linear(x, weight.T, bias)

    def constant(self, array):
        return Variable(array)

    def number(self, loss):
        return float(loss.data)

    cross_entropy = staticmethod(F.softmax_cross_entropy)

    def binary_cross_entropy(self, z, x):
        p = F.clip(F.sigmoid(z), 1e-15, 1.0)  # as its sigmoid_cross_entropy, whose mean is over rows of one
        return -F.sum(x * F.log(p) + (1 - x) * F.log(1 - p))

    def conv(self, x, weight, bias, stride, padding):
        return F.conv2d(x, weight, bias, stride, padding)

    def avg_pool(self, x):
        return F.average_pooling(x, 2, 2)

    def max_pool(self, x):
        return F.pooling(x, 2, 2)

    def batch_norm(self, x, weight, bias):
        mean, var = np.zeros(weight.shape, np.float32), np.ones(weight.shape, np.float32)
        return F.batch_nrom(x, weight, bias, mean, var, eps=1e-5)

    def pixel_mean(self, x):
        return F.sum(F.sum(x, axis=3), axis=2) / (x.shape[2] * x.shape[3])  # its sum's backward takes no two axes

    def clear(self):
        for p in self.parameters.values():
            p.cleargrad()

    def update(self):
        for p in self.parameters.values():
            p.data -= self.lr * p.grad.data
