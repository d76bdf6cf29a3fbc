"""The workloads on TensorFlow: graphs by tf.function, Keras's recurrent layers, images with channels last, as its processor kernels ask."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

from . import models
from .peer import LR

KERAS_GATES = {"lstm": (0, 1, 2, 3), "gru": (1, 0, 2)}  # i, f, g, o alike; z, r, n where PyTorch has r, z, n


class Peer(models.Ops):
    package, lr = "tensorflow", LR
    relu, tanh, exp, sigmoid = map(staticmethod, (tf.nn.relu, tf.tanh, tf.exp, tf.sigmoid))
    total, softmax, matmul = map(staticmethod, (tf.reduce_sum, tf.nn.softmax, tf.matmul))

    @classmethod
    def use_threads(cls, count):
        tf.config.threading.set_intra_op_parallelism_threads(count)
        tf.config.threading.set_inter_op_parallelism_threads(count)

    def __init__(self, name, parameters, batch):
        self.images = name in ("lenet", "cifar-cnn", "vit", "resnet20")
        self.use(batch)
        parameters = {key: a.transpose(2, 3, 1, 0) if a.ndim == 4 else a for key, a in parameters.items()}
        if name in KERAS_GATES:
            self.layer = keras_layer(name, parameters)
            parameters = {key: a for key, a in parameters.items() if not key.startswith("rnn.")}
        self.parameters = {key: tf.Variable(array) for key, array in parameters.items()}
        variables = [*self.parameters.values(), *(self.layer.trainable_variables if name in KERAS_GATES else ())]

        def loss(*batch):
            return models.LOSSES[name](self, self.parameters, *batch)

        def logits(x):
            return models.LOSSES[name](WithoutLoss(self), self.parameters, x, None)

        def gradients(*batch):
            with tf.GradientTape() as tape:
                value = loss(*batch)
            return value, tape.gradient(value, variables)

        def step(*batch):
            value, grads = gradients(*batch)
            for variable, grad in zip(variables, grads):
                if isinstance(grad, tf.IndexedSlices):
                    variable.scatter_sub(tf.IndexedSlices(self.lr * grad.values, grad.indices))
                else:
                    variable.assign_sub(self.lr * grad)
            return value

        self.compiled_loss, self.compiled_gradients = tf.function(loss), tf.function(gradients)
        self.compiled_step, self.compiled_logits = tf.function(step), tf.function(logits)

    def use(self, batch):
        x = batch[0].transpose(0, 2, 3, 1) if self.images else batch[0]  # (B, H, W, C)
        self.batch = [tf.constant(array) for array in (x, *batch[1:])]

    def logits(self, x):
        self.use([x])
        return self.compiled_logits(*self.batch).numpy()

    def forward(self):
        return float(self.compiled_loss(*self.batch))

    def gradients(self):
        return float(self.compiled_gradients(*self.batch)[0])

    def step(self):
        return float(self.compiled_step(*self.batch))

    @classmethod
    def memory(cls, make):
        """TensorFlow does not count what lives on the processor."""

    def linear(self, x, weight, bias=None):
        if len(x.shape) == 2:
            y = tf.matmul(x, weight, transpose_b=True)
        else:  # one product of matrices, not a stack of them
            y = tf.matmul(tf.reshape(x, (-1, x.shape[-1])), weight, transpose_b=True)
            y = tf.reshape(y, (*x.shape[:-1], weight.shape[0]))
        return y if bias is None else tf.nn.bias_add(y, bias)

    def reshape(self, x, *shape):
        return tf.reshape(x, shape)

    def permute(self, x, *axes):
        return tf.transpose(x, axes)

    def embedding(self, weight, tokens):
        return tf.gather(weight, tokens)

    def gelu(self, x):
        return tf.nn.gelu(x, approximate=False)

    def gelu_tanh(self, x):
        return tf.nn.gelu(x, approximate=True)

    def layer_norm(self, x, weight, bias):
        mean, variance = tf.nn.moments(x, (-1,), keepdims=True)
        return tf.nn.batch_normalization(x, mean, variance, bias, weight, 1e-5)

    def unstack(self, x):
        return tf.unstack(x)

    def concat(self, parts, axis):
        return tf.concat(parts, axis)

    def cross_entropy(self, z, y):
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, z))

    def binary_cross_entropy(self, z, x):
        return tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(x, z))

    # Images (B, H, W, C), kernels (k, k, C, O)

    def conv(self, x, weight, bias, stride, padding):
        pads = [[0, 0], [padding, padding], [padding, padding], [0, 0]]
        y = tf.nn.conv2d(x, weight, stride, pads if padding else "VALID")
        return y if bias is None else tf.nn.bias_add(y, bias)

    def avg_pool(self, x):
        return tf.nn.avg_pool2d(x, 2, 2, "VALID")

    def max_pool(self, x):
        return tf.nn.max_pool2d(x, 2, 2, "VALID")

    def batch_norm(self, x, weight, bias):
        return tf.compat.v1.nn.fused_batch_norm(x, weight, bias, epsilon=1e-5)[0]

    def flatten(self, x):
        return tf.reshape(tf.transpose(x, (0, 3, 1, 2)), (x.shape[0], -1))

    def pixel_mean(self, x):
        return tf.reduce_mean(x, (1, 2))

    def tokens(self, x):
        return tf.reshape(x, (x.shape[0], -1, x.shape[-1]))

    def lstm(self, p, x):
        return self.layer(x)

    gru = lstm


class WithoutLoss:
    """The operations with a cross entropy that gives the logits back."""

    def __init__(self, ops):
        self.ops = ops

    def __getattr__(self, name):
        return (lambda z, y: z) if name == "cross_entropy" else getattr(self.ops, name)


def keras_layer(name, parameters):
    """The Keras layer with PyTorch's weights: kernels transposed, gates in its order; an LSTM of Keras has one bias, the sum of the two."""
    weight_ih, weight_hh, bias_ih, bias_hh = (
        np.concatenate([np.split(parameters[key], len(KERAS_GATES[name]))[i] for i in KERAS_GATES[name]])
        for key in models.RNN
    )
    units = weight_hh.shape[1]
    layer = tf.keras.layers.LSTM(units) if name == "lstm" else tf.keras.layers.GRU(units, reset_after=True)
    layer.build((None, None, weight_ih.shape[1]))
    bias = bias_ih + bias_hh if name == "lstm" else np.stack([bias_ih, bias_hh])
    layer.set_weights([weight_ih.T, weight_hh.T, bias])
    return layer
