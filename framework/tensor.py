"""Tensor: an array, its gradient, and the node that made it.

Tensor knows no op. Each family in `ops/` hands its functions to Tensor as methods and operators, through `method`, and to
NumPy's own protocols, through `implements`; so `np.exp(x)` or `g.sum(axis=0)` mean the same on an array and on a Tensor, and
one backward runs on both.
"""

import weakref

import numpy as np

from . import backend
from .autograd import Node, grad_mode, run_hooks, walk
from .readable import Readable

ndarray = np.ndarray
NUMPY_FUNCTIONS = {}  # a NumPy function or ufunc → the engine's function that stands for it on Tensors


def implements(*numpy_functions):
    """Decorator: this function is what the given NumPy functions do on Tensors."""

    def register(function):
        NUMPY_FUNCTIONS.update(dict.fromkeys(numpy_functions, function))
        return function

    return register


def method(*names):
    """Decorator: this function is also a method of Tensor, under its own name or the given ones."""

    def register(function):
        for name in names or (function.__name__,):
            setattr(Tensor, name, function)
        return function

    return register


_after_grad = {}  # the id of a leaf → its post-accumulate hooks, for as long as the leaf lives


class Tensor(Readable):
    """A NumPy (or CuPy) array that can record how it was made.

    array: the data. grad: a Tensor or None. node: the Node that made it, None for a leaf.
    needs_grad: whether gradients flow to it. version: None, or the cell [writes, recorded writes] shared by all that share the memory.
    view_at: None, or for a view the number of recorded writes when it was taken. base: of a view, a weak reference to the tensor that
    it was taken of. views: None, or weak references to the views taken where no gradient was needed. hooks: functions of a leaf's gradient.

    Made with `framework.tensor(...)` as a rule; `Tensor(array)` wraps an array without copying it; `Tensor(2, 3)`, sizes, is unfilled.
    """

    __slots__ = (
        "array", "_grad", "node", "needs_grad", "version", "view_at", "base", "views", "hooks", "__weakref__", "__dict__",
    )  # fmt: skip

    def __init__(self, array=(), requires_grad=False, node=None, *sizes):
        if array.__class__ is ndarray:
            self.array = array
        elif array.__class__ is requires_grad.__class__ is int:  # Tensor(2, 3), sizes, as in PyTorch
            sizes = (array, requires_grad, *(() if node is None else (node,)), *sizes)
            self.array, requires_grad, node = np.empty(sizes, backend.get_default_dtype()), False, None
        else:
            self.array = _to_array(array)
        self._grad = None
        self.node = node
        self.needs_grad = requires_grad
        self.version = self.view_at = self.views = self.hooks = None

    @property
    def grad(self):
        """The gradient that backward() has added up, a Tensor of the same shape, dtype and device; or None."""
        return self._grad

    @grad.setter
    def grad(self, value):
        if value is not None:
            if not isinstance(value, Tensor) or value is self:
                given = "the tensor itself" if value is self else type(value).__name__
                raise (RuntimeError if value is self else TypeError)(f"grad: must be a Tensor or None, not {given}")
            for what in ("shape", "dtype", "device"):
                own, given = getattr(self, what), getattr(value, what)
                if own != given:
                    raise RuntimeError(f"grad: must have the tensor's {what}, {own}, not {given}")
        self._grad = value

    # --- its place in the graph ---

    @property
    def requires_grad(self):
        return self.needs_grad

    @requires_grad.setter
    def requires_grad(self, value):
        if self.node is not None and not value:
            raise RuntimeError(
                "requires_grad: only a leaf's can be switched off; use detach() for a copy of the tensor outside the graph"
            )
        if value and self.array.dtype.kind != "f":
            raise RuntimeError(
                f"requires_grad: only floating-point tensors can require gradients, this one is {self.array.dtype}"
            )
        self.needs_grad = bool(value)

    def requires_grad_(self, requires_grad=True):
        self.requires_grad = requires_grad
        return self

    @property
    def is_leaf(self):
        return self.node is None

    @property
    def grad_fn(self):
        return self.node

    @property
    def _version(self):
        return 0 if self.version is None else self.version[0]

    def __reduce_ex__(self, protocol):
        if self.node is not None:
            raise RuntimeError("pickle, deepcopy: only leaf tensors can be copied whole; use detach() first")
        return rebuild, (type(self), self.array, self.needs_grad, self.grad, self.__dict__)

    # --- NumPy's protocols: np.exp(x) on a Tensor is the engine's exp ---

    def __array_ufunc__(self, ufunc, how, *inputs, **options):
        function = NUMPY_FUNCTIONS.get(ufunc)
        if function is None or how != "__call__" or options:
            return NotImplemented
        return function(*inputs)

    def __array_function__(self, function, types, args, kwargs):
        own = NUMPY_FUNCTIONS.get(function)
        return NotImplemented if own is None else own(*args, **kwargs)

    # --- the graph ---

    def edge(self):
        """Where this tensor's gradient goes: its node, itself for a leaf, None where none is needed."""
        if not self.needs_grad:
            return None
        if self.view_at is not None and self.view_at != self.version[1]:
            raise RuntimeError(
                f"this tensor, shape {tuple(self.array.shape)}, is a view of one that was written to in place with gradients recorded; "
                "take the view again after the write, or clone() it before"
            )
        return self if self.node is None else self.node

    def cell(self):
        """The version cell, made when first asked for."""
        if self.version is None:
            self.version = [0, 0]
        return self.version

    def become_view(self, base):
        """Note that this new tensor shares the base's memory. Where the base needs no gradient yet, a recorded write must find its views."""
        self.version = cell = base.cell()
        self.view_at = cell[1]
        self.base = weakref.ref(base) if base.view_at is None else base.base
        if not base.needs_grad:
            if base.views is None:
                base.views = set()
            self.views = base.views
            self.views.add(weakref.ref(self, self.views.discard))

    def detach(self):
        """A tensor that shares the memory, outside the graph."""
        detached = Tensor(self.array)
        detached.version = self.cell()
        return detached

    def detach_(self):
        self.node, self.needs_grad = None, False
        return self

    @property
    def data(self):
        """The tensor outside the graph; writes into it are not watched. As in PyTorch, prefer detach() or no_grad."""
        return Tensor(self.array)

    @data.setter
    def data(self, value):
        self.array = value.array if isinstance(value, Tensor) else value

    def backward(self, gradient=None, retain_graph=None, create_graph=False, inputs=None):
        """Add to `.grad` of every leaf the derivative of this tensor, multiplied by `gradient` (needed unless it is a single number).

        With create_graph the gradients are themselves recorded. The graph is freed unless retain_graph.
        """
        backward(self, gradient, retain_graph, create_graph, inputs)

    def accumulate(self, g, fresh):
        """Take the finished gradient of a leaf: an array, or a Tensor under create_graph. `fresh`: nobody else holds it."""
        recorded = isinstance(g, Tensor)
        if self.hooks:
            g, fresh = run_hooks(self.hooks, g, wrap, recorded), False
        if self._grad is None:
            self._grad = g if recorded else Tensor(g if fresh else g.copy())
        elif recorded or self._grad.needs_grad:
            self._grad = self._grad + g
        else:
            self._grad.array += g
        if _after_grad:
            for hook in list(_after_grad.get(id(self), {}).values()):
                hook(self)

    def register_post_accumulate_grad_hook(self, hook):
        """Call hook(tensor) each time backward has added to this leaf's `.grad`: at once, while backward goes on for others."""
        if not self.needs_grad or self.node is not None:
            raise RuntimeError("register_post_accumulate_grad_hook: only a leaf that requires grad has such hooks")
        if id(self) not in _after_grad:
            _after_grad[id(self)] = {}
            weakref.finalize(self, _after_grad.pop, id(self), None)
        return RemovableHandle(_after_grad[id(self)], hook)

    def register_hook(self, hook):
        """Call hook(gradient) when this tensor's gradient is complete; what it returns, if anything, takes its place."""
        if not self.needs_grad:
            raise RuntimeError("register_hook: the tensor does not require gradients")
        owner = self if self.node is None else self.node
        if owner.hooks is None:
            owner.hooks = {}
        return RemovableHandle(owner.hooks, hook)

    @property
    def retains_grad(self):
        """Whether retain_grad() was called on this non-leaf."""
        return self.__dict__.get("_retains_grad", False)

    def retain_grad(self):
        """Keep this non-leaf's gradient in `.grad` after backward."""
        if self.node is None or self.retains_grad:
            return
        self._retains_grad = True
        reference = weakref.ref(self)

        def keep(g):
            tensor = reference()
            if tensor is not None:
                tensor.grad = g.detach() if tensor.grad is None else tensor.grad + g

        self.register_hook(keep)

    # --- in place ---

    def write(self, result):
        """Put the values of `result` here, in place, and take over its history. The root of add_, copy_, zero_, `+=`.

        Raises RuntimeError on a leaf that requires grad and on views of a living base, where gradients are being recorded.
        """
        if result.array.shape != self.array.shape:
            raise RuntimeError(
                f"in place: a result of shape {tuple(result.array.shape)} does not fit into {tuple(self.array.shape)}"
            )
        if not backend.fits(result.array.dtype, self.array.dtype):
            raise RuntimeError(f"in place: a result of {result.array.dtype} cannot be stored in {self.array.dtype}")
        if not getattr(self.array.flags, "writeable", True):
            raise RuntimeError(
                "in place: the tensor is expanded, its elements share memory, or its array is read-only; clone() it first"
            )
        self._keep_old_value(result.node)
        self.rebase(result.needs_grad, result.node)
        if result.array is not self.array:
            self.array[...] = result.array
        return self

    def _keep_old_value(self, node):
        """Where the op that made the new value saved this tensor's old one (x of x *= w), let it keep a copy."""
        if node is not None and any(value is self.array for value in node.saved):
            old = self.array.copy()
            node.saved = [old if value is self.array else value for value in node.saved]
            node.versions = tuple(pair for pair in node.versions if pair[0] is not self.version)

    def check_writable(self, recorded):
        """RuntimeError where a write that has to be recorded cannot be: into a leaf that requires grad, or into a view of a living base.

        A view whose base is gone may be written to, as norm(x).view(…).relu_() is: other views of it are stale then.
        """
        if not (recorded or self.needs_grad) or not grad_mode.enabled:
            return
        if self.needs_grad and self.node is None:
            raise RuntimeError(
                "in place: a leaf that requires grad cannot be written to; do it under no_grad(), or out of place"
            )
        if self.view_at is not None and self.base() is not None:
            raise RuntimeError(
                "in place: this tensor is a view, and writing into a view of a tensor that requires grad is not supported; "
                "write out of place (y = x + 1, torch.where, torch.cat), index the base itself (x[i] = …), or clone() the view first"
            )

    def rebase(self, recorded, node):
        """Note a write in place: count it, and where it is recorded take `node` as this tensor's history."""
        self.check_writable(recorded)
        version = self.cell()
        version[0] += 1
        if (recorded or self.needs_grad) and grad_mode.enabled:
            version[1] += 1
            self.node, self.needs_grad = node, recorded
            if self.view_at is not None:
                self.view_at = version[1]
            for view in self.views or ():
                view().needs_grad = True  # stale now: edge() refuses it


class RemovableHandle:
    """What registering a hook returns: `remove()` takes the hook away again."""

    _count = 0

    def __init__(self, hooks, hook):
        RemovableHandle._count += 1
        self.id, self._hooks = RemovableHandle._count, hooks
        hooks[self.id] = hook

    def remove(self):
        self._hooks.pop(self.id, None)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.remove()


def _to_array(value):
    """An array for Tensor(…): NumPy scalars become 0-d arrays; arrays of another library pass; lists and sizes as torch.Tensor takes them."""
    if isinstance(value, np.generic):
        return np.asarray(value)
    if isinstance(value, Tensor):
        return value.array
    if isinstance(value, int) and not isinstance(value, bool):
        return np.empty(value, backend.get_default_dtype())
    if isinstance(value, (list, tuple, bool, float)):
        return np.asarray(value, backend.get_default_dtype())
    if hasattr(value, "__array_function__") or hasattr(value, "__array_ufunc__"):
        return value
    raise TypeError(
        f"Tensor: cannot hold a {type(value).__name__}; give an array, a list of numbers, or use framework.tensor(...)"
    )


def rebuild(cls, array, requires_grad, grad, attributes):
    tensor = cls.__new__(cls)
    Tensor.__init__(tensor, array, requires_grad)
    tensor.grad = grad
    tensor.__dict__.update(attributes)
    return tensor


def wrap(array, edge):
    """A Tensor around an array that was saved raw: the leaf itself, a tensor with the given node, or a constant."""
    if edge is None:
        return Tensor(array)
    if edge.__class__ is Node:
        return Tensor(array, True, edge)
    return edge


def _listed(value):
    return list(value) if isinstance(value, (tuple, list)) else [value]


def _roots(name, outputs, gradients, create_graph):
    """Check outputs and their gradients, one or several; return edges and gradients (arrays, or Tensors under create_graph)."""
    outputs, seeds = _listed(outputs), []
    gradients = [None] * len(outputs) if gradients is None else _listed(gradients)
    for output, g in zip(outputs, gradients, strict=True):
        if not output.needs_grad:
            raise RuntimeError(
                f"{name}: the tensor does not require grad and has no grad_fn; was it computed under no_grad(), or from constants?"
            )
        if g is None:
            if output.array.size != 1:
                raise RuntimeError(
                    f"{name}: the output has shape {tuple(output.array.shape)}; a gradient can be made up only for a single number: "
                    "reduce it with sum() or mean(), or give the gradient"
                )
            g = Tensor(np.ones_like(output.array))
        if g.array.shape != output.array.shape:
            raise RuntimeError(
                f"{name}: the gradient has shape {tuple(g.array.shape)}, the output {tuple(output.array.shape)}"
            )
        seeds.append(g if create_graph else g.array)
    return [output.edge() for output in outputs], seeds


def backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False, inputs=None):
    """As Tensor.backward, for several tensors at once (torch.autograd.backward). With `inputs`, only their `.grad` is filled."""
    roots, seeds = _roots("backward", tensors, grad_tensors, create_graph)
    targets = None if inputs is None else dict.fromkeys(_listed(inputs))
    at_once = Tensor.accumulate if _after_grad and targets is None else None
    for leaf, (g, fresh) in walk(roots, seeds, wrap, retain_graph, create_graph, targets, at_once).items():
        leaf.accumulate(g, fresh)


def grad(
    outputs,
    inputs,
    grad_outputs=None,
    retain_graph=None,
    create_graph=False,
    only_inputs=True,
    allow_unused=None,
    is_grads_batched=False,
    materialize_grads=False,
):
    """The gradients of the outputs' sum with respect to each input, as a tuple; `.grad` is left alone (torch.autograd.grad).

    An input that the outputs do not depend on is an error, unless allow_unused (then None) or materialize_grads (then zeros).
    `only_inputs` has its default's meaning always, as in PyTorch; is_grads_batched=True is not supported.
    """
    if is_grads_batched:
        raise NotImplementedError("grad: is_grads_batched=True is not supported; call grad once for each row")
    inputs = _listed(inputs)
    roots, seeds = _roots("grad", outputs, grad_outputs, create_graph)
    for position, tensor in enumerate(inputs):
        if not tensor.needs_grad:
            raise RuntimeError(f"grad: input {position} does not require grad")
    edges = [tensor.edge() for tensor in inputs]
    found = walk(roots, seeds, wrap, retain_graph, create_graph, dict.fromkeys(edges))
    results, taken = [], set()
    for position, (edge, tensor) in enumerate(zip(edges, inputs, strict=True)):
        g, fresh = found.get(edge, (None, False))
        if g is None:
            if not (allow_unused or materialize_grads):
                raise RuntimeError(
                    f"grad: input {position} was not used to compute the outputs; pass allow_unused=True if that is meant"
                )
            results.append(Tensor(np.zeros_like(tensor.array)) if materialize_grads else None)
        elif create_graph:
            results.append(g)
        else:
            results.append(Tensor(g if fresh and edge not in taken else np.copy(g)))
            taken.add(edge)
    return tuple(results)
