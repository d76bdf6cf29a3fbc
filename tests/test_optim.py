"""The optimizers against PyTorch's, option by option, and what an update promises beside its numbers."""

import copy
import pickle
import sys
import tracemalloc
import types

import numpy as np
import pytest
import torch
from torch.optim.lbfgs import _strong_wolfe

import framework
from framework import optim, threads
from framework.optim import bundle, lbfgs
from framework.optim.optimizer import BLOCK_BYTES
from framework.tensor import Tensor

OPTIONS = [
    ("SGD", {}),
    ("SGD", dict(lr=0.1)),
    ("SGD", dict(lr=0.1, weight_decay=0.3)),
    ("SGD", dict(lr=0.1, maximize=True)),
    ("SGD", dict(lr=0.1, momentum=0.9)),
    ("SGD", dict(lr=0.1, momentum=0.9, dampening=0.4)),
    ("SGD", dict(lr=0.1, momentum=0.9, nesterov=True)),
    ("SGD", dict(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.3, maximize=True)),
    ("SGD", dict(lr=0.1, momentum=0.9, dampening=0.4, weight_decay=0.3, maximize=True)),
    ("Adam", {}),
    ("Adam", dict(lr=0)),
    ("Adam", dict(lr=0.1, betas=(0.5, 0.6), eps=1e-3)),
    ("Adam", dict(lr=0.1, betas=(0.0, 0.0))),
    ("Adam", dict(lr=0.1, weight_decay=0.3)),
    ("Adam", dict(lr=0.1, amsgrad=True)),
    ("Adam", dict(lr=0.1, maximize=True)),
    ("Adam", dict(lr=0.1, decoupled_weight_decay=True, weight_decay=0.3)),
    ("Adam", dict(lr=0.1, amsgrad=True, maximize=True, weight_decay=0.3)),
    ("AdamW", {}),
    ("AdamW", dict(lr=0.1, weight_decay=0)),
    ("AdamW", dict(lr=0.1, weight_decay=0.3, amsgrad=True)),
    ("AdamW", dict(lr=0.1, weight_decay=0.3, maximize=True)),
    ("RMSprop", {}),
    ("RMSprop", dict(lr=0.1, alpha=0.5, eps=1e-2)),
    ("RMSprop", dict(lr=0.1, weight_decay=0.3)),
    ("RMSprop", dict(lr=0.1, momentum=0.9)),
    ("RMSprop", dict(lr=0.1, centered=True)),
    ("RMSprop", dict(lr=0.1, maximize=True)),
    ("RMSprop", dict(lr=0.1, centered=True, momentum=0.9, weight_decay=0.3, maximize=True)),
    ("Adagrad", {}),
    ("Adagrad", dict(lr=0.1, lr_decay=0.2)),
    ("Adagrad", dict(lr=0.1, weight_decay=0.3)),
    ("Adagrad", dict(lr=0.1, initial_accumulator_value=0.7, eps=1e-2)),
    ("Adagrad", dict(lr=0.1, maximize=True)),
    ("Adagrad", dict(lr=0.1, lr_decay=0.2, weight_decay=0.3, initial_accumulator_value=0.7, maximize=True)),
    ("Adamax", {}),
    ("Adamax", dict(lr=0.1, betas=(0.5, 0.6), eps=1e-3, weight_decay=0.3, maximize=True)),
    ("NAdam", {}),
    ("NAdam", dict(lr=0.1, betas=(0.5, 0.6), eps=1e-3, weight_decay=0.3, momentum_decay=0.1, maximize=True)),
    ("NAdam", dict(lr=0.1, weight_decay=0.3, decoupled_weight_decay=True)),
    ("RAdam", {}),
    ("RAdam", dict(lr=0.1, betas=(0.5, 0.9), eps=1e-3, weight_decay=0.3, maximize=True)),
    ("RAdam", dict(lr=0.1, betas=(0.9, 0.99), weight_decay=0.3, decoupled_weight_decay=True)),
    ("Adadelta", {}),
    ("Adadelta", dict(lr=0.5, rho=0.7, eps=1e-3, weight_decay=0.3, maximize=True)),
]
IDS = [f"{name}-{'-'.join(f'{k}={v}' for k, v in options.items())}" for name, options in OPTIONS]
SHAPES = [(3, 4), (5,), (), (0, 2), (1, 1, 7)]


def pair(values, requires_grad=True):
    """The same values as a leaf of the engine and as one of PyTorch's."""
    return Tensor(values.copy(order="K"), requires_grad), torch.from_numpy(values.copy()).requires_grad_(requires_grad)


def twins(rng, shapes=SHAPES, dtype=np.float64):
    pairs = [pair(np.asarray(rng.standard_normal(shape), dtype)) for shape in shapes]
    return [a for a, _ in pairs], [b for _, b in pairs]


def give_gradients(rng, ours, theirs, missing=()):
    for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        g = np.asarray(rng.standard_normal(a.shape), a.dtype)
        a.grad, b.grad = (None, None) if i in missing else (Tensor(g), torch.from_numpy(g.copy()))


def assert_equal(ours, theirs, bound=1e-12):
    for a, b in zip(ours, theirs, strict=True):
        b = b.detach().numpy()
        assert a.array.dtype == b.dtype
        scale = max(1.0, np.abs(b).max(initial=0))
        np.testing.assert_allclose(a.array, b, rtol=0, atol=bound * scale)


def assert_same_state(ours, theirs):
    """The two state_dicts have the same keys everywhere, the same values to 1e-12, and PyTorch's types of entries."""
    mine, other = ours.state_dict(), theirs.state_dict()
    assert mine["state"].keys() == other["state"].keys()
    for number, state in other["state"].items():
        assert mine["state"][number].keys() == state.keys()
        for key, value in state.items():
            assert isinstance(mine["state"][number][key], Tensor)
            assert mine["state"][number][key].shape == tuple(value.shape)
            np.testing.assert_allclose(mine["state"][number][key].array, value.numpy(), rtol=1e-12, atol=1e-12)
    assert [group.keys() for group in mine["param_groups"]] == [group.keys() for group in other["param_groups"]]
    for group, expected in zip(mine["param_groups"], other["param_groups"], strict=True):
        for key, value in expected.items():
            assert group[key] == value, key


@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=IDS)
def test_twenty_steps_equal_pytorch(name, options):
    rng = np.random.default_rng(0)
    ours, theirs = twins(rng)
    a, b = getattr(optim, name)(ours, **options), getattr(torch.optim, name)(theirs, **options)
    for step in range(20):
        give_gradients(rng, ours, theirs, missing={step % 3} if step > 1 else ())
        a.step()
        b.step()
        assert_equal(ours, theirs)
    assert_same_state(a, b)


@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=IDS)
def test_state_dicts_are_exchanged_with_pytorch(name, options):
    rng = np.random.default_rng(1)
    ours, theirs = twins(rng)
    a, b = getattr(optim, name)(ours, **options), getattr(torch.optim, name)(theirs, **options)
    for _ in range(3):
        give_gradients(rng, ours, theirs)
        a.step()
        b.step()
    as_torch = {
        number: {key: torch.from_numpy(value.array.copy()) for key, value in state.items()}
        for number, state in a.state_dict()["state"].items()
    }
    as_arrays = {
        number: {key: value.numpy() for key, value in state.items()}
        for number, state in b.state_dict()["state"].items()
    }
    new_a, new_b = getattr(optim, name)(ours, lr=7.0), getattr(torch.optim, name)(theirs, lr=7.0)
    new_a.load_state_dict({"state": as_arrays, "param_groups": b.state_dict()["param_groups"]})
    new_b.load_state_dict({"state": as_torch, "param_groups": a.state_dict()["param_groups"]})
    for _ in range(3):
        give_gradients(rng, ours, theirs)
        new_a.step()
        new_b.step()
    assert_equal(ours, theirs)
    assert_same_state(new_a, new_b)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad"])
@pytest.mark.parametrize(
    "layout", ["flat", "transposed parameter", "transposed gradient", "transposed state", "strided parameter"]
)
def test_layouts_of_several_blocks(name, layout):
    options = dict(lr=0.1, weight_decay=0.3)
    options |= dict(momentum=0.9) if name in ("SGD", "RMSprop") else {}
    rng = np.random.default_rng(2)
    values = rng.standard_normal((301, 503))
    assert values.nbytes > 2 * BLOCK_BYTES and values.nbytes % BLOCK_BYTES
    if layout == "flat":
        values = values.reshape(-1)
    if layout == "transposed parameter":
        values = np.asfortranarray(values)
    a, b = pair(values)
    if layout == "strided parameter":
        a = Tensor(np.repeat(values, 2, axis=1)[:, ::2], True)
        assert not a.array.flags.contiguous
    x, y = getattr(optim, name)([a], **options), getattr(torch.optim, name)([b], **options)
    for step in range(4):
        g = rng.standard_normal(values.shape)
        a.grad, b.grad = Tensor(np.asfortranarray(g) if layout == "transposed gradient" else g), torch.from_numpy(g)
        x.step()
        y.step()
        assert_equal([a], [b])
        if layout == "transposed state" and step == 1:
            state = {key: np.asarray(value.array, order="F") for key, value in x.state[a].items()}
            x.load_state_dict({"state": {0: state}, "param_groups": x.state_dict()["param_groups"]})
    assert_same_state(x, y)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad"])
def test_the_parameters_dtype_is_kept(name, dtype):
    rng = np.random.default_rng(3)
    ours, theirs = twins(rng, [(4, 5)], dtype)
    options = dict(lr=0.1, weight_decay=0.3, **({} if name in ("SGD", "Adagrad") else dict(eps=1e-3)))
    a, b = getattr(optim, name)(ours, **options), getattr(torch.optim, name)(theirs, **options)
    for _ in range(20):
        give_gradients(rng, ours, theirs)
        a.step()
        b.step()
    assert_equal(ours, theirs, bound=1e-5 if dtype == np.float32 else 3e-2)
    assert all(t.dtype == dtype for state in a.state.values() for key, t in state.items() if key != "step")


def test_groups_have_their_own_options():
    rng = np.random.default_rng(4)
    ours, theirs = twins(rng, [(3,), (2, 2), (4,)])

    def build(module, params):
        groups = [{"params": params[:1], "lr": 0.5}, {"params": iter(params[1:2]), "momentum": 0.8, "nesterov": True}]
        optimizer = module.SGD(groups, lr=0.1, weight_decay=0.2)
        optimizer.add_param_group({"params": params[2], "maximize": True})
        return optimizer

    a, b = build(optim, ours), build(torch.optim, theirs)
    for _ in range(20):
        give_gradients(rng, ours, theirs)
        a.step()
        b.step()
    assert_equal(ours, theirs)
    assert_same_state(a, b)
    assert repr(a) == repr(b)


def test_named_parameters_keep_their_names():
    ours, theirs = twins(np.random.default_rng(5), [(3,), (2,)])
    names = ["weight", "bias"]
    a = optim.SGD(zip(names, ours, strict=True), lr=0.1)
    b = torch.optim.SGD(zip(names, theirs, strict=True), lr=0.1)
    assert_same_state(a, b)
    assert a.param_groups[0]["param_names"] == names
    with pytest.raises(ValueError, match="1 of 2 parameters have a name"):
        optim.SGD([("weight", ours[0]), ours[1]])
    with pytest.raises(ValueError, match="either every parameter group has names, or none"):
        a.add_param_group({"params": [Tensor(np.zeros(2), True)]})


def test_training_through_the_engine_meets_the_closed_form():
    rng = np.random.default_rng(6)
    x, y = rng.standard_normal((40, 3)), rng.standard_normal((40, 1))
    w = Tensor(np.zeros((3, 1)), True)
    optimizer = optim.SGD([w], lr=0.1, momentum=0.9)
    for _ in range(300):
        optimizer.zero_grad()
        framework.square(Tensor(x) @ w - Tensor(y)).mean().backward()
        optimizer.step()
    np.testing.assert_allclose(w.array, np.linalg.lstsq(x, y)[0], atol=1e-8)


def test_a_copied_optimizer_goes_on_alone():
    w = Tensor(np.ones(3), True)
    w.grad = Tensor(np.ones(3))
    optimizer = optim.Adam([w], lr=0.1)
    optimizer.step()
    copied = copy.deepcopy({"w": w, "optimizer": optimizer})
    copied["optimizer"].step()
    assert copied["w"].tolist() != w.tolist() and optimizer.state[w]["step"].item() == 1
    optimizer.step()
    assert copied["w"].tolist() == w.tolist()


@pytest.mark.parametrize("number_of_threads", [1, 2])
@pytest.mark.parametrize("options", [{}, dict(amsgrad=True, weight_decay=0.2), dict(maximize=True)])
def test_adam_follows_pytorch_whatever_becomes_of_its_parameters_and_state(options, number_of_threads, monkeypatch):
    """Its buffers over many parameters are made anew when they are no longer what the parameters and the states hold."""
    monkeypatch.setattr(threads, "SHARE", 8)
    monkeypatch.setattr(bundle, "BLOCK_BYTES", 100)  # twelve numbers: parameters are cut, and several are in a block
    rng = np.random.default_rng(10)
    ours, theirs = twins(rng, [(5, 4), (3,), (), (0, 2), (2, 3, 3), (4,), (3, 2)])
    groups = lambda params: [{"params": params[:4]}, {"params": params[4:6], "lr": 0.02}]
    a, b = optim.AdamW(groups(ours), **options), torch.optim.AdamW(groups(theirs), **options)

    def steps(missing=()):
        for _ in range(2):
            give_gradients(rng, ours, theirs, missing)
            a.step()
            b.step()
        assert_equal(ours, theirs)
        assert_same_state(a, b)

    framework.set_num_threads(number_of_threads)
    try:
        steps()
        kept = a.state[ours[0]]["exp_avg"]
        steps(missing=(1, 4))
        steps(missing=(0, 1, 2, 3))
        steps()
        assert a.state[ours[0]]["exp_avg"] is kept
        a.load_state_dict(copy.deepcopy(a.state_dict()))
        steps()
        a.state[ours[4]]["exp_avg"] = Tensor(np.ones((2, 3, 3)))
        b.state[theirs[4]]["exp_avg"] = torch.ones(2, 3, 3, dtype=torch.float64)
        a.state[ours[0]]["exp_avg_sq"].zero_()
        b.state[theirs[0]]["exp_avg_sq"].zero_()
        steps()
        ours[0].data, theirs[0].data = Tensor(np.ones((5, 4))), torch.ones(5, 4, dtype=torch.float64)
        steps()
        a.add_param_group({"params": ours[6:], "maximize": True})
        b.add_param_group({"params": theirs[6:], "maximize": True})
        steps()
        framework.set_num_threads(3 - number_of_threads)
        steps()
        entries = a.state_dict()["state"]
        steps()
        assert entries[4]["exp_avg"].array is a.state[ours[4]]["exp_avg"].array
    finally:
        framework.set_num_threads(1)


def test_a_pickled_optimizer_goes_on_as_the_first():
    rng = np.random.default_rng(11)
    weights = [Tensor(rng.standard_normal(shape), True) for shape in [(3, 4), (5,)]]
    optimizer = optim.Adam(weights, lr=0.1)
    for w in weights:
        w.grad = Tensor(rng.standard_normal(w.shape))
    optimizer.step()
    others, other = pickle.loads(pickle.dumps((weights, optimizer)))
    for _ in range(3):
        optimizer.step()
        other.step()
    for w, v in zip(weights, others, strict=True):
        assert (w.array == v.array).all()
        assert (optimizer.state[w]["exp_avg"].array == other.state[v]["exp_avg"].array).all()


def test_a_gradient_that_does_not_fit_is_refused():
    for gradient in (np.ones((1, 3)), np.ones((2, 3), np.float32)):
        w = Tensor(gradient.copy(), True)
        optimizer = optim.SGD([w], lr=0.1)
        w.grad = Tensor(gradient)
        w.data = Tensor(np.ones((2, 3)))  # since then the parameter has become another
        with pytest.raises(
            ValueError, match=r"a parameter of float64 \(2, 3\) has a gradient of float(64 \(1, 3\)|32 \(2, 3\))"
        ):
            optimizer.step()


def test_step_calls_the_closure_once_with_gradients_recorded():
    w = Tensor(np.array([2.0]), True)
    optimizer = optim.SGD([w], lr=0.25)
    calls = []

    def closure():
        optimizer.zero_grad()
        loss = framework.square(w)
        loss.backward()
        calls.append(framework.is_grad_enabled())
        return loss

    with framework.no_grad():
        loss = optimizer.step(closure)
    assert loss.item() == 4.0 and calls == [True] and w.item() == 1.0
    assert optimizer.step() is None


def test_zero_grad():
    w = Tensor(np.ones(3), True)
    optimizer = optim.SGD([w])
    optimizer.zero_grad(set_to_none=False)
    assert w.grad is None
    w.grad = gradient = Tensor(np.ones(3))
    optimizer.zero_grad(set_to_none=False)
    assert (gradient.array == 0).all() and (w.grad.array == 0).all()
    optimizer.zero_grad()
    assert w.grad is None


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad"])
def test_a_step_writes_in_place_and_leaves_the_gradient_alone(name):
    w = Tensor(np.arange(6.0).reshape(2, 3), True)
    alias, array, gradient = w.array[1:], w.array, np.ones((2, 3))
    w.grad = Tensor(gradient)
    version = w._version
    getattr(optim, name)([w], lr=0.1, weight_decay=0.3, maximize=True).step()
    assert w.array is array and not (alias == [[3.0, 4.0, 5.0]]).any()
    assert (gradient == 1).all()
    assert w._version == version + 1


def test_backward_refuses_parameters_that_a_step_has_changed_meanwhile():
    w = Tensor(np.array([3.0]), True)
    loss = w * w
    w.grad = Tensor(np.ones(1))
    optim.SGD([w], lr=0.1).step()
    with pytest.raises(RuntimeError, match="changed in place"):
        loss.backward()


def _peak_of_a_second_step(name, options, params):
    for param in params:
        param.grad = Tensor(np.ones_like(param.array))
    optimizer = getattr(optim, name)(params, **options)
    optimizer.step()
    tracemalloc.start()
    try:
        optimizer.step()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("name", "options"), [("Adam", dict(amsgrad=True, weight_decay=0.1)), ("AdamW", dict(maximize=True))]
)
def test_a_step_of_a_bundle_allocates_no_arrays(name, options):
    """After the first step, beside small objects only NumPy's own buffer of 64 KB for mixed layouts: no array of a parameter's 1.2 MB, no block."""
    params = [Tensor(np.ones(size, np.float32), True) for size in [(600, 500), (500, 600), (17,)]]
    params[1].array = params[1].array.T  # not contiguous in C's order
    assert _peak_of_a_second_step(name, options, params) < 100_000


@pytest.mark.parametrize(
    ("name", "options", "blocks"),
    [
        ("SGD", dict(), 1),
        ("SGD", dict(momentum=0.9, dampening=0.1, weight_decay=0.1, maximize=True), 3),
        ("SGD", dict(momentum=0.9, nesterov=True, weight_decay=0.1), 3),
        ("RMSprop", dict(momentum=0.9, centered=True, weight_decay=0.1), 4),
        ("Adagrad", dict(weight_decay=0.1), 4),
    ],
)
def test_a_step_needs_no_more_memory_than_some_blocks(name, options, blocks):
    params = [Tensor(np.ones(size, np.float32), True) for size in [(2400, 500), (17,)]]  # nine blocks
    assert _peak_of_a_second_step(name, options, params) < blocks * BLOCK_BYTES + 20_000


# --- arrays of another kind -------------------------------------------------------------------------------------------


def _strange_module():
    """A stand-in for CuPy: arrays that no NumPy function accepts, and a module of functions for them."""
    module = types.ModuleType("strange_arrays")

    def unwrap(value):
        assert not isinstance(value, np.ndarray), "a NumPy array met one of another kind"
        return value.data if isinstance(value, Array) else value

    class Array:
        __module__ = "strange_arrays"
        __array_ufunc__ = None

        def __init__(self, data):
            self.data = data

        shape = property(lambda self: self.data.shape)
        dtype = property(lambda self: self.data.dtype)
        size = property(lambda self: self.data.size)
        itemsize = property(lambda self: self.data.itemsize)
        ndim = property(lambda self: self.data.ndim)

        def reshape(self, *shape):
            return Array(self.data.reshape(*shape))

        def __getitem__(self, index):
            return Array(self.data[index])

        def __setitem__(self, index, value):
            self.data[index] = unwrap(value)

        def __neg__(self):
            return Array(-self.data)

        def __add__(self, other):
            return Array(self.data + unwrap(other))

        def __sub__(self, other):
            return Array(self.data - unwrap(other))

        def __mul__(self, other):
            return Array(self.data * unwrap(other))

        __rmul__ = __mul__

        def __truediv__(self, other):
            return Array(self.data / unwrap(other))

        def __imul__(self, other):
            self.data *= unwrap(other)
            return self

        def __iadd__(self, other):
            self.data += unwrap(other)
            return self

        def __isub__(self, other):
            self.data -= unwrap(other)
            return self

    def wrap(function):
        def wrapped(*args, out=None):
            result = function(*map(unwrap, args), **({} if out is None else {"out": out.data}))
            return Array(result) if out is None else out

        return wrapped

    for name in (
        "multiply",
        "add",
        "subtract",
        "divide",
        "square",
        "sqrt",
        "negative",
        "maximum",
        "absolute",
        "zeros_like",
        "empty_like",
    ):
        setattr(module, name, wrap(getattr(np, name)))
    module.full_like = wrap(np.full_like)
    module.empty = lambda size, dtype: Array(np.empty(size, dtype))
    module.Array = Array
    return module


@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=IDS)
def test_arrays_of_another_kind(name, options, monkeypatch):
    module = _strange_module()
    monkeypatch.setitem(sys.modules, "strange_arrays", module)
    rng = np.random.default_rng(7)
    values = rng.standard_normal((3, 4))
    plain, strange = Tensor(values.copy(), True), Tensor(module.Array(values.copy()), True)
    x, y = (getattr(optim, name)([param], **options) for param in (plain, strange))
    for _ in range(3):
        g = rng.standard_normal((3, 4))
        plain.grad, strange.grad = Tensor(g), Tensor(module.Array(g.copy()))
        x.step()
        y.step()
    assert (strange.array.data == plain.array).all()


# --- what is refused --------------------------------------------------------------------------------------------------


def leaf():
    return Tensor(np.zeros(3), True)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad"])
def test_options_that_change_nothing_are_accepted_and_others_refused_by_name(name):
    cls = getattr(optim, name)
    options = ["foreach", "differentiable"]
    options += ["fused"] if name != "RMSprop" else []
    options += ["capturable"] if name not in ("SGD", "Adagrad") else []
    for option in options:
        cls([leaf()], **{option: False})
        with pytest.raises(NotImplementedError, match=f"{name}: {option}=True is not supported"):
            cls([leaf()], **{option: True})
        with pytest.raises(NotImplementedError, match=option):
            cls([{"params": [leaf()], option: True}])


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("SGD", dict(lr=-1), "SGD: lr must be a number of at least 0, got -1"),
        ("SGD", dict(lr=float("nan")), "lr must be"),
        ("SGD", dict(lr="0.1"), "lr must be"),
        ("SGD", dict(lr=Tensor(np.ones(1))), "lr must be a number"),
        ("SGD", dict(momentum=-1), "momentum"),
        ("SGD", dict(weight_decay=-1), "weight_decay"),
        ("SGD", dict(nesterov=True), "nesterov needs a momentum"),
        ("SGD", dict(nesterov=True, momentum=0.9, dampening=0.1), "no dampening"),
        ("Adam", dict(betas=(1.0, 0.9)), r"betas must be two numbers in \[0, 1\)"),
        ("Adam", dict(betas=(0.9, -0.1)), "betas"),
        ("Adam", dict(betas=(0.9,)), "betas"),
        ("AdamW", dict(eps=-1), "AdamW: eps"),
        ("RMSprop", dict(alpha=-1), "alpha"),
        ("Adagrad", dict(lr_decay=-1), "lr_decay"),
        ("Adagrad", dict(initial_accumulator_value=-1), "initial_accumulator_value"),
    ],
)
def test_options_out_of_range(name, options, message):
    with pytest.raises(ValueError, match=message):
        getattr(optim, name)([leaf()], **options)
    with pytest.raises(ValueError, match=message):
        getattr(optim, name)([{"params": [leaf()], **options}])


def test_parameters_that_cannot_be_optimized():
    w = leaf()
    with pytest.raises(TypeError, match="single Tensor"):
        optim.SGD(w)
    with pytest.raises(ValueError, match="empty"):
        optim.SGD([])
    with pytest.raises(TypeError, match="parameter 1 is a ndarray, not a Tensor"):
        optim.SGD([w, np.zeros(3)])
    with pytest.raises(TypeError, match="order differs from run to run"):
        optim.SGD([{"params": {w}}])
    with pytest.raises(ValueError, match=r"parameter 1, shape \(3,\), is given twice"):
        optim.SGD([w, w])
    with pytest.raises(ValueError, match="given twice"):
        optim.SGD([{"params": [w]}, {"params": [w]}])
    with pytest.raises(ValueError, match="only a leaf can be optimized"):
        optim.SGD([w * 2])
    with pytest.raises(TypeError, match="a parameter group is a dict, got list"):
        optim.SGD([w]).add_param_group([w])


def test_load_state_dict_refuses_what_does_not_fit_and_changes_nothing():
    def stepped(shapes, **options):
        params = [Tensor(np.ones(shape), True) for shape in shapes]
        for param in params:
            param.grad = Tensor(np.ones(param.shape))
        optimizer = optim.Adam(params, **options)
        optimizer.step()
        return optimizer

    optimizer = stepped([(2,), (3,)], lr=0.5)
    with pytest.raises(ValueError, match=r"the saved groups have \[1\] parameters, the optimizer's \[2\]"):
        optimizer.load_state_dict(stepped([(2,)]).state_dict())
    with pytest.raises(ValueError, match=r"saved exp_avg of parameter 1 has shape \(4,\), the parameter \(3,\)"):
        optimizer.load_state_dict(stepped([(2,), (4,)]).state_dict())
    foreign = optimizer.state_dict()
    foreign["state"] = {0: {"step": 1, "exp_avg": torch.ones(2)}}
    with pytest.raises(TypeError, match="saved exp_avg of parameter 0 is a Tensor, neither a Tensor nor an array"):
        optimizer.load_state_dict(foreign)
    assert optimizer.param_groups[0]["lr"] == 0.5
    assert len(optimizer.state) == 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_loaded_state_is_a_copy_in_the_parameters_dtype(dtype):
    def build(dtype):
        w = Tensor(np.ones(3, dtype), True)
        w.grad = Tensor(np.ones(3, dtype))
        return w, optim.Adam([w], lr=0.1)

    _, source = build(np.float64)
    source.step()
    w, target = build(dtype)
    target.load_state_dict(source.state_dict())
    state = target.state[w]
    assert state["exp_avg"].dtype == dtype and state["step"].dtype == np.float32 and state["step"].item() == 1
    before = source.state_dict()["state"][0]["exp_avg"].array.copy()
    target.step()
    assert (source.state_dict()["state"][0]["exp_avg"].array == before).all()
    assert source.state_dict()["state"][0]["step"].item() == 1


def test_a_new_rule_is_one_method():
    class SignSGD(optim.Optimizer):
        def __init__(self, params, lr):
            super().__init__(params, dict(lr=lr))

        def update(self, param, grad, state, group):
            param -= group["lr"] * np.sign(grad)

    w = Tensor(np.zeros(3), True)
    w.grad = Tensor(np.array([2.0, -0.1, 0.0]))
    SignSGD([w], lr=0.5).step()
    assert w.array.tolist() == [-0.5, 0.5, 0.0]
    with pytest.raises(NotImplementedError, match="define update"):
        optim.Optimizer([w], {}).step()


def test_names_that_are_missing_say_what_is_near():
    with pytest.raises(AttributeError, match=r"torch.optim has no 'Rprop': the engine does not have it; near: RMSprop"):
        _ = optim.Rprop
    with pytest.raises(AttributeError, match=r"torch.optim.lr_scheduler has no 'MultiplicativeLR'"):
        _ = optim.lr_scheduler.MultiplicativeLR


@pytest.mark.parametrize(
    "options",
    [{}, dict(lr=0.1, nesterov=False, weight_decay=0), dict(lr=0.1, adjust_lr_fn="match_rms_adamw", ns_steps=3)],
)
@pytest.mark.parametrize("shape", [(4, 6), (6, 3)])
def test_muon_follows_pytorch_to_bfloat16s_precision(options, shape):
    """PyTorch orthogonalises in bfloat16, of 8 bits; everything else is the same."""
    rng = np.random.default_rng(8)
    ours, theirs = twins(rng, [shape])
    a, b = optim.Muon(ours, **options), torch.optim.Muon(theirs, **options)
    for _ in range(5):
        before = ours[0].array.copy()
        give_gradients(rng, ours, theirs)
        a.step()
        b.step()
        step = np.abs(ours[0].array - before).max()
        np.testing.assert_allclose(ours[0].array, theirs[0].detach().numpy(), atol=0.05 * step)
        with torch.no_grad():
            theirs[0].copy_(torch.from_numpy(ours[0].array))
        np.testing.assert_allclose(
            a.state[ours[0]]["momentum_buffer"].array, b.state[theirs[0]]["momentum_buffer"].numpy(), atol=1e-12
        )
    assert a.param_groups[0].keys() == b.param_groups[0].keys()
    with pytest.raises(ValueError, match="only matrices"):
        optim.Muon([Tensor(np.ones(3), True)])


WOLFE = dict(line_search_fn="strong_wolfe")
FIXED_LENGTH = [
    {},
    dict(lr=0.1, max_iter=7),
    dict(history_size=2),
    dict(lr=0.5, max_eval=5),
    dict(max_iter=4, maximize=True),
]
SEARCHED = [
    WOLFE,
    dict(lr=1e-3, max_iter=6, **WOLFE),  # the first length is far too short
    dict(lr=30.0, history_size=3, **WOLFE),  # or far too long
    dict(max_eval=4, **WOLFE),
    dict(lr=50.0, max_eval=1, **WOLFE),
    dict(max_iter=5, maximize=True, **WOLFE),
]


@pytest.mark.parametrize(
    ("function", "options"),
    [("polynomial", options) for options in FIXED_LENGTH + SEARCHED]
    + [("rosenbrock", options) for options in SEARCHED],
)
def test_lbfgs_equals_pytorch(function, options):
    rng = np.random.default_rng(9)
    ours, theirs = twins(rng, [(3,), (2, 2)])
    a, b = optim.LBFGS(ours, **options), torch.optim.LBFGS(theirs, **options)
    sign = -1.0 if options.get("maximize") else 1.0

    def closure(optimizer, x, y):
        def run():
            optimizer.zero_grad()
            if function == "polynomial":
                loss = ((x * x - 1.0) ** 2).sum() + ((y @ y - 2.0) ** 2).sum() + (x.sum() * y.sum()) ** 2 * 0.1
            else:
                loss = 100.0 * ((x[1:] - x[:-1] ** 2) ** 2).sum() + ((1.0 - x) ** 2).sum() + (y.sum() - x[0]) ** 2
            (sign * loss).backward()
            return sign * loss

        return run

    for step in range(6):
        mine, other = a.step(closure(a, *ours)), b.step(closure(b, *theirs))
        bound = 1e-6 if function == "polynomial" else 1e-4  # in a long narrow valley, rounding grows
        assert mine.item() == pytest.approx(other.item(), rel=bound, abs=1e-12)
        assert_equal(ours, theirs, bound)
        saved, expected = (plain(optimizer.state_dict()["state"]) for optimizer in (a, b))
        assert saved[0].keys() == expected[0].keys() and len(saved) == 1
        assert saved[0]["func_evals"] == expected[0]["func_evals"] and saved[0]["n_iter"] == expected[0]["n_iter"]
        if step == 0:
            assert {key: np.shape(value) for key, value in saved[0].items()} == {
                key: np.shape(value) for key, value in expected[0].items()
            }
        if step == 2:  # each goes on from the other's state
            groups = [optimizer.state_dict()["param_groups"] for optimizer in (a, b)]
            a, b = optim.LBFGS(ours), torch.optim.LBFGS(theirs)
            a.load_state_dict({"state": expected, "param_groups": groups[1]})
            b.load_state_dict({"state": tensors(saved), "param_groups": groups[0]})
    assert a.param_groups[0].keys() == b.param_groups[0].keys()


def plain(state):
    """The state with arrays in the place of either library's tensors."""
    if isinstance(state, dict):
        return {key: plain(value) for key, value in state.items()}
    if isinstance(state, list):
        return [plain(value) for value in state]
    return np.array(state.numpy()) if isinstance(state, (Tensor, torch.Tensor)) else state


def tensors(state):
    """The state with PyTorch's tensors in the place of arrays."""
    if isinstance(state, dict):
        return {key: tensors(value) for key, value in state.items()}
    if isinstance(state, list):
        return [tensors(value) for value in state]
    return torch.from_numpy(state) if isinstance(state, np.ndarray) else state


@pytest.mark.parametrize("seed", range(100))
def test_the_line_search_goes_where_pytorchs_goes(seed):
    """On hilly lines, where brackets shrink, get stuck at an edge, or end for want of evaluations."""
    rng = np.random.default_rng(seed)
    heights, rates, phases = rng.standard_normal(4), rng.uniform(0, 8, 4), rng.uniform(0, 6, 4)
    length, most, tried = rng.choice([0.01, 1.0, 20.0]), int(rng.integers(0, 12)), []

    def line(t):
        tried.append(t.item())
        loss = heights @ np.sin(rates * tried[-1] + phases) + 0.05 * tried[-1] ** 2
        return loss.item(), np.array([heights @ (rates * np.cos(rates * tried[-1] + phases)) + 0.1 * tried[-1]])

    def point(t):
        return lbfgs.Point(t, *line(t * direction), line(t * direction)[1] @ direction)

    direction = -np.sign(line(np.zeros(1))[1])
    start = point(0.0)
    tried.clear()
    found, ours = lbfgs.strong_wolfe(point, start, length, 1e-9, most), tried[::2]
    tried.clear()
    d, g = torch.from_numpy(direction), torch.from_numpy(start.gradient)
    objective = lambda x, t, d: (line(t * d)[0], torch.from_numpy(line(t * d)[1]))
    loss, _, t, _ = _strong_wolfe(objective, None, length, d, start.loss, g, g.dot(d), max_ls=most)
    np.testing.assert_allclose(ours, tried[::2], rtol=1e-6)
    assert found.loss == pytest.approx(loss, rel=1e-9) and float(found.length) == pytest.approx(float(t))


def test_lbfgs_refuses_another_line_search_and_several_groups():
    with pytest.raises(RuntimeError, match="line_search_fn must be \"strong_wolfe\" or None, got 'armijo'"):
        optim.LBFGS([leaf()], line_search_fn="armijo")
    with pytest.raises(ValueError, match="all parameters must be in one group"):
        optim.LBFGS([{"params": [leaf()]}, {"params": [leaf()]}])
