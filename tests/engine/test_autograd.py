"""The graph and its walk: what is kept, what is freed, what is refused, and that gradients are PyTorch's."""

import gc
import weakref

import numpy as np
import pytest
import torch

import framework
from framework import Tensor
from framework.anomaly import detect_anomaly, set_detect_anomaly
from framework.autograd import Node
from framework.function import Function, checkpoint
from framework.functional import hessian, hvp, jacobian, jvp, vhp, vjp
from framework.gradcheck import GradcheckError, gradcheck, gradgradcheck
from framework.ops.define import unary
from framework.tensor import backward, grad


def leaf(*values, shape=None):
    array = np.array(values, dtype=np.float64)
    return Tensor(array if shape is None else array.reshape(shape), requires_grad=True)


def nodes_alive():
    return sum(type(thing) is Node for thing in gc.get_objects())


# --- what is kept and what is freed ---


def test_the_graph_dies_with_backward_without_the_garbage_collector():
    gc.collect()
    gc.disable()
    try:
        before = nodes_alive()
        x = leaf(1.0, 2.0)
        y = x.exp() * x + x.tanh()
        loss = (y * y).sum()
        reference = weakref.ref(y)
        loss.backward()
        del y, loss
        assert reference() is None
        assert nodes_alive() == before
    finally:
        gc.enable()


def test_a_graph_never_walked_dies_without_the_garbage_collector():
    gc.collect()
    gc.disable()
    try:
        before = nodes_alive()
        y = leaf(1.0).exp().tanh().exp()
        del y
        assert nodes_alive() == before
    finally:
        gc.enable()


def test_a_chain_of_two_hundred_thousand_ops():
    x = leaf(1.0)
    y = x
    for _ in range(200_000):
        y = -y
    y.backward()
    assert x.grad.item() == 1.0
    del y


def test_a_second_backward_is_refused_unless_the_graph_was_retained():
    x = leaf(3.0)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 12.0
    with pytest.raises(RuntimeError, match="retain_graph=True"):
        y.backward()


def test_only_what_the_derivative_names_is_saved():
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    assert (x + w).node.saved == (None, None, None)
    assert x.exp().node.saved[0] is not x.array
    product = x * w.detach()
    assert product.node.saved[0] is None and product.node.saved[1] is w.array


def test_constants_and_no_grad_leave_no_node():
    x = leaf(1.0)
    assert (Tensor(np.ones(1)) * 2).node is None
    with framework.no_grad():
        assert x.exp().node is None
        with framework.enable_grad():
            assert x.exp().node is not None
    with framework.inference_mode():
        assert not x.exp().requires_grad
    with framework.set_grad_enabled(False):
        assert not x.exp().requires_grad
    assert x.exp().requires_grad

    @framework.no_grad()
    def quiet():
        return x.exp()

    assert not quiet().requires_grad and framework.is_grad_enabled()


def test_gradients_never_share_memory():
    a, b, c = leaf(1.0, 2.0), leaf(3.0, 4.0), leaf(5.0, 6.0)
    seed = Tensor(np.ones(2))
    (a + b + c).backward(seed)
    buffers = [a.grad.array, b.grad.array, c.grad.array, seed.array]
    assert not any(np.shares_memory(p, q) for i, p in enumerate(buffers) for q in buffers[:i])
    (a + b).backward(seed)
    np.testing.assert_array_equal(c.grad.array, [1, 1])
    np.testing.assert_array_equal(a.grad.array, [2, 2])
    np.testing.assert_array_equal(seed.array, [1, 1])


def test_the_same_tensor_on_both_sides():
    x = leaf(3.0)
    y = x + x
    (y * y).backward()
    assert x.grad.item() == 2 * 6 * 2


# --- grad, create_graph ---


def test_grad_leaves_dot_grad_alone_and_takes_non_leaves():
    x = leaf(2.0)
    h = x * x
    y = h * h
    gh, gx = grad(y, (h, x))
    assert (gh.item(), gx.item()) == (2 * 4.0, 4 * 8.0)
    assert x.grad is None


def test_grad_computes_only_what_leads_to_its_inputs():
    calls = []

    def vjp(g, x):
        calls.append("second")
        return g

    probe = unary("probe_of_test_autograd", np.positive, vjp)
    x, w = leaf(2.0), leaf(3.0)
    y = x * 2 + probe(w)
    grad(y, x)
    assert calls == []
    y = x * 2 + probe(w)
    y.backward()
    assert calls == ["second"]


def test_grad_of_an_unused_input():
    x, w = leaf(2.0), leaf(3.0)
    with pytest.raises(RuntimeError, match="allow_unused"):
        grad(x * x, w)
    assert grad(x * x, w, allow_unused=True) == (None,)
    assert grad(x * x, w, materialize_grads=True)[0].item() == 0


def test_grad_takes_its_arguments_where_pytorch_does():
    x, w = leaf(2.0), leaf(3.0)
    assert grad(x * x, x, None, False, True, only_inputs=True)[0].requires_grad
    with pytest.raises(RuntimeError, match="allow_unused"):
        grad(x * x, w, None, None, False, True)  # the sixth is only_inputs
    assert grad(x * x, w, None, None, False, True, True) == (None,)
    with pytest.raises(NotImplementedError, match="is_grads_batched"):
        grad(x * x, x, is_grads_batched=True)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_derivatives_of_sine_to_order_four(order):
    x = leaf(0.7)
    y = framework.sin(x)
    for _ in range(order):
        (y,) = grad(y, x, create_graph=True)
    assert y.item() == pytest.approx([np.cos(0.7), -np.sin(0.7), -np.cos(0.7), np.sin(0.7)][order - 1], abs=1e-15)


def test_backward_with_create_graph_makes_grad_differentiable():
    x = leaf(2.0)
    (x * x * x).backward(create_graph=True)
    g = x.grad
    x.grad = None
    g.backward()
    assert x.grad.item() == 12.0


def test_several_outputs_and_given_gradients():
    x = leaf(1.0, 2.0)
    backward([x * 2, x * x], [Tensor(np.array([1.0, 10.0])), Tensor(np.array([1.0, 1.0]))])
    np.testing.assert_array_equal(x.grad.array, [2 + 2, 20 + 4])


def test_backward_errors_say_what_to_do():
    x = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match="reduce it with sum"):
        (x * x).backward()
    with pytest.raises(RuntimeError, match=r"gradient has shape \(3,\), the output \(2,\)"):
        (x * x).backward(Tensor(np.ones(3)))
    with pytest.raises(RuntimeError, match="does not require grad"):
        Tensor(np.ones(1)).backward()
    with pytest.raises(RuntimeError, match="only floating-point"):
        Tensor(np.ones(2, np.int64)).requires_grad_()


# --- hooks ---


def test_hooks_see_the_whole_gradient_and_may_replace_it():
    x = leaf(3.0)
    seen = []
    h = x * 2
    h.register_hook(lambda g: seen.append(g.item()))
    handle = x.register_hook(lambda g: g * 10)
    (h * h + h).backward()
    assert seen == [2 * 6 + 1]
    assert x.grad.item() == 10 * 2 * 13
    handle.remove()
    x.grad = None
    (x * 2).backward()
    assert x.grad.item() == 2


def test_retain_grad_keeps_a_non_leafs_gradient():
    x = leaf(3.0)
    h = x * x
    assert not h.retains_grad
    for _ in range(2):  # asking twice keeps it once
        h.retain_grad()
    assert h.retains_grad
    (h * 5).backward()
    assert h.grad.item() == 5


# --- in place ---


def test_a_value_needed_for_backward_that_was_overwritten_is_an_error():
    x = leaf(1.0, 2.0)
    h = x * 1
    y = h * h
    h.add_(1)
    with pytest.raises(RuntimeError, match="mulBackward saved.*changed in place"):
        y.sum().backward()
    y = x.exp()
    y.mul_(2)
    with pytest.raises(RuntimeError, match="expBackward saved"):
        y.sum().backward()


def test_in_place_is_truly_in_place_and_differentiated():
    x = leaf(1.0, 2.0)
    h = x * 3
    array, same = h.array, h
    h += 1
    h *= x
    assert h is same and h.array is array
    h.sum().backward()
    np.testing.assert_array_equal(x.grad.array, 6 * x.array + 1)


def test_writes_that_would_lose_history_are_refused():
    x = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match="leaf that requires grad"):
        x.add_(1)
    with framework.no_grad():
        x.add_(1)
    np.testing.assert_array_equal(x.array, [2, 3])
    h = x * 1
    view = h.reshape(2, 1)
    with pytest.raises(RuntimeError, match="is a view.*out of place"):
        view.add_(1)


def test_a_stale_view_is_refused_rather_than_wrong():
    x = leaf(1.0, 2.0)
    h = x * 1
    view = h.reshape(2, 1)
    h.mul_(3)
    with pytest.raises(RuntimeError, match="take the view again"):
        view * 2
    h.reshape(2, 1).sum().backward()
    np.testing.assert_array_equal(x.grad.array, [3, 3])


def test_in_place_keeps_shape_and_dtype():
    with pytest.raises(RuntimeError, match="does not fit"):
        Tensor(np.ones(2)).add_(Tensor(np.ones((3, 2))))
    with pytest.raises(RuntimeError, match="cannot be stored"):
        Tensor(np.ones(2, np.int64)).mul_(0.5)


# --- Function ---


class Exp(Function):
    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return g * y


class SumAndProduct(Function):
    @staticmethod
    def forward(a, b, scale):
        return (a + b) * scale, a * b

    @staticmethod
    def setup_context(ctx, inputs, output):
        a, b, ctx.scale = inputs
        ctx.save_for_backward(a, b)

    @staticmethod
    def backward(ctx, gs, gp):
        a, b = ctx.saved_tensors
        return gs * ctx.scale + gp * b, gs * ctx.scale + gp * a, None


def test_a_custom_function_to_order_two():
    assert gradgradcheck(Exp.apply, leaf(0.3, -0.2))
    a, b = leaf(0.3, -0.2), leaf(1.0, 2.0)
    assert gradcheck(lambda a, b: SumAndProduct.apply(a, b, 3.0), (a, b))
    assert gradgradcheck(lambda a, b: SumAndProduct.apply(a, b, 3.0), (a, b))


def test_a_custom_function_with_one_output_unused_gets_zeros():
    a, b = leaf(2.0), leaf(5.0)
    SumAndProduct.apply(a, b, 3.0)[1].backward()
    assert (a.grad.item(), b.grad.item()) == (5.0, 2.0)


def test_a_custom_function_leaves_no_cycle():
    gc.collect()
    gc.disable()
    try:
        before = nodes_alive()
        y = Exp.apply(leaf(1.0))
        y.backward()
        del y
        assert nodes_alive() == before
    finally:
        gc.enable()


def test_a_wrong_backward_of_a_custom_function_is_named():
    class Wrong(Exp):
        @staticmethod
        def backward(ctx, g):
            return g.reshape(2, 1)

    with pytest.raises(RuntimeError, match=r"Wrong.backward: gradient 0 has shape \(2, 1\)"):
        Wrong.apply(leaf(1.0, 2.0)).sum().backward()


# --- checkpoint ---


def test_checkpoint_gives_the_same_gradients_also_for_captured_weights_and_twice():
    w = leaf(0.1, 0.2)

    def segment(a, b):
        return (a * b + w).tanh()

    a, b = leaf(0.3, 0.4), leaf(1.3, 0.4)
    plain = grad(segment(a, b).sum(), (a, b, w))
    saved = grad(checkpoint(segment, a, b).sum(), (a, b, w))
    for p, q in zip(plain, saved, strict=True):
        np.testing.assert_array_equal(p.array, q.array)
    assert gradgradcheck(lambda a, b, w: checkpoint(segment, a, b), (a, b, w))


def test_checkpoint_repeats_its_random_numbers():
    def noisy(x):
        return x * framework.rand(3, dtype=framework.float64)

    framework.manual_seed(3)
    x = leaf(1.0, 2.0, 3.0)
    y = checkpoint(noisy, x)
    framework.rand(5)
    y.sum().backward()
    np.testing.assert_allclose(x.grad.array * x.array, y.array)


# --- anomalies, checks ---


def test_detect_anomaly_names_the_op():
    with (
        pytest.raises(RuntimeError, match="log made the first NaN, in forward"),
        np.errstate(invalid="ignore"),
        detect_anomaly(),
    ):
        leaf(-1.0).log().exp()
    with (
        pytest.raises(RuntimeError, match="backward of sqrt.*in backward"),
        np.errstate(divide="ignore", invalid="ignore"),
        detect_anomaly(),
    ):
        x = leaf(0.0)
        (x * x).sqrt().backward(Tensor(np.array([0.0])))
    leaf(-1.0).exp().backward()


def test_detect_anomaly_is_switched_as_in_pytorch():
    with np.errstate(invalid="ignore"):
        for on in (
            lambda: detect_anomaly(True),
            lambda: set_detect_anomaly(True),
            lambda: set_detect_anomaly(True, check_nan=True),
        ):
            with on(), pytest.raises(RuntimeError, match="first NaN"):
                leaf(-1.0).log()
            leaf(-1.0).log()  # off again
        set_detect_anomaly(True)
        with set_detect_anomaly(False), detect_anomaly(check_nan=False):
            leaf(-1.0).log()
        with pytest.raises(RuntimeError, match="first NaN"):
            leaf(-1.0).log()
        set_detect_anomaly(False)
        leaf(-1.0).log()
    with pytest.raises(TypeError):
        detect_anomaly(True, True)  # PyTorch's has check_nan alone
    assert framework.log.op.forward is np.log


def test_gradcheck_sees_a_wrong_derivative():
    wrong = unary("wrong_of_test_autograd", np.sin, lambda g, x: g * np.sin(x))
    with pytest.raises(GradcheckError, match="central differences give"):
        gradcheck(wrong, leaf(0.3))
    assert gradcheck(wrong, leaf(0.3), raise_exception=False) is False
    detached = unary(
        "detached_of_test_autograd",
        np.sin,
        lambda g, x: g * Tensor(np.cos(x.array)) if isinstance(x, Tensor) else g * np.cos(x),
    )
    assert gradcheck(detached, leaf(0.3))
    with pytest.raises(GradcheckError):
        gradgradcheck(detached, leaf(0.3))


def test_gradcheck_asks_for_float64():
    with pytest.raises(ValueError, match="float64"):
        gradcheck(framework.exp, Tensor(np.ones(2, np.float32), requires_grad=True))


# --- Jacobians, Hessians: against PyTorch ---


def both(function, *arrays):
    ours = function(framework, *(Tensor(a.copy()) for a in arrays))
    theirs = function(torch, *(torch.tensor(a) for a in arrays))
    return ours, theirs


def assert_same(ours, theirs):
    if isinstance(theirs, (tuple, list)):
        assert len(ours) == len(theirs)
        for p, q in zip(ours, theirs, strict=True):
            assert_same(p, q)
    else:
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-12, atol=1e-14)


def namespace(T):
    if T is torch:
        return torch.autograd.functional
    return type("functional", (), {f.__name__: staticmethod(f) for f in (jacobian, hessian, vjp, jvp, vhp, hvp)})


A, B, V = np.array([[0.3, -1.2, 0.5], [0.1, 2.0, -0.7]]), np.array([0.4, 1.5, -0.3]), np.array([1.0, -2.0, 0.5])


@pytest.mark.parametrize(
    "call",
    [
        lambda T, a, b, v: namespace(T).jacobian(lambda x: T.sin(x) * x, a),
        lambda T, a, b, v: namespace(T).jacobian(lambda x, y: (x * y, y.exp()), (a, b)),
        lambda T, a, b, v: namespace(T).hessian(lambda x: (x * x * x).sum(), b),
        lambda T, a, b, v: namespace(T).hessian(lambda x, y: (x * y).exp().sum(), (a, b)),
        lambda T, a, b, v: namespace(T).vjp(lambda x: T.tanh(x), b, v),
        lambda T, a, b, v: namespace(T).jvp(lambda x: T.tanh(x) * x, b, v),
        lambda T, a, b, v: namespace(T).hvp(lambda x: (x * x.exp()).sum(), b, v),
        lambda T, a, b, v: namespace(T).vhp(lambda x: (x * x.exp()).sum(), b, v),
    ],
)
def test_functional_derivatives_equal_pytorchs(call):
    assert_same(*both(call, A, B, V))


@pytest.mark.parametrize("name", ["jacobian", "hessian", "vjp", "jvp", "vhp", "hvp"])
def test_functional_takes_pytorchs_arguments(name):
    x = torch.tensor([1.0, 2.0])
    v = (
        ()
        if name in ("jacobian", "hessian")
        else (torch.tensor([0.5, 3.0]),)
        if name != "vjp"
        else (torch.tensor(1.0),)
    )
    options = {"vectorize": True} if not v else {}
    expected = getattr(torch.autograd.functional, name)(
        lambda x: (x * x * x).sum(), x, *v, create_graph=False, strict=False, **options
    )
    function = getattr(framework.autograd.functional, name)
    ours = [Tensor(t.numpy()) for t in (x, *v)]
    found = function(lambda x: (x * x * x).sum(), *ours, create_graph=False, strict=False, **options)
    for a, b in zip(found if v else [found], expected if v else [expected]):
        np.testing.assert_allclose(a.array, b.numpy(), rtol=1e-6)
    with pytest.raises(NotImplementedError, match=f"{name}: strict=True"):
        function(lambda x: x.sum(), *ours, strict=True)


def test_post_accumulate_hooks_come_as_soon_as_a_gradient_is_whole():
    """In PyTorch's order, with what `.grad` then holds; also of a leaf that is used twice, and of one that is the output itself."""

    def story(T):
        events = []
        w, v, u = (T.full((2,), value, dtype=T.float64).requires_grad_() for value in (0.5, 1.5, 2.0))
        handles = [
            p.register_post_accumulate_grad_hook(lambda p, name=name: events.append((name, p.grad.tolist())))
            for name, p in (("w", w), ("v", v), ("u", u))
        ]
        h = (w * 3).exp()
        hidden = h * 1
        hidden.register_hook(lambda g: events.append(("hidden", g.tolist())))
        for _ in range(2):
            (hidden * v + (hidden * u) * v).sum().backward(retain_graph=True)
        handles[1].remove()
        (v * 2).sum().backward()
        u.backward(T.ones(2, dtype=T.float64))
        return events

    ours, theirs = story(framework), story(torch)
    assert ours == theirs and [name for name, _ in ours[:4]] in (["v", "u", "hidden", "w"], ["u", "v", "hidden", "w"])
    y = framework.ones(2, requires_grad=True) * 2
    with pytest.raises(RuntimeError, match="only a leaf"):
        y.register_post_accumulate_grad_hook(print)
