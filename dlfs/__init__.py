"""The command line, and what it is made of: the studies, their levels, the comparison."""

import os

os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "16")  # as framework/__init__.py does, if dlfs loads NumPy before

__version__ = "0.1.0"
