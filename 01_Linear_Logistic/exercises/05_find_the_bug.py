"""Cross-validation of a ridge regression on the diabetes data."""

import numpy as np


def standardise(train, test):  # (N, D), (M, D)
    """Both less the mean and over the deviation of each feature."""
    rows = train
    mean, deviation = rows.mean(axis=0), rows.std(axis=0)
    return (train - mean) / deviation, (test - mean) / deviation


def ridge(X, y, lam):  # (N, D), (N,)
    """The w (D,) that minimises 1/(2N) ‖y - Xw‖² + λ/2 ‖w‖²."""
    return np.linalg.solve(X.T @ X / len(X) + lam * np.eye(X.shape[1]), X.T @ y / len(X))


def folds(n, k, rng):
    """k lists of indices, which together are 0 … n-1, in a random order."""
    return np.array_split(rng.permutation(n), k)


def predict_fold(X, y, held_out, lam):
    """The predictions (M,) for the rows held out, of a model fitted to all others."""
    others = np.setdiff1d(np.arange(len(X)), held_out)
    train, test = standardise(X[others], X[held_out])
    offset = y[others].mean()
    return test @ ridge(train, y[others] - offset, lam) + offset


def cross_validate(X, y, k, lam, rng):
    """The mean squared error on what was held out, of each fold; (k,)."""
    return np.array([((predict_fold(X, y, rows, lam) - y[rows]) ** 2).mean() for rows in folds(len(X), k, rng)])


if __name__ == "__main__":
    from sklearn.datasets import load_diabetes

    data = load_diabetes(scaled=False)
    errors = cross_validate(data.data[:60], data.target[:60], k=5, lam=0.1, rng=np.random.default_rng(0))
    print(f"root mean squared error {np.sqrt(errors.mean()):.1f} of {data.target[:60].std():.1f}")
