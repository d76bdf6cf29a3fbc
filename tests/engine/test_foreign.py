"""One definition, three kinds of arrays: the op table on arrays that refuse to mix with NumPy's, and on CuPy's where there is a GPU."""

import numpy as np
import pytest

import framework
from framework import Tensor, backend
from framework.tensor import grad
from tests.engine import compare
from tests.engine.foreign import Elsewhere, library
from tests.engine.table import table

ROWS = {name: row for name, row in table() if row.foreign and row.values and row.inputs}
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def elsewhere(monkeypatch):
    """The stand-in library in CuPy's place."""
    monkeypatch.setattr(backend, "cupy", lambda: library)
    return library.asarray


def check(row, move):
    """Value, gradients and second derivatives of a row on arrays that `move` makes, against the same on NumPy's."""
    here, there = compare.engine_inputs(row, "float64"), compare.engine_inputs(row, "float64", move)
    expected, found = row.function(framework, *here), row.function(framework, *there)
    for a, b in zip(compare.flat(found), compare.flat(expected), strict=True):
        same(a, b)
    if not (row.gradient and compare.differentiable(expected) and any(x.requires_grad for x in here)):
        return
    seeds = compare.seeds(expected)
    for a, b in zip(
        derivatives(there, found, seeds, move), derivatives(here, expected, seeds, lambda array: array), strict=True
    ):
        same(a, b)


def derivatives(inputs, outputs, seeds, move):
    """First gradients, first gradients recorded, and gradients of those."""
    outputs = compare.differentiable(outputs)
    wanted = [x for x in inputs if x.requires_grad]
    options = dict(allow_unused=True, retain_graph=True)
    plain = grad(outputs, wanted, [Tensor(move(g.copy())) for g in seeds], **options)
    gs = [Tensor(move(g.copy()), True) for g in seeds]
    recorded = grad(outputs, wanted, gs, create_graph=True, **options)
    numbers = np.random.Generator(np.random.PCG64(3))
    terms = [
        (g * Tensor(move(np.asarray(numbers.standard_normal(g.shape))))).sum()
        for g in recorded
        if g is not None and g.requires_grad
    ]
    second = grad(terms, [*wanted, *gs], **options) if terms else ()
    return [*plain, *recorded, *second]


def same(a, b):
    assert (a is None) == (b is None)
    if isinstance(b, Tensor):
        assert type(a.array) is not np.ndarray, "the result came back as a NumPy array"
        assert a.shape == b.shape and a.dtype == b.dtype
        np.testing.assert_allclose(
            a.array.get().astype(float), b.array.astype(float), *compare.TOLERANCE.get(str(b.dtype), (0, 0))
        )
    elif b is not None:
        assert a == b or isinstance(b, float) and a == pytest.approx(b)


@pytest.mark.parametrize("row", [pytest.param(row, id=name) for name, row in ROWS.items()])
def test_the_op_runs_on_arrays_that_refuse_numpys(row, elsewhere):
    check(row, elsewhere)


@pytest.mark.gpu
def test_every_op_runs_on_the_gpu():
    failed = {}
    for name, row in ROWS.items():
        try:
            check(row, backend.cupy().asarray)
        except Exception as error:
            failed[name] = f"{name}: {type(error).__name__}: {error}"
    assert not failed, "\n".join(failed.values())


# --- devices ---


def test_the_module_of_an_array_is_found_by_its_type(elsewhere):
    assert backend.array_module(np.ones(2)) is np
    assert backend.array_module(elsewhere(np.ones(2))) is library


def test_to_cuda_and_back(elsewhere):
    x = framework.tensor([1.0, 2.0], requires_grad=True)
    y = x.cuda()
    assert isinstance(y.array, Elsewhere) and y.is_cuda and y.device.type == "cuda"
    assert y.cuda() is y and x.cpu() is x and y.to("cuda") is y
    (y * y).cpu().sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [2, 4])
    assert x.to("cuda", framework.float64).dtype == framework.float64


def test_tensors_are_made_on_the_device_asked_for(elsewhere):
    for made in (
        framework.zeros(2, device="cuda"), framework.tensor([1.0], device="cuda"), framework.randn(2, device="cuda"), framework.eye(2, device="cuda"),
        framework.arange(3, device="cuda:0"), framework.ones(2, device="cuda").new_zeros(3), framework.zeros_like(framework.ones(2, device="cuda")),
        framework.randn_like(framework.ones(2, device="cuda")), framework.full((2,), 1.0, device=framework.device("cuda")),
        framework.bernoulli(framework.ones(2, device="cuda")), framework.zeros_like(framework.ones(2), device="cuda"),
    ):  # fmt: skip
        assert isinstance(made.array, Elsewhere)


def test_mixing_devices_is_an_error(elsewhere):
    x, y = framework.ones(2), framework.ones(2, device="cuda")
    for mix in (
        lambda: x + y,
        lambda: y * x,
        lambda: framework.cat([x, y]),
        lambda: framework.where(x > 0, x, y),
        lambda: x @ y,
        lambda: x.clone().add_(y),
    ):
        with pytest.raises((RuntimeError, TypeError), match="cuda|NumPy|numpy"):
            mix()


def test_numpy_needs_the_cpu(elsewhere):
    with pytest.raises(RuntimeError, match="cpu"):
        framework.ones(2, device="cuda").numpy()
    np.testing.assert_array_equal(framework.ones(2, device="cuda").numpy(force=True), [1, 1])
    assert framework.ones(2, device="cuda").tolist() == [1, 1] and framework.ones(1, device="cuda").item() == 1
    assert "device='cuda:0'" in repr(framework.ones(2, device="cuda"))


def test_in_place_stays_on_the_device(elsewhere):
    x = framework.ones(3, device="cuda")
    array = x.array
    x.add_(1).mul_(2).zero_().fill_(3).copy_(framework.arange(3.0)).normal_().uniform_()
    assert x.array is array
    x[1] = 5.0
    x += 1
    assert x.array is array and x[1].item() == 6


def test_without_cupy_cuda_is_an_error_that_says_what_to_install():
    try:
        import cupy  # noqa: F401
    except ImportError:
        with pytest.raises(RuntimeError, match="cupy-cuda12x"):
            framework.zeros(2, device="cuda")
