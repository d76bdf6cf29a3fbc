"""Derivatives written by the user, and memory traded for time: `Function` and `checkpoint` (torch.autograd.Function, torch.utils.checkpoint)."""

import numpy as np

from . import backend
from .autograd import Node, autocast_state, autocasting, enable_grad, grad_mode, no_grad, pick
from .tensor import Tensor, grad


class FunctionCtx:
    """What a Function's forward leaves for its backward."""

    def __init__(self, needs_input_grad):
        self.needs_input_grad = needs_input_grad
        self._saved, self._outputs, self._non_differentiable, self._materialize = (), (), (), True

    def save_for_backward(self, *tensors):
        """Keep input or output tensors for backward, where `saved_tensors` gives them back."""
        self._saved = tensors

    def mark_non_differentiable(self, *tensors):
        self._non_differentiable = tensors

    def set_materialize_grads(self, value):
        """Whether backward gets zeros (True, the default) or None for an output that received no gradient."""
        self._materialize = value

    def mark_dirty(self, *tensors):
        raise NotImplementedError("Function: mark_dirty (writing into an input) is not supported; return a new tensor")

    @property
    def saved_tensors(self):
        """What was saved; an output under create_graph with its history, so that second derivatives reach through it."""
        return tuple(x.tensor if isinstance(x, _SavedOutput) else x for x in self._saved)


class _SavedOutput:
    """A saved output, without its history: the ctx must not hold the node that holds the ctx."""

    def __init__(self, output, position):
        self.array, self.position = output.array, position
        self.tensor = output.detach()


class _Custom:
    """The op of one call of a Function: its node's `saved` is the ctx, so that freeing the graph frees what was saved."""

    view = False

    def __init__(self, function):
        self.function, self.name = function, function.__name__

    def backward(self, node, edges, g, wrap):
        ctx, outputs = node.saved
        gradients = g if isinstance(g, list) else [g]
        if wrap is None:
            gradients = [None if gi is None else Tensor(gi) for gi in gradients]
        if ctx._materialize:
            gradients = [
                Tensor(np.zeros_like(array)) if gi is None else gi for gi, array in zip(gradients, outputs, strict=True)
            ]
        if wrap is not None:
            for x in ctx._saved:
                if isinstance(x, _SavedOutput):
                    origin = node if not isinstance(g, list) else pick(node, x.position, len(outputs), x.array)
                    x.tensor = wrap(x.array, origin)
        results = self.function.backward(ctx, *gradients)
        if wrap is not None:
            for x in ctx._saved:
                if isinstance(x, _SavedOutput):
                    x.tensor = x.tensor.detach()
        results = list(results) if isinstance(results, (tuple, list)) else [results]
        surplus = results[len(edges) :]
        if len(results) < len(edges) or any(gi is not None for gi in surplus):
            raise RuntimeError(
                f"{self.name}.backward: returned {len(results)} gradients for {len(edges)} inputs of forward; "
                "return None for an input that has none"
            )
        for position, (gi, edge) in enumerate(zip(results, edges, strict=False)):
            if gi is not None and edge is not None and tuple(gi.shape) != tuple(edge.shape):
                raise RuntimeError(
                    f"{self.name}.backward: gradient {position} has shape {tuple(gi.shape)}, the input it belongs to {tuple(edge.shape)}"
                )
        results = [
            gi if gi is None or edge is None else gi.to(edge.dtype)
            for gi, edge in zip(results[: len(edges)], edges, strict=True)
        ]
        return [None if gi is None else gi if wrap is not None else gi.array.copy() for gi in results]


class Function:
    """An op with a derivative of your own, in PyTorch's form; call it with `apply`.

    class Exp(Function):
        @staticmethod
        def forward(ctx, x):
            y = x.exp()
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, g):
            (y,) = ctx.saved_tensors
            return g * y

    `forward(*inputs)` with a separate `setup_context(ctx, inputs, output)` works as well. Under create_graph backward is itself
    recorded, so it may be differentiated again.
    """

    @staticmethod
    def forward(*args, **kwargs):
        raise NotImplementedError("Function: define a static forward(ctx, ...)")

    @staticmethod
    def backward(ctx, *gradients):
        raise NotImplementedError("Function: define a static backward(ctx, *gradients)")

    @classmethod
    def apply(cls, *args):
        recorded = grad_mode.enabled and any(isinstance(x, Tensor) and x.requires_grad for x in args)
        ctx = FunctionCtx(tuple(recorded and isinstance(x, Tensor) and x.requires_grad for x in args))
        setup = getattr(cls, "setup_context", None)
        with no_grad():
            returned = cls.forward(ctx, *args) if setup is None else cls.forward(*args)
            if setup is not None:
                setup(ctx, args, returned)
        several = isinstance(returned, (tuple, list))
        outputs = list(returned) if several else [returned]
        if not recorded:
            return returned
        arrays = [output.array for output in outputs]
        versions = tuple((x.cell(), x.cell()[0]) for x in ctx._saved if any(x is given for given in args))
        edges = tuple(x.edge() if isinstance(x, Tensor) else None for x in args)
        node = Node(_Custom(cls), edges, (ctx, arrays), versions, None, arrays[0].shape, arrays[0].dtype)
        results = []
        for position, output in enumerate(outputs):
            differentiable = (
                not any(output is other for other in ctx._non_differentiable) and output.is_floating_point()
            )
            origin = node if not several else pick(node, position, len(outputs), output.array)
            results.append(Tensor(output.array, differentiable, origin if differentiable else None))
        ctx._saved = tuple(_saved_form(x, outputs) for x in ctx._saved)
        return tuple(results) if several else results[0]


def _saved_form(tensor, outputs):
    position = next((i for i, output in enumerate(outputs) if tensor is output), None)
    return tensor if position is None else _SavedOutput(tensor, position)


# --- checkpoint -------------------------------------------------------------------------------------------------------


def _leaves(tensors):
    """The leaf tensors that these depend on, in the order of the walk."""
    leaves, seen = {}, set()
    stack = [tensor.edge() for tensor in tensors if tensor.requires_grad]
    while stack:
        edge = stack.pop()
        if isinstance(edge, Tensor):
            leaves[edge] = None
        elif edge is not None and edge not in seen:
            seen.add(edge)
            stack.extend(edge.edges)
    return list(leaves)


class _Checkpoint:
    name, view = "checkpoint", False

    def backward(self, node, edges, g, wrap):
        function, args, kwargs, leaves, state, dtypes = node.saved
        now = backend.default_generator.get_state()
        if state is not None:
            backend.default_generator.set_state(state)
        with enable_grad(), autocasting(dtypes):
            inputs = [_relay(x, wrap) if isinstance(x, Tensor) else x for x in args]
            outputs = function(*inputs, **kwargs)
        backend.default_generator.set_state(now)
        outputs = [outputs] if isinstance(outputs, Tensor) else list(outputs)
        gradients = g if isinstance(g, list) else [g]
        pairs = [
            (output, gi if wrap is not None else Tensor(gi))
            for output, gi in zip(outputs, gradients, strict=True)
            if gi is not None
        ]
        sources = [x for x in inputs if isinstance(x, Tensor)] + leaves
        wanted = [x for x, edge in zip(sources, edges, strict=True) if edge is not None]
        found = iter(
            grad(
                [output for output, _ in pairs],
                wanted,
                [gi for _, gi in pairs],
                create_graph=wrap is not None,
                allow_unused=True,
            )
        )
        results = [None if edge is None else next(found) for edge in edges]
        return results if wrap is not None else [None if gi is None else gi.array for gi in results]


def _relay(x, wrap):
    """The input for the recomputation: a fresh leaf, or under create_graph a tensor that leads on to the original."""
    if wrap is not None and x.requires_grad:
        return x * 1
    return x.detach().requires_grad_(x.requires_grad) if x.is_floating_point() else x


_checkpoint = _Checkpoint()


def checkpoint(function, *args, use_reentrant=None, preserve_rng_state=True, **kwargs):
    """function(*args, **kwargs) without keeping what its backward needs: it is computed again when backward comes there.

    Costs one more forward of the function, saves everything between its inputs and outputs. Random numbers repeat.
    `use_reentrant` is accepted for PyTorch's sake; the graph is right either way. (Chen et al. 2016, arXiv:1604.06174.)
    """
    if not grad_mode.enabled:
        return function(*args, **kwargs)
    state = backend.default_generator.get_state() if preserve_rng_state else None
    inputs = [
        x.detach().requires_grad_(x.requires_grad) if isinstance(x, Tensor) and x.is_floating_point() else x
        for x in args
    ]
    returned = function(*inputs, **kwargs)
    outputs = [returned] if isinstance(returned, Tensor) else list(returned)
    if not any(output.requires_grad for output in outputs):
        return returned
    own = {id(x) for x in inputs}
    leaves = [leaf for leaf in _leaves(outputs) if id(leaf) not in own]
    tensors = [x for x in args if isinstance(x, Tensor)]
    edges = tuple(x.edge() for x in tensors) + tuple(leaves)
    versions = tuple((x.cell(), x.cell()[0]) for x in tensors)
    first = outputs[0].array
    saved = (function, args, kwargs, leaves, state, autocast_state.dtypes)
    node = Node(_checkpoint, edges, saved, versions, None, first.shape, first.dtype)
    if isinstance(returned, Tensor):
        return Tensor(first, True, node)
    return tuple(
        Tensor(output.array, True, pick(node, position, len(outputs), output.array)) if output.requires_grad else output
        for position, output in enumerate(outputs)
    )
