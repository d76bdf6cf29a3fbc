"""save and load: tensors and plain values in files, without pickle.

    .safetensors    written and read     the safetensors format; any tool that knows it reads the tensors
    .npz            written and read     NumPy's; numpy.load reads the tensors
    .pt .pth .bin   read                 what torch.save writes: weights only, no code is executed

What is saved may be a state_dict, or any nesting of dicts, lists and tuples that holds tensors, arrays, numbers, strings, True,
False and None, such as a whole checkpoint. Tensors are stored under their path ("model.fc.weight"), everything else as JSON.
"""

import contextlib
import io
import json
import math
import os
import secrets
import shutil
import zipfile
import zlib

import numpy as np
import safetensors
import safetensors.numpy

from . import backend, torch_format
from .mapped_file import BFLOAT16, UnreadableFile, ZipFile, map_file, typed
from .tensor import Tensor

__all__ = ["UnreadableFile", "load", "replacing", "save"]

_READERS = (".safetensors", ".npz", ".pt", ".pth", ".bin")
_STRUCTURE = "dlfs.structure"  # the JSON beside the tensors: safetensors' metadata, npz' entry dlfs.structure.json
_CHECKSUMS = "dlfs.checksums"


def save(obj, f):
    """Write `obj` to the file `f`, in the format that its suffix names; torch.save's name, for weights and plain values only.

    A tensor comes back as a tensor that requires no gradient, an array as an array, a NumPy scalar as Python's number, a subclass
    of dict as a dict. Tensors that share memory are written each for itself, and share none when they are loaded.

    The file is replaced only when the new one is complete and on the disk: after any error, the former file is as it was.
    Raises ValueError for a suffix that is not written, TypeError for a value that cannot be stored, naming where it is, and
    OSError where writing fails.
    """
    path = _path("save", f)
    suffix = os.path.splitext(path)[1]
    if suffix not in (".safetensors", ".npz"):
        why = "PyTorch's format is only read" if suffix in _READERS else f"the suffix {suffix!r} is unknown"
        raise ValueError(f"save: {path}: {why}; use .safetensors or .npz")
    arrays = {}
    try:
        structure = _to_json(obj, "", arrays, path)
    except RecursionError:
        raise TypeError(f"save: {path}: the object contains itself, or is nested too deeply") from None
    write = _save_safetensors if suffix == ".safetensors" else _save_npz
    try:
        with replacing(path) as temporary:
            write(temporary, arrays, structure)
    except OSError as error:
        raise OSError(error.errno, f"save: {path}: not written: {error.strerror}") from error
    except safetensors.SafetensorError as error:
        raise OSError(f"save: {path}: not written: {error}") from error


def load(f, map_location=None, pickle_module=None, *, weights_only=None, mmap=None):
    """What a file holds: for one that `save` or torch.save wrote, the saved object; for others, a dict of tensors by name.

    Tensors are on the CPU unless map_location is another device; bfloat16 becomes float32, which holds each of its values exactly.
    A file of `save`, an .npz and PyTorch's present format hold checksums, which are compared; other .safetensors and PyTorch's
    format of before 1.6 hold none.
    mmap=True: the tensors are views of the mapped file, read when touched and copied when written to; so one of many gigabytes is
    there at once, and what is never touched is never read. Their checksums are then not compared. Tensors that are bfloat16,
    compressed or not aligned in the file are read at once all the same.

    Raises UnreadableFile, a ValueError, for a damaged, truncated or foreign file, and for a pickle that asks for anything but
    weights, naming it; nothing of it is executed. FileNotFoundError where there is no such file.
    """
    path = _path("load", f)
    if weights_only is False or pickle_module is not None:
        option = "weights_only=False" if weights_only is False else "pickle_module"
        raise NotImplementedError(f"load: {option} is not supported: only weights are read, no code is executed")
    if not isinstance(map_location, (str, backend.device, type(None))):
        raise NotImplementedError(f"load: map_location must be a device, got a {type(map_location).__name__}")
    device = backend.device(map_location or "cpu")
    backend.module_of(device)  # refuses a device that is not there
    suffix = os.path.splitext(path)[1]
    if suffix not in _READERS:
        raise UnreadableFile(path, f"the suffix {suffix!r} is unknown; known are {', '.join(_READERS)}")
    reader = {".safetensors": _load_safetensors, ".npz": _load_npz}.get(suffix, torch_format.load)
    _check_kind(path, suffix)
    try:
        return reader(path, bool(mmap), device)
    except UnreadableFile:
        raise
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError) as error:
        raise UnreadableFile(path, f"damaged: {error}") from error


def _path(name, f):
    if not isinstance(f, (str, os.PathLike)):
        raise TypeError(f"{name}: f must be a path, whose suffix names the format; got a {type(f).__name__}")
    return os.fspath(f)


@contextlib.contextmanager
def replacing(path):
    """Yield the name of a temporary file beside `path`, to be written; then put it in the place of `path`, whole and on the disk.

    After an error the temporary file is gone and `path` as it was. A process killed meanwhile leaves `path` as it was, too.
    """
    path = os.path.realpath(path)
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name[:80]}.{secrets.token_hex(6)}.tmp")
    try:
        yield temporary
        if os.path.exists(path):
            shutil.copymode(path, temporary)
        else:
            os.chmod(
                temporary, 0o666 & ~_umask()
            )  # as open() makes files; safetensors makes them for their owner alone
        _to_disk(temporary, os.O_RDWR)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    if os.name == "posix":
        _to_disk(folder, os.O_RDONLY)  # the renaming itself


def _umask():
    """The permissions that new files do not get; they can only be asked for by setting them."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


def _to_disk(path, flags):
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# --- what kind of file it is ------------------------------------------------------------------------------------------

_BEGINNINGS = {
    b"PK\3\4": "a zip file",
    b"PK\5\6": "a zip file",  # an empty one
    torch_format.LEGACY_MAGIC: "a file of torch.save",
    b"\x93NUMPY": "a single NumPy array",
    b"\x89HDF": "an HDF5 file",
    b"version https://git-lfs": "a Git LFS pointer, not the file itself; fetch it with: git lfs pull",
    b"<!DOCTYPE": "a web page; the download went wrong",
    b"<html": "a web page; the download went wrong",
    b"\x80": "a bare pickle, which may hold any code",
    b"\x1f\x8b": "a gzip file; unpack it first",
    b"ustar": "a tar file",
}


def _check_kind(path, suffix):
    """Refuse a file whose content is of another kind than its suffix says."""
    with open(path, "rb") as file:
        head = file.read(512)
    if not head:
        raise UnreadableFile(path, "the file is empty")
    if head[8:9] == b"{":  # an 8-byte length, then JSON
        kind = "a safetensors file"
    elif head[257:262] == b"ustar":
        kind = _BEGINNINGS[b"ustar"]
    else:
        kind = next(
            (kind for beginning, kind in _BEGINNINGS.items() if head.startswith(beginning)), "of an unknown kind"
        )
    expected = {".safetensors": ("a safetensors file",), ".npz": ("a zip file",)}.get(
        suffix, ("a zip file", "a file of torch.save")
    )
    if kind not in expected:
        raise UnreadableFile(path, f"by its suffix {' or '.join(expected)}, by its content {kind}")


# --- values beside tensors, as JSON -----------------------------------------------------------------------------------
#
# Tensors and arrays become {"$tensor": name} and {"$array": name}; {"$tuple": […]}, {"$dict": [[key, value], …]} for keys that are not
# all plain strings, and {"$float": "inf"} stand for what JSON lacks.


def _to_json(value, path, arrays, root):
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return value
    if kind is float:
        return value if math.isfinite(value) else {"$float": repr(value)}
    if isinstance(value, np.generic):
        return _to_json(value.item(), path, arrays, root)
    if isinstance(value, Tensor):
        return {"$tensor": _store(backend.to_device(value.array, "cpu"), path, arrays)}
    if isinstance(value, np.ndarray):
        return {"$array": _store(value, path, arrays)}
    inside = f"{path}." if path else ""
    if isinstance(value, (list, tuple)):
        items = [_to_json(item, f"{inside}{i}", arrays, root) for i, item in enumerate(value)]
        return items if isinstance(value, list) else {"$tuple": items}
    if isinstance(value, dict):
        for key in value:
            if type(key) not in (str, int, bool, float, type(None)):
                raise TypeError(
                    f"save: {root}: {path or 'the dict'} has a key {key!r}, which is neither a string nor a number"
                )
        pairs = [(key, _to_json(item, f"{inside}{key}", arrays, root)) for key, item in value.items()]
        if all(isinstance(key, str) and not key.startswith("$") for key, _ in pairs):
            return dict(pairs)
        return {"$dict": [[_to_json(key, path, arrays, root), item] for key, item in pairs]}
    raise TypeError(
        f"save: {root}: {path or 'the object'} is a {kind.__name__}, which cannot be stored; "
        "tensors, arrays, numbers, strings, None, and dicts, lists and tuples of them can"
    )


def _store(array, name, arrays):
    """Enter an array under its path, or, where that is no good name for an entry of a file, under another one."""
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise TypeError(f"save: {name or 'the array'} has dtype {array.dtype}, which cannot be stored")
    if not (0 < len(name) < 1000 and name.isprintable() and "\\" not in name) or name == "__metadata__":
        name = f"tensor.{len(arrays)}"
    while name in arrays:
        name += "~"
    arrays[name] = np.asarray(array, array.dtype.newbyteorder("="), order="C")
    return name


def _from_json(value, tensors):
    if isinstance(value, list):
        return [_from_json(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    tag = next((key for key in value if key.startswith("$")), None)
    if tag is None:
        return {key: _from_json(item, tensors) for key, item in value.items()}
    content = value[tag]
    if tag == "$tensor":
        return tensors[content]
    if tag == "$array":
        return tensors[content].numpy()
    if tag == "$tuple":
        return tuple(_from_json(content, tensors))
    if tag == "$dict":
        return {_from_json(key, tensors): _from_json(item, tensors) for key, item in content}
    if tag == "$float":
        return float(content)
    raise ValueError(f"{tag} is unknown")


# --- safetensors ------------------------------------------------------------------------------------------------------

_SAFETENSORS_DTYPES = {
    "F16": "float16", "F32": "float32", "F64": "float64", "BF16": BFLOAT16, "BOOL": "bool",
    "I8": "int8", "I16": "int16", "I32": "int32", "I64": "int64", "U8": "uint8", "U16": "uint16", "U32": "uint32", "U64": "uint64",
}  # fmt: skip


def _checksum(name, array):
    """CRC-32 of an array's bytes, its name, dtype and shape."""
    described = f"{name} {array.dtype.name} {array.shape}"
    return zlib.crc32(array.reshape(-1).view(np.uint8), zlib.crc32(described.encode()))


def _save_safetensors(path, arrays, structure):
    checksums = {name: _checksum(name, array) for name, array in arrays.items()}
    text = json.dumps(structure, allow_nan=False)
    checksums[""] = zlib.crc32(text.encode())
    metadata = {
        "format": "pt",
        _STRUCTURE: text,
        _CHECKSUMS: json.dumps(checksums),
    }  # transformers insists on the format
    safetensors.numpy.save_file(arrays, path, metadata)


def _load_safetensors(path, mapped, device):
    try:
        with safetensors.safe_open(path, framework="numpy") as file:  # checks the header and the file's length
            metadata = file.metadata() or {}
    except safetensors.SafetensorError as error:
        raise UnreadableFile(path, f"no whole safetensors file: {error}") from None
    everything = map_file(path)
    begin = 8 + int.from_bytes(everything[:8].tobytes(), "little")
    header = json.loads(everything[8:begin].tobytes())
    header.pop("__metadata__", None)
    checksums = json.loads(metadata.get(_CHECKSUMS, "{}"))
    if not mapped and checksums and checksums[""] != zlib.crc32(metadata[_STRUCTURE].encode()):
        raise UnreadableFile(path, "the description of its content is damaged: its checksum differs")
    tensors = {}
    for name, entry in header.items():
        if entry["dtype"] not in _SAFETENSORS_DTYPES:
            raise UnreadableFile(path, f"{name} has dtype {entry['dtype']}, which is not supported")
        start, stop = entry["data_offsets"]
        array = typed(everything[begin + start : begin + stop], _SAFETENSORS_DTYPES[entry["dtype"]], mapped)
        array = array.reshape(entry["shape"])
        if not mapped and checksums and checksums.get(name) != _checksum(name, array):
            raise UnreadableFile(path, f"{name} is damaged: its checksum differs")
        tensors[name] = Tensor(backend.to_device(array, device))
    return _from_json(json.loads(metadata[_STRUCTURE]), tensors) if _STRUCTURE in metadata else tensors


# --- npz --------------------------------------------------------------------------------------------------------------


def _save_npz(path, arrays, structure):
    with zipfile.ZipFile(path, "x", allowZip64=True) as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)
        if structure != {name: {"$tensor": name} for name in arrays}:  # more than a dict of tensors
            archive.writestr(zipfile.ZipInfo(f"{_STRUCTURE}.json"), json.dumps(structure, allow_nan=False))


def _load_npz(path, mapped, device):
    archive = ZipFile(path, mapped)
    tensors, text = {}, None
    for entry in archive.entries:
        if entry == f"{_STRUCTURE}.json":
            text = archive.read(entry).tobytes()
        elif not entry.endswith(".npy"):
            raise UnreadableFile(path, f"a zip file with an entry {entry!r}, which numpy.savez does not write")
        else:
            name = entry.removesuffix(".npy")
            tensors[name] = Tensor(
                backend.to_device(_npy_array(archive.read(entry, verify=False), mapped, path, name), device)
            )
    return tensors if text is None else _from_json(json.loads(text), tensors)


def _npy_array(raw, mapped, path, name):
    """The array in the bytes of an .npy file: magic and version, length of the header, header, data."""
    if raw[:6].tobytes() != b"\x93NUMPY" or raw[6] not in (1, 2):
        raise UnreadableFile(path, f"{name} is no array of format version 1 or 2")
    begin = 10 if raw[6] == 1 else 12
    end = begin + int.from_bytes(raw[8:begin].tobytes(), "little")
    read_header = np.lib.format.read_array_header_1_0 if raw[6] == 1 else np.lib.format.read_array_header_2_0
    with io.BytesIO(raw[8:end].tobytes()) as header:
        shape, fortran_order, dtype = read_header(header)
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        what = "Python objects, which may hold any code" if dtype.hasobject else f"dtype {dtype}"
        raise UnreadableFile(path, f"{name} holds {what}: not supported")
    order = ">" if dtype.byteorder == ">" else "<"
    return typed(raw[end:], dtype, mapped, order).reshape(shape, order="F" if fortran_order else "C")
