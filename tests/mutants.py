"""Mutants: the classic mistakes, planted in a model's own code to see that a check catches each.

A check that cannot fail is not a check. So a mutant names the check that must catch it, a function of `build`, which
makes the level for a config; and the test holds both halves:

    MUTANTS = [Mutant("softmax without its off-diagonal", "by-hand", "probs - one_hot", "…", check_agreement), …]

    @pytest.mark.parametrize("mutant", MUTANTS, ids=str)
    def test_mutant_is_caught(mutant):
        assert_caught(STUDY, mutant)
"""

import importlib.util
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from dlfs.levels import Level, build_level
from dlfs.studies import Study

Build = Callable[[Any], Level]  # build(config)


class Mutant(NamedTuple):
    name: str  # the mistake, in words
    level: str  # where it is made: by-hand, lowlevel or paper
    old: str  # the right code, which stands in the level's file exactly once
    new: str  # the mistake
    check: Callable[[Build], None]  # asserts what the mistake breaks
    file: str | None = None  # where a folder has several classes: the level's file that is meant, not that of LEVELS

    def __str__(self) -> str:
        return f"{self.level}: {self.name}"


def mutate(module: str, old: str, new: str) -> ModuleType:
    """A second copy of a module, made from its source with `old` replaced by `new`; the module itself stays as it is."""
    spec = importlib.util.find_spec(module)
    source = Path(spec.origin).read_text(encoding="utf-8")
    count = source.count(old)
    assert count == 1, f"{spec.origin}: the code to mutate must stand there exactly once, not {count} times: {old}"
    mutant = importlib.util.module_from_spec(spec)
    exec(compile(source.replace(old, new), spec.origin, "exec"), mutant.__dict__)
    return mutant


def assert_caught(study: Study, mutant: Mutant) -> None:
    """The mutant's check passes on the level as it is, and fails (as an assertion, not a crash) with the mistake in it."""
    build = partial(build_level, study, mutant.level)
    mutant.check(build)
    module = study.module(mutant.file or study.levels[mutant.level])
    with pytest.raises(AssertionError):
        mutant.check(partial(build, module=mutate(module.__name__, mutant.old, mutant.new)))
