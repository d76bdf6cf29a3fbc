"""Padding as modules: `padding` is a number for all sides, or (left, right[, top, bottom[, front, back]])."""

from . import functional as F
from .conv import ntuple
from .module import Module

__all__ = [
    f"{mode}Pad{n}d" for mode in ("Constant", "Zero", "Reflection", "Replication", "Circular") for n in (1, 2, 3)
]


class _Pad(Module):
    dimensions = 0
    mode, value = "constant", None

    def __init__(self, padding):
        super().__init__()
        self.padding = ntuple(padding, 2 * self.dimensions, f"{self._get_name()}: padding")

    def forward(self, input):
        return F.pad(input, self.padding, self.mode, self.value)

    def extra_repr(self):
        return f"{self.padding}"


class _ConstantPad(_Pad):
    def __init__(self, padding, value):
        super().__init__(padding)
        self.value = value

    def extra_repr(self):
        return f"padding={self.padding}, value={self.value}"


def _pad(base, name, dimensions, **attributes):
    sides = ("left, right", "left, right, top, bottom", "left, right, top, bottom, front, back")[dimensions - 1]
    doc = f"Pad the last {dimensions} dimension{'s' * (dimensions > 1)}; padding is a number or ({sides})."
    return type(base)(
        name, (base,), dict(attributes, dimensions=dimensions, __doc__=doc, __module__=__name__, __qualname__=name)
    )


for _n in (1, 2, 3):
    globals()[f"ConstantPad{_n}d"] = _pad(_ConstantPad, f"ConstantPad{_n}d", _n)
    globals()[f"ZeroPad{_n}d"] = _pad(_Pad, f"ZeroPad{_n}d", _n, value=0.0)
    for _name, _mode in (("Reflection", "reflect"), ("Replication", "replicate"), ("Circular", "circular")):
        globals()[f"{_name}Pad{_n}d"] = _pad(_Pad, f"{_name}Pad{_n}d", _n, mode=_mode)
