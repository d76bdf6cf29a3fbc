"""Where the time goes: which op takes how long, forward and backward, and how many bytes it makes.

    with profile() as prof:
        loss = model.loss(x, y)
        loss.backward()
    print(prof.table())

An op that calls another (a convolution's backward, a convolution) is charged with its own time only. What lies outside all ops, Python's
overhead and the walk itself, is the last row.
"""

import collections
import contextlib
import dataclasses
import time

from .anomaly import watched
from .graph import arrays_in, readable_bytes


@dataclasses.dataclass
class OpRecord:
    """What one op did: calls, seconds (its own, without ops that it called) and bytes of results, forward and backward."""

    name: str
    calls: int = 0
    forward_seconds: float = 0.0
    backward_seconds: float = 0.0
    forward_bytes: int = 0
    backward_bytes: int = 0

    @property
    def seconds(self):
        return self.forward_seconds + self.backward_seconds


class Profile:
    """The records of a `with profile()` block."""

    def __init__(self):
        self.records = {}
        self.wall_seconds = 0.0

    def key_averages(self):
        """The records, slowest first."""
        return sorted(self.records.values(), key=lambda record: -record.seconds)

    @property
    def op_seconds(self):
        return sum(record.seconds for record in self.records.values())

    def table(self, row_limit=20):
        """The slowest ops as text: calls, milliseconds forward and backward, share of the whole, bytes of results."""
        head = f"{'op':<22}{'calls':>7}{'forward ms':>11}{'backward ms':>12}{'share':>7}{'forward':>10}{'backward':>10}"
        lines = [head, "-" * len(head)]
        whole = self.wall_seconds or 1.0
        for record in self.key_averages()[:row_limit]:
            lines.append(
                f"{record.name[:22]:<22}{record.calls:>7}{1e3 * record.forward_seconds:>11.3f}{1e3 * record.backward_seconds:>12.3f}"
                f"{record.seconds / whole:>7.1%}{readable_bytes(record.forward_bytes):>10}{readable_bytes(record.backward_bytes):>10}"
            )
        rest = self.wall_seconds - self.op_seconds
        lines.append(f"{'outside ops':<22}{'':>7}{1e3 * rest:>11.3f}{'':>12}{rest / whole:>7.1%}")
        lines.append(f"{'all':<22}{'':>7}{1e3 * self.wall_seconds:>11.3f}")
        return "\n".join(lines)


@contextlib.contextmanager
def profile():
    """Measure every op that runs within. Adds about a microsecond per op, which counts as time outside ops."""
    result = Profile()
    inner = collections.deque([0.0])  # per op that is running: the seconds of the ops it called

    def around(op, phase, function):
        def measured(*args, **kwargs):
            inner.append(0.0)
            start = time.perf_counter()
            try:
                value = function(*args, **kwargs)
            finally:
                elapsed = time.perf_counter() - start
                own = elapsed - inner.pop()
                inner[-1] += elapsed
            record = result.records.setdefault(op.name, OpRecord(op.name))
            made = sum(array.nbytes for array in arrays_in((value,)))
            if phase == "forward":
                record.calls += 1
                record.forward_seconds += own
                record.forward_bytes += made
            else:
                record.backward_seconds += own
                record.backward_bytes += made
            return value

        return measured

    start = time.perf_counter()
    with watched(around):
        try:
            yield result
        finally:
            result.wall_seconds = time.perf_counter() - start
