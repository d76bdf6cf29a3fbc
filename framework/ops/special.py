"""Special functions on plain arrays."""

import numpy as np


def sigmoid(x):
    """1 / (1 + exp(−x)), exact in both tails: where exp overflows, the quotient is 0, as it should be."""
    with np.errstate(over="ignore"):
        t = np.exp(-x)
    t += 1
    return 1 / t


def erf(x):
    """The error function: exact in float64, `fast_erf` in float32 on the CPU; CuPy has its own."""
    if x.__class__ is np.ndarray and x.dtype == np.float32:
        return fast_erf(x)
    return _special(x).erf(x).astype(x.dtype, copy=False)


def erfc(x):
    """1 − erf(x), without the loss of digits where erf is near 1."""
    return _special(x).erfc(x).astype(x.dtype, copy=False)


def _special(x):
    """scipy.special, or CuPy's for its arrays."""
    if type(x).__module__.startswith("cupy"):
        from cupyx.scipy import special
    else:
        from scipy import special  # here, as it takes longer to import than the whole engine
    return special


# erf(x) = tanh(x + x q(x²)): q is smooth, and the tails come from tanh. The coefficients make the largest error on [0, 4] as small as
# a polynomial of this degree can, with q(0) = 2/√π − 1, so that small x keep their relative precision too.
_Q = (
    0.12837917,
    0.10276954,
    -0.000193476911,
    -0.000617050177,
    8.56946016e-05,
    -5.04689484e-06,
    5.39199829e-08,
    4.42497442e-09,
)


def fast_erf(x):
    """erf of a float32 array to within 1.5e-7, several times faster than scipy's, which takes an element at a time."""
    with np.errstate(over="ignore"):  # beyond 3000 the polynomial is infinite, and its tanh 1
        u = x * x
        q = u * _Q[-1]
        for coefficient in _Q[-2:0:-1]:
            q += coefficient
            q *= u
        q += _Q[0]
        q *= x
        q += x
    return np.tanh(q, out=q) if q.ndim else np.tanh(q)
