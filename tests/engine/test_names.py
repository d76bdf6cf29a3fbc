"""Every public name is PyTorch's, and has a row in the op table or a test of its own; a missing name says what is near."""

import inspect
import pickle
import types

import pytest
import torch

import framework
import framework.nn.functional as F
from framework import Tensor
from framework.arguments import checked
from tests.engine import compare
from tests.engine.table import families, table

# Names that no row can show, and where they are tested instead.
ELSEWHERE = {
    "test_creation.py": {
        "Tensor", "Size", "dtype", "device", "bool", "uint8", "int8", "int16", "short", "int32", "int", "int64", "long", "float16", "half",
        "float32", "float", "float64", "double", "e", "inf", "nan", "pi", "set_default_dtype", "from_dlpack",
    },
    "test_random.py": {"Generator", "default_generator", "manual_seed"},
    "test_autograd.py": {"no_grad", "enable_grad", "inference_mode", "is_grad_enabled", "set_grad_enabled"},
    "test_autocast.py": {
        "autocast", "is_autocast_enabled", "get_autocast_dtype", "is_autocast_cache_enabled", "clear_autocast_cache",
    },
    "test_threads.py": {"get_num_threads", "set_num_threads"},
    "tests/test_serialization.py": {"save", "load"},
}  # fmt: skip
TENSOR_ELSEWHERE = {
    "test_tensor.py": {
        "shape", "size", "dtype", "device", "ndim", "dim", "ndimension", "numel", "nelement", "element_size", "itemsize", "nbytes", "stride",
        "is_contiguous", "is_floating_point", "is_complex", "is_cuda", "data_ptr", "get_device", "item", "tolist", "numpy", "cuda", "data",
        "__array__", "__bool__", "__contains__", "__dlpack__", "__dlpack_device__", "__float__", "__int__", "__index__",
        "__len__", "__array_function__", "__array_ufunc__", "__getattr__",
    },
    "test_autograd.py": {
        "backward", "detach", "detach_", "grad", "grad_fn", "is_leaf", "register_hook", "requires_grad", "requires_grad_", "retain_grad",
        "retains_grad", "register_post_accumulate_grad_hook",
    },
}  # fmt: skip
# What the engine itself needs of a Tensor and PyTorch's has not.
OWN = {
    "array",
    "needs_grad",
    "node",
    "version",
    "view_at",
    "base",
    "views",
    "become_view",
    "hooks",
    "cell",
    "edge",
    "accumulate",
    "write",
    "rebase",
    "astype",
    "check_writable",
}


def names(groups):
    return set().union(*groups.values())


def tensor_names():
    """Every method, property and operator of Tensor."""
    ordinary = {"__dict__", "__module__", "__slots__", "__weakref__", "__doc__"}
    return {
        name
        for name in dir(Tensor)
        if not name.startswith("_") or name.startswith("__") and name not in {*dir(object), *ordinary}
    }


def resolve(path):
    """The object of a row's name: "exp", "Tensor.view", "nn.functional.linear"."""
    thing = framework
    for part in path.split("."):
        thing = getattr(thing, part)
    return thing


def resolved(row):
    try:
        return resolve(row.public)
    except AttributeError:
        return None


def plain(thing):
    """A function without what the public face puts around it."""
    return inspect.unwrap(thing) if isinstance(thing, types.FunctionType) else thing


ROWS = [row for _, row in table()]
COVERED = {id(plain(resolved(row))) for row in ROWS}


def words(thing, seen):
    """All names and strings in a function's code, its closure and its defaults."""
    if isinstance(thing, str):
        return {thing}
    if isinstance(thing, types.CodeType):
        return {*thing.co_names, *(word for constant in thing.co_consts for word in words(constant, seen))}
    if isinstance(thing, (tuple, list)):
        return {word for part in thing for word in words(part, seen)}
    if isinstance(thing, types.FunctionType) and thing not in seen:
        seen.add(thing)
        parts = [
            thing.__code__,
            *(cell.cell_contents for cell in thing.__closure__ or ()),
            *(thing.__defaults__ or ()),
            *(thing.__kwdefaults__ or {}).values(),
        ]
        found = {word for part in parts for word in words(part, seen)}
        helpers = [thing.__globals__.get(name) for name in found]
        return found.union(*(words(helper, seen) for helper in helpers if isinstance(helper, types.FunctionType)))
    return set()


def test_every_row_calls_what_it_names():
    assert not [row.name for row in ROWS if resolved(row) is None], "rows whose name is no public one"
    for row in ROWS:
        last = row.public.split(".")[-1]
        operator = last.startswith("__") or last == "matmul"  # may be written +, @
        assert operator or last in words(row.function, set()), f"the row {row.name!r} never calls {last}"


@pytest.mark.parametrize(
    "where, listed",
    [
        ("framework", set(framework.__all__) - names(ELSEWHERE)),
        ("nn.functional", set(F.__all__)),
        ("Tensor", tensor_names() - names(TENSOR_ELSEWHERE) - OWN),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_public_name_has_a_row(where, listed):
    base = framework if where == "framework" else resolve(where)
    without = sorted(name for name in listed if id(plain(getattr(base, name))) not in COVERED)
    assert not without, f"{where}: no row in the op table for {', '.join(without)}"


def test_the_names_tested_elsewhere_exist():
    assert names(ELSEWHERE) <= set(framework.__all__)
    assert names(TENSOR_ELSEWHERE) | OWN <= tensor_names()


def test_every_public_name_is_pytorchs():
    assert not [name for name in framework.__all__ if not hasattr(torch, name)]
    assert not [name for name in F.__all__ if not hasattr(torch.nn.functional, name)]
    assert not [name for name in tensor_names() - OWN if not name.startswith("__") and not hasattr(torch.Tensor, name)]
    assert len(framework.__all__) == len(set(framework.__all__))


def test_a_missing_name_says_so_and_what_is_near():
    with pytest.raises(AttributeError, match="framework has no 'sofmax'.*softmax"):
        framework.sofmax  # noqa: B018
    with pytest.raises(AttributeError, match="Tensor has no 'expnd'.*expand"):
        framework.ones(2).expnd(3)
    with pytest.raises(AttributeError, match="cummax"):
        framework.cummax(framework.ones(2), 0)
    assert not hasattr(framework.ones(2), "is_nested")


BASICS = {"elementwise", "reduce", "shape", "creation"}
TAKES_LISTS = {"tensor", "as_tensor", "is_tensor", "zeros"}
SHARED = {
    "swapaxes": "transpose",
    "swapdims": "transpose",
    "moveaxis": "movedim",
    "concat": "cat",
    "concatenate": "cat",
    "allclose": "isclose",
}


def first_rows():
    """The first row of every function of these families whose first argument is a Tensor."""
    found = {}
    for family in families():
        if family.__name__.removeprefix("tests.engine.rows_") in BASICS:
            for row in family.ROWS:
                if row.inputs and "." not in row.public and row.public not in TAKES_LISTS:
                    found.setdefault(row.public, row)
    return found


@pytest.mark.parametrize("name", first_rows())
def test_what_is_no_tensor_is_refused_in_the_functions_name(name):
    row = first_rows()[name]
    with pytest.raises(TypeError, match="list") as caught:
        row.function(framework, [1.0, 2.0], *compare.engine_inputs(row, "float32")[1:])
    assert str(caught.value).startswith(f"{SHARED.get(name, name)}: ")


def test_what_is_no_tensor_is_named_with_its_place():
    x, w = framework.ones(2, 3), framework.ones(4, 3)
    for call, message in [
        (lambda: F.linear([1.0], w), r"linear: argument 'input' \(position 1\) must be Tensor, not list"),
        (lambda: F.linear(x, weight=[w]), r"linear: argument 'weight' \(position 2\) must be Tensor, not list"),
        (lambda: F.linear(x.numpy(), w), r"linear: argument 'input' \(position 1\) must be Tensor, not ndarray"),
        (lambda: framework.cat([x, 3.0]), "cat: .*float"),
        (lambda: framework.vstack([x, [3.0]]), r"vstack: argument 'tensors' \(position 1\) must be Tensor, not list"),
        (
            lambda: F.cross_entropy(x, [1, 2]),
            r"cross_entropy: argument 'target' \(position 2\) must be Tensor, not list",
        ),
        (lambda: F.dropout(None), r"dropout: argument 'input' \(position 1\) must be Tensor, not NoneType"),
    ]:
        with pytest.raises(TypeError, match=message):
            call()
    with pytest.raises(AttributeError, match="Tensor has no 'expnd'"):
        checked(lambda input, other=None: input.expnd(2))(x)


def test_public_functions_can_be_pickled_and_are_the_same_everywhere():
    for function in (framework.sum, F.linear, F.softmax, framework.exp, framework.linalg.norm):
        assert pickle.loads(pickle.dumps(function)) is function
    assert F.softmax is framework.softmax
