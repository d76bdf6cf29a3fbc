"""The functions, each the engine's under the textbook's name. `import dezero.functions as F`."""

import numpy as np

import framework
from framework.nn import functional

from .core import Config, Variable, add, apply, as_variable, common, div, mul, neg, pow, rdiv, rsub, sub
from .functions_conv import (
    average_pooling,
    col2im,
    conv2d,
    conv2d_simple,
    deconv2d,
    im2col,
    pooling,
    pooling_simple,
)

# --- elementwise ------------------------------------------------------------------------------------------------------


def sin(x):
    return apply(framework.sin, as_variable(x))


def cos(x):
    return apply(framework.cos, as_variable(x))


def tanh(x):
    return apply(framework.tanh, as_variable(x))


def exp(x):
    return apply(framework.exp, as_variable(x))


def log(x):
    return apply(framework.log, as_variable(x))


def sigmoid(x):
    return apply(framework.sigmoid, as_variable(x))


sigmoid_simple = sigmoid


def relu(x):
    return apply(framework.relu, as_variable(x))


def leaky_relu(x, slope=0.2):
    return apply(functional.leaky_relu, as_variable(x), negative_slope=slope)


def clip(x, x_min, x_max):
    return apply(framework.clamp, as_variable(x), min=x_min, max=x_max)


# --- shape ------------------------------------------------------------------------------------------------------------


def reshape(x, shape):
    return as_variable(x).reshape(shape)


def transpose(x, axes=None):
    """The axes in this order; reversed where none is given."""
    return as_variable(x).transpose(axes)


def flatten(x):
    """(N, …) → (N, the rest)."""
    x = as_variable(x)
    return x.reshape(x.shape[0], -1)


def expand_dims(x, axis):
    return apply(framework.unsqueeze, as_variable(x), dim=axis)


def get_item(x, slices):
    """x[slices]; the gradient adds up where an index occurs twice."""
    slices = tuple(map(_index, slices)) if isinstance(slices, tuple) else _index(slices)
    return apply(lambda tensor: tensor[slices], as_variable(x))


def _index(part):
    return part.data if isinstance(part, Variable) else part


# --- sums -------------------------------------------------------------------------------------------------------------


def sum(x, axis=None, keepdims=False):
    return as_variable(x).sum(axis, keepdims)


def average(x, axis=None, keepdims=False):
    return apply(framework.mean, as_variable(x), axis=axis, keepdims=keepdims)


mean = average


def sum_to(x, shape):
    """Sum over the axes along which an array of this shape would be broadcast to x: what broadcast_to does, backwards."""
    x, shape = as_variable(x), tuple(shape)
    extra = x.ndim - len(shape)
    axes = tuple(range(extra)) + tuple(extra + i for i, n in enumerate(shape) if n == 1 and x.shape[extra + i] != 1)
    return (x.sum(axes, keepdims=True) if axes else x).reshape(shape)


def broadcast_to(x, shape):
    return apply(framework.broadcast_to, as_variable(x), size=tuple(shape))


def max(x, axis=None, keepdims=False):
    """The largest; where several are equal they share the gradient."""
    return apply(framework.amax, as_variable(x), axis=() if axis is None else axis, keepdims=keepdims)


def min(x, axis=None, keepdims=False):
    """The smallest; where several are equal they share the gradient."""
    return apply(framework.amin, as_variable(x), axis=() if axis is None else axis, keepdims=keepdims)


# --- linear algebra ---------------------------------------------------------------------------------------------------


def matmul(x, W):
    """Matrix products over the last two axes; axes before them are broadcast."""
    return apply(framework.matmul, *common(x, W))


def linear(x, W, b=None):
    """x W + b, with W of shape (in, out)."""
    y = matmul(x, W)
    return y if b is None else y + b


linear_simple = linear


def embed_id(x, W):
    """The rows of W that x, an array of integers, names."""
    return get_item(W, _index(x))


# --- softmax and losses -----------------------------------------------------------------------------------------------


def softmax(x, axis=1):
    return apply(framework.softmax, as_variable(x), dim=axis)


softmax_simple = softmax


def log_softmax(x, axis=1):
    return apply(framework.log_softmax, as_variable(x), dim=axis)


def mean_squared_error(x0, x1):
    """The sum of the squared differences, divided by the number of rows."""
    diff = as_variable(x0) - x1
    return (diff * diff).sum() / len(diff)


mean_squared_error_simple = mean_squared_error


def softmax_cross_entropy(x, t):
    """The mean of −log softmax(x)[t] over the rows; x (N, K), t (N,) integers."""
    target = framework.Tensor(_index(t)).to(framework.int64)
    return apply(functional.cross_entropy, as_variable(x), target=target)


softmax_cross_entropy_simple = softmax_cross_entropy


def sigmoid_cross_entropy(x, t):
    """−(t log p + (1 − t) log(1 − p)) with p = sigmoid(x), summed and divided by the number of rows; computed without overflow."""
    x, target = as_variable(x), _target(x, t)
    loss = functional.binary_cross_entropy_with_logits
    return apply(loss, x, target=target, reduction="sum") / len(x)


def binary_cross_entropy(p, t):
    """As sigmoid_cross_entropy, of probabilities."""
    p, target = as_variable(p), _target(p, t)
    return apply(functional.binary_cross_entropy, p, target=target, reduction="sum") / len(p)


def _target(x, t):
    return framework.Tensor(_index(t).astype(_index(x).dtype).reshape(x.shape))


def accuracy(y, t):
    """The part of the rows of y whose largest entry is where t says; it has no derivative."""
    y, t = _index(y), _index(t)
    return Variable(np.asarray((y.argmax(axis=1).reshape(t.shape) == t).mean()))


# --- what differs in training -----------------------------------------------------------------------------------------


def dropout(x, dropout_ratio=0.5):
    """In training zero each element with this probability and scale the others up; else x itself."""
    return apply(functional.dropout, as_variable(x), p=dropout_ratio, training=Config.train)


def batch_norm(x, gamma, beta, mean, var, decay=0.9, eps=2e-5):
    """Normalize each channel (axis 1), in training by the batch, whose statistics move the arrays `mean` and `var`; else by those."""
    running = {"running_mean": framework.Tensor(_index(mean)), "running_var": framework.Tensor(_index(var))}
    return apply(
        lambda x, weight, bias: functional.batch_norm(
            x, **running, weight=weight, bias=bias, training=Config.train, momentum=1 - decay, eps=eps
        ),
        *common(x, gamma, beta),
    )


batch_nrom = batch_norm  # so the original spells it

__all__ = [
    "add", "sub", "rsub", "mul", "div", "rdiv", "neg", "pow", "sin", "cos", "tanh", "exp", "log", "sigmoid", "sigmoid_simple", "relu",
    "leaky_relu", "clip", "reshape", "transpose", "flatten", "expand_dims", "get_item", "sum", "average", "mean", "sum_to",
    "broadcast_to", "max", "min", "matmul", "linear", "linear_simple", "embed_id", "softmax", "softmax_simple", "log_softmax",
    "mean_squared_error", "mean_squared_error_simple", "softmax_cross_entropy", "softmax_cross_entropy_simple",
    "sigmoid_cross_entropy", "binary_cross_entropy", "accuracy", "dropout", "batch_norm", "batch_nrom",
    "conv2d", "conv2d_simple", "deconv2d", "pooling", "pooling_simple", "average_pooling", "im2col", "col2im",
]  # fmt: skip
