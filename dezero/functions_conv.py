"""Convolution and pooling: the engine's, under the textbook's names. Images are (N, C, H, W); sizes are a number or a pair."""

from framework.nn import functional

from .core import apply, as_variable, common
from .utils import get_conv_outsize, get_deconv_outsize, pair


def conv2d(x, W, b=None, stride=1, pad=0):
    """Cross-correlation; W (OC, C, KH, KW), b (OC,)."""
    inputs = common(*(v for v in (x, W, b) if v is not None))
    return apply(functional.conv2d, *inputs, stride=stride, padding=pad)


conv2d_simple = conv2d


def deconv2d(x, W, b=None, stride=1, pad=0, outsize=None):
    """Transposed convolution; W (C, OC, KH, KW). outsize: the (H, W) wanted, where the stride leaves a choice."""
    x, W = as_variable(x), as_variable(W)
    stride, pad = pair(stride), pair(pad)
    smallest = [get_deconv_outsize(n, k, s, p) for n, k, s, p in zip(x.shape[2:], W.shape[2:], stride, pad)]
    extra = tuple(wanted - least for wanted, least in zip(smallest if outsize is None else pair(outsize), smallest))
    inputs = common(*(v for v in (x, W, b) if v is not None))
    return apply(functional.conv_transpose2d, *inputs, stride=stride, padding=pad, output_padding=extra)


def pooling(x, kernel_size, stride=1, pad=0):
    """The largest value in each window. Padding never wins: it counts as −∞."""
    return apply(functional.max_pool2d, as_variable(x), kernel_size=kernel_size, stride=stride, padding=pad)


pooling_simple = pooling


def average_pooling(x, kernel_size, stride=1, pad=0):
    """The mean of each window; padding counts, as zeros."""
    return apply(functional.avg_pool2d, as_variable(x), kernel_size=kernel_size, stride=stride, padding=pad)


def im2col(x, kernel_size, stride=1, pad=0, to_matrix=True):
    """The windows of x: (N·OH·OW, C·KH·KW), one a row, or with to_matrix=False (N, C, KH, KW, OH, OW)."""
    x = as_variable(x)
    (n, c), (kh, kw) = x.shape[:2], pair(kernel_size)
    oh, ow = _outsizes(x.shape, kernel_size, stride, pad)
    columns = apply(functional.unfold, x, kernel_size=pair(kernel_size), padding=pair(pad), stride=pair(stride))
    if to_matrix:  # (N, C·KH·KW, OH·OW)
        return columns.transpose(0, 2, 1).reshape(n * oh * ow, c * kh * kw)
    return columns.reshape(n, c, kh, kw, oh, ow)


def col2im(x, input_shape, kernel_size, stride=1, pad=0, to_matrix=True):
    """Add the windows up at their places in an array of the input's shape: the adjoint of im2col."""
    x = as_variable(x)
    (n, c), (kh, kw) = input_shape[:2], pair(kernel_size)
    oh, ow = _outsizes(input_shape, kernel_size, stride, pad)
    columns = x.reshape(n, oh * ow, c * kh * kw).transpose(0, 2, 1) if to_matrix else x.reshape(n, c * kh * kw, oh * ow)
    size = {"output_size": tuple(input_shape[2:]), "kernel_size": pair(kernel_size)}
    return apply(functional.fold, columns, **size, padding=pair(pad), stride=pair(stride))


def _outsizes(shape, kernel_size, stride, pad):
    return [get_conv_outsize(*sizes) for sizes in zip(shape[2:], pair(kernel_size), pair(stride), pair(pad))]


__all__ = [
    "conv2d", "conv2d_simple", "deconv2d", "pooling", "pooling_simple", "average_pooling", "im2col", "col2im",
]  # fmt: skip
