"""Dropout: parts of the input set to zero while training (Srivastava et al. 2014)."""

from .settings import FunctionModule

__all__ = ["Dropout", "Dropout1d", "Dropout2d"]


class _Dropout(FunctionModule):
    settings, shown = dict(p=0.5, inplace=False), ("p", "inplace")

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if not 0 <= self.p <= 1:
            raise ValueError(f"{self._get_name()}: p is a probability, between 0 and 1, not {self.p}")

    def arguments(self):
        return dict(p=self.p, training=self.training, inplace=self.inplace)


class Dropout(_Dropout):
    """Set each element to zero with probability p, and divide the rest by 1 − p; in eval mode the identity."""

    function = "dropout"


class Dropout1d(_Dropout):
    """Dropout of whole channels of (B, C, L)."""

    function = "dropout1d"


class Dropout2d(_Dropout):
    """Dropout of whole channels of (B, C, H, W)."""

    function = "dropout2d"
