"""Mutants: the classic mistakes, planted in a model's own source to see that a check catches each.

A check that cannot fail is not a check. So a mutant names the one that must catch it, and the test holds both halves:

    MUTANTS = [Mutant("Xavier's scale for He's", "02_MLP.numpy.mlp_numpy", "2 / fan_in", "1 / fan_in", check_init_scale)]

    @pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
    def test_mutant_is_caught(mutant):
        assert_caught(mutant)
"""

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest


class Mutant(NamedTuple):
    name: str  # the mistake, in words
    module: str  # where it is made: "02_MLP.numpy.mlp_numpy"
    old: str  # the right code, which stands in the module exactly once
    new: str  # the mistake
    check: Callable[[ModuleType], None]  # takes the module; asserts what the mistake breaks


def mutate(module: str, old: str, new: str) -> ModuleType:
    """A second copy of a module, made from its source with `old` replaced by `new`; the module itself stays as it is."""
    spec = importlib.util.find_spec(module)
    source = Path(spec.origin).read_text(encoding="utf-8")
    count = source.count(old)
    assert count == 1, f"{spec.origin}: the code to mutate must occur exactly once, it occurs {count} times:\n{old}"
    mutant = importlib.util.module_from_spec(spec)
    exec(compile(source.replace(old, new), spec.origin, "exec"), mutant.__dict__)
    return mutant


def assert_caught(mutant: Mutant) -> None:
    """The mutant's check passes on the module as it is, and fails (as an assertion, not a crash) on the mutant."""
    mutant.check(importlib.import_module(mutant.module))
    broken = mutate(mutant.module, mutant.old, mutant.new)
    with pytest.raises(AssertionError):
        mutant.check(broken)
