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


def _checking(op, phase, function):
    def checked(*args, **kwargs):
        result = function(*args, **kwargs)
        given = args if phase == "forward" else (args[2],)
        if _has_nan([result]) and not _has_nan(given):
            of = "" if phase == "forward" else f"backward of {op.name}, output shape {tuple(args[0].shape)}: "
            raise RuntimeError(f"detect_anomaly: {of}{op.name} made the first NaN, in {phase}, from {_describe(given)}")
        return result

    return checked


class set_detect_anomaly:
    """Switch the search for the first NaN on or off, as a statement or a context manager; see detect_anomaly."""

    _watch = None  # the block of `watched` while it is on

    def __init__(self, mode, check_nan=True):
        self._previous = set_detect_anomaly._watch is not None
        self._switch(mode and check_nan)

    @staticmethod
    def _switch(mode):
        watch = set_detect_anomaly._watch
        if mode and watch is None:
            set_detect_anomaly._watch = watch = watched(_checking)
            watch.__enter__()
        elif not mode and watch is not None:
            set_detect_anomaly._watch = None
            watch.__exit__(None, None, None)

    def __enter__(self):
        pass

    def __exit__(self, *exc_info):
        self._switch(self._previous)


class detect_anomaly(set_detect_anomaly):
    """Within it, the op whose result first holds a NaN, though nothing that it was given does, raises RuntimeError with its name.

    Both in forward and in backward (PyTorch checks backward alone). Slow: for finding a fault, not for training.
    check_nan=False looks for nothing.
    """

    def __init__(self, check_nan=True):
        self._check_nan = check_nan

    def __enter__(self):
        super().__init__(True, self._check_nan)
