from dlfs.exercises import Wrong

WRONG = [
    Wrong(
        "the mean over rows is forgotten",
        "X.T @ X / B + lam * np.eye(D), X.T @ y / B",
        "X.T @ X + lam * np.eye(D), X.T @ y",
        "averaged over B",
    ),
    Wrong("λ is added to every element", "lam * np.eye(D)", "lam", "λ I"),
    Wrong(
        "only positive weights", "np.sign(a) * np.maximum(np.abs(a) - t, 0)", "np.maximum(a - t, 0)", "from either side"
    ),
    Wrong(
        "a hard threshold",
        "np.sign(a) * np.maximum(np.abs(a) - t, 0)",
        "np.where(np.abs(a) > t, a, 0)",
        "towards 0 by t",
    ),
    Wrong("the whole residual", "r = y - X @ w + x * w[j]", "r = y - X @ w", "WITHOUT feature j"),
    Wrong(
        "the threshold is not divided by the curvature",
        "soft_threshold(x @ r / len(y), lam) / curvature",
        "soft_threshold(x @ r / len(y) / curvature, lam)",
        "all over c",
    ),
    Wrong(
        "w is written into",
        "    return soft_threshold(x @ r",
        "    w[j] = 0\n    return soft_threshold(x @ r",
        "leave w as it is",
    ),
    Wrong("a single round", "if np.abs(w - before).max() <= tolerance", "if True", "until a whole round"),
]
