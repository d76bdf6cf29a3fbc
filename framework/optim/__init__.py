"""Optimizers and learning-rate schedules, under torch.optim's names."""

from ..absent import refuse_missing
from . import lr_scheduler
from .adagrad import Adagrad
from .adam import Adam, AdamW
from .optimizer import Optimizer
from .rmsprop import RMSprop
from .sgd import SGD

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "lr_scheduler"]

__getattr__ = refuse_missing(globals(), "torch.optim")
