"""Modules that hold modules or parameters: in a row, in a list, under names."""

import operator
from collections import OrderedDict
from itertools import chain

from ..tensor import Tensor
from .module import Module, _assembled, _indented
from .parameter import Parameter

__all__ = ["Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict", "DataParallel"]


class _Numbered(Module):
    """What Sequential and ModuleList share: modules under the names "0", "1", …"""

    def _position(self, index):
        size, index = len(self), operator.index(index)
        if not -size <= index < size:
            raise IndexError(f"{self._get_name()}: index {index} is out of range, it holds {size} modules")
        return index % size

    def _key(self, index):
        return list(self._modules)[self._position(index)]

    def _renumber(self, modules):
        self._modules.clear()
        self._modules.update((str(i), module) for i, module in enumerate(modules))

    def __setitem__(self, index, module):
        setattr(self, self._key(index), module)

    def __delitem__(self, index):
        keys = list(self._modules)
        for key in keys[index] if isinstance(index, slice) else [self._key(index)]:
            del self._modules[key]
        self._renumber(list(self._modules.values()))

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter(self._modules.values())

    def append(self, module):
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules):
        for module in modules:
            self.append(module)
        return self

    def insert(self, index, module):
        """Put a module before the one at `index`, as list.insert does."""
        if not isinstance(module, Module):
            raise TypeError(f"{self._get_name()}.insert: expected a Module, got {type(module).__name__}")
        modules = list(self)
        modules.insert(index, module)
        self._renumber(modules)
        return self

    def pop(self, key):
        module = self[key]
        del self[key]
        return module


class Sequential(_Numbered):
    """Modules one after the other: Sequential(a, b) or Sequential(OrderedDict(first=a, second=b))."""

    def __init__(self, *args):
        super().__init__()
        if len(args) == 1 and isinstance(args[0], OrderedDict):
            for name, module in args[0].items():
                self.add_module(name, module)
        else:
            self.extend(args)

    def forward(self, input):
        for module in self:
            input = module(input)
        return input

    def __getitem__(self, index):
        if isinstance(index, slice):
            return type(self)(OrderedDict(list(self._modules.items())[index]))
        return self._modules[self._key(index)]

    def __delitem__(self, index):
        keys = list(self._modules)
        names_are_numbers = keys == [str(i) for i in range(len(keys))]
        for key in keys[index] if isinstance(index, slice) else [self._key(index)]:
            del self._modules[key]
        if names_are_numbers:
            self._renumber(list(self))

    def __add__(self, other):
        if not isinstance(other, Sequential):
            raise ValueError(f"Sequential: only another Sequential can be added, not a {type(other).__name__}")
        return Sequential(*self, *other)

    def __iadd__(self, other):
        return self.extend(other)

    def __mul__(self, other):
        return Sequential(*chain.from_iterable([list(self)] * other))

    __rmul__ = __mul__

    def __imul__(self, other):
        return self.extend(list(self) * (other - 1))


class ModuleList(_Numbered):
    """A list of modules; it has no forward of its own."""

    def __init__(self, modules=None):
        super().__init__()
        self.extend(modules or ())

    def __getitem__(self, index):
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return self._modules[self._key(index)]

    def __add__(self, other):
        return ModuleList([*self, *other])

    def __iadd__(self, other):
        return self.extend(other)

    def __repr__(self):
        """Modules that print alike are shown once, with their number."""
        groups = []
        for i, module in enumerate(self):
            text = repr(module)
            if groups and groups[-1][2] == text:
                groups[-1][1] = i
            else:
                groups.append([i, i, text])
        lines = [
            f"({first}): {_indented(text)}"
            if first == last
            else f"({first}-{last}): {last - first + 1} x {_indented(text)}"
            for first, last, text in groups
        ]
        return _assembled(self._get_name(), [], lines)


def _pairs(owner, items):
    """(name, value) of a dict, a module or parameter dict, or an iterable of pairs."""
    if hasattr(items, "items"):
        return items.items()
    pairs = list(items)
    for pair in pairs:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise ValueError(f"{owner}: expected a dict or (name, value) pairs, got {pair!r}")
    return pairs


class ModuleDict(Module):
    """Modules under names, in the order of insertion; it has no forward of its own."""

    def __init__(self, modules=None):
        super().__init__()
        if modules is not None:
            self.update(modules)

    def update(self, modules):
        for name, module in _pairs("ModuleDict.update", modules):
            self[name] = module

    def __getitem__(self, key):
        return self._modules[key]

    def __setitem__(self, key, module):
        self.add_module(key, module)

    def __delitem__(self, key):
        del self._modules[key]

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter(self._modules)

    def __contains__(self, key):
        return key in self._modules

    def clear(self):
        self._modules.clear()

    def pop(self, key):
        return self._modules.pop(key)

    def keys(self):
        return self._modules.keys()

    def items(self):
        return self._modules.items()

    def values(self):
        return self._modules.values()


class _Values(Module):
    """What ParameterList and ParameterDict share: a plain Tensor that is put in becomes a Parameter, other values stay as they are."""

    def _put(self, name, value):
        setattr(
            self, name, Parameter(value) if isinstance(value, Tensor) and not isinstance(value, Parameter) else value
        )

    def _lines(self, keys):
        for key in keys:
            value = self[key]
            if isinstance(value, Tensor):
                kind = "Parameter" if isinstance(value, Parameter) else "Tensor"
                yield f"  ({key}): {kind} containing: [{value.dtype} of size {'x'.join(map(str, value.shape))}]"
            else:
                yield f"  ({key}): Object of type: {type(value).__name__}"

    def extra_repr(self):
        return "\n".join(self._lines(self.keys() if isinstance(self, ParameterDict) else range(len(self))))

    def __call__(self, *args, **kwargs):
        raise RuntimeError(f"{self._get_name()} cannot be called; call what uses its parameters")


class ParameterList(_Values):
    """A list of parameters."""

    def __init__(self, values=None):
        super().__init__()
        self._size = 0
        self.extend(values or ())

    def _name(self, index):
        index = operator.index(index)
        if not -self._size <= index < self._size:
            raise IndexError(f"ParameterList: index {index} is out of range, it holds {self._size} values")
        return str(index % self._size)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return getattr(self, self._name(index))

    def __setitem__(self, index, value):
        self._put(self._name(index), value)

    def __len__(self):
        return self._size

    def __iter__(self):
        return (self[i] for i in range(self._size))

    def append(self, value):
        self._size += 1
        self[-1] = value
        return self

    def extend(self, values):
        for value in values:
            self.append(value)
        return self

    def __iadd__(self, values):
        return self.extend(values)


class ParameterDict(_Values):
    """Parameters under names, in the order of insertion."""

    def __init__(self, parameters=None):
        super().__init__()
        self._keys = {}
        if parameters is not None:
            self.update(parameters)

    def update(self, parameters):
        for name, value in _pairs("ParameterDict.update", parameters):
            self[name] = value

    def __getitem__(self, key):
        if key not in self._keys:
            raise KeyError(key)
        return getattr(self, str(key))

    def __setitem__(self, key, value):
        if not isinstance(key, str):
            raise TypeError(f"ParameterDict: a key is a string, not {key!r}")
        if key not in self._keys and hasattr(self, key):
            raise KeyError(f"ParameterDict: {key!r} is the name of an attribute; take another key")
        self._keys[key] = None
        self._put(key, value)

    def __delitem__(self, key):
        del self._keys[key]
        delattr(self, key)

    def __len__(self):
        return len(self._keys)

    def __iter__(self):
        return iter(self._keys)

    def __contains__(self, key):
        return key in self._keys

    def get(self, key, default=None):
        return self[key] if key in self else default

    def pop(self, key):
        value = self[key]
        del self[key]
        return value

    def clear(self):
        for key in list(self):
            del self[key]

    def keys(self):
        return self._keys.keys()

    def values(self):
        return (self[key] for key in self._keys)

    def items(self):
        return ((key, self[key]) for key in self._keys)


class DataParallel(Module):
    """A module as PyTorch's DataParallel is without GPUs: it only calls `module`, whose parameters are named "module.…".

    Several GPUs at once are not supported (NotImplementedError); nn.parallel.DistributedDataParallel trains in several processes.
    """

    def __init__(self, module, device_ids=None, output_device=None, dim=0):
        super().__init__()
        if device_ids is not None and len(device_ids) > 1:
            raise NotImplementedError(
                f"DataParallel: {len(device_ids)} devices; the engine uses one in a process: see nn.parallel.DistributedDataParallel"
            )
        self.module = module

    def forward(self, *inputs, **kwargs):
        """The module's forward."""
        return self.module(*inputs, **kwargs)
