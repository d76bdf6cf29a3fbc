"""What a tensor tells about itself, and how it leaves the engine: sizes, numbers, arrays, text, copies."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch

import framework
from framework import Tensor

CASES = {
    "matrix": [[1.5, -2.0, 3.0], [0.25, 5.0, 6.0]], "vector": [1.0, 2.0], "scalar": 3.5, "integers": [1, 2, 3], "bools": [True, False],
    "empty": [], "one": [[4.0]],
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_facts_are_pytorchs(name):
    x, y = framework.tensor(CASES[name]), torch.tensor(CASES[name])
    for fact in ("ndim", "is_leaf", "requires_grad", "itemsize", "nbytes", "is_cuda"):
        assert getattr(x, fact) == getattr(y, fact), fact
    for fact in (
        "dim", "ndimension", "numel", "nelement", "element_size", "stride", "is_contiguous", "is_floating_point", "is_complex", "tolist", "get_device",
    ):  # fmt: skip
        if x.numel() or fact != "stride":  # NumPy's strides of an empty array are 0
            assert getattr(x, fact)() == getattr(y, fact)(), fact
    assert (
        x.shape == y.shape
        and x.size() == y.size()
        and str(x.device) == str(y.device)
        and f"torch.{x.dtype}" == str(y.dtype)
    )
    assert (x.grad is None) == (y.grad is None) and x.grad_fn is None
    if x.ndim:
        assert len(x) == len(y) and x.size(-1) == y.size(-1)
    else:
        for counted in (x, y):
            with pytest.raises(TypeError):
                len(counted)
    assert x.t().stride() == y.t().stride() if x.ndim == 2 else True


def test_one_element_is_a_number():
    for value in (3.5, -2, True):
        x, y = framework.tensor([[value]]), torch.tensor([[value]])
        assert x.item() == y.item() and type(x.item()) is type(y.item())
        assert float(x) == float(y) and int(x) == int(y) and bool(x) == bool(y)
    assert [10, 20, 30][framework.tensor(1)] == 20 and list(range(framework.tensor(3))) == [0, 1, 2]
    assert f"{framework.tensor(2.5):.2f}" == "2.50"


@pytest.mark.parametrize("convert", [float, int, bool, lambda x: x.item()])
def test_several_elements_are_none(convert):
    with pytest.raises((RuntimeError, ValueError), match=r"\(2,\)"):
        convert(framework.ones(2))


def test_a_float_is_no_index():
    with pytest.raises(TypeError, match="float32"):
        [1, 2][framework.tensor(1.0)]


def test_membership_and_comparison_with_anything():
    x = framework.tensor([1.0, 2.0])
    assert 2.0 in x and 3.0 not in x and framework.tensor(1.0) in x
    assert (x == None) is False and (x != "a") is True  # noqa: E711
    assert hash(x) == hash(x) and len({x, x}) == 1


def test_to_numpy_and_back():
    x = framework.ones(2, 3)
    assert x.numpy() is x.array and np.asarray(x) is x.array
    assert np.array(x, dtype=np.float64).dtype == np.float64 and x.__array__(np.int32).dtype == np.int32
    assert not np.shares_memory(np.array(x), x.array)
    grad = framework.ones(2, requires_grad=True)
    for refused in (grad.numpy, lambda: np.asarray(grad), lambda: (grad * 2).numpy()):
        with pytest.raises(RuntimeError, match=r"detach\(\)"):
            refused()
    assert grad.detach().numpy() is grad.array
    np.testing.assert_array_equal((grad * 2).numpy(force=True), [2, 2])
    assert x.data_ptr() == x.array.ctypes.data


def test_numpys_functions_on_tensors_are_the_engines():
    x = framework.tensor([1.0, 2.0], requires_grad=True)
    for result in (
        np.exp(x),
        np.add(x, 1),
        np.where(x > 1, x, x),
        np.multiply(2.0, x),
        np.ones(2, np.float32) * x,
        np.float32(2) * x,
    ):
        assert isinstance(result, Tensor) and result.requires_grad
    for refused in (
        lambda: np.cbrt(x),
        lambda: np.median(x),
        lambda: np.add.reduce(x),
        lambda: np.add(np.ones(2), 1, out=x),
    ):
        with pytest.raises(TypeError):
            refused()


@pytest.mark.parametrize(
    "make",
    [
        lambda T: T.tensor([1.0, 2.5]), lambda T: T.tensor(3.0), lambda T: T.tensor([1, 2]), lambda T: T.tensor([True]),
        lambda T: T.tensor([]), lambda T: T.zeros(0, 3), lambda T: T.zeros(2, dtype=T.float64), lambda T: T.zeros(2, dtype=T.int32),
        lambda T: T.ones(2, requires_grad=True),
    ],
)  # fmt: skip
def test_the_text_names_what_is_not_default(make):
    ours, theirs = repr(make(framework)), repr(make(torch)).replace("torch.", "")
    assert ours.replace(" ", "") == theirs.replace(" ", "")


def test_the_text_of_a_result_names_its_op():
    assert "grad_fn=<expBackward>" in repr(framework.ones(2, requires_grad=True).exp())


def test_copies():
    x = framework.tensor([1.0, 2.0], requires_grad=True)
    x.sum().backward()
    for copied in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert copied.requires_grad and not np.shares_memory(copied.array, x.array)
        np.testing.assert_array_equal(copied.array, x.array)
        np.testing.assert_array_equal(copied.grad.array, x.grad.array)
    with pytest.raises(RuntimeError, match="leaf"):
        copy.deepcopy(x * 2)
    assert np.shares_memory(copy.copy(x).array, x.array)


def test_data_is_outside_the_graph():
    x = framework.tensor([1.0, 2.0], requires_grad=True)
    x.data.mul_(3)
    assert x.tolist() == [3, 6] and not x.data.requires_grad
    x.data = framework.tensor([5.0])
    assert x.tolist() == [5] and x.requires_grad


@pytest.mark.parametrize("sizes", [(), (3,), (2, 3), (2, 1, 3), (2, 3, 1, 2), (0, 2)])
def test_the_older_constructor_takes_sizes(sizes):
    made, wanted = Tensor(*sizes), torch.Tensor(*sizes)
    assert made.shape == wanted.shape and str(made.dtype) == str(wanted.dtype).removeprefix("torch.")
    assert not made.requires_grad and made.is_leaf


def test_wrong_types_are_named():
    for wrong in ({"a": 1}, "text", object()):
        with pytest.raises(TypeError, match=type(wrong).__name__):
            Tensor(wrong)
    with pytest.raises(TypeError, match="exp.*list"):
        framework.exp([1.0])
    with pytest.raises(TypeError, match="add.*str"):
        framework.ones(2) + "a"


@pytest.mark.parametrize("T", [framework, torch], ids=["engine", "torch"])
def test_a_gradient_that_does_not_fit_is_refused(T):
    x = T.ones(2, 3, requires_grad=True)
    for wrong, kind in [
        ([1.0], TypeError),
        (np.ones((2, 3)), TypeError),
        (T.ones(3), RuntimeError),
        (T.ones(2, 3, dtype=T.float64), RuntimeError),
        (x, RuntimeError),
    ]:
        with pytest.raises(kind, match="grad"):
            x.grad = wrong
        assert x.grad is None
    g = T.ones(2, 3)
    x.grad = g
    assert x.grad is g
    (x * 2).sum().backward()
    assert x.grad.tolist() == [[3.0] * 3] * 2
    x.grad = None
    assert x.grad is None


SILENT = """
import warnings
warnings.simplefilter("error")
import numpy as np, framework as torch
import framework.nn.functional as F

zero, big = torch.zeros(3, requires_grad=True), torch.full((3,), 3e38, requires_grad=True)
masked = torch.full((2, 3), -torch.inf, requires_grad=True)
for y in (zero.log(), zero / zero, 1 / zero, zero.rsqrt(), big.exp(), big * big, big.sum(), big.mean(), big.prod(), big.var(), big.square(),
          torch.pow(zero, -1.0), (big.half() * 2), masked.softmax(1), masked.log_softmax(1), masked.logsumexp(1), F.normalize(big, dim=0),
          F.scaled_dot_product_attention(torch.ones(1, 2, 3), torch.ones(1, 2, 3), masked.new_ones(1, 2, 3), masked[:, :2]),
          F.cross_entropy(masked, torch.tensor([0, 1])), big @ big, big.norm(), F.layer_norm(big, (3,)), torch.empty(0).mean(), big - big * 2,
          torch.remainder(zero, 0.0), zero.sqrt(), F.softplus(big), F.gelu(big), big.cumsum(0), (-big).sigmoid(), big.tanh(), F.mse_loss(big, -big)):
    if y.requires_grad:
        y.sum().backward()
try:
    np.log(np.zeros(3))
except RuntimeWarning as warning:
    print("the user's own NumPy still warns:", warning)
"""


def test_infinities_are_silent_and_the_users_numpy_is_left_alone():
    ran = subprocess.run([sys.executable, "-c", SILENT], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("the user's own NumPy still warns: divide by zero")
