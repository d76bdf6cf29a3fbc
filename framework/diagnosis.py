"""Where a NaN came from, when a training step fails."""

import contextlib
import importlib
import sys
import warnings

import numpy as np

__all__ = ["cause_of_nan", "leaves"]


def cause_of_nan(library, model, loss, batches):
    """One sentence: the batch, the weights, or the op that made the first NaN when the batches are gone through once more.

    A model whose ops are not the library's own (by hand) has a detect_anomaly() of its own, like the library's.
    """
    if any(_has_nan(value) for batch in batches for value in leaves(batch)):
        return "The batch itself holds a NaN"
    for name, value in model.state_dict().items():
        if _has_nan(value):
            return f"{name} holds a NaN already"
    of_library = _detect_in_torch if library is sys.modules.get("torch") else library.autograd.detect_anomaly
    try:
        with np.errstate(all="ignore"), getattr(model, "detect_anomaly", of_library)():
            for batch in batches:
                loss(model, *batch).backward()
    except RuntimeError as error:
        return str(error).removeprefix("detect_anomaly: ")
    return "No op made a NaN out of numbers: a value grew out of range; a smaller learning rate, or clip, may help"


@contextlib.contextmanager
def _detect_in_torch():
    """torch.autograd.detect_anomaly, which names the ops of backward alone; and those of forward by their results."""
    torch = sys.modules["torch"]
    mode = importlib.import_module("torch.utils._python_dispatch").TorchDispatchMode

    class Watch(mode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            if torch.is_grad_enabled() and _any_nan(result) and not _any_nan(args):
                raise RuntimeError(f"{function} made the first NaN, in forward")
            return result

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is slow, and where in forward a failed backward belongs
        with torch.autograd.detect_anomaly(), Watch():
            yield


def _any_nan(values):
    return any(_has_nan(value) for value in leaves(values))


def _has_nan(value):
    if hasattr(value, "detach") and value.is_floating_point():
        return bool((value != value).any().item())
    return getattr(getattr(value, "dtype", None), "kind", "") == "f" and bool(np.isnan(value).any())


def leaves(batch):
    """What is in the tuples, lists and dicts of a batch, in order."""
    if isinstance(batch, dict):
        batch = list(batch.values())
    if isinstance(batch, (tuple, list)):
        for part in batch:
            yield from leaves(part)
    else:
        yield batch
