"""What a model's own code assigns to local names as it runs, by Python's tracing: the trace and the search for a NaN read it."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import numpy as np

Key = tuple[str, str, int]  # the function, the name in it, and the how manieth assignment: ("MLP.forward", "z", 0)


@contextmanager
def recorded_assignments(model: Any, take: Any) -> Iterator[dict[Key, np.ndarray]]:
    """Record every floating-point array or tensor that the model's file assigns to a local name, as take(key, value) copies it."""
    file = type(model).forward.__code__.co_filename
    recorded: dict[Key, np.ndarray] = {}
    occurrences: Counter[tuple[str, str]] = Counter()

    def trace_call(frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        if code.co_filename != file or code.co_name.startswith("<"):
            return None
        held: dict[str, Any] = {}  # what each name of this frame held last; holding it keeps its identity its own

        def trace_line(frame: FrameType, event: str, argument: Any) -> Any:
            for name, value in frame.f_locals.items():
                if held.get(name) is not value and is_floating(value):
                    held[name] = value
                    place = code.co_qualname, name
                    key = (*place, occurrences[place])
                    occurrences[place] += 1
                    recorded[key] = take(key, value)
            return trace_line

        return trace_line

    previous = sys.gettrace()
    sys.settrace(trace_call)
    try:
        yield recorded
    finally:
        sys.settrace(previous)


def is_floating(value: Any) -> bool:
    """Whether this is an array, or a tensor of either library, of floating-point numbers."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind == "f"
    return hasattr(value, "retain_grad") and value.is_floating_point()
