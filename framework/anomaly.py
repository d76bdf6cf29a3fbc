"""Which op made the first NaN: torch.autograd.detect_anomaly, and the way to watch every op that it and the profiler use."""

import contextlib

import numpy as np

from .ops.define import OPS


@contextlib.contextmanager
def watched(around):
    """Within it, every op's forward and backward is around(op, "forward" or "backward", function). Costs nothing outside."""
    originals = {op: op.forward for op in OPS.values()}
    for op, forward in originals.items():
        op.forward = around(op, "forward", forward)
        if hasattr(op, "backward"):
            op.backward = around(op, "backward", op.backward)
    try:
        yield
    finally:
        for op, forward in originals.items():
            op.forward = forward
            op.__dict__.pop("backward", None)


def _arrays(values):
    for value in values:
        if isinstance(value, (tuple, list)):
            yield from _arrays(value)
        else:
            array = getattr(value, "array", value)
            if getattr(getattr(array, "dtype", None), "kind", "") == "f":
                yield array


def _has_nan(values):
    return any(bool(np.isnan(array).any()) for array in _arrays(values))


def _describe(values):
    return ", ".join(f"{array.dtype} {tuple(array.shape)}" for array in _arrays(values)) or "no arrays"


@contextlib.contextmanager
def detect_anomaly(mode=True, check_nan=True):
    """Within it, the op whose result first holds a NaN, though nothing that it was given does, raises RuntimeError with its name.

    Both in forward and in backward (PyTorch checks backward alone). Slow: for finding a fault, not for training.
    """

    def around(op, phase, function):
        def checked(*args, **kwargs):
            result = function(*args, **kwargs)
            given = args if phase == "forward" else (args[2],)
            if _has_nan([result]) and not _has_nan(given):
                of = "" if phase == "forward" else f"backward of {op.name}, output shape {tuple(args[0].shape)}: "
                raise RuntimeError(
                    f"detect_anomaly: {of}{op.name} made the first NaN, in {phase}, from {_describe(given)}"
                )
            return result

        return checked

    with watched(around) if mode and check_nan else contextlib.nullcontext():
        yield
