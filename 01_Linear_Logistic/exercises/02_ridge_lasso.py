"""Ridge regression in closed form, and the lasso by coordinate descent (Friedman et al. 2010, section 2)."""

import numpy as np


def ridge(X, y, lam):  # (B, D), (B,)
    """The w (D,) that minimises 1/(2B) ‖y - Xw‖² + λ/2 ‖w‖²."""
    B, D = X.shape
    return np.linalg.solve(X.T @ X / B + lam * np.eye(D), X.T @ y / B)


def soft_threshold(a, t):
    """argmin_w ½ (w - a)² + t |w|, element by element."""
    return np.sign(a) * np.maximum(np.abs(a) - t, 0)


def coordinate_update(w, j, X, y, lam):  # (D,), …, (B, D), (B,)
    """The w_j that minimises the lasso while all other weights stay; w is not written into."""
    x = X[:, j]  # (B,)
    r = y - X @ w + x * w[j]  # (B,): the residual without feature j
    curvature = x @ x / len(y)
    return soft_threshold(x @ r / len(y), lam) / curvature


def lasso(X, y, lam, tolerance=1e-10, rounds=2000):  # (B, D), (B,)
    """The w (D,) that minimises 1/(2B) ‖y - Xw‖² + λ Σ|w_j|, by coordinate_update from zeros, so many rounds at most."""
    w = np.zeros(X.shape[1])
    for _ in range(rounds):
        before = w.copy()
        for j in range(len(w)):
            w[j] = coordinate_update(w, j, X, y, lam)
        if np.abs(w - before).max() <= tolerance:
            break
    return w


if __name__ == "__main__":
    from sklearn.datasets import load_diabetes

    data = load_diabetes()
    X, y = data.data * np.sqrt(len(data.data)), data.target - data.target.mean()
    print("λ       ", *(f"{name:>6}" for name in data.feature_names))
    for lam in (0.1, 1.0, 5.0, 20.0):
        print(f"ridge {lam:4}", *(f"{w:6.1f}" for w in ridge(X, y, lam)))
        print(f"lasso {lam:4}", *(f"{w:6.1f}" for w in lasso(X, y, lam)))
