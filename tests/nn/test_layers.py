"""Every layer against PyTorch's, over its arguments: names, values, gradients, buffers, distributions at initialisation."""

import copy
import inspect
import pickle

import numpy as np
import pytest
import scipy.stats
import torch

import framework
from framework import nn
from tests.engine import foreign
from tests.nn import layers

ROWS = layers.ROWS
NO_LAYERS = {"Module", "Parameter"}
CASES = [pytest.param(row, mode, id=f"{row.name} {mode}") for row in ROWS for mode in row.modes]
BY_NAME = [pytest.param(row, id=f"{i} {row.name}") for i, row in enumerate(ROWS)]
ONE_EACH = list({row.layer: row for row in reversed(ROWS)}.values())


def both(row):
    """The layer on the engine and in PyTorch, in float64."""
    return row.make(framework).double(), row.make(torch).double()


def loud_state(theirs):
    """A state dict for PyTorch's layer with values far from those at initialisation; counts stay, variances are positive."""
    random = np.random.default_rng(3)
    state = {}
    for name, tensor in theirs.state_dict().items():
        values = random.standard_normal(tuple(tensor.shape)) * 0.7
        values = np.abs(values) + 0.2 if "var" in name else values
        state[name] = torch.from_numpy(np.asarray(values)).to(tensor.dtype) if tensor.is_floating_point() else tensor
    return state


def synchronised(row):
    ours, theirs = both(row)
    theirs.load_state_dict(loud_state(theirs))
    assert repr(ours.load_state_dict(theirs.state_dict())) == "<All keys matched successfully>"
    return ours, theirs


def flat(value):
    """The arrays in an output, in order; None stays."""
    if value is None or isinstance(value, (framework.Tensor, torch.Tensor)):
        return [value]
    if isinstance(value, (tuple, list)):
        return [part for item in value for part in flat(item)]
    raise AssertionError(f"an output is a {type(value)}")


def array(tensor):
    return None if tensor is None else tensor.detach().numpy()


def assert_close(ours, theirs, what):
    assert (ours is None) == (theirs is None), f"{what}: {'none here' if ours is None else 'none in PyTorch'}"
    if ours is not None:
        ours, theirs = array(ours), array(theirs)
        assert ours.shape == theirs.shape and ours.dtype == theirs.dtype, (
            f"{what}: {ours.dtype}{ours.shape}, PyTorch {theirs.dtype}{theirs.shape}"
        )
        np.testing.assert_allclose(
            ours, theirs, rtol=1e-10, atol=1e-10 * max(1.0, np.abs(theirs).max(initial=0)), err_msg=what
        )


def run(T, row, layer, mode):
    """Forward and backward: the outputs, and the gradients of inputs and parameters by name."""
    layer.train(mode == "train")
    tensors = [T.tensor(values) for values in row.arrays()]
    for tensor in tensors:
        tensor.requires_grad_(tensor.is_floating_point())
    outputs = flat(row(T, layer, *tensors))
    random = np.random.default_rng(11)
    total = 0
    for output in outputs:
        if output is not None and output.requires_grad:
            total = total + (output * T.tensor(random.standard_normal(tuple(output.shape)))).sum()
    if not isinstance(total, int):
        total.backward()
    gradients = {f"input {i}": tensor.grad for i, tensor in enumerate(tensors)}
    gradients.update((name, param.grad) for name, param in layer.named_parameters())
    return outputs, gradients


@pytest.mark.parametrize(("row", "mode"), CASES)
def test_forward_backward_and_buffers(row, mode):
    ours, theirs = synchronised(row)
    for step in ("first", "second"):  # the second after the buffers have moved
        ours.zero_grad()
        theirs.zero_grad()
        (our_outputs, our_gradients), (their_outputs, their_gradients) = (
            run(framework, row, ours, mode),
            run(torch, row, theirs, mode),
        )
        for i, (a, b) in enumerate(zip(our_outputs, their_outputs, strict=True)):
            assert_close(a, b, f"{step} call: output {i}")
        assert list(our_gradients) == list(their_gradients)
        for name in our_gradients:
            assert_close(our_gradients[name], their_gradients[name], f"{step} call: gradient of {name}")
        for (name, a), (their_name, b) in zip(ours.named_buffers(), theirs.named_buffers(), strict=True):
            assert name == their_name
            assert_close(a, b, f"{step} call: buffer {name}")


@pytest.mark.parametrize("row", BY_NAME)
def test_keys_and_repr(row):
    ours, theirs = row.make(framework), row.make(torch)
    our_state, their_state = ours.state_dict(), theirs.state_dict()
    assert {k: (tuple(v.shape), str(v.dtype)) for k, v in our_state.items()} == {
        k: (tuple(v.shape), str(v.dtype).removeprefix("torch.")) for k, v in their_state.items()
    }
    assert list(our_state) == list(their_state)
    assert [n for n, _ in ours.named_modules()] == [n for n, _ in theirs.named_modules()]
    assert [n for n, p in ours.named_parameters() if p.requires_grad] == [
        n for n, p in theirs.named_parameters() if p.requires_grad
    ]
    expected = repr(theirs).replace("NonDynamicallyQuantizableLinear", "Linear")
    expected = expected.replace("torch.float32", "float32").replace("torch.FloatTensor", "float32")
    assert repr(ours) == expected


@pytest.mark.parametrize("row", BY_NAME)
def test_our_state_loads_into_pytorch(row):
    ours, theirs = synchronised(row)
    fresh = row.make(torch).double()
    state = {name: torch.from_numpy(tensor.numpy().copy()) for name, tensor in ours.state_dict().items()}
    assert repr(fresh.load_state_dict(state)) == "<All keys matched successfully>"
    for name, tensor in fresh.state_dict().items():
        assert torch.equal(tensor, theirs.state_dict()[name]), name


@pytest.mark.parametrize("row", [pytest.param(row, id=row.layer) for row in ONE_EACH])
def test_initial_distributions(row):
    """The parameters of many layers, as two samples: Kolmogorov and Smirnov's test cannot tell ours from PyTorch's."""
    framework.manual_seed(0)
    torch.manual_seed(0)
    samples = ({}, {})
    for T, sample in zip((framework, torch), samples, strict=True):
        elements = sum(param.numel() for param in row.make(T).parameters())
        for _ in range(min(400, 20000 // max(elements, 1) + 1) if elements else 0):
            for name, param in row.make(T).named_parameters():
                sample.setdefault(name, []).append(array(param).ravel().copy())
    for name in samples[1]:
        a, b = (np.concatenate(sample[name]) for sample in samples)
        if (b == b[0]).all():
            assert (a == b[0]).all(), name
        else:
            assert scipy.stats.ks_2samp(a, b).pvalue > 1e-4, f"{name}: std {a.std()}, PyTorch {b.std()}"
            assert a.size < 2000 or np.isclose(a.std(), b.std(), rtol=0.1), f"{name}: std {a.std()}, PyTorch {b.std()}"


@pytest.mark.parametrize("row", [pytest.param(row, id=row.layer) for row in ONE_EACH])
def test_pickle_keeps_the_layer(row):
    layer = row.make(framework)
    copied = pickle.loads(pickle.dumps(layer))
    assert repr(copied) == repr(layer) and list(copied.state_dict()) == list(layer.state_dict())
    for name, tensor in copied.state_dict().items():
        np.testing.assert_array_equal(array(tensor), array(layer.state_dict()[name]))


def test_every_layer_has_a_row():
    assert sorted({row.layer for row in ROWS}) == sorted(set(nn.__all__) - NO_LAYERS)


def _constructor(cls):
    """Names and defaults of a constructor's arguments, as far as they are written down."""
    return {
        p.name: p.default
        for p in inspect.signature(cls).parameters.values()
        if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    }


@pytest.mark.parametrize("name", sorted(set(nn.__all__) - NO_LAYERS - {"Parameter"}))
def test_constructors_take_pytorchs_arguments_in_its_order(name):
    ours, theirs = _constructor(getattr(nn, name)), _constructor(getattr(torch.nn, name))
    theirs = {
        n: default for n, default in theirs.items() if not (name == "Hardtanh" and n in ("min_value", "max_value"))
    }
    if not theirs:  # PyTorch's takes *args
        return
    assert list(ours) == list(theirs)
    for argument, default in theirs.items():
        if default is inspect.Parameter.empty or not callable(default):
            assert ours[argument] == default, argument


# --- on a device ------------------------------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(monkeypatch):
    """Arrays that refuse to mix with NumPy's in CuPy's place."""
    monkeypatch.setattr(framework.backend, "cupy", lambda: foreign.library)


def on_device(row):
    """The layer made here and moved, and made there, on inputs there, gives what it gives here."""
    ours, _ = synchronised(row)
    expected = run(framework, row, ours, "train")
    moved, made = copy.deepcopy(ours), row.make(framework).double().to("cuda")
    moved.load_state_dict(synchronised(row)[1].state_dict())
    made.load_state_dict(synchronised(row)[0].state_dict())
    for layer in (moved.cuda(), made):
        assert all(tensor.is_cuda for tensor in layer.state_dict().values())
        outputs, gradients = run(_There, row, layer, "train")
        found = [*outputs, *gradients.values(), *layer.buffers()]
        for a, b in zip(found, [*expected[0], *expected[1].values(), *ours.buffers()], strict=True):
            assert_close(a if a is None else a.cpu(), b, "on the device")


class _There:
    """The engine, with tensors made on the device."""

    def __getattr__(self, name):
        return getattr(framework, name)

    @staticmethod
    def tensor(values, **options):
        return framework.tensor(values, device="cuda", **options)


_There = _There()
ON_DEVICE = [pytest.param(row, id=f"{i} {row.name}") for i, row in enumerate(ROWS) if "train" in row.modes]


@pytest.mark.parametrize("row", ON_DEVICE)
def test_on_arrays_that_refuse_numpys(row, elsewhere):
    on_device(row)


@pytest.mark.gpu
@pytest.mark.parametrize("row", ON_DEVICE)
def test_on_the_gpu(row):
    on_device(row)


# --- what is random ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "shape", "blocks"),
    [
        (nn.Dropout(0.3), (40, 50), lambda x: x.reshape(-1, 1)),
        (nn.Dropout1d(0.3), (50, 40, 3), lambda x: x.reshape(2000, -1)),
        (nn.Dropout2d(0.3), (50, 40, 3, 2), lambda x: x.reshape(2000, -1)),
    ],
    ids=["Dropout", "Dropout1d", "Dropout2d"],
)
def test_dropout_drops_its_part_and_scales_the_rest(layer, shape, blocks):
    framework.manual_seed(1)
    x = framework.ones(*shape, requires_grad=True)
    y = layer(x)
    values = blocks(y.detach().numpy())
    assert set(np.unique(values)) == {np.float32(0), np.float32(1 / 0.7)}
    assert (values == values[:, :1]).all(), "a channel is dropped whole"
    assert abs((values[:, 0] == 0).mean() - 0.3) < 0.035  # three standard deviations
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.detach().numpy())
    framework.manual_seed(1)
    assert (layer(x) == y).all() and not (layer(x) == y).all()


def test_dropout_between_the_layers_of_an_lstm_only():
    framework.manual_seed(2)
    layer = nn.LSTM(3, 4, num_layers=2, dropout=0.9)
    x = framework.randn(5, 2, 3)
    first_layer = nn.LSTM(3, 4)
    first_layer.load_state_dict({name: tensor for name, tensor in layer.state_dict().items() if name.endswith("l0")})
    (_, (h, _)), (_, (h_first, _)), (_, (h_again, _)) = layer(x), first_layer(x), layer(x)
    np.testing.assert_allclose(h[0].detach().numpy(), h_first[0].detach().numpy(), rtol=1e-6)
    assert not (h[1] == h_again[1]).all() and layer.eval()(x)[0].tolist() == layer(x)[0].tolist()
    with pytest.warns(UserWarning, match="one layer only"):
        nn.GRU(3, 4, dropout=0.5)


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: nn.Linear("a", 3), TypeError, ""),
        (lambda: nn.LeakyReLU(0.1, False, 3), TypeError, "LeakyReLU: too many"),
        (lambda: nn.Softplus(alpha=2), TypeError, "Softplus: .*'alpha'"),
        (lambda: nn.MaxPool2d(), TypeError, "MaxPool2d: .*'kernel_size'"),
        (lambda: nn.MSELoss(size_average=True), NotImplementedError, "size_average is not supported; use reduction"),
        (lambda: nn.Hardtanh(2, 1), ValueError, "max_val 1 must be above"),
        (lambda: nn.Dropout(1.5), ValueError, "p is a probability.*1.5"),
        (lambda: nn.Conv2d(3, 4, 3, groups=2), ValueError, "multiples of groups=2"),
        (lambda: nn.Conv2d(3, 4, 3, stride=2, padding="same"), ValueError, "needs stride 1"),
        (lambda: nn.Conv2d(3, 4, 3, padding="some"), ValueError, "'some'"),
        (lambda: nn.Conv2d(3, 4, (3, 3, 3)), ValueError, "kernel_size: expected a number or 2"),
        (lambda: nn.Conv2d(3, 4, 3, padding_mode="zero"), ValueError, "padding_mode is one of zeros"),
        (lambda: nn.ConvTranspose2d(3, 4, 3, padding_mode="reflect"), ValueError, "zeros"),
        (lambda: nn.ConvTranspose1d(1, 1, 3, 2)(framework.ones(1, 1, 4), (20,)), ValueError, r"\(20,\) is not between \(9,\) and \(10,\)"),
        (lambda: nn.BatchNorm2d(3)(framework.ones(2, 3)), ValueError, r"BatchNorm2d: expected 4-d input, got shape \(2, 3\)"),
        (lambda: nn.InstanceNorm1d(3, affine=True)(framework.ones(2, 4, 5)), ValueError, "expected 3 channels"),
        (lambda: nn.GroupNorm(2, 3), ValueError, "multiple of num_groups=2"),
        (lambda: nn.Embedding(3, 2, padding_idx=5), ValueError, "padding_idx=5 is out of range"),
        (lambda: nn.Embedding(3, 2, sparse=True), NotImplementedError, "sparse=True"),
        (lambda: nn.EmbeddingBag(3, 2, mode="median"), ValueError, "'median'"),
        (lambda: nn.LSTM(3, 4, proj_size=2), NotImplementedError, "proj_size=2 is not supported"),
        (lambda: nn.RNN(3, 4, nonlinearity="gelu"), ValueError, "'gelu'"),
        (lambda: nn.GRU(3, 4)(framework.ones(5, 2, 2)), RuntimeError, "input has 2 features, input_size is 3"),
        (lambda: nn.GRU(3, 4)(framework.ones(3)), ValueError, "expected"),
        (lambda: nn.LSTM(3, 4)(framework.ones(5, 2, 3), (framework.ones(1, 2, 4),)), RuntimeError, "hx is"),
        (lambda: nn.GRU(3, 4)(framework.ones(5, 2, 3), framework.ones(1, 3, 4)), RuntimeError, r"initial state of shape \(1, 2, 4\)"),
        (lambda: nn.GRUCell(3, 4)(framework.ones(1, 2, 3)), ValueError, "GRUCell: expected"),
        (lambda: nn.MultiheadAttention(6, 4), ValueError, "multiple of num_heads=4"),
        (lambda: nn.TransformerEncoderLayer(4, 2, activation="selu"), RuntimeError, "'selu'"),
        (lambda: nn.Transformer(8, 2)(framework.ones(3, 2, 8), framework.ones(3, 1, 8)), RuntimeError, "differ in their batch"),
        (lambda: nn.Unflatten(1, 3), TypeError, "tuple of ints"),
        (lambda: nn.Softmax2d()(framework.ones(2, 3)), ValueError, "Softmax2d: expected"),
        (lambda: nn.Bilinear(0, 1, 1), ValueError, "in1_features must be positive"),
    ],
)  # fmt: skip
def test_what_is_refused(make, error, match):
    with pytest.raises(error, match=match):
        make()


def test_embeddings_from_given_rows():
    for T in (framework, torch):
        rows = T.tensor([[1.0, 2.0], [3.0, 4.0]])
        table = T.nn.Embedding.from_pretrained(rows, padding_idx=1)
        assert (
            not table.weight.requires_grad
            and table.padding_idx == 1
            and table(T.tensor([1, 0])).tolist() == [[3, 4], [1, 2]]
        )
        assert T.nn.EmbeddingBag.from_pretrained(rows, freeze=False, mode="sum").weight.requires_grad
    assert nn.Embedding(5, 2, padding_idx=3).weight[3].tolist() == [0, 0]
