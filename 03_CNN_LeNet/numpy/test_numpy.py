"""LeNet-5 and the small CNN by hand against numerical gradients, closed forms, SciPy and PyTorch."""

import importlib
import inspect
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.signal import correlate
from scipy.special import log_softmax

from dlfs.grading import numerical_derivative

study = importlib.import_module("03_CNN_LeNet.study")
lenet = importlib.import_module("03_CNN_LeNet.numpy.lenet_numpy")
cnn = importlib.import_module("03_CNN_LeNet.numpy.cnn_numpy")

LeNetConfig, CNNConfig = study.LeNetConfig, study.CNNConfig
CONFIGS = {
    "map": LeNetConfig(j=90.0),  # at which the classes compete: the distances are about 84
    "mse": LeNetConfig(loss="mse"),
    "modern": LeNetConfig(connections="dense", subsampling="average", output="softmax"),
    "dense-trainable-softmax": LeNetConfig(connections="dense", output="softmax"),
    "table-average-rbf": LeNetConfig(subsampling="average", j=90.0),
    "cnn": CNNConfig(in_channels=2, image_size=8, channels=(5, 4, 6), num_classes=10),
}


@pytest.fixture(params=CONFIGS)
def model_and_batch(request):
    return loud_model(CONFIGS[request.param])


def loud_model(config, seed=0, batch_size=3):
    """A float64 model whose biases are not zero and whose units are not all alike, and a batch for it."""
    rng = np.random.default_rng(seed)
    model = lenet.LeNet5(config, rng) if isinstance(config, LeNetConfig) else cnn.CNN(config, rng)
    state = {}
    for name, p in model.state_dict().items():
        state[name] = np.array(p, dtype=np.float64) if p.dtype.kind == "f" else p
        if name in model.params:
            state[name] = 2 * state[name] + 0.1 * rng.standard_normal(p.shape)
    model.load_state_dict(state)
    (x,), (targets,) = study.example_batch(config, rng)
    return model, x[:batch_size], targets[:batch_size]


def assert_numerical(f, gradients, arrays, rng, count=12):
    """The gradient of f by each array, at `count` elements of it drawn at random and at its largest."""
    for name, array in arrays.items():
        gradient = gradients[name]
        assert gradient.shape == array.shape and np.abs(gradient).max() > 0, name
        places = [tuple(rng.integers(n) for n in array.shape) for _ in range(count)]
        places.append(np.unravel_index(np.abs(gradient).argmax(), array.shape))
        for index in places:
            expected = numerical_derivative(f, array, index)
            error = abs(gradient[index] - expected)
            assert error <= 1e-6 * np.abs(gradient).max() + 1e-8, f"{name}{index}: {gradient[index]}, {expected}"


# ----------------------------------------------------------------------------------------------- The whole models


def test_gradients_are_the_numerical_ones(model_and_batch):
    model, x, targets = model_and_batch
    model.loss(x, targets)
    gradients = {"x": model.loss_backward(), **model.grads}
    assert model.grads.keys() == model.params.keys()
    assert_numerical(lambda: model.loss(x, targets), gradients, {"x": x, **model.params}, np.random.default_rng(1))


def test_backward_goes_back_from_any_gradient_of_the_logits(model_and_batch):
    model, x, _ = model_and_batch
    rng = np.random.default_rng(1)
    weights = rng.standard_normal((3, 10))  # of L = Σ weights * logits, so that dL/dlogits = weights
    model.forward(x)
    dx = model.backward(weights)
    assert_numerical(lambda: (weights * model.forward(x)).sum(), {"x": dx}, {"x": x}, rng)


def test_gradients_do_not_add_up_over_two_backwards(model_and_batch):
    model, x, targets = model_and_batch
    gradients = []
    for _ in range(2):
        model.loss(x, targets)
        model.loss_backward()
        gradients.append({name: g.copy() for name, g in model.grads.items()})
    for name, g in gradients[0].items():
        np.testing.assert_array_equal(g, gradients[1][name])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept_from_the_input_to_every_gradient(model_and_batch, dtype):
    model, x, targets = model_and_batch
    model.load_state_dict({n: p.astype(dtype) if p.dtype.kind == "f" else p for n, p in model.state_dict().items()})
    loss = model.loss(x.astype(dtype), targets)
    dx = model.loss_backward()
    assert loss.dtype == dx.dtype == dtype
    assert {g.dtype for g in model.grads.values()} == {np.dtype(dtype)}
    assert all(p.dtype == dtype or p.dtype.kind == "i" for p in model.state_dict().values())


def test_train_step_is_gradient_descent_and_returns_the_loss_before_it(model_and_batch):
    model, x, targets = model_and_batch
    loss = model.loss(x, targets)
    model.loss_backward()
    expected = {name: p - 1e-3 * model.grads[name] for name, p in model.params.items()}
    returned = model.train_step(x, targets, lr=1e-3)
    assert isinstance(returned, float) and returned == loss
    for name, param in model.params.items():
        np.testing.assert_array_equal(param, expected[name])
    assert model.loss(x, targets) < loss


def test_backward_before_forward_says_what_to_call(model_and_batch):
    model, x, _ = model_and_batch
    with pytest.raises(RuntimeError, match=r"\.backward: nothing .* call forward\(x\)"):
        model.backward(np.zeros((3, 10)))
    model.forward(x)
    with pytest.raises(RuntimeError, match=r"\.loss_backward: nothing .* call loss\(x, targets\) first"):
        model.loss_backward()
    with pytest.raises(ValueError, match=r"\.backward: expected dlogits \(3, 10\), got \(10, 3\)"):
        model.backward(np.zeros((10, 3)))


def test_same_rng_same_weights(model_and_batch):
    model, _, _ = model_and_batch
    first, second = (type(model)(model.config, np.random.default_rng(3)) for _ in range(2))
    for name, param in first.params.items():
        assert param.dtype == np.float32
        np.testing.assert_array_equal(param, second.params[name])


# ------------------------------------------------------------------------------------------------------- Layers


def test_convolution_is_scipys_correlation():
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((2, 3, 9, 7)), rng.standard_normal((4, 3, 5, 5))
    z = lenet.convolution(x, weight)
    assert z.shape == (2, 4, 5, 3)
    for b in range(2):
        for o in range(4):
            expected = sum(correlate(x[b, c], weight[o, c], mode="valid") for c in range(3))
            np.testing.assert_allclose(z[b, o], expected, rtol=1e-12, atol=1e-12)


def test_the_gradients_of_a_convolution_are_pytorchs():
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((2, 3, 9, 7)), rng.standard_normal((4, 3, 5, 5))
    dz = rng.standard_normal((2, 4, 5, 3))
    dx, dweight = lenet.convolution_backward(dz, x, weight)
    x_, weight_ = (torch.from_numpy(array).requires_grad_() for array in (x, weight))
    F.conv2d(x_, weight_).backward(torch.from_numpy(dz))
    np.testing.assert_allclose(dx, x_.grad, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(dweight, weight_.grad, rtol=1e-12, atol=1e-12)


def test_the_way_back_of_im2col_is_its_transpose():
    """⟨im2col(x), y⟩ = ⟨x, col2im(y)⟩ for any x and y: all that a gradient of a linear map has to be."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3, 8, 6))
    columns = lenet.im2col(x, 3)
    y = rng.standard_normal(columns.shape)
    assert columns.shape == (3 * 9, 2 * 6 * 4)
    np.testing.assert_allclose((columns * y).sum(), (x * lenet.col2im(y, x.shape, 3)).sum(), rtol=1e-12)


def test_sum_of_four_is_four_times_average_pooling():
    h = np.random.default_rng(0).standard_normal((2, 3, 6, 4))
    expected = 4 * F.avg_pool2d(torch.from_numpy(h), 2)
    np.testing.assert_allclose(lenet.sum_of_four(h), expected, rtol=1e-12)
    np.testing.assert_array_equal(
        lenet.sum_of_four_backward(np.arange(6.0).reshape(1, 1, 2, 3)),
        [[[[0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 2, 2], [3, 3, 4, 4, 5, 5], [3, 3, 4, 4, 5, 5]]]],
    )


def test_max_pooling_and_its_gradient_are_pytorchs():
    rng = np.random.default_rng(0)
    z = rng.integers(0, 3, size=(2, 3, 6, 4)).astype(np.float64)  # of few values, so that many are equal
    m, dm = cnn.max_pool(z), rng.standard_normal((2, 3, 3, 2))
    z_ = torch.from_numpy(z).requires_grad_()
    m_ = F.max_pool2d(z_, 2)
    m_.backward(torch.from_numpy(dm))
    np.testing.assert_array_equal(m, m_.detach())
    np.testing.assert_array_equal(cnn.max_pool_backward(dm, z, m), z_.grad)


def test_batch_norm_standardises_and_remembers():
    model = cnn.CNN(CNNConfig(in_channels=1, image_size=4, channels=(3,)))
    m = np.random.default_rng(0).normal([[[[2.0]], [[-1.0]], [[0.0]]]], 3.0, (50, 3, 4, 4)).astype(np.float64)
    n = model.batch_norm("bn1", m)
    np.testing.assert_allclose(n.mean(axis=(0, 2, 3)), 0, atol=1e-12)
    np.testing.assert_allclose(n.std(axis=(0, 2, 3)), 1, rtol=1e-5)
    for _ in range(200):
        model.batch_norm("bn1", m)
    np.testing.assert_allclose(model.buffers["bn1.running_mean"], m.mean(axis=(0, 2, 3)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.buffers["bn1.running_var"], m.var(axis=(0, 2, 3), ddof=1), rtol=1e-4)
    assert model.buffers["bn1.num_batches_tracked"] == 201
    before = model.buffers["bn1.running_mean"].copy()
    model.train(False)
    np.testing.assert_allclose(model.batch_norm("bn1", m), n, atol=5e-3)
    np.testing.assert_array_equal(model.buffers["bn1.running_mean"], before)


# ---------------------------------------------------------------------------------------------------------- Loss


def test_the_loss_is_the_papers_equation_9():
    """Computed from the penalties as the paper writes it, in sums of exponentials."""
    model, x, targets = loud_model(LeNetConfig(j=80.0))
    y = -model.forward(x)  # the penalties
    assert (y > 0).all()
    expected = (y[range(3), targets] + np.log(np.exp(-80.0) + np.exp(-y).sum(axis=1))).mean()
    np.testing.assert_allclose(model.loss(x, targets), expected, rtol=1e-12)
    assert model.loss(x, targets) > 0  # as the paper says
    mse = lenet.LeNet5(LeNetConfig(loss="mse"))
    mse.load_state_dict(model.state_dict())
    np.testing.assert_allclose(mse.loss(x, targets), y[range(3), targets].mean(), rtol=1e-12)


def test_a_softmax_head_has_plain_cross_entropy():
    model, x, targets = loud_model(CONFIGS["modern"])
    expected = -log_softmax(model.forward(x), axis=1)[range(3), targets].mean()
    with np.errstate(all="raise", under="ignore"):
        np.testing.assert_allclose(model.loss(x, targets), expected, rtol=1e-12)


def test_far_penalties_are_not_pushed_further():
    """The paper: j "prevents the penalties of classes that are already very large from being pushed further up"."""
    model, x, targets = loud_model(LeNetConfig(j=20.0))
    logits = model.forward(x)
    assert (logits < -40).all()
    with np.errstate(all="raise", under="ignore"):
        model.loss(x, targets)
        model.loss_backward()
    map_gradient = model.grads["f6.bias"]
    mse = lenet.LeNet5(LeNetConfig(loss="mse"))
    mse.load_state_dict(model.state_dict())
    mse.loss(x, targets)
    mse.loss_backward()
    np.testing.assert_allclose(map_gradient, mse.grads["f6.bias"], rtol=1e-6)


def test_rbf_outputs_are_zero_exactly_on_a_code():
    model, x, _ = loud_model(LeNetConfig())
    model.forward(x)
    model.load_state_dict({**model.state_dict(), "output.codes": np.resize(model.cache["h6"], (10, 84))})
    np.testing.assert_allclose(model.forward(x)[range(3), range(3)], 0, atol=1e-20)


# ------------------------------------------------------------------------------------------------------ The text


@pytest.mark.parametrize(
    ("module", "expected"),
    [(lenet, ["numpy", "..study"]), (cnn, ["math", "numpy", "..study", ".lenet_numpy"])],
    ids=["lenet", "cnn"],
)
def test_it_imports_numpy_alone(module, expected):
    source = Path(module.__file__).read_text(encoding="utf-8")
    assert re.findall(r"^(?:from|import) (\S+)", source, flags=re.MULTILINE) == expected


def test_every_line_of_backward_stands_next_to_its_equation():
    folder = Path(study.__file__).parent
    theory = (folder / "theory.md").read_text(encoding="utf-8")
    numbered = [int(n) for n in re.findall(r"\\tag\{(\d+)\}", theory)]
    assert numbered == list(range(1, len(numbered) + 1))

    files = [folder / file for levels in (study.LEVELS, study.CNN_LEVELS) for file in levels.values()]
    cited = {
        int(n) for file in files for ns in re.findall(r"eq\. ([\d, ]+)", file.read_text(encoding="utf-8"))
        for n in re.findall(r"\d+", ns)
    }  # fmt: skip
    assert cited <= set(numbered)

    functions = [f for m in (lenet, cnn) for name, f in vars(m).items() if name.endswith("_backward")]
    functions += [lenet.col2im]
    for model in (lenet.LeNet5, cnn.CNN):
        functions += [f for name, f in vars(model).items() if name.endswith("backward")] + [model.train_step]
    source = [re.sub(r"\(\n\s+(.*)\n\s+\)", r"(\1)", inspect.getsource(f)) for f in functions]
    lines = [line.strip() for text in source for line in text.splitlines()]
    gradients = [line for line in lines if re.match(r"(grads\[.*\]|d[a-z]+\d*(\[.*\])?|param)(, \S+)? [-+]?= ", line)]
    without = [line for line in gradients if not re.search(r"# .*eq\. \d+", line)]
    assert len(gradients) == 49
    assert not [line for line in without if not re.search(r"reshape|zeros", line)]  # what only gives them a place
