"""Threads for large work on arrays: none but the caller's, unless set_num_threads asks for more.

Work is cut by what it writes, and each part computes what it would have computed in one piece, so results do not depend on the number of
threads. A product of large matrices has OpenBLAS's own threads; these here are for all that NumPy does on one core, during which it lets go
of Python's lock, and for many products of small matrices.
"""

import contextvars
import functools
import os
import threading

SHARE = (
    1 << 20
)  # elements in one pass over them, some 0.1 to 0.3 ms: less is not worth a hand-over, which takes about 40 µs
BLOCK = (
    1 << 17
)  # elements of a block that many passes go over: 512 KB in float32; of shorter ones threads wait for each other

_here = threading.local()


class _Team:
    count, pool = 1, None


def get_num_threads():
    return _Team.count


def set_num_threads(num):
    """Let large work on arrays run on this many threads; 1 at first. As torch.set_num_threads. RuntimeError unless it is positive.

    They gain nothing beside threads of BLAS that wait in a loop: where NumPy is imported before framework, OPENBLAS_THREAD_TIMEOUT=16
    has to be set in the environment.
    """
    if num < 1:
        raise RuntimeError(f"set_num_threads: the number of threads must be positive, not {num}")
    if _Team.pool is not None:
        _Team.pool.shutdown()
    _Team.count, _Team.pool = num, None


def threads_of_blas():
    """How many threads a large product has: as many as the environment says (OMP_NUM_THREADS), or as there are cores."""
    return max((library.get_num_threads() for library in _blas()), default=1)


def shares(elements):
    """How many parts work on this many elements, times the passes over them, is cut into."""
    return max(1, min(_Team.count, elements // SHARE))


def at_once(function, parts):
    """function(part) for every part, all at the same time: the first here, each of the others on a thread of its own."""
    if len(parts) == 1 or getattr(_here, "is_at_work", False):
        for part in parts:
            function(part)
        return
    if _Team.pool is None:
        from concurrent.futures import ThreadPoolExecutor  # here, as the engine's import would wait for it 3 ms

        _Team.pool = ThreadPoolExecutor(
            max(_Team.count, 2) - 1, initializer=setattr, initargs=(_here, "is_at_work", True)
        )
    others = [
        _Team.pool.submit(contextvars.copy_context().run, function, part) for part in parts[1:]
    ]  # np.errstate is the context's
    _here.is_at_work = True  # what the function in turn would cut stays in one piece: nobody is free
    try:
        function(parts[0])
    finally:
        _here.is_at_work = False
        errors = [other.exception() for other in others]
    for error in filter(None, errors):
        raise error


def in_slices(function, size, elements):
    """function(slice) for slices that together are range(size): as many, at once, as `elements`, the work in all, is worth."""
    n = min(shares(elements), max(1, size))
    at_once(function, [slice(size * k // n, size * (k + 1) // n) for k in range(n)])


def products_in_slices(function, size, elements):
    """in_slices for a function that multiplies matrices. Meanwhile BLAS has one thread: its own would wait for each other."""
    if shares(elements) == 1 or size == 1 or not (libraries := _blas()):
        function(slice(0, size))
        return
    before = [library.get_num_threads() for library in libraries]
    for library in libraries:
        library.set_num_threads(1)
    try:
        in_slices(function, size, elements)
    finally:
        for library, count in zip(libraries, before):
            library.set_num_threads(count)


@functools.cache
def _blas():
    """The BLAS libraries of this process, whose threads can be counted and set; none without threadpoolctl."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return []
    return ThreadpoolController().select(user_api="blas").lib_controllers


def elementwise(function, *arrays, passes=1):
    """function(*arrays) for arrays of one shape, of which it fills the last: in slices along the axis that is outermost in the last's memory.

    passes: how often the function goes over them. Where that is more than once it gets blocks, which stay in a core's cache with all that
    it makes of them.
    """
    y = arrays[-1]
    work = passes * y.size * (len(arrays) - 1)
    if shares(work) == 1 and (passes == 1 or y.size <= BLOCK):
        function(*arrays)
        return
    axis = outermost(y)
    before, step = (slice(None),) * axis, max(1, (BLOCK if passes > 1 else y.size) * y.shape[axis] // y.size)

    def fill(part):
        for first in range(part.start, part.stop, step):
            index = (*before, slice(first, min(first + step, part.stop)))
            function(*[x[index] for x in arrays])

    in_slices(fill, y.shape[axis], work)


def outermost(x):
    """The axis that is outermost in x's memory."""
    return max(range(x.ndim), key=lambda axis: x.strides[axis] if x.shape[axis] > 1 else 0)


def _forget_pool():
    _Team.pool = None


if hasattr(os, "register_at_fork"):  # a forked process has none of its parent's threads
    os.register_at_fork(after_in_child=_forget_pool)
