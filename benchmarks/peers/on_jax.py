"""The workloads on JAX: everything compiled by jit, recurrence by scan, images with channels last."""

import jax
import jax.numpy as np
from jax import lax

from . import models
from .peer import LR


class Peer(models.Ops):
    np, package, lr = np, "jax", LR
    relu, sigmoid, erf = (staticmethod(f) for f in (jax.nn.relu, jax.nn.sigmoid, lax.erf))

    @classmethod
    def use_threads(cls, count):
        """XLA makes as many threads as the process may use processors, to which the worker has bound it."""

    def __init__(self, name, parameters, batch):
        if name in ("lenet", "cifar-cnn", "vit", "resnet20"):
            batch = [batch[0].transpose(0, 2, 3, 1), *batch[1:]]  # (B, H, W, C)
        self.batch = [np.asarray(array) for array in batch]
        self.parameters = {
            name: np.asarray(a.transpose(2, 3, 1, 0) if a.ndim == 4 else a) for name, a in parameters.items()
        }

        def loss(p, *batch):
            return models.LOSSES[name](self, p, *batch)

        def step(p, *batch):
            value, grads = jax.value_and_grad(loss)(p, *batch)
            return value, {name: p[name] - self.lr * grads[name] for name in p}

        self.compiled_loss = jax.jit(loss)
        self.compiled_gradients = jax.jit(jax.value_and_grad(loss))
        self.compiled_step = jax.jit(step, donate_argnums=0)

    def forward(self):
        return float(self.compiled_loss(self.parameters, *self.batch))

    def gradients(self):
        value, grads = jax.block_until_ready(self.compiled_gradients(self.parameters, *self.batch))
        return float(value)

    def step(self):
        value, self.parameters = jax.block_until_ready(self.compiled_step(self.parameters, *self.batch))
        return float(value)

    @classmethod
    def memory(cls, make):
        """What XLA's plan of the compiled step allots: arguments and results, those donated once, and temporaries."""
        peer = make()
        plan = peer.compiled_step.lower(peer.parameters, *peer.batch).compile().memory_analysis()
        held = plan.argument_size_in_bytes + plan.output_size_in_bytes - plan.alias_size_in_bytes
        return held + plan.temp_size_in_bytes

    def gelu_tanh(self, x):
        return jax.nn.gelu(x, approximate=True)

    def softmax(self, x):
        return jax.nn.softmax(x)

    def cross_entropy(self, z, y):
        return -np.mean(np.take_along_axis(jax.nn.log_softmax(z), y[:, None], 1))

    def binary_cross_entropy(self, z, x):
        return np.sum(jax.nn.softplus(z) - z * x)

    # Images (B, H, W, C), kernels (k, k, C, O)

    def conv(self, x, weight, bias, stride, padding):
        y = lax.conv_general_dilated(
            x, weight, (stride, stride), [(padding, padding)] * 2, dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return y if bias is None else y + bias

    def avg_pool(self, x):
        B, H, W, C = x.shape
        return x.reshape(B, H // 2, 2, W // 2, 2, C).mean((2, 4))

    def max_pool(self, x):
        B, H, W, C = x.shape
        return x.reshape(B, H // 2, 2, W // 2, 2, C).max((2, 4))

    def batch_norm(self, x, weight, bias):
        mean, variance = np.mean(x, (0, 1, 2)), np.var(x, (0, 1, 2))
        return (x - mean) * (lax.rsqrt(variance + 1e-5) * weight) + bias

    def flatten(self, x):
        return x.transpose(0, 3, 1, 2).reshape(x.shape[0], -1)

    def pixel_mean(self, x):
        return np.mean(x, (1, 2))

    def tokens(self, x):
        return x.reshape(x.shape[0], -1, x.shape[-1])

    def lstm(self, p, x):
        weight_ih, weight_hh, bias_ih, bias_hh = (p[name] for name in models.RNN)
        inputs = np.swapaxes(x, 0, 1) @ weight_ih.T + (bias_ih + bias_hh)  # (T, B, 4H)

        def step(state, a):
            h, c = state
            i, f, g, o = np.split(a + h @ weight_hh.T, 4, axis=1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * np.tanh(g)
            return (jax.nn.sigmoid(o) * np.tanh(c), c), None

        zeros = np.zeros((x.shape[0], weight_hh.shape[1]))
        (h, _), _ = lax.scan(step, (zeros, zeros), inputs)
        return h

    def gru(self, p, x):
        weight_ih, weight_hh, bias_ih, bias_hh = (p[name] for name in models.RNN)
        inputs = np.swapaxes(x, 0, 1) @ weight_ih.T + bias_ih  # (T, B, 3H)

        def step(h, a):
            (r, z, n), (hr, hz, hn) = np.split(a, 3, axis=1), np.split(h @ weight_hh.T + bias_hh, 3, axis=1)
            z = jax.nn.sigmoid(z + hz)
            n = np.tanh(n + jax.nn.sigmoid(r + hr) * hn)
            return n + z * (h - n), None

        h, _ = lax.scan(step, np.zeros((x.shape[0], weight_hh.shape[1])), inputs)
        return h
