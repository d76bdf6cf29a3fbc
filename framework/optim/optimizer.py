"""Optimizer: parameter groups, per-parameter state, and the loop that every update rule shares.

An update rule is a subclass with one method, `update`, which changes one parameter's array in place. See sgd.py.
"""

from collections import defaultdict

import numpy as np

from ..autograd import enable_grad, no_grad
from ..backend import array_module, to_device
from ..tensor import Tensor
from ..threads import at_once, shares

BLOCK_BYTES = 1 << 19  # longer blocks leave the cache; shorter ones make threads wait for each other


class Optimizer:
    """Base class of all optimizers (torch.optim.Optimizer).

    params: an iterable of Tensors, of (name, Tensor) pairs, or of dicts, each a parameter group: its "params", and options
    that override the defaults. defaults: the options of a group that does not set them.

    A subclass defines `update(param, grad, state, group)`; or, as in PyTorch, a whole `step` of its own.
    """

    def __init__(self, params, defaults):
        self.defaults = defaults
        self.state = defaultdict(dict)
        self.param_groups = []
        self._opt_called = False  # read by the schedulers: has step() run yet?
        if isinstance(params, Tensor):
            raise TypeError(
                f"{self._name}: params must be an iterable of Tensors, got a single Tensor; put it in a list"
            )
        groups = list(params)
        if not groups:
            raise ValueError(f"{self._name}: the list of parameters is empty; was a generator used up before?")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    @property
    def _name(self):
        return type(self).__name__

    def __repr__(self):
        groups = [
            "\n".join(
                [f"Parameter Group {i}", *(f"    {key}: {group[key]}" for key in sorted(group) if key != "params")]
            )
            for i, group in enumerate(self.param_groups)
        ]
        return f"{self._name} (\n" + "\n\n".join(groups) + "\n)"

    # --- parameter groups ---

    def add_param_group(self, param_group):
        """Add a group: a dict with "params", and the options that differ from the defaults.

        Raises TypeError for what is not a Tensor or has no fixed order, ValueError for a non-leaf, a parameter that is
        in a group already, or an option out of its range.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"{self._name}: a parameter group is a dict, got {type(param_group).__name__}")
        params = param_group["params"]
        if isinstance(params, (set, frozenset)):
            raise TypeError(f"{self._name}: params is a set, whose order differs from run to run; give a list")
        params = [params] if isinstance(params, Tensor) else list(params)
        named = [param for param in params if isinstance(param, tuple)]
        if named:
            if len(named) != len(params):
                raise ValueError(
                    f"{self._name}: {len(named)} of {len(params)} parameters have a name; name all or none"
                )
            param_group["param_names"] = [name for name, _ in named]
            params = [param for _, param in named]
        for position, param in enumerate(params):
            if not isinstance(param, Tensor):
                raise TypeError(f"{self._name}: parameter {position} is a {type(param).__name__}, not a Tensor")
            if not param.is_leaf:
                raise ValueError(
                    f"{self._name}: parameter {position}, shape {tuple(param.shape)}, is computed from others; "
                    "only a leaf can be optimized: use detach().requires_grad_()"
                )
        taken = {id(param) for group in self.param_groups for param in group["params"]}
        for position, param in enumerate(params):
            if id(param) in taken:
                raise ValueError(f"{self._name}: parameter {position}, shape {tuple(param.shape)}, is given twice")
            taken.add(id(param))
        if self.param_groups and ("param_names" in self.param_groups[0]) != ("param_names" in param_group):
            raise ValueError(f"{self._name}: either every parameter group has names, or none")
        param_group["params"] = params
        for option, value in self.defaults.items():
            param_group.setdefault(option, value)
        self.check(param_group)
        self.param_groups.append(param_group)

    def check(self, group):
        """Raise for options of a group that are out of range or not supported."""
        for option in ("lr", "eps", "weight_decay", "momentum", "alpha", "lr_decay", "initial_accumulator_value"):
            if option in group and not (isinstance(group[option], (int, float, np.number)) and group[option] >= 0):
                raise ValueError(f"{self._name}: {option} must be a number of at least 0, got {group[option]!r}")
        for option in ("foreach", "capturable", "differentiable", "fused"):
            if group.get(option):
                raise NotImplementedError(f"{self._name}: {option}={group[option]!r} is not supported; leave it out")

    # --- one step ---

    def step(self, closure=None):
        """Update every parameter that has a gradient.

        closure: a function that clears the gradients, computes the loss, calls backward and returns the loss; it is called
        once, and what it returned is returned.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        work = []
        for group in self.param_groups:
            for param in group["params"]:
                if (gradient := param.grad) is not None:
                    array, grad = param.array, gradient.array
                    if grad.shape != array.shape or grad.dtype != array.dtype:
                        raise ValueError(
                            f"{self._name}: a parameter of {array.dtype} {array.shape} has a gradient of {grad.dtype} {grad.shape}"
                        )
                    work.append((array, grad, self.state[param], group))
                    param.cell()[0] += 1  # its version: a write in place
        with np.errstate(all="ignore"):  # a diverging run goes to inf and nan silently, as in PyTorch
            at_once(self._update_all, self.share_out(work))
        self._opt_called = True
        return loss

    def share_out(self, work):
        """What each thread calls `update` with, a list of arguments a thread: here (param, grad, state, group) of each parameter."""
        n = shares(8 * sum([array.size for array, *_ in work]))
        if n == 1 or not all(array.__class__ is np.ndarray for array, *_ in work):
            return [work]
        work.sort(key=lambda arguments: -arguments[0].size)  # so that each thread gets about as much
        return [work[k::n] for k in range(n)]

    def _update_all(self, calls):
        with no_grad():
            for arguments in calls:
                self.update(*arguments)

    def update(self, param, grad, state, group):
        """Change the array `param` in place, given its gradient's array, its own state (a dict) and its group's options.

        Touches nothing else: after set_num_threads several parameters are updated at once.
        """
        raise NotImplementedError(f"{self._name}: define update(param, grad, state, group), or step()")

    @staticmethod
    def blocks(*arrays):
        """Cut arrays of one shape alike; yield the pieces, each of which stays in the cache while the several passes of an update go over it,
        with the temporaries that these make: a step needs no more memory than for a block of them.

        Arrays that are not contiguous, or live on a GPU, come in one piece. None instead of an array comes as None.
        """
        first = arrays[0]
        size, length = first.size, BLOCK_BYTES // first.itemsize
        if size <= length or not all(
            array is None or array.__class__ is np.ndarray and array.flags.c_contiguous for array in arrays
        ):
            yield arrays
            return
        flat = [None if array is None else array.reshape(-1) for array in arrays]
        for start in range(0, size, length):
            yield [None if array is None else array[start : start + length] for array in flat]

    def zero_grad(self, set_to_none=True):
        """Forget the gradients; with set_to_none=False, fill them with zeros instead."""
        for group in self.param_groups:
            for param in group["params"]:
                if set_to_none:
                    param.grad = None
                elif param.grad is not None:
                    param.grad = param.grad.detach()
                    param.grad.array.fill(0)

    # --- saving and loading ---

    def state_dict(self):
        """The optimizer's state in PyTorch's layout: {"state": {number: {...}}, "param_groups": [{..., "params": [number, ...]}]}.

        Parameters are numbered in the order of the groups. The tensors are the optimizer's own, not copies.
        """
        params = [param for group in self.param_groups for param in group["params"]]
        number = {id(param): i for i, param in enumerate(params)}
        return {
            "state": {number[id(param)]: state for param, state in self.state.items() if state},
            "param_groups": [
                {key: value for key, value in group.items() if key != "params"}
                | {"params": [number[id(param)] for param in group["params"]]}
                for group in self.param_groups
            ],
        }

    def load_state_dict(self, state_dict):
        """Take over a state that `state_dict` of this class, or of PyTorch's, returned; tensors are copied to each parameter's dtype and device.

        Raises ValueError where groups, sizes or shapes differ, and then leaves the optimizer as it was.
        """
        saved_groups = state_dict["param_groups"]
        sizes, saved_sizes = (
            [len(group["params"]) for group in groups] for groups in (self.param_groups, saved_groups)
        )
        if sizes != saved_sizes:
            raise ValueError(f"{self._name}: the saved groups have {saved_sizes} parameters, the optimizer's {sizes}")
        numbers = [number for group in saved_groups for number in group["params"]]
        params = [param for group in self.param_groups for param in group["params"]]
        loaded = defaultdict(dict)
        for number, param in zip(numbers, params):
            for key, value in state_dict["state"].get(number, {}).items():
                loaded[param][key] = self._adopt(param, number, key, value)
        for group, saved in zip(self.param_groups, saved_groups):
            group.update((key, value) for key, value in saved.items() if key != "params")
        self.state = loaded
        self._opt_called = True

    def _adopt(self, param, number, key, value):
        if key == "step":  # a count, which stays on the CPU
            return Tensor(np.array(float(value), dtype=np.float32))
        if value is None:
            return None
        adopted = self._copied(param, number, key, value)
        if adopted.shape != param.shape:
            raise ValueError(
                f"{self._name}: the saved {key} of parameter {number} has shape {tuple(adopted.shape)}, the parameter {tuple(param.shape)}"
            )
        return adopted

    def _copied(self, param, number, key, value):
        """A saved tensor or array as a Tensor of the parameter's dtype, on its device."""
        array = value.array if isinstance(value, Tensor) else value
        if not hasattr(array, "astype"):
            raise TypeError(
                f"{self._name}: the saved {key} of parameter {number} is a {type(value).__name__}, neither a Tensor nor an array"
            )
        return Tensor(to_device(array, param.device).astype(param.dtype, copy=True))


def count_step(state):
    """Add one to state["step"], a 0-d tensor as in PyTorch, and return it as a number."""
    array = state["step"].array
    array[...] = step = array.item() + 1
    return step


def zeros_like(array):
    """A Tensor of zeros with the array's shape, dtype, layout and device."""
    return Tensor(array_module(array).zeros_like(array))


def follow(average, value, beta):
    """average ← β · average + (1 − β) · value, in place."""
    average *= beta
    average += value * (1 - beta)


def descent(param, grad, weight_decay, maximize):
    """± g + λ θ, the gradient of what is to shrink: `grad` itself where nothing is to be done."""
    if maximize:
        grad = -grad
    return grad + weight_decay * param if weight_decay else grad
