"""The condition number of the data, and the steps that gradient descent needs."""

import math

import numpy as np


def curvatures(X):  # (B, D)
    """The eigenvalues of the Hessian of 1/(2B) ‖y - Xw‖², ascending; (D,)."""
    return np.linalg.eigvalsh(X.T @ X / len(X))


def steps_needed(X, y, tolerance, limit):  # (B, D), (B,)
    """Steps from w = 0 with 1 / the largest curvature until ‖w - w*‖ ≤ tolerance ‖w*‖; limit, if it takes more."""
    best = np.linalg.lstsq(X, y, rcond=None)[0]  # (D,)
    lr, w = 1 / curvatures(X)[-1], np.zeros(X.shape[1])
    for step in range(limit):
        if np.linalg.norm(w - best) <= tolerance * np.linalg.norm(best):
            return step
        w = w - lr * X.T @ (X @ w - y) / len(X)
    return limit


def predicted_steps(X, tolerance):
    """The smallest n with (1 - 1/κ)ⁿ ≤ tolerance; 1 where all curvatures are equal."""
    c = curvatures(X)
    kept = 1 - c[0] / c[-1]
    return max(1, math.ceil(math.log(tolerance) / math.log(kept))) if kept > 0 else 1


if __name__ == "__main__":
    from sklearn.datasets import load_diabetes

    data = load_diabetes(scaled=False)
    centred = data.data - data.data.mean(axis=0)
    target = data.target - data.target.mean()
    for name, X in {"as written down": centred, "standardised": centred / centred.std(axis=0)}.items():
        c = curvatures(X)
        needed = steps_needed(X, target, 0.01, limit=100_000)
        print(f"{name:16} condition {c[-1] / c[0]:9.0f}   steps {needed:6}   predicted {predicted_steps(X, 0.01):8}")
