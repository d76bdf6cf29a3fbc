"""Variable, Function and Config: the textbook's core, as a face of the engine.

A Variable holds a NumPy array in `data`, as the textbook's does, and beside it the engine's Tensor on that array. A function of
`dezero.functions` unwraps its inputs, calls the engine, and wraps the result. `backward` is the engine's. What is written here is
only where the two differ: every Variable takes part in the graph, and gradients are Variables.
"""

import contextlib
import weakref
from functools import partial

import numpy as np

import framework
from framework.autograd import Node, grad_mode
from framework.function import Function as Recorded
from framework.ops.define import alias
from framework.tensor import Tensor

from . import cuda

# --- the switches -----------------------------------------------------------------------------------------------------


class _Switches(type):
    """Config.enable_backprop is the engine's own switch, so that `Config.enable_backprop = False` works too."""

    @property
    def enable_backprop(cls):
        return grad_mode.enabled

    @enable_backprop.setter
    def enable_backprop(cls, value):
        grad_mode.enabled = bool(value)


class Config(metaclass=_Switches):
    """enable_backprop: whether graphs are recorded. train: whether dropout drops and batch norm uses the batch's statistics."""

    train = True


@contextlib.contextmanager
def using_config(name, value):
    """Within it, Config has this value; whatever happens, the former one comes back."""
    before = getattr(Config, name)
    setattr(Config, name, value)
    try:
        yield
    finally:
        setattr(Config, name, before)


def no_grad():
    return using_config("enable_backprop", False)


def test_mode():
    return using_config("train", False)


test_mode.__test__ = False  # type: ignore[attr-defined]  # its name is the textbook's; pytest is not to collect it


# --- Variable ---------------------------------------------------------------------------------------------------------


class _Leaf(Tensor):
    """A leaf whose second gradient makes a new sum, so that an `x.grad` somebody holds stays what it was."""

    __slots__ = ()

    def accumulate(self, g, fresh):
        before, self._grad = self._grad, None
        super().accumulate(g, fresh)
        if before is not None:
            self._grad = before + self._grad


_variables: weakref.WeakValueDictionary = (
    weakref.WeakValueDictionary()
)  # where a gradient goes (a leaf, or a node) → the Variable that stands there


class Variable:
    """An array that remembers how it was made.

    data: a NumPy or CuPy array, or None for a Parameter whose shape is not known yet. name: for pictures of the graph.
    Integer data is differentiated as float64. TypeError for anything that is not an array.
    """

    __array_priority__ = 200
    __array_ufunc__ = None  # array * variable is variable.__rmul__(array)

    def __init__(self, data, name=None):
        if data is not None and not isinstance(data, cuda.array_types()):
            raise TypeError(f"Variable: {type(data)} is not supported; give an array, as np.array(...) makes it")
        self.data, self.name = data, name
        self._tensor = self._grad = None

    @property
    def tensor(self):
        """The engine's Tensor, on the same memory where the data is floating-point."""
        if self._tensor is None:
            if self.data is None:
                raise ValueError(f"{self!r} has no data yet: its layer must see an input first")
            self._tensor = _Leaf(_floats(self.data), requires_grad=True)
            _variables[self._tensor] = self
        elif self._tensor.array is not self.data:  # data was replaced, or is of integers
            self._tensor.array = _floats(self.data)
        return self._tensor

    @classmethod
    def of(cls, tensor, name=None):
        """A Variable around what the engine computed."""
        self = cls(tensor.array, name)
        if tensor.array.dtype.kind == "f":
            if tensor.node is None:
                if tensor.__class__ is not _Leaf:
                    return self
                _variables[tensor] = self
            else:
                _variables[tensor.node] = self
            self._tensor = tensor
        return self

    # --- the gradient ---

    @property
    def grad(self):
        """The derivative that backward left here, a Variable of the data's shape; or None."""
        found = None if self._tensor is None else self._tensor._grad
        if found is None:
            self._grad = None
        elif self._grad is None or self._grad._tensor is not found:
            self._grad = Variable.of(found)
            self._grad._tensor = found
        return self._grad

    @grad.setter
    def grad(self, value):
        self._grad = None if value is None else as_variable(value)
        if value is not None or self._tensor is not None:
            self.tensor._grad = None if value is None else self._grad.tensor

    def cleargrad(self):
        self.grad = None

    def backward(self, retain_grad=False, create_graph=False):
        """Add to the grad of every Variable without a creator the derivative of this one, times this one's own grad (ones at first).

        retain_grad: the Variables on the way keep their gradients too. create_graph: gradients can be differentiated again.
        The graph stays, so that backward may be called again.
        """
        if self.grad is None:
            self.grad = Variable(np.ones_like(self.tensor.array))
        if self.creator is None:
            return
        seed = self.grad.tensor
        hooks = [on_the_way._keep_grad() for on_the_way in self._ancestors()] if retain_grad else []
        self.tensor.backward(seed, retain_graph=True, create_graph=create_graph)
        for hook in hooks:
            hook.remove()
        if not retain_grad:
            self.grad = None

    def _keep_grad(self):
        self.cleargrad()

        def keep(g):
            self.tensor._grad = Tensor(g.array.copy()) if g.node is None else g

        return self.tensor.register_hook(keep)

    # --- the graph ---

    @property
    def creator(self):
        """The Function that made this Variable; None for one that was given."""
        node = None if self._tensor is None else self._tensor.node
        return None if node is None else _function_at(node)

    def set_creator(self, func):
        """Say that this Variable is what func, a Function whose inputs are set, returned."""
        made = _Call.apply(func, (self.data,), *[x.tensor for x in func.inputs])
        self.__dict__.update(Variable.of(made, self.name).__dict__)
        _variables[made.node] = self

    @property
    def generation(self):
        """How many functions the longest way from a given Variable to here passes."""
        return 0 if self.creator is None else self.creator.generation + 1

    def _ancestors(self):
        """The living Variables between this one and those that were given, newest first."""
        return [_variables[node] for node in _nodes(self._tensor.node)[1:] if node in _variables]

    def unchain(self):
        """Forget the creator: this Variable is then one that was given."""
        node = None if self._tensor is None else self._tensor.node
        if node is not None:
            _variables.pop(node, None)
            self._tensor = _Leaf(self._tensor.array, requires_grad=True)
            _variables[self._tensor] = self
            _relay(node, self._tensor)

    def unchain_backward(self):
        """Cut the graph behind this Variable: what was computed before is given from now on. For backward through a part of time."""
        node = None if self._tensor is None else self._tensor.node
        for earlier in [] if node is None else _nodes(node)[1:]:
            if earlier in _variables:
                _variables[earlier].unchain()
            else:
                _relay(earlier, None)

    # --- the array ---

    shape = property(lambda self: self.data.shape)
    ndim = property(lambda self: self.data.ndim)
    size = property(lambda self: self.data.size)
    dtype = property(lambda self: self.data.dtype)
    T = property(lambda self: self.transpose())

    def __len__(self):
        return len(self.data)

    def __repr__(self):
        text = "None" if self.data is None else str(self.data).replace("\n", "\n" + " " * 9)
        return f"variable({text})"

    def reshape(self, *shape):
        shape = shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
        return apply(framework.reshape, self, shape=tuple(shape))

    def transpose(self, *axes):
        axes = axes[0] if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], (tuple, list))) else axes
        return apply(framework.permute, self, dims=tuple(axes) if axes else tuple(reversed(range(self.ndim))))

    def sum(self, axis=None, keepdims=False):
        return apply(framework.sum, self, axis=axis, keepdims=keepdims)

    def to_cpu(self):
        if self.data is not None:
            self.data = cuda.as_numpy(self.data)

    def to_gpu(self):
        if self.data is not None:
            self.data = cuda.as_cupy(self.data)


class Parameter(Variable):
    """A Variable that a Layer trains."""


def as_variable(obj, array_module=np):
    """The object itself if it is a Variable, else a Variable of it; numbers become arrays."""
    return obj if isinstance(obj, Variable) else Variable(as_array(obj, array_module))


def as_array(x, array_module=np):
    """Numbers, and the scalars that NumPy returns for 0-d arrays, as arrays."""
    return array_module.array(x) if np.isscalar(x) else x


def _floats(data):
    return data if data.dtype.kind == "f" else data.astype(np.float64)


def _nodes(node):
    """The nodes behind this one, itself first, each before those that it was made from."""
    found, stack = {}, [node]
    while stack:
        node = stack.pop()
        if node not in found:
            found[node] = node.order
            stack.extend(edge for edge in node.edges if edge.__class__ is Node)
    return sorted(found, key=found.get, reverse=True)


def _relay(node, leaf):
    """Turn the node into one that hands its gradient on to the leaf, or nowhere."""
    node.op, node.edges, node.saved, node.versions, node.fix = alias.op, (leaf,), [], (), None


# --- calling the engine -----------------------------------------------------------------------------------------------


def apply(function, *inputs, **settings):
    """function(*inputs, **settings) of the engine, on Variables, arrays and numbers; the result as a Variable."""
    return Variable.of(function(*[as_tensor(x) for x in inputs], **settings))


def as_tensor(x):
    """What the engine computes on: a Variable's tensor; an array as a constant; a number, which takes the other operand's dtype, as it is."""
    if isinstance(x, Variable):
        return x.tensor
    return Tensor(x) if isinstance(x, cuda.array_types()) else x


def common(*inputs):
    """The inputs as Variables of one dtype, NumPy's for them together: float64 data meets float32 weights."""
    variables = [as_variable(x) for x in inputs]
    dtype = np.result_type(*[x.tensor.dtype for x in variables])
    return [x if x.tensor.dtype == dtype else apply(Tensor.to, x, dtype=dtype) for x in variables]


# --- functions of one's own -------------------------------------------------------------------------------------------


class Function:
    """A function with its derivative: define forward(*arrays) and backward(*gradients), which gets and returns Variables.

    In backward, self.inputs are the Variables it was called with, and self.outputs[i]() those that it returned.
    """

    def __call__(self, *inputs):
        inputs = [as_variable(x) for x in inputs]
        results = self.forward(*[x.data for x in inputs])
        arrays = [as_array(y) for y in (results if isinstance(results, tuple) else (results,))]
        if Config.enable_backprop:
            self.inputs = inputs
            made = _Call.apply(self, arrays, *[x.tensor for x in inputs])
            outputs = [Variable.of(y) for y in (made if isinstance(made, tuple) else (made,))]
            self.outputs = [weakref.ref(y) for y in outputs]
        else:
            outputs = [Variable(y) for y in arrays]
        return outputs if len(outputs) > 1 else outputs[0]

    @property
    def generation(self):
        return max((x.generation for x in self.inputs), default=-1)

    def forward(self, *xs):
        raise NotImplementedError(f"{type(self).__name__}: define forward(self, *arrays)")

    def backward(self, *gys):
        raise NotImplementedError(f"{type(self).__name__}: define backward(self, *gradients)")


class _Call(Recorded):
    """How one call of a dezero Function stands in the engine's graph."""

    @staticmethod
    def forward(ctx, function, arrays, *inputs):
        outputs = tuple(Tensor(array) for array in arrays)
        ctx.function, ctx.inputs = function, inputs
        ctx.save_for_backward(*outputs)
        return outputs if len(outputs) > 1 else outputs[0]

    @staticmethod
    def backward(ctx, *gys):
        function, living = ctx.function, getattr(ctx.function, "outputs", [])
        # The Variables that the function returned may be gone by now; the graph has their values, and their place in it.
        function.outputs = [partial(Variable.of, y) for y in ctx.saved_tensors]
        try:
            gxs = function.backward(*[Variable.of(gy) for gy in gys])
        finally:
            function.outputs = living
        gxs = gxs if isinstance(gxs, (tuple, list)) else (gxs,)
        if len(gxs) != len(ctx.inputs):
            raise RuntimeError(
                f"{type(function).__name__}.backward: returned {len(gxs)} gradients for {len(ctx.inputs)} inputs of forward"
            )
        return (
            None,
            None,
            *[None if gx is None else as_variable(gx).tensor.to(x.dtype) for gx, x in zip(gxs, ctx.inputs)],
        )


class EngineFunction(Function):
    """The Function that stands for one recorded op of the engine, in `creator` and in pictures."""

    def __init__(self, node):
        self.node, self.name = node, node.op.name
        self.inputs = [_variable_at(edge) for edge in node.edges if edge is not None]
        output = _variables.get(node)
        self.outputs = [] if output is None else [weakref.ref(output)]

    def __eq__(self, other):
        return isinstance(other, EngineFunction) and other.node is self.node

    def __hash__(self):
        return hash(self.node)


def _function_at(node):
    while node.op.name == "Output":  # one of several outputs
        node = node.edges[0]
    saved = node.saved[0] if isinstance(node.saved, tuple) and node.saved else None
    return getattr(saved, "function", None) or EngineFunction(node)


def _variable_at(edge):
    """The Variable there; where the program no longer holds it, one that knows only its shape and its creator."""
    if edge in _variables:
        return _variables[edge]
    if edge.__class__ is not Node:
        return Variable.of(edge)
    return _Unheld.of(Tensor(np.broadcast_to(np.zeros((), edge.dtype), edge.shape), True, edge))


class _Unheld(Variable):
    """Stands in the graph for a Variable that no part of the program holds any more. The engine did not keep its value either."""

    def __repr__(self):
        return f"variable(shape {self.shape}, {self.dtype}, no longer held)"


# --- operators --------------------------------------------------------------------------------------------------------


def add(x0, x1):
    return apply(framework.add, *_pair(x0, x1))


def mul(x0, x1):
    return apply(framework.mul, *_pair(x0, x1))


def sub(x0, x1):
    return apply(framework.sub, *_pair(x0, x1))


def div(x0, x1):
    return apply(framework.div, *_pair(x0, x1))


def rsub(x0, x1):
    """x1 − x0."""
    return sub(x1, x0)


def rdiv(x0, x1):
    """x1 / x0."""
    return div(x1, x0)


def neg(x):
    return apply(framework.neg, as_variable(x))


def pow(x, c):
    """x to the constant c."""
    return apply(framework.pow, as_variable(x), c.data if isinstance(c, Variable) else c)


def _pair(x0, x1):
    """Both operands; a Variable if neither is one."""
    return (x0, x1) if isinstance(x0, Variable) or isinstance(x1, Variable) else (as_variable(x0), x1)


def setup_variable():
    """Give Variable its operators. Called when this module is loaded."""
    from . import functions

    for name, function in {"add": add, "mul": mul}.items():
        setattr(Variable, f"__{name}__", function)
        setattr(Variable, f"__r{name}__", function)
    Variable.__sub__, Variable.__rsub__, Variable.__truediv__, Variable.__rtruediv__ = sub, rsub, div, rdiv
    Variable.__neg__, Variable.__pow__, Variable.__getitem__ = neg, pow, functions.get_item
    Variable.matmul = Variable.dot = Variable.__matmul__ = functions.matmul
    Variable.max, Variable.min = functions.max, functions.min


__all__ = [
    "Config", "using_config", "no_grad", "test_mode", "Variable", "Parameter", "Function", "as_variable", "as_array", "setup_variable",
    "add", "sub", "rsub", "mul", "div", "rdiv", "neg", "pow",
]  # fmt: skip
