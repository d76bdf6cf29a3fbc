"""torch.nn.functional's names: the functions of `ops/` that layers are made of. Each is defined in its family's file."""

from ..absent import refuse_missing
from ..ops.activation import (
    elu,
    gelu,
    glu,
    hardtanh,
    leaky_relu,
    log_softmax,
    logsigmoid,
    prelu,
    relu,
    relu6,
    selu,
    silu,
    softmax,
    softplus,
)
from ..ops.conv import conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d, fold, unfold
from ..ops.elementwise import sigmoid, tanh
from ..ops.gather import embedding, one_hot
from ..ops.linalg import linear
from ..ops.loss import cross_entropy
from ..ops.norm import batch_norm, group_norm, instance_norm, layer_norm, rms_norm
from ..ops.pool import avg_pool1d, avg_pool2d, avg_pool3d, max_pool1d, max_pool2d, max_pool3d

__all__ = [
    "avg_pool1d", "avg_pool2d", "avg_pool3d", "batch_norm", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
    "conv_transpose3d", "cross_entropy", "elu", "embedding", "fold", "gelu", "glu", "group_norm", "hardtanh", "instance_norm",
    "layer_norm", "leaky_relu", "linear", "log_softmax", "logsigmoid", "max_pool1d", "max_pool2d", "max_pool3d", "one_hot", "prelu",
    "relu", "relu6", "rms_norm", "selu", "sigmoid", "silu", "softmax", "softplus", "tanh", "unfold",
]  # fmt: skip

__getattr__ = refuse_missing(globals(), "torch.nn.functional")
