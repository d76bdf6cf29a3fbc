"""Level 1 by hand, and its solvers, against numerical gradients, closed forms and PyTorch."""

import importlib
import inspect
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import expit, log_softmax

from dlfs.grading import numerical_gradient

study = importlib.import_module("01_Linear_Logistic.study")
by_hand = importlib.import_module("01_Linear_Logistic.numpy.linear_numpy")
solvers = importlib.import_module("01_Linear_Logistic.numpy.solvers_numpy")
paper = importlib.import_module("01_Linear_Logistic.paper.linear_paper")

LinearConfig, LinearModel = study.LinearConfig, by_hand.LinearModel
OUTPUTS = {"linear": 3, "logistic": 1, "softmax": 4}
PENALTIES = [dict(), dict(l1=0.3), dict(l2=0.7), dict(l1=0.3, l2=0.7)]


def loud_model(regression, B=9, seed=0, **penalties):
    """A small float64 model whose weights are large and whose bias is not zero, and a batch for it."""
    rng = np.random.default_rng(seed)
    model = LinearModel(LinearConfig(5, OUTPUTS[regression], regression, **penalties))
    model.load_state_dict({name: 2 * rng.standard_normal(p.shape) for name, p in model.params.items()})
    (x,), (targets,) = study.example_batch(model.config, rng)
    return model, x[:B], targets[:B]


# ------------------------------------------------------------------------------------------------------ The model


@pytest.mark.parametrize("penalties", PENALTIES, ids=str)
@pytest.mark.parametrize("regression", OUTPUTS)
def test_gradients_are_the_numerical_ones(regression, penalties):
    model, x, targets = loud_model(regression, **penalties)
    model.loss(x, targets)
    dx = model.loss_backward()
    found = {"x": dx, **model.grads}
    assert list(model.grads) == list(model.params)
    for name, array in [("x", x), *model.params.items()]:
        expected = numerical_gradient(lambda: model.loss(x, targets), array)
        np.testing.assert_allclose(found[name], expected, rtol=1e-6, atol=1e-8, err_msg=name)


@pytest.mark.parametrize("regression", OUTPUTS)
def test_loss_and_gradients_are_pytorchs(regression):
    model, x, targets = loud_model(regression, l1=0.3, l2=0.7)
    loss = model.loss(x, targets)
    dx = model.loss_backward()
    reference = paper.LinearModel(model.config).double()
    reference.load_state_dict({name: torch.from_numpy(p) for name, p in model.state_dict().items()})
    x_ = torch.from_numpy(x).requires_grad_()
    loss_ = reference.loss(x_, torch.from_numpy(targets))
    loss_.backward()
    np.testing.assert_allclose(loss, loss_.item(), rtol=1e-13)
    np.testing.assert_allclose(dx, x_.grad, rtol=1e-12, atol=1e-13)
    for name, param in reference.named_parameters():
        np.testing.assert_allclose(model.grads[name], param.grad, rtol=1e-12, atol=1e-13, err_msg=name)


def test_the_three_losses_have_one_gradient():
    """What is expected of a target, less the target, over B."""
    for regression, mean in [("linear", lambda z: z), ("logistic", expit), ("softmax", by_hand.softmax)]:
        model, x, targets = loud_model(regression)
        z = model.forward(x)
        if regression == "softmax":
            targets_ = np.eye(4)[targets]
        else:
            targets_ = targets.reshape(z.shape)
        found = by_hand.LOSSES[regression][1](z, targets)
        np.testing.assert_allclose(found, (mean(z) - targets_) / len(x), rtol=1e-13, atol=1e-16)


def test_losses_survive_outputs_that_overflow_exp():
    z = np.array([[-1e4], [-745.0], [-40.0], [0.0], [40.0], [745.0], [1e4]])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        for target in (0, 1):
            targets = np.full(len(z), target)
            found = [by_hand.binary_cross_entropy(z[[i]], targets[[i]]) for i in range(len(z))]
            np.testing.assert_allclose(found, np.logaddexp(0, (1 - 2 * target) * z[:, 0]), rtol=1e-15)
            dz = by_hand.binary_cross_entropy_backward(z, targets)
            np.testing.assert_allclose(dz, (expit(z) - target) / len(z), rtol=1e-14, atol=1e-17)
        z = np.array([[1e4, 0.0, -1e4], [-1e4, -1e4, -1e4 + 1]])
        found = by_hand.cross_entropy(z, np.array([1, 2]))
        np.testing.assert_allclose(found, -log_softmax(z, axis=1)[[0, 1], [1, 2]].mean(), rtol=1e-15)
        assert np.isfinite(by_hand.cross_entropy_backward(z, np.array([1, 2]))).all()


def test_softmax_of_two_classes_is_logistic_regression_of_the_difference():
    softmax = LinearModel(LinearConfig(5, 2, "softmax"))
    logistic, x, targets = loud_model("logistic")
    weight, bias = logistic.params.values()
    shift, rng = 0.7, np.random.default_rng(1)
    common = rng.standard_normal(weight.shape)
    softmax.load_state_dict(
        {
            "linear.weight": np.concatenate([common, common + weight]),
            "linear.bias": np.concatenate([np.full(1, shift), shift + bias]),
        }
    )
    np.testing.assert_allclose(softmax.loss(x, targets), logistic.loss(x, targets), rtol=1e-13)
    softmax.loss_backward(), logistic.loss_backward()
    np.testing.assert_allclose(softmax.grads["linear.weight"][1:], logistic.grads["linear.weight"], rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("regression", OUTPUTS)
def test_dtype_is_kept_from_the_input_to_every_gradient(regression, dtype):
    model, x, targets = loud_model(regression, l1=0.3, l2=0.7)
    model.load_state_dict({name: p.astype(dtype) for name, p in model.params.items()})
    loss = model.loss(x.astype(dtype), targets.astype(dtype) if regression == "linear" else targets)
    dx = model.loss_backward()
    assert loss.dtype == dx.dtype == dtype and {g.dtype for g in model.grads.values()} == {np.dtype(dtype)}


def test_train_step_is_gradient_descent_and_returns_the_loss_before_it():
    model, x, targets = loud_model("softmax", l2=0.1)
    loss = model.loss(x, targets)
    model.loss_backward()
    expected = {name: p - 0.1 * model.grads[name] for name, p in model.params.items()}
    assert model.train_step(x, targets, lr=0.1) == loss > model.loss(x, targets)
    for name, param in model.params.items():
        np.testing.assert_array_equal(param, expected[name])


def test_backward_before_forward_says_what_to_call():
    model, x, _ = loud_model("softmax")
    with pytest.raises(RuntimeError, match=r"LinearModel\.backward: .* call forward\(x\) first"):
        model.backward(np.zeros((9, 4)))
    model.forward(x)
    with pytest.raises(RuntimeError, match=r"LinearModel\.loss_backward: .* call loss\(x, targets\) first"):
        model.loss_backward()
    with pytest.raises(ValueError, match=r"LinearModel\.backward: expected dz \(9, 4\), got \(4, 9\)"):
        model.backward(np.zeros((4, 9)))


# ---------------------------------------------------------------------------------------------------- The solvers


def problem(regression, rows=60, seed=0, **penalties):
    """A model that starts from zeros and rows that no plane separates."""
    rng, config = np.random.default_rng(seed), LinearConfig(5, OUTPUTS[regression], regression, **penalties)
    x = rng.standard_normal((rows, 5)) * [1, 2, 0.5, 1, 1] + [0, 1, 0, 0, -2]
    z = x @ rng.standard_normal((5, config.out_features)) + rng.standard_normal((rows, config.out_features))
    if regression == "linear":
        targets = z + 3
    elif regression == "logistic":
        targets = (z[:, 0] + 2 * rng.standard_normal(rows) > 0).astype(np.int64)
    else:
        targets = (z + 2 * rng.gumbel(size=z.shape)).argmax(axis=1)
    return LinearModel(config), x, targets


@pytest.mark.parametrize("l2", [0.0, 0.3])
def test_the_closed_form_and_gradient_descent_meet(l2):
    found = []
    for solve in (solvers.normal_equations, solvers.least_squares, solvers.gradient_descent, solvers.newton):
        model, x, targets = problem("linear", l2=l2)
        solve(model, x, targets)
        model.loss(x, targets)
        model.loss_backward()
        assert max(np.abs(grad).max() for grad in model.grads.values()) <= 1e-9, solve.__name__
        found.append(solvers.get_theta(model))
    for theta in found[1:]:
        np.testing.assert_allclose(theta, found[0], rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("regression", ["logistic", "softmax"])
def test_newton_and_gradient_descent_meet(regression):
    found = []
    for solve, least, most in ((solvers.newton, 3, 12), (solvers.gradient_descent, 100, 10_000)):
        model, x, targets = problem(regression, l2=0.05)
        losses = solve(model, x, targets)
        assert least <= len(losses) < most and (np.diff(losses) <= 1e-15).all(), solve.__name__
        found.append(solvers.get_theta(model))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6, atol=1e-7)


def test_newton_needs_one_step_for_a_parabola():
    model, x, targets = problem("linear", l2=0.3)
    assert len(solvers.newton(model, x, targets)) == 2  # the loss before the step, and the loss of the minimum


def test_newton_doubles_its_digits():
    model, x, targets = problem("logistic", l2=0.01)
    losses = np.array(solvers.newton(model, x, targets, tolerance=1e-14))
    error = losses - losses[-1]
    error = error[error > 1e-14]
    assert len(error) >= 4 and error[-1] < error[-2] ** 1.5


@pytest.mark.parametrize("regression", OUTPUTS)
def test_the_hessian_is_the_derivative_of_the_gradient_and_autograds(regression):
    model, x, targets = loud_model(regression, l2=0.3)
    theta = solvers.get_theta(model)

    def gradient():
        solvers.set_theta(model, theta)
        model.loss(x, targets)
        model.loss_backward()
        return np.column_stack(list(model.grads.values())).ravel()

    expected = numerical_gradient(gradient, theta).reshape(theta.size, theta.size)
    solvers.set_theta(model, theta)
    found = solvers.hessian(model, x)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)

    reference = paper.LinearModel(model.config).double()

    def loss(flat):
        theta_ = flat.reshape(theta.shape)
        state = {"linear.weight": theta_[:, :-1], "linear.bias": theta_[:, -1]}
        names = ("linear.weight", "linear.bias")
        z = torch.func.functional_call(reference, state, torch.from_numpy(x))
        penalty = 0.5 * model.config.l2 * (state[names[0]] ** 2).sum()
        return paper.LOSSES[regression](z, torch.from_numpy(targets)) + penalty

    by_autograd = torch.autograd.functional.hessian(loss, torch.from_numpy(theta.ravel().copy()))
    np.testing.assert_allclose(found, by_autograd, rtol=1e-10, atol=1e-13)


def test_a_newton_step_is_a_weighted_least_squares():
    """Which is why for logistic regression it is called iteratively reweighted least squares."""
    model, x, targets = problem("logistic")
    solvers.start(model, x)
    z = model.forward(x)[:, 0]
    p = expit(z)
    weights, X = p * (1 - p), np.column_stack([x, np.ones(len(x))])
    working = z - (p - targets) / weights
    root = np.sqrt(weights)
    expected = np.linalg.lstsq(root[:, None] * X, root * working)[0]  # eq. 27
    solvers.newton(model, x, targets, max_steps=1)
    np.testing.assert_allclose(solvers.get_theta(model)[0], expected, rtol=1e-12)


@pytest.mark.parametrize("regression", OUTPUTS)
def test_lasso_is_at_a_minimum_and_has_weights_of_exactly_zero(regression):
    """At the minimum the rest of the gradient is -l1 sign(w) where w is not 0, and within ± l1 where it is."""
    l1 = 0.4 if regression == "linear" else 0.06
    model, x, targets = problem(regression, l1=l1)
    losses = solvers.proximal_descent(model, x, targets)
    weight = model.params["linear.weight"]
    zero = weight == 0
    assert 0 < zero.sum() < weight.size and (np.diff(losses) <= 1e-14).all()
    model.backward(by_hand.LOSSES[regression][1](model.forward(x), targets))
    rest = model.grads["linear.weight"]
    np.testing.assert_allclose(rest[~zero], -l1 * np.sign(weight[~zero]), atol=1e-7)
    assert (np.abs(rest[zero]) <= l1).all() and np.abs(model.grads["linear.bias"]).max() < 1e-7


def test_plain_descent_with_l1_makes_no_weight_zero():
    model, x, targets = problem("linear", l1=0.4)
    solvers.start(model, x)
    for _ in range(3000):
        model.train_step(x, targets, lr=0.01)
    assert (model.params["linear.weight"] != 0).all()


def test_soft_threshold_minimises_its_parabola():
    v = np.linspace(-3, 3, 60_001)
    for w in (-2.0, -0.5, 0.0, 0.3, 1.7):
        best = v[np.argmin(0.5 * (v - w) ** 2 + 0.6 * np.abs(v))]
        assert abs(solvers.soft_threshold(w, 0.6) - best) < 1e-4


def test_the_safe_step_is_safe_and_little_too_short():
    model, x, targets = problem("linear")
    lr = solvers.safe_lr(model, x)
    assert (np.diff(solvers.gradient_descent(model, x, targets, lr=lr, max_steps=200)) <= 0).all()
    model, x, targets = problem("linear")
    losses = solvers.gradient_descent(model, x, targets, lr=2.1 * lr, max_steps=500)
    assert losses[-1] > losses[0]


def test_no_curvature_is_larger_than_the_safe_step_allows():
    rng = np.random.default_rng(0)
    for regression in OUTPUTS:
        for scale in (0, 1, 10):
            z = scale * rng.standard_normal((200, OUTPUTS[regression]))
            largest = np.linalg.eigvalsh(solvers.output_curvature(regression, z)).max()
            assert largest <= solvers.CURVATURE[regression] + 1e-12
    z = np.array([[50.0, 50.0, 0.0, 0.0]])  # two classes share all the probability: the bound is reached
    assert math.isclose(np.linalg.eigvalsh(solvers.output_curvature("softmax", z)).max(), 0.5)


def test_the_normal_equations_lose_twice_the_digits():
    x = np.linspace(0, 1, 50)[:, None] ** np.arange(1, 10)  # powers: nearly the same column again and again
    theta = np.arange(1.0, 11.0)
    targets = (x @ theta[:9] + theta[9])[:, None]
    errors = {}
    for solve in (solvers.normal_equations, solvers.least_squares):
        model = LinearModel(LinearConfig(9, 1, "linear"))
        solve(model, x, targets)
        errors[solve.__name__] = np.abs(solvers.get_theta(model)[0] - theta).max()
    assert errors["least_squares"] < 1e-7 and errors["normal_equations"] > 1e3 * errors["least_squares"]


def test_where_a_plane_separates_the_classes_there_is_no_minimum():
    """Without a penalty: any weights that separate do better when they are doubled."""
    x, targets = np.array([[-2.0], [-1.0], [1.0], [3.0]]), np.array([0, 0, 1, 1])
    model = LinearModel(LinearConfig(1, 1, "logistic"))
    few, many = (solvers.gradient_descent(model, x, targets, max_steps=n) for n in (100, 10_000))
    assert 0 < many[-1] < 0.05 * few[-1] and model.params["linear.weight"] > 5


@pytest.mark.parametrize(
    ("solver", "config", "message"),
    [
        ("normal_equations", LinearConfig(5, 3, "softmax"), "solves linear regression, got softmax; newton takes any"),
        (
            "least_squares",
            LinearConfig(5, 1, "linear", l1=0.5),
            r"has a corner at 0, got l1=0\.5; use proximal_descent",
        ),
        ("gradient_descent", LinearConfig(5, 1, "linear", l1=0.5), "use proximal_descent"),
        ("newton", LinearConfig(5, 1, "linear", l1=0.5), "use proximal_descent"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_a_solver_refuses_a_loss_that_it_is_not_for(solver, config, message):
    with pytest.raises(ValueError, match=f"{solver}: .*{message}"):
        getattr(solvers, solver)(LinearModel(config), np.zeros((4, 5)), np.zeros((4, 1)))


# ----------------------------------------------------------------------------------------------------- The text


def test_it_imports_numpy_alone():
    sources = [Path(module.__file__).read_text(encoding="utf-8") for module in (by_hand, solvers)]
    found = [re.findall(r"^(?:from|import) (\S+)", source, flags=re.MULTILINE) for source in sources]
    assert found == [["numpy", "..study"], ["dataclasses", "numpy", ".linear_numpy"]]


def test_every_line_of_backward_stands_next_to_its_equation():
    folder = Path(study.__file__).parent
    numbered = {int(n) for n in re.findall(r"\\tag\{(\d+)\}", (folder / "theory.md").read_text(encoding="utf-8"))}
    assert numbered == set(range(1, len(numbered) + 1))
    files = [folder / file for file in study.LEVELS.values()] + [Path(solvers.__file__), Path(__file__)]
    cited = {int(n) for file in files for n in re.findall(r"eq\. (\d+)", file.read_text(encoding="utf-8"))}
    assert cited == numbered

    functions = [backward for _, backward in by_hand.LOSSES.values()]
    functions += [LinearModel.backward, LinearModel.loss_backward, LinearModel.train_step]
    lines = [line.strip() for f in functions for line in inspect.getsource(f).splitlines()]
    gradients = [line for line in lines if re.match(r"((self\.)?grads\[.*\]|d[a-z]+|param) [-+]?= |return \(", line)]
    gradients = [line for line in gradients if "self.backward(dz)" not in line]
    assert len(gradients) == 9  # the losses, dz, three of the linear map, the penalty, the update
    assert not [line for line in gradients if not re.search(r"# .*eq\. \d+", line)]
