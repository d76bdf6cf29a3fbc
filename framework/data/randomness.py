"""What makes a batch depend on the seed alone: while it is made, every global random generator is the batch's own.

Transforms draw from the engine's default generator (`framework.rand`, `backend.random()`), strangers' datasets from
`random` or `np.random`. All three are put aside while a batch is fetched and collated, seeded with the numbers that name
the batch, and put back afterwards. So augmentation is the same with any number of workers, after a resume, and with none;
and a training loop's own random numbers (dropout) do not depend on how its data is loaded.
"""

import contextlib
import random
import zlib

import numpy as np

from .. import backend


def draw_seed(generator=None):
    """A new 63-bit seed from a Generator (the default one when None)."""
    return int(backend.random(generator).integers(2**63))


def private_generator(*numbers):
    """A NumPy generator that the given non-negative integers fix."""
    return np.random.Generator(np.random.PCG64(numbers))


def batch_numbers(seed, number, index):
    """The integers that name a batch: its epoch's seed, its number, and the samples in it (ranks of one job share the first two)."""
    return seed, number, zlib.crc32(repr(index).encode())


def seed_all(*numbers):
    """Seed the engine's default generator, `random` and `np.random` of this process."""
    backend.default_generator.numpy = generator = private_generator(*numbers)
    random.seed(int(generator.integers(2**63)))
    np.random.seed(int(generator.integers(2**32)))


@contextlib.contextmanager
def randomness(*numbers):
    """Within: the three global generators are those that the numbers fix. Afterwards: as they were."""
    ours, python, numpy = backend.default_generator.numpy, random.getstate(), np.random.get_state(legacy=False)
    try:
        seed_all(*numbers)
        yield
    finally:
        backend.default_generator.numpy = ours
        random.setstate(python)
        np.random.set_state(numpy)


@contextlib.contextmanager
def default_numpy_generator(generator):
    """Within: the engine's default generator draws from this NumPy generator, which keeps its place for the next time."""
    ours, backend.default_generator.numpy = backend.default_generator.numpy, generator
    try:
        yield
    finally:
        backend.default_generator.numpy = ours
