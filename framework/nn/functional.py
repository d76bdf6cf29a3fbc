"""torch.nn.functional's names: the functions of `ops/` that layers are made of. Each is defined in its family's file."""

from ..ops.activation import gelu, log_softmax, relu, silu, softmax
from ..ops.conv import conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d, fold, unfold
from ..ops.elementwise import sigmoid, tanh
from ..ops.gather import embedding, one_hot
from ..ops.linalg import linear
from ..ops.loss import cross_entropy

__all__ = [
    "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "cross_entropy", "embedding", "fold",
    "gelu", "linear", "log_softmax", "one_hot", "relu", "sigmoid", "silu", "softmax", "tanh", "unfold",
]  # fmt: skip
