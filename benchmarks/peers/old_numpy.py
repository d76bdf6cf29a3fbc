"""NumPy as libraries from before 1.24 and 2.0 expect it."""

import numpy as np


def mend():
    """Give NumPy back, in this process, the names that it has dropped."""
    names = {"int": int, "float": float, "bool": bool, "object": object, "complex": complex}
    names["sctypes"] = {
        "int": [np.int8, np.int16, np.int32, np.int64],
        "uint": [np.uint8, np.uint16, np.uint32, np.uint64],
        "float": [np.float16, np.float32, np.float64],
        "complex": [np.complex64, np.complex128],
        "others": [bool, object, bytes, str, np.void],
    }
    for name, value in names.items():
        if name not in np.__dict__:
            setattr(np, name, value)
