"""Reading the files that torch.save writes: tensors in plain containers, and no code.

Such a file holds a pickle, which is a program for a stack machine; Python's own machine calls whatever function the program
names. The one here has just the instructions that build containers, and calls only the few functions in its table: none but
those rebuild a tensor or a container. Any other name is an error, and nothing is imported.
"""

import io
import pickletools
from collections import Counter, OrderedDict

import numpy as np

from . import backend
from .mapped_file import BFLOAT16, UnreadableFile, ZipFile, map_file, typed
from .readable import Size
from .tensor import Tensor

LEGACY_MAGIC = bytes.fromhex(
    "80028a0a6cfc9c46f9206aa850192e"
)  # a pickled number, which begins files of before PyTorch 1.6

_INTEGERS = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
_DTYPES = {f"torch.{name}": np.dtype(name) for name in ("float16", "float32", "float64", "bool", *_INTEGERS)}
_STORAGES = {
    "torch.HalfStorage": "float16",
    "torch.FloatStorage": "float32",
    "torch.DoubleStorage": "float64",
    "torch.BFloat16Storage": BFLOAT16,
    "torch.CharStorage": "int8",
    "torch.ShortStorage": "int16",
    "torch.IntStorage": "int32",
    "torch.LongStorage": "int64",
    "torch.ByteStorage": "uint8",
    "torch.BoolStorage": "bool",
    "torch.storage.UntypedStorage": "uint8",
}


def load(path, mapped, device):
    """The object in a file of torch.save; see serialization.load. Raises UnreadableFile for anything but weights."""
    with open(path, "rb") as file:
        head = file.read(len(LEGACY_MAGIC))
    if head == LEGACY_MAGIC:
        return _load_legacy(path, mapped, device)
    return _load_zip(path, mapped, device)


# --- the two kinds of file --------------------------------------------------------------------------------------------


def _load_zip(path, mapped, device):
    """Since PyTorch 1.6: a zip file with data.pkl, and an entry data/<key> for each storage."""
    archive = ZipFile(path, mapped)
    program = next((name for name in archive.entries if name.rpartition("/")[2] == "data.pkl"), None)
    if program is None:
        raise UnreadableFile(path, "a zip file without data.pkl, which torch.save writes")
    root = program.removesuffix("data.pkl")
    if f"{root}constants.pkl" in archive.entries:
        raise UnreadableFile(path, "a TorchScript program, not weights; in PyTorch, save its state_dict() instead")
    order = "<"
    if f"{root}byteorder" in archive.entries:
        order = ">" if archive.read(f"{root}byteorder").tobytes() == b"big" else "<"
    storages = {}

    def storage(kind, key, location, count):
        if key not in storages:
            name = f"{root}data/{key}"
            if name not in archive.entries:
                raise UnreadableFile(path, f"entry {name!r} is missing, which a tensor needs")
            storages[key] = _typed_storage(
                archive.read(name, verify=False), kind, order, count, mapped, path, f"entry {name!r}"
            )
        return storages[key]

    return Unpickler(path, storage, device).run(io.BytesIO(archive.read(program).tobytes()))


def _load_legacy(path, mapped, device):
    """Before PyTorch 1.6: five pickles, the fourth with the object, the fifth with the storages' keys; then their bytes."""
    everything = map_file(path)
    promised, starts, storages = {}, {}, {}

    def promise(kind, key, location, count, view=None):
        promised[key] = kind, count
        return np.empty(0)

    def storage(kind, key, location, count, view=None):
        if key not in storages:
            start = starts[key]
            raw = everything[start : start + count * _itemsize(kind)]
            storages[key] = _typed_storage(raw, kind, order, count, mapped, path, f"storage {key!r}")
        if view is not None:
            _, offset, size = view
            return storages[key][offset : offset + size]
        return storages[key]

    with open(path, "rb") as file:
        plain = Unpickler(path, None, device)
        _, version, system = (plain.run(file) for _ in range(3))
        if version != 1001:
            raise UnreadableFile(path, f"protocol version {version!r}, where 1001 is known")
        order = "<" if system["little_endian"] else ">"
        begin = file.tell()
        Unpickler(path, promise, device, rebuild=False).run(file)  # to learn the storages, which come after the object
        keys = plain.run(file)
        if not isinstance(keys, list) or set(promised) != set(keys):
            raise UnreadableFile(path, "the list of storages is damaged")
        end = file.tell()
        for key in keys:
            starts[key] = end + 8
            kind, count = promised[key]
            if everything[end : starts[key]].view(f"{order}i8").tolist() != [count]:
                raise UnreadableFile(path, f"cut off or damaged at storage {key!r}")
            end = starts[key] + count * _itemsize(kind)
        file.seek(begin)
        return Unpickler(path, storage, device).run(file)


def _itemsize(kind):
    dtype = _STORAGES[kind]
    return 2 if dtype == BFLOAT16 else np.dtype(dtype).itemsize


def _typed_storage(raw, kind, order, count, mapped, path, where):
    dtype = _STORAGES[kind]
    if not isinstance(count, int) or raw.size != count * _itemsize(kind):
        raise UnreadableFile(path, f"{where} has {raw.size} bytes, its tensors need {count} elements of {dtype}")
    return typed(raw, dtype, mapped, order)


# --- the stack machine ------------------------------------------------------------------------------------------------


class Name:
    """A global name of the pickle's, with what it may be called for, if anything."""

    def __init__(self, name, function=None):
        self.name, self.function = name, function


class Unpickler:
    """Runs one pickle. storage(kind, key, location, count, …): the 1-D array of a storage that the pickle refers to."""

    def __init__(self, path, storage, device, rebuild=True):
        self.path, self.storage, self.device = path, storage, device
        functions = {
            "torch._utils._rebuild_tensor": self._tensor,
            "torch._utils._rebuild_tensor_v2": self._tensor_v2,
            "torch._utils._rebuild_tensor_v3": self._tensor_v3,
            "torch._utils._rebuild_parameter": self._parameter,
            "torch._utils._rebuild_parameter_with_state": self._parameter,
            "torch._tensor._rebuild_from_type_v2": self._subclass,
        }
        if not rebuild:
            functions = dict.fromkeys(functions, lambda *args: None)
        functions |= {
            "collections.OrderedDict": OrderedDict,
            "collections.Counter": Counter,
            "builtins.set": set,
            "__builtin__.set": set,
            "builtins.complex": complex,
            "__builtin__.complex": complex,
            "_codecs.encode": lambda text, encoding: text.encode("latin1"),  # how protocol 2 writes bytes
            "torch.Size": Size,
            "torch.device": self._device,
        }
        self.names = {name: Name(name, function) for name, function in functions.items()}
        self.names |= {name: Name(name) for name in ("torch.Tensor", "torch.nn.parameter.Parameter", *_STORAGES)}
        self.names |= _DTYPES | {"torch.bfloat16": np.dtype(np.float32)}

    def run(self, stream):
        """Run the pickle at the stream's position; leave the stream behind its end; return the object."""
        stack, marks, memo = [], [], {}
        position = None
        try:
            for opcode, argument, position in pickletools.genops(stream):  # noqa: B007 (position is for the error)
                if opcode.name == "STOP":
                    return stack.pop()
                self._execute(opcode.name, argument, stack, marks, memo)
        except UnreadableFile:
            raise
        except (ValueError, TypeError, LookupError, AttributeError, RuntimeError, OverflowError, MemoryError) as error:
            raise UnreadableFile(self.path, f"the pickle is damaged near its byte {position}: {error}") from None
        raise UnreadableFile(self.path, "the pickle has no end")

    def _execute(self, name, argument, stack, marks, memo):
        if name in _CONSTANTS:
            stack.append(argument)
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
            memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            stack.append(memo[argument])
        elif name == "MARK":
            marks.append(len(stack))
        elif name in ("NEWTRUE", "NEWFALSE"):
            stack.append(name == "NEWTRUE")
        elif name in _TUPLES:
            count = _TUPLES[name]
            stack[len(stack) - count :] = [tuple(stack[len(stack) - count :])]
        elif name in ("TUPLE", "LIST", "FROZENSET"):
            items = _since_mark(stack, marks)
            stack.append({"TUPLE": tuple, "LIST": list, "FROZENSET": frozenset}[name](items))
        elif name == "DICT":
            items = _since_mark(stack, marks)
            stack.append(dict(zip(items[::2], items[1::2], strict=True)))
        elif name in ("APPEND", "APPENDS"):
            items = [stack.pop()] if name == "APPEND" else _since_mark(stack, marks)
            _expect(stack[-1], list).extend(items)
        elif name == "ADDITEMS":
            items = _since_mark(stack, marks)
            _expect(stack[-1], set).update(items)
        elif name in ("SETITEM", "SETITEMS"):
            items = [stack.pop(-2), stack.pop()] if name == "SETITEM" else _since_mark(stack, marks)
            _expect(stack[-1], dict).update(zip(items[::2], items[1::2], strict=True))
        elif name == "GLOBAL":
            stack.append(self._global(argument.replace(" ", ".", 1)))
        elif name == "STACK_GLOBAL":
            attribute, module = stack.pop(), stack.pop()
            stack.append(self._global(f"{module}.{attribute}"))
        elif name == "REDUCE":
            arguments, called = stack.pop(), stack.pop()
            if not isinstance(called, Name) or called.function is None:
                raise self._refused(f"the pickle calls {getattr(called, 'name', repr(called))}, which is no function")
            stack.append(called.function(*arguments))
        elif name == "BUILD":
            stack.pop()  # attributes of a dict or of a tensor, such as a state_dict's _metadata: not kept
            _expect(stack[-1], (OrderedDict, Tensor, type(None)))
        elif name in ("BINPERSID", "PERSID"):
            stack.append(self._persistent(stack.pop() if name == "BINPERSID" else argument))
        elif name not in ("PROTO", "FRAME"):
            raise self._refused(f"the pickle has an instruction {name}, which weights do not need")

    def _refused(self, reason):
        return UnreadableFile(self.path, reason)

    def _global(self, name):
        if name not in self.names:
            hint = "the file holds more than weights; in PyTorch, save model.state_dict() alone"
            if name.startswith("torch._") or name.count(".") == 1 and name.startswith("torch."):
                hint = "a kind of tensor that is not supported"
            raise self._refused(f"the pickle asks for {name}: {hint}. Nothing was executed")
        return self.names[name]

    def _persistent(self, reference):
        if not isinstance(reference, tuple) or len(reference) < 5 or reference[0] != "storage":
            raise self._refused(
                "it refers to something that is no storage: a whole model of an old PyTorch, not its state_dict()"
            )
        _, kind, *rest = reference
        if getattr(kind, "name", None) not in _STORAGES:
            raise ValueError(f"{kind!r} is no kind of storage")
        return self.storage(kind.name, *rest)

    # --- what the pickle may call ---

    def _tensor(self, storage, offset, size, stride, requires_grad=False, dtype=None):
        dtype = storage.dtype if dtype is None else dtype
        if min((offset, *size, *stride), default=0) < 0 or len(size) != len(stride):
            raise ValueError(f"a tensor of size {tuple(size)}, stride {tuple(stride)} and offset {offset}")
        if 0 in size:
            array = np.empty(size, dtype)
        else:  # a view: tensors that shared a storage share it again; refused by NumPy where it would reach beyond
            strides = [step * dtype.itemsize for step in stride]
            array = np.ndarray(size, dtype, storage, offset * dtype.itemsize, strides)
        return Tensor(backend.to_device(array, self.device), requires_grad=requires_grad)

    def _tensor_v2(self, storage, offset, size, stride, requires_grad, hooks, metadata=None):
        if metadata:
            raise self._refused(
                f"a tensor with the bits {sorted(metadata)} set is not supported; resolve them in PyTorch"
            )
        return self._tensor(storage, offset, size, stride, requires_grad)

    def _tensor_v3(self, storage, offset, size, stride, requires_grad, hooks, dtype, metadata=None):
        return self._tensor(storage, offset, size, stride, requires_grad, dtype)

    def _parameter(self, data, requires_grad, hooks, state=None):
        return Tensor(data.array, requires_grad=requires_grad)

    def _device(self, kind, index=None):
        if kind not in ("cpu", "cuda"):
            raise self._refused(f"it names a device {kind!r}, which is not supported")
        return backend.device(kind, index)

    def _subclass(self, function, kind, arguments, state):
        if getattr(kind, "name", None) not in ("torch.Tensor", "torch.nn.parameter.Parameter"):
            raise self._refused("a tensor of a class of its own is not supported")
        return function.function(*arguments)


def _since_mark(stack, marks):
    mark = marks.pop()
    items = stack[mark:]
    del stack[mark:]
    return items


def _expect(value, kind):
    if not isinstance(value, kind):
        raise ValueError(f"a container is expected, not a {type(value).__name__}")
    return value


_EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "EMPTY_SET": set}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_CONSTANTS = {
    "NONE", "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
}  # fmt: skip
