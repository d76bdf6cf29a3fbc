"""save and load: against torch.save, safetensors and NumPy; damaged, foreign and hostile files; what a crash leaves behind."""

import io
import json
import os
import pickle
import signal
import struct
import subprocess
import sys
import textwrap
import zipfile
import zlib
from collections import Counter, OrderedDict

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from framework import optim, serialization
from framework.readable import Size
from framework.serialization import UnreadableFile, load, save
from framework.tensor import Tensor

DTYPES = [
    "float16",
    "float32",
    "float64",
    "bool",
    "uint8",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint16",
    "uint32",
    "uint64",
]
WRITTEN = [".safetensors", ".npz"]
LEGACY = dict(_use_new_zipfile_serialization=False)


def sample(dtype, shape=(3, 4)):
    values = np.random.default_rng(0).integers(0, 100, shape)
    return (values % 2 == 0 if dtype == "bool" else values / 7 if "float" in dtype else values).astype(dtype)


def assert_same(actual, expected):
    """Alike in structure, types and values, tensors and arrays bit by bit."""
    assert type(actual) is type(expected)
    if isinstance(expected, Tensor):
        actual, expected = actual.array, expected.array
    if isinstance(expected, np.ndarray):
        assert actual.dtype == expected.dtype and actual.shape == expected.shape
        assert actual.tobytes() == expected.tobytes()
    elif isinstance(expected, dict):
        assert list(map(repr, actual)) == list(map(repr, expected))
        for a, b in zip(actual.values(), expected.values(), strict=True):
            assert_same(a, b)
    elif isinstance(expected, (list, tuple)):
        assert len(actual) == len(expected)
        for a, b in zip(actual, expected, strict=True):
            assert_same(a, b)
    else:
        assert repr(actual) == repr(expected)


def assert_like_torch(actual, expected):
    """As assert_same, where `expected` is what torch.load gave."""
    if isinstance(expected, torch.Tensor):
        assert isinstance(actual, Tensor) and actual.requires_grad == expected.requires_grad
        assert actual.shape == tuple(expected.shape) and (actual.stride() == expected.stride() or not expected.numel())
        expected = expected.detach()
        expected = expected.float() if expected.dtype == torch.bfloat16 else expected
        assert actual.array.dtype == expected.numpy().dtype
        assert actual.array.tobytes() == expected.numpy().tobytes()
    elif isinstance(expected, dict):
        assert type(actual) is type(expected)
        assert list(actual) == list(expected)
        for key in expected:
            assert_like_torch(actual[key], expected[key])
    elif isinstance(expected, (list, tuple)):
        assert isinstance(actual, list if isinstance(expected, list) else tuple) and len(actual) == len(expected)
        for a, b in zip(actual, expected, strict=True):
            assert_like_torch(a, b)
    else:
        assert actual == expected and type(actual) is type(expected)


def owner(array):
    """What owns the memory of an array."""
    while isinstance(array, np.ndarray) and array.base is not None:
        array = array.base
    return array.obj if isinstance(array, memoryview) else array


def is_mapped(array):
    return type(owner(array)).__name__ == "mmap"


# --- what save writes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mmap", [None, True])
@pytest.mark.parametrize("suffix", WRITTEN)
@pytest.mark.parametrize("dtype", DTYPES)
def test_round_trip_of_every_dtype_and_layout(tmp_path, suffix, dtype, mmap):
    base = sample(dtype, (4, 6))
    state = {
        "plain": base,
        "0-d": sample(dtype, ()),
        "empty": sample(dtype, (0, 3)),
        "transposed": base.T,
        "strided": base[::2, 1::3],
        "reversed": base[::-1],
        "broadcast": np.broadcast_to(base[0], (3, 6)),
        "other byte order": base.astype(base.dtype.newbyteorder(">")),
    }
    state = {name: Tensor(array) for name, array in state.items()}
    path = tmp_path / f"state{suffix}"
    save(state, path)
    loaded = load(path, mmap=mmap)
    assert list(loaded) == list(state)
    for name, tensor in loaded.items():
        assert tensor.dtype == np.dtype(dtype) and tensor.dtype.isnative and tensor.shape == state[name].shape
        assert (tensor.array == state[name].array).all()
        assert tensor.array.flags.aligned and tensor.array.flags.writeable and not tensor.requires_grad


@pytest.mark.parametrize("suffix", WRITTEN)
def test_a_whole_checkpoint_comes_back(tmp_path, suffix):
    w = Tensor(np.arange(6.0, dtype=np.float32).reshape(2, 3), True)
    w.grad = Tensor(np.ones((2, 3), np.float32))
    optimizer = optim.Adam([w], lr=0.1)
    scheduler = optim.lr_scheduler.MultiStepLR(optimizer, [1, 3, 3])
    optimizer.step()
    scheduler.step()
    generator = np.random.default_rng(3)
    checkpoint = {
        "model": {"fc.weight": w.detach()},
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "random": generator.bit_generator.state,
        "epoch": 3,
        "best": float("-inf"),
        "losses": [0.5, float("nan"), 1e-300, -0.0],
        "names": ("a", "ü", "\ud800"),
        "nothing": None,
        "flags": {True: False, 2: [], 3.5: {}, None: (), "$tensor": "x"},
        "array": np.arange(3),
        "big": 2**200,
        "empty": {},
    }
    path = tmp_path / f"checkpoint{suffix}"
    save(checkpoint, path)
    loaded = load(path)
    checkpoint["scheduler"]["milestones"] = dict(
        checkpoint["scheduler"]["milestones"]
    )  # a Counter comes back as a dict
    assert_same(loaded, checkpoint)
    again = optim.Adam([w], lr=1.0)
    again_scheduler = optim.lr_scheduler.MultiStepLR(again, [9])
    again.load_state_dict(loaded["optimizer"])
    again_scheduler.load_state_dict(loaded["scheduler"])
    for o, s in ((optimizer, scheduler), (again, again_scheduler)):
        for _ in range(3):
            o.step()
            s.step()
    assert again.param_groups[0]["lr"] == optimizer.param_groups[0]["lr"]


@pytest.mark.parametrize("suffix", WRITTEN)
def test_numpy_scalars_become_numbers_and_single_values_are_kept(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    for value, expected in [
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (Tensor(np.arange(3)), Tensor(np.arange(3))),
        ([], []),
        (OrderedDict(b=1, a=2), dict(b=1, a=2)),
        (Size((2, 3)), (2, 3)),
    ]:
        save(value, path)
        assert_same(load(path), expected)


NAMES = st.text(max_size=8) | st.sampled_from(
    ["__metadata__", "a.b", "a", "b", "a/b", "$tensor", "dlfs.structure", "..", "\\", "\0", "file"]
)
ARRAYS = hnp.arrays(
    st.sampled_from(["f4", "f8", "i8", "u1", "?", ">i4"]), hnp.array_shapes(min_dims=0, min_side=0, max_side=3)
).map(lambda array: array.astype(array.dtype.newbyteorder("=")))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | ARRAYS | ARRAYS.map(Tensor),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(NAMES | st.integers() | st.none(), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("suffix", WRITTEN)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=VALUES)
def test_any_nesting_and_any_names_come_back(tmp_path, suffix, value):
    save(value, tmp_path / f"x{suffix}")
    assert_same(load(tmp_path / f"x{suffix}"), value)


@pytest.mark.parametrize("suffix", WRITTEN)
def test_paths_that_collide_and_names_that_are_taken(tmp_path, suffix):
    names = ["a.b", "a.b~", "a.b~~", "__metadata__", "dlfs.structure", "dlfs.structure.json", "", "a\0b", "x" * 70_000]
    value = {name: Tensor(np.array(float(i))) for i, name in enumerate(names)}
    value = {"a": {"b": Tensor(np.array(-1.0))}, **value}
    save(value, tmp_path / f"x{suffix}")
    assert_same(load(tmp_path / f"x{suffix}"), value)


def test_safetensors_of_ours_are_read_by_the_library(tmp_path):
    state = {f"{dtype}.weight": Tensor(sample(dtype).T) for dtype in DTYPES}
    path = tmp_path / "x.safetensors"
    save(state, path)
    as_numpy, as_torch = safetensors.numpy.load_file(path), safetensors.torch.load_file(path)
    assert as_numpy.keys() == as_torch.keys() == state.keys()
    for name, tensor in state.items():
        assert (as_numpy[name] == tensor.array).all() and as_numpy[name].dtype == tensor.dtype
        assert (as_torch[name].numpy() == tensor.array).all()
    with safetensors.safe_open(path, framework="pt") as file:
        assert file.metadata()["format"] == "pt"


@pytest.mark.parametrize("mmap", [None, True])
def test_safetensors_of_torch_are_read(tmp_path, mmap):
    state = {dtype: torch.from_numpy(sample(dtype)) for dtype in DTYPES}
    state |= {
        "bf16": torch.randn(5, 3).bfloat16(),
        "bool3": torch.ones(3, dtype=torch.bool),
        "scalar": torch.tensor(2.5),
    }
    path = tmp_path / "x.safetensors"
    safetensors.torch.save_file(state, path, metadata={"format": "pt", "author": "someone"})
    loaded = load(path, mmap=mmap)
    assert loaded.keys() == state.keys()
    for name, tensor in state.items():
        assert_like_torch(loaded[name], tensor)


def test_npz_of_ours_is_numpys(tmp_path):
    state = {
        "fc.weight": Tensor(sample("float32").T),
        "fc/bias": Tensor(sample("float64", ())),
        "file": Tensor(sample("bool")),
    }
    save(state, tmp_path / "x.npz")
    with np.load(tmp_path / "x.npz", allow_pickle=False) as file:
        assert file.files == list(state)
        for name in file.files:
            assert (file[name] == state[name].array).all()


@pytest.mark.parametrize("mmap", [None, True])
@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_npz_of_numpy_is_read(tmp_path, write, mmap):
    arrays = {
        "c": sample("float32"),
        "fortran": np.asfortranarray(sample("int64")),
        "big": sample("float64").astype(">f8"),
    }
    arrays |= {"scalar": np.float32(3), "empty": np.zeros((0, 2)), "wide": np.zeros((1, 1, 300_000), np.uint8)}
    write(tmp_path / "x.npz", **arrays)
    for name, tensor in load(tmp_path / "x.npz", mmap=mmap).items():
        assert (tensor.array == arrays[name]).all() and tensor.shape == arrays[name].shape
        assert tensor.dtype.isnative and tensor.dtype == np.asarray(arrays[name]).dtype.newbyteorder("=")


# --- what torch.save writes -------------------------------------------------------------------------------------------


def torch_checkpoint():
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2, dtype=torch.float64)
    )
    optimizer = torch.optim.Adam(model[0].parameters(), lr=0.1, amsgrad=True)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 3, 5])
    model[0](torch.randn(2, 3)).sum().backward()
    optimizer.step()
    scheduler.step()
    matrix = torch.randn(4, 6)
    typed = {dtype: torch.from_numpy(sample(dtype)) for dtype in DTYPES}
    return {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "frozen": torch.nn.Parameter(torch.ones(2), requires_grad=False),
        "leaf": torch.ones(2, requires_grad=True),
        "typed": typed,
        "bfloat16": torch.randn(3, 5).bfloat16().T,
        "shared": (matrix, matrix.T, matrix[1:, ::2], matrix.view(-1)[5:9]),
        "expanded": torch.arange(3.0).expand(1000, 3),
        "scalar": torch.tensor(3),
        "empty": torch.zeros(0, 3),
        "plain": [1, -1, 300, 70_000, 2**40, -(2**80), 0.5, float("inf"), None, True, False, "ü", b"bytes", 1j],
        "tuples": ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)),
        "set": {1, 2},
        "counter": Counter("aab"),
        "ordered": OrderedDict(b=1, a=2),
        "size": torch.Size((1, 2)),
        3: "a number as key",
    }


@pytest.mark.parametrize("mmap", [None, True])
@pytest.mark.parametrize("options", [{}, LEGACY, dict(pickle_protocol=4)], ids=["zip", "legacy", "protocol 4"])
@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin"])
def test_files_of_torch_are_read(tmp_path, options, suffix, mmap):
    path = tmp_path / f"x{suffix}"
    checkpoint = torch_checkpoint()
    if options is LEGACY:  # PyTorch itself fails to read these dtypes from the legacy format
        checkpoint["typed"] = {
            dtype: checkpoint["typed"][dtype] for dtype in DTYPES if dtype[:5] not in ("uint1", "uint3", "uint6")
        }
    torch.save(checkpoint, path, **options)
    expected = torch.load(
        path, weights_only="pickle_protocol" not in options
    )  # PyTorch's own reader knows protocol 2 only
    assert_like_torch(load(path, mmap=mmap), expected)


@pytest.mark.parametrize("options", [{}, LEGACY], ids=["zip", "legacy"])
@pytest.mark.parametrize("mmap", [None, True])
def test_tensors_that_shared_memory_share_it_again(tmp_path, options, mmap):
    matrix = torch.zeros(4, 6)
    torch.save({"matrix": matrix, "row": matrix[2], "column": matrix[:, 1]}, tmp_path / "x.pt", **options)
    loaded = load(tmp_path / "x.pt", mmap=mmap)
    loaded["matrix"].array[2, 1] = 7
    assert loaded["row"].array[1] == 7 and loaded["column"].array[2] == 7


def test_a_dtype_and_a_device_in_a_checkpoint(tmp_path):
    torch.save({"dtype": torch.float16, "device": torch.device("cuda", 1)}, tmp_path / "x.pt")
    loaded = load(tmp_path / "x.pt")
    assert loaded["dtype"] == np.float16 and str(loaded["device"]) == "cuda:1"


def rewrite(path, change, compression=zipfile.ZIP_STORED):
    """Write a zip file anew, each entry's bytes as `change(name, bytes)` gives them; None leaves the entry out."""
    with zipfile.ZipFile(path) as archive:
        entries = [(name, change(name, archive.read(name))) for name in archive.namelist()]
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in entries:
            if data is not None:
                archive.writestr(name, data)


@pytest.mark.parametrize("mmap", [None, True])
def test_a_file_of_a_big_endian_machine(tmp_path, mmap):
    path = tmp_path / "x.pt"
    state = {"f": torch.randn(3, 2), "i": torch.arange(5), "b": torch.randn(4).bfloat16(), "u": torch.arange(3).byte()}
    torch.save(state, path)
    sizes = iter([4, 8, 2, 1])

    def swapped(name, data):
        if name.endswith("byteorder"):
            return b"big"
        if "/data/" in name:
            return np.frombuffer(data, f"u{next(sizes)}").byteswap().tobytes()
        return data

    rewrite(path, swapped)
    assert_like_torch(load(path, mmap=mmap), state)


@pytest.mark.parametrize("mmap", [None, True])
def test_a_compressed_file(tmp_path, mmap):
    path = tmp_path / "x.pt"
    torch.save(torch_checkpoint(), path)
    rewrite(path, lambda name, data: data, zipfile.ZIP_DEFLATED)
    assert_like_torch(load(path, mmap=mmap), torch.load(path))


def test_a_state_dict_trained_by_torch_continues_here(tmp_path):
    torch.save(torch_checkpoint(), tmp_path / "x.pt")
    checkpoint = load(tmp_path / "x.pt")
    params = [Tensor(np.zeros(shape, np.float32), True) for shape in ((4, 3), (4,))]
    optimizer = optim.Adam(params)
    optimizer.load_state_dict(checkpoint["optimizer"])
    assert optimizer.param_groups[0]["amsgrad"] and optimizer.state[params[0]]["max_exp_avg_sq"].shape == (4, 3)
    save(checkpoint["optimizer"], tmp_path / "x.safetensors")
    assert_same(load(tmp_path / "x.safetensors")["param_groups"], checkpoint["optimizer"]["param_groups"])


# --- mapping ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["safetensors", "pt"])
def test_mapped_tensors_are_views_of_the_file_and_never_change_it(tmp_path, kind):
    path = tmp_path / f"x.{kind}"
    state = {"weight": torch.randn(300, 40), "bias": torch.arange(40)}
    torch.save(state, path) if kind == "pt" else safetensors.torch.save_file(state, path)
    before = path.read_bytes()
    loaded, copied = load(path, mmap=True), load(path)
    for name, tensor in loaded.items():
        assert is_mapped(tensor.array) and not is_mapped(copied[name].array)
        tensor.array[...] = 0
    assert path.read_bytes() == before
    assert_like_torch(OrderedDict(sorted(load(path, mmap=True).items())), OrderedDict(sorted(state.items())))


def test_a_file_larger_than_any_memory_here_is_mapped(tmp_path):
    """A sparse file of 300 GB: only what is touched is read."""
    count = 75_000_000_000
    header = {"w": {"dtype": "F32", "shape": [count], "data_offsets": [0, 4 * count]}}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path = tmp_path / "x.safetensors"
    try:
        with open(path, "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            file.truncate(8 + len(text) + 4 * count)
            file.seek(-4, 2)
            file.write(struct.pack("<f", 2.5))
        loaded = load(path, mmap=True)["w"]
    except OSError as error:
        pytest.skip(f"this machine maps no file of 300 GB: {error}")
    assert loaded.shape == (count,) and loaded.array[-1] == 2.5 and loaded.array[count // 2] == 0


# --- damaged and foreign files ----------------------------------------------------------------------------------------


def small_files(folder):
    state = {"w": torch.arange(6.0).reshape(2, 3), "b": torch.arange(4)}
    ours = {"epoch": 3, "w": Tensor(state["w"].numpy()), "b": Tensor(state["b"].numpy())}
    paths = {name: folder / name for name in ("a.safetensors", "b.npz", "c.pt", "d.pth")}
    save(ours, paths["a.safetensors"])
    save(ours, paths["b.npz"])
    torch.save(state, paths["c.pt"])
    torch.save(state, paths["d.pth"], **LEGACY)
    return paths


FILES = ["a.safetensors", "b.npz", "c.pt", "d.pth"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("mmap", [None, True])
def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path, name, mmap):
    path = small_files(tmp_path)[name]
    content = path.read_bytes()
    for length in [*range(0, 64), *range(64, len(content), 7), len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(UnreadableFile, match=f"^load: .*{name}: "):
            load(path, mmap=mmap)
    path.write_bytes(content)
    load(path)


@pytest.mark.parametrize("name", ["a.safetensors", "b.npz", "c.pt"])
def test_a_changed_byte_is_refused_or_changes_nothing(tmp_path, name):
    path = small_files(tmp_path)[name]
    content, expected = path.read_bytes(), load(path)
    refused = 0
    for position in range(len(content)):
        path.write_bytes(
            content[:position] + bytes([content[position] ^ (1 << position % 8)]) + content[position + 1 :]
        )
        try:
            loaded = load(path)
        except UnreadableFile as error:
            assert str(path) in str(error)
            refused += 1
        else:
            assert_same(loaded, expected)
    assert refused > len(content) / 4


def test_a_damaged_tensor_is_named(tmp_path):
    paths = small_files(tmp_path)
    for name, message in [
        ("a.safetensors", "w is damaged: its checksum differs"),
        ("b.npz", "entry 'w.npy' is damaged: its checksum differs"),
        ("c.pt", "entry 'c/data/0' is damaged: its checksum differs"),
    ]:
        content = paths[name].read_bytes()
        at = content.index(np.arange(6, dtype=np.float32).tobytes())
        paths[name].write_bytes(content[: at + 8] + b"\1" + content[at + 9 :])
        with pytest.raises(UnreadableFile, match=message):
            load(paths[name])


def test_a_legacy_storage_whose_length_differs_is_refused(tmp_path):
    """The legacy format has no checksums; a wrong length would shift every storage behind it."""
    path = small_files(tmp_path)["d.pth"]
    content = path.read_bytes()
    at = content.index(np.arange(6, dtype=np.float32).tobytes()) - 8
    for wrong in (5, 7, -1, 2**62):
        path.write_bytes(content[:at] + struct.pack("<q", wrong) + content[at + 8 :])
        with pytest.raises(UnreadableFile, match="cut off or damaged at storage"):
            load(path)


def test_pickles_with_any_byte_changed_never_fail_in_another_way(tmp_path):
    """The checksum made right again, so that the damage reaches the unpickler: it refuses, or rebuilds something."""
    path = tmp_path / "c.pt"
    torch.save({"w": torch.arange(6.0), "l": [1, (2, "x")], "p": torch.nn.Parameter(torch.ones(2))}, path)
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    original = entries["c/data.pkl"]
    rng = np.random.default_rng(0)
    for trial in range(600):
        program = bytearray(original)
        for _ in range(1 + trial % 3):
            program[rng.integers(len(program))] = rng.integers(256)
        entries["c/data.pkl"] = bytes(program)
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in entries.items():
                archive.writestr(name, data)
        try:
            load(path)
        except UnreadableFile as error:
            assert len(str(error)) < 600


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.pt", b"", "the file is empty"),
        ("x.safetensors", b"<!DOCTYPE html><html>", "by its content a web page; the download went wrong"),
        ("x.npz", b"version https://git-lfs.github.com/spec/v1\n", "by its content a Git LFS pointer.*git lfs pull"),
        ("x.pt", b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        ("x.pt", pickle.dumps({"a": 1}), "by its content a bare pickle, which may hold any code"),
        ("x.npz", b"\x93NUMPY\1\0", "a single NumPy array"),
        ("x.pth", safetensors.numpy.save({"a": np.zeros(2)}), "by its content a safetensors file"),
        ("x.safetensors", b"PK\3\4", "by its suffix a safetensors file, by its content a zip file"),
        ("x.pt", b"something", "by its content of an unknown kind"),
        ("x.safetensors", struct.pack("<Q", 2**60) + b"{}", "no whole safetensors file"),
        ("x.h5", b"\x89HDF", "the suffix '.h5' is unknown; known are .safetensors, .npz, .pt"),
    ],
)
def test_foreign_files_are_refused_with_what_they_are(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnreadableFile, match=message):
        load(tmp_path / name)


def zipped(path, **entries):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_zip_files_of_another_kind(tmp_path):
    with pytest.raises(UnreadableFile, match="a zip file without data.pkl, which torch.save writes"):
        load(zipped(tmp_path / "x.pt", a="1"))
    with pytest.raises(UnreadableFile, match="an entry 'a.txt', which numpy.savez does not write"):
        load(zipped(tmp_path / "x.npz", **{"a.txt": "1"}))
    with pytest.raises(UnreadableFile, match="a is no array of format version 1 or 2"):
        load(zipped(tmp_path / "x.npz", **{"a.npy": "1234567890123"}))
    torch.jit.script(torch.nn.Linear(2, 2)).save(tmp_path / "script.pt")
    with pytest.raises(UnreadableFile, match="a TorchScript program, not weights"):
        load(tmp_path / "script.pt")
    path = tmp_path / "c.pt"
    torch.save({"w": torch.arange(6.0)}, path)
    rewrite(path, lambda name, data: None if "/data/" in name else data)
    with pytest.raises(UnreadableFile, match="entry 'c/data/0' is missing, which a tensor needs"):
        load(path)
    torch.save({"w": torch.arange(6.0)}, path)
    rewrite(path, lambda name, data: data[:-4] if "/data/" in name else data)
    with pytest.raises(UnreadableFile, match="entry 'c/data/0' has 20 bytes, its tensors need 6 elements of float32"):
        load(path)


def test_dtypes_that_are_not_supported_are_named(tmp_path):
    safetensors.torch.save_file({"w": torch.ones(2).to(torch.float8_e4m3fn)}, tmp_path / "x.safetensors")
    with pytest.raises(UnreadableFile, match="w has dtype F8_E4M3, which is not supported"):
        load(tmp_path / "x.safetensors")
    for value, message in [
        (torch.ones(2).to(torch.float8_e4m3fn), "asks for torch.float8_e4m3fn: a kind of tensor that is not supported"),
        (torch.ones(2, dtype=torch.complex64), "asks for torch.ComplexFloatStorage: a kind of tensor"),
        (torch.ones(2).to_sparse(), r"asks for torch\._utils\._rebuild_sparse_tensor: a kind of tensor"),
    ]:
        torch.save({"w": value}, tmp_path / "x.pt")
        with pytest.raises(UnreadableFile, match=message):
            load(tmp_path / "x.pt")
    np.savez(tmp_path / "x.npz", w=np.zeros(2, complex))
    with pytest.raises(UnreadableFile, match="w holds dtype complex128: not supported"):
        load(tmp_path / "x.npz")


# --- hostile files ----------------------------------------------------------------------------------------------------


def torch_file(path, program):
    """A file as torch.save writes it, with the given pickle."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", program)
        archive.writestr("x/byteorder", "little")
        archive.writestr("x/data/0", np.arange(6, dtype=np.float32).tobytes())
    return path


class Calls:
    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


def hostile_programs(witness):
    command = f"touch {witness}"
    yield "system", pickle.dumps({"w": Calls(os.system, command)}, 2)
    yield "system", pickle.dumps({"w": Calls(os.system, command)}, 4)
    yield "eval", pickle.dumps([Calls(eval, f"open({str(witness)!r}, 'w')")], 2)
    yield "exec", pickle.dumps(Calls(exec, f"open({str(witness)!r}, 'w')"), 2)
    yield "INST", b"(S'" + command.encode() + b"'\nios\nsystem\n."
    yield "asks for os.system", b"(cos\nsystem\nS'" + command.encode() + b"'\no."
    yield (
        "asks for os.system",
        b"\x80\x02cos\nsystem\nX" + struct.pack("<I", len(command)) + command.encode() + b"\x81.",
    )
    yield "EXT1", b"\x80\x02\x82\x01."
    yield "getattr", b"\x80\x02c__builtin__\ngetattr\n."
    yield "numpy.load", b"\x80\x02cnumpy\nload\n."
    yield "torch.load", b"\x80\x02ctorch\nload\n."
    yield "antigravity", b"\x80\x02cantigravity\nfly_to\n."
    yield "NEWOBJ", b"\x80\x02ccollections\nOrderedDict\n)\x81."
    yield "a container is expected", b"\x80\x02ccollections\nOrderedDict\n}X\4\0\0\0callK\1sb."
    yield "calls torch.FloatStorage", b"\x80\x02ctorch\nFloatStorage\nK\5\x85R."
    yield "calls", b"\x80\x02K\5)R."
    yield "refers to something that is no storage", b"\x80\x02X\6\0\0\0moduleK\1\x86Q."
    yield "refers to something that is no storage", b"Pos.system\n."


def test_hostile_pickles_are_refused_by_name_and_not_executed(tmp_path):
    witness = tmp_path / "executed"
    for message, program in hostile_programs(witness):
        with pytest.raises(UnreadableFile, match=message):
            load(torch_file(tmp_path / "x.pt", program))
        legacy = b"".join(pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
        (tmp_path / "y.pt").write_bytes(legacy + program)
        with pytest.raises(UnreadableFile, match=message):
            load(tmp_path / "y.pt")
    assert not witness.exists()
    assert "antigravity" not in sys.modules
    with pytest.raises(UnreadableFile, match=f"asks for {os.name}.system: .*Nothing was executed"):
        load(torch_file(tmp_path / "x.pt", pickle.dumps(Calls(os.system, "true"), 2)))


def test_a_whole_model_is_refused_with_what_to_do(tmp_path):
    for options in ({}, LEGACY):
        torch.save(torch.nn.Linear(2, 2), tmp_path / "x.pt", **options)
        with pytest.raises(UnreadableFile, match=r"torch.nn.modules.linear.Linear|no storage: a whole model"):
            load(tmp_path / "x.pt")


def tensor_program(offset, size, stride, count=6, kind="FloatStorage"):
    class Storage:
        pass

    storage = Storage()

    class Rebuilt:
        def __reduce__(self):
            return torch._utils._rebuild_tensor_v2, (storage, offset, size, stride, False, OrderedDict())

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            return ("storage", getattr(torch, kind), "0", "cpu", count) if value is storage else None

    stream = io.BytesIO()
    Pickler(stream, 2).dump(Rebuilt())
    return stream.getvalue()


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [
        (0, (7,), (1,)),
        (1, (6,), (1,)),
        (-1, (2,), (1,)),
        (0, (2, 3), (4, 1)),
        (5, (2,), (-1,)),
        (0, (-1,), (1,)),
        (0, (2,), (1, 1)),
    ]
    + [(2**62, (2,), (1,)), (0, (2**62,), (2**62,)), (0, ("a",), (1,)), (0, (0, -5), (1, 1))],
)
def test_a_tensor_that_reaches_beyond_its_storage_is_refused(tmp_path, offset, size, stride):
    assert load(torch_file(tmp_path / "x.pt", tensor_program(1, (2, 2), (3, 1)))).tolist() == [[1, 2], [4, 5]]
    with pytest.raises(UnreadableFile, match="damaged"):
        load(torch_file(tmp_path / "x.pt", tensor_program(offset, size, stride)))


def test_an_npz_with_pickled_objects_is_refused(tmp_path):
    np.savez(tmp_path / "x.npz", w=np.array([Calls(os.system, "true")], dtype=object))
    with pytest.raises(UnreadableFile, match="w holds Python objects, which may hold any code: not supported"):
        load(tmp_path / "x.npz")


# --- what a failed save leaves behind ---------------------------------------------------------------------------------


def files_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("suffix", WRITTEN)
def test_an_error_while_writing_leaves_the_former_file(tmp_path, suffix, error, monkeypatch):
    path = tmp_path / f"x{suffix}"
    save({"w": Tensor(np.zeros(3))}, path)
    before = path.read_bytes()

    def fails(path, *args):
        with open(path, "wb") as file:
            file.write(b"half")
        raise error("in the middle")

    monkeypatch.setattr(serialization, "_save_safetensors", fails)
    monkeypatch.setattr(serialization, "_save_npz", fails)
    with pytest.raises(error, match="in the middle"):
        save({"w": Tensor(np.ones(3))}, path)
    assert path.read_bytes() == before and files_in(tmp_path) == [path.name]


def run(script, *arguments):
    """Run a script that saves to argv[1]; return the finished process."""
    header = """
        import os, resource, signal, sys
        import numpy as np
        from framework.serialization import save
        from framework.tensor import Tensor
        path, state = sys.argv[1], {"w": Tensor(np.ones(100_000)), "b": Tensor(np.ones(100_000))}
    """
    source = textwrap.dedent(header) + textwrap.dedent(script)
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return subprocess.run(
        [sys.executable, "-c", source, *map(str, arguments)], capture_output=True, text=True, cwd=root, timeout=120
    )


@pytest.mark.skipif(os.name != "posix", reason="the limit on a file's size is POSIX's")
@pytest.mark.parametrize("suffix", WRITTEN)
def test_a_full_disk_leaves_the_former_file_and_says_so(tmp_path, suffix):
    """The disk is full after 1 MB of 1.6: simulated by the process's limit on file sizes."""
    path = tmp_path / f"x{suffix}"
    path.write_bytes(b"former")
    done = run("resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)); save(state, path)", path)
    assert done.returncode == 1, done.stderr
    assert f"OSError: save: {path}: not written:" in done.stderr.replace("[Errno 27] ", "")
    assert path.read_bytes() == b"former" and files_in(tmp_path) == [path.name]


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's")
@pytest.mark.parametrize("moment", ["fsync", "replace"])
@pytest.mark.parametrize("suffix", WRITTEN)
def test_a_process_killed_before_the_renaming_leaves_the_former_file(tmp_path, suffix, moment):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(b"former")
    done = run(f"os.{moment} = lambda *args: os.kill(os.getpid(), signal.SIGKILL)\nsave(state, path)", path)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert path.read_bytes() == b"former"


@pytest.mark.parametrize("suffix", WRITTEN)
def test_the_file_is_on_the_disk_before_it_takes_the_place(tmp_path, suffix, monkeypatch):
    events = []
    fsync, replace = os.fsync, os.replace

    def recorded_fsync(descriptor):
        events.append(("fsync", os.fstat(descriptor).st_ino))
        fsync(descriptor)

    def recorded_replace(source, target):
        events.append(("replace", os.stat(source).st_ino, os.path.basename(target)))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(os, "replace", recorded_replace)
    path = tmp_path / f"x{suffix}"
    save({"w": Tensor(np.zeros(3))}, path)
    inode = path.stat().st_ino
    assert events[:2] == [("fsync", inode), ("replace", inode, path.name)]
    if os.name == "posix":
        assert events[2:] == [("fsync", tmp_path.stat().st_ino)]


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
@pytest.mark.parametrize("suffix", ["safetensors", "npz"])
def test_a_new_file_has_the_permissions_of_any_other(tmp_path, suffix):
    """safetensors alone would make it for its owner's eyes."""
    (tmp_path / "other").write_bytes(b"")
    save({"a": np.zeros(3)}, tmp_path / f"a.{suffix}")
    assert (tmp_path / f"a.{suffix}").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_link_is_followed_and_permissions_stay(tmp_path):
    target, link = tmp_path / "target.npz", tmp_path / "link.npz"
    save({"w": Tensor(np.zeros(3))}, target)
    target.chmod(0o600)
    link.symlink_to(target)
    save({"w": Tensor(np.ones(3))}, link)
    assert link.is_symlink() and (load(target)["w"].array == 1).all() and target.stat().st_mode & 0o777 == 0o600


def test_any_file_name_will_do(tmp_path, monkeypatch):
    path = tmp_path / ("n" * 240 + ".npz")
    save({"w": Tensor(np.zeros(3))}, path)
    monkeypatch.chdir(tmp_path)
    save({"w": Tensor(np.ones(3))}, "relative.safetensors")
    assert (load("relative.safetensors")["w"].array == 1).all() and files_in(tmp_path) == [
        path.name,
        "relative.safetensors",
    ]


# --- what is refused --------------------------------------------------------------------------------------------------


def test_save_refuses_what_it_cannot_keep(tmp_path):
    path = tmp_path / "x.npz"
    cyclic = []
    cyclic.append(cyclic)
    for value, message in [
        ({"a": {"b": [0, print]}}, "a.b.1 is a builtin_function_or_method, which cannot be stored"),
        ({1, 2}, "the object is a set"),
        ({"a": {(1, 2): 3}}, r"a has a key \(1, 2\), which is neither a string nor a number"),
        ({"a": np.zeros(2, complex)}, "a has dtype complex128"),
        ({"a": np.array(["text"])}, "a has dtype <U4"),
        ({"a": np.array([None])}, "a has dtype object"),
        ({"a": torch.ones(2)}, "a is a Tensor, which cannot be stored"),
        ({"a": b"bytes"}, "a is a bytes"),
        (cyclic, "contains itself"),
    ]:
        with pytest.raises(TypeError, match=message):
            save(value, path)
    assert files_in(tmp_path) == []


def test_save_names_the_formats_it_writes(tmp_path):
    with pytest.raises(ValueError, match="x.pt: PyTorch's format is only read; use .safetensors or .npz"):
        save({}, tmp_path / "x.pt")
    with pytest.raises(ValueError, match="the suffix '' is unknown; use .safetensors or .npz"):
        save({}, tmp_path / "x")
    with pytest.raises(TypeError, match="save: f must be a path, whose suffix names the format; got a BytesIO"):
        save({}, io.BytesIO())
    for suffix in WRITTEN:
        with pytest.raises(OSError, match=r"save: .*nowhere/x\..*: not written: .*[Nn]o such file"):
            save({}, tmp_path / "nowhere" / f"x{suffix}")


def test_load_options(tmp_path):
    path = tmp_path / "x.npz"
    save({"w": Tensor(np.zeros(3))}, path)
    for device in (None, "cpu", load(path)["w"].device):
        assert str(load(path, device)["w"].device) == "cpu"
    assert load(path, weights_only=True).keys() == {"w"}
    with pytest.raises(NotImplementedError, match="weights_only=False is not supported"):
        load(path, weights_only=False)
    with pytest.raises(NotImplementedError, match="pickle_module"):
        load(path, None, pickle)
    with pytest.raises(NotImplementedError, match="map_location must be a device, got a function"):
        load(path, lambda storage, location: storage)
    with pytest.raises(TypeError, match="load: f must be a path"):
        load(io.BytesIO())
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.npz")


def test_a_device_that_is_not_there(tmp_path):
    path = tmp_path / "x.pt"
    torch.save({"w": torch.ones(2)}, path)
    try:
        import cupy  # noqa: F401
    except ImportError:
        with pytest.raises(RuntimeError, match="CuPy is not installed"):
            load(path, "cuda")


def test_checksums_cover_names_shapes_and_dtypes():
    array = np.arange(4, dtype=np.int32)
    described = {
        serialization._checksum(name, value)
        for name in "ab"
        for value in (array, array.view("f4"), array.reshape(2, 2))
    }
    assert len(described) == 6 and zlib.crc32(array) not in described
