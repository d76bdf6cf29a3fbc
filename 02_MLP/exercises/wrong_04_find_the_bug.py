from dlfs.exercises import Wrong

WRONG = [
    Wrong(
        "images and targets are shuffled apart",
        "yield x[rows], y[rows]",
        "yield x[rows], y[start : start + size]",
        "came with the target",
    ),
    Wrong(
        "mended by not shuffling at all",
        "order = rng.permutation(len(x))",
        "order = np.arange(len(x))",
        "order must be a new one",
    ),
    Wrong(
        "the last batch is left out",
        "range(0, len(x), size)",
        "range(0, len(x) - size + 1, size)",
        "the last batch has 2",
    ),
    Wrong("the gradient is a sum", "(p - np.eye(len(b))[y]) / len(x)", "p - np.eye(len(b))[y]", "(p - onehot) / B"),
    Wrong("the bias stays", "b - lr * db", "b", "the bias takes a step"),
]
