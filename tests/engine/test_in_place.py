"""In-place methods: truly in place, counted, differentiated, and refused where a value that backward needs would be lost."""

import numpy as np
import pytest
import torch

import framework
from framework import Tensor


def leaf(*values):
    return framework.tensor(values, dtype=framework.float64, requires_grad=True)


METHODS = {
    "abs_": (), "neg_": (), "exp_": (), "log_": (), "sqrt_": (), "tanh_": (), "sigmoid_": (), "relu_": (), "add_": (2.0,), "sub_": (2.0,),
    "mul_": (2.0,), "div_": (2.0,), "pow_": (2.0,), "clamp_": (0.0, 1.0), "zero_": (), "fill_": (3.0,), "normal_": (), "uniform_": (),
    "lerp_": (framework.ones(3), 0.5), "copy_": (framework.ones(3),), "bernoulli_": (0.5,), "remainder_": (2.0,), "round_": (), "erf_": (),
}  # fmt: skip


@pytest.mark.parametrize("name", METHODS)
def test_the_array_stays_and_every_view_sees_the_new_values(name):
    x = framework.tensor([0.5, 1.5, 2.5])
    array, view, shared = x.array, x.view(3, 1), x.detach()
    assert getattr(x, name)(*METHODS[name]) is x
    assert x.array is array
    np.testing.assert_array_equal(view.array[:, 0], x.array)
    np.testing.assert_array_equal(shared.array, x.array)
    assert x._version == view._version == shared._version == 1


@pytest.mark.parametrize("name", METHODS)
def test_a_leaf_that_requires_grad_is_written_to_only_under_no_grad(name):
    x = framework.tensor([0.5, 1.5, 2.5], requires_grad=True)
    before = x.array.copy()
    with pytest.raises(RuntimeError, match="in place: a leaf"):
        getattr(x, name)(*METHODS[name])
    np.testing.assert_array_equal(x.array, before)
    with framework.no_grad():
        getattr(x, name)(*METHODS[name])
    assert x.requires_grad and x.is_leaf


def test_operators_write_in_place():
    x = framework.tensor([7.0, 8.0])
    array = x.array
    x += 1
    x -= 2
    x *= 3
    x /= 2
    x **= 2
    x //= 4
    x %= 5
    assert x.array is array
    np.testing.assert_array_equal(x.array, (((np.array([7.0, 8.0]) + 1 - 2) * 3 / 2) ** 2 // 4) % 5)


def test_gradients_flow_through_a_chain_of_writes():
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    y = x * 2
    y.mul_(w)
    y.exp_()
    y += x
    y.sum().backward()
    np.testing.assert_allclose(x.grad.array, np.exp([6.0, 16.0]) * 2 * np.array([3.0, 4.0]) + 1)
    np.testing.assert_allclose(w.grad.array, np.exp([6.0, 16.0]) * np.array([2.0, 4.0]))


@pytest.mark.parametrize(
    "use",
    [
        lambda y: y * y,
        lambda y: y.log(),
        lambda y: y.sin(),
        lambda y: framework.where(y > 0, y, 2 * y) * y,
        lambda y: y.std(),
        lambda y: y.logsumexp(0),
    ],
)
def test_overwriting_what_backward_needs_is_an_error(use):
    x = leaf(1.0, 2.0)
    y = x * 1
    z = use(y)
    y.add_(1)
    with pytest.raises(RuntimeError, match="changed in place"):
        z.sum().backward()


@pytest.mark.parametrize(
    "use", [lambda y: y.exp(), lambda y: y.tanh(), lambda y: y.sqrt(), lambda y: y.sigmoid(), lambda y: y.amax()]
)
def test_overwriting_a_saved_result_through_detach_is_an_error(use):
    x = leaf(1.0, 2.0)
    z = use(x * 1)
    z.detach().zero_()
    with pytest.raises(RuntimeError, match="changed in place"):
        z.sum().backward()


@pytest.mark.parametrize(
    "use", [lambda y: y + 1, lambda y: y * 3, lambda y: y.sum(), lambda y: framework.cat([y, y]), lambda y: y.mean()]
)
def test_overwriting_what_backward_does_not_need_is_none(use):
    x = leaf(1.0, 2.0)
    y = x.clone()
    z = use(y)
    y.zero_()
    z.sum().backward()
    assert (x.grad.array != 0).all()


def test_a_view_of_what_requires_grad_is_not_written_to():
    y = leaf(1.0, 2.0, 3.0) * 1
    for view in (
        y.view(3, 1),
        y[1:],
        y.reshape(1, 3),
        y.unsqueeze(0),
        y.expand(3),
        y.diagonal() if y.ndim > 1 else y.squeeze(),
    ):
        with pytest.raises(RuntimeError, match="view.*out of place"):
            view.add_(1)


@pytest.mark.parametrize(
    "view",
    [lambda y: y.view(2, 3), lambda y: y[1:4], lambda y: y.view(3, 2).t()[1:]],
    ids=["view", "slice", "view of views"],
)
@pytest.mark.parametrize(
    "write",
    [lambda v, T: v.mul_(3), lambda v, T: T.nn.functional.relu(v, inplace=True), lambda v, T: v.__setitem__(0, 3.0)],
    ids=["mul_", "relu", "index"],
)
def test_a_view_whose_base_is_gone_is_written_to_as_in_pytorch(view, write):
    values = np.array([1.0, -2.0, 3.0, -4.0, 5.0, -6.0])
    found = []
    for T in (framework, torch):
        x = T.tensor(values, requires_grad=True)
        v = view((x * 2).sin())
        write(v, T)
        (v * v).sum().backward()
        found.append((v.detach().numpy(), x.grad.numpy()))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-14)


def test_of_two_views_whose_base_is_gone_the_other_is_stale_after_a_write():
    first, second = (leaf(1.0, 2.0) * 1).chunk(2)
    first.mul_(2)
    with pytest.raises(RuntimeError, match="take the view again"):
        second.sum()


@pytest.mark.parametrize("recorded", [True, False])
def test_a_part_of_a_convolutions_output_seen_anew_is_not_written_to(recorded):
    """It is a copy, as the convolution's memory is laid out otherwise: a write would not reach the whole."""
    x, w = framework.randn(2, 2, 4, 4, requires_grad=recorded), framework.randn(4, 2, 2, 2)
    y = framework.nn.functional.conv2d(x, w)
    part = y.chunk(2, dim=1)[0].view(2, -1)
    np.testing.assert_array_equal(part.array, y.array[:, :2].reshape(2, -1))
    with pytest.raises(RuntimeError, match="in place.*clone"):
        part.add_(1)
    whole = y.clone().view(2, -1)
    whole.add_(1)
    np.testing.assert_array_equal(whole.array, y.array.reshape(2, -1) + 1)


def test_a_view_of_a_convolutions_output_shares_its_memory():
    with framework.no_grad():
        y = framework.nn.functional.conv2d(framework.randn(2, 2, 4, 4), framework.randn(4, 2, 2, 2))
        y.view(2, -1).zero_()
    assert not y.array.any()


def test_a_view_of_a_leaf_that_requires_grad_is_never_written_to():
    view = leaf(1.0, 2.0).view(2, 1)  # the graph keeps the leaf
    with pytest.raises(RuntimeError, match="view.*out of place"):
        view.mul_(2)


def test_a_view_taken_before_a_recorded_write_cannot_be_used_after_it():
    y = leaf(1.0, 2.0) * 1
    view = y.view(2, 1)
    y.mul_(leaf(3.0, 4.0))
    with pytest.raises(RuntimeError, match="take the view again"):
        (view * 2).sum()


def test_dtypes_never_rise():
    whole = framework.tensor([1, 2])
    with pytest.raises(RuntimeError, match="float32 cannot be stored in int64"):
        whole.add_(1.5)
    with pytest.raises(RuntimeError, match="int64 cannot be stored in bool"):
        framework.tensor([True]).add_(framework.tensor([1]))
    assert framework.ones(2).add_(framework.ones(2, dtype=framework.float64)).dtype == framework.float32
    assert framework.ones(2, dtype=framework.uint8).add_(whole).dtype == framework.uint8


def test_an_expanded_tensor_is_not_written_to():
    with pytest.raises(RuntimeError, match="expanded"):
        framework.ones(1, 3).expand(2, 3).add_(1)


def test_overlapping_reads_and_writes_use_the_old_values():
    x = framework.arange(4.0)
    x[1:].add_(x[:-1])
    np.testing.assert_array_equal(x.array, [0, 1, 3, 5])


def test_a_write_that_fails_changes_nothing():
    x = framework.ones(3)
    for bad in (
        lambda: x.add_(framework.ones(2, 3)),
        lambda: x.add_(framework.ones(4)),
        lambda: x.copy_(framework.ones(4)),
    ):
        with pytest.raises(RuntimeError):
            bad()
    np.testing.assert_array_equal(x.array, 1)
    assert x._version == 0


def test_no_tensor_is_written_into_by_numpy():
    x = Tensor(np.ones(2), requires_grad=True)
    array = np.ones(2)
    with pytest.raises((TypeError, RuntimeError)):
        array += x
    with pytest.raises(TypeError):
        np.add(x, x, out=array)


def test_a_view_of_a_buffer_without_gradient_is_refused_after_a_recorded_write():
    """PyTorch's view gets a gradient by then; reading it as a constant would lose that gradient without a word."""
    h = leaf(1.0, 2.0)
    buffer = framework.zeros(3, 2, dtype=framework.float64)
    view, of_view, part, aside = buffer[0], buffer.view(6)[:2], buffer.view(2, 3).t()[0], buffer.detach()[0]
    buffer[0] = h * 3
    for stale in (view, of_view, part):
        assert stale.requires_grad
        with pytest.raises(RuntimeError, match="take the view again"):
            stale * 2
        with framework.no_grad():
            np.testing.assert_array_equal((stale * 1).array, stale.array)
    assert not (aside * 2).requires_grad
    buffer[0].sum().backward()
    np.testing.assert_array_equal(h.grad.array, [3.0, 3.0])


def test_a_view_of_a_buffer_stays_usable_after_a_write_without_gradient():
    buffer = framework.zeros(3)
    view = buffer[:2]
    buffer[0] = 5.0
    with framework.no_grad():
        buffer[1] = leaf(6.0)[0]
    np.testing.assert_array_equal((view * 1).array, [5.0, 6.0])


def test_a_buffer_holds_none_of_its_views():
    buffer = framework.zeros(3)
    for _ in range(10):
        buffer[0], buffer[1:].view(2, 1)
    assert not buffer.views
