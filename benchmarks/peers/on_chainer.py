"""The workloads on Chainer 7.8.1, the last there was, over a NumPy that old_numpy.py has mended in memory."""

import chainer
import chainer.functions as F
import numpy as np

from . import models
from .peer import NumPyPeer, Tape


class Peer(NumPyPeer, Tape, models.Ops):
    package = "chainer"
    relu, tanh, exp, sigmoid, erf = (staticmethod(f) for f in (F.relu, F.tanh, F.exp, F.sigmoid, F.erf))
    total, matmul, cross_entropy = (staticmethod(f) for f in (F.sum, F.matmul, F.softmax_cross_entropy))

    def __init__(self, name, parameters, batch):
        batch = [array.astype(np.int32) if array.dtype == np.int64 else array for array in batch]
        if name == "lstm":  # the rows of F.lstm's gates take turns, in the order g, i, f, o
            for key in models.RNN:
                gates = np.stack([np.split(parameters[key], 4)[i] for i in (2, 0, 1, 3)], axis=1)
                parameters[key] = np.ascontiguousarray(gates.reshape(parameters[key].shape))
        self.parameters = {name: chainer.Parameter(array) for name, array in parameters.items()}
        self.loss = lambda: models.LOSSES[name](self, self.parameters, *batch)

    def linear(self, x, weight, bias=None):
        return F.linear(x, weight, bias, n_batch_axes=x.ndim - 1)

    def permute(self, x, *axes):
        return F.transpose(x, axes)

    def reshape(self, x, *shape):
        return F.reshape(x, shape)

    def embedding(self, weight, tokens):
        return F.embed_id(tokens, weight)

    def softmax(self, x):
        return F.softmax(x, axis=3)

    def layer_norm(self, x, weight, bias):
        return F.layer_normalization(x.reshape(-1, x.shape[-1]), weight, bias, eps=1e-5).reshape(x.shape)

    def constant(self, array):
        return chainer.as_variable(array)

    def unstack(self, x):
        return F.separate(x, axis=0)

    def concat(self, parts, axis):
        return F.concat(parts, axis)

    def number(self, loss):
        return float(loss.array)

    def binary_cross_entropy(self, z, x):
        return F.bernoulli_nll(x, z)

    def conv(self, x, weight, bias, stride, padding):
        return F.convolution_2d(x, weight, bias, stride, padding)

    def avg_pool(self, x):
        return F.average_pooling_2d(x, 2)

    def max_pool(self, x):
        return F.max_pooling_2d(x, 2)

    def batch_norm(self, x, weight, bias):
        return F.batch_normalization(x, weight, bias, eps=1e-5)

    def pixel_mean(self, x):
        return F.mean(x, axis=(2, 3))

    def steps_of_input(self, p, x):
        """What every step's gates get from the input, by one product: T of (B, G H)."""
        weight_ih, _, bias_ih, _ = (p[name] for name in models.RNN)
        return F.separate(F.linear(x, weight_ih, bias_ih, n_batch_axes=2), axis=1)

    def lstm(self, p, x):
        _, weight_hh, _, bias_hh = (p[name] for name in models.RNN)
        h = c = np.zeros((x.shape[0], weight_hh.shape[1]), np.float32)
        for step in self.steps_of_input(p, x):
            c, h = F.lstm(c, step + F.linear(h, weight_hh, bias_hh))
        return h

    def gru(self, p, x):
        _, weight_hh, _, bias_hh = (p[name] for name in models.RNN)
        h = np.zeros((x.shape[0], weight_hh.shape[1]), np.float32)
        for step in self.steps_of_input(p, x):
            (r, z, n), (hr, hz, hn) = (F.split_axis(a, 3, 1) for a in (step, F.linear(h, weight_hh, bias_hh)))
            z = F.sigmoid(z + hz)
            n = F.tanh(n + F.sigmoid(r + hr) * hn)
            h = n + z * (h - n)
        return h

    def clear(self):
        for p in self.parameters.values():
            p.cleargrad()

    def update(self):
        for p in self.parameters.values():
            p.array -= self.lr * p.grad
