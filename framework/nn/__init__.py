"""Layers under PyTorch's names. Read in this order: module.py, parameter.py, linear.py, then what you need."""

from ..absent import refuse_missing
from . import (
    activation,
    attention,
    containers,
    conv,
    distance,
    dropout,
    functional,  # noqa: F401
    init,  # noqa: F401
    linear,
    loss,
    normalization,
    padding,
    parallel,  # noqa: F401
    pooling,
    rnn,
    sparse,
    transformer,
    utils,  # noqa: F401
)
from .activation import *  # noqa: F403
from .attention import *  # noqa: F403
from .containers import *  # noqa: F403
from .conv import *  # noqa: F403
from .distance import *  # noqa: F403
from .dropout import *  # noqa: F403
from .linear import *  # noqa: F403
from .loss import *  # noqa: F403
from .module import Module
from .normalization import *  # noqa: F403
from .padding import *  # noqa: F403
from .parameter import Parameter
from .pooling import *  # noqa: F403
from .rnn import *  # noqa: F403
from .sparse import *  # noqa: F403
from .transformer import *  # noqa: F403

__all__ = ["Module", "Parameter"]
for _part in (
    activation, attention, containers, conv, distance, dropout, linear, loss, normalization, padding, pooling, rnn, sparse, transformer,
):  # fmt: skip
    __all__ += _part.__all__

__getattr__ = refuse_missing(globals(), "torch.nn")
