"""Parameters that are updated as one: their states lie side by side, so that a pass of NumPy's goes over many of them.

A call costs about a microsecond whatever the array, and of several threads each waits for Python's lock between two calls: a few long passes
are faster than a dozen short ones for every parameter.
"""

import math
import operator

import numpy as np

from ..backend import array_module
from ..threads import get_num_threads, shares
from .optimizer import BLOCK_BYTES


class Bundle:
    """Parameters, and their states in one flat buffer for each of `names`: the tensors in the states become views of it.

    params are arrays of one kind and dtype, in any layout. What the states' tensors hold is taken over.
    blocks: for each thread the Blocks that it updates.
    """

    def __init__(self, params, states, names):
        xp, dtype, size = array_module(params[0]), params[0].dtype, sum([param.size for param in params])
        self.params, self.names, self.threads, self.views = params, names, get_num_threads(), []
        buffers, end = [xp.empty(size, dtype) for _ in names], 0
        for param, state in zip(params, states):
            start, end = end, end + param.size
            for name, buffer in zip(names, buffers):
                view = buffer[start:end].reshape(param.shape)
                view[...] = state[name].array
                state[name].array = view
                self.views.append(view)
        n = shares(8 * size) if xp is np else 1
        count = math.ceil(size * dtype.itemsize / BLOCK_BYTES / n) * n
        cuts = list(_cuts([param.shape for param in params], count))
        longest = max([cut.stop - cut.start for cut, _ in cuts], default=0)
        self.blocks = []
        for k in range(n):
            scratch = [xp.empty(longest, dtype) for _ in range(2)]
            self.blocks.append(
                [Block(params, pieces, [x[cut] for x in buffers], scratch) for cut, pieces in cuts[k::n]]
            )

    def holds(self, params, states, names):
        """Whether these are its parameters, and their states still its views: tensors that were loaded are not."""
        return (
            (names, get_num_threads(), len(params)) == (self.names, self.threads, len(self.params))
            and all(map(operator.is_, params, self.params))
            and all(map(operator.is_, [state[name].array for state in states for name in names], self.views))
        )


class Block:
    """What of a bundle stays in the cache together: slices of its buffers, and pieces of its parameters.

    params: the pieces. rows: which they are, as (number of the parameter, its rows). s, t: temporaries of the block's size.
    parts_of_s, parts_of_t: for each piece what of these is its own, in its shape.
    """

    def __init__(self, params, pieces, buffers, scratch):
        self.buffers = buffers
        self.s, self.t = [x[: buffers[0].size] for x in scratch]
        self.rows = [(number, rows) for number, rows, _ in pieces]
        self.params = [params[number][rows] for number, rows in self.rows]
        self.parts_of_s, self.parts_of_t = (
            [x[part].reshape(param.shape) for param, (_, _, part) in zip(self.params, pieces)] for x in (self.s, self.t)
        )


def _cuts(shapes, count):
    """Cut parameters of these shapes, between rows, into about `count` parts alike in size.

    Yields for each part the slice of the buffers that it is, and its pieces: the parameter's number, its rows, their slice of the part.
    """
    size = sum([math.prod(shape) for shape in shapes])
    pieces, start, end = [], 0, 0
    for number, shape in enumerate(shapes):
        first, rows = 0, shape[0] if shape else 1
        row_size = math.prod(shape[1:])
        while first < rows and row_size:
            full = (start * count // size + 1) * size / count  # where this part ends, but for the rest of a row
            last = min(rows, first + math.ceil((full - end) / row_size))
            stop = end + (last - first) * row_size
            pieces.append((number, slice(first, last) if shape else ..., slice(end - start, stop - start)))
            first, end = last, stop
            if end >= full:
                yield slice(start, end), pieces
                pieces, start = [], end
