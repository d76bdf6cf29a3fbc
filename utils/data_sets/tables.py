"""Tables bundled with scikit-learn: a row of measurements for each patient, standardised."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from utils.data_loaders import Dataset, Split, dataset


@dataclass(frozen=True)
class TableDataset(Dataset):
    """Rows of measurements; `features[d]` says what x[:, d] measures."""

    features: tuple[str, ...] = ()


@dataset("diabetes")
def diabetes() -> TableDataset:
    """442 patients, ten measurements (N, 10) float32; how far the disease went in the year after, (N,) float32, 25 to 346.

    Efron, Hastie, Johnstone & Tibshirani 2004, "Least angle regression". Bundled with scikit-learn; 310 / 66 / 66 examples.
    Measurements are standardised, targets are as they were.
    """
    from sklearn.datasets import load_diabetes

    return standardised("diabetes", load_diabetes(scaled=False), valid=66, target=np.float32)


@dataset("breast-cancer")
def breast_cancer() -> TableDataset:
    """569 tumours, thirty measurements of their cells' nuclei (N, 30) float32; (N,) int64: 0 is malignant, 1 benign.

    Street, Wolberg & Mangasarian 1993, UCI Breast Cancer Wisconsin (Diagnostic). Bundled with scikit-learn; 399 / 85 / 85
    examples. Measurements are standardised.
    """
    from sklearn.datasets import load_breast_cancer

    return standardised("breast-cancer", load_breast_cancer(), valid=85, target=np.int64)


def standardised(name: str, bunch: Any, valid: int, target: Any) -> TableDataset:
    """The rows, shuffled once, in three splits, each feature with mean 0 and deviation 1 over the *training* rows.

    The other rows get the same shift and scale: of them nothing may be known yet, not even their mean.
    """
    order = np.random.default_rng(0).permutation(len(bunch.target))
    x, y = bunch.data[order], bunch.target[order].astype(target)
    train = len(x) - 2 * valid
    x = ((x - x[:train].mean(axis=0)) / x[:train].std(axis=0)).astype(np.float32)
    parts = (slice(0, train), slice(train, train + valid), slice(train + valid, None))
    learn, watch, test = (Split(x[part], y[part]) for part in parts)
    return TableDataset(name, learn, watch, test, features=tuple(map(str, bunch.feature_names)))
