"""torch.nn.functional's names: the functions of `ops/` that layers are made of. Each is defined in its family's file."""

from ..ops.elementwise import relu, sigmoid, tanh

__all__ = ["relu", "sigmoid", "tanh"]
