"""Parameter: a leaf tensor that a Module trains."""

import numpy as np

from .. import backend
from ..tensor import Tensor, rebuild

__all__ = ["Parameter"]


class Parameter(Tensor):
    """A leaf tensor that becomes part of a Module when it is assigned to one of its attributes.

    Shares the memory of `data`. As in PyTorch, a copy or a pickle carries the values and not the gradient.
    """

    __slots__ = ()

    def __init__(self, data=None, requires_grad=True):
        if data is None:
            data = Tensor(np.empty(0, backend.get_default_dtype()))
        if not isinstance(data, Tensor):
            raise TypeError(f"Parameter: expected a Tensor, got {type(data).__name__}; framework.tensor(...) makes one")
        if requires_grad and data.dtype.kind != "f":
            raise RuntimeError(
                f"Parameter: only floating-point tensors can require gradients, this one is {data.dtype}; "
                "pass requires_grad=False, or keep it as a buffer"
            )
        super().__init__(data.array, bool(requires_grad))
        self.version = data.cell()

    def __repr__(self):
        return f"Parameter containing:\n{super().__repr__()}"

    def __deepcopy__(self, memo):
        memo[id(self)] = copied = rebuild(type(self), self.array.copy(), self.needs_grad, None, self.__dict__)
        return copied

    def __reduce_ex__(self, protocol):
        return rebuild, (type(self), self.array, self.needs_grad, None, self.__dict__)


def empty(shape, device=None, dtype=None):
    """A Parameter of this shape, not yet filled."""
    array = np.empty(shape, dtype or backend.get_default_dtype())
    return Parameter(Tensor(array if device is None else backend.to_device(array, device)))
