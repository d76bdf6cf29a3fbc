"""A checkpoint of another library in our names; the command that does it is commands/convert.py.

A file's state dict is tried as ours, as the production twin's (from_twin of the model's keymap.py), and in whatever other layouts the
keymap names; against every config that study.py names. What fits best is taken, and what does not fit is said key by key.
"""

import difflib
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from dlfs.levels import State, identity, import_torch
from dlfs.studies import Study
from framework import serialization
from utils.errors import DLFSError, unknown_name

Shape = tuple[int, ...]
WRAPPERS = ("state_dict", "model_state_dict", "model")  # under which a checkpoint of a training keeps the weights
PREFIXES = ("module.", "_orig_mod.")  # what DataParallel and torch.compile put before every name


@dataclass
class Fit:
    """A file's weights held against one config, read in one layout."""

    variant: str
    config: Any
    layout: str
    state: State = field(repr=False)  # what was placed, by our names, in the model's order
    skipped: dict[str, str]  # keys of the file that are left out on purpose, and why
    unplaced: dict[str, str]  # keys of the file that no parameter has, and what the layout made of their names
    missing: list[str]  # our names that the file does not have
    misshapen: dict[str, tuple[Shape, Shape]]  # our names, with the shape that was expected and that of the file

    @property
    def ok(self) -> bool:
        """Whether every parameter and buffer of the model is there."""
        return not self.missing and not self.misshapen

    @property
    def rank(self) -> tuple[bool, int]:
        """The higher, the better it fits."""
        return self.ok, len(self.state) - len(self.missing) - len(self.misshapen) - len(self.unplaced)


def read_weights(study: Study, path: Path, variant: str | None = None) -> Fit:
    """The weights of a .safetensors, .npz or .pth file as the model's state dict; of the variant named, or the first that fits.

    DLFSError for a file that is damaged or of no config that is known: it names the one that comes nearest, and every key that differs.
    """
    state = read_state(path)
    configs = named_configs(study)
    if variant is not None and variant not in configs:
        raise unknown_name("variant", variant, configs, owner=f"{study.folder.name} has")
    candidates = configs if variant is None else {variant: configs[variant]}
    skipped, readings = read_layouts(study, state)
    fits = (
        fit_of(name, config, shapes(study, config), layout, found, state, skipped)
        for name, config in candidates.items()
        for layout, found in readings.items()
    )
    best = next(fits)
    for fit in fits:
        if fit.rank > best.rank:
            best = fit
    if not best.ok:
        raise DLFSError(f"{path} is no checkpoint of {study.folder.name}. {differences(best)}")
    return best


def read_state(path: Path) -> State:
    """The arrays of a file by name, taken out of the dict that a training may have saved them in."""
    try:
        content = serialization.load(path, mmap=True)
    except FileNotFoundError:
        raise DLFSError(f"there is no file {path}") from None
    except serialization.UnreadableFile as error:
        raise DLFSError(str(error)) from None
    for wrapper in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict):
        raise DLFSError(
            f"{path} holds a {type(content).__name__}, not a state dict: save the model's state_dict() instead"
        )
    state = {
        name: np.asarray(getattr(value, "array", value))
        for name, value in content.items()
        if hasattr(value, "array") or isinstance(value, np.ndarray)
    }
    if not state:
        raise DLFSError(f"{path} holds no arrays by name, only {', '.join(map(str, content)) or 'an empty dict'}")
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): array for name, array in state.items()}
    return state


def named_configs(study: Study) -> dict[str, Any]:
    """Every config that study.py names: of the published weights, of the recipes, and the variants."""
    recipes = {name: recipe["config"] for name, recipe in getattr(study.facts, "RECIPES", {}).items()}
    return {**study.fact("VARIANTS"), **recipes, **getattr(study.facts, "PUBLISHED", {})}


def keymap(study: Study) -> ModuleType:
    """The model's keymap.py; an empty module where no name needs translating."""
    return study.module("keymap.py") if (study.folder / "keymap.py").exists() else ModuleType("keymap")


def read_layouts(study: Study, state: State) -> tuple[dict[str, str], dict[str, State]]:
    """What of a file is skipped, by SKIPPED of keymap.py, and why; and the rest in our names, as each layout reads it.

    The layouts: ours, the twin's (from_twin), and those of LAYOUTS. A reader leaves the names as they are that it does not know.
    """
    facts = vars(keymap(study))
    skipped = {
        name: reason
        for name in state
        for pattern, reason in facts.get("SKIPPED", {}).items()
        if re.fullmatch(pattern, name)
    }
    kept = {name: array for name, array in state.items() if name not in skipped}
    readers = {"ours": identity, "twin": facts.get("from_twin", identity), **facts.get("LAYOUTS", {})}
    return skipped, {layout: read(kept) for layout, read in readers.items()}


def fit_of(
    variant: str,
    config: Any,
    expected: dict[str, Shape],
    layout: str,
    found: State,
    file: State,
    skipped: dict[str, str],
) -> Fit:
    """What a layout made of a file, held against the shapes of a config."""
    names = {id(array): name for name, array in file.items()}  # what no reader touched is called as in the file
    placed = {name: found[name] for name, shape in expected.items() if name in found and found[name].shape == shape}
    missing = [name for name in expected if name not in found]
    return Fit(
        variant,
        config,
        layout,
        placed,
        skipped,
        {names.get(id(found[name]), name): name for name in found if name not in expected},
        missing,
        {name: (expected[name], found[name].shape) for name in expected if name in found and name not in placed},
    )


def shapes(study: Study, config: Any) -> dict[str, Shape]:
    """The shape of everything in the state dict of a config's level 3, of which no array is made."""
    torch = import_torch()
    class_name, files = study.model(config)
    with torch.device("meta"):
        model = getattr(study.module(files["paper"]), class_name)(config)
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def differences(fit: Fit, most: int = 12) -> str:
    """In words, what keeps a file from being a config's checkpoint."""
    lines = [f"{name}: expected shape {expected}, got {got}" for name, (expected, got) in fit.misshapen.items()]
    lines += [f"{name}: not in the file" for name in fit.missing]
    lines += unplaced_lines(fit)
    if len(lines) > most:
        lines[most:] = [f"and {len(lines) - most} more"]
    return f"Of its configs {fit.variant} comes nearest:\n  " + "\n  ".join(lines)


def unplaced_lines(fit: Fit) -> list[str]:
    """For each key that could not be placed a line, with the nearest of the names that it may have been meant for."""
    lines = []
    for name, read_as in fit.unplaced.items():
        close = difflib.get_close_matches(read_as, fit.missing or list(fit.state), n=1, cutoff=0.5)
        lines.append(f"{name}: could not be placed{f'; the nearest is {close[0]}' if close else ''}")
    return lines


def parameter_count(state: State) -> int:
    return sum(math.prod(array.shape) for array in state.values())
