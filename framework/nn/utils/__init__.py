"""torch.nn.utils: what is done to a model's parameters and gradients as a whole, and packed sequences (rnn.py)."""

from ...absent import refuse_missing
from . import rnn
from .clip_grad import clip_grad_norm_, clip_grad_value_, get_total_norm
from .convert_parameters import parameters_to_vector, vector_to_parameters

__all__ = [
    "clip_grad_norm_",
    "clip_grad_value_",
    "get_total_norm",
    "parameters_to_vector",
    "rnn",
    "vector_to_parameters",
]

__getattr__ = refuse_missing(globals(), "torch.nn.utils")
