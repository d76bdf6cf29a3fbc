"""torch.autograd.functional: Jacobians, Hessians, and their products with vectors, of plain functions of tensors."""

import numpy as np

from .tensor import Tensor, grad


def _refuse(name, strict, strategy="reverse-mode"):
    if strict:
        raise NotImplementedError(
            f"{name}: strict=True is not supported; an output that does not depend on an input has derivative 0"
        )
    if strategy != "reverse-mode":
        raise NotImplementedError(
            f'{name}: the strategy {strategy!r} is not supported; "reverse-mode" gives the same numbers'
        )


def _tuple(value):
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def _inputs(inputs, create_graph):
    """The inputs as tensors to differentiate by: fresh leaves, or under create_graph themselves as seen from the graph."""
    return tuple(x * 1 if create_graph and x.requires_grad else x.detach().requires_grad_() for x in _tuple(inputs))


def _outputs(name, func, inputs):
    outputs = func(*inputs)
    for output in _tuple(outputs):
        if not isinstance(output, Tensor):
            raise TypeError(f"{name}: func must return Tensors, got {type(output).__name__}")
    return outputs


def _gradients(outputs, inputs, vectors, create_graph, retain_graph=None):
    """vᵀJ for each input; zeros for an output that does not depend on it."""
    pairs = [(output, v) for output, v in zip(outputs, vectors, strict=True) if output.requires_grad]
    if not pairs:
        return tuple(Tensor(np.zeros_like(x.array)) for x in inputs)
    return grad(
        [o for o, _ in pairs], inputs, [v for _, v in pairs], retain_graph, create_graph, materialize_grads=True
    )


def _like(value, results):
    return tuple(results) if isinstance(value, (tuple, list)) else results[0]


def _vector(name, v, shapes):
    """The given vector, checked against the shapes; ones where it may be left out."""
    if v is None:
        if len(shapes) != 1 or shapes[0].array.size != 1:
            raise RuntimeError(f"{name}: v can be left out only where there is one value of one element")
        return (Tensor(np.ones_like(shapes[0].array)),)
    vectors = _tuple(v)
    for position, (vector, value) in enumerate(zip(vectors, shapes, strict=True)):
        if vector.shape != value.shape:
            raise RuntimeError(f"{name}: v[{position}] has shape {tuple(vector.shape)}, its value {tuple(value.shape)}")
    return vectors


def jacobian(func, inputs, create_graph=False, strict=False, vectorize=False, strategy="reverse-mode"):
    """∂output/∂input, of shape output.shape + input.shape; nested in tuples where outputs or inputs are (outputs first).

    `vectorize` changes no number, in PyTorch nor here.
    """
    _refuse("jacobian", strict, strategy)
    xs = _inputs(inputs, create_graph)
    outputs = _outputs("jacobian", func, xs)
    rows = []
    for output in _tuple(outputs):
        columns = []
        for i in range(output.numel()):
            unit = np.zeros(output.numel(), output.dtype)
            unit[i] = 1
            columns.append(
                _gradients([output], xs, [Tensor(unit.reshape(output.shape))], create_graph, retain_graph=True)
            )
        blocks = [
            _stack([column[j] for column in columns], (*output.shape, *x.shape), x, create_graph)
            for j, x in enumerate(xs)
        ]
        rows.append(_like(inputs, blocks))
    return _like(outputs, rows)


def _stack(gradients, shape, x, create_graph):
    if not gradients:
        return Tensor(np.zeros(shape, x.dtype))
    if not create_graph:
        return Tensor(np.stack([g.array for g in gradients]).reshape(shape))
    from .ops.shape import stack

    return stack(gradients).reshape(shape)


def hessian(func, inputs, create_graph=False, strict=False, vectorize=False, outer_jacobian_strategy="reverse-mode"):
    """The second derivatives of a func that returns a single number. `vectorize` changes no number."""
    _refuse("hessian", strict, outer_jacobian_strategy)

    def gradient(*xs):
        output = _outputs("hessian", func, xs)
        if not isinstance(output, Tensor) or output.numel() != 1:
            raise RuntimeError("hessian: func must return one tensor of one element")
        return _like(inputs, _gradients([output], xs, [Tensor(np.ones_like(output.array))], True))

    return jacobian(gradient, inputs, create_graph)


def vjp(func, inputs, v=None, create_graph=False, strict=False):
    """(outputs, vᵀJ)."""
    _refuse("vjp", strict)
    xs = _inputs(inputs, create_graph)
    outputs = _outputs("vjp", func, xs)
    vectors = _vector("vjp", v, _tuple(outputs))
    products = _gradients(_tuple(outputs), xs, vectors, create_graph)
    return _detached(outputs, create_graph), _like(inputs, products)


def jvp(func, inputs, v=None, create_graph=False, strict=False):
    """(outputs, J v), by differentiating u ↦ uᵀJ, which is linear in u, a second time."""
    _refuse("jvp", strict)
    xs = _inputs(inputs, create_graph)
    outputs = _outputs("jvp", func, xs)
    vectors = _vector("jvp", v, xs)
    us = tuple(Tensor(np.zeros_like(output.array), requires_grad=True) for output in _tuple(outputs))
    products = _gradients(_tuple(outputs), xs, us, True)
    return _detached(outputs, create_graph), _like(outputs, _gradients(products, us, vectors, create_graph))


def hvp(func, inputs, v=None, create_graph=False, strict=False):
    """(output, H v) for a func that returns a single number."""
    return _vhp("hvp", func, inputs, v, create_graph, strict)


def vhp(func, inputs, v=None, create_graph=False, strict=False):
    """(output, vᵀH) for a func that returns a single number; equal to H v, as H is symmetric."""
    return _vhp("vhp", func, inputs, v, create_graph, strict)


def _vhp(name, func, inputs, v, create_graph, strict):
    _refuse(name, strict)
    xs = _inputs(inputs, create_graph)
    output = _outputs(name, func, xs)
    if not isinstance(output, Tensor) or output.numel() != 1:
        raise RuntimeError(f"{name}: func must return one tensor of one element")
    vectors = _vector(name, v, xs)
    gradients = _gradients([output], xs, [Tensor(np.ones_like(output.array))], True)
    return _detached(output, create_graph), _like(inputs, _gradients(gradients, xs, vectors, create_graph))


def _detached(outputs, create_graph):
    return outputs if create_graph else _like(outputs, [output.detach() for output in _tuple(outputs)])
