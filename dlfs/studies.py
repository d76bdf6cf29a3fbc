"""The models' folders, found by their study.py: there is no list of them anywhere else.

study.py holds facts, as constants and small functions:

    NAME, TIER, PREREQUISITES, PAPER       in words; 1 to 4; numbers of other folders, such as ("01",); authors, year, title
    LEVELS                                 the files: {"by-hand": "numpy/…", "engine": …, "lowlevel": …, "paper": …}; {} if unwritten
    MODEL                                  the class, alike in all files; or model_of(config) -> (class, files), for several classes
    VARIANTS                               {name: config}: what `compare` runs
    example_batch(config, rng)             -> (inputs, targets), tuples of arrays: model.forward(*inputs), model.loss(*inputs, *targets)
    RECIPES                                {name: recipe}: what `train` does; the first needs no download. A recipe is a dict:
                                           config, epochs, batch_size, lr, optimizer; and if need be optimizer_options,
                                           schedule, steps_per_epoch, augment, metrics {name: function(outputs, *targets)}, lengths(split),
                                           final_metrics {name: function(level, data set)}, evaluation_batch_size, clip, ema,
                                           early_stopping: see training_utils.Plan;
                                           data: the data set, where the recipe's name is not that of one; training_batch: its own;
                                           examples: to train on the first so many alone
    examples(config, data)                 -> the data set as the config reads it, such as a text in windows of its length; by default as it is
    training_batch(config, x, y, rng)      -> (inputs, targets) from examples as the data set has them; by default (x,), (y,)
    LOSS                                   what the loss is, in words with its unit, where it is itself the figure to judge by
    ZERO_GRADIENTS                         names of parameters whose gradient is zero by mathematics, where a variant has them; or a function of the config
    LOUD                                   by how much `compare` enlarges the initial matrices, where 5 times makes ten steps chaotic
    PUBLISHED                              {name: config} of weights that others publish: what `dlfs convert` tries, beside VARIANTS and RECIPES
    TWIN                                   None, or the function of keymap.py that makes the production twin of a config: a module
                                           with the same forward and loss, or None where there is none. to_twin(state) and from_twin(state) in keymap.py
                                           translate a state dict, where its names differ; from_twin also takes gradients, and leaves the
                                           names as they are that it does not know. For `dlfs convert` keymap.py may have LAYOUTS,
                                           {name: function like from_twin}, and SKIPPED, {regular expression: why such keys are left out}
"""

import dataclasses
import importlib
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from utils.errors import DLFSError, unknown_name

if TYPE_CHECKING:  # NumPy takes longer to import than a guide to read
    from utils.data_loaders import Dataset

ROOT = Path(__file__).resolve().parents[1]


class Study:
    """One model's folder, such as 02_MLP: the facts of its study.py, and its modules."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.number, _, self.short_name = folder.name.partition("_")
        self.facts = self.module("study.py")

    def __repr__(self) -> str:
        return f"Study({self.folder.name})"

    def module(self, path: str) -> ModuleType:
        """The imported module of a file in the folder: module("paper/mlp_paper.py") is 02_MLP.paper.mlp_paper."""
        root = str(self.folder.parent)
        if root not in sys.path:
            sys.path.insert(0, root)
        return importlib.import_module(".".join((self.folder.name, *Path(path).with_suffix("").parts)))

    def fact(self, name: str) -> Any:
        """A constant or function of study.py; DLFSError where it is missing."""
        try:
            return getattr(self.facts, name)
        except AttributeError:
            raise DLFSError(f"{self.folder.name}/study.py defines no {name}") from None

    @property
    def levels(self) -> dict[str, str]:
        """The levels that are written, and the file of each."""
        return self.fact("LEVELS")

    def model(self, config: Any) -> tuple[str, dict[str, str]]:
        """The class that a config is for, and the file of each level that defines it: MODEL and LEVELS.

        A folder of several classes has a function model_of(config) in its study.py, which tells them apart.
        """
        if hasattr(self.facts, "model_of"):
            return self.facts.model_of(config)
        return self.fact("MODEL"), self.levels

    def config(self, variant: str) -> Any:
        """The config of a named variant."""
        variants = self.fact("VARIANTS")
        if variant not in variants:
            raise unknown_name("variant", variant, variants, owner=f"{self.folder.name} has")
        return variants[variant]

    def recipe(self, data: str | None) -> tuple[str, dict[str, Any]]:
        """The name and the recipe of a data set that the model trains on; the first recipe where none is named.

        The recipe's "data" is the name of its data set, which two recipes may share.
        """
        recipes = self.fact("RECIPES")
        name = next(iter(recipes)) if data is None else data
        if name not in recipes:
            raise unknown_name("recipe for data", name, recipes, owner=f"{self.folder.name} has")
        return name, {"data": name, **recipes[name]}

    def examples(self, recipe: dict[str, Any], data: "Dataset") -> "Dataset":
        """A data set as the recipe's config reads it: examples() of study.py where there is one, else as it is; cut to the recipe's number."""
        if number := recipe.get("examples"):
            x, y = data.train.x[:number], data.train.y[:number]
            data = dataclasses.replace(data, train=dataclasses.replace(data.train, x=x, y=y))
        return self.facts.examples(recipe["config"], data) if hasattr(self.facts, "examples") else data

    @property
    def loss_name(self) -> str:
        """What tables and pictures call the loss."""
        return getattr(self.facts, "LOSS", "loss")

    def require_level(self, level: str) -> str:
        """The file of a level; UsageError for one that does not exist."""
        if level not in self.levels:
            raise unknown_name("level", level, self.levels, owner=f"{self.folder.name} has")
        return self.levels[level]


def spellings(folder: Path) -> list[str]:
    """What a model may be called: 06, 6, 06_lstm_gru, lstm_gru, lstm, gru."""
    number, _, short_name = folder.name.lower().partition("_")
    return [number, str(int(number)), folder.name.lower(), short_name, *short_name.split("_")]


def study_folders(root: Path | None = None) -> list[Path]:
    """The models' folders in the order of their numbers."""
    folders = (path.parent for path in (root or ROOT).glob("*/study.py"))
    return sorted(folder for folder in folders if re.fullmatch(r"\d\d_\w+", folder.name))


def all_studies(root: Path | None = None) -> list[Study]:
    return [Study(folder) for folder in study_folders(root)]


def find_study(name: str, root: Path | None = None) -> Study:
    """The study that is called so; UsageError that lists the nearest and all valid names for an unknown one."""
    folders = study_folders(root)
    for folder in folders:
        if name.lower().rstrip("/") in spellings(folder):
            return Study(folder)
    nearby = [spelling for folder in folders for spelling in spellings(folder)]
    raise unknown_name("model", name, [folder.name for folder in folders], nearby)


def find_written_study(name: str) -> Study:
    """As find_study; DLFSError for a model of which no level is written yet."""
    study = find_study(name)
    if not study.levels:
        written = ", ".join(s.folder.name for s in all_studies() if s.levels)
        raise DLFSError(f"no level of {study.folder.name} is written yet. Written: {written}")
    return study
