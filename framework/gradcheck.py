"""Derivatives against central differences: torch.autograd.gradcheck and gradgradcheck."""

import numpy as np

from .autograd import no_grad
from .tensor import Tensor, grad


class GradcheckError(RuntimeError):
    """A derivative that does not agree with the numerical one."""


def _tuple(value):
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def _differentiable(tensors):
    return [x for x in tensors if isinstance(x, Tensor) and x.requires_grad]


def numerical_jacobian(func, inputs, target, eps=1e-6):
    """∂output/∂target by central differences, per output a matrix (target elements, output elements); target is one of the inputs."""
    array = target.array
    columns = []
    with no_grad():
        for position in np.ndindex(array.shape):
            value = array[position]
            array[position] = value + eps
            above = [y.array.astype(np.float64) for y in _tuple(func(*inputs))]
            array[position] = value - eps
            below = [y.array.astype(np.float64) for y in _tuple(func(*inputs))]
            array[position] = value
            columns.append([(a - b).ravel() / (2 * eps) for a, b in zip(above, below, strict=True)])
    return [np.stack(column) for column in zip(*columns, strict=True)] if columns else []


def gradcheck(func, inputs, *, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True, nondet_tol=0.0):
    """Whether the gradients of func(*inputs) agree with central differences, for every input that requires grad.

    Use float64: float32 has too few digits for differences. Raises GradcheckError that names input, output and the worst
    element, or returns False with raise_exception=False. nondet_tol: how far two backward passes may differ.
    """
    inputs = _tuple(inputs)
    wanted = _differentiable(inputs)
    if not wanted:
        raise ValueError("gradcheck: no input requires grad")
    for x in wanted:
        if x.dtype != np.float64:
            raise ValueError(f"gradcheck: an input is {x.dtype}; central differences need float64, use x.double()")
    try:
        outputs = _tuple(func(*inputs))
        for number, x in enumerate(wanted):
            numerical = numerical_jacobian(func, inputs, x, eps)
            for k, output in enumerate(outputs):
                if output.requires_grad and x.numel():
                    _compare(_analytical(output, x, nondet_tol), numerical[k], number, k, atol, rtol)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _analytical(output, x, nondet_tol):
    columns = []
    for position in range(output.numel()):
        unit = np.zeros(output.numel(), output.dtype)
        unit[position] = 1
        unit = Tensor(unit.reshape(output.shape))
        (g,) = grad(output, x, unit, retain_graph=True, materialize_grads=True)
        (again,) = grad(output, x, unit, retain_graph=True, materialize_grads=True)
        if g.array.size and np.abs(g.array - again.array).max() > nondet_tol:
            raise GradcheckError(
                "gradcheck: two backward passes over the same graph differ: backward changes what it was given or saved"
            )
        if g.shape != x.shape or g.dtype != x.dtype:
            raise GradcheckError(
                f"gradcheck: the gradient is {g.dtype} {tuple(g.shape)}, its input {x.dtype} {tuple(x.shape)}"
            )
        columns.append(g.array.ravel())
    return np.stack(columns, axis=1) if columns else np.zeros((x.numel(), 0))


def _compare(analytical, numerical, number, k, atol, rtol):
    bad = ~(np.abs(analytical - numerical) <= atol + rtol * np.abs(numerical))  # also where one is NaN
    if bad.any():
        i, j = np.unravel_index(
            np.argmax(np.where(bad, np.nan_to_num(np.abs(analytical - numerical), nan=np.inf), -1)), bad.shape
        )
        raise GradcheckError(
            f"gradcheck: input {number}, output {k}: d output[{j}] / d input[{i}] is {analytical[i, j]:.6g}, "
            f"central differences give {numerical[i, j]:.6g}; {bad.sum()} of {bad.size} elements disagree"
        )


def gradgradcheck(
    func, inputs, grad_outputs=None, *, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True, nondet_tol=0.0
):
    """gradcheck of the gradient itself: second derivatives against central differences of first ones."""
    inputs = _tuple(inputs)
    outputs = [y for y in _tuple(func(*inputs)) if y.requires_grad]
    if grad_outputs is None:
        numbers = np.random.Generator(np.random.PCG64(0))
        grad_outputs = [Tensor(numbers.standard_normal(y.shape).astype(y.dtype), requires_grad=True) for y in outputs]
    grad_outputs, count = list(_tuple(grad_outputs)), len(inputs)

    def gradients(*values):
        ys = [y for y in _tuple(func(*values[:count])) if y.requires_grad]
        return grad(ys, _differentiable(values[:count]), values[count:], create_graph=True, materialize_grads=True)

    def gradients_in_any_mode(*values):
        from .autograd import enable_grad

        with enable_grad():
            return gradients(*values)

    return gradcheck(
        gradients_in_any_mode,
        (*inputs, *grad_outputs),
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
    )
