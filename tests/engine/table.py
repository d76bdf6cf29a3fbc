"""The engine's op table: one declaration a row, from which test_table.py draws every check.

    ROWS = [row("softmax", lambda T, x: T.softmax(x, dim=-1), real(3, 4)), …]      in rows_<family>.py
    FAILS = [fails("reshape", lambda T, x: T.reshape(x, (5,)), real(3, 4), match="do not fit")]

A row's name is a public one: "softmax" (framework), "Tensor.view" or "nn.functional.linear", and after a blank whatever tells it from
others of that name. T is framework or torch. The inputs are described, not given, so that each check makes its own.
"""

import dataclasses
import importlib
import pathlib
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Input:
    """How to make one input: make(numbers, dtype) gives an array; `grad`: whether derivatives by it are checked."""

    make: Callable
    grad: bool = True


def real(*shape, low=0.25, high=2.0, signed=True, grad=True):
    """Distinct numbers with |x| in [low, high], well apart from each other and from 0, so that no kink or tie is near."""

    def make(numbers, dtype):
        size = int(np.prod(shape))
        values = numbers.permutation(low + (high - low) * (np.arange(size) + numbers.uniform(0.3, 0.7)) / max(size, 1))
        if signed:
            values = values * numbers.choice([-1.0, 1.0], size)
        return values.reshape(shape).astype(dtype)

    return Input(make, grad)


def positive(*shape, low=0.25, high=2.0, grad=True):
    """Distinct positive numbers."""
    return real(*shape, low=low, high=high, signed=False, grad=grad)


def constant(*shape, low=0.25, high=2.0, signed=True):
    """As real, but an input by which nothing is differentiated."""
    return real(*shape, low=low, high=high, signed=signed, grad=False)


def integer(*shape, low=-5, high=6, dtype="int64"):
    """Integers from low to high − 1, whatever the row's dtype."""
    return Input(lambda numbers, _: numbers.integers(low, high, shape).astype(dtype), False)


def boolean(*shape):
    return Input(lambda numbers, _: np.asarray(numbers.random(shape) < 0.5), False)


def given(values, dtype=None, grad=None):
    """Exactly these values: ties, zeros, NaN; floats in the row's dtype unless one is given."""
    array = np.array(values, dtype)
    floating = array.dtype.kind == "f"
    return Input(
        lambda _, row_dtype: array.astype(row_dtype) if floating and dtype is None else array.copy(),
        floating if grad is None else grad,
    )


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    function: Callable
    inputs: tuple
    values: bool = True  # False for random numbers: shapes and dtypes alone are compared
    gradient: bool = True
    second: bool = True  # second derivatives against PyTorch's
    numerical: bool = True  # against central differences; not at ties, kinks and steps
    strides: bool = True  # inputs of other memory layouts
    foreign: bool = True  # on the stand-in array type, and on CuPy
    tolerance: float = 1.0  # how much wider than usual

    @property
    def public(self):
        return self.name.split(" ")[0]

    def arrays(self, dtype):
        """The inputs as NumPy arrays, the same ones in every process."""
        numbers = np.random.Generator(np.random.PCG64(zlib.crc32(self.name.encode())))
        return [given.make(numbers, np.dtype(dtype)) for given in self.inputs]


def row(name, function, *inputs, **options):
    """One row of the table; options as in Row."""
    return Row(name, function, inputs, **options)


@dataclasses.dataclass(frozen=True)
class Fails:
    name: str
    function: Callable
    inputs: tuple
    match: str
    raises: Any = None  # where PyTorch accepts what the engine refuses, or raises another type

    public = Row.public
    arrays = Row.arrays


def fails(name, function, *inputs, match, raises=None):
    """A call that both sides must refuse: the engine with an exception of PyTorch's type whose text matches."""
    return Fails(name, function, inputs, match, raises)


def families():
    """The modules rows_*.py of this folder."""
    here = pathlib.Path(__file__).parent
    return [importlib.import_module(f"tests.engine.{path.stem}") for path in sorted(here.glob("rows_*.py"))]


def table(kind="ROWS"):
    """All rows, each with an id of its own."""
    rows, seen = [], {}
    for family in families():
        for entry in getattr(family, kind, []):
            number = seen[entry.name] = seen.get(entry.name, 0) + 1
            rows.append((entry.name if number == 1 else f"{entry.name} #{number}", entry))
    return rows
