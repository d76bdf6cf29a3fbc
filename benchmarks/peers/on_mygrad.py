"""The workloads on MyGrad, with what its nnet module has; erf by the Operation class that it offers for what is missing.

Mended in memory: a number beside a float32 array becomes a float32, since NumPy 2 lets a float64 of no dimensions widen the array.
"""

import mygrad as np
import numpy
from mygrad.nnet import conv_nd, max_pool
from mygrad.nnet.activations import relu
from mygrad.nnet.layers import batchnorm
from mygrad.nnet.losses import softmax_crossentropy
from mygrad.operation_base import Operation
from mygrad.tensor_base import Tensor
from scipy.special import erf

from . import models
from .peer import NumPyPeer, Tape

np.turn_memory_guarding_off()  # as its documentation advises for speed

plain_op = Tensor._op.__func__


def op_of_float32(cls, operation, *inputs, **options):
    inputs = [numpy.float32(value) if type(value) in (int, float) else value for value in inputs]
    return plain_op(cls, operation, *inputs, **options)


Tensor._op = classmethod(op_of_float32)


class Erf(Operation):
    def __call__(self, x):
        self.variables = (x,)
        return erf(x.data)

    def backward_var(self, grad, index, **kwargs):
        x = self.variables[index].data
        return grad * (numpy.float32(2 / numpy.pi**0.5) * numpy.exp(-x * x))


def with_zeros_before(x, count):
    """The images with rows of zeros above and columns at the left: of the padding what windows 3×3 with stride 2 reach."""
    B, C, H, W = x.shape
    x = np.concatenate((numpy.zeros((B, C, count, W), numpy.float32), x), axis=2)
    return np.concatenate((numpy.zeros((B, C, H + count, count), numpy.float32), x), axis=3)


class Peer(NumPyPeer, Tape, models.Ops):
    np, package = np, "mygrad"
    relu = staticmethod(relu)
    cross_entropy = staticmethod(softmax_crossentropy)
    number = staticmethod(float)

    def __init__(self, name, parameters, batch):
        self.parameters = {name: np.tensor(array) for name, array in models.split_gates(parameters).items()}
        self.loss = lambda: models.LOSSES[name](self, self.parameters, *batch)

    def erf(self, x):
        return Tensor._op(Erf, x)

    def permute(self, x, *axes):
        return np.transpose(x, axes)

    def reshape(self, x, *shape):
        return np.reshape(x, shape)

    def matmul(self, a, b):
        return np.matmul(a, b)

    def binary_cross_entropy(self, z, x):
        return np.sum(np.maximum(z, 0) - z * x + np.log1p(np.exp(-np.abs(z))))

    def conv(self, x, weight, bias, stride, padding):
        if (x.shape[2] + 2 * padding - weight.shape[2]) % stride:  # its strides must come out even at the edge
            x, padding = x[:, :, ::stride, ::stride] if weight.shape[2] == 1 else with_zeros_before(x, padding), 0
            stride = stride if weight.shape[2] > 1 else 1
        y = conv_nd(x, weight, stride=stride, padding=padding)
        return y if bias is None else y + np.reshape(bias, (1, -1, 1, 1))

    def max_pool(self, x):
        return max_pool(x, (2, 2), 2)

    def batch_norm(self, x, weight, bias):
        return batchnorm(x, gamma=weight, beta=bias, eps=1e-5)

    def clear(self):
        for p in self.parameters.values():
            p.null_grad()

    def update(self):
        for p in self.parameters.values():
            p.data -= self.lr * p.grad
