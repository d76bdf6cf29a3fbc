"""Running a row on the engine and on PyTorch, and holding the results against each other."""

import numpy as np
import torch

import framework
import framework.nn.functional
from framework import Tensor
from framework.tensor import grad

TOLERANCE = {"float64": (1e-9, 1e-11), "float32": (2e-4, 2e-5), "float16": (2e-2, 2e-3)}  # relative, absolute


def engine_inputs(row, dtype, layout=lambda array: array):
    return [
        Tensor(layout(array), spec.grad and array.dtype.kind == "f")
        for array, spec in zip(row.arrays(dtype), row.inputs)
    ]


def torch_inputs(row, dtype):
    return [
        torch.from_numpy(np.asarray(array)).requires_grad_(spec.grad and array.dtype.kind == "f")
        for array, spec in zip(row.arrays(dtype), row.inputs)
    ]


def flat(value):
    """The tensors and plain values of a result, in order."""
    if isinstance(value, (tuple, list)) and not isinstance(value, (torch.Size, framework.Size)):
        return [part for element in value for part in flat(element)]
    return [value]


def array_of(value):
    if isinstance(value, Tensor):
        return value.array
    if isinstance(value, torch.Tensor):
        return value.detach().numpy(force=True)
    return value


def dtype_of(value):
    return str(value.dtype).removeprefix("torch.")


def close(ours, theirs, what, tolerance=1.0, dtype=None):
    """Assert that two tensors (or plain values) agree in kind, shape, dtype and values."""
    if not isinstance(theirs, torch.Tensor):
        theirs = tuple(theirs) if isinstance(theirs, torch.Size) else theirs
        ours = tuple(ours) if isinstance(ours, framework.Size) else ours
        assert dtype_name(ours) == dtype_name(theirs), f"{what}: {ours!r} for PyTorch's {theirs!r}"
        return
    assert isinstance(ours, Tensor), f"{what}: a {type(ours).__name__} for a tensor"
    assert tuple(ours.shape) == tuple(theirs.shape), (
        f"{what}: shape {tuple(ours.shape)} for PyTorch's {tuple(theirs.shape)}"
    )
    assert dtype_of(ours) == dtype_of(theirs), f"{what}: {dtype_of(ours)} for PyTorch's {dtype_of(theirs)}"
    relative, absolute = TOLERANCE.get(dtype or dtype_of(ours), (0, 0))
    np.testing.assert_allclose(
        array_of(ours).astype(np.float64),
        array_of(theirs).astype(np.float64),
        relative * tolerance,
        absolute * tolerance,
        err_msg=what,
    )


def dtype_name(value):
    """A dtype of either side by its name, anything else as it is."""
    return str(value).removeprefix("torch.") if isinstance(value, (np.dtype, torch.dtype)) else value


def differentiable(outputs):
    return [y for y in flat(outputs) if isinstance(y, (Tensor, torch.Tensor)) and y.requires_grad]


def seeds(outputs):
    """Fixed gradients for the outputs, as arrays."""
    numbers = np.random.Generator(np.random.PCG64(7))
    return [numbers.standard_normal(tuple(y.shape)).astype(dtype_of(y)) for y in differentiable(outputs)]


def first(inputs, outputs, gs, create_graph=False):
    """The gradients of the outputs by every input that needs one, zeros where there is none; on either side."""
    outputs = differentiable(outputs)
    wanted = [x for x in inputs if x.requires_grad]
    function = grad if isinstance(wanted[0], Tensor) else torch.autograd.grad
    return function(
        outputs, wanted, gs, create_graph=create_graph, retain_graph=True, allow_unused=True, materialize_grads=True
    )


def _weighted(inputs, outputs, gs, create_graph):
    """A fixed combination of the first gradients: one term for each that has one."""
    found = first(inputs, outputs, gs, create_graph)
    numbers = np.random.Generator(np.random.PCG64(11))
    weights = [numbers.standard_normal(tuple(g.shape)).astype(dtype_of(g)) for g in found]
    wrap = Tensor if isinstance(inputs[0], Tensor) else lambda w: torch.from_numpy(np.asarray(w))
    return [(g * wrap(w)).sum() for g, w in zip(found, weights)]


def weighted_gradient(inputs, outputs, gs):
    """The number whose derivatives `second` gives."""
    return sum(float(term.item()) for term in _weighted(inputs, outputs, gs, False))


def second(inputs, outputs, gs):
    """The gradients of a fixed combination of the first gradients, by every input and by the outputs' gradients; None where all are constant."""
    terms = [term for term in _weighted(inputs, outputs, gs, True) if term.requires_grad]
    wanted = [x for x in [*inputs, *gs] if x.requires_grad]
    if not terms:
        return [None for _ in wanted]
    function = grad if isinstance(inputs[0], Tensor) else torch.autograd.grad
    return function(terms, wanted, allow_unused=True, materialize_grads=True)
