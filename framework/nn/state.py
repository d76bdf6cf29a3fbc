"""Module's state: every parameter and buffer under its dotted name, collected and loaded."""

from collections import OrderedDict, namedtuple

import numpy as np

from .. import backend
from ..autograd import no_grad
from ..tensor import Tensor
from .parameter import Parameter

_EXTRA = "_extra_state"


class IncompatibleKeys(namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])):
    """What load_state_dict returns: the names that the state lacked, and those that the module does not have."""

    __slots__ = ()

    def __repr__(self):
        return super().__repr__() if any(self) else "<All keys matched successfully>"

    __str__ = __repr__


class StateDict:
    """The part of Module that collects and loads its state."""

    _version = 1

    def get_extra_state(self):
        raise NotImplementedError(
            f"{type(self).__name__}: a module with extra state defines get_extra_state and set_extra_state"
        )

    def set_extra_state(self, state):
        raise NotImplementedError(
            f"{type(self).__name__}: a module with extra state defines get_extra_state and set_extra_state"
        )

    def _persistent_buffers(self):
        return {name: buffer for name, buffer in self._buffers.items() if name not in self._non_persistent_buffers_set}

    def _own_state(self):
        """Parameters, then persistent buffers, without those that are None."""
        return {
            name: x for name, x in (*self._parameters.items(), *self._persistent_buffers().items()) if x is not None
        }

    # --- collecting ---

    def state_dict(self, *args, destination=None, prefix="", keep_vars=False):
        """{dotted name: tensor} of all parameters and persistent buffers, in order of definition.

        The tensors share the module's memory; they are outside the graph, unless keep_vars.
        """
        if args:
            raise TypeError("state_dict: takes keyword arguments only: destination, prefix, keep_vars")
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        local_metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = local_metadata
        for hook in list(self._state_dict_pre_hooks.values()):
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in list(self._state_dict_hooks.values()):
            replaced = hook(self, destination, prefix, local_metadata)
            destination = destination if replaced is None else replaced
        return destination

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        for name, tensor in self._own_state().items():
            destination[prefix + name] = tensor if keep_vars else tensor.detach()
        if type(self).get_extra_state is not StateDict.get_extra_state:
            destination[prefix + _EXTRA] = self.get_extra_state()

    # --- loading ---

    def load_state_dict(self, state_dict, strict=True, assign=False):
        """Copy values in by name; return (missing_keys, unexpected_keys).

        The values are Tensors or arrays, NumPy's or another library's; they take on the dtype and the device of what they are
        copied into. With assign they are not copied but put in the place of the old ones, dtype and all.
        Raises one RuntimeError that lists every key that is missing or unexpected (unless strict is False) and every shape that differs;
        then nothing has been loaded.
        """
        if not hasattr(state_dict, "keys"):
            raise TypeError(f"load_state_dict: expected a dict of names and tensors, got {type(state_dict).__name__}")
        metadata = getattr(state_dict, "_metadata", None) or {}
        state_dict = OrderedDict(state_dict)
        missing, unexpected, errors, writes = [], [], [], []

        def load(module, own_state, prefix):
            local_metadata = {**metadata.get(prefix[:-1], {}), "assign_to_params_buffers": assign, "writes": writes}
            module._load_from_state_dict(own_state, prefix, local_metadata, True, missing, unexpected, errors)
            for name, child in module._modules.items():
                if child is not None:
                    below = f"{prefix}{name}."
                    load(child, {key: value for key, value in own_state.items() if key.startswith(below)}, below)

        load(self, state_dict, "")
        self._check(strict, missing, unexpected, errors)
        for write in writes:
            write()
        keys = IncompatibleKeys(missing, unexpected)
        for module in self.modules():
            for hook in list(module._load_state_dict_post_hooks.values()):
                hook(module, keys)
        self._check(strict, missing, unexpected, [])
        return keys

    def _check(self, strict, missing, unexpected, errors):
        lines = list(errors)
        if strict:
            lines += [f"missing: {', '.join(missing)}"] if missing else []
            lines += [f"unexpected: {', '.join(unexpected)}"] if unexpected else []
        if lines:
            raise RuntimeError(
                f"load_state_dict: the state does not fit {type(self).__name__}:\n"
                + "\n".join(f"    {line}" for line in lines)
            )

    def _load_from_state_dict(
        self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
    ):
        """Load this module's own parameters and buffers, not its children's; appends to the lists what is wrong."""
        for hook in list(self._load_state_dict_pre_hooks.values()):
            hook(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        own = self._own_state()
        for name, tensor in own.items():
            key = prefix + name
            if key not in state_dict:
                missing_keys.append(key)
                continue
            try:
                write = self._writer(
                    name, tensor, state_dict[key], local_metadata.get("assign_to_params_buffers", False)
                )
            except (TypeError, ValueError) as error:
                error_msgs.append(f"{key}: {error}")
                continue
            writes = local_metadata.get("writes")
            write() if writes is None else writes.append(write)
        self._load_extra_state(state_dict, prefix, missing_keys)
        for key in state_dict:
            if key.startswith(prefix) and key != prefix + _EXTRA:
                first, _, rest = key[len(prefix) :].partition(".")
                if first not in self._modules if rest else first not in own:
                    unexpected_keys.append(key)

    def _load_extra_state(self, state_dict, prefix, missing_keys):
        if type(self).set_extra_state is not StateDict.set_extra_state:
            if prefix + _EXTRA in state_dict:
                self.set_extra_state(state_dict[prefix + _EXTRA])
            else:
                missing_keys.append(prefix + _EXTRA)

    def _writer(self, name, tensor, value, assign):
        """A function that loads the value; TypeError or ValueError now where it does not fit."""
        array = _array(value)
        if tensor.array.ndim == 0 and array.shape == (1,):
            array = array[0]
        if array.shape != tensor.array.shape:
            raise ValueError(f"shape {tuple(array.shape)} does not fit {tuple(tensor.array.shape)}")
        if not assign:
            return lambda: _copy(tensor, array)
        if isinstance(tensor, Parameter):
            value = value if isinstance(value, Parameter) else Parameter(Tensor(array), tensor.requires_grad)
            value.requires_grad = tensor.requires_grad
        else:
            value = value if isinstance(value, Tensor) else Tensor(array)
        return lambda: setattr(self, name, value)


def _array(value):
    if isinstance(value, Tensor):
        return value.array
    if hasattr(value, "__array_function__"):  # an array already, NumPy's or CuPy's
        return value
    if hasattr(value, "detach"):  # a tensor of another library
        value = value.detach().cpu()
    if not hasattr(value, "__array__"):
        raise TypeError(f"expected a Tensor or an array, got {type(value).__name__}")
    return np.asarray(value)


def _copy(tensor, array):
    with no_grad():
        tensor.write(Tensor(backend.to_device(array, tensor.device).astype(tensor.dtype, copy=False)))
