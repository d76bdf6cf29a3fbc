"""A small, fast deep-learning framework on NumPy, in which every name means what it means in PyTorch.

Read in this order: tensor.py, autograd.py, ops/define.py, ops/elementwise.py, nn/module.py, optim/sgd.py.
"""

from . import backend
from .autograd import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from .backend import *  # noqa: F403
from .ops.activation import *  # noqa: F403
from .ops.elementwise import *  # noqa: F403
from .ops.index import *  # noqa: F403
from .ops.linalg import *  # noqa: F403
from .tensor import Size, Tensor
