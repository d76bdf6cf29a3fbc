"""The workloads on tinygrad: the whole step fused and compiled by TinyJit, for the processor (through clang)."""

import os

os.environ.setdefault("DEV", "CPU")

from tinygrad import GlobalCounters, Tensor, TinyJit
from tinygrad.helpers import NUM_CPU_THREADS

from . import models
from .peer import LR


class Peer(models.Ops):
    package, lr = "tinygrad", LR

    @classmethod
    def use_threads(cls, count):
        NUM_CPU_THREADS.value = count

    def __init__(self, name, parameters, batch):
        self.parameters = {key: Tensor(array).realize() for key, array in parameters.items()}
        self.batch = [Tensor(array).realize() for array in batch]
        tensors = list(self.parameters.values())

        def loss():
            return models.LOSSES[name](self, self.parameters, *self.batch)

        def gradients():
            value = loss()
            return Tensor.realize(value, *value.gradient(*tensors))

        def step():
            value = loss()
            grads = value.gradient(*tensors)
            return Tensor.realize(value, *(p.assign(p - self.lr * grad) for p, grad in zip(tensors, grads)))

        self.compiled = {
            "forward": TinyJit(lambda: loss().realize()), "gradients": TinyJit(gradients), "step": TinyJit(step)
        }  # fmt: skip

    def forward(self):
        return self.compiled["forward"]().item()

    def gradients(self):
        return self.compiled["gradients"]().item()

    def step(self):
        return self.compiled["step"]().item()

    @classmethod
    def memory(cls, make):
        """What its buffers take once the step is compiled, which keeps them."""
        before = GlobalCounters.mem_used
        peer = make()
        for _ in range(3):
            peer.step()
        return GlobalCounters.mem_used - before

    relu, tanh, exp, sigmoid, total, erf, softmax = (
        staticmethod(f) for f in (Tensor.relu, Tensor.tanh, Tensor.exp, Tensor.sigmoid, Tensor.sum, Tensor.erf, Tensor.softmax)
    )  # fmt: skip

    def permute(self, x, *axes):
        return x.permute(axes)

    def gelu_tanh(self, x):
        return x.gelu()

    def layer_norm(self, x, weight, bias):
        return x.layernorm(eps=1e-5) * weight + bias

    def attention(self, q, k, v, mask):
        return q.scaled_dot_product_attention(k, v, attn_mask=mask)

    def constant(self, array):
        return Tensor(array)

    def unstack(self, x):
        return x[0], x[1], x[2]

    def concat(self, parts, axis):
        return parts[0].cat(*parts[1:], dim=axis)

    def cross_entropy(self, z, y):
        return z.sparse_categorical_crossentropy(y)

    def binary_cross_entropy(self, z, x):
        return z.binary_crossentropy_logits(x, reduction="sum")

    def conv(self, x, weight, bias, stride, padding):
        return x.conv2d(weight, bias, stride=stride, padding=padding)

    def avg_pool(self, x):
        return x.avg_pool2d((2, 2))

    def max_pool(self, x):
        return x.max_pool2d((2, 2))

    def batch_norm(self, x, weight, bias):
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
        return x.batchnorm(weight, bias, mean, (var + 1e-5).rsqrt())

    def pixel_mean(self, x):
        return x.mean((2, 3))

    def lstm(self, p, x):
        raise models.Missing("compile")  # a hundred steps unrolled, in minutes

    gru = lstm
