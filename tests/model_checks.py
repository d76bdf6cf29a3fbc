"""What the models' own tests assert alike, beside their mutants."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pytest

from dlfs.compare import BOUND, compare_study, gradients_difference, relative
from dlfs.levels import Evaluation, Level, as_array, build_level
from dlfs.studies import Study

MISFITS = ("missing", "unknown", "reshaped")  # what a state dict may have that fits no model


def assert_agreement(
    study: Study,
    build: Callable[[Any], Level],
    variants: Iterable[str],
    beside: Sequence[str],
    weights: Sequence[str] = ("initial", "loud"),
) -> None:
    """In float64, with initial and with loud weights, the level that `build` makes computes what the levels `beside` it compute."""
    for variant in variants:
        config = study.config(variant)
        others = {name: build_level(study, name, config, dtype="float64") for name in beside}
        for comparison in compare_study(study, variant, {"tested": build(config), **others}):
            assert comparison.ok or comparison.weights not in weights, (
                f"{variant}, {comparison.weights} weights: {comparison.worst}"
            )


def assert_misfit_is_named(level: Level, misfit: str, name: str, unknown: str) -> None:
    """Loading a state dict without `name`, with `unknown` besides, or with `name` in another shape says which; no level by hand or of tensors changes."""
    state, before = level.state(), level.state()
    if misfit == "missing":
        del state[name]
    elif misfit == "unknown":
        state[unknown] = state[name]
    else:
        state[name] = state[name].T.copy() if state[name].ndim == 2 else state[name][:-1].copy()
        assert state[name].shape != before[name].shape
    with pytest.raises(RuntimeError, match=re.escape(unknown if misfit == "unknown" else name)):
        level.load_state(state)
    if not hasattr(level.model, "named_parameters"):  # an nn.Module copies what fits before it complains of the rest
        for key, array in level.state().items():
            np.testing.assert_array_equal(array, before[key])


def assert_evaluations_agree(
    found: Evaluation, theirs: Evaluation, place: str, zero_gradients: Iterable[str] = ()
) -> None:
    """Output, loss and every gradient are within the bound of the comparison; place: of what, in words."""
    assert relative(found.outputs[0], theirs.outputs[0]) <= BOUND, place
    assert relative(found.loss, theirs.loss) <= BOUND, place
    assert relative(found.input_gradient, theirs.input_gradient) <= BOUND, place
    difference = gradients_difference(found.gradients, theirs.gradients, zero_gradients)
    assert difference.ok, f"{place}: {difference}"


def kept_outputs(level: Level, layers: Iterable[Any], is_layer: Callable[[str, Any], bool]) -> dict[str, np.ndarray]:
    """A dict that every forward call fills: what each layer puts out, by its name.

    layers: of a model that is no nn.Module, objects with a name and a forward; is_layer(name, module): those of one that is.
    """
    kept: dict[str, np.ndarray] = {}

    def keeping(name, forward):
        def forward_and_keep(x):
            output = forward(x)
            kept[name] = as_array(output)
            return output

        return forward_and_keep

    if hasattr(level.model, "named_modules"):
        for name, module in level.model.named_modules():
            if is_layer(name, module):  # as_array copies: a ReLU behind it may work in place
                module.register_forward_hook(lambda _, inputs, output, name=name: kept.update({name: as_array(output)}))
    else:
        for layer in layers:
            layer.forward = keeping(layer.name, layer.forward)
    return kept
