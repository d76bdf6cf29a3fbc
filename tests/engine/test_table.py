"""Every row of the op table: value, gradients and second derivatives as PyTorch's and as central differences say, in every memory layout."""

import itertools

import numpy as np
import pytest
import torch

import framework
from framework import Tensor
from tests.engine import compare
from tests.engine.table import table

ROWS, FAILS = table(), table("FAILS")
HAS_GRADIENT = [(name, row) for name, row in ROWS if row.gradient and any(given.grad for given in row.inputs)]


def rows(entries):
    return pytest.mark.parametrize("row", [pytest.param(row, id=name) for name, row in entries])


pytestmark = pytest.mark.filterwarnings("ignore")


@rows(ROWS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_value_and_gradient_are_pytorchs(row, dtype):
    xs, ys = compare.engine_inputs(row, dtype), compare.torch_inputs(row, dtype)
    ours, theirs = row.function(framework, *xs), row.function(torch, *ys)
    assert len(compare.flat(ours)) == len(compare.flat(theirs))
    for position, (a, b) in enumerate(zip(compare.flat(ours), compare.flat(theirs))):
        if row.values:
            compare.close(a, b, f"output {position}", row.tolerance)
        else:
            assert (a.shape, compare.dtype_of(a)) == (b.shape, compare.dtype_of(b))
        if isinstance(b, torch.Tensor):
            assert a.requires_grad == b.requires_grad, (
                f"output {position}: requires_grad={a.requires_grad}, PyTorch {b.requires_grad}"
            )
    if not row.gradient or not compare.differentiable(theirs) or not any(x.requires_grad for x in ys):
        return
    seeds = compare.seeds(theirs)
    found = compare.first(xs, ours, [Tensor(g.copy()) for g in seeds])
    again = compare.first(xs, ours, [Tensor(g.copy()) for g in seeds])
    expected = compare.first(ys, theirs, [torch.from_numpy(np.asarray(g)) for g in seeds])
    for position, (a, b, c) in enumerate(zip(found, expected, again)):
        compare.close(a, b, f"gradient of input {position}", row.tolerance, dtype)
        np.testing.assert_array_equal(
            a.array, c.array, err_msg="a second backward differs: backward changed what was saved"
        )
    held = (
        [g.array for g in found]
        + [x.array for x in xs]
        + [y.array for y in compare.differentiable(ours) if not is_view(y, xs)]
    )
    for (i, a), (j, b) in itertools.combinations(enumerate(held), 2):
        assert i >= len(found) or not np.shares_memory(a, b), (
            f"gradient {i} shares memory with number {j} of gradients, inputs, outputs"
        )


def is_view(y, xs):
    return y.view_at is not None or any(y is x for x in xs)


@rows((name, row) for name, row in HAS_GRADIENT if row.second)
def test_second_derivatives_are_pytorchs(row):
    xs, ys = compare.engine_inputs(row, "float64"), compare.torch_inputs(row, "float64")
    ours, theirs = row.function(framework, *xs), row.function(torch, *ys)
    seeds = compare.seeds(theirs)
    if not seeds:
        return
    found = compare.second(xs, ours, [Tensor(g.copy(), True) for g in seeds])
    expected = compare.second(ys, theirs, [torch.from_numpy(np.asarray(g)).requires_grad_() for g in seeds])
    for position, (a, b) in enumerate(zip(found, expected)):
        if a is None or b is None:
            a, b = ((0 if g is None else compare.array_of(g)) for g in (a, b))
            np.testing.assert_allclose(a, b, atol=1e-11)
        else:
            compare.close(a, b, f"second derivative {position}", row.tolerance)


@rows((name, row) for name, row in HAS_GRADIENT if row.numerical)
def test_central_differences_to_order_two(row):
    """Along random directions, in which every wrong entry of a Jacobian shows: d/dt f(x + t v) = J v, and the same of the gradients."""
    numbers = np.random.Generator(np.random.PCG64(5))
    xs = compare.engine_inputs(row, "float64")
    outputs = row.function(framework, *xs)
    seeds = [Tensor(g, True) for g in compare.seeds(outputs)]
    if not seeds or not any(x.requires_grad and x.numel() for x in xs):
        return
    wanted = [x for x in [*xs, *seeds] if x.requires_grad]
    firsts, seconds = compare.first(xs, outputs, seeds), compare.second(xs, outputs, seeds)
    for _ in range(2):
        direction = [numbers.standard_normal(x.shape) for x in wanted]

        def along(t, function, direction=direction):
            moved = iter([Tensor(x.array + t * v, True) for x, v in zip(wanted, direction)])
            inputs = [next(moved) if x.requires_grad else x for x in xs]
            return function(inputs, row.function(framework, *inputs), list(moved))

        agree(lambda t: along(t, value), firsts, direction, "the gradient")
        agree(lambda t: along(t, compare.weighted_gradient), seconds, direction, "the second derivative")


def value(_, outputs, seeds):
    """Σ seeds · outputs at the first seeds, so that the seeds' own derivative does not enter."""
    return sum(float((y.array * g).sum()) for y, g in zip(compare.differentiable(outputs), compare.seeds(outputs)))


def agree(function, gradients, direction, what, step=1e-6):
    """Whether the difference quotient of function(t) at 0 is the sum of gradient · direction."""
    terms = [(g.array * v).ravel() for g, v in zip(gradients, direction) if g is not None]
    expected, scale = sum(float(t.sum()) for t in terms), sum(float(np.abs(t).sum()) for t in terms)
    measured = (function(step) - function(-step)) / (2 * step)
    assert abs(measured - expected) <= 1e-6 * (1 + scale), (
        f"{what} along a direction is {expected}, central differences give {measured}"
    )


def spaced(array):
    """The array as every second element, in every dimension, of a bigger one."""
    if not array.ndim:
        return array
    big = np.full([2 * size for size in array.shape], 99, array.dtype)
    view = big[(slice(None, None, 2),) * array.ndim]
    view[...] = array
    return view


LAYOUTS = {
    "spaced": spaced,
    "fortran": lambda array: np.asfortranarray(array) if array.ndim else array,
    "reversed": lambda array: np.flip(np.flip(array).copy()),
}


@rows((name, row) for name, row in ROWS if row.strides and row.values and any(given.make for given in row.inputs))
def test_memory_layout_changes_nothing(row):
    plain = compare.engine_inputs(row, "float64")
    expected = row.function(framework, *plain)
    gradients = None
    if row.gradient and compare.differentiable(expected) and any(x.requires_grad for x in plain):
        gradients = compare.first(plain, expected, [Tensor(g) for g in compare.seeds(expected)])
    for name, layout in LAYOUTS.items():
        xs = compare.engine_inputs(row, "float64", layout)
        found = row.function(framework, *xs)
        for a, b in zip(compare.flat(found), compare.flat(expected), strict=True):
            if isinstance(b, Tensor):
                np.testing.assert_allclose(a.array.astype(float), b.array.astype(float), 1e-9, 1e-11, err_msg=name)
        if gradients is not None:
            seeds = [Tensor(layout(g)) for g in compare.seeds(expected)]
            for a, b in zip(compare.first(xs, found, seeds), gradients, strict=True):
                np.testing.assert_allclose(a.array, b.array, 1e-9, 1e-11, err_msg=f"gradient, {name}")


@rows(FAILS)
def test_bad_input_is_refused_as_pytorch_refuses_it(row):
    kind = row.raises
    if kind is None:
        with pytest.raises(Exception) as caught:
            row.function(torch, *compare.torch_inputs(row, "float32"))
        kind = caught.type
    with pytest.raises(kind, match=row.match):
        row.function(framework, *compare.engine_inputs(row, "float32"))
