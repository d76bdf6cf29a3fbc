"""What every test of the project shares: one BLAS thread a process, the two markers, and the fixture of exercises."""

import os

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
