"""Module's hooks: functions that run before and after forward, and when the gradients of a module come through."""

import warnings

from ..function import Function
from ..tensor import RemovableHandle, Tensor


class Hooks:
    """The part of Module that registers and runs hooks."""

    def _init_hooks(self, put):
        for name in _REGISTRIES:
            put(name, {})
        put("_hooks_with_kwargs", set())

    def _register(self, registry, hook, prepend=False, with_kwargs=False):
        hooks = getattr(self, registry)
        handle = RemovableHandle(hooks, hook)
        if with_kwargs:
            self._hooks_with_kwargs.add(handle.id)
        if prepend:
            others = [(key, value) for key, value in hooks.items() if key != handle.id]
            hooks.clear()
            hooks.update([(handle.id, hook), *others])
        return handle

    def register_forward_pre_hook(self, hook, *, prepend=False, with_kwargs=False):
        """Call hook(module, args) before forward, or hook(module, args, kwargs) → (args, kwargs); what it returns replaces them."""
        return self._register("_forward_pre_hooks", hook, prepend, with_kwargs)

    def register_forward_hook(self, hook, *, prepend=False, with_kwargs=False, always_call=False):
        """Call hook(module, args[, kwargs], output) after forward; what it returns, if not None, replaces the output."""
        if always_call:
            raise NotImplementedError(
                "register_forward_hook: always_call=True is not supported; use try/finally in the hook's caller"
            )
        return self._register("_forward_hooks", hook, prepend, with_kwargs)

    def register_full_backward_pre_hook(self, hook, prepend=False):
        """Call hook(module, grad_output) before the module's backward; what it returns replaces grad_output."""
        return self._register("_backward_pre_hooks", hook, prepend)

    def register_full_backward_hook(self, hook, prepend=False):
        """Call hook(module, grad_input, grad_output), tuples with one entry per positional argument and output.

        It runs when the gradients of the module's inputs are complete; what it returns replaces grad_input. An argument
        that needs no gradient has None.
        """
        return self._register("_backward_hooks", hook, prepend)

    def register_backward_hook(self, hook):
        raise NotImplementedError(
            "register_backward_hook: deprecated in PyTorch and not supported; use register_full_backward_hook"
        )

    # --- around saving and loading (state.py runs them) ---

    def register_state_dict_pre_hook(self, hook):
        """Call hook(module, prefix, keep_vars) before the state of the module is collected."""
        return self._register("_state_dict_pre_hooks", hook)

    def register_state_dict_post_hook(self, hook):
        """Call hook(module, state_dict, prefix, local_metadata) after the state of the module is collected, to change it in place."""
        return self._register("_state_dict_hooks", hook)

    _register_state_dict_hook = register_state_dict_post_hook

    def register_load_state_dict_pre_hook(self, hook):
        """Call hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs) before loading."""
        return self._register("_load_state_dict_pre_hooks", _WithModule(hook, self))

    def _register_load_state_dict_pre_hook(self, hook, with_module=False):
        """As register_load_state_dict_pre_hook, without the module as first argument unless with_module."""
        return self._register("_load_state_dict_pre_hooks", _WithModule(hook, self) if with_module else hook)

    def register_load_state_dict_post_hook(self, hook):
        """Call hook(module, incompatible_keys) after loading; it may edit the two lists in place."""
        return self._register("_load_state_dict_post_hooks", hook)

    # --- running ---

    def _call_with_hooks(self, args, kwargs):
        for key, hook in list(self._forward_pre_hooks.items()):
            if key in self._hooks_with_kwargs:
                changed = hook(self, args, kwargs)
                if changed is not None:
                    if not isinstance(changed, tuple) or len(changed) != 2:
                        raise RuntimeError(
                            f"forward pre-hook: expected None or (args, kwargs), got {type(changed).__name__}"
                        )
                    args, kwargs = changed
            else:
                changed = hook(self, args)
                if changed is not None:
                    args = changed if isinstance(changed, tuple) else (changed,)
        relay = _GradientRelay(self) if self._backward_hooks or self._backward_pre_hooks else None
        result = self.forward(*(relay.inputs(args) if relay else args), **kwargs)
        for key, hook in list(self._forward_hooks.items()):
            extra = (kwargs,) if key in self._hooks_with_kwargs else ()
            changed = hook(self, args, *extra, result)
            result = result if changed is None else changed
        return relay.outputs(result) if relay else result


_REGISTRIES = (
    "_forward_pre_hooks",
    "_forward_hooks",
    "_backward_pre_hooks",
    "_backward_hooks",
    "_state_dict_pre_hooks",
    "_state_dict_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)


class _WithModule:
    """hook(module, …) as a function of the rest; a class, so that a module with such a hook can be copied and pickled."""

    def __init__(self, hook, module):
        self.hook, self.module = hook, module

    def __call__(self, *args):
        return self.hook(self.module, *args)


# --- gradients --------------------------------------------------------------------------------------------------------


class _Through(Function):
    """The identity on several tensors, which shows their gradients, together, to a function and sends on what it returns."""

    @staticmethod
    def forward(ctx, show, *tensors):
        ctx.show = show
        return tensors

    @staticmethod
    def backward(ctx, *gradients):
        return None, *ctx.show(gradients)


class _GradientRelay:
    """One call of a module with backward hooks: an identity before it, and one after it.

    The one after it meets grad_output, the one before it grad_input, when all paths through the module have been added up.
    """

    def __init__(self, module):
        self.module = module
        self.count, self.has_inputs, self.grad_output = 0, False, None

    @staticmethod
    def _through(values, show):
        positions = [i for i, value in enumerate(values) if isinstance(value, Tensor) and value.requires_grad]
        if not positions:
            return values, False
        values, count = list(values), len(values)

        def shown(gradients):
            all_gradients = [None] * count
            for i, g in zip(positions, gradients, strict=True):
                all_gradients[i] = g
            changed = show(tuple(all_gradients))
            return tuple(changed[i] for i in positions)

        for i, value in zip(positions, _Through.apply(shown, *(values[i] for i in positions)), strict=True):
            values[i] = value
        return tuple(values), True

    def inputs(self, args):
        self.count = len(args)
        args, self.has_inputs = self._through(args, self._at_input)
        return args

    def outputs(self, result):
        if not isinstance(result, (Tensor, tuple)):
            warnings.warn(
                f"{type(self.module).__name__}: backward hooks see only an output that is a Tensor or a tuple of Tensors, "
                f"this one is a {type(result).__name__}",
                stacklevel=4,
            )
            return result
        several = isinstance(result, tuple)
        outputs, _ = self._through(result if several else (result,), self._at_output)
        return outputs if several else outputs[0]

    def _at_output(self, grad_output):
        for hook in list(self.module._backward_pre_hooks.values()):
            grad_output = _replaced("backward pre-hook", grad_output, hook(self.module, grad_output))
        self.grad_output = grad_output
        if not self.has_inputs:
            self._at_input((None,) * self.count)
        return grad_output

    def _at_input(self, grad_input):
        for hook in list(self.module._backward_hooks.values()):
            grad_input = _replaced("backward hook", grad_input, hook(self.module, grad_input, self.grad_output))
        return grad_input


def _replaced(name, gradients, changed):
    if changed is None:
        return gradients
    changed = changed if isinstance(changed, tuple) else (changed,)
    if len(changed) != len(gradients):
        raise RuntimeError(f"{name}: returned {len(changed)} gradients, expected {len(gradients)}")
    return changed
