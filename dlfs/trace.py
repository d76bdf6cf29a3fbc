"""Where do two levels first part? Activation by activation, read from the levels' own code as it runs.

No model file holds a line for this. A level's methods name what they compute (z, h, logits), alike in all levels; while one
batch goes through, every assignment of an array to such a name is recorded. So are, on the way back, the gradients:
at a level by hand the locals of its backward, dz and dlogits, else what autograd leaves at z and logits.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlfs.compare import BOUND, relative
from dlfs.levels import Arrays, Level, TensorLevel, as_array, set_mode
from dlfs.recording import Key, recorded_assignments


@dataclass
class Recording:
    """What one batch left at the names of a level's code, in the order of assignment."""

    activations: dict[Key, np.ndarray]
    gradients: dict[Key, np.ndarray]  # the loss's derivative with respect to the activation of the same key


@dataclass
class Step:
    """One activation, or the gradient of one, at two levels."""

    key: Key
    shape: tuple[int, ...]
    difference: float
    is_gradient: bool

    @property
    def ok(self) -> bool:
        return self.difference <= BOUND

    @property
    def name(self) -> str:
        function, name, occurrence = self.key
        return f"{function}: {'d' if self.is_gradient else ''}{name}{f' ({occurrence + 1})' if occurrence else ''}"


def compare_traces(a: Level, b: Level, inputs: Arrays, targets: Arrays) -> list[Step]:
    """Every activation that both levels name, in order; then the gradients that both have, in the order of the way back.

    The levels' weights are loaded already. The first step that is not ok is where they part.
    """
    first, second = record(a, inputs, targets), record(b, inputs, targets)
    forward = [
        Step(key, value.shape, relative(value, second.activations[key]), False)
        for key, value in first.activations.items()
        if key in second.activations
    ]
    backward = [
        Step(key, first.gradients[key].shape, relative(first.gradients[key], second.gradients[key]), True)
        for key in reversed(first.activations)
        if key in first.gradients and key in second.gradients
    ]
    return forward + backward


def record(level: Level, inputs: Arrays, targets: Arrays) -> Recording:
    """Take one batch forward through the loss and back, and record what the level's own code assigns."""
    set_mode(level.model, training=True)
    if isinstance(level, TensorLevel):
        return record_autograd(level, inputs, targets)
    return record_by_hand(level, inputs, targets)


def record_autograd(level: TensorLevel, inputs: Arrays, targets: Arrays) -> Recording:
    given, wanted = level.tensors(inputs), level.tensors(targets)
    if given[0].is_floating_point():
        given[0].requires_grad_()
    kept: dict[Key, Any] = {}

    def keep(key: Key, tensor: Any) -> np.ndarray:
        if tensor.requires_grad:
            tensor.retain_grad()
            kept[key] = tensor
        return as_array(tensor)

    with recorded_assignments(level.model, keep) as activations:
        loss = level.model.loss(*given, *wanted)
    loss.backward()
    return Recording(activations, {key: as_array(t.grad) for key, t in kept.items() if t.grad is not None})


def record_by_hand(level: Level, inputs: Arrays, targets: Arrays) -> Recording:
    with recorded_assignments(level.model, lambda key, array: np.array(array)) as activations:
        level.model.loss(*inputs, *targets)
    with recorded_assignments(level.model, lambda key, array: np.array(array)) as assigned:
        level.model.loss_backward()
    # dz in backward belongs to z in forward. The way back visits what the way there assigned several times last first.
    forward = Counter((function, name) for function, name, _ in activations)
    backward = Counter((function, name) for function, name, _ in assigned)
    gradients = {}
    for (function, name, occurrence), value in assigned.items():
        origin = forward_name(function), name.removeprefix("d")
        if name.startswith("d") and forward[origin] == backward[function, name]:
            gradients[*origin, forward[origin] - 1 - occurrence] = value
    return Recording(activations, gradients)


def forward_name(function: str) -> str:
    """The function whose way back this is: MLP.forward of MLP.backward, MLP.loss of MLP.loss_backward, conv of conv_backward."""
    if function.endswith(".backward"):
        return function.removesuffix("backward") + "forward"
    return function.removesuffix("_backward")
