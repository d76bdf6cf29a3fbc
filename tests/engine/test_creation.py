"""What rows cannot show of creation: what is shared and what is copied, devices, dtypes and their names, DLPack, arguments refused."""

import numpy as np
import pytest
import torch

import framework
from framework import Tensor

DTYPES = {
    "bool": "bool", "uint8": "uint8", "int8": "int8", "int16": "int16", "short": "int16", "int32": "int32", "int": "int32", "int64": "int64",
    "long": "int64", "float16": "float16", "half": "float16", "float32": "float32", "float": "float32", "float64": "float64", "double": "float64",
}  # fmt: skip


def test_a_dtype_is_numpys_under_pytorchs_name():
    for name, numpy_name in DTYPES.items():
        dtype = getattr(framework, name)
        assert dtype == np.dtype(numpy_name) and isinstance(dtype, framework.dtype)
        assert str(getattr(torch, name)) == f"torch.{dtype}"
        assert str(framework.zeros(1, dtype=dtype).array.dtype) == numpy_name
    assert framework.float32 is np.dtype("float32")


def test_constants_are_the_field_s():
    for name in ("e", "inf", "pi"):
        assert getattr(framework, name) == getattr(torch, name)
    assert np.isnan(framework.nan)


def test_the_default_dtype_decides_for_floats():
    assert framework.get_default_dtype() == framework.float32
    framework.set_default_dtype(framework.float64)
    try:
        made = [
            framework.tensor(1.5),
            framework.zeros(2),
            framework.rand(2),
            framework.arange(0, 1, 0.5),
            framework.tensor([1]) / 2,
            framework.tensor([1]).exp(),
            framework.tensor([1]) * 0.5,
        ]
        assert {x.dtype for x in made} == {framework.float64}
    finally:
        framework.set_default_dtype(framework.float32)
    with pytest.raises(TypeError, match="floating-point"):
        framework.set_default_dtype(framework.int64)


def test_what_shares_memory_and_what_copies():
    array = np.arange(3.0)
    for sharing in (
        framework.from_numpy(array),
        framework.as_tensor(array),
        framework.asarray(array),
        Tensor(array),
        framework.from_dlpack(array),
    ):
        assert sharing.array is array or np.shares_memory(sharing.array, array)
    for copying in (
        framework.tensor(array),
        framework.asarray(array, copy=True),
        framework.as_tensor(array, dtype=framework.float32),
    ):
        assert not np.shares_memory(copying.array, array)
    x = framework.ones(3, requires_grad=True)
    assert framework.as_tensor(x) is x and framework.asarray(x) is x
    copied = framework.tensor(x)
    assert copied.is_leaf and not copied.requires_grad and not np.shares_memory(copied.array, x.array)
    for view in (
        x.detach(),
        x.data,
        x.view(3, 1),
        x.reshape(1, 3),
        x.expand(2, 3),
        x.T,
        x[1:],
        x.flatten(),
        x.squeeze(),
        x.unsqueeze(0),
        x.contiguous(),
        x.cpu(),
        x.float(),
    ):
        assert np.shares_memory(view.array, x.array)
    matrix = framework.ones(2, 3)
    for view in (
        matrix.t(),
        matrix.mT,
        matrix.transpose(0, 1),
        matrix.permute(1, 0),
        matrix.movedim(0, 1),
        matrix.diagonal(),
        matrix.chunk(2)[0],
        matrix.split(1)[1],
        matrix.unbind()[0],
        matrix.narrow(1, 0, 2),
    ):
        assert np.shares_memory(view.array, matrix.array)
    for copy in (
        x.clone(),
        x.repeat(2),
        x.repeat(1),
        framework.tile(x, (1,)),
        x.flip(0),
        x.roll(0, 0),
        framework.cat([x]),
        framework.stack([x]),
        x.to(framework.float32, copy=True),
        framework.diag(matrix),
        x.repeat_interleave(1),
    ):
        assert not np.shares_memory(copy.array, x.array) and not np.shares_memory(copy.array, matrix.array)


def test_views_can_be_written_to():
    x = framework.zeros(3, 3)
    x.diagonal().fill_(1.0)
    x.t()[0].add_(1)
    x.view(9)[8:].mul_(5)
    np.testing.assert_array_equal(x.array, [[2, 0, 0], [1, 1, 0], [1, 0, 5]])


def test_nothing_is_recorded_for_what_changes_nothing():
    x = framework.ones(2, 3, requires_grad=True) * 2
    for same in (
        x.reshape(2, 3),
        x.view(2, 3),
        x.expand(2, 3),
        x.to(framework.float32),
        x.float(),
        x.contiguous(),
        x.cpu(),
        x.squeeze(),
        x.flatten(1),
    ):
        assert same.grad_fn is x.grad_fn
    for constant in (framework.zeros_like(x), x.detach() * 2, x.argmax(), x > 0, x.sort().indices, x.new_zeros(2)):
        assert constant.grad_fn is None and not constant.requires_grad


def test_dlpack_both_ways_without_a_copy():
    ours = framework.arange(6.0).reshape(2, 3)
    theirs = torch.from_dlpack(ours)
    theirs[0, 0] = 7
    assert ours[0, 0].item() == 7 and theirs.dtype == torch.float32 and theirs.shape == (2, 3)
    back = framework.from_dlpack(theirs)
    back.mul_(2)
    assert theirs[0, 0] == 14 and np.shares_memory(back.array, ours.array)
    for dtype in (torch.float64, torch.int64, torch.int32, torch.uint8, torch.bool, torch.float16):
        x = torch.ones(3, dtype=dtype)
        assert str(framework.from_dlpack(x).dtype) == str(dtype).removeprefix("torch.")
    strided = torch.arange(12.0).reshape(3, 4).t()[1:]
    np.testing.assert_array_equal(framework.from_dlpack(strided).array, strided.numpy())
    assert framework.from_dlpack(strided).stride() == strided.stride()
    with pytest.raises(BufferError, match="detach"):
        torch.from_dlpack(framework.ones(2, requires_grad=True))
    with pytest.raises(TypeError, match="from_dlpack.*list"):
        framework.from_dlpack([1, 2])


def test_devices():
    cpu, cuda = framework.device("cpu"), framework.device("cuda:1")
    assert (str(cpu), repr(cpu)) == ("cpu", "device(type='cpu')")
    assert (str(cuda), cuda.type, cuda.index) == ("cuda:1", "cuda", 1) and cuda == framework.device("cuda", 1) != cpu
    assert framework.device(cpu) == cpu and len({cpu, framework.device("cpu")}) == 1
    assert framework.ones(2).device == cpu
    with pytest.raises(RuntimeError, match="'xpu' is unknown"):
        framework.device("xpu")


@pytest.mark.parametrize(
    "call",
    [
        lambda x: framework.zeros(2, layout="strided"), lambda x: framework.rand(2, pin_memory=True), lambda x: framework.exp(x, out=x),
        lambda x: framework.cat([x], out=x), lambda x: framework.add(x, x, out=x), lambda x: framework.sum(x, out=x), lambda x: x.clone(memory_format=1),
        lambda x: x.contiguous(memory_format=1), lambda x: framework.arange(3, out=x), lambda x: framework.tensor(1, names=("a",)),
        lambda x: x.to("cpu", memory_format=2), lambda x: framework.sort(x, out=x), lambda x: framework.max(x, 0, out=(x, x)),
    ],
)  # fmt: skip
def test_an_argument_that_is_not_supported_is_refused_by_its_name(call):
    with pytest.raises(TypeError, match="layout|pin_memory|out|memory_format|names"):
        call(framework.ones(2))


def test_size_is_a_tuple_that_counts():
    size = framework.ones(2, 3, 4).shape
    assert isinstance(size, framework.Size) and size == (2, 3, 4) and size.numel() == 24
    assert isinstance(size[1:], framework.Size) and size[-1] == 4 and size[:1] + size[1:] == size
    assert repr(size) == repr(torch.ones(2, 3, 4).shape)


def test_parameters_of_functions_are_pytorchs():
    """The names and order of arguments, where PyTorch's documentation gives them: calls by keyword."""
    x = framework.ones(2, 3)
    framework.full(size=(2,), fill_value=1.0)
    framework.transpose(input=x, dim0=0, dim1=1)
    framework.permute(input=x, dims=(1, 0))
    framework.reshape(input=x, shape=(3, 2))
    framework.flatten(input=x, start_dim=0, end_dim=1)
    framework.cat(tensors=[x, x], dim=1)
    framework.split(x, split_size_or_sections=2, dim=1)
    framework.where(condition=x > 0, input=x, other=x)
    framework.clamp(input=x, min=0, max=1)
    framework.topk(input=x, k=1, dim=1, largest=True, sorted=True)
    framework.sort(input=x, dim=1, descending=True, stable=True)
    framework.var(input=x, dim=1, correction=0, keepdim=True)
    framework.norm(input=x, p=2, dim=1, keepdim=True)
    framework.repeat_interleave(input=x, repeats=2, dim=0)
    framework.linspace(start=0, end=1, steps=3)
    framework.multinomial(input=x, num_samples=1, replacement=True)
    framework.lerp(input=x, end=x, weight=0.5)
    framework.div(input=x, other=x, rounding_mode="floor")
    framework.diagonal(input=x, offset=0, dim1=0, dim2=1)
    framework.roll(input=x, shifts=1, dims=0)
    framework.unflatten(input=x, dim=1, sizes=(3, 1))
    framework.movedim(input=x, source=0, destination=1)
