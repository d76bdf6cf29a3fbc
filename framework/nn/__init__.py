"""Layers under PyTorch's names. Read in this order: module.py, parameter.py, linear.py, then what you need."""

from ..absent import refuse_missing
from . import functional, init
from .activation import *  # noqa: F403
from .containers import *  # noqa: F403
from .linear import *  # noqa: F403
from .loss import *  # noqa: F403
from .module import Module
from .parameter import Parameter

from . import activation, containers, linear, loss  # isort: skip

__all__ = ["Module", "Parameter", "functional", "init", *(name for part in (activation, containers, linear, loss) for name in part.__all__)]

__getattr__ = refuse_missing(globals(), "torch.nn")
