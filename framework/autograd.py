"""Reverse-mode automatic differentiation: the graph, the walk through it, and the switches.

Every recorded op leaves one `Node`. A node's *edges* lead to where its inputs came from: to another node, to a leaf
tensor, or nowhere (None) for an input that needs no gradient. `walk` visits the nodes from the newest to the oldest
and hands each the gradient of its output; the op answers with the gradients of its inputs.

The same backward code serves twice: on raw arrays at NumPy's speed, and, under `create_graph=True`, on Tensors, so
that the walk itself is recorded and can be differentiated again. This file knows no particular op and no Tensor class.
"""

import collections
import contextlib
import itertools
import threading
from heapq import heappop, heappush

import numpy as np

from .backend import zeros

_creation_numbers = itertools.count(1)


class Node:
    """One recorded op.

    op: an object with `name`, `view` and `backward(node, edges, g, wrap)`, which returns a gradient (or None) per edge.
    edges: per input a Node, a leaf Tensor, or None where no gradient is needed.
    saved: what the derivative names: arrays, shapes and plain values; None once the graph is freed.
    versions: pairs (cell, count): the version cells of saved arrays, and where their counts stood when they were saved.
    fix: None, or per input its (shape, dtype) where broadcasting or promotion changed it.
    shape, dtype: of the output. hooks: functions of the output's gradient, or None.
    order: creation number; every edge leads to a smaller one, so the walk needs no topological sort.
    """

    __slots__ = ("op", "edges", "saved", "versions", "fix", "shape", "dtype", "hooks", "order", "__weakref__")

    def __init__(self, op, edges, saved, versions, fix, shape, dtype):
        self.op = op
        self.edges = edges
        self.saved = saved
        self.versions = versions
        self.fix = fix
        self.shape = shape
        self.dtype = dtype
        self.hooks = None
        self.order = next(_creation_numbers)

    @property
    def next_functions(self):
        """PyTorch's name for the edges: a tuple of (node or leaf or None, 0)."""
        return tuple((edge, 0) for edge in self.edges or ())

    def name(self):
        return f"{self.op.name}Backward"

    def __repr__(self):
        return f"<{self.name()}>"


# --- the switches -----------------------------------------------------------------------------------------------------


class _GradMode(threading.local):
    enabled = True


grad_mode = _GradMode()


class set_grad_enabled:
    """Switch recording on or off, as a statement or a context manager."""

    def __init__(self, mode):
        self.previous = grad_mode.enabled
        self.mode = bool(mode)
        grad_mode.enabled = self.mode

    def __enter__(self):
        grad_mode.enabled = self.mode

    def __exit__(self, *exc_info):
        grad_mode.enabled = self.previous


class _Switch(contextlib.ContextDecorator):
    """A context manager and decorator that sets the grad mode and puts the former one back."""

    mode = True

    def __new__(cls, function=None):
        self = super().__new__(cls)
        self._previous = []
        return self(function) if callable(function) else self  # @no_grad without parentheses

    def __enter__(self):
        self._previous.append(grad_mode.enabled)
        grad_mode.enabled = self.mode

    def __exit__(self, *exc_info):
        grad_mode.enabled = self._previous.pop()

    def _recreate_cm(self):  # what ContextDecorator enters at each call: one for each thread
        return type(self)()


class no_grad(_Switch):
    """Within it, nothing is recorded: results need no gradient."""

    mode = False


class enable_grad(_Switch):
    """Within it, ops are recorded, even inside `no_grad`."""


class inference_mode(_Switch):
    """As `no_grad`: the engine has no further bookkeeping that could be skipped."""

    mode = False

    def __new__(cls, mode=True):
        return super().__new__(cls if mode else enable_grad, mode)


def is_grad_enabled():
    return grad_mode.enabled


class _AutocastMode:
    """on: how many autocast blocks are open, in all threads together. What each op reads; the rest is looked at only if it is not 0."""

    __slots__ = ("on", "_lock")

    def __init__(self):
        self.on, self._lock = 0, threading.Lock()

    def count(self, change):
        with self._lock:
            self.on += change


class _AutocastState(threading.local):
    """A thread's own: the dtype per type of device, None where autocast is off; and the casts of weights, till the outermost block ends."""

    def __init__(self):
        self.dtypes = {"cpu": None, "cuda": None}
        self.cache, self.caches, self.depth = {}, True, 0


autocast_mode, autocast_state = _AutocastMode(), _AutocastState()


@contextlib.contextmanager
def autocasting(dtypes):
    """Within it autocast has these dtypes, {"cpu": …, "cuda": …}, in this thread."""
    before, autocast_state.dtypes = autocast_state.dtypes, dtypes
    autocast_mode.count(1)
    try:
        yield
    finally:
        autocast_state.dtypes = before
        autocast_mode.count(-1)


def _no_autocast():
    """Backward computes in the dtypes that forward had, whatever block it is called in."""
    return autocasting({"cpu": None, "cuda": None}) if autocast_mode.on else contextlib.nullcontext()


# --- partial gradients ------------------------------------------------------------------------------------------------


class Scatter:
    """The gradient of `x[index]`: g at the index, zero elsewhere; added into x's gradient without a dense array of its own.

    So the backward of T slices of one tensor fills one buffer: O(T), not O(T²).
    `add(buffer, index, g)` adds g to the buffer in place.
    """

    __slots__ = ("g", "index", "shape", "add")

    def __init__(self, g, index, shape, add):
        self.g, self.index, self.shape, self.add = g, index, shape, add


class Part:
    """The gradient of output number `position` of an op with several outputs."""

    __slots__ = ("g", "position", "count")

    def __init__(self, g, position, count):
        self.g, self.position, self.count = g, position, count


class _Pick:
    """The relay between one output of an op with several outputs, and that op's node."""

    name = "Output"
    view = False

    def backward(self, node, edges, g, wrap):
        position, count = node.saved
        return (Part(g, position, count),)


_pick = _Pick()


def pick(node, position, count, array):
    """The node of output `position` of `count` of the op recorded as `node`."""
    return Node(_pick, (node,), (position, count), (), None, array.shape, array.dtype)


# --- the walk ---------------------------------------------------------------------------------------------------------


def _arrive(pending, edge, g, fresh, create_graph):
    """Add g to what is pending at an edge; return whether it is the first to arrive there.

    `fresh`: nobody else holds g, so later arrivals may be added into it in place. No buffer is ever shared by two tensors.
    """
    entry = pending.get(edge)
    kind = g.__class__
    if kind is Part:
        if first := entry is None:
            entry = pending[edge] = [[None] * g.count, False]
        entry[0][g.position] = g.g
        return first
    if kind is Scatter:
        if first := entry is None:
            entry = pending[edge] = [zeros(g.shape, g.g), True]
        elif not entry[1]:
            entry[0], entry[1] = entry[0].copy(), True
        g.add(entry[0], g.index, g.g)
        return first
    if entry is None:
        pending[edge] = [g, fresh]
        return True
    if entry[1] and not create_graph:
        entry[0] += g
    else:
        entry[0], entry[1] = entry[0] + g, True
    return False


def _nodes(roots):
    """All nodes below the roots, each once."""
    seen, stack = set(), list(roots)
    while stack:
        node = stack.pop()
        if node.__class__ is Node and node not in seen:
            seen.add(node)
            stack.extend(_edges(node))
            yield node


def _needed(roots, targets):
    """The edges from which a target can be reached: the only part of the graph that `grad` has to walk."""
    needed = set(targets)
    for node in sorted(_nodes(roots), key=lambda node: node.order):
        if not needed.isdisjoint(node.edges):
            needed.add(node)
    return needed


def _edges(node):
    if node.edges is None:
        raise RuntimeError(
            f"backward: the graph at {node.name()} was already freed by an earlier backward; "
            "pass retain_graph=True to that earlier call to walk it again"
        )
    return node.edges


def _check_versions(node):
    for cell, count in node.versions:
        if cell[0] != count:
            raise RuntimeError(
                f"backward: a value that {node.name()} saved, output shape {tuple(node.shape)}, was changed in place after it was saved "
                f"(version {cell[0]}, saved at {count}); use the out-of-place form there, or clone() before writing"
            )


def run_hooks(hooks, g, wrap, create_graph):
    """The gradient that the hooks make of g."""
    for hook in list(hooks.values()):
        result = hook(g if create_graph else wrap(g, None))
        if result is not None:
            g = result if create_graph else result.array
    return g


def _uses(roots):
    """How many edges lead to each leaf: when so many gradients have come, it has its whole."""
    uses = collections.Counter(edge for node in _nodes(roots) for edge in node.edges if edge.__class__ is not Node)
    for root in (*roots, None):  # a leaf that is a root has its own part from the start
        uses.pop(root, None)
    return uses


def walk(roots, gradients, wrap, retain_graph=None, create_graph=False, targets=None, on_leaf=None):
    """Send gradients from the roots down the graph; return {edge: (gradient, fresh)} of the leaves, or of the targets.

    roots: edges; gradients: one per root, arrays, or Tensors under create_graph. wrap(array, edge): makes a Tensor.
    targets: None, or the edges of interest, each a Node or a leaf; then only what leads to them is computed.
    on_leaf: called with (leaf, gradient, fresh) as soon as a leaf has its whole gradient, which then is not returned.
    Raises RuntimeError where the graph was freed, or a saved value was changed in place.
    """
    retain_graph = create_graph if retain_graph is None else retain_graph
    pending, heap, captured = {}, [], {}
    needed = None if targets is None else _needed(roots, targets)
    uses = None if on_leaf is None else _uses(roots)
    for root, g in zip(roots, gradients, strict=True):
        if _arrive(pending, root, g, False, create_graph) and root.__class__ is Node:
            heappush(heap, (-root.order, root))
    wrap_saved = wrap if create_graph else None
    with np.errstate(all="ignore"), set_grad_enabled(create_graph), _no_autocast():
        while heap:
            node = heappop(heap)[1]
            g, owned = pending.pop(node)
            if node.hooks:
                g, owned = run_hooks(node.hooks, g, wrap, create_graph), False
            if targets is not None:
                if node in targets:
                    captured[node] = (g, False)
                if node not in needed:
                    continue
            edges = _edges(node)
            if targets is not None:
                edges = tuple(edge if edge in needed else None for edge in edges)
                if all(edge is None for edge in edges):
                    continue
            if node.versions:
                _check_versions(node)
            gradients = node.op.backward(node, edges, g, wrap_saved)
            alone = owned and len(edges) == 1
            for edge, gi in zip(edges, gradients, strict=True):
                if edge is not None and gi is not None:
                    fresh = not create_graph and (alone if gi is g else getattr(gi, "base", gi) is None)
                    if _arrive(pending, edge, gi, fresh, create_graph) and edge.__class__ is Node:
                        heappush(heap, (-edge.order, edge))
            if not retain_graph:
                node.edges = node.saved = None
            del g, gradients
            if uses is not None:
                for leaf in edges:
                    if leaf in uses:
                        uses[leaf] -= 1
                        if uses[leaf] == 0 and leaf in pending:
                            on_leaf(leaf, *pending.pop(leaf))
    if targets is None:
        return {leaf: tuple(entry) for leaf, entry in pending.items()}
    captured.update((leaf, tuple(pending[leaf])) for leaf in targets if leaf in pending)
    return captured
