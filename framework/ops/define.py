"""How an op is defined: its forward, its derivatives, and nothing else.

    exp = unary("exp", np.exp, lambda g, y: g * y)
    mul = binary("mul", np.multiply, lambda g, b: g * b, lambda g, a: g * a)
    softmax = op("softmax", lambda x, *, dim: …, lambda g, y, dim: y * (g - (g * y).sum(axis=dim, keepdims=True)))

A derivative takes g, the gradient of the output, and names what else it needs; only that is saved:

    x, a, weight …   the input of that name, as the forward names it      x_shape    the shape of input x alone
    y                the output                                            dim, …     a setting (keyword-only in the forward)
    saved            what the forward returned beside y, as (y, saved); None under create_graph: compute it again from the inputs
    needs            which inputs need a gradient, as a tuple of bools

The names are read once, at definition. Recording, un-broadcasting, dtype promotion, Python scalars and skipping inputs that need no
gradient are done here, so no op does them. The same derivative runs on arrays, and on Tensors under create_graph; two rules keep
buffers apart: never return one fresh array for two inputs, and never return a saved array.
"""

import inspect

import numpy as np

from .. import backend
from ..arguments import refusal
from ..autograd import Node, grad_mode, pick
from ..precision import WIDE, cast_inputs, is_wide, mode, narrowed, widened
from ..tensor import NUMPY_FUNCTIONS, Tensor, grad, ndarray

OPS = {}  # every op by name: what the profiler and the tests go through


def unbroadcast(g, shape, dtype):
    """Sum the gradient over the axes along which an input of this shape was broadcast, and give it that input's dtype."""
    if g.shape != shape:
        extra = g.ndim - len(shape)
        axes = tuple(range(extra)) + tuple(
            i + extra for i, size in enumerate(shape) if size == 1 and g.shape[i + extra] != 1
        )
        if axes:
            g = g.sum(axis=axes, keepdims=True)
        g = g.reshape(shape)
    return g if g.dtype == dtype else g.astype(dtype)


def broadcast_shape(name, *shapes):
    """The common shape; RuntimeError that names the op and the shapes where there is none."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        listed = " and ".join(str(tuple(shape)) for shape in shapes)
        raise RuntimeError(
            f"{name}: shapes {listed} do not broadcast: sizes must be equal or 1, compared from the last dimension"
        ) from None


class Op:
    """A named op: `forward` on arrays, `backward` for the walk, and the function to call, made from both."""

    view = False
    bools = True  # False: refused where any operand is a bool
    floats_only = False  # True: integers are taken to the default floating dtype

    def __init__(self, name, forward):
        self.name = name
        self.forward = forward
        if name in OPS:
            raise ValueError(f"op {name!r} is defined twice")
        OPS[name] = self

    def __repr__(self):
        return f"<op {self.name}>"


def refused(name, error, *operands):
    """What NumPy's complaint about these operands (arrays or numbers) means: which shapes, or which dtypes, do not go together."""
    shapes = [np.shape(x) for x in operands]
    broadcast_shape(name, *shapes)
    listed = " and ".join(str(getattr(x, "dtype", type(x).__name__)) for x in operands)
    kind = NotImplementedError if isinstance(error, TypeError) else RuntimeError
    return kind(f"{name}: not defined for {listed}: {error}")


def _names(function):
    return tuple(inspect.signature(function).parameters)


def bools_refused(name, instead=""):
    return NotImplementedError(f"{name}: not defined for bool; convert the tensor first, as with int(){instead}")


# --- one input --------------------------------------------------------------------------------------------------------


class Unary(Op):
    """y = f(x), elementwise."""

    def __init__(self, name, forward, vjp):
        super().__init__(name, forward)
        self.vjp = vjp
        self.names = _names(vjp)[1:]
        if not set(self.names) <= {"x", "y"}:
            raise ValueError(f"op {name!r}: a unary derivative names g, x and y only, not {self.names}")

    def backward(self, node, edges, g, wrap):
        if wrap is None:
            return (self.vjp(g, *node.saved),)
        saved = (
            wrap(array, node if name == "y" else node.edges[0])
            for name, array in zip(self.names, node.saved, strict=True)
        )
        return (self.vjp(g, *saved),)


def unary(name, forward, vjp, keeps=""):
    """Define an elementwise op of one input; return the function to call.

    keeps: the kinds of dtype, beside floating point, that it computes in: "iu" integers, "iub" bools too. Where it keeps integers
    but not bools, bools are refused; otherwise what it does not keep is taken to the default floating dtype first.
    """
    op = Unary(name, forward, vjp)
    saves_x, saves_y, y_first = "x" in op.names, "y" in op.names, op.names[:1] == ("y",)

    def apply(input):
        if mode.on:
            (input,) = cast_inputs(name, (input,))
        try:
            x = input.array
        except AttributeError:
            raise refusal(name, "input", 1, input) from None
        if x.dtype.kind != "f" and x.dtype.kind not in keeps:
            if keeps:
                raise bools_refused(name)
            x = x.astype(backend.get_default_dtype())
        try:
            y = op.forward(x)
        except TypeError as error:
            raise refused(name, error, x) from None
        if not input.needs_grad or not grad_mode.enabled:
            return Tensor(y)
        versions = ()
        if saves_x:
            cell = input.version or input.cell()
            versions = ((cell, cell[0]),)
            saved = (x,)
        elif not saves_y:
            saved = ()
        result = Tensor(y, True)
        if saves_y:
            result.version = cell = [0, 0]
            versions += ((cell, 0),)
            saved = (y,) if not saves_x else (y, x) if y_first else (x, y)
        result.node = Node(op, (input.edge(),), saved, versions, None, x.shape, x.dtype)
        return result

    return _finish(apply, op)


# --- two inputs -------------------------------------------------------------------------------------------------------


class Binary(Op):
    """y = f(a, b), elementwise, with broadcasting and promotion; either input may be a Python number."""

    def __init__(self, name, forward, vjp_a, vjp_b):
        super().__init__(name, forward)
        self.vjps = (vjp_a, vjp_b)
        self.names = tuple(_names(vjp)[1:] for vjp in self.vjps)
        for names in self.names:
            if not set(names) <= {"a", "b", "y"}:
                raise ValueError(f"op {name!r}: a binary derivative names g, a, b and y only, not {names}")

    def backward(self, node, edges, g, wrap):
        a, b, y = node.saved
        if wrap is not None:
            a, b = (
                value if value is None or value.__class__ in _NUMBERS else wrap(value, edge)
                for value, edge in zip((a, b), node.edges, strict=True)
            )
            y = None if y is None else wrap(y, node)
        results = []
        for position, edge in enumerate(edges):
            gi = None
            if edge is not None:
                gi = self.vjps[position](g, *_pick_values(self.names[position], a, b, y))
                if node.fix is not None:
                    gi = unbroadcast(gi, *node.fix[position])
            results.append(gi)
        return results


def _pick_values(names, a, b, y):
    if not names:
        return ()
    return tuple(a if name == "a" else b if name == "b" else y for name in names)


_NUMBERS = (int, float, bool)


def _operand(op, value, other):
    """An operand that is no Tensor, beside an array: a Python number, which stays weak; or a constant array."""
    if value.__class__ is float and other.dtype.kind == "f":
        return value
    if isinstance(value, np.generic):
        value = value.item()
    if value.__class__ in _NUMBERS:
        if not op.bools and (value.__class__ is bool or other.dtype.kind == "b"):
            raise bools_refused(op.name, ", or use ~ and ^")
        if value.__class__ is int:
            return backend.wrapped(op.name, value, backend.get_default_dtype() if op.floats_only else other.dtype)
        if value.__class__ is float and other.dtype.kind != "f":  # beside integers: the default floating dtype
            return backend.scalar(value, backend.get_default_dtype(), other)
        return value
    if isinstance(value, ndarray) or hasattr(value, "__array_function__"):
        return value
    raise TypeError(f"{op.name}: expected Tensors or numbers, got {type(value).__name__}")


def binary(name, forward, vjp_a, vjp_b, floats_only=False, bools=True):
    """Define an elementwise op of two inputs; return the function to call.

    floats_only: integers are taken to the default dtype. bools=False: an operand that is a bool is refused.
    """
    op = Binary(name, forward, vjp_a, vjp_b)
    op.bools, op.floats_only = bools, floats_only
    (reads_a, reads_b) = op.names
    a_wants_a, a_wants_b, a_wants_y = "a" in reads_a, "b" in reads_a, "y" in reads_a
    b_wants_a, b_wants_b, b_wants_y = "a" in reads_b, "b" in reads_b, "y" in reads_b

    def apply(input, other):
        if mode.on:
            input, other = cast_inputs(name, (input, other))
        try:
            a = input.array
            needs_a = input.needs_grad
        except AttributeError:
            if not isinstance(other, Tensor):
                raise refusal(name, "input", 1, input) from None
            a = input = _operand(op, input, other.array)
            needs_a = False
        try:
            b = other.array
            needs_b = other.needs_grad
        except AttributeError:
            b = other = _operand(op, other, a)
            needs_b = False
        if a.__class__ not in _NUMBERS and b.__class__ not in _NUMBERS and a.dtype is not b.dtype:
            if not bools and "b" in (a.dtype.kind, b.dtype.kind):
                raise bools_refused(op.name, ", or use ~ and ^")
            x, z = backend.promote(a, b)
        else:
            x, z = a, b
        if floats_only:
            x, z = _floats(x, z)
        try:
            y = op.forward(x, z)
        except (ValueError, TypeError, ZeroDivisionError) as error:
            raise refused(name, error, a, b) from None
        if not (needs_a or needs_b) or not grad_mode.enabled:
            return Tensor(y)
        result = Tensor(y, True)
        y = result.array
        versions = ()
        keep_a = keep_b = keep_y = None
        if needs_a and a_wants_a or needs_b and b_wants_a:
            keep_a = x
            if input.__class__ is not a.__class__:
                cell = input.version or input.cell()
                versions = ((cell, cell[0]),)
        if needs_a and a_wants_b or needs_b and b_wants_b:
            keep_b = z
            if other.__class__ is not b.__class__:
                cell = other.version or other.cell()
                versions += ((cell, cell[0]),)
        if needs_a and a_wants_y or needs_b and b_wants_y:
            keep_y = y
            result.version = cell = [0, 0]
            versions += ((cell, 0),)
        shape, dtype = y.shape, y.dtype
        fix = None
        if (
            needs_a
            and (a.shape != shape or a.dtype is not dtype)
            or needs_b
            and (b.shape != shape or b.dtype is not dtype)
        ):
            fix = ((a.shape, a.dtype) if needs_a else None, (b.shape, b.dtype) if needs_b else None)
        edges = (input.edge() if needs_a else None, other.edge() if needs_b else None)
        result.node = Node(op, edges, (keep_a, keep_b, keep_y), versions, fix, shape, dtype)
        return result

    return _finish(apply, op)


def _floats(x, z):
    default = backend.get_default_dtype()
    if x.__class__ in _NUMBERS:
        return (x, z) if z.dtype.kind == "f" else (x, z.astype(default))
    if z.__class__ in _NUMBERS:
        return (x, z) if x.dtype.kind == "f" else (x.astype(default), z)
    return (x, z) if x.dtype.kind == "f" else (x.astype(default), z.astype(default))


# --- any number of inputs, settings, several outputs ------------------------------------------------------------------


class General(Op):
    """An op of any number of tensor inputs (positional in the forward) and settings (keyword-only)."""

    def __init__(self, name, forward, vjps, joint, composite, view, broadcasts):
        super().__init__(name, forward)
        self.vjps, self.joint, self.composite, self.view, self.broadcasts = vjps, joint, composite, view, broadcasts
        parameters = inspect.signature(forward).parameters.values()
        self.inputs = tuple(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD)
        self.rest = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), None)
        settings = tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)
        derivatives = [joint] if joint else vjps
        self.names = tuple(dict.fromkeys(name for f in derivatives if f for name in _names(f)[1:]))
        known = {"y", "saved", "needs", self.rest, *settings, *self.inputs, *(f"{name}_shape" for name in self.inputs)}
        if not set(self.names) <= known:
            raise ValueError(
                f"op {name!r}: its derivative names {set(self.names) - known}; known are {sorted(filter(None, known))}"
            )
        if vjps and len(vjps) != len(self.inputs):
            raise ValueError(
                f"op {name!r}: {len(vjps)} derivatives for {len(self.inputs)} inputs; give None for an input that has none"
            )
        self.readers = [
            None if f is None else tuple(self.names.index(name) for name in _names(f)[1:]) for f in derivatives
        ]
        self.returns_saved = "saved" in self.names
        self.wide = name in WIDE
        self.save = self._saver(settings)

    def _saver(self, settings):
        """A function that collects the values the derivative names, in the order of self.names; written out once, here."""
        where = {name: f"static[{name!r}]" for name in settings} | {"y": "y", "saved": "saved", "needs": "None"}
        for i, name in enumerate(self.inputs):
            where |= {name: f"arrays[{i}]", f"{name}_shape": f"arrays[{i}].shape"}
        where[self.rest] = f"tuple(arrays[{len(self.inputs)}:])"
        return eval(f"lambda arrays, y, saved, static: [{', '.join(where[name] for name in self.names)}]")

    def saved_inputs(self):
        """Positions of the inputs whose arrays are saved; from the first variadic one on where those are."""
        return [i for i, name in enumerate(self.inputs) if name in self.names], self.rest in self.names

    def rewrapped(self, node, wrap):
        """The saved values with arrays as Tensors again, for create_graph."""
        values = list(node.saved)
        for i, name in enumerate(self.names):
            if name in self.inputs and values[i] is not None:
                values[i] = wrap(values[i], node.edges[self.inputs.index(name)])
            elif name == self.rest:
                values[i] = tuple(
                    wrap(array, edge) for array, edge in zip(values[i], node.edges[len(self.inputs) :], strict=True)
                )
            elif name == "y":
                values[i] = wrap(values[i], node)
            elif name == "saved":
                values[i] = None
        return values

    def backward(self, node, edges, g, wrap):
        values = node.saved if wrap is None else self.rewrapped(node, wrap)
        if wide := self.wide and node.dtype is backend.float16 and wrap is None and is_wide(self.name, g):
            values, g = widened(values), widened(g)
        if "needs" in self.names:
            values = list(values)
            values[self.names.index("needs")] = tuple(edge is not None for edge in edges)
        if wrap is not None and self.composite:
            results = self._through_composite(node, edges, g, dict(zip(self.names, values, strict=True)))
        elif self.joint:
            results = self.joint(g, *values)
        else:
            results = [
                None if edge is None or reader is None else vjp(g, *[values[i] for i in reader])
                for vjp, reader, edge in zip(self.vjps, self.readers, edges, strict=True)
            ]
        if wide:
            results = [
                gi if gi is None or edge is None else gi.astype(edge.dtype, copy=False)
                for gi, edge in zip(results, edges, strict=True)
            ]
        if node.fix is not None:
            results = [
                gi if gi is None or edge is None else unbroadcast(gi, *fix)
                for gi, edge, fix in zip(results, edges, node.fix, strict=True)
            ]
        return results

    def _through_composite(self, node, edges, g, values):
        """The gradients of the plain formula that this fused op equals, recorded, so that they can be differentiated again."""
        inputs = [values[name] for name in self.inputs]
        aliases = [x if edge is None else alias(x) for x, edge in zip(inputs, edges, strict=True)]
        outputs = self.composite(
            *aliases,
            **{
                name: value
                for name, value in values.items()
                if name not in self.inputs and name not in ("saved", "needs", "y")
            },
        )
        outputs, g = (list(outputs), g) if isinstance(outputs, tuple) else ([outputs], [g])
        pairs = [(output, gi) for output, gi in zip(outputs, g, strict=True) if gi is not None]
        wanted = [x for x, edge in zip(aliases, edges, strict=True) if edge is not None]
        found = iter(grad([o for o, _ in pairs], wanted, [gi for _, gi in pairs], create_graph=True, allow_unused=True))
        return [None if edge is None else next(found) for edge in edges]


def op(name, forward, *vjps, backward=None, composite=None, view=False, broadcasts=False):
    """Define an op; return the function to call: Tensors (or None) by position, settings by keyword.

    vjps: one derivative per input, or None. backward: instead of them one function that returns all gradients as a sequence.
    composite: for a fused op, the same formula in plain ops on Tensors; create_graph differentiates that.
    view: the output may share the input's memory. broadcasts: inputs broadcast against each other.
    Called with arrays only, the function runs the forward on them and returns arrays.
    """
    op = General(name, forward, vjps, backward, composite, view, broadcasts)
    saved_positions, saves_rest = op.saved_inputs()
    first_rest, saves_y = len(op.inputs), "y" in op.names

    def apply(*inputs, **static):
        if mode.on:
            inputs = cast_inputs(name, inputs)
        arrays, needs, found = [], False, False
        for x in inputs:
            if isinstance(x, Tensor):
                found = True
                needs = needs or x.needs_grad
                arrays.append(x.array)
            else:
                arrays.append(x)
        if op.wide and arrays[0].dtype is backend.float16 and is_wide(name, arrays[0]):
            y = op.forward(*widened(arrays), **static)
            y = (narrowed(y[0]), y[1]) if op.returns_saved else narrowed(y)
        else:
            y = op.forward(*arrays, **static)
        saved = None
        if op.returns_saved:
            y, saved = y
        if not found:
            return y
        recorded = needs and grad_mode.enabled
        if several := y.__class__ is tuple:
            results = tuple([Tensor(part, recorded) for part in y])
            result = results[0]
        else:
            results = result = Tensor(y, recorded)
        first = result.array
        if op.view and _shares_memory(first, arrays[0]):
            result.become_view(inputs[0])
        if not recorded:
            return results
        versions = ()
        for i in (*saved_positions, *range(first_rest, len(inputs))) if saves_rest else saved_positions:
            if isinstance(inputs[i], Tensor):
                cell = inputs[i].cell()
                versions += ((cell, cell[0]),)
        if saves_y:
            versions += ((result.cell(), 0),)
        fix = None
        if op.broadcasts and any(
            isinstance(x, Tensor) and x.needs_grad and (x.array.shape != first.shape or x.array.dtype != first.dtype)
            for x in inputs
        ):
            fix = [(x.array.shape, x.array.dtype) if isinstance(x, Tensor) else None for x in inputs]
        edges = tuple([x.edge() if isinstance(x, Tensor) else None for x in inputs])
        node = Node(op, edges, op.save(arrays, first, saved, static), versions, fix, first.shape, first.dtype)
        if not several:
            result.node = node
            return result
        for position, result in enumerate(results):
            if result.array.dtype.kind == "f":
                result.node = pick(node, position, len(results), result.array)
            else:
                result.needs_grad = False
        return results

    return _finish(apply, op)


def _shares_memory(y, x):
    return y is x or y.base is not None and (y.base is x or y.base is x.base)


def plain(name, forward):
    """Define an elementwise function of Tensors or numbers whose result has no derivative: a comparison, isnan, floor_divide."""
    op = Op(name, forward)

    def apply(*inputs):
        arrays = [x.array if isinstance(x, Tensor) else x for x in inputs]
        if len(arrays) == 2:
            tensor = next((x for x in arrays if hasattr(x, "dtype")), None)
            if tensor is None:
                raise refusal(name, "input", 1, inputs[0])
            arrays = [_operand(op, x, tensor) for x in arrays]
            if all(hasattr(x, "dtype") for x in arrays):
                arrays = backend.promote(*arrays)
        elif not isinstance(inputs[0], Tensor):
            raise refusal(name, "input", 1, inputs[0])
        try:
            return Tensor(op.forward(*arrays))
        except (ValueError, TypeError) as error:
            raise refused(name, error, *arrays) from None

    return _finish(apply, op)


def _finish(apply, op):
    apply.__name__ = apply.__qualname__ = op.name
    apply.op = op
    if isinstance(op.forward, np.ufunc):
        NUMPY_FUNCTIONS[op.forward] = apply
    return apply


alias = op("alias", lambda x: x, lambda g: g, view=True)
alias.__doc__ = "The same values as a tensor of their own in the graph."


def in_place(function):
    """The in-place method `f_` of an op f: computes out of place, then writes here."""

    def method(self, *args, **kwargs):
        return self.write(function(self, *args, **kwargs))

    method.__name__ = method.__qualname__ = f"{function.__name__}_"
    method.__doc__ = f"In-place version of {function.__name__}."
    return method
