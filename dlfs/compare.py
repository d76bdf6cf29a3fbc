"""Are the levels of a model the same function? The measurement; the command that shows it is commands/compare.py.

Every level takes the same weights and the same batch in float64, and every pair of levels is compared in six quantities.
A tensor's difference is max|a − b| / scale, where scale is the tensor's own largest value; for a gradient it is at least a
thousandth of the model's largest gradient, because below that a gradient is rounding noise. All must stay within BOUND.
"""

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlfs.levels import Arrays, Level, State, build_levels, initial_level
from dlfs.studies import Study

BOUND = 1e-10
STEPS = 10
QUANTITIES = ("output", "loss", "input gradient", "parameter gradient", "ten steps", "output after")


@dataclass
class Measurement:
    """What one level computed: on the batch, in STEPS steps of gradient descent, and in evaluation mode after them."""

    outputs: Arrays
    loss: float
    input_gradient: np.ndarray | None
    gradients: State
    losses: np.ndarray  # (STEPS,)
    outputs_after: Arrays  # what training leaves in buffers shows here, as BatchNorm's running statistics do


@dataclass
class Difference:
    """By how much two levels differ in one quantity, and in which tensor of it most."""

    value: float
    where: str = ""

    @property
    def ok(self) -> bool:
        return self.value <= BOUND


@dataclass
class Pair:
    """Two levels compared."""

    a: str
    b: str
    differences: dict[str, Difference]

    @property
    def worst(self) -> str:
        """The quantity in which they differ most."""
        return max(self.differences, key=lambda quantity: self.differences[quantity].value)

    @property
    def ok(self) -> bool:
        return all(difference.ok for difference in self.differences.values())


@dataclass
class Comparison:
    """Every pair of levels compared at one setting of the weights."""

    weights: str  # "initial" or "loud"
    titles: dict[str, str]
    pairs: list[Pair]
    silent: list[str]  # parameters whose gradient is zero at every level, so that nothing was compared
    noisy: list[str]  # gradients that are zero by mathematics, and here are not

    @property
    def ok(self) -> bool:
        unseen = self.silent if self.weights == "loud" else []  # at the start a head of zeros may silence the rest
        return all(pair.ok for pair in self.pairs) and not self.noisy and not unseen

    @property
    def worst(self) -> Pair:
        """The pair that differs most; of several that differ about as much, as all pairs of one wrong level do, one with level 3."""
        values = [pair.differences[pair.worst].value for pair in self.pairs]
        near = [pair for pair, value in zip(self.pairs, values) if value >= 0.9 * max(values)]
        return next((pair for pair in near if "paper" in (pair.a, pair.b)), near[0])

    def pair(self, a: str, b: str) -> Pair:
        """The pair of these two levels, in either order."""
        return next(pair for pair in self.pairs if {pair.a, pair.b} == {a, b})


@dataclass
class Start:
    """What every level is given: weights, and one batch; everything floating-point in float64."""

    weights: str  # "initial" or "loud"
    state: State
    inputs: Arrays
    targets: Arrays


def compare_study(
    study: Study, variant: str, levels: Mapping[str, Level] | None = None, seed: int = 0
) -> list[Comparison]:
    """Compare the levels of a variant with initial and with loud weights.

    levels: by default all that are written; a test hands in its own, one of them with a planted bug.
    """
    config = study.config(variant)
    levels = build_levels(study, config) if levels is None else levels
    zero_gradients = getattr(study.facts, "ZERO_GRADIENTS", ())
    if callable(zero_gradients):
        zero_gradients = zero_gradients(config)
    return [compare_levels(levels, start, zero_gradients) for start in starts(study, config, seed)]


def starts(study: Study, config: Any, seed: int = 0) -> list[Start]:
    """The example batch of a config with its initial weights, and with loud ones."""
    level = initial_level(study, config, seed)
    state = {name: as_float64(array) for name, array in level.state().items()}
    batch = study.fact("example_batch")(config, np.random.default_rng(seed))
    inputs, targets = (tuple(as_float64(array) for array in arrays) for arrays in batch)
    factor = getattr(study.facts, "LOUD", 5)
    louder = loud(state, level.parameter_names(), np.random.default_rng(seed + 1), factor)
    return [Start("initial", state, inputs, targets), Start("loud", louder, inputs, targets)]


def as_float64(array: Any) -> np.ndarray:
    array = np.asarray(array)
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def loud(state: State, parameters: Iterable[str], rng: np.random.Generator, factor: float = 5) -> State:
    """Weights at which mistakes cannot hide: matrices `factor` times as large, biases away from 0 and γ away from 1.

    A matrix that starts as a constant, as a head of zeros does, is drawn at random. Running statistics get values too.
    """
    result = {}
    for name, array in state.items():
        noise = rng.standard_normal(array.shape)
        if name in parameters and array.ndim >= 2:
            result[name] = factor * array if np.ptp(array) else 0.1 * noise
        elif name in parameters or name.endswith("running_mean"):
            result[name] = array + 0.3 * noise
        elif name.endswith("running_var"):
            result[name] = array * np.exp(0.3 * noise)
        else:
            result[name] = array
    return result


def compare_levels(levels: Mapping[str, Level], start: Start, zero_gradients: Iterable[str] = ()) -> Comparison:
    """Load the weights into every level, measure each, and compare every pair."""
    measured: dict[str, Measurement] = {}
    lr = None
    for name, level in levels.items():
        level.load_state(start.state)
        if lr is None:
            lr = step_size(start.state, level.evaluate(start.inputs, start.targets).gradients)
            level.load_state(start.state)
        measured[name] = measure(level, start, lr)
    pairs = [
        Pair(a, b, differences(measured[a], measured[b], zero_gradients))
        for a, b in itertools.combinations(measured, 2)
    ]
    gradients = [m.gradients for m in measured.values()]
    silent = [n for n in gradients[0] if n not in zero_gradients and not any(np.any(g.get(n, 0)) for g in gradients)]
    noisy = [n for n in zero_gradients if any(largest(g.get(n, 0)) > BOUND * largest(*g.values()) for g in gradients)]
    return Comparison(start.weights, {name: level.title for name, level in levels.items()}, pairs, silent, noisy)


def step_size(state: State, gradients: State) -> float:
    """A learning rate at which one step moves the weights by about one percent, whatever their scale; 0.01 if they are zeros."""
    weight_norm, gradient_norm = (
        math.sqrt(sum(float(np.sum(np.square(arrays[name]))) for name in gradients if name in arrays))
        for arrays in (state, gradients)
    )
    return 0.01 * weight_norm / gradient_norm if weight_norm and 0 < gradient_norm < math.inf else 0.01


def measure(level: Level, start: Start, lr: float) -> Measurement:
    """All that is compared of one level, whose weights are loaded already."""
    e = level.evaluate(start.inputs, start.targets)
    losses = np.array([level.sgd_step(start.inputs, start.targets, lr) for _ in range(STEPS)])
    _, outputs_after = level.predict(start.inputs, start.targets)
    return Measurement(e.outputs, e.loss, e.input_gradient, e.gradients, losses, outputs_after)


def differences(a: Measurement, b: Measurement, zero_gradients: Iterable[str] = ()) -> dict[str, Difference]:
    """The six quantities of QUANTITIES."""
    found = {
        "output": outputs_difference(a.outputs, b.outputs),
        "loss": Difference(relative(a.loss, b.loss)),
        "parameter gradient": gradients_difference(a.gradients, b.gradients, zero_gradients),
        "ten steps": Difference(relative(a.losses, b.losses)),
        "output after": outputs_difference(a.outputs_after, b.outputs_after),
    }
    if a.input_gradient is not None or b.input_gradient is not None:
        found["input gradient"] = Difference(relative(a.input_gradient, b.input_gradient))
    return {quantity: found[quantity] for quantity in QUANTITIES if quantity in found}


def outputs_difference(a: Arrays, b: Arrays) -> Difference:
    if len(a) != len(b):
        return Difference(math.inf, f"{len(a)} and {len(b)} outputs")
    return max((Difference(relative(x, y)) for x, y in zip(a, b)), key=lambda difference: difference.value)


def gradients_difference(a: State, b: State, zero_gradients: Iterable[str]) -> Difference:
    """The worst of all parameters' gradients, by name; one that only one side has differs infinitely."""
    model_scale = largest(*a.values(), *b.values())
    worst = Difference(0.0)
    for name in {**a, **b}:
        floor = model_scale if name in zero_gradients else 1e-3 * model_scale
        value = relative(a.get(name), b.get(name), floor)
        if value > worst.value or not worst.where:
            worst = Difference(value, name)
    return worst


def relative(a: Any, b: Any, floor: float = 0.0) -> float:
    """max|a − b| / scale, scale being the largest |value| of both and at least `floor`.

    Infinite where a side is missing, the shapes differ, or a value is not finite.
    """
    if a is None or b is None or np.shape(a) != np.shape(b):
        return math.inf
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return math.inf
    distance = largest(np.subtract(a, b))
    return distance / max(largest(a, b), floor) if distance else 0.0


def largest(*arrays: Any) -> float:
    """The largest absolute value; 0 of nothing."""
    return max((float(np.abs(array).max()) for array in arrays if np.size(array)), default=0.0)
