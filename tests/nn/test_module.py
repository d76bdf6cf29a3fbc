"""Module against PyTorch's: attributes, names, walking, conversions, hooks, copies, and what loading refuses."""

import copy
import pathlib
import pickle

import numpy as np
import pytest
import torch

import framework
from framework import nn

ENGINES = (framework, torch)


def net(T):
    """Nested, with buffers of both kinds, a shared parameter, and a name without a value."""

    class Inner(T.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = T.nn.Parameter(T.ones(2, 2))
            self.register_parameter("bias", None)
            self.register_buffer("mean", T.zeros(2))
            self.register_buffer("cache", T.zeros(3), persistent=False)
            self.register_buffer("nothing", None)

        def forward(self, x):
            return x @ self.weight + self.mean

        def extra_repr(self):
            return "two\nlines"

    class Net(T.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = Inner()
            self.layers = T.nn.ModuleList([T.nn.Linear(2, 2), T.nn.Linear(2, 2), T.nn.ReLU(), Inner()])
            self.layers[1].weight = self.layers[0].weight
            self.scale = T.nn.Parameter(T.ones(()))
            self.again = self.first
            self.none = None

        def forward(self, x):
            x = self.first(x)
            for layer in self.layers:
                x = layer(x)
            return self.again(x) * self.scale

    return Net()


def shown(values):
    return [(name, tuple(value.shape)) for name, value in values]


# --- attributes -------------------------------------------------------------------------------------------------------


def test_names_come_in_pytorchs_order():
    ours, theirs = net(framework), net(torch)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert shown(ours.named_parameters()) == shown(theirs.named_parameters())
    assert shown(ours.named_parameters(recurse=False)) == shown(theirs.named_parameters(recurse=False))
    assert shown(ours.named_parameters("net", remove_duplicate=False)) == shown(
        theirs.named_parameters("net", remove_duplicate=False)
    )
    assert shown(ours.named_buffers()) == shown(theirs.named_buffers())
    assert [name for name, _ in ours.named_modules()] == [name for name, _ in theirs.named_modules()]
    assert [name for name, _ in ours.named_modules(remove_duplicate=False)] == [
        name for name, _ in theirs.named_modules(remove_duplicate=False)
    ]
    assert [name for name, _ in ours.named_children()] == [name for name, _ in theirs.named_children()]
    assert repr(ours) == repr(theirs)
    for T_net in (ours, theirs):
        assert {"first", "layers", "scale", "forward", "training"} <= set(dir(T_net))


@pytest.mark.parametrize("T", ENGINES)
def test_an_attribute_can_change_its_kind_but_a_parameter_stays_one(T):
    layer = T.nn.Linear(2, 2)
    with pytest.raises(TypeError, match="bias"):
        layer.bias = T.zeros(2)
    layer.bias = None
    assert list(layer.state_dict()) == ["weight"] and layer.bias is None
    layer.bias = T.nn.Parameter(T.zeros(2))
    assert list(layer.state_dict()) == ["weight", "bias"]
    layer.weight = T.nn.Parameter(T.zeros(2, 2))
    assert list(layer.state_dict()) == ["weight", "bias"], "a parameter that is replaced keeps its place"
    layer.extra = 3
    layer.extra = T.nn.Parameter(T.zeros(1))
    assert "extra" in layer.state_dict() and "extra" not in vars(layer)
    with pytest.raises(TypeError, match="extra"):
        layer.extra = T.nn.Identity()
    del layer.extra
    layer.extra = T.nn.Identity()
    assert "extra" in dict(layer.named_modules())
    with pytest.raises(TypeError, match="extra"):
        layer.extra = 3
    del layer.extra
    assert not hasattr(layer, "extra")
    layer.register_buffer("count", T.zeros(1), persistent=False)
    layer.count = T.ones(4)
    assert "count" not in layer.state_dict() and dict(layer.named_buffers())["count"].shape == (4,)
    with pytest.raises(TypeError, match="count"):
        layer.count = "many"
    with pytest.raises(AttributeError, match="has no attribute 'wieght'"):
        layer.wieght  # noqa: B018


@pytest.mark.parametrize("T", ENGINES)
def test_what_cannot_be_registered(T):
    layer = T.nn.Module()
    layer.taken = 1
    for register, value in (
        (layer.register_buffer, T.zeros(1)),
        (layer.register_parameter, T.nn.Parameter(T.zeros(1))),
        (layer.add_module, T.nn.ReLU()),
    ):
        for name in ("a.b", "", "taken"):
            with pytest.raises(KeyError):
                register(name, value)
    with pytest.raises(TypeError):
        layer.register_parameter("p", T.zeros(1))
    with pytest.raises(TypeError):
        layer.register_buffer("b", 3)
    with pytest.raises(TypeError):
        layer.add_module("m", 3)

    class Forgetful(T.nn.Module):
        def __init__(self):
            self.layer = T.nn.Linear(1, 1)

    with pytest.raises(AttributeError, match=r"Module.__init__\(\)"):
        Forgetful()
    with pytest.raises(NotImplementedError, match="forward"):
        T.nn.Module()(1)


def test_a_non_leaf_is_no_parameter():
    weight = nn.Parameter(framework.ones(2))
    with pytest.raises(TypeError, match="expected a Tensor, got list"):
        nn.Parameter([1.0])
    with pytest.raises(RuntimeError, match="only floating-point"):
        nn.Parameter(framework.tensor([1, 2]))
    assert not nn.Parameter(framework.tensor([1, 2]), requires_grad=False).requires_grad
    assert (weight * 2).__class__ is framework.Tensor
    assert repr(weight) == "Parameter containing:\ntensor([1., 1.], requires_grad=True)"


@pytest.mark.parametrize("T", ENGINES)
def test_dotted_names(T):
    model = net(T)
    assert model.get_submodule("") is model
    assert model.get_submodule("layers.0") is model.layers[0]
    assert model.get_parameter("layers.1.weight") is model.layers[0].weight
    assert model.get_buffer("first.mean") is model.first.mean
    for get, name in (
        (model.get_submodule, "layers.9"),
        (model.get_submodule, "layers.0.weight"),
        (model.get_parameter, "first.mean"),
        (model.get_buffer, "x"),
    ):
        with pytest.raises(AttributeError):
            get(name)
    model.set_submodule("layers.2", T.nn.Tanh())
    assert isinstance(model.layers[2], T.nn.Tanh)


# --- everywhere -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("T", ENGINES)
def test_train_apply_requires_grad(T):
    model, seen = net(T), []
    assert model.apply(lambda module: seen.append(type(module).__name__)) is model
    assert seen == ["Inner", "Linear", "Linear", "ReLU", "Inner", "ModuleList", "Net"]
    assert not model.eval().layers[3].training and model.train().layers[3].training
    with pytest.raises(ValueError):
        model.train("yes")
    model.requires_grad_(False)
    assert not any(param.requires_grad for param in model.parameters())
    model.requires_grad_()
    model(T.ones(1, 2)).sum().backward()
    model.zero_grad(set_to_none=False)
    assert all(param.grad is not None and float(param.grad.sum()) == 0 for param in model.parameters())
    model.zero_grad()
    assert all(param.grad is None for param in model.parameters())


@pytest.mark.parametrize("T", ENGINES)
def test_conversions_keep_the_parameters_and_convert_gradients(T):
    model = T.nn.Sequential(T.nn.Linear(2, 3), T.nn.BatchNorm1d(3))
    before = list(model.parameters())
    model(T.ones(4, 2)).sum().backward()
    for convert, dtype in (
        (lambda: model.double(), T.float64), (lambda: model.float(), T.float32), (lambda: model.half(), T.float16),
        (lambda: model.to(T.float64), T.float64), (lambda: model.to("cpu", T.float32), T.float32), (lambda: model.to(T.ones(1).double()), T.float64),
        (lambda: model.to(dtype=T.float32), T.float32), (lambda: model.to(T.device("cpu")), T.float32), (lambda: model.cpu(), T.float32),
        (lambda: model.type(T.float64), T.float64),
    ):  # fmt: skip
        assert convert() is model
        assert all(a is b for a, b in zip(model.parameters(), before, strict=True))
        assert {param.dtype for param in before} == {param.grad.dtype for param in before} == {dtype}
        assert model[1].running_mean.dtype == dtype
    assert (
        model[1].num_batches_tracked.dtype == T.float64
    )  # type() converts every buffer, the others only floating-point ones
    with pytest.raises(TypeError):
        model.to(T.int64)


def test_to_refuses_by_name():
    with pytest.raises(NotImplementedError, match="memory_format"):
        nn.Linear(1, 1).to(memory_format="channels_last")
    with pytest.raises(NotImplementedError, match="bfloat16"):
        nn.Linear(1, 1).bfloat16()
    with pytest.raises(TypeError, match="expected a device"):
        nn.Linear(1, 1).to(3.5)


@pytest.mark.parametrize("how", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_are_whole_and_apart(how):
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))
    model[2].weight = nn.Parameter(framework.randn(2, 3))
    model.tied = model[0].weight
    model(framework.randn(4, 2)).sum().backward()
    copied = how(model)
    assert repr(copied) == repr(model) and copied[0].weight is copied.tied
    assert copied[0].weight.grad is None, "as in PyTorch, a copy has the values and not the gradients"
    assert isinstance(copied[0].weight, nn.Parameter) and copied[0].weight.requires_grad
    with framework.no_grad():
        copied[0].weight.zero_()
        copied[1].running_mean.zero_()
    assert model[0].weight.abs().sum().item() > 0 and model[1].running_mean.abs().sum().item() > 0


# --- state ------------------------------------------------------------------------------------------------------------


def test_loading_lists_everything_that_is_wrong_and_loads_nothing():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    before = {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}
    state = {name: framework.zeros(tensor.shape) for name, tensor in model.state_dict().items()}
    del state["0.bias"]
    state["1.weight"] = framework.zeros(1, 4)
    state["1.gamma"] = state["2.weight"] = framework.zeros(1)
    state["1.bias"] = "text"
    with pytest.raises(RuntimeError) as error:
        model.load_state_dict(state)
    lines = [line.strip() for line in str(error.value).splitlines()]
    assert lines == [
        "load_state_dict: the state does not fit Sequential:",
        "1.weight: shape (1, 4) does not fit (1, 3)",
        "1.bias: expected a Tensor or an array, got str",
        "missing: 0.bias",
        "unexpected: 2.weight, 1.gamma",
    ]
    for name, tensor in model.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), before[name])
    with pytest.raises(RuntimeError, match="does not fit"):
        model.load_state_dict(state, strict=False)  # a shape that differs is an error even then
    with pytest.raises(TypeError, match="expected a dict"):
        model.load_state_dict([1])


@pytest.mark.parametrize("T", ENGINES)
def test_loading_not_strictly(T):
    model = T.nn.Linear(2, 2)
    keys = model.load_state_dict({"weight": T.ones(2, 2), "other": T.ones(1)}, strict=False)
    assert keys == (["bias"], ["other"]) and keys.missing_keys == ["bias"] and keys.unexpected_keys == ["other"]
    assert float(model.weight.sum()) == 4


@pytest.mark.parametrize("T", ENGINES)
def test_loading_copies_and_assign_replaces(T):
    model, values = T.nn.Linear(2, 2), {"weight": T.ones(2, 2).double(), "bias": T.ones(2).double()}
    weight = model.weight
    model.load_state_dict(values)
    assert model.weight is weight and weight.dtype == T.float32
    values["weight"][0, 0] = 5
    assert float(weight[0, 0]) == 1
    model.requires_grad_(False)
    model.load_state_dict(values, assign=True)
    assert (
        model.weight.dtype == T.float64 and isinstance(model.weight, T.nn.Parameter) and not model.weight.requires_grad
    )
    values["weight"][0, 0] = 7
    assert float(model.weight[0, 0]) == 7


def test_arrays_of_others_load():
    model = nn.Linear(2, 2)
    model.load_state_dict({"weight": np.full((2, 2), 3.0), "bias": torch.ones(2, requires_grad=True)})
    assert model.weight.sum().item() == 12 and model.bias.sum().item() == 2 and model.weight.dtype == framework.float32


@pytest.mark.parametrize("T", ENGINES)
def test_state_shares_memory_and_keep_vars_keeps_the_graph(T):
    model = T.nn.Linear(2, 2)
    state = model.state_dict()
    with T.no_grad():
        model.weight.zero_()
    assert float(state["weight"].abs().sum()) == 0 and not state["weight"].requires_grad
    assert model.state_dict(keep_vars=True)["weight"] is model.weight
    assert list(model.state_dict(prefix="layer.")) == ["layer.weight", "layer.bias"]


@pytest.mark.parametrize("T", ENGINES)
def test_state_hooks_and_extra_state(T):
    calls = []

    class Layer(T.nn.Linear):
        def get_extra_state(self):
            return {"epoch": 3}

        def set_extra_state(self, state):
            calls.append(state)

    layer = Layer(1, 1)

    def renamed(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs):
        assert module is layer
        state_dict[prefix + "weight"] = state_dict.pop(prefix + "old_weight")

    def added(module, state_dict, prefix, local_metadata):
        state_dict[prefix + "old_weight"] = state_dict.pop(prefix + "weight")

    layer.register_load_state_dict_pre_hook(renamed)
    layer.register_load_state_dict_post_hook(lambda module, keys: calls.append(keys))
    layer.register_state_dict_post_hook(added)
    layer.register_state_dict_pre_hook(lambda module, prefix, keep_vars: calls.append(prefix))
    model = T.nn.Sequential(layer)
    state = model.state_dict()
    assert sorted(state) == ["0._extra_state", "0.bias", "0.old_weight"]
    model.load_state_dict(state)
    assert calls == ["0.", {"epoch": 3}, ([], [])]


@pytest.mark.parametrize("T", ENGINES)
def test_a_module_can_load_in_its_own_way(T):
    """As models do that rename what old checkpoints hold."""

    class Renamed(T.nn.Linear):
        def _load_from_state_dict(self, state_dict, prefix, *args):
            state_dict[prefix + "weight"] = state_dict.pop(prefix + "kernel")
            super()._load_from_state_dict(state_dict, prefix, *args)

    model = T.nn.Sequential(Renamed(2, 2))
    model.load_state_dict({"0.kernel": T.ones(2, 2), "0.bias": T.zeros(2)})
    assert float(model[0].weight.sum()) == 4


def test_an_old_batch_norm_state_has_no_count():
    model = nn.BatchNorm1d(2)
    state = {name: tensor for name, tensor in nn.BatchNorm1d(2).state_dict().items() if "num" not in name}
    assert model.load_state_dict(state).missing_keys == []


# --- hooks ------------------------------------------------------------------------------------------------------------


def hooked(T):
    """What hooks see and change, as numbers."""
    log = []
    model = T.nn.Sequential(T.nn.Linear(2, 2).double(), T.nn.Tanh())
    model.load_state_dict(
        {"0.weight": T.tensor([[1.0, 2.0], [3.0, -1.0]]).double(), "0.bias": T.tensor([0.5, 0.0]).double()}
    )
    linear, tanh = model
    note = lambda name, *values: log.append((name, [None if v is None else v.tolist() for v in values]))
    handles = [
        linear.register_forward_pre_hook(lambda m, args: note("pre", *args)),
        linear.register_forward_pre_hook(lambda m, args: (args[0] * 2,)),
        linear.register_forward_pre_hook(lambda m, args, kwargs: note("first", *args), with_kwargs=True, prepend=True),
        linear.register_forward_hook(lambda m, args, output: note("after", *args, output)),
        linear.register_forward_hook(lambda m, args, kwargs, output: output + 1, with_kwargs=True),
        tanh.register_full_backward_pre_hook(lambda m, grad_output: note("backward pre", *grad_output)),
        tanh.register_full_backward_pre_hook(lambda m, grad_output: (grad_output[0] * 3,)),
        tanh.register_full_backward_hook(
            lambda m, grad_input, grad_output: note("backward", *grad_input, *grad_output)
        ),
        linear.register_full_backward_hook(lambda m, grad_input, grad_output: (grad_input[0] * 10,)),
    ]
    x = T.tensor([[0.1, 0.2]], dtype=T.float64, requires_grad=True)
    model(x).sum().backward()
    note("gradients", x.grad, linear.weight.grad)
    for handle in handles:
        handle.remove()
    note("without hooks", model(x))
    model.register_full_backward_hook(
        lambda m, grad_input, grad_output: note("no input gradient", *grad_input, *grad_output)
    )
    model(x.detach()).sum().backward()
    return log


def test_hooks_as_in_pytorch():
    ours, theirs = hooked(framework), hooked(torch)
    assert [name for name, _ in ours] == [name for name, _ in theirs]
    for (name, a), (_, b) in zip(ours, theirs, strict=True):
        assert [v is None for v in a] == [v is None for v in b], name
        for p, q in zip(a, b, strict=True):
            np.testing.assert_allclose(p or 0.0, q or 0.0, rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("T", ENGINES)
def test_backward_hook_of_several_inputs_and_outputs(T):
    seen = []

    class Both(T.nn.Module):
        def forward(self, a, b, flag):
            return a * b, a + b

    both = Both()
    both.register_full_backward_hook(lambda m, grad_input, grad_output: seen.append((grad_input, grad_output)))
    a, b = T.tensor([2.0], requires_grad=True), T.tensor([5.0], requires_grad=True)
    product, total = both(a, b, True)
    (product * 3 + total).sum().backward()
    ((grad_input, grad_output),) = seen
    assert [g if g is None else g.item() for g in grad_input] == [16.0, 7.0, None]
    assert [g.item() for g in grad_output] == [3.0, 1.0] and a.grad.item() == 16.0


def test_what_hooks_refuse():
    layer = nn.Linear(1, 1)
    with pytest.raises(NotImplementedError, match="always_call"):
        layer.register_forward_hook(print, always_call=True)
    with pytest.raises(NotImplementedError, match="register_full_backward_hook"):
        layer.register_backward_hook(print)
    layer.register_full_backward_hook(lambda m, grad_input, grad_output: (None, None))
    with pytest.raises(RuntimeError, match="returned 2 gradients, expected 1"):
        layer(framework.ones(1, 1, requires_grad=True)).sum().backward()


# --- containers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("T", ENGINES)
def test_lists_of_modules(T):
    items = T.nn.ModuleList([T.nn.Linear(1, i + 1) for i in range(4)])
    sizes = lambda: [layer.out_features for layer in items]
    assert len(items) == 4 and items[-1] is items[3] and [layer.out_features for layer in items[1:3]] == [2, 3]
    items.insert(1, T.nn.Linear(1, 9))
    assert sizes() == [1, 9, 2, 3, 4] and list(items._modules) == list("01234")
    del items[0]
    assert sizes() == [9, 2, 3, 4] and list(items._modules) == list("0123")
    del items[1:3]
    assert sizes() == [9, 4]
    assert items.pop(0).out_features == 9 and sizes() == [4]
    items += [T.nn.Linear(1, 7)]
    items.extend(T.nn.ModuleList([T.nn.Linear(1, 8)]))
    items[0] = T.nn.Linear(1, 5)
    assert sizes() == [5, 7, 8] and isinstance(items + items, T.nn.ModuleList) and len(items + items) == 6
    with pytest.raises(IndexError):
        items[3]
    with pytest.raises(TypeError):
        items.append(3)
    with pytest.raises(NotImplementedError):
        items(1)


@pytest.mark.parametrize("T", ENGINES)
def test_sequences_of_modules(T):
    model = T.nn.Sequential(T.nn.Linear(1, 2), T.nn.ReLU(), T.nn.Linear(2, 3))
    assert isinstance(model[:2], T.nn.Sequential) and list(model[1:].state_dict()) == ["2.weight", "2.bias"]
    assert len(model + model) == 6 and len(model * 2) == 6
    model.append(T.nn.Tanh())
    model.insert(0, T.nn.Identity())
    del model[1]
    assert [type(m).__name__ for m in model] == ["Identity", "ReLU", "Linear", "Tanh"] and list(model._modules) == list(
        "0123"
    )
    model.pop(1)
    model += T.nn.Sequential(T.nn.ReLU())
    assert [type(m).__name__ for m in model] == ["Identity", "Linear", "Tanh", "ReLU"]


@pytest.mark.parametrize("T", ENGINES)
def test_dicts_of_modules_and_parameters(T):
    modules = T.nn.ModuleDict({"a": T.nn.ReLU()})
    modules["b"] = T.nn.Linear(1, 1)
    modules.update([("c", T.nn.Tanh())])
    assert list(modules) == list(modules.keys()) == ["a", "b", "c"] and "b" in modules and len(modules) == 3
    assert modules.pop("a").__class__ is T.nn.ReLU and list(modules.state_dict()) == ["b.weight", "b.bias"]
    modules.clear()
    assert not len(modules)

    values = T.nn.ParameterList([T.nn.Parameter(T.ones(1)), T.ones(2)])
    values.append(T.ones(3))
    values[0] = T.ones(4)
    assert [p.numel() for p in values] == [4, 2, 3] and all(isinstance(p, T.nn.Parameter) for p in values)
    assert list(values.state_dict()) == ["0", "1", "2"] and len(values[1:]) == 2

    named = T.nn.ParameterDict({"w": T.ones(1)})
    named["v"] = T.nn.Parameter(T.ones(2))
    assert (
        list(named) == ["w", "v"] and isinstance(named["w"], T.nn.Parameter) and list(named.state_dict()) == ["w", "v"]
    )
    assert named.get("nothing") is None and named.pop("w").numel() == 1 and list(named.keys()) == ["v"]


def test_missing_layers_are_refused_by_name():
    with pytest.raises(AttributeError, match="torch.nn has no 'LazyLinear'.* near: .*Linear"):
        nn.LazyLinear  # noqa: B018
    with pytest.raises(AttributeError, match="torch.nn.functional has no 'sofmax'.*softmax"):
        nn.functional.sofmax  # noqa: B018


def test_the_layer_that_the_readme_shows():
    text = (pathlib.Path(nn.__file__).parent / "README.md").read_text()
    code = text.split("```python\n")[1].split("```")[0]
    names = {}
    exec(code, names)
    layer = names["layer"]
    assert list(layer.state_dict()) == ["scale", "f.weight", "f.bias"] and layer.scale.grad.shape == (8,)
    lines = code[code.index("class") : code.index("layer =")].strip().splitlines()
    assert len(lines) <= 10, "a custom layer takes ten lines"
    for name in (
        f"`{part}`"
        for row in text.splitlines()
        if row.startswith("| `")
        for part in row.split("|")[1].replace("`", "").split(", ")
    ):
        assert (pathlib.Path(nn.__file__).parent / name.strip("` ")).exists(), f"the README names {name}"
