"""torch.nn.functional's names: the functions of `ops/` that layers are made of. Each is defined in its family's file."""

from ..ops.activation import gelu, log_softmax, relu, silu, softmax
from ..ops.elementwise import sigmoid, tanh
from ..ops.index import embedding, one_hot
from ..ops.linalg import linear
from ..ops.loss import cross_entropy

__all__ = [
    "cross_entropy", "embedding", "gelu", "linear", "log_softmax", "one_hot", "relu", "sigmoid", "silu", "softmax", "tanh",
]  # fmt: skip
