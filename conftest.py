"""What every test of the project shares: one BLAS thread a process, the two markers, a seed, the fixture of exercises."""

import operator
import os
import random
import sys

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")  # read once, when NumPy or PyTorch is first imported

import pytest  # noqa: E402

pytest_plugins = ["dlfs.grading"]


def pytest_runtest_setup(item):
    if item.get_closest_marker("data") and not os.environ.get("DLFS_DATA"):
        pytest.skip("needs the real data sets: set DLFS_DATA to the folder that holds them")
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device")

    # Every test draws the same numbers, whatever ran before it in its process.
    random.seed(0)
    for library, seed in (("numpy", "random.seed"), ("framework", "manual_seed"), ("torch", "manual_seed")):
        if library in sys.modules:
            operator.attrgetter(seed)(sys.modules[library])(0)
