"""The textbook's API: what it promises, and the faults of the original that must not come back."""

import ast
import gc
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import dezero
import dezero.functions as F
import dezero.layers as L
from dezero import Function, Parameter, Variable, models, optimizers
from dezero.utils import gradient_check, numerical_grad


def rand(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


# --- derivatives, of every function, to the second order ------------------------------------------------------------------

X, P, M = rand(3, 4), np.abs(rand(3, 4)) + 0.5, rand(2, 3, 6, 6)
T = np.array([1, 0, 3])
FUNCTIONS = {
    "sin": (F.sin, X), "cos": (F.cos, X), "tanh": (F.tanh, X), "exp": (F.exp, X), "log": (F.log, P), "sigmoid": (F.sigmoid, X),
    "relu": (F.relu, X), "leaky_relu": (F.leaky_relu, X), "clip": (lambda x: F.clip(x, -0.5, 0.7), X), "pow": (lambda x: x**3, X),
    "arithmetic": (lambda x: (2 * x - 1) / (3 - x) + 1 / x - x * 0.5, P), "neg": (lambda x: -x * x, X),
    "reshape": (lambda x: F.reshape(x, (2, 6)) ** 2, X), "transpose": (lambda x: F.transpose(x) ** 2, X),
    "flatten": (lambda x: F.flatten(x) ** 2, M[:, :, :2, :2]), "expand_dims": (lambda x: F.expand_dims(x, 1) ** 2, X),
    "get_item": (lambda x: F.get_item(x, np.array([0, 0, 2])) ** 2, X), "sum": (lambda x: F.sum(x, axis=1) ** 2, X),
    "mean": (lambda x: F.mean(x, axis=0, keepdims=True) ** 2, X), "sum_to": (lambda x: F.sum_to(x, (1, 4)) ** 2, X),
    "broadcast_to": (lambda x: F.broadcast_to(x, (5, 3, 4)) ** 2, X), "max": (lambda x: F.max(x, axis=-1) ** 2, X),
    "min": (lambda x: F.min(x, axis=0) ** 2, X), "matmul": (lambda x: F.matmul(x, F.transpose(x)), X),
    "linear": (lambda x: F.linear(x, rand(4, 2), rand(2)) ** 2, X), "softmax": (lambda x: F.softmax(x) ** 2, X),
    "log_softmax": (lambda x: F.log_softmax(x) ** 2, X), "mse": (lambda x: F.mean_squared_error(x, P), X),
    "softmax_cross_entropy": (lambda x: F.softmax_cross_entropy(x, T), X),
    "sigmoid_cross_entropy": (lambda x: F.sigmoid_cross_entropy(x, (P > 1).astype(int)), X),
    "binary_cross_entropy": (lambda x: F.binary_cross_entropy(x, (X > 0).astype(int)), 1 / (1 + P)),
    "conv2d": (lambda x: F.conv2d(x, rand(2, 3, 3, 3), rand(2), 2, 1) ** 2, M),
    "conv2d's weight": (lambda W: F.conv2d(M, W, None, 1, 1) ** 2, rand(2, 3, 3, 3)),
    "deconv2d": (lambda x: F.deconv2d(x, rand(3, 2, 3, 3), None, 2, 1, (12, 12)) ** 2, M),
    "pooling": (lambda x: F.pooling(x, 3, 2, 1) ** 2, M), "average_pooling": (lambda x: F.average_pooling(x, 3, 2, 1) ** 2, M),
    "im2col": (lambda x: F.im2col(x, 3, 2, 1) ** 2, M), "im2col, not to_matrix": (lambda x: F.im2col(x, 3, to_matrix=False) ** 2, M),
    "batch_norm": (lambda x: F.batch_norm(x, P[0], X[0], np.zeros(4), np.ones(4)) ** 2, X),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_first_and_second_derivatives(name):
    f, x = FUNCTIONS[name]
    assert gradient_check(f, x)

    def gradient(x):
        x = Variable(x)
        f(x).backward(create_graph=True)
        return x.grad

    x, weights = Variable(x.copy()), rand(*x.shape, seed=1)
    f(x).backward(create_graph=True)
    first = x.grad
    x.cleargrad()
    F.sum(first * weights).backward()
    numerical = numerical_grad(lambda a: np.sum(gradient(a).data * weights), x.data)
    found = np.zeros_like(numerical) if x.grad is None else x.grad.data
    np.testing.assert_allclose(found, numerical, rtol=1e-4, atol=1e-5)


def test_col2im_is_the_adjoint_of_im2col():
    for to_matrix in (True, False):
        columns = F.im2col(M, 3, 2, 1, to_matrix)
        other = rand(*columns.shape, seed=1)
        images = F.col2im(other, M.shape, 3, 2, 1, to_matrix)
        np.testing.assert_allclose((columns.data * other).sum(), (M * images.data).sum())


# --- Variable, Function, Config -------------------------------------------------------------------------------------------


class Square(Function):
    def forward(self, x):
        return x**2

    def backward(self, gy):
        (x,) = self.inputs
        return 2 * x * gy


class Tanh(Function):
    def forward(self, x):
        return np.tanh(x)

    def backward(self, gy):
        y = self.outputs[0]()
        return gy * (1 - y * y)


class SumAndProduct(Function):
    def forward(self, a, b):
        return a + b, a * b

    def backward(self, gs, gp):
        a, b = self.inputs
        return gs + gp * b, gs + gp * a


def test_a_function_of_ones_own_has_every_derivative():
    for f, reference in ((Square(), lambda x: x**2), (Tanh(), F.tanh)):
        a, b = Variable(X.copy()), Variable(X.copy())
        for x, function in ((a, lambda x, f=f: F.sin(f(x))), (b, lambda x, r=reference: F.sin(r(x)))):
            y = function(x)
            for _ in range(3):
                x.cleargrad()
                y.backward(create_graph=True)
                y = x.grad
        np.testing.assert_allclose(a.grad.data, b.grad.data, rtol=1e-10)


def test_a_function_of_several_outputs():
    a, b = Variable(np.array(2.0)), Variable(np.array(3.0))
    s, p = SumAndProduct()(a, b)
    (s * p).backward()
    assert (a.grad.data, b.grad.data) == (6 + 5 * 3, 6 + 5 * 2)


def test_integers_and_numbers_are_differentiated():
    x = Variable(np.array([[1, 2, 3], [4, 5, 6]]))
    F.get_item(x, 1).backward()
    np.testing.assert_array_equal(x.grad.data, [[0, 0, 0], [1, 1, 1]])
    assert x.data.dtype.kind == "i" and x[1].creator is not None
    with pytest.raises(TypeError, match="float"):
        Variable(1.0)


def test_operators_with_arrays_on_either_side():
    x = Variable(np.array([3.0, 4.0]))
    for y in (np.array([1.0, 2.0]) * x, np.array([1.0, 2.0]) - x, 1 / x, np.float64(2) + x):
        assert isinstance(y, Variable)


def test_gradients_add_up_until_cleared_and_the_graph_may_be_walked_again():
    x = Variable(np.array(3.0))
    y = x * x
    y.backward()
    held = x.grad
    y.backward()
    assert (x.grad.data, held.data) == (12, 6)  # what was handed out stays as it was
    x.cleargrad()
    assert x.grad is None


def test_retain_grad_keeps_the_gradients_on_the_way():
    x = Variable(np.array(2.0))
    a = x * x
    y = a + a
    y.backward()
    assert a.grad is None and y.grad is None
    x.cleargrad()
    y.backward(retain_grad=True)
    assert (y.grad.data, a.grad.data, x.grad.data) == (1, 2, 8)


def test_unchain_makes_a_variable_one_that_was_given():
    x = Variable(np.array(2.0))
    a = x * x
    y = a * 3
    a.unchain()
    y.backward()
    assert (a.creator, a.grad.data, x.grad) == (None, 3, None)


def test_unchain_backward_frees_the_past():
    x = Variable(np.array(2.0))
    h = F.tanh(x)
    loss = F.sin(F.exp(h))
    loss.unchain_backward()
    (h * 2).backward()
    assert (h.grad.data, x.grad, h.generation, loss.generation) == (2, None, 0, 1)


def test_names_creators_and_generations():
    x, c = Variable(np.array(1.0), "x"), Square()
    y = c(x)
    z = y + x
    assert y.creator is c and c.inputs[0] is x and c.outputs[0]() is y
    assert (x.generation, y.generation, z.generation) == (0, 1, 2)
    assert z.creator.inputs[0] is y and z.creator == z.creator
    w = Variable(np.array(1.0))
    w.set_creator(c)
    w.backward()
    assert w.creator is c and x.grad.data == 2


def test_switches():
    x = Variable(np.array(1.0))
    with dezero.no_grad():
        assert F.sin(x).creator is None and Square()(x).creator is None and not dezero.Config.enable_backprop
    with dezero.test_mode():
        assert F.dropout(x, 0.9).data == 1
    with pytest.raises(ZeroDivisionError), dezero.using_config("train", False):
        raise ZeroDivisionError
    assert dezero.Config.enable_backprop and dezero.Config.train


def test_graphs_are_freed_without_the_garbage_collector():
    import weakref

    gc.disable()
    try:
        x = Variable(np.ones(3))
        y = F.sin(Tanh()(Square()(x)))
        y.backward(create_graph=True)
        watch = [weakref.ref(y), weakref.ref(y.creator.node), weakref.ref(x)]
        x.cleargrad()  # it leads back to x, by way of the graph of the second derivative
        del x, y
        assert [w() for w in watch] == [None] * 3
    finally:
        gc.enable()


def test_the_graph_in_dot():
    x = Variable(np.array(1.0), "x")
    y = F.sin(x) + x
    y.name = "y"
    lines = dezero.utils.get_dot_graph(y, verbose=False).splitlines()
    assert sum("label=" in line for line in lines) == 5 and sum("->" in line for line in lines) == 5
    assert '"y"' in lines[1] and any('"x"' in line for line in lines) and any('"sin"' in line for line in lines)


def test_plots_are_drawn(tmp_path):
    x = Variable(rand(2, 3), "x")
    models.MLP((4, 2)).plot(x, to_file=tmp_path / "model.png")
    assert (tmp_path / "model.png").read_bytes()[:4] == b"\x89PNG"


# --- the original's faults ------------------------------------------------------------------------------------------------


def test_weights_and_what_is_computed_with_them_are_float32():
    model = models.Sequential(
        L.Conv2d(3, 3), L.BatchNorm(), F.relu, F.flatten, L.Linear(5), F.sigmoid, L.Linear(2, in_size=5)
    )
    optimizer = optimizers.Adam().setup(model)
    optimizer.add_hook(optimizers.WeightDecay(1e-2))
    y = model(rand(2, 1, 5, 5).astype("f"))
    F.mean(y * 0.5).backward()
    optimizer.update()
    assert {p.dtype for p in model.params()} | {y.dtype} == {np.dtype("float32")}
    assert L.EmbedID(3, 4).W.dtype == "float32"


def test_matmul_of_three_dimensions():
    a, b = Variable(rand(2, 3, 4)), Variable(rand(4, 5))
    y = F.matmul(a, b)
    y.backward()
    np.testing.assert_allclose(y.data, a.data @ b.data)
    assert (a.grad.shape, b.grad.shape) == ((2, 3, 4), (4, 5))
    assert gradient_check(lambda b: F.matmul(a.data, b), b.data)


def test_float64_data_meets_float32_weights():
    layers = L.Linear(2), L.Conv2d(2, 3), L.Deconv2d(2, 3), L.BatchNorm()
    for layer, x in zip(layers, (X, M, M, X)):
        layer(x.astype("f"))
        y = layer(x)
        y.backward()
        assert y.dtype == "float64" and {p.grad.dtype for p in layer.params() if p.grad is not None} == {
            np.dtype("float32")
        }


def test_the_padding_of_max_pooling_never_wins():
    assert (F.pooling(-np.ones((1, 1, 4, 4)), 3, 2, 1).data == -1).all()


def test_gradients_are_not_shared_so_a_hook_decays_once():
    class Twins(L.Layer):
        def __init__(self):
            super().__init__()
            self.a, self.b = Parameter(np.ones(2)), Parameter(np.ones(2))

    twins = Twins()
    optimizer = optimizers.SGD(1.0).setup(twins)
    optimizer.add_hook(optimizers.WeightDecay(0.5))
    (twins.a + twins.b).backward()  # the two gradients are equal, and in the original one array
    optimizer.update()
    np.testing.assert_allclose([twins.a.data, twins.b.data], np.full((2, 2), 1 - (1 + 0.5)))


def test_batch_norm_in_test_mode_has_derivatives():
    layer = L.BatchNorm()
    layer(X)
    with dezero.test_mode():
        assert gradient_check(lambda x: layer(x) ** 2, X)
        x = Variable(X)
        layer(x).backward(create_graph=True)
        F.sum(x.grad**2).backward()


def test_backward_on_a_variable_that_was_given():
    x = Variable(np.array([1.0, 2.0]))
    x.backward()
    np.testing.assert_array_equal(x.grad.data, [1, 1])


def test_frozen_parameters_stay():
    model = models.MLP((4, 2))
    model(X)
    optimizer = optimizers.Adam().setup(model)
    optimizer.add_hook(optimizers.FreezeParam(model.l0, model.l1.b))
    before = [p.data.copy() for p in model.params()]
    F.sum(model(X)).backward()
    optimizer.update()
    assert [np.array_equal(p.data, old) for p, old in zip(model.params(), before)] == [True, True, False, True]


@pytest.mark.parametrize("layer", [L.RNN, L.LSTM])
def test_recurrent_layers_whose_sizes_differ(layer):
    rnn = layer(5, in_size=3)
    for _ in range(3):
        h = rnn(rand(2, 3).astype("f"))
    F.sum(h).backward()
    assert h.shape == (2, 5) and all(p.grad is not None for p in rnn.params() if p.ndim == 2)


def test_the_order_of_parameters_is_that_of_definition_whatever_the_hash_seed():
    program = "import dezero.layers as L; print(*L.LSTM(2, 2)._named())"
    orders = set()
    for seed in ("1", "2"):
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        orders.add(done.stdout)
    assert len(orders) == 1 and orders.pop().startswith("x2f/W x2f/b h2f/W x2i/W")


def test_no_derivative_is_written_in_dezero():
    found = set()
    for path in Path(dezero.__file__).parent.glob("*.py"):
        for thing in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(thing, ast.ClassDef):
                methods = [part.name for part in thing.body if isinstance(part, ast.FunctionDef)]
                found |= {(path.name, thing.name)} if "backward" in methods else set()
    assert found == {("core.py", name) for name in ("Variable", "Function", "_Call")}  # the walk, the base, the bridge


# --- optimizers, against their formulas -----------------------------------------------------------------------------------


def momentum(g, s, t):
    s["v"] = 0.9 * s.get("v", 0) - 0.01 * g
    return s["v"]


def adagrad(g, s, t):
    s["h"] = s.get("h", 0) + g * g
    return -0.001 * g / (np.sqrt(s["h"]) + 1e-8)


def adadelta(g, s, t):
    s["g"] = 0.95 * s.get("g", 0) + 0.05 * g * g
    step = np.sqrt((s.get("d", 0) + 1e-6) / (s["g"] + 1e-6)) * g
    s["d"] = 0.95 * s.get("d", 0) + 0.05 * step * step
    return -step


def adam(g, s, t):
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * g
    s["v"] = 0.999 * s.get("v", 0) + 0.001 * g * g
    return -0.001 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * s["m"] / (np.sqrt(s["v"]) + 1e-8)


RULES = {
    "SGD": lambda g, s, t: -0.01 * g, "MomentumSGD": momentum, "AdaGrad": adagrad, "AdaDelta": adadelta, "Adam": adam,
}  # fmt: skip


@pytest.mark.parametrize("name", RULES)
def test_optimizers(name):
    model = L.Linear(2, in_size=4, dtype=np.float64)
    optimizer = getattr(optimizers, name)().setup(model)
    expected, state = model.W.data.copy(), {}
    for t in range(1, 6):
        model.cleargrads()
        F.sum(F.sin(model(X)) * 1e-6).backward()  # small gradients, beside which eps counts
        expected += RULES[name](model.W.grad.data, state, t)
        optimizer.update()
    np.testing.assert_allclose(model.W.data, expected, rtol=1e-12)


def test_clip_grad_limits_the_norm_of_all_gradients_together():
    model = models.MLP((4, 2))
    (F.sum(model(X)) * 100).backward()
    optimizers.ClipGrad(0.5)(list(model.params()))
    assert np.sqrt(sum((p.grad.data**2).sum() for p in model.params())) == pytest.approx(0.5, rel=1e-4)


# --- data, weights, models ------------------------------------------------------------------------------------------------


def test_weights_are_saved_and_loaded(tmp_path):
    def new():
        return models.Sequential(L.Linear(4), L.BatchNorm(), L.Linear(2))

    a, b = new(), new()
    y = a(X)
    a.save_weights(tmp_path / "w.npz")
    b.load_weights(tmp_path / "w.npz")
    with dezero.test_mode():
        np.testing.assert_array_equal(a(X).data, b(X).data)
    assert "l1/avg_mean" in b._named() and y.shape == (3, 2)
    with pytest.raises(ValueError, match="l0/W has shape"):
        models.Sequential(L.Linear(5, in_size=4)).load_weights(tmp_path / "w.npz")


def test_loaders():
    spiral = dezero.datasets.Spiral()
    assert spiral.data.shape == (300, 2) and spiral.data.dtype == "float32" and sorted(set(spiral.label)) == [0, 1, 2]
    loader = dezero.DataLoader(spiral, 32)
    seen = [t for _, t in loader]
    assert len(seen) == 10 and sum(map(len, seen)) == 300 and len(list(loader)) == 10
    waves = dezero.SeqDataLoader(dezero.datasets.SinCurve(), 3)
    (x0, t0), (x1, _) = next(waves), next(waves)
    np.testing.assert_array_equal(t0, x1)
    assert x0.shape == (3, 1)


def test_transforms():
    from PIL import Image

    image = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    tf = dezero.transforms
    assert tf.Compose([tf.CenterCrop(2), tf.Convert("BGR"), tf.ToArray()])(image)[:, 0, 0].tolist() == [17, 16, 15]
    assert tf.Normalize([1.0, 2.0], [2.0, 4.0])(np.full((2, 1, 1), 5.0)).ravel().tolist() == [2, 0.75]
    assert tf.ToPIL()(tf.ToArray(np.uint8)(image)).tobytes() == image.tobytes()


@pytest.mark.parametrize(("n_layers", "count"), [(50, 25_557_032), (101, 44_549_160)])
def test_resnets_have_the_papers_parameters(n_layers, count):
    model = models.ResNet(n_layers)
    with dezero.no_grad(), dezero.test_mode():
        assert model(np.zeros((1, 3, 65, 65), np.float32)).shape == (1, 1000)
    named = model._named()
    trained = sum(p.size for name, p in named.items() if "avg_" not in name)
    assert trained - named["conv1/b"].size == count  # the first convolution has a bias here, as in the original


# --- the textbook's training program --------------------------------------------------------------------------------------


def train(train_set, test_set, hidden_size, max_epoch, batch_size=100):
    """What the textbook trains MNIST with, in its API: MLP, Adam, the weight-decay hook, loaders, GPU where there is one."""
    train_loader = dezero.DataLoader(train_set, batch_size)
    test_loader = dezero.DataLoader(test_set, batch_size, shuffle=False)
    model = models.MLP((hidden_size, hidden_size, 10), activation=F.relu)
    optimizer = dezero.optimizers.Adam().setup(model)
    optimizer.add_hook(dezero.optimizers.WeightDecay(1e-4))
    if dezero.cuda.gpu_enable:
        for part in (train_loader, test_loader, model):
            part.to_gpu()
    for _ in range(max_epoch):
        for x, t in train_loader:
            loss = F.softmax_cross_entropy(model(x), t)
            model.cleargrads()
            loss.backward()
            optimizer.update()
    hits = 0
    with dezero.no_grad(), dezero.test_mode():
        for x, t in test_loader:
            hits += float(F.accuracy(model(x), t).data) * len(t)
    assert {p.dtype for p in model.params()} == {np.dtype("float32")}
    return hits / len(test_set)


def test_the_training_program_learns_the_bundled_digits():
    np.random.seed(0)
    digits = dezero.datasets.Digits
    assert train(digits(train=True), digits(train=False), 100, 15) > 0.94


@pytest.mark.data
def test_the_training_program_learns_mnist():
    np.random.seed(0)
    mnist = dezero.datasets.MNIST
    assert train(mnist(train=True), mnist(train=False), 100, 1) > 0.94
